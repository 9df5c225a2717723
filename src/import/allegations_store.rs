//! SQL of taking allegations over.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::allegation_row::Content;
use super::store::{Ids, MaybeTexts, Texts, taken, use_indexes};
use crate::auth::Role;
use crate::cases::Told;
use crate::db::Tx;
use crate::db::data_keys::{self, Keys};
use crate::db::statement::{Fixed, Text};
use crate::error::{Error, Result};
use crate::values::{AllegationId, CaseId, MatterId};
use crate::vault::{Vault, WrappedKey};

/// A case that was taken over.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) external_ref: String,
    pub(super) case: CaseId,
    pub(super) matter: MatterId,
    pub(super) category: String,
    pub(super) flags: Vec<String>,
}

struct CasesThere;
impl Text for CasesThere {
    const GIVEN: &'static str = "refs";
    const SQL: &'static str = " select c.external_ref, c.id, c.matter_id, c.category, c.flags from cases c \
         where c.external_ref = any ((select refs from given)::text[])";
    type Row = (sql::Nullable<sql::Text>, sql::Uuid, sql::Uuid, sql::Text, Texts);
}

struct AllegationsThere;
impl Text for AllegationsThere {
    const GIVEN: &'static str = "refs";
    const SQL: &'static str = " select a.case_id, a.position, a.type, a.category, a.outcome, a.id, a.told_sealed, \
             k.id, k.master, k.wrapped \
         from cases c join allegations a on a.case_id = c.id join data_keys k on k.id = c.matter_id where c.external_ref = any ((select refs from given)::text[])";
    type Row = (
        sql::Uuid,
        sql::Integer,
        sql::Nullable<sql::Text>,
        sql::Text,
        sql::Nullable<sql::Text>,
        sql::Uuid,
        sql::Nullable<sql::Binary>,
        sql::Uuid,
        sql::Text,
        sql::Nullable<sql::Binary>,
    );
}

type Maybe = Option<String>;
type Bytes = Option<Vec<u8>>;
type AllegationRow = (CaseId, i32, Maybe, String, Maybe, AllegationId, Bytes, Uuid, String, Bytes);

/// An allegation that is there already, sealed.
pub(super) struct There {
    pub(super) case: CaseId,
    pub(super) position: i32,
    kind: Maybe,
    category: String,
    outcome: Maybe,
    id: AllegationId,
    told: Bytes,
    key: WrappedKey,
}

impl There {
    /// What it says.
    pub(super) fn open(&self, vault: &Vault) -> Result<Content> {
        let keys = Keys::new(vault, [self.key.clone()]);
        Ok(Content {
            position: self.position,
            kind: self.kind.clone(),
            category: self.category.clone(),
            outcome: self.outcome.clone(),
            told: Told::open(&keys, self.id, self.told.as_deref())?,
        })
    }
}

/// The cases of these references, and the allegations that they have.
pub(super) async fn cases_there(
    conn: &AsyncPgConnection,
    refs: &[&str],
) -> QueryResult<(Vec<Known>, Vec<There>)> {
    let (mut one, mut two) = (conn, conn);
    let binds = || (refs.to_vec().into_sql::<Texts>(),);
    let (indexes, cases, allegations) = futures_util::join!(
        use_indexes(conn),
        Fixed::with(CasesThere, binds())
            .load::<(Option<String>, CaseId, MatterId, String, Vec<String>)>(&mut one),
        Fixed::with(AllegationsThere, binds()).load::<AllegationRow>(&mut two)
    );
    indexes?;
    let known = |(external_ref, case, matter, category, flags): (Option<String>, _, _, _, _)| {
        external_ref.map(|external_ref| Known { external_ref, case, matter, category, flags })
    };
    let there = |(case, position, kind, category, outcome, id, told, key, master, wrapped)| There {
        case,
        position,
        kind,
        category,
        outcome,
        id,
        told,
        key: WrappedKey { id: key, master, wrapped },
    };
    Ok((cases?.into_iter().filter_map(known).collect(), allegations?.into_iter().map(there).collect()))
}

struct InsertAllegations;
impl Text for InsertAllegations {
    const GIVEN: &'static str = "ids, cases, positions, kinds, categories, outcomes, tolds";
    const SQL: &'static str = " insert into allegations (id, case_id, position, type, category, outcome, told_sealed) \
         select each.* from given, unnest(ids, cases, positions, kinds, categories, outcomes, tolds) as each";
    type Row = ();
}

struct TouchCases;
impl Text for TouchCases {
    const GIVEN: &'static str = "at, ids";
    const SQL: &'static str = " update cases set updated_at = e.at, version = version + 1 \
         from (select given.at, each.id from given, unnest(ids) as each (id)) e where cases.id = e.id";
    type Row = ();
}

