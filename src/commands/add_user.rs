//! `temwen add-user`: makes an account, whether or not the server runs.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use clap::Args;
use clap::builder::PossibleValuesParser;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::opened::{Opened, Use};
use super::{Failed, say};
use crate::Temwen;
use crate::auth::credentials::check_new;
use crate::auth::{Role, Seat};
use crate::config::Database;
use crate::db::Caller;
use crate::users::{self, NewUser, Rights, User};
use crate::values::{Email, Faults, Line};

/// More than any password; what is longer is something else, such as a file given by mistake.
const LONGEST_LINE: u64 = 8192;

/// Whose account, and for what.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The password is the first line of standard input: 12 to 256 characters that are hard to guess. With the private PostgreSQL it works \
while the server runs as well as when it does not.

Example:
  read -rs PASSWORD; printf '%s' \"$PASSWORD\" | temwen add-user --email odette@mission.example --name 'Odette Pierre' \
--role administrator --password-stdin")]
pub struct Arguments {
    /// The address that the account signs in with
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// The name of the person or system
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// What the account is trusted to do; may be given several times
    #[arg(long = "role", value_name = "ROLE", required = true, value_parser = PossibleValuesParser::new(Role::ALL.iter().map(|role| role.as_str())))]
    pub roles: Vec<String>,
    /// For which contributing country (ISO 3166-1 alpha-2); for a national authority alone
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,
    /// From which seat of the panel; for a panel member alone
    #[arg(long, value_name = "SEAT", value_parser = PossibleValuesParser::new(Seat::ALL.iter().map(|seat| seat.as_str())))]
    pub seat: Option<String>,
    /// Read the password from standard input; the only way to give it, as others on this machine can read flags
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Where the register is kept.
    #[command(flatten)]
    pub database: Database,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failed> {
    let password = read_password()?;
    let opened = Opened::open(&arguments.database, Use::Command).await?;
    let added = add(&opened, &arguments, password).await;
    opened.close().await?;
    let user = added?;
    say(&format!("Added {} ({}).", user.email, user.roles.join(", ")))
}

async fn add(opened: &Opened, arguments: &Arguments, password: SecretString) -> Result<User, Failed> {
    let temwen = opened.temwen(1)?;
    let mut faults = Faults::default();
    let email = faults.take("--email", Email::parse(&arguments.email));
    let name = faults.take("--name", Line::parse(&arguments.name));
    let country = arguments.country.as_ref().map(|code| code.trim().to_uppercase());
    let known = |code: &str| temwen.policy.country(code).is_some();
    let rights = Rights::parse(&mut faults, &arguments.roles, country, arguments.seat.as_deref(), known);
    let personal = [arguments.email.as_str(), arguments.name.as_str()];
    faults.take("the password", check_new(password.expose_secret(), &personal));
    let (email, name, rights) = match faults.none_or(email.zip(name).zip(rights)) {
        Ok(((email, name), rights)) => (email, name, rights),
        Err(error) => return Err(Failed::new(as_flags(error.faults()))),
    };
    insert(&temwen, "add_user", vec![Wanted { email, name, rights, password }])
        .await?
        .pop()
        .ok_or_else(|| Failed::new("the account was not made"))
}

/// The faults in the words of the command line.
fn as_flags(faults: &[crate::values::Fault]) -> String {
    let flag = |pointer: &str| match pointer {
        "/country" => "--country".to_owned(),
        "/seat" => "--seat".to_owned(),
        pointer if pointer.starts_with("/roles") => "--role".to_owned(),
        other => other.to_owned(),
    };
    let said: Vec<String> =
        faults.iter().map(|fault| format!("{} {}", flag(&fault.pointer), fault.detail)).collect();
    said.join("; ")
}

/// An account that is wanted; its password is not hashed yet.
pub(crate) struct Wanted {
    pub(crate) email: Email,
    pub(crate) name: Line,
    pub(crate) rights: Rights,
    pub(crate) password: SecretString,
}

/// Makes accounts, all or none, on behalf of the part `by` of the system. Hashes before the transaction begins.
pub(crate) async fn insert(
    temwen: &Temwen,
    by: &'static str,
    wanted: Vec<Wanted>,
) -> Result<Vec<User>, Failed> {
    let mut new = Vec::with_capacity(wanted.len());
    let hashes = wanted.iter().map(|each| temwen.passwords.hash(each.password.clone()));
    let hashes: Vec<_> = futures_util::future::try_join_all(hashes).await?;
    for (Wanted { email, name, rights, .. }, password) in wanted.into_iter().zip(hashes) {
        new.push(NewUser { email, name, rights, password });
    }
    let add = async |tx: &mut crate::db::Tx| {
        let mut users = Vec::with_capacity(new.len());
        for each in &new {
            users.push(users::add(tx, &temwen.register, each).await?);
        }
        Ok(users)
    };
    Ok(temwen.db.write(&Caller::system(by), "users.add", add).await?)
}

/// The first line of standard input.
fn read_password() -> Result<SecretString, Failed> {
    let input = io::stdin();
    if input.is_terminal() {
        return Err(Failed::new(
            "the password would be seen while it is typed: give it through a pipe, as `temwen add-user --help` shows",
        ));
    }
    // Room for all of it at once: a buffer that grows leaves copies of the password behind.
    let mut line = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST_LINE).unwrap_or(0)));
    let read = input.lock().take(LONGEST_LINE).read_line(&mut line);
    read.map_err(|error| Failed::because("the password could not be read from standard input", &error))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(Failed::new("no password came through standard input"));
    }
    Ok(SecretString::from(password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Fault;

    #[test]
    fn faults_are_said_in_the_words_of_the_command_line() {
        let faults = [Fault::new("/roles/0", "is not a role"), Fault::new("--name", "must not be empty")];
        assert_eq!(as_flags(&faults), "--role is not a role; --name must not be empty");
    }
}
