//! What must be so before the server uses a database: it exists, it lets the server in, and the server is nobody there.
//!
//! Belongs here: making the database of the private cluster, and refusing a given one in which the wall would not hold.
//! Does not belong here: what is in it; see [`super::migrate`].

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use super::pool::Connect;
use crate::{Error, Result};

/// The same number as for migrations, in the database `postgres`: one process at a time makes the register's database.
const LOCK: &str = "select pg_advisory_lock(8394120)";

/// Why a given database cannot be served. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be reached, or lets us in under no role at all.
    #[error("the database that --database-url (DATABASE_URL) names cannot be used ({said})")]
    Unreachable {
        /// What was said, by the system, the library or Postgres; it holds no password.
        said: String,
    },
    /// It was never migrated.
    #[error(
        "the database has no role temwen_server yet, so it was never migrated: run `temwen migrate` first"
    )]
    NeverMigrated,
    /// The login role may not take on the server's role.
    #[error(
        "the role that the database's URL names may not act as temwen_server: \
         let the database's owner run `grant temwen_server to` that role"
    )]
    MayNotAct,
    /// The role could pass the wall.
    #[error(
        "the server would act as the role {role}, which {can}, so row security would hide nothing from it: \
         take that right away from it, or let `temwen migrate` make the role anew"
    )]
    PassesTheWall {
        /// The role.
        role: String,
        /// What it can.
        can: &'static str,
    },
}

/// Connects past the pool, so that what Postgres says is known by its code.
async fn connect(connect: &Connect) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = connect.config()?.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn unavailable(error: tokio_postgres::Error) -> Error {
    Error::unavailable(2).because(error)
}

/// Makes the database `name` unless it is there; `admin` connects to another one, as a superuser.
pub async fn create_database(admin: &Connect, name: &str) -> Result<bool> {
    let client = connect(admin).await.map_err(unavailable)?;
    let exists = "select exists (select from pg_database where datname = $1)";
    let is_there = |client: Client| async move {
        let row = client.query_one(exists, &[&name]).await.map_err(unavailable)?;
        Ok::<_, Error>((row.try_get::<_, bool>(0).map_err(unavailable)?, client))
    };
    let (there, client) = is_there(client).await?;
    if there {
        return Ok(false);
    }
    // Whoever comes second finds the work done.
    client.batch_execute(LOCK).await.map_err(unavailable)?;
    let (there, client) = is_there(client).await?;
    if !there {
        // `create database` takes no parameters; the name is ours, and quoted all the same.
        let statement = format!("create database \"{}\"", name.replace('"', "\"\""));
        client.batch_execute(&statement).await.map_err(unavailable)?;
    }
    Ok(!there)
}

/// Lets the server's role connect: in the private cluster, where only its own user gets to the socket.
pub async fn let_server_in(owner: &Connect) -> Result<()> {
    let client = connect(owner).await.map_err(unavailable)?;
    let may = "select rolcanlogin from pg_roles where rolname = 'temwen_server'";
    let may: Option<bool> = match client.query_opt(may, &[]).await.map_err(unavailable)? {
        Some(row) => Some(row.try_get(0).map_err(unavailable)?),
        None => None,
    };
    if may != Some(true) {
        client.batch_execute("alter role temwen_server login").await.map_err(unavailable)?;
    }
    Ok(())
}

/// Looks at a given database as the server would use it, and refuses one in which the wall would not hold.
pub async fn examine(server: &Connect) -> Result<(), Unfit> {
    let unreachable = |error: tokio_postgres::Error| {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
        Unfit::Unreachable { said: causes.map(ToString::to_string).collect::<Vec<_>>().join(": ") }
    };
    let client = connect(server).await.map_err(|error| match error.as_db_error() {
        Some(refused)
            if refused.message().contains("temwen_server")
                && refused.message().contains("does not exist") =>
        {
            Unfit::NeverMigrated
        }
        // The only role that is asked for at connection time.
        Some(refused)
            if *refused.code() == SqlState::INSUFFICIENT_PRIVILEGE
                && refused.message().contains("set role") =>
        {
            Unfit::MayNotAct
        }
        Some(refused)
            if *refused.code() == SqlState::INVALID_PARAMETER_VALUE
                && refused.message().contains("\"role\"") =>
        {
            Unfit::NeverMigrated
        }
        _ => unreachable(error),
    })?;
    let row = client
        .query_one(
            "select r.rolname::text, r.rolsuper, r.rolbypassrls, exists (
                 select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm') and pg_has_role(r.oid, c.relowner, 'usage'))
             from pg_roles r where r.rolname = current_user",
            &[],
        )
        .await
        .map_err(unreachable)?;
    let role: String = row.try_get(0).map_err(unreachable)?;
    for (column, can) in [
        (1, "is a superuser"),
        (2, "may bypass row security"),
        (3, "owns tables of the register, or may act as their owner"),
    ] {
        if row.try_get(column).map_err(unreachable)? {
            return Err(Unfit::PassesTheWall { role, can });
        }
    }
    Ok(())
}
