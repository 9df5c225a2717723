//! `temwen migrate`: brings a database to the schema that this program knows.

use super::opened::{Opened, Private, given, seal_clear_text};
use super::{Failed, say};
use crate::config::Database;
use crate::db::migrate;

pub(super) async fn run(database: &Database) -> Result<(), Failed> {
    let run = if let Some(connect) = given(database)? {
        let owner = crate::db::Connect { as_owner: true, ..connect };
        let run = migrate::run(&owner).await?;
        seal_clear_text(database, &owner).await?;
        run
    } else {
        let private = Private::start(database, 0).await?;
        let run = private.prepare().await;
        let run = match run {
            Ok(run) => seal_clear_text(database, &private.owner()).await.map(|()| run),
            failed => failed,
        };
        Opened::stop(Some(private)).await?;
        run?
    };
    match run.as_slice() {
        [] => say("The database is up to date: nothing is pending."),
        run => say(&format!("Ran {} migrations:\n  {}", run.len(), run.join("\n  "))),
    }
}