struct RaiseCases;
impl Text for RaiseCases {
    const GIVEN: &'static str = "ids, categories, marks, owners";
    const SQL: &'static str = " update cases set category = e.category, flags = string_to_array(e.marks, ','), owner_role = e.owner \
         from (select each.* from given, unnest(ids, categories, marks, owners) as each (id, category, marks, owner)) e \
         where cases.id = e.id";
    type Row = ();
}

struct RaiseComplaints;
impl Text for RaiseComplaints {
    const GIVEN: &'static str = "ids, categories, marks, owners";
    const SQL: &'static str = " update complaints set category = e.category, flags = string_to_array(e.marks, ','), owner_role = e.owner, \
             version = version + 1 \
         from (select each.* from given, unnest(ids, categories, marks, owners) as each (id, category, marks, owner)) e \
         where complaints.case_id = e.id";
    type Row = ();
}

/// A case that its allegations make graver than it was taken for.
pub(super) struct Raised {
    pub(super) case: CaseId,
    pub(super) category: String,
    pub(super) flags: Vec<String>,
    pub(super) owner_role: Role,
}

/// Stores allegations of the cases `touched`, and what they make of the cases.
pub(super) async fn insert_allegations(
    tx: &mut Tx,
    new: &[(&Known, &Content)],
    touched: &[CaseId],
    raised: &[Raised],
) -> Result<()> {
    let now = tx.now();
    let maybe = |of: fn(&Content) -> &Maybe| new.iter().map(|(_, c)| of(c).clone()).collect::<Vec<_>>();
    let matters: Vec<Uuid> = new.iter().map(|(known, _)| known.matter.uuid()).collect();
    let wrapped = tx.ask(async |conn| data_keys::find(conn, &matters).await).await?;
    let mut keys = HashMap::new();
    for wrapped in wrapped {
        keys.insert(wrapped.id, tx.vault().unwrap(&wrapped)?);
    }
    let (mut ids, mut tolds) = (Vec::new(), Vec::new());
    for (known, content) in new {
        let id = AllegationId::new();
        let key = keys.get(&known.matter.uuid());
        let key = key.ok_or_else(|| Error::internal("a case that was taken over has no data key"))?;
        ids.push(id);
        tolds.push(content.told.seal(key, id)?);
    }
    let allegations = (
        ids.into_sql::<Ids>(),
        new.iter().map(|(known, _)| known.case).collect::<Vec<_>>().into_sql::<Ids>(),
        new.iter().map(|(_, c)| c.position).collect::<Vec<_>>().into_sql::<sql::Array<sql::Integer>>(),
        maybe(|c| &c.kind).into_sql::<MaybeTexts>(),
        new.iter().map(|(_, c)| c.category.clone()).collect::<Vec<_>>().into_sql::<Texts>(),
        maybe(|c| &c.outcome).into_sql::<MaybeTexts>(),
        tolds.into_sql::<sql::Array<sql::Nullable<sql::Binary>>>(),
    );
    let touch = (now.into_sql::<sql::Timestamptz>(), touched.to_vec().into_sql::<Ids>());
    let raise = || {
        (
            raised.iter().map(|r| r.case).collect::<Vec<_>>().into_sql::<Ids>(),
            raised.iter().map(|r| r.category.clone()).collect::<Vec<_>>().into_sql::<Texts>(),
            raised.iter().map(|r| r.flags.join(",")).collect::<Vec<_>>().into_sql::<Texts>(),
            raised.iter().map(|r| r.owner_role.as_str()).collect::<Vec<_>>().into_sql::<Texts>(),
        )
    };
    let (cases, complaints) = (raise(), raise());
    let (stored, changed) = tx
        .ask_for(
            async |conn| {
                let (mut one, mut two, mut three, mut four) = (conn, conn, conn, conn);
                let (indexes, stored, changed) = futures_util::join!(
                    use_indexes(conn),
                    Fixed::with(InsertAllegations, allegations).execute(&mut one),
                    Fixed::with(TouchCases, touch).execute(&mut two)
                );
                indexes?;
                if !raised.is_empty() {
                    Fixed::with(RaiseCases, cases).execute(&mut three).await?;
                    Fixed::with(RaiseComplaints, complaints).execute(&mut four).await?;
                }
                Ok((stored?, changed?))
            },
            taken,
        )
        .await?;
    if stored == new.len() && changed == touched.len() {
        Ok(())
    } else {
        Err(Error::internal("not every allegation of a batch was stored"))
    }
}
