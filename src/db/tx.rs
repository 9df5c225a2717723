//! One transaction: its caller, its moment, and what it recorded.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::IntoSql as _;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::join;

use super::pool::Conn;
use super::statement::{Bare, Fixed, Text};
use crate::audit::{self, Entry, Event};
use crate::auth::Actor;
use crate::auth::credentials::EntrySeal;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{Error, Kind, Result};
use crate::values::ComplaintId;
use crate::vault::Vault;

/// Who asks, and which request it is.
#[derive(Debug, Clone)]
pub struct Caller {
    /// On whose behalf.
    pub actor: Actor,
    /// The request's id; stands in every entry that it leaves.
    pub request: Arc<str>,
    /// The complaint that this very request hands in: its author may know of it, whatever their scope.
    pub about: Option<ComplaintId>,
}

impl Caller {
    /// Somebody, in the request of this id.
    pub fn new(actor: Actor, request: Arc<str>) -> Self {
        Self { actor, request, about: None }
    }

    /// The same request, taken over by a part of the system, acting as itself.
    #[must_use]
    pub fn as_system(&self, name: &'static str) -> Self {
        Self::new(Actor::System(name), Arc::clone(&self.request))
    }

    /// A part of the system, acting as itself.
    pub fn system(name: &'static str) -> Self {
        Self { actor: Actor::System(name), request: Arc::from(name), about: None }
    }
}

/// A transaction in progress. The only way to change anything.
pub struct Tx {
    /// `None` once the connection was given back or thrown away.
    conn: Option<Conn>,
    caller: Caller,
    scope: Scope,
    now: DateTime<Utc>,
    begun: bool,
    entries: Vec<Entry>,
    seal: EntrySeal,
    vault: Vault,
}

struct Begin;
impl Text for Begin {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "begin";
    type Row = ();
}

struct Commit;
impl Text for Commit {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "commit";
    type Row = ();
}

struct Act;
impl Text for Act {
    const GIVEN: &'static str =
        "kind, actor, user_id, session_id, rights, scope, categories, country, complaint_id, at";
    const SQL: &'static str = " select act(kind, actor, user_id, session_id, rights, scope, categories, country, complaint_id, at) from given";
    type Row = sql::Bool;
}

// Everything between begin and commit goes through the same queue of prepared statements, in the order in which it
// is polled. `begin` and `commit` are therefore prepared statements too: sent on their own, they could overtake one
// that still has to be prepared.
async fn begin(mut conn: &AsyncPgConnection) -> diesel::QueryResult<()> {
    Bare::new(Begin).execute(&mut conn).await.map(|_| ())
}

async fn commit(mut conn: &AsyncPgConnection) -> diesel::QueryResult<()> {
    Bare::new(Commit).execute(&mut conn).await.map(|_| ())
}

async fn act(
    mut conn: &AsyncPgConnection,
    caller: &Caller,
    scope: &Scope,
    at: DateTime<Utc>,
) -> diesel::QueryResult<bool> {
    let identity = caller.actor.identity();
    let binds = (
        identity.kind.into_sql::<sql::Text>(),
        identity.name.into_sql::<sql::Text>(),
        identity.user.into_sql::<sql::Nullable<sql::Uuid>>(),
        identity.session.into_sql::<sql::Nullable<sql::Uuid>>(),
        identity.rights.into_sql::<sql::Integer>(),
        scope.words().into_sql::<sql::Text>(),
        scope.categories().into_sql::<sql::Text>(),
        scope.country().into_sql::<sql::Text>(),
        caller.about.map(ComplaintId::uuid).or(scope.complaint).into_sql::<sql::Nullable<sql::Uuid>>(),
        at.into_sql::<sql::Timestamptz>(),
    );
    Fixed::with(Act, binds).get_result(&mut conn).await
}

fn signed_out() -> Error {
    Error::new(Kind::Unauthenticated, "this session is over, or your rights have changed; sign in or refresh")
}

impl Tx {
    pub(super) fn new(
        conn: Conn,
        caller: Caller,
        scope: Scope,
        now: DateTime<Utc>,
        seal: EntrySeal,
        vault: Vault,
    ) -> Self {
        Self { conn: Some(conn), caller, scope, now, begun: false, entries: Vec::new(), seal, vault }
    }

    fn conn(&self) -> Result<&AsyncPgConnection> {
        self.conn.as_ref().map(|live| &live.conn).ok_or_else(|| Error::internal("the transaction is over"))
    }

    /// Asks the database; for `store.rs` files only.
    ///
    /// The first question of a transaction goes out together with `begin` and with who acts. Statements polled together
    /// inside `work` share a round trip.
    pub async fn ask<T>(
        &mut self,
        work: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<T>,
    ) -> Result<T> {
        self.ask_for(work, refused).await
    }

    /// Like [`Tx::ask`]; `explain` turns the name of a violated constraint into a sentence.
    pub async fn ask_for<T>(
        &mut self,
        work: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<T>,
        explain: impl FnOnce(DieselError) -> Error,
    ) -> Result<T> {
        let conn = self.conn()?;
        if self.begun {
            return work(conn).await.map_err(explain);
        }
        let (begun, alive, answer) =
            join!(begin(conn), act(conn, &self.caller, &self.scope, self.now), work(conn));
        self.begun = true;
        begun.map_err(refused)?;
        if !alive.map_err(refused)? {
            return Err(signed_out());
        }
        answer.map_err(explain)
    }

