//! Migrations: run by `temwen migrate`, or by `serve` on its own private Postgres.

use std::fmt;

use diesel::QueryResult;
use diesel::migration::MigrationSource;
use diesel::sql_types as sql;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::pool::Connect;
use super::statement::{Bare, Text};
use crate::{Error, Result};

/// The migrations, embedded in the binary.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Only one process migrates at a time.
const LOCK: &str = "select pg_advisory_lock(8394120)";

struct Applied;
impl Text for Applied {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "select version::text from __diesel_schema_migrations";
    type Row = sql::Text;
}

/// How a database's schema differs from the one that this build knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Some migrations are pending.
    Older(usize),
    /// Somebody migrated further.
    Newer(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older(pending) => write!(
                f,
                "the database is older than this temwen: {pending} migrations are pending; run `temwen migrate` first"
            ),
            Self::Newer(version) => write!(
                f,
                "the database is newer than this temwen: it has migration {version}, which this build does not know; \
                 run the temwen that migrated it, or a later one"
            ),
        }
    }
}

/// The versions of the embedded migrations, oldest first.
pub fn known() -> Result<Vec<String>> {
    let migrations = MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS).map_err(Error::internal)?;
    let mut versions: Vec<String> = migrations.iter().map(|each| each.name().version().to_string()).collect();
    versions.sort();
    Ok(versions)
}

/// The versions that a database has.
pub(super) async fn applied(mut conn: &AsyncPgConnection) -> QueryResult<Vec<String>> {
    Bare::new(Applied).load(&mut conn).await
}

/// Whether the versions `found` in a database are those that this build knows.
pub fn compare(found: &[String]) -> std::result::Result<(), Difference> {
    let known = known().unwrap_or_default();
    if let Some(version) = found.iter().filter(|version| !known.contains(version)).max() {
        return Err(Difference::Newer(version.clone()));
    }
    match known.iter().filter(|version| !found.contains(version)).count() {
        0 => Ok(()),
        pending => Err(Difference::Older(pending)),
    }
}

/// How the database differs from what this build knows; an empty database is older.
pub async fn check(connect: &Connect) -> Result<std::result::Result<(), Difference>> {
    let conn = connect.open().await?;
    match applied(&conn).await {
        Ok(found) => Ok(compare(&found)),
        Err(diesel::result::Error::DatabaseError(_, info)) if info.message().contains("does not exist") => {
            Ok(compare(&[]))
        }
        Err(error) => Err(super::tx::refused(error)),
    }
}

/// Brings the database to what this build knows; the names of what was run.
///
/// A database that is newer is refused: going back would lose what it holds.
pub async fn run(connect: &Connect) -> Result<Vec<String>> {
    if let Err(newer @ Difference::Newer(_)) = check(connect).await? {
        return Err(Error::new(crate::error::Kind::WrongMoment, newer.to_string()));
    }
    let mut conn = connect.open().await?;
    // Taken before looking, so that whoever comes second finds the work done.
    conn.batch_execute(LOCK).await.map_err(super::tx::refused)?;
    tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(conn);
        let run = harness.run_pending_migrations(MIGRATIONS)?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(run.iter().map(ToString::to_string).collect())
    })
    .await
    .map_err(Error::internal)?
    .map_err(Error::internal)
}
