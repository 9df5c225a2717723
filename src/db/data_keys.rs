//! Data keys as they are stored: wrapped, one for each matter, and one of the register itself.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::data_keys;
use super::statement::{Fixed, Text};
use super::tx::{Caller, Tx};
use super::{Db, master_keys};
use crate::audit::{Event, What};
use crate::error::{Error, Kind, Result};
use crate::values::CaseId;
use crate::vault::{DataKey, Fault, Place, Vault, WrappedKey, key_id};

/// The id of the register's own key: for what belongs to no matter, and for marks that are compared across matters.
pub const REGISTER: Uuid = Uuid::nil();

type Row = (Uuid, String, Option<Vec<u8>>);

fn wrapped((id, master, wrapped): Row) -> WrappedKey {
    WrappedKey { id, master, wrapped }
}

/// The data keys of these ids that whoever acts may have.
pub async fn find(mut conn: &AsyncPgConnection, ids: &[Uuid]) -> QueryResult<Vec<WrappedKey>> {
    let rows: Vec<Row> = data_keys::table
        .filter(data_keys::id.eq_any(ids))
        .select((data_keys::id, data_keys::master, data_keys::wrapped))
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().map(wrapped).collect())
}

/// The data key of this id, if whoever acts may have it.
pub async fn one(mut conn: &AsyncPgConnection, id: Uuid) -> QueryResult<Option<WrappedKey>> {
    let row: Option<Row> = data_keys::table
        .find(id)
        .select((data_keys::id, data_keys::master, data_keys::wrapped))
        .first(&mut conn)
        .await
        .optional()?;
    Ok(row.map(wrapped))
}

/// When the data key of this id was destroyed, and with it what it sealed; `None` while it is there.
pub async fn destroyed_at(mut conn: &AsyncPgConnection, id: Uuid) -> QueryResult<Option<DateTime<Utc>>> {
    let found =
        data_keys::table.find(id).select(data_keys::destroyed_at).first(&mut conn).await.optional()?;
    Ok(found.flatten())
}

struct OfCase;
impl Text for OfCase {
    const GIVEN: &'static str = "of_case";
    const SQL: &'static str = " select k.id, k.master, k.wrapped from given, cases c join data_keys k on k.id = c.matter_id where c.id = of_case";
    type Row = (sql::Uuid, sql::Text, sql::Nullable<sql::Binary>);
}

/// The data key of a case, if whoever acts may know of it.
pub async fn of_case(mut conn: &AsyncPgConnection, case: CaseId) -> QueryResult<Option<WrappedKey>> {
    let row: Option<Row> =
        Fixed::with(OfCase, (case.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await.optional()?;
    Ok(row.map(wrapped))
}

struct Insert;
impl Text for Insert {
    const GIVEN: &'static str = "id, matter_id, master, wrapped, made_at";
    const SQL: &'static str = " insert into data_keys (id, matter_id, master, wrapped, made_at) \
         select id, matter_id, master, wrapped, made_at from given on conflict (id) do nothing returning id";
    type Row = sql::Uuid;
}

/// Stores a data key that seals what belongs to `matter`; whether there was none of its id yet.
pub async fn insert(
    mut conn: &AsyncPgConnection,
    key: &WrappedKey,
    matter: Option<Uuid>,
    at: DateTime<Utc>,
) -> QueryResult<bool> {
    let binds = (
        key.id.into_sql::<sql::Uuid>(),
        matter.into_sql::<sql::Nullable<sql::Uuid>>(),
        key.master.as_str().into_sql::<sql::Text>(),
        key.wrapped.as_deref().into_sql::<sql::Nullable<sql::Binary>>(),
        at.into_sql::<sql::Timestamptz>(),
    );
    let id: Option<Uuid> = Fixed::with(Insert, binds).get_result(&mut conn).await.optional()?;
    Ok(id.is_some())
}

/// The data key of a complaint belongs to another matter from now on, because the complaint does.
pub async fn follow(tx: &mut Tx, id: Uuid, matter: Uuid) -> Result<()> {
    tx.ask(async |mut conn| {
        diesel::update(data_keys::table.find(id).filter(data_keys::matter_id.is_distinct_from(matter)))
            .set(data_keys::matter_id.eq(matter))
            .execute(&mut conn)
            .await
    })
    .await
    .map(|_| ())
}

/// Data keys at hand, to open what was read together with them.
#[derive(Debug)]
pub struct Keys {
    vault: Vault,
    wrapped: Vec<WrappedKey>,
}

impl Keys {
    /// These keys, as they were read.
    pub fn new(vault: &Vault, wrapped: impl IntoIterator<Item = WrappedKey>) -> Self {
        Self { vault: vault.clone(), wrapped: wrapped.into_iter().collect() }
    }

    /// The text that stands in a place; `None` if it was erased.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] for what still has to be sealed, which takes a moment after an update of the program.
    pub fn text(&self, place: Place, sealed: Option<&[u8]>) -> Result<Option<String>> {
        let sealed = sealed.ok_or_else(|| Error::unavailable(2).because("a row is not sealed yet"))?;
        let id = key_id(sealed).ok_or(Fault::Broken(place.table))?;
        let key = self.wrapped.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| Error::internal(format!("the data key {id} is not at hand")))?;
        match self.vault.unwrap(key) {
            Ok(key) => Ok(Some(key.open_text(place, sealed)?)),
            Err(Fault::Erased(_)) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Like [`Keys::text`], for what is not always there.
    pub fn some_text(&self, place: Place, sealed: Option<&[u8]>) -> Result<Option<String>> {
        sealed.map_or(Ok(None), |sealed| self.text(place, Some(sealed)))
    }
}

impl Tx {
    /// The keys that these values were sealed with.
    pub async fn keys_of<'s>(&mut self, sealed: impl IntoIterator<Item = Option<&'s [u8]>>) -> Result<Keys> {
        let mut ids: Vec<Uuid> = sealed.into_iter().filter_map(|sealed| key_id(sealed?)).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = self.ask(async |conn| find(conn, &ids).await).await?;
        Ok(Keys::new(self.vault(), found))
    }

    /// The data key that seals what belongs to a matter: that of the complaint it began with.
    ///
    /// # Errors
    /// [`Kind::Erased`] when it was destroyed.
    pub async fn data_key(&mut self, matter: impl Into<Uuid>) -> Result<DataKey> {
        let id = matter.into();
        let found = self.ask(async |conn| one(conn, id).await).await?;
        let wrapped = found.ok_or_else(|| Error::internal(format!("the matter {id} has no data key")))?;
        Ok(self.vault().unwrap(&wrapped)?)
    }
}

/// The register's own key; made when there is none.
pub async fn register(db: &Db) -> Result<DataKey> {
    let system = Caller::system("vault");
    let active = db.vault().ring().active().id().to_string();
    master_keys::know(db, &active).await?;
    for _ in 0..2 {
        if let Some(found) = db.read(&system, async |conn| one(conn, REGISTER).await).await? {
            return Ok(db.vault().unwrap(&found)?);
        }
        let (_, wrapped) = db.vault().make_key(REGISTER)?;
        let made = db
            .write(&system, "vault.register", async |tx| {
                let now = tx.now();
                if !tx.ask(async |conn| insert(conn, &wrapped, None, now).await).await? {
                    return Err(Error::new(Kind::Exists, "another server was first"));
                }
                tx.record(Event::register(What::RegisterKeyMade));
                Ok(())
            })
            .await;
        match made {
            Err(error) if error.kind() != Kind::Exists => return Err(error),
            _ => {}
        }
    }
    Err(Error::internal("the register's key was made and cannot be found"))
}
