//! Who serves where: the roster of persons and units, and what tells that somebody named in a complaint is one of them.
//!
//! Belongs here: persons, units, the chain of command, the marks by which they are known again, and the walls and the routing
//! that follow from them. Does not belong here: what is said about anybody; see [`crate::complaints`] and [`crate::cases`].

mod marks;
pub(crate) mod store;

use crate::audit::{Event, What};
use crate::db::Tx;
use crate::error::Result;
use crate::values::MatterId;

pub use self::marks::{Mark, MarkKind, marks, marks_of_person, unit_mark};

/// What came of matching the parties of a matter to accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Routing {
    /// How many accounts it was hidden from now.
    pub walled: i32,
    /// Whether it is now with the OHCHR alone, because it concerns the leadership or an officer of the register.
    pub outside: bool,
    /// Whether it went to another desk now, because nobody was left at its own.
    pub rerouted: bool,
    /// Whether nobody is left at that desk either.
    pub without_officer: bool,
}

impl Routing {
    /// What is to be remembered of it, within the matter.
    pub fn events(&self, matter: MatterId) -> Vec<Event> {
        let about = |what| Event::matter(what, matter);
        let mut events = Vec::new();
        if self.walled > 0 {
            events.push(about(What::WallsFollowed).with("walls", self.walled));
        }
        if self.rerouted {
            let why = if self.outside { "outside" } else { "nobody_left" };
            events.push(about(What::MatterRerouted).with("to", "ohchr_monitor").with("because", why));
        }
        if self.without_officer {
            events.push(about(What::MatterWithoutOfficer));
        }
        events
    }
}

/// Puts up the walls that follow from a matter's parties, in the transaction that changed them, and remembers what came of it.
pub async fn put_up_walls(tx: &mut Tx, matter: MatterId) -> Result<Routing> {
    let now = tx.now();
    let routing = tx.ask(async |conn| store::put_up_walls(conn, matter, now).await).await?;
    for event in routing.events(matter) {
        tx.record(event);
    }
    Ok(routing)
}
