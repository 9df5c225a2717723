//! What follows from matching: walls, and whose desk a matter lies on.

use super::{following_store, marks_of_known, store};
use crate::audit::{Event, What};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::{MatterId, UnitId};

/// What came of matching the parties of a matter to accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each part of what came of it stands for itself")]
pub struct Routing {
    /// How many accounts it was hidden from now.
    pub walled: i32,
    /// Whether it went to the OHCHR alone now, because it concerns the leadership or an officer of the register.
    pub outside: bool,
    /// Whether it went to another desk now, or lost the officer who owned it.
    pub rerouted: bool,
    /// Whether nobody is left at the OHCHR's desk either.
    pub without_officer: bool,
    /// Whether it had to wait for this, known to the OHCHR alone.
    pub caught_up: bool,
}

impl Routing {
    /// What is to be remembered of it.
    pub fn events(&self, matter: MatterId) -> Vec<Event> {
        let about = |what| Event::matter(what, matter);
        let mut events = Vec::new();
        if self.walled > 0 || self.caught_up {
            events.push(about(What::WallsFollowed).with("walls", self.walled));
        }
        if self.rerouted {
            let why = if self.outside { "outside" } else { "nobody_left" };
            events.push(about(What::MatterRerouted).with("because", why));
        }
        if self.without_officer {
            events.push(about(What::MatterWithoutOfficer));
        }
        events
    }
}

/// What is to be remembered of a new complaint, if it comes to pass, apart from its registration; each with the setting of the
/// transaction that says whether it did.
pub fn follows(matter: MatterId) -> Vec<(&'static str, Event)> {
    vec![
        ("apart", Event::matter(What::WallsFollowed, matter)),
        ("rerouted", Event::matter(What::MatterRerouted, matter)),
        ("without_officer", Event::matter(What::MatterWithoutOfficer, matter)),
    ]
}

/// Puts up the walls that follow from a matter's parties, in the transaction that changed them, and remembers what came of it.
pub async fn match_parties(tx: &mut Tx, matter: MatterId) -> Result<Routing> {
    let now = tx.now();
    let routing = tx.ask(async |conn| store::match_parties(conn, matter, now).await).await?;
    for event in routing.events(matter) {
        tx.record(event);
    }
    Ok(routing)
}

/// Moves a matter to the OHCHR's desk if nobody is left at its own: after a wall or a recusal.
pub async fn reroute(tx: &mut Tx, matter: MatterId) -> Result<Routing> {
    let routing = store::reroute(tx, matter).await?;
    for event in routing.events(matter) {
        tx.record(event);
    }
    Ok(routing)
}

/// What hides one matter hides the other too, when a complaint joins a case.
pub async fn follow_matter(tx: &mut Tx, from: MatterId, to: MatterId) -> Result<()> {
    store::follow_matter(tx, from, to).await?;
    match_parties(tx, to).await.map(|_| ())
}

/// Keeps in mind, in the transaction that changes the roster, what [`follow_roster`] has to see to once it is committed: however many
/// matters there are, nobody who hands one in waits for it.
pub(super) async fn remember_roster(tx: &mut Tx, marks: &[[u8; 32]], units: &[UnitId]) -> Result<()> {
    if marks.is_empty() && units.is_empty() {
        return Ok(());
    }
    following_store::remember_roster(tx, marks, units).await
}

/// What changes of the roster mean for the matters there are, each in a transaction of its own; how many were seen to.
pub async fn follow_roster(temwen: &Temwen) -> Result<usize> {
    let caller = Caller::system("personnel");
    let mut seen_to = 0;
    for change in temwen.db.read(&caller, async |conn| following_store::roster_changes(conn).await).await? {
        let behind =
            temwen.db.read(&caller, async |conn| following_store::matters_behind(conn, change).await).await?;
        for matter in behind {
            seen_to += usize::from(see_to(temwen, &caller, matter).await?);
        }
        let end = async |tx: &mut Tx| {
            if !following_store::end_roster_change(tx, change).await? {
                return Err(Error::not_found());
            }
            tx.record(Event::register(What::RosterFollowed));
            Ok(())
        };
        unless_done(temwen.db.write(&caller, "personnel.roster_followed", end).await)?;
    }
    Ok(seen_to)
}

/// The same, for whoever just changed the roster: if it fails, the next step in the background sees to it.
pub async fn see_to_roster(temwen: &Temwen) {
    if let Err(error) = follow_roster(temwen).await {
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::warn!(error, "a change of the roster was not followed yet; it will be");
    }
}

/// Whether something was done; not, where another node was quicker.
fn unless_done(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

async fn see_to(temwen: &Temwen, caller: &Caller, matter: MatterId) -> Result<bool> {
    let see_to = async |tx: &mut Tx| {
        let matched = match_parties(tx, matter).await?;
        let moved = reroute(tx, matter).await?;
        if matched == Routing::default() && moved == Routing::default() {
            // Nothing happened, so nothing is recorded.
            return Err(Error::not_found());
        }
        Ok(())
    };
    unless_done(temwen.db.write(caller, "personnel.reroute", see_to).await)
}

/// Sees to what no single change sees to: accounts of before the roster, what could not be matched at once, and desks that were left
/// because an account was deactivated or lost a role. How much there was to do.
pub async fn follow_up(temwen: &Temwen) -> Result<usize> {
    let caller = Caller::system("personnel");
    let mut done = mark_accounts(temwen, &caller).await? + follow_roster(temwen).await?;
    let left = temwen.db.read(&caller, async |conn| store::desks_left(conn).await).await?;
    for matter in left {
        done += usize::from(see_to(temwen, &caller, matter).await?);
    }
    Ok(done)
}

async fn mark_accounts(temwen: &Temwen, caller: &Caller) -> Result<usize> {
    let unmarked = temwen.db.read(caller, async |conn| store::unmarked_accounts(conn).await).await?;
    let mut done = 0;
    for (user, name) in unmarked {
        let marks = marks_of_known(&temwen.register, &name, None);
        if marks.is_empty() {
            continue;
        }
        let mark = async |tx: &mut Tx| {
            super::know_account(tx, &temwen.register, user, &name).await?;
            tx.record(Event::user(What::AccountsMarked, user));
            Ok(())
        };
        temwen.db.write(caller, "personnel.mark_accounts", mark).await?;
        done += 1;
    }
    Ok(done)
}
