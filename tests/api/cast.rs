//! Accounts made without a sign-in each: a matrix needs hundreds of them.

use std::sync::Arc;

use actix_web::http::Method;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use serde_json::Value;
use temwen::auth::credentials::tokens::{Claims, Kind};
use temwen::auth::{Actor, Officer, Role, Seat};
use temwen::db::Caller as By;
use temwen::users::Rights;
use uuid::Uuid;

use crate::harness::{Caller, TestApp};

/// An account with one role and a session that runs.
pub struct Player<'a> {
    pub role: Role,
    pub id: Uuid,
    pub caller: Caller<'a>,
    pub officer: Officer,
}

impl Player<'_> {
    /// The account as the service knows it when it acts.
    pub fn by(&self) -> By {
        By::new(Actor::Officer(Arc::new(self.officer.clone())), Arc::from("test"))
    }
}

/// What an account with this one role has: a national authority is Kenya's, a panel member has the OHCHR's seat.
pub fn rights(role: Role) -> Rights {
    Rights {
        roles: [role].into_iter().collect(),
        country: (role == Role::NationalAuthority).then(|| "KE".to_owned()),
        seat: (role == Role::PanelMember).then_some(Seat::Ohchr),
    }
}

/// Somebody new with this role and a session, put into the database by its owner.
pub async fn enlist<'a>(
    app: &'a TestApp,
    owner: &mut AsyncPgConnection,
    role: Role,
    rights: Rights,
) -> Player<'a> {
    let (id, session) = (Uuid::now_v7(), Uuid::now_v7());
    let now = app.temwen.clock.now();
    let text = |word: Option<&str>| word.map_or("null".to_owned(), |word| format!("'{word}'"));
    let (country, seat) = (rights.country.clone(), rights.seat);
    owner
        .batch_execute(&format!(
            "insert into users (id, email, name, roles, country, seat, password, created_at)
                 values ('{id}', '{id}@mission.example', 'Officer', '{{{}}}', {}, {}, '-', '{now}');
             insert into sessions (id, user_id, created_at, last_used_at, expires_at)
                 values ('{session}', '{id}', '{now}', '{now}', '{now}'::timestamptz + interval '12 hours')",
            rights.roles.words().join(","),
            text(country.as_deref()),
            text(seat.map(Seat::as_str)),
        ))
        .await
        .unwrap();
    let issued = now.timestamp();
    let claims = Claims {
        sub: id,
        sid: session,
        kind: Kind::User,
        roles: rights.roles.words(),
        country: country.clone(),
        seat: seat.map(|seat| seat.as_str().to_owned()),
        rv: 1,
        iat: issued,
        exp: issued + 300,
    };
    let token = app.temwen.tokens.issue(&claims).unwrap();
    let officer =
        Officer { id: id.into(), session: session.into(), roles: rights.roles, country, seat, rights: 1 };
    let caller = Caller { id: Some(id.into()), token: Some(token), ..app.anyone() };
    Player { role, id, caller, officer }
}

/// The rows of a query as JSON, seen by whoever `conn` is.
pub async fn rows(conn: &mut AsyncPgConnection, sql: &str) -> Vec<Value> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Jsonb)]
        row: Value,
    }
    let rows: Vec<Row> =
        diesel::sql_query(format!("select to_jsonb(q) as row from ({sql}) q")).load(conn).await.unwrap();
    rows.into_iter().map(|row| row.row).collect()
}

/// An operation of the API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// What part of the API it belongs to.
    pub tag: String,
    pub path: String,
    pub method: String,
    pub id: String,
    pub summary: String,
    /// Whether it asks for the version that was seen.
    pub versioned: bool,
}

impl Operation {
    pub fn verb(&self) -> Method {
        Method::from_bytes(self.method.as_bytes()).unwrap()
    }
}

/// Every operation of the API, in order.
pub fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(temwen::http::openapi()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, it) in item.as_object().unwrap() {
            let summary = text(&it["summary"]);
            let summary = if summary.is_empty() { text(&it["description"]) } else { summary };
            all.push(Operation {
                tag: text(&it["tags"][0]),
                path: path.clone(),
                method: method.to_uppercase(),
                id: text(&it["operationId"]),
                versioned: it["parameters"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|each| each["name"] == "If-Match")),
                summary: summary.lines().next().unwrap_or_default().to_owned(),
            });
        }
    }
    all.sort();
    all
}

/// A generated document: written when `UPDATE` is set, otherwise compared with what is committed.
pub fn committed(path: &str, ours: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, ours).unwrap();
    }
    let theirs = std::fs::read_to_string(path).unwrap_or_default();
    assert!(ours == theirs, "{path} is out of date; run `UPDATE=1 cargo test --test api`");
}
