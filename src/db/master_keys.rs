//! The names of the master keys that data keys are wrapped by, and the wrapping anew.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Db;
use super::schema::{data_keys, master_keys};
use super::statement::{Bare, Fixed, Text};
use super::tx::{Caller, Tx, refused};
use crate::audit::{Event, MOST_CHANGES, What};
use crate::error::{Error, Kind, Result};
use crate::vault::WrappedKey;

fn caller() -> Caller {
    Caller::system("vault")
}

/// Makes a master key known, so that data keys may refer to it.
pub(crate) async fn know(db: &Db, id: &str) -> Result<()> {
    let known: i64 = db
        .read(&caller(), async |mut conn| master_keys::table.find(id).count().get_result(&mut conn).await)
        .await?;
    if known > 0 {
        return Ok(());
    }
    let add = async |tx: &mut Tx| {
        let row = (master_keys::id.eq(id), master_keys::known_since.eq(tx.now()));
        let added = tx
            .ask(async |mut conn| {
                diesel::insert_into(master_keys::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(&mut conn)
                    .await
            })
            .await?;
        if added == 0 {
            return Err(Error::new(Kind::Exists, "another server was first"));
        }
        tx.record(Event::register(What::MasterKeyAdded).with("key", id));
        Ok(())
    };
    match db.write(&caller(), "vault.know_master", add).await {
        Err(error) if error.kind() == Kind::Exists => Ok(()),
        added => added,
    }
}

/// Gives up a master key that wraps nothing any more.
///
/// # Errors
/// [`Kind::WrongMoment`] while something is wrapped by it, [`Kind::NotFound`] when it is not known.
pub(crate) async fn forget(db: &Db, id: &str) -> Result<()> {
    let forget = async |tx: &mut Tx| {
        let gone = tx
            .ask_for(
                async |mut conn| diesel::delete(master_keys::table.find(id)).execute(&mut conn).await,
                |error| match error {
                    DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
                        let why =
                            format!("data keys are still wrapped by {id}; run `temwen keys rotate` first");
                        Error::new(Kind::WrongMoment, why)
                    }
                    other => refused(other),
                },
            )
            .await?;
        if gone == 0 {
            return Err(Error::new(Kind::NotFound, format!("no master key is called {id}")));
        }
        tx.record(Event::register(What::MasterKeyRemoved).with("key", id));
        Ok(())
    };
    db.write(&caller(), "vault.forget_master", forget).await
}

struct Masters;
impl Text for Masters {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "select id from master_keys m where exists \
         (select from data_keys k where k.master = m.id and k.wrapped is not null) order by id";
    type Row = sql::Text;
}

/// The master keys that something is wrapped by.
pub(crate) async fn masters(mut conn: &AsyncPgConnection) -> QueryResult<Vec<String>> {
    Bare::new(Masters).load(&mut conn).await
}

/// The master keys, and how many data keys refer to each.
pub(crate) async fn counts(db: &Db) -> Result<Vec<(String, i64)>> {
    db.read(&caller(), async |mut conn| {
        data_keys::table
            .group_by(data_keys::master)
            .select((data_keys::master, diesel::dsl::count_star()))
            .order(data_keys::master)
            .load(&mut conn)
            .await
    })
    .await
}

struct Rewrap;
impl Text for Rewrap {
    const GIVEN: &'static str = "master, ids, wrappeds";
    const SQL: &'static str = " update data_keys k set master = given.master, wrapped = each.wrapped \
         from given, unnest(ids, wrappeds) as each (id, wrapped) where k.id = each.id";
    type Row = ();
}

/// Wraps some data keys by the active master key that others wrapped; how many, and 0 when none is left. A destroyed one only
/// changes what it refers to.
pub(crate) async fn rewrap_some(db: &Db) -> Result<usize> {
    let active = db.vault().ring().active().id().to_string();
    let most = i64::try_from(MOST_CHANGES).unwrap_or(100);
    let work = async |tx: &mut Tx| {
        let rows: Vec<(Uuid, String, Option<Vec<u8>>)> = tx
            .ask(async |mut conn| {
                data_keys::table
                    .filter(data_keys::master.ne(&active))
                    .limit(most)
                    .for_update()
                    .skip_locked()
                    .select((data_keys::id, data_keys::master, data_keys::wrapped))
                    .load(&mut conn)
                    .await
            })
            .await?;
        if rows.is_empty() {
            return Err(Error::new(Kind::NotFound, "nothing is left to wrap anew"));
        }
        let (mut ids, mut wrappeds) = (Vec::new(), Vec::new());
        for (id, master, wrapped) in rows {
            let whole = WrappedKey { id, master, wrapped };
            let again = match whole.wrapped {
                Some(_) => tx.vault().rewrap(&whole)?.wrapped,
                None => None,
            };
            ids.push(id);
            wrappeds.push(again);
        }
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let binds = (
            active.as_str().into_sql::<sql::Text>(),
            ids.into_sql::<sql::Array<sql::Uuid>>(),
            wrappeds.into_sql::<sql::Array<sql::Nullable<sql::Binary>>>(),
        );
        let done = tx.ask(async |mut conn| Fixed::with(Rewrap, binds).execute(&mut conn).await).await?;
        tx.record(Event::register(What::DataKeysRewrapped).with("key", active.as_str()).with("count", count));
        Ok(done)
    };
    match db.write(&caller(), "vault.rewrap", work).await {
        Err(error) if error.kind() == Kind::NotFound => Ok(0),
        done => done,
    }
}

/// One step of the background: master keys that were added or taken away are noticed, and the active one made known before
/// anything is wrapped by it. Whether there were any.
pub(crate) async fn follow_keyring(db: &Db) -> Result<usize> {
    let vault = db.vault().clone();
    let found = tokio::task::spawn_blocking(move || vault.look()).await.map_err(Error::internal)?;
    let found = found.map_err(Error::internal)?;
    if found.ids() == db.vault().ring().ids() {
        return Ok(0);
    }
    know(db, found.active().id().as_str()).await?;
    db.vault().take(found);
    Ok(1)
}
