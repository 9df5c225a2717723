//! The vault, opened for a command: the keyring that its settings name, and whether it opens what the database holds.

use secrecy::ExposeSecret as _;

use super::Failed;
use crate::config::Database;
use crate::db::{Caller, Db, master_keys};
use crate::vault::Vault;
use crate::vault::keyring::{Directory, Given};

/// Opens the keyring: the keys that are given, or the files in the key directory.
pub(super) fn open(database: &Database) -> Result<Vault, Failed> {
    let given = database.master_keys.clone().filter(|keys| !keys.expose_secret().is_empty());
    Ok(match given {
        Some(keys) => Vault::open(Given(keys)),
        None => Vault::open(Directory(database.key_dir())),
    }?)
}

/// Whether the keyring has every master key that a data key was wrapped by, and the right one.
///
/// # Errors
/// With the ids of those that are missing: without them nothing that they protect can be read, so nothing is started.
pub(super) async fn check(db: &Db) -> Result<(), Failed> {
    let system = Caller::system("vault");
    let used = db.read(&system, async |conn| master_keys::masters(conn).await).await?;
    let ring = db.vault().ring();
    let missing: Vec<String> =
        used.iter().filter(|id| ring.find(id).is_none()).map(|id| format!("\n  {id}")).collect();
    if !missing.is_empty() {
        return Err(Failed::new(format!(
            "the keyring lacks master keys that this database needs:{}\nIt has {}. Put the missing key back (master-NNNN.key in the key \
             directory, or TEMWEN_MASTER_KEYS); nothing was started and nothing was changed.",
            missing.concat(),
            ring.ids().join(", ")
        )));
    }
    Ok(())
}
