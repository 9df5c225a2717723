//! Accounts: who may sign in, and with which rights.
//!
//! Belongs here: accounts and their rights; sessions are in [`sessions`]. Accounts are deactivated, never deleted.
//! May touch: its own store, [`crate::personnel`], which knows again whom a name is, and [`Tx`]. Knows no HTTP and no matter.

pub(crate) mod http;
pub mod sessions;
mod sessions_http;
mod store;

use chrono::{DateTime, Utc};

use crate::audit::{Detail, Event, What};
use crate::auth::policy::Action;
use crate::auth::{Role, Roles, Seat};
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::personnel;
use crate::values::{Email, Faults, Line, Reason, UserId};
use crate::vault::DataKey;

pub use self::store::{find_active, find_by_email, list};

/// An account.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::users, check_for_backend(diesel::pg::Pg))]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The address it signs in with.
    pub email: String,
    /// The person's or system's name.
    pub name: String,
    /// What it is trusted to do.
    pub roles: Vec<String>,
    /// For which country, where it is for one.
    pub country: Option<String>,
    /// From which seat of the panel.
    pub seat: Option<Seat>,
    /// Argon2id in PHC form.
    pub password: String,
    /// Raised when its rights change.
    pub rights_version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it may no longer sign in.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// Counts its changes.
    pub version: i32,
}

impl User {
    /// What it is trusted to do.
    pub fn roles(&self) -> Roles {
        Roles::from_words(self.roles.iter().map(String::as_str))
    }
}

/// What an account may do, checked as a whole.
#[derive(Debug, Clone)]
pub struct Rights {
    /// Its roles.
    pub roles: Roles,
    /// For which country; a national authority has one, nobody else does.
    pub country: Option<String>,
    /// From which seat; a panel member has one, nobody else does.
    pub seat: Option<Seat>,
}

impl Rights {
    /// Checks that roles, country and seat fit together; `known_country` says whether the policy knows a country.
    pub fn parse(
        faults: &mut Faults,
        roles: &[String],
        country: Option<String>,
        seat: Option<&str>,
        known_country: impl Fn(&str) -> bool,
    ) -> Option<Self> {
        let mut good = true;
        let mut fault = |pointer: &str, detail: &str| {
            faults.add(pointer, detail);
            good = false;
        };
        for (index, word) in roles.iter().enumerate() {
            if Role::from_word(word).is_none() {
                fault(&format!("/roles/{index}"), "is not a role");
            }
        }
        let held = Roles::from_words(roles.iter().map(String::as_str));
        if roles.is_empty() {
            fault("/roles", "must name at least one role");
        } else if roles.len() > 1 && held.iter().any(Role::stands_alone) {
            fault(
                "/roles",
                "administrator, auditor, statistics_officer, national_authority and integration stand alone",
            );
        }
        match (&country, held.has(Role::NationalAuthority)) {
            (None, true) => fault("/country", "must be given for a national authority"),
            (Some(_), false) => fault("/country", "belongs to a national authority alone"),
            (Some(code), true) if !known_country(code) => {
                fault("/country", "is not a contributing country of the policy");
            }
            _ => {}
        }
        let seat = match (seat, held.has(Role::PanelMember)) {
            (None, true) => {
                fault("/seat", "must be given for a panel member");
                None
            }
            (Some(_), false) => {
                fault("/seat", "belongs to a panel member alone");
                None
            }
            (Some(word), true) => {
                let seat = Seat::from_word(word);
                if seat.is_none() {
                    fault("/seat", "must be mss, pnh or ohchr");
                }
                seat
            }
            (None, false) => None,
        };
        good.then_some(Self { roles: held, country, seat })
    }
}

/// An account that may be made: every part has been checked, the password is hashed.
#[derive(Debug)]
pub struct NewUser {
    /// The address it signs in with.
    pub email: Email,
    /// The person's or system's name.
    pub name: Line,
    /// What it may do.
    pub rights: Rights,
    /// Argon2id in PHC form.
    pub password: String,
}

/// What may be changed about an account.
#[derive(Debug)]
pub struct UserChange {
    /// Another name.
    pub name: Option<Line>,
    /// Other rights.
    pub rights: Option<Rights>,
}

/// Makes an account. Whatever matter names its owner is hidden from it from the first moment on.
pub async fn add(tx: &mut Tx, register: &DataKey, new: &NewUser) -> Result<User> {
    if !matches!(tx.actor(), crate::auth::Actor::System(_)) {
        tx.allow(Action::KeepUsers)?;
    }
    let user = store::insert(tx, UserId::new(), new).await?;
    tx.record(
        Event::user(What::UserAdded, user.id)
            .with("roles", Detail::words(user.roles.iter().map(String::as_str))),
    );
    personnel::know_account(tx, register, user.id, &user.name).await?;
    Ok(user)
}

/// One account.
pub async fn find(tx: &mut Tx, id: UserId) -> Result<User> {
    store::find(tx, id).await?.ok_or_else(Error::not_found)
}

/// Changes an account's name or rights. Nobody changes their own rights.
pub async fn change(
    tx: &mut Tx,
    register: &DataKey,
    id: UserId,
    seen: i32,
    change: &UserChange,
) -> Result<User> {
    tx.allow(Action::KeepUsers)?;
    let user = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    seen_is_current(seen, user.version)?;
    if change.rights.is_some() && tx.actor().user() == Some(id) {
        return Err(Error::new(Kind::Forbidden, "nobody changes their own rights"));
    }
    if user.deactivated_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this account is deactivated"));
    }
    let user = store::change(tx, id, change).await?;
    tx.record(
        Event::user(What::UserChanged, id)
            .with("roles", Detail::words(user.roles.iter().map(String::as_str)))
            .with("rights", change.rights.is_some()),
    );
    if change.name.is_some() {
        personnel::know_account(tx, register, id, &user.name).await?;
    }
    Ok(user)
}

/// Deactivates an account: its sessions end in the same transaction, so it is out at once, whatever its tokens say.
pub async fn deactivate(tx: &mut Tx, id: UserId, seen: i32, reason: &Reason) -> Result<User> {
    tx.allow(Action::KeepUsers)?;
    let user = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    seen_is_current(seen, user.version)?;
    if tx.actor().user() == Some(id) {
        return Err(Error::new(Kind::Forbidden, "nobody deactivates their own account"));
    }
    if user.deactivated_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this account is deactivated already"));
    }
    let user = store::deactivate(tx, id, reason).await?;
    sessions::end_all(tx, id, None, sessions::Ended::Deactivated).await?;
    tx.record(Event::user(What::UserDeactivated, id));
    Ok(user)
}

/// Refuses a change by somebody who saw another version.
pub(crate) fn seen_is_current(seen: i32, current: i32) -> Result<()> {
    if seen == current { Ok(()) } else { Err(Error::new(Kind::Stale, "it was changed since you read it")) }
}

/// Reads the caller's own account.
pub async fn read_own(
    temwen: &crate::Temwen,
    caller: &crate::db::Caller,
    id: UserId,
) -> Result<Option<User>> {
    temwen.db.read(caller, async |conn| store::read(conn, id).await).await
}

/// Reads somebody's account, for whoever may; that it was read is recorded.
pub async fn read_one(
    temwen: &crate::Temwen,
    caller: &crate::db::Caller,
    id: UserId,
) -> Result<Option<User>> {
    let event = Event::user(What::UsersRead, id);
    temwen.db.read_recorded(caller, "users.read", event, async |conn| store::read(conn, id).await).await
}
