//! What was stored in the clear before there was a vault: sealed once, a few rows at a time.
//!
//! It can be interrupted, and several servers may do it at once: each row is moved in one transaction, with an entry, and a row that
//! is sealed is not touched again. When nothing is left it costs a look into each table.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use uuid::Uuid;

use super::Db;
use super::data_keys;
use super::pool::Connect;
use super::tx::{Caller, Tx, refused};
use crate::audit::{Event, What};
use crate::error::{Error, Kind, Result};
use crate::progress::{Counted, Progress};
use crate::vault::{DataKey, Place};

/// How many rows a transaction seals.
const BATCH: i64 = 100;

/// A table with columns in the clear.
struct Table {
    name: &'static str,
    /// The row, as the place of a sealed value names it.
    row: &'static str,
    /// Which data key seals it.
    key: &'static str,
    /// What tells a row from the others, as a condition on the alias `t` with the answer `w` of the same query.
    same: &'static str,
    /// What else tells a row from the others.
    also: &'static str,
    /// The columns, and each as bytes.
    columns: &'static [(&'static str, &'static str)],
}

/// Each table, and what of it is sealed.
const TABLES: [Table; 7] = [
    Table {
        name: "submissions",
        row: "t.complaint_id",
        key: "t.complaint_id",
        same: "t.complaint_id = $1",
        also: "null::uuid",
        columns: &[
            ("narrative", "convert_to(t.narrative, 'UTF8')"),
            ("particulars", "convert_to(t.particulars, 'UTF8')"),
            ("identities", "convert_to(t.identities, 'UTF8')"),
            ("salt", "t.salt"),
        ],
    },
    Table {
        name: "messages",
        row: "t.id",
        key: "t.complaint_id",
        same: "t.id = $1",
        also: "null::uuid",
        columns: &[("text", "convert_to(t.text, 'UTF8')")],
    },
    Table {
        name: "notes",
        row: "t.id",
        key: "(select c.matter_id from cases c where c.id = t.case_id)",
        same: "t.id = $1",
        also: "null::uuid",
        columns: &[("text", "convert_to(t.text, 'UTF8')")],
    },
    Table {
        name: "proposals",
        row: "t.id",
        key: "t.matter_id",
        same: "t.id = $1",
        also: "null::uuid",
        columns: &[
            ("reason", "convert_to(t.reason, 'UTF8')"),
            ("decision_reason", "convert_to(t.decision_reason, 'UTF8')"),
        ],
    },
    Table {
        name: "deadline_pauses",
        row: "t.id",
        key: "(select d.matter_id from deadlines d where d.id = t.deadline_id)",
        same: "t.id = $1",
        also: "null::uuid",
        columns: &[("reason", "convert_to(t.reason, 'UTF8')")],
    },
    Table {
        name: "walls",
        row: "t.user_id",
        key: "t.matter_id",
        same: "t.user_id = $1 and t.matter_id = $2",
        also: "t.matter_id",
        columns: &[("reason", "convert_to(t.reason, 'UTF8')")],
    },
    Table {
        name: "idempotency_keys",
        row: "encode(substr(t.key_digest, 1, 16), 'hex')::uuid",
        key: "'00000000-0000-0000-0000-000000000000'::uuid",
        same: "encode(substr(t.key_digest, 1, 16), 'hex')::uuid = $1",
        also: "null::uuid",
        columns: &[("body", "convert_to(t.body, 'UTF8')")],
    },
];

/// What allegations told in the clear, as one text.
const TOLD: Table = Table {
    name: "allegations",
    row: "t.id",
    key: "(select c.matter_id from cases c where c.id = t.case_id)",
    same: "t.id = $1",
    also: "null::uuid",
    columns: &[(
        "told",
        "convert_to(json_build_object('reported_as', t.reported_as, 'subject_ref', t.subject_ref, 'subject_unit', t.subject_unit, \
             'subject_rank', t.subject_rank, 'finding', t.finding, 'discipline', t.discipline)::text, 'UTF8')",
    )],
};

impl Table {
    fn in_the_clear(&self) -> &'static str {
        match self.name {
            "allegations" => {
                "coalesce(t.reported_as, t.subject_ref, t.subject_unit, t.subject_rank, t.finding, t.discipline) is not null"
            }
            "submissions" => "t.narrative is not null",
            "messages" | "notes" => "t.text is not null",
            "idempotency_keys" => "t.body is not null",
            _ => "t.reason is not null",
        }
    }

    fn select(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(_, bytes)| *bytes).collect();
        format!(
            "select {} as place, {} as also, {} as key, array[{}]::bytea[] as texts from {} t where {} limit {BATCH} for update of t skip locked",
            self.row,
            self.also,
            self.key,
            columns.join(", "),
            self.name,
            self.in_the_clear()
        )
    }

    fn update(&self) -> String {
        let set: Vec<String> = if self.name == "allegations" {
            vec![
                "reported_as = null, subject_ref = null, subject_unit = null, subject_rank = null, finding = null, discipline = null"
                    .to_owned(),
                "told_sealed = ($3::bytea[])[1]".to_owned(),
            ]
        } else {
            let move_over = |((column, _), place): (&(&str, &str), usize)| {
                format!("{column} = null, {column}_sealed = ($3::bytea[])[{place}]")
            };
            self.columns.iter().zip(1..).map(move_over).collect()
        };
        format!(
            "update {} t set {} where {} and ($2::uuid is null or true)",
            self.name,
            set.join(", "),
            self.same
        )
    }
}