    /// On whose behalf this is done.
    pub fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    /// What seals.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The request that this is done for.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The moment of this write; the same for everything in it.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Refuses what the policy page does not allow.
    pub fn allow(&self, action: Action) -> Result<()> {
        if policy::allows(&self.caller.actor, action) { Ok(()) } else { Err(Error::forbidden()) }
    }

    /// Remembers what happened; it is written in this same transaction, together with the commit.
    pub fn record(&mut self, event: Event) {
        self.entries.push(Entry::new(event, &self.caller, self.now));
    }

    /// Commits, unless nothing was recorded.
    pub(super) async fn commit(mut self) -> Result<()> {
        if self.entries.is_empty() {
            self.rollback().await;
            return Err(Error::internal("a write that recorded nothing was refused"));
        }
        if !self.begun {
            self.ask(async |_| Ok(())).await?;
        }
        let entries = std::mem::take(&mut self.entries);
        let conn = self.conn()?;
        // If the entries are refused, the commit behind them ends the transaction without effect, and the first
        // result says so.
        let (recorded, committed) = join!(audit::append(conn, &self.seal, &entries), commit(conn));
        let outcome = recorded.and(committed).map_err(refused);
        self.done(outcome.is_ok());
        outcome
    }

    /// Commits the log itself: together with `last`, which is asked on the way to it.
    pub(super) async fn commit_log(
        mut self,
        last: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<()>,
    ) -> Result<()> {
        if !self.begun {
            return Err(Error::internal("nothing was asked before the log was written"));
        }
        let conn = self.conn()?;
        let (written, committed) = join!(last(conn), commit(conn));
        let outcome = written.and(committed).map_err(refused);
        self.done(outcome.is_ok());
        outcome
    }

    pub(super) async fn at_once<T>(
        &mut self,
        event: Event,
        follows: Vec<(&'static str, Event)>,
        work: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<Option<T>>,
    ) -> Result<Option<T>> {
        let entry = Entry::new(event, &self.caller, self.now);
        let follow = |(setting, event)| (setting, Entry::new(event, &self.caller, self.now));
        let follows: Vec<(&str, Entry)> = follows.into_iter().map(follow).collect();
        let conn = self.conn()?;
        let (begun, alive, answer, recorded, followed, committed) = join!(
            begin(conn),
            act(conn, &self.caller, &self.scope, self.now),
            work(conn),
            audit::append_if_seen(conn, &self.seal, &entry),
            audit::append_what_followed(conn, &self.seal, &follows),
            commit(conn)
        );
        begun.map_err(refused)?;
        if !alive.map_err(refused)? {
            // Whatever was asked saw nothing; the transaction is over, and its connection as good as before.
            committed.map_err(refused)?;
            return Err(signed_out());
        }
        let answer = answer.map_err(refused)?;
        let recorded = recorded.map_err(refused)?;
        followed.map_err(refused)?;
        committed.map_err(refused)?;
        match answer {
            Some(_) if !recorded => Err(Error::internal("an answer without its entry was withheld")),
            answer => Ok(answer),
        }
    }

    pub(super) async fn only_read<T>(
        &mut self,
        work: impl AsyncFnOnce(&AsyncPgConnection) -> diesel::QueryResult<T>,
    ) -> Result<T> {
        let conn = self.conn()?;
        let (begun, alive, answer, committed) =
            join!(begin(conn), act(conn, &self.caller, &self.scope, self.now), work(conn), commit(conn));
        begun.map_err(refused)?;
        if !alive.map_err(refused)? {
            committed.map_err(refused)?;
            return Err(signed_out());
        }
        let answer = answer.map_err(refused)?;
        committed.map_err(refused)?;
        Ok(answer)
    }

    pub(super) async fn rollback(&mut self) {
        let ended = match self.conn() {
            Ok(conn) if self.begun => {
                diesel_async::SimpleAsyncConnection::batch_execute(&mut &*conn, "rollback").await.is_ok()
            }
            _ => false,
        };
        self.done(ended || !self.begun);
    }

    /// Gives the connection back if it is `clean`; otherwise it is thrown away, and Postgres ends whatever ran on it.
    pub(super) fn done(&mut self, clean: bool) {
        if let Some(conn) = self.conn.take()
            && !clean
        {
            drop(Conn::take(conn));
        }
    }
}

impl Drop for Tx {
    /// A request that was abandoned half-way leaves nothing open behind.
    fn drop(&mut self) {
        self.done(false);
    }
}

/// What a database error means for the caller.
pub(crate) fn refused(error: DieselError) -> Error {
    match &error {
        DieselError::DatabaseError(
            DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
            _,
        ) => Error::unavailable(2).because(error),
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) if passes(info.message()) => {
            Error::unavailable(2).because(error)
        }
        // What the wall lets nobody add hangs on what they may not know of, or may only read.
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info)
            if info.message().starts_with("new row violates row-level security policy") =>
        {
            Error::not_found().because(error)
        }
        _ => Error::internal(error),
    }
}

/// Whether Postgres refused for a reason that passes by itself. diesel does not hand on the SQLSTATE; the server's
/// messages are in English, because its private cluster and our connections ask for that.
fn passes(message: &str) -> bool {
    const PASSING: [&str; 8] = [
        "terminating connection",
        "the database system is",
        "canceling statement",
        "remaining connection slots",
        "sorry, too many clients",
        "deadlock detected",
        "could not write to file",
        "could not extend file",
    ];
    PASSING.iter().any(|start| message.starts_with(start))
}
