//! SQL of the verification: triggers and functions.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::RunQueryDsl;

use super::verify_store::{Asked, View};

/// A trigger.
#[derive(Debug, QueryableByName)]
pub(super) struct Trigger {
    #[diesel(sql_type = sql::Text)]
    pub(super) tab: String,
    #[diesel(sql_type = sql::Text)]
    pub(super) name: String,
    /// When it fires: O(rigin), A(lways), R(eplica), D(isabled).
    #[diesel(sql_type = sql::Text)]
    pub(super) enabled: String,
    /// What it does and when, told without anything that depends on a setting.
    #[diesel(sql_type = sql::Text)]
    pub(super) does: String,
}

/// Every trigger of the register's tables, but those that keep foreign keys.
pub(super) async fn triggers(mut conn: &View) -> Asked<Vec<Trigger>> {
    diesel::sql_query(
        "select c.relname::text as tab, t.tgname::text as name, t.tgenabled::text as enabled, \
             concat_ws(' ', t.tgtype, n.nspname, p.proname, coalesce(t.tgoldtable, '-'), coalesce(t.tgnewtable, '-'), \
                 t.tgattr::text, coalesce(t.tgqual::text, '-'), encode(t.tgargs, 'hex')) as does \
         from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid \
             join pg_namespace n on n.oid = p.pronamespace \
         where c.relnamespace = 'public'::regnamespace \
             and not (t.tgisinternal and n.nspname = 'pg_catalog' and p.proname like 'RI\\_FKey\\_%') \
         order by c.relname collate \"C\", t.tgname collate \"C\"",
    )
    .load(&mut conn)
    .await
}

/// A function.
#[derive(Debug, QueryableByName)]
pub(super) struct Function {
    /// Its schema.
    #[diesel(sql_type = sql::Text)]
    pub(super) schema: String,
    /// Its name.
    #[diesel(sql_type = sql::Text)]
    pub(super) name: String,
    /// The types of what it is given.
    #[diesel(sql_type = sql::Text)]
    pub(super) given: String,
    /// All that makes it what it is.
    #[diesel(sql_type = sql::Text)]
    pub(super) body: String,
}

/// Every function that is not PostgreSQL's own or an extension's.
pub(super) async fn functions(mut conn: &View) -> Asked<Vec<Function>> {
    diesel::sql_query(
        "select n.nspname::text as schema, p.proname::text as name, \
             array_to_string(array(select y.typname::text from unnest(p.proargtypes) with ordinality as a (type, n) \
                 join pg_type y on y.oid = a.type order by a.n), ',') as given, \
             concat_ws(' ', l.lanname, p.prokind, p.provolatile, p.prosecdef, p.proisstrict, p.proconfig::text, p.prosrc) as body \
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang \
         where n.nspname not in ('pg_catalog', 'information_schema') \
             and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e') \
         order by n.nspname collate \"C\", p.proname collate \"C\", p.oid",
    )
    .load(&mut conn)
    .await
}
