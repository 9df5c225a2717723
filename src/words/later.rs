//! Reading texts again for their words: those that were there before there was an index, and those of imports.
//!
//! Which ones wait stands in the database, so it can be interrupted and goes on where it was; several servers may do it at once.

use uuid::Uuid;

use super::Kind;
use super::store::to_read;
use crate::audit::{Event, What};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind as Fault, Result};
use crate::temwen::Temwen;

/// How many are read in one transaction.
const BATCH: i64 = 50;

/// Where the step is.
#[derive(Debug, Default)]
pub struct Later {
    after: Uuid,
}

/// Reads what waits, a batch at a time, until nothing does. `read` makes one thing findable; `None` if it cannot be read: it is tried
/// again when all others were.
pub(crate) async fn take(
    temwen: &Temwen,
    kind: Kind,
    place: &mut Later,
    read: impl AsyncFn(&mut Tx, Uuid) -> Result<Option<()>>,
) -> Result<()> {
    let system = Caller::system("words");
    loop {
        let after = place.after;
        let ids = temwen.db.read(&system, async |conn| to_read(conn, kind, after, BATCH).await).await?;
        let Some(last) = ids.last().copied() else {
            place.after = Uuid::nil();
            return Ok(());
        };
        let done = temwen
            .db
            .write(&system, "words.index", async |tx| {
                let mut done = 0_i64;
                for id in &ids {
                    done += i64::from(read(tx, *id).await?.is_some());
                }
                if done == 0 {
                    // Nothing is to be recorded: undone, rather than committed.
                    return Err(Error::new(Fault::NotFound, "nothing could be read"));
                }
                tx.record(Event::register(What::WordsIndexed).with("count", done));
                Ok(())
            })
            .await;
        match done {
            Err(error) if error.kind() == Fault::NotFound => {}
            done => done?,
        }
        place.after = last;
    }
}
