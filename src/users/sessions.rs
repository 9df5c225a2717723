//! Sessions: signing in, staying signed in, signing out.
//!
//! Passwords are checked outside any transaction, because a check takes as long as a hundred writes. An account that
//! does not exist takes the same path and the same time, and gets the same answer.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::{User, store};
use crate::audit::{Event, What};
use crate::auth::credentials::passwords::{PasswordError, check_new};
use crate::auth::credentials::refresh::RefreshToken;
use crate::auth::credentials::slowdown::Wait;
use crate::auth::credentials::tokens::{Claims, Kind as TokenKind};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::{SessionId, UserId, text_enum};

/// How long an access token is good.
pub const ACCESS_SECONDS: i64 = 5 * 60;
/// How long a session lives without being refreshed.
const IDLE: TimeDelta = TimeDelta::hours(12);
/// How long a session lives at most.
const LONGEST: TimeDelta = TimeDelta::days(14);

text_enum! {
    /// Why a session ended.
    Ended {
        /// Its owner signed out.
        SignedOut = "signed_out",
        /// A used refresh token came again.
        RefreshReused = "refresh_reused",
        /// The password was changed.
        PasswordChanged = "password_changed",
        /// The account was deactivated.
        Deactivated = "deactivated",
        /// Its owner ended it from another session.
        EndedElsewhere = "ended_elsewhere",
    }
}

/// One sign-in of an account.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::sessions, check_for_backend(diesel::pg::Pg))]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_used_at: DateTime<Utc>,
    /// Until when it may be refreshed.
    pub expires_at: DateTime<Utc>,
    /// When it ended, if it was ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What a client gets when it signs in or refreshes.
#[derive(Debug)]
pub struct Pair {
    /// The access token.
    pub access_token: String,
    /// The refresh token, good once.
    pub refresh_token: String,
}

fn wrong() -> Error {
    Error::new(Kind::Unauthenticated, "there is no such account, or the password is wrong")
}

fn over() -> Error {
    Error::new(Kind::Unauthenticated, "this session is over; sign in again")
}

fn password_failure(error: PasswordError) -> Error {
    match error {
        PasswordError::Busy => Error::unavailable(2),
        other => Error::internal(other),
    }
}

/// Waits as long as failures before demand it.
async fn slow_down(
    temwen: &Temwen,
    account: &str,
    source: Option<&str>,
) -> Result<crate::auth::credentials::slowdown::Attempt> {
    match temwen.slowdown.delay(account, source, Instant::now()) {
        Wait::Refuse { retry_after } => Err(Error::slow_down(u32::try_from(retry_after).unwrap_or(60))),
        Wait::Go(attempt) => {
            let wait = attempt.wait();
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Ok(attempt)
        }
    }
}

/// Signs in. `source` is where the request came from, if that is known; it is kept nowhere in clear.
pub async fn sign_in(
    temwen: &Temwen,
    caller: &Caller,
    email: &str,
    password: SecretString,
    source: Option<&str>,
) -> Result<Pair> {
    let attempt = slow_down(temwen, email, source).await?;
    // The system looks the account up and remembers what came of it: nobody is signed in yet.
    let system = caller.as_system("sign_in");
    let user = match temwen.db.read(&system, async |conn| super::find_by_email(conn, email).await).await {
        Ok(user) => user.filter(|user| user.deactivated_at.is_none()),
        Err(error) => {
            attempt.not_judged();
            return Err(error);
        }
    };
    let stored = user.as_ref().map(|user| user.password.clone());
    let again = SecretString::from(password.expose_secret().to_owned());
    let good = match temwen.passwords.verify(stored, password).await {
        Ok(good) => good,
        Err(error) => {
            attempt.not_judged();
            return Err(password_failure(error));
        }
    };
    let Some(user) = user.filter(|_| good) else {
        attempt.failed();
        // Which account was tried is not remembered: the same entry for a wrong address and a wrong password.
        let entry = Event::register(What::SessionRefused);
        temwen
            .db
            .write(&system, "sessions.refuse", async |tx| {
                tx.record(entry);
                Ok(())
            })
            .await?;
        return Err(wrong());
    };
    attempt.succeeded();
    let stronger = if temwen.passwords.needs_rehash(&user.password) {
        Some(temwen.passwords.hash(again).await.map_err(password_failure)?)
    } else {
        None
    };
    let refresh = RefreshToken::random().map_err(Error::internal)?;
    let session = SessionId::new();
    let user = temwen
        .db
        .write(&system, "sessions.open", async |tx| {
            // The password was judged outside: it may have been changed since, or the account deactivated.
            let account = store::lock(tx, user.id).await?.ok_or_else(wrong)?;
            if account.password != user.password || account.deactivated_at.is_some() {
                return Err(wrong());
            }
            if let Some(password) = &stronger {
                store::set_password(tx, user.id, password).await?;
            }
            store::open_session(tx, session, user.id, tx.now() + IDLE, &refresh.digest()).await?;
            tx.record(Event::session(What::SessionOpened, session).with("user", user.id.uuid()));
            Ok(account)
        })
        .await?;
    pair(temwen, &user, session, &refresh)
}

