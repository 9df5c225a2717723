//! First answers to creating requests, kept so that a repetition gets the same one.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::RunQueryDsl;

use super::schema::idempotency_keys as kept;
use super::statement::{Fixed, Text};
use super::tx::Tx;
use crate::error::{Error, Kind, Result};
use crate::values::MatterId;
use crate::vault::{DataKey, Place};

/// Which request: whose, for what, under which key.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// Who asked.
    pub actor: &'a str,
    /// For what.
    pub operation: &'a str,
    /// The keyed digest of the `Idempotency-Key`.
    pub digest: &'a [u8; 32],
}

/// A first answer.
#[derive(Debug, Clone)]
pub struct FirstAnswer {
    /// Keyed digest of the body that was sent.
    pub body_digest: Vec<u8>,
    /// The HTTP status.
    pub status: i16,
    /// The version of what was made.
    pub etag: Option<String>,
    /// Where what was made is.
    pub location: Option<String>,
    /// The answer's body.
    pub body: String,
}

struct TryLock;
impl Text for TryLock {
    const GIVEN: &'static str = "key";
    const SQL: &'static str = " select pg_try_advisory_xact_lock(key) from given";
    type Row = sql::Bool;
}

/// The first answer under `key`, if there was one. From here on, the key is held until the transaction ends.
pub async fn find(tx: &mut Tx, register: &DataKey, key: &Key<'_>) -> Result<Option<FirstAnswer>> {
    let lock = i64::from_be_bytes(key.digest.first_chunk().copied().unwrap_or_default());
    let free: bool = tx
        .ask(async |mut conn| {
            Fixed::with(TryLock, (lock.into_sql::<sql::BigInt>(),)).get_result(&mut conn).await
        })
        .await?;
    if !free {
        return Err(Error::new(Kind::StillRunning, "a request with this Idempotency-Key is still running"));
    }
    let row: Option<Row> = tx
        .ask(async |mut conn| {
            kept::table
                .filter(kept::actor.eq(key.actor))
                .filter(kept::operation.eq(key.operation))
                .filter(kept::key_digest.eq(&key.digest[..]))
                .select((kept::body_digest, kept::status, kept::etag, kept::location, kept::body_sealed))
                .first(&mut conn)
                .await
                .optional()
        })
        .await?;
    let Some((body_digest, status, etag, location, body)) = row else { return Ok(None) };
    let body = body.ok_or_else(|| Error::unavailable(2).because("a first answer is not sealed yet"))?;
    let body = register.open_text(key.place(), &body)?;
    Ok(Some(FirstAnswer { body_digest, status, etag, location, body }))
}

type Row = (Vec<u8>, i16, Option<String>, Option<String>, Option<Vec<u8>>);

impl Key<'_> {
    /// Where the body of the answer stands.
    fn place(&self) -> Place {
        let row = self.digest.first_chunk::<16>().copied().unwrap_or_default();
        Place::new("idempotency_keys", "body", uuid::Uuid::from_bytes(row))
    }
}

/// Keeps `answer`; whoever is walled from `matter` later does not get it again.
pub async fn keep(
    tx: &mut Tx,
    register: &DataKey,
    key: &Key<'_>,
    answer: FirstAnswer,
    matter: Option<MatterId>,
) -> Result<()> {
    let row = (
        kept::actor.eq(key.actor),
        kept::operation.eq(key.operation),
        kept::key_digest.eq(&key.digest[..]),
        kept::body_digest.eq(answer.body_digest),
        kept::status.eq(answer.status),
        kept::etag.eq(answer.etag),
        kept::location.eq(answer.location),
        kept::body_sealed.eq(register.seal(key.place(), answer.body.as_bytes())?),
        kept::matter_id.eq(matter.map(MatterId::uuid)),
        kept::created_at.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| diesel::insert_into(kept::table).values(row).execute(&mut conn).await,
        |error| match error {
            // There is a first answer, but it tells of a matter that this caller may no longer know of.
            diesel::result::Error::DatabaseError(diesel::result::DatabaseErrorKind::UniqueViolation, _) => {
                Error::not_found()
            }
            other => super::tx::refused(other),
        },
    )
    .await
    .map(|_| ())
}

/// Forgets first answers older than a day; how many.
pub async fn forget(tx: &mut Tx) -> Result<usize> {
    let limit = tx.now() - chrono::TimeDelta::days(1);
    tx.ask(async |mut conn| {
        diesel::delete(kept::table.filter(kept::created_at.lt(limit))).execute(&mut conn).await
    })
    .await
}
