//! SQL of accounts and sessions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::sessions::{Ended, Session};
use super::{NewUser, User, UserChange};
use crate::auth::Role;
use crate::db::Tx;
use crate::db::schema::{refresh_tokens, sessions, users};
use crate::db::statement::{Fixed, Text};
use crate::error::{Error, Kind, Result};
use crate::values::{Reason, SessionId, UserId};

pub(super) async fn insert(tx: &mut Tx, id: UserId, new: &NewUser) -> Result<User> {
    let row = (
        users::id.eq(id),
        users::email.eq(new.email.as_str()),
        users::name.eq(new.name.as_str()),
        users::roles.eq(new.rights.roles.words()),
        users::country.eq(&new.rights.country),
        users::seat.eq(new.rights.seat),
        users::password.eq(&new.password),
        users::created_at.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| {
            diesel::insert_into(users::table)
                .values(row)
                .returning(User::as_returning())
                .get_result(&mut conn)
                .await
        },
        |error| match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info)
                if info.constraint_name() == Some("users_email_key") =>
            {
                Error::new(Kind::Exists, "there is an account with this address already")
            }
            other => crate::db::tx::refused(other),
        },
    )
    .await
}

/// The account that signs in with `email`.
pub async fn find_by_email(mut conn: &AsyncPgConnection, email: &str) -> QueryResult<Option<User>> {
    users::table.filter(users::email.eq(email)).select(User::as_select()).first(&mut conn).await.optional()
}

pub(super) async fn find(tx: &mut Tx, id: UserId) -> Result<Option<User>> {
    tx.ask(async |mut conn| users::table.find(id).select(User::as_select()).first(&mut conn).await.optional())
        .await
}

/// An account that may sign in, to be given work.
pub async fn find_active(tx: &mut Tx, id: UserId) -> Result<Option<User>> {
    Ok(find(tx, id).await?.filter(|user| user.deactivated_at.is_none()))
}

pub(super) async fn lock(tx: &mut Tx, id: UserId) -> Result<Option<User>> {
    tx.ask(async |mut conn| {
        users::table.find(id).for_update().select(User::as_select()).first(&mut conn).await.optional()
    })
    .await
}