fn pair(temwen: &Temwen, user: &User, session: SessionId, refresh: &RefreshToken) -> Result<Pair> {
    let now = temwen.clock.now().timestamp();
    let claims = Claims {
        sub: user.id.uuid(),
        sid: session.uuid(),
        kind: TokenKind::User,
        roles: user.roles().words(),
        country: user.country.clone(),
        seat: user.seat.map(|seat| seat.as_str().to_owned()),
        rv: i64::from(user.rights_version),
        iat: now,
        exp: now + ACCESS_SECONDS,
    };
    let access_token = temwen.tokens.issue(&claims).map_err(Error::internal)?;
    Ok(Pair { access_token, refresh_token: refresh.to_string() })
}

/// Gives new tokens for a refresh token, which is then used up.
///
/// A used one that comes again is in two hands: the whole session ends, so that the thief is out too.
pub async fn refresh(temwen: &Temwen, caller: &Caller, token: &str) -> Result<Pair> {
    let presented = RefreshToken::parse(token).ok_or_else(over)?;
    let next = RefreshToken::random().map_err(Error::internal)?;
    let system = caller.as_system("sign_in");
    let outcome = temwen
        .db
        .write(&system, "sessions.refresh", async |tx| {
            let (used_at, session, user) =
                store::lock_refresh_token(tx, &presented.digest()).await?.ok_or_else(over)?;
            if session.ended_at.is_some() || session.expires_at <= tx.now() || user.deactivated_at.is_some() {
                return Err(over());
            }
            if used_at.is_some() {
                store::end(tx, user.id, Some(session.id), None, Ended::RefreshReused).await?;
                tx.record(Event::session(What::SessionStolen, session.id).with("user", user.id.uuid()));
                return Ok(None);
            }
            let until = (tx.now() + IDLE).min(session.created_at + LONGEST);
            store::use_refresh_token(tx, &presented.digest(), session.id, until).await?;
            store::keep_refresh_token(tx, session.id, &next.digest()).await?;
            tx.record(Event::session(What::SessionRefreshed, session.id).with("user", user.id.uuid()));
            Ok(Some((user, session.id)))
        })
        .await?;
    let (user, session) = outcome.ok_or_else(over)?;
    pair(temwen, &user, session, &next)
}

/// The sessions of the caller that still run.
pub async fn own(temwen: &Temwen, caller: &Caller) -> Result<Vec<Session>> {
    let user = caller.actor.user().ok_or_else(over)?;
    let now = temwen.clock.now();
    temwen.db.read(caller, async |conn| store::sessions_of(conn, user, now).await).await
}

/// Ends one session of the caller's own.
pub async fn end_own(tx: &mut Tx, session: SessionId, why: Ended) -> Result<()> {
    let user = tx.actor().user().ok_or_else(over)?;
    if store::end(tx, user, Some(session), None, why).await?.is_empty() {
        return Err(Error::not_found());
    }
    tx.record(Event::session(What::SessionEnded, session).with("why", why.as_str()));
    Ok(())
}

/// Ends the sessions of `user`, but one if one is named; each has an entry of its own.
pub(super) async fn end_all(tx: &mut Tx, user: UserId, but: Option<SessionId>, why: Ended) -> Result<()> {
    for session in store::end(tx, user, None, but, why).await? {
        tx.record(Event::session(What::SessionEnded, session).with("why", why.as_str()));
    }
    Ok(())
}

/// Changes the caller's password and ends all their other sessions.
pub async fn change_password(
    temwen: &Temwen,
    caller: &Caller,
    current: SecretString,
    wanted: SecretString,
    source: Option<&str>,
) -> Result<()> {
    let officer = caller.actor.officer().ok_or_else(over)?;
    let user = super::read_own(temwen, caller, officer.id).await?.ok_or_else(over)?;
    let attempt = slow_down(temwen, &user.email, source).await?;
    match temwen.passwords.verify(Some(user.password.clone()), current).await {
        Ok(true) => attempt.succeeded(),
        Ok(false) => {
            attempt.failed();
            return Err(Error::fault("/current_password", "is not your password"));
        }
        Err(error) => {
            attempt.not_judged();
            return Err(password_failure(error));
        }
    }
    let hashed = acceptable(temwen, "/new_password", wanted, &user.email, &user.name).await?;
    temwen
        .db
        .write(caller, "sessions.change_password", async |tx| {
            store::set_password(tx, officer.id, &hashed).await?;
            end_all(tx, officer.id, Some(officer.session), Ended::PasswordChanged).await?;
            tx.record(Event::user(What::PasswordChanged, officer.id));
            Ok(())
        })
        .await
}

/// Checks a new password against the rules, and hashes it.
pub async fn acceptable(
    temwen: &Temwen,
    pointer: &str,
    password: SecretString,
    email: &str,
    name: &str,
) -> Result<String> {
    let (text, email, name) = (password.expose_secret().to_owned(), email.to_owned(), name.to_owned());
    // Judging how guessable it is takes milliseconds: not on the thread that answers.
    let judged = tokio::task::spawn_blocking(move || check_new(&text, &[&email, &name]))
        .await
        .map_err(Error::internal)?;
    judged.map_err(|why| Error::fault(pointer, why))?;
    temwen.passwords.hash(password).await.map_err(password_failure)
}
