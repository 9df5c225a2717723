//! `temwen serve --demo`: accounts and complaints to try the register with. All of it is made up.
//!
//! Belongs here: what a demonstration holds and how it is shown. It is made by the same operations as anything else, on
//! behalf of the part `demo` of the system, and only in a register without accounts.

mod stories;
mod tour;

use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};

use crate::auth::{Role, Seat};
use crate::commands::Failed;
use crate::commands::add_user::{self, Wanted};
use crate::complaints;
use crate::db::Caller;
use crate::temwen::Temwen;
use crate::users::{self, Rights};
use crate::values::{Email, Line};

const WHO: &str = "demo";
/// Addresses that lead nowhere (RFC 2606).
const DOMAIN: &str = "demo.example";
/// The country of the national authority.
const COUNTRY: &str = "KE";

/// What a demonstration has to show.
pub enum Demo {
    /// It was made just now; the passwords are known this once.
    Made(Vec<Account>),
    /// It was made at an earlier start.
    ThereAlready,
}

/// An account with its password.
pub struct Account {
    email: String,
    password: SecretString,
}

/// Makes accounts and complaints, unless they are there already.
pub async fn prepare(temwen: &Temwen) -> Result<Demo, Failed> {
    let caller = Caller::system(WHO);
    let anybody = temwen.db.read(&caller, async |conn| users::list(conn, None, None, None, 1).await).await?;
    if !anybody.is_empty() {
        let email = email(Role::TriageOfficer, None);
        let ours = temwen.db.read(&caller, async |conn| users::find_by_email(conn, &email).await).await?;
        return match ours {
            Some(_) => Ok(Demo::ThereAlready),
            None => Err(Failed::new(
                "this register has accounts and is no demonstration: start without --demo, or with another data directory",
            )),
        };
    }
    let mut accounts = Vec::new();
    let mut wanted = Vec::new();
    for &role in Role::ALL {
        let seats: Vec<Option<Seat>> = if role == Role::PanelMember {
            Seat::ALL.iter().copied().map(Some).collect()
        } else {
            vec![None]
        };
        for seat in seats {
            let account = Account { email: email(role, seat), password: random_password()? };
            wanted.push(Wanted {
                email: Email::parse(&account.email).map_err(Failed::new)?,
                name: Line::parse(name(role, seat)).map_err(Failed::new)?,
                rights: Rights {
                    roles: std::iter::once(role).collect(),
                    country: (role == Role::NationalAuthority).then(|| COUNTRY.to_owned()),
                    seat,
                },
                password: account.password.clone(),
            });
            accounts.push(account);
        }
    }
    add_user::insert(temwen, WHO, wanted).await?;
    for story in stories::ALL {
        complaints::submit(temwen, &caller, &story.submission(&temwen.policy)?).await?;
    }
    Ok(Demo::Made(accounts))
}

impl Demo {
    /// The accounts, for people; passwords only when they were made just now.
    pub fn accounts(&self) -> String {
        match self {
            Self::ThereAlready => {
                "The demonstration is there already; its passwords were printed when it was made. \
                 For new ones, start with another data directory."
                    .to_owned()
            }
            Self::Made(accounts) => {
                let head = "Made a demonstration: everything in it is fictional. Its accounts, whose passwords are shown only now:\n";
                let line = |account: &Account| {
                    format!("\n  {:<36} {}", account.email, account.password.expose_secret())
                };
                accounts.iter().map(line).fold(head.to_owned(), |text, line| text + &line) + "\n"
            }
        }
    }

    /// Five commands to paste, if the password of the officer in them is known.
    pub fn tour(&self, address: SocketAddr) -> String {
        let officer = email(Role::TriageOfficer, None);
        let Self::Made(accounts) = self else { return tour::text(address, &officer, None) };
        let password =
            accounts.iter().find(|account| account.email == officer).map(|account| &account.password);
        tour::text(address, &officer, password)
    }
}

fn email(role: Role, seat: Option<Seat>) -> String {
    match seat {
        Some(seat) => format!("{}-{}@{DOMAIN}", role.as_str(), seat.as_str()),
        None => format!("{}@{DOMAIN}", role.as_str()),
    }
}

fn name(role: Role, seat: Option<Seat>) -> String {
    let role = role.as_str().replace('_', " ").replace("psea", "PSEA").replace("ohchr", "OHCHR");
    seat.map_or_else(
        || format!("Demo {role}"),
        |seat| format!("Demo {role} {}", seat.as_str().to_uppercase()),
    )
}

/// Twenty random letters and digits in groups, none that is easily taken for another: 100 bits.
fn random_password() -> Result<SecretString, Failed> {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let mut bytes = [0_u8; 20];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Failed::new("the system gave no random bytes"))?;
    let mut password = String::with_capacity(23);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 5 == 0 {
            password.push('-');
        }
        password.extend(ALPHABET.get(usize::from(byte % 32)).copied().map(char::from));
    }
    Ok(SecretString::from(password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::credentials::check_new;
    use crate::coa::Policy;

    #[test]
    fn a_password_of_the_demonstration_keeps_the_rules_for_any_password() {
        let first = random_password().unwrap();
        let second = random_password().unwrap();
        assert_ne!(first.expose_secret(), second.expose_secret());
        check_new(first.expose_secret(), &["triage_officer@demo.example"]).unwrap();
    }

    #[test]
    fn every_story_is_in_words_of_the_policy() {
        let policy = Policy::built_in().unwrap();
        let categories: Vec<String> =
            stories::ALL.iter().map(|story| story.submission(&policy).unwrap().category).collect();
        assert!(categories.iter().all(|word| policy.category(word).is_some()), "{categories:?}");
        for story in &stories::ALL {
            story.check(&policy);
        }
    }

    #[test]
    fn a_second_start_shows_no_secret() {
        let text =
            Demo::ThereAlready.accounts() + &Demo::ThereAlready.tour("127.0.0.1:8080".parse().unwrap());
        assert!(!text.contains("PASSWORD='") && text.contains("there already"));
    }
}