/// Accounts, newest first, after the one at `after`.
pub async fn list(
    mut conn: &AsyncPgConnection,
    role: Option<Role>,
    active: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<User>> {
    let mut query = users::table.into_boxed();
    if let Some(role) = role {
        query = query.filter(users::roles.contains(vec![role.as_str()]));
    }
    match active {
        Some(true) => query = query.filter(users::deactivated_at.is_null()),
        Some(false) => query = query.filter(users::deactivated_at.is_not_null()),
        None => {}
    }
    if let Some((at, id)) = after {
        query = query.filter(
            users::created_at.lt(at).or(users::created_at.eq(at).and(users::id.lt(UserId::from(id)))),
        );
    }
    query
        .order((users::created_at.desc(), users::id.desc()))
        .limit(rows)
        .select(User::as_select())
        .load(&mut conn)
        .await
}

pub(super) async fn change(tx: &mut Tx, id: UserId, change: &UserChange) -> Result<User> {
    if let Some(name) = &change.name {
        tx.ask(async |mut conn| {
            diesel::update(users::table.find(id)).set(users::name.eq(name.as_str())).execute(&mut conn).await
        })
        .await?;
    }
    if let Some(rights) = &change.rights {
        let set = (
            users::roles.eq(rights.roles.words()),
            users::country.eq(&rights.country),
            users::seat.eq(rights.seat),
            users::rights_version.eq(users::rights_version + 1),
        );
        tx.ask(async |mut conn| diesel::update(users::table.find(id)).set(set).execute(&mut conn).await)
            .await?;
    }
    tx.ask(async |mut conn| {
        diesel::update(users::table.find(id))
            .set(users::version.eq(users::version + 1))
            .returning(User::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

pub(super) async fn deactivate(tx: &mut Tx, id: UserId, reason: &Reason) -> Result<User> {
    let set = (
        users::deactivated_at.eq(tx.now()),
        users::deactivated_because.eq(reason.as_str()),
        users::version.eq(users::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::update(users::table.find(id))
            .set(set)
            .returning(User::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

pub(super) async fn set_password(tx: &mut Tx, id: UserId, password: &str) -> Result<()> {
    tx.ask(async |mut conn| {
        diesel::update(users::table.find(id)).set(users::password.eq(password)).execute(&mut conn).await
    })
    .await
    .map(|_| ())
}

struct OpenSession;
impl Text for OpenSession {
    const GIVEN: &'static str = "id, user_id, at, expires_at, refresh";
    const SQL: &'static str = ", opened as ( \
         insert into sessions (id, user_id, created_at, last_used_at, expires_at) select id, user_id, at, at, expires_at from given) \
         insert into refresh_tokens (digest, session_id, issued_at) select refresh, id, at from given";
    type Row = ();
}

pub(super) async fn open_session(
    tx: &mut Tx,
    id: SessionId,
    user: UserId,
    expires_at: DateTime<Utc>,
    refresh: &[u8],
) -> Result<()> {
    let binds = (
        id.into_sql::<sql::Uuid>(),
        user.into_sql::<sql::Uuid>(),
        tx.now().into_sql::<sql::Timestamptz>(),
        expires_at.into_sql::<sql::Timestamptz>(),
        refresh.into_sql::<sql::Binary>(),
    );
    tx.ask(async |mut conn| Fixed::with(OpenSession, binds).execute(&mut conn).await).await.map(|_| ())
}

pub(super) async fn keep_refresh_token(tx: &mut Tx, session: SessionId, digest: &[u8]) -> Result<()> {
    let row = (
        refresh_tokens::digest.eq(digest),
        refresh_tokens::session_id.eq(session),
        refresh_tokens::issued_at.eq(tx.now()),
    );
    tx.ask(async |mut conn| diesel::insert_into(refresh_tokens::table).values(row).execute(&mut conn).await)
        .await
        .map(|_| ())
}

/// A presented refresh token: when it was used, its session and account, all held until the transaction ends.
pub(super) async fn lock_refresh_token(
    tx: &mut Tx,
    digest: &[u8],
) -> Result<Option<(Option<DateTime<Utc>>, Session, User)>> {
    tx.ask(async |mut conn| {
        refresh_tokens::table
            .inner_join(sessions::table.inner_join(users::table))
            .filter(refresh_tokens::digest.eq(digest))
            .select((refresh_tokens::used_at, Session::as_select(), User::as_select()))
            .for_update()
            .first(&mut conn)
            .await
            .optional()
    })
    .await
}

pub(super) async fn use_refresh_token(
    tx: &mut Tx,
    digest: &[u8],
    session: SessionId,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        let used = diesel::update(refresh_tokens::table.find(digest))
            .set(refresh_tokens::used_at.eq(now))
            .execute(&mut conn)
            .await;
        let prolonged = diesel::update(sessions::table.find(session))
            .set((sessions::last_used_at.eq(now), sessions::expires_at.eq(expires_at)))
            .execute(&mut conn)
            .await;
        used.and(prolonged)
    })
    .await
    .map(|_| ())
}

/// The sessions of an account that still run, newest first.
pub(super) async fn sessions_of(
    mut conn: &AsyncPgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Session>> {
    sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .order(sessions::created_at.desc())
        .limit(200)
        .select(Session::as_select())
        .load(&mut conn)
        .await
}

/// Ends sessions of an account: one, or all but one; which.
pub(super) async fn end(
    tx: &mut Tx,
    user: UserId,
    one: Option<SessionId>,
    but: Option<SessionId>,
    why: Ended,
) -> Result<Vec<SessionId>> {
    let now = tx.now();
    let open = sessions::table.filter(sessions::user_id.eq(user)).filter(sessions::ended_at.is_null());
    let set = (sessions::ended_at.eq(now), sessions::ended_because.eq(why));
    tx.ask(async |mut conn| match (one, but) {
        (Some(one), _) => {
            diesel::update(open.filter(sessions::id.eq(one)))
                .set(set)
                .returning(sessions::id)
                .get_results(&mut conn)
                .await
        }
        (None, Some(but)) => {
            diesel::update(open.filter(sessions::id.ne(but)))
                .set(set)
                .returning(sessions::id)
                .get_results(&mut conn)
                .await
        }
        (None, None) => diesel::update(open).set(set).returning(sessions::id).get_results(&mut conn).await,
    })
    .await
}

pub(super) async fn read(mut conn: &AsyncPgConnection, id: UserId) -> QueryResult<Option<User>> {
    users::table.find(id).select(User::as_select()).first(&mut conn).await.optional()
}