#[derive(QueryableByName)]
struct Clear {
    #[diesel(sql_type = sql::Uuid)]
    place: Uuid,
    #[diesel(sql_type = sql::Nullable<sql::Uuid>)]
    also: Option<Uuid>,
    #[diesel(sql_type = sql::Uuid)]
    key: Uuid,
    #[diesel(sql_type = sql::Array<sql::Nullable<sql::Binary>>)]
    texts: Vec<Option<Vec<u8>>>,
}

/// Seals what is in the clear, as `owner` of the tables, and shows progress where that takes long; how many rows.
pub async fn seal(db: &Db, register: &DataKey, owner: &Connect) -> Result<usize> {
    let caller = Caller::system("vault");
    let mut sealed = 0;
    let mut progress = Progress::on_standard_error();
    loop {
        let made = make_keys(db, &caller).await?;
        sealed += made;
        if made == 0 {
            break;
        }
        tell(&mut progress, sealed);
    }
    for table in TABLES.iter().chain([&TOLD]) {
        loop {
            let some = seal_some(db, &caller, register, table).await?;
            sealed += some;
            if some == 0 {
                break;
            }
            tell(&mut progress, sealed);
        }
    }
    if sealed > 0 {
        // What was in the clear is still in the tables' files until they are written anew.
        let mut conn = owner.open().await?;
        for table in TABLES.iter().chain([&TOLD]) {
            conn.batch_execute(&format!("vacuum full {}", table.name)).await.map_err(refused)?;
        }
    }
    progress.end();
    Ok(sealed)
}

fn tell(progress: &mut Progress, done: usize) {
    let done = u64::try_from(done).unwrap_or(u64::MAX);
    let what = "keys and texts sealed";
    progress.show(Counted::Things, (done, done), || what.to_owned(), || format!("{what}: {done}"));
}

/// Nothing was there to do, so nothing is recorded and the transaction is given up.
fn nothing() -> Error {
    Error::new(Kind::NotFound, "nothing is left in the clear")
}

fn counted(done: Result<usize>) -> Result<usize> {
    match done {
        Err(error) if error.kind() == Kind::NotFound => Ok(0),
        done => done,
    }
}

/// Makes data keys for complaints of before there were any; how many.
async fn make_keys(db: &Db, caller: &Caller) -> Result<usize> {
    #[derive(QueryableByName)]
    struct Without {
        #[diesel(sql_type = sql::Uuid)]
        id: Uuid,
        #[diesel(sql_type = sql::Uuid)]
        matter_id: Uuid,
    }
    let work = async |tx: &mut Tx| {
        let without: Vec<Without> = tx
            .ask(async |mut conn| {
                diesel::sql_query(format!(
                    "select c.id, c.matter_id from complaints c \
                     where not exists (select from data_keys k where k.id = c.id) limit {BATCH} for update of c skip locked"
                ))
                .load(&mut conn)
                .await
            })
            .await?;
        let mut made = 0;
        for Without { id, matter_id } in without {
            let (_, wrapped) = tx.vault().make_key(id)?;
            let now = tx.now();
            if tx.ask(async |conn| data_keys::insert(conn, &wrapped, Some(matter_id), now).await).await? {
                made += 1;
            }
        }
        record(tx, "data_keys", made)
    };
    counted(db.write(caller, "vault.make_keys", work).await)
}

fn record(tx: &mut Tx, table: &'static str, rows: usize) -> Result<usize> {
    if rows == 0 {
        return Err(nothing());
    }
    let count = i64::try_from(rows).unwrap_or(i64::MAX);
    tx.record(Event::register(What::ClearTextSealed).with("table", table).with("rows", count));
    Ok(rows)
}

async fn seal_some(db: &Db, caller: &Caller, register: &DataKey, table: &Table) -> Result<usize> {
    let work = async |tx: &mut Tx| {
        let rows: Vec<Clear> =
            tx.ask(async |mut conn| diesel::sql_query(table.select()).load(&mut conn).await).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.key).collect();
        let wrapped = tx.ask(async |conn| data_keys::find(conn, &ids).await).await?;
        for row in &rows {
            let key = if row.key == data_keys::REGISTER {
                register.clone()
            } else {
                let wrapped = wrapped.iter().find(|key| key.id == row.key);
                let wrapped = wrapped.ok_or_else(|| Error::internal("a row in the clear has no data key"))?;
                tx.vault().unwrap(wrapped)?
            };
            let mut sealed = Vec::new();
            for ((column, _), clear) in table.columns.iter().zip(&row.texts) {
                let place = Place::new(table.name, column, row.place);
                sealed.push(clear.as_ref().map(|clear| key.seal(place, clear)).transpose()?);
            }
            let (id, also) = (row.place, row.also);
            tx.ask(async |mut conn| update(&mut conn, table, id, also, sealed).await).await?;
        }
        record(tx, table.name, rows.len())
    };
    counted(db.write(caller, "vault.seal", work).await)
}

async fn update(
    conn: &mut &AsyncPgConnection,
    table: &Table,
    id: Uuid,
    also: Option<Uuid>,
    sealed: Vec<Option<Vec<u8>>>,
) -> QueryResult<usize> {
    diesel::sql_query(table.update())
        .bind::<sql::Uuid, _>(id)
        .bind::<sql::Nullable<sql::Uuid>, _>(also)
        .bind::<sql::Array<sql::Nullable<sql::Binary>>, _>(sealed)
        .execute(conn)
        .await
}
