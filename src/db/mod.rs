//! The database: a pool, a read and a write, and who acts in each.
//!
//! [`Db::write`] is the only way to change anything, and commits nothing that recorded nothing.
//! [`Db::read_recorded`] is for what may only be read with an entry; [`Db::read`] for the rest. Each of them tells
//! Postgres who acts before anything else is asked; row security hides from them what they need not know.

pub mod clear_text;
pub mod data_keys;
pub mod embedded;
pub mod first_answers;
pub(crate) mod master_keys;
pub mod migrate;
pub(crate) mod parts;
mod pool;
pub mod prepare;
pub(crate) mod schema;
pub mod statement;
pub mod tx;

use std::time::Instant;

use diesel_async::AsyncPgConnection;

pub use self::pool::{Connect, Server};
pub use self::tx::{Caller, Tx};
use crate::audit::Event;
use crate::auth::credentials::EntrySeal;
use crate::auth::policy;
use crate::error::{Error, Kind, Result};
use crate::temwen::Clock;
use crate::vault::Vault;

/// Where everything is kept, and how to reach it.
#[derive(Clone)]
pub struct Db {
    pool: pool::Pool,
    clock: Clock,
    lanes: policy::Lanes,
    seal: EntrySeal,
    vault: Vault,
}

impl Db {
    /// Prepares a pool of at most `size` connections; connects to nothing yet.
    pub fn new(
        connect: Connect,
        size: usize,
        clock: Clock,
        lanes: policy::Lanes,
        seal: EntrySeal,
        vault: Vault,
    ) -> Result<Self> {
        Ok(Self { pool: pool::build(connect, size)?, clock, lanes, seal, vault })
    }

    /// The clock that this database's transactions run by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What seals.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// What `caller` may know of.
    pub fn scope(&self, caller: &Caller) -> policy::Scope {
        policy::scope(&caller.actor, &self.lanes)
    }

    async fn begin(&self, caller: &Caller) -> Result<Tx> {
        let conn = pool::take(&self.pool).await?;
        let scope = self.scope(caller);
        Ok(Tx::new(conn, caller.clone(), scope, self.clock.now(), self.seal.clone(), self.vault.clone()))
    }

    /// Runs `work` in one transaction, on behalf of `caller`.
    ///
    /// Commits if `work` succeeds *and recorded at least one audit entry*; otherwise changes nothing.
    pub async fn write<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T> {
        let started = Instant::now();
        let mut tx = self.begin(caller).await?;
        let outcome = match work(&mut tx).await {
            Ok(value) => tx.commit().await.map(|()| value),
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        };
        measure(name, started, outcome.is_ok());
        outcome
    }

    /// Puts something on record that changes nothing else.
    pub async fn remember(&self, caller: &Caller, name: &'static str, event: Event) -> Result<()> {
        self.write_at_once(caller, name, event, async |_| Ok(Some(()))).await.map(|_| ())
    }

    /// Runs one `statement` and commits it together with `entry`, in a single round trip.
    ///
    /// The entry is written only if its object can be seen by the caller when the statement is done: this is how a
    /// submission that turns out to be a repetition leaves no second entry. `None` means that nothing happened.
    ///
    /// All that `statement` asks must be polled together: the commit is on its way behind it, and a question asked after
    /// an answer would find the transaction over, nobody acting and so nothing to be seen. For steps that depend on each
    /// other there is [`Db::write`].
    pub async fn write_at_once<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        entry: Event,
        statement: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<Option<T>>,
    ) -> Result<Option<T>> {
        self.write_with_follows(caller, name, entry, Vec::new(), statement).await
    }

    /// The same; each of `follows` is remembered too, in the same round trip, if the transaction says in the setting named with it
    /// that it came to pass. The first takes what the transaction noted apart from the rest.
    pub async fn write_with_follows<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        entry: Event,
        follows: Vec<(&'static str, Event)>,
        statement: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<Option<T>>,
    ) -> Result<Option<T>> {
        let started = Instant::now();
        let mut tx = self.begin(caller).await?;
        let outcome = tx.at_once(entry, follows, statement).await;
        tx.done(leaves_it_clean(&outcome));
        measure(name, started, outcome.is_ok());
        outcome
    }

    /// Reads what may only be read with an entry: the entry is durable before the answer leaves, and both take a single
    /// round trip. What the caller may not know of is `None`, and leaves no entry.
    pub async fn read_recorded<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        entry: Event,
        work: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<Option<T>>,
    ) -> Result<Option<T>> {
        self.write_at_once(caller, name, entry, work).await
    }

    /// Writes the log itself: the one write that records nothing, because it is what the record is written to.
    ///
    /// `work` reads and computes; with `Some`, what it answers is written by `last` and committed in the same round trip, and
    /// otherwise nothing is.
    pub(crate) async fn write_log<T, U>(
        &self,
        caller: &Caller,
        work: impl AsyncFnOnce(&mut Tx) -> Result<Option<T>>,
        last: impl AsyncFnOnce(&AsyncPgConnection, &T) -> diesel::QueryResult<U>,
    ) -> Result<Option<T>> {
        let mut tx = self.begin(caller).await?;
        match work(&mut tx).await {
            Ok(Some(done)) => {
                tx.commit_log(async |conn| last(conn, &done).await.map(|_| ())).await?;
                Ok(Some(done))
            }
            Ok(None) => {
                tx.rollback().await;
                Ok(None)
            }
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    }

    /// Reads what needs no entry: lists without anybody's words, and what is the caller's own.
    pub async fn read<T>(
        &self,
        caller: &Caller,
        work: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<T>,
    ) -> Result<T> {
        let mut tx = self.begin(caller).await?;
        let outcome = tx.only_read(work).await;
        tx.done(leaves_it_clean(&outcome));
        outcome
    }

    /// Whether the database answers and has exactly the schema that this build knows.
    pub async fn ready(&self) -> Result<()> {
        let conn = pool::take(&self.pool).await?;
        let found = migrate::applied(&conn.conn).await.map_err(tx::refused)?;
        migrate::compare(&found).map_err(|difference| Error::unavailable(5).because(difference))
    }
}

/// Whether a connection can be used again: all went well, or all that was wrong was who asked.
fn leaves_it_clean<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().err().is_none_or(|error| error.kind() == Kind::Unauthenticated)
}

/// Counts and times a write by its name.
fn measure(name: &'static str, started: Instant, committed: bool) {
    let outcome = if committed { "committed" } else { "refused" };
    metrics::counter!("temwen_writes_total", "name" => name, "outcome" => outcome).increment(1);
    metrics::histogram!("temwen_write_seconds", "name" => name).record(started.elapsed().as_secs_f64());
}
