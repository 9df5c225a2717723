//! `temwen keys`: the master keys of the vault, shown, rotated, and taken away.

use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::time::sleep;

use super::opened::{Opened, Use};
use super::{Failed, say};
use crate::config::Database;
use crate::db::master_keys;
use crate::error::Kind;
use crate::progress::{Counted, Progress};
use crate::temwen::Temwen;
use crate::vault::Vault;

/// How long running servers have to learn of a new master key before anything is wrapped by it: they look every two seconds.
const LEARNED: Duration = Duration::from_secs(5);

/// What to do with the master keys.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A master key wraps the data keys of complaints and cases; it never touches what they seal, so rotation is quick and servers run on. To \
replace a key: `temwen keys rotate`, and when it is done, `temwen keys remove OLD`. Keep a copy of the keyring apart from the backups of \
the database: without it they cannot be read, by anybody; with it, they can.

Examples:
  temwen keys list
  temwen keys rotate
  temwen keys remove 5f0c2a9be1d47a36")]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with them.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Name the master keys, and say how many data keys each wraps
    List(Where),
    /// Make a new master key, unless a rotation was interrupted, and wrap every data key by it while servers run
    Rotate(Where),
    /// Take a master key away for ever; refused while anything is wrapped by it
    Remove(Remove),
}

/// Where the register is kept.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// Where the register is kept.
    #[command(flatten)]
    pub database: Database,
}

/// Which key.
#[derive(Debug, Clone, Args)]
pub struct Remove {
    /// What `temwen keys list` calls it
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Where the register is kept.
    #[command(flatten)]
    pub database: Database,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failed> {
    let database = match &arguments.action {
        Action::List(at) | Action::Rotate(at) => &at.database,
        Action::Remove(remove) => &remove.database,
    };
    let opened = Opened::open(database, Use::Command).await?;
    let temwen = opened.temwen(2)?;
    let done = match &arguments.action {
        Action::List(_) => list(&temwen).await,
        Action::Rotate(_) => rotate(&temwen).await,
        Action::Remove(remove) => take_away(&temwen, &remove.key).await,
    };
    drop(temwen);
    opened.close().await?;
    done
}

fn vault(temwen: &Temwen) -> &Vault {
    temwen.db.vault()
}

async fn list(temwen: &Temwen) -> Result<(), Failed> {
    let wrapped = master_keys::counts(&temwen.db).await?;
    let ring = vault(temwen).ring();
    for (place, id) in ring.ids().into_iter().enumerate() {
        let keys = wrapped.iter().find(|(master, _)| master == id).map_or(0, |(_, keys)| *keys);
        let active = if place == 0 { ", active" } else { "" };
        say(&format!("{id}: wraps {keys} data keys{active}"))?;
    }
    Ok(())
}

async fn rotate(temwen: &Temwen) -> Result<(), Failed> {
    let wrapped = master_keys::counts(&temwen.db).await?;
    let active = vault(temwen).ring().active().id().clone();
    let left = |active: &str| -> i64 {
        wrapped.iter().filter(|(master, _)| master != active).map(|(_, keys)| *keys).sum()
    };
    let active = if left(active.as_str()) > 0 {
        say(&format!("{active} is the active key already; what others wrap still is wrapped anew."))?;
        active
    } else {
        let new = vault(temwen).add()?;
        say(&format!("{new} is the new active key."))?;
        new
    };
    master_keys::know(&temwen.db, active.as_str()).await?;
    sleep(LEARNED).await;
    let all = u64::try_from(left(active.as_str())).unwrap_or(0);
    let (mut done, began) = (0, std::time::Instant::now());
    let mut progress = Progress::on_standard_error();
    loop {
        let rewrapped = master_keys::rewrap_some(&temwen.db).await?;
        if rewrapped == 0 {
            break;
        }
        done += u64::try_from(rewrapped).unwrap_or(0);
        let what = "data keys wrapped anew";
        progress.show(
            Counted::Things,
            (done, all.max(done)),
            || what.to_owned(),
            || format!("{what}: {done} of about {all}"),
        );
    }
    progress.end();
    let seconds = began.elapsed().as_secs_f64();
    say(&format!("{done} data keys were wrapped anew by {active}, in {seconds:.1} s."))?;
    for (old, _) in wrapped.iter().filter(|(master, _)| master != active.as_str()) {
        say(&format!("Nothing is wrapped by {old} any more: `temwen keys remove {old}` takes it away."))?;
    }
    Ok(())
}

async fn take_away(temwen: &Temwen, id: &str) -> Result<(), Failed> {
    let ring = vault(temwen).ring();
    if ring.active().id().as_str() == id {
        return Err(Failed::new(format!("{id} is the active master key; run `temwen keys rotate` first")));
    }
    match master_keys::forget(&temwen.db, id).await {
        Ok(()) => {}
        // Known to no database, because nothing was ever wrapped by it: its file may go.
        Err(error) if error.kind() == Kind::NotFound && ring.find(id).is_some() => {}
        Err(error) => return Err(error.into()),
    }
    vault(temwen).remove(id)?;
    say(&format!(
        "The master key {id} is gone. Backups in which it wraps data keys cannot be read without a copy of it."
    ))
}
