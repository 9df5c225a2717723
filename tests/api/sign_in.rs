//! Signing in: what is told to whom, and what slows down whoever guesses.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::fixtures::{complaint, submitted};
use crate::harness::{Answer, Caller, PASSWORD, TestApp};

const HOME: &str = "203.0.113.7:4000";
const ELSEWHERE: &str = "198.51.100.9:4000";

async fn tried_from(app: &TestApp, source: &str, path: &str, body: Value) -> Answer {
    let anyone = app.anyone();
    let source: SocketAddr = source.parse().unwrap();
    anyone.send(anyone.request(Method::POST, path).peer_addr(source).set_json(body)).await
}

async fn try_in(app: &TestApp, source: &str, email: &str, password: &str) -> Answer {
    tried_from(app, source, "/v1/sessions", json!({"email": email, "password": password})).await
}

/// A body without what differs from request to request.
fn body(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

#[actix_web::test]
async fn an_unknown_account_and_a_wrong_password_answer_alike_and_leave_the_same_entry() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let gone = app.signed_in(Role::Investigator).await;
    let administrator = app.signed_in(Role::Administrator).await;
    let path = format!("/v1/users/{}/deactivation", gone.id.unwrap());
    administrator.post_seen(&path, 1, json!({"reason": "left the mission"})).await.expect(200);

    let unknown = try_in(&app, HOME, "nobody@mission.example", PASSWORD).await;
    let wrong = try_in(&app, HOME, &officer.email, "three loud herons leave the bay").await;
    let deactivated = try_in(&app, HOME, &gone.email, PASSWORD).await;
    for answer in [&unknown, &wrong, &deactivated] {
        answer.refused(401, "unauthenticated");
        assert_eq!(body(answer), body(&unknown));
        let headers = |answer: &Answer| {
            let mut names: Vec<String> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names
        };
        assert_eq!(headers(answer), headers(&unknown));
    }
    let entries = app.rows("select actor_kind, actor, object_kind, object_id, detail from audit_entries where action = 'session.refused'").await;
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| entry == &entries[0]), "{entries:?}");
}

#[actix_web::test]
async fn an_unknown_account_costs_as_much_work_as_a_known_one() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    // The quickest of several, since anything may make one slower: a hash takes milliseconds, a look-up does not.
    let mut quickest = [Duration::MAX; 2];
    for round in 0..4 {
        for (quickest, email) in
            quickest.iter_mut().zip([officer.email.clone(), format!("nobody-{round}@mission.example")])
        {
            let since = Instant::now();
            try_in(&app, &format!("203.0.113.{round}:1"), &email, "three loud herons leave the bay")
                .await
                .refused(401, "unauthenticated");
            *quickest = since.elapsed().min(*quickest);
        }
    }
    let [known, unknown] = quickest;
    assert!(unknown > known / 4 && known > unknown / 4, "known {known:?}, unknown {unknown:?}");
    assert!(unknown > Duration::from_millis(5), "no hash was computed: {unknown:?}");
}

#[actix_web::test]
async fn whoever_hammers_an_account_is_told_to_wait_and_its_owner_is_not() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    try_in(&app, HOME, &officer.email, PASSWORD).await.expect(201);
    let mut attempts: FuturesUnordered<_> =
        (0..60).map(|_| try_in(&app, ELSEWHERE, &officer.email, "three loud herons leave the bay")).collect();
    let mut refused = 0;
    while let Some(answer) = attempts.next().await {
        if answer.status == 429 {
            answer.refused(429, "slow-down");
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
            refused += 1;
            if refused == 40 {
                break;
            }
        } else {
            answer.refused(401, "unauthenticated");
        }
    }
    // The others wait, some for half a minute; they hang up.
    drop(attempts);
    assert_eq!(refused, 40);

    let since = Instant::now();
    try_in(&app, HOME, &officer.email, PASSWORD).await.expect(201);
    assert!(
        since.elapsed() < Duration::from_secs(8),
        "where the owner signed in before, nothing is slowed down"
    );
    let other = app.signed_in(Role::Investigator).await;
    try_in(&app, HOME, &other.email, PASSWORD).await.expect(201);
}

#[actix_web::test]
async fn guessing_an_access_code_is_slowed_down_too() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, complaint()).await;
    let other = submitted(&app, complaint()).await;
    let guess = json!({"reference": receipt["reference"], "access_code": other["access_code"]});
    let mut attempts: FuturesUnordered<_> =
        (0..40).map(|_| tried_from(&app, ELSEWHERE, "/v1/reporter/sessions", guess.clone())).collect();
    let mut refused = 0;
    while let Some(answer) = attempts.next().await {
        match answer.status {
            429 => refused += 1,
            _ => assert_eq!(answer.status, 401, "{}", answer.text),
        }
        if refused == 20 {
            break;
        }
    }
    drop(attempts);
    assert_eq!(refused, 20);
}

#[actix_web::test]
async fn a_wrong_reference_and_a_wrong_code_answer_alike() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, complaint()).await;
    let other = submitted(&app, complaint()).await;
    let open = async |reference: &Value, code: &Value| {
        app.anyone().post("/v1/reporter/sessions", json!({"reference": reference, "access_code": code})).await
    };
    let wrong_code = open(&receipt["reference"], &other["access_code"]).await;
    let answers = [
        open(&json!("TW-0000-0000"), &receipt["access_code"]).await,
        open(&json!(""), &json!("")).await,
        open(&json!("\u{0}"), &json!("\u{0}")).await,
        open(&receipt["reference"], &json!("é".repeat(1000))).await,
    ];
    for answer in answers.iter().chain([&wrong_code]) {
        answer.refused(401, "unauthenticated");
        assert_eq!(body(answer), body(&wrong_code));
    }
}

#[actix_web::test]
async fn what_cannot_be_an_account_or_a_second_factor_is_refused() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let with = async |fields: Value| app.anyone().post("/v1/sessions", fields).await;
    let answer = with(json!({"email": officer.email, "password": PASSWORD, "otp": "123456"})).await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/otp"]);
    with(json!({"email": officer.email, "password": PASSWORD, "otp": null})).await.expect(201);
    for email in ["", "officer", "a@b\u{0}", "a@b@c", "\u{202e}@mission.example"] {
        assert_eq!(
            with(json!({"email": email, "password": "x"})).await.refused(422, "invalid-request").faults(),
            ["/email"]
        );
    }
    let answer = with(json!({"email": 1, "code": "x"})).await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/code", "/email", "/password"]);
    for password in ["", "\u{0}", &"x".repeat(100_000)] {
        with(json!({"email": officer.email, "password": password})).await.refused(401, "unauthenticated");
    }
}

async fn change(caller: &Caller<'_>, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    caller.send(caller.request(Method::PUT, "/v1/me/password").set_json(body)).await
}

#[actix_web::test]
async fn a_changed_password_ends_every_other_session() {
    let app = TestApp::start().await;
    let here = app.signed_in(Role::Investigator).await;
    let there = app.sign_in(&here.email, PASSWORD).await;
    let new = "seven quiet boats under amber rain";
    let answer = change(&here, "three loud herons leave the bay", new).await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/current_password"]);
    there.get("/v1/me").await.expect(200);
    assert_eq!(change(&here, PASSWORD, new).await.status, 204);
    here.get("/v1/me").await.expect(200);
    there.get("/v1/me").await.refused(401, "unauthenticated");
    let old = json!({"refresh_token": there.refresh});
    app.anyone().post("/v1/sessions/refresh", old).await.refused(401, "unauthenticated");
    try_in(&app, HOME, &here.email, PASSWORD).await.refused(401, "unauthenticated");
    app.sign_in(&here.email, new).await;
    assert_eq!(app.count("select from audit_entries where action = 'password.changed'").await, 1);
}

#[actix_web::test]
async fn a_password_that_others_would_guess_is_refused() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    let account = |password: &str| json!({"email": "odette.pierre@mission.example", "name": "Odette Pierre", "roles": ["investigator"], "password": password});
    for (password, why) in [
        ("short", "short"),
        ("", "empty"),
        ("password1234", "common"),
        ("123456789012", "common"),
        ("qwertyuiop12", "common"),
        ("iloveyou1234", "common"),
        ("aaaaaaaaaaaaaaaa", "repeated"),
        ("odette.pierre2026", "personal"),
        ("OdettePierre1", "personal"),
        ("temwenhaiti2026", "ours"),
        ("four calm\u{0}herons cross", "control characters"),
    ] {
        let answer = administrator.post("/v1/users", account(password)).await;
        assert_eq!(answer.status, 422, "{why}: {password}");
        assert_eq!(answer.refused(422, "invalid-request").faults(), ["/password"]);
        assert!(password.is_empty() || !answer.text.contains(password), "{why}");
    }
    let long = administrator.post("/v1/users", account(&"four calm herons ".repeat(20))).await;
    assert_eq!(long.refused(422, "invalid-request").faults(), ["/password"]);
    administrator.post("/v1/users", account("seven quiet boats under amber rain")).await.expect(201);
    let odette = app.sign_in("odette.pierre@mission.example", "seven quiet boats under amber rain").await;
    let answer = change(&odette, "seven quiet boats under amber rain", "odette.pierre2026").await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/new_password"]);
}
