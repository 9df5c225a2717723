//! Tokens that are old, forged, stolen or in the wrong place.

use actix_web::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::TimeDelta;
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::auth::credentials::{Claims, Keys, Tokens};

use crate::fixtures::{complaint, submitted};
use crate::harness::{Answer, Caller, TestApp};

/// What the caller's token says.
fn claims(caller: &Caller<'_>) -> Claims {
    let payload = caller.token.as_ref().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap()
}

async fn with_token(app: &TestApp, token: &str) -> Answer {
    Caller { token: Some(token.to_owned()), ..app.anyone() }.get("/v1/me").await
}

async fn refused(app: &TestApp, token: &str) {
    let answer = with_token(app, token).await;
    answer.refused(401, "unauthenticated");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    assert!(token.len() < 8 || !answer.text.contains(token));
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anyone().post("/v1/sessions/refresh", json!({"refresh_token": token})).await
}

#[actix_web::test]
async fn a_token_is_good_for_five_minutes() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    app.wait(TimeDelta::seconds(299));
    officer.get("/v1/me").await.expect(200);
    app.wait(TimeDelta::seconds(1));
    officer.get("/v1/me").await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn a_forged_token_is_refused_however_it_was_made() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let good = officer.token.clone().unwrap();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let keys = app.anyone().get("/.well-known/jwks.json").await.expect(200);
    let (kid, public) = (keys["keys"][0]["kid"].clone(), keys["keys"][0]["x"].as_str().unwrap().to_owned());
    let encode = |value: Value| BASE64.encode(value.to_string());
    let mac = |header: &str| {
        let message = format!("{header}.{payload}");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &BASE64.decode(&public).unwrap());
        format!("{message}.{}", BASE64.encode(aws_lc_rs::hmac::sign(&key, message.as_bytes())))
    };
    let mut raised: Value = serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap();
    raised["roles"] = json!(["administrator"]);

    // Another register's key, under our key's name and under its own.
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = Tokens::new(&Keys::open_or_create(elsewhere.path(), None).unwrap())
        .unwrap()
        .issue(&claims(&officer))
        .unwrap();
    let foreign_parts: Vec<&str> = foreign.split('.').collect();

    for token in [
        foreign.clone(),
        format!("{header}.{}.{}", foreign_parts[1], foreign_parts[2]),
        format!("{}.{payload}.", encode(json!({"alg": "none", "typ": "JWT"}))),
        format!("{}.{payload}.", encode(json!({"alg": "none", "typ": "JWT", "kid": kid}))),
        format!("{}.{payload}.{signature}", encode(json!({"alg": "None", "kid": kid}))),
        mac(&encode(json!({"alg": "HS256", "typ": "JWT", "kid": kid}))),
        format!(
            "{}.{payload}.{signature}",
            encode(json!({"alg": "EdDSA", "typ": "JWT", "kid": "../../keys"}))
        ),
        format!("{}.{payload}.{signature}", encode(json!({"alg": "EdDSA", "jwk": keys["keys"][0]}))),
        format!("{header}.{}.{signature}", encode(raised)),
        good[..good.len() - 1].to_owned(),
        good[..good.len() / 2].to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{good}A"),
        format!("{good}.{signature}"),
        "a".repeat(100_000),
        "..".to_owned(),
        "null".to_owned(),
        String::new(),
    ] {
        refused(&app, &token).await;
    }
    with_token(&app, &good).await.expect(200);
    for scheme in ["Basic", "Token", "Bearer"] {
        let value = if scheme == "Bearer" { "Bearer".to_owned() } else { format!("{scheme} {good}") };
        let request = app.anyone().request(Method::GET, "/v1/me").insert_header(("Authorization", value));
        app.anyone().send(request).await.refused(401, "unauthenticated");
    }
}

#[actix_web::test]
async fn a_token_from_the_future_or_for_a_session_that_never_was_is_refused() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let own = claims(&officer);
    let now = own.iat;
    let issue = |claims: Claims| app.temwen.tokens.issue(&claims).unwrap();
    refused(&app, &issue(Claims { iat: now + 3600, exp: now + 7200, ..own.clone() })).await;
    refused(&app, &issue(Claims { sid: uuid::Uuid::now_v7(), ..own.clone() })).await;
    refused(&app, &issue(Claims { sub: uuid::Uuid::now_v7(), ..own.clone() })).await;
    refused(&app, &issue(Claims { rv: own.rv + 1, ..own.clone() })).await;
    refused(&app, &issue(Claims { rv: i64::MAX, ..own.clone() })).await;
    // Somebody else's session.
    let other = app.signed_in(Role::Investigator).await;
    refused(&app, &issue(Claims { sid: claims(&other).sid, ..own })).await;
}

#[actix_web::test]
async fn a_reporters_token_opens_no_officers_door_and_the_reverse() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, complaint()).await;
    let reporter = app.reporter(&receipt).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    for path in ["/v1/me", "/v1/complaints", "/v1/cases", "/v1/sessions", "/v1/users", "/v1/deadlines"] {
        reporter.get(path).await.refused(401, "unauthenticated");
        app.anyone().get(path).await.refused(401, "unauthenticated");
    }
    for path in ["/v1/reporter/complaint", "/v1/reporter/messages"] {
        triage.get(path).await.refused(401, "unauthenticated");
        app.anyone().get(path).await.refused(401, "unauthenticated");
    }
    triage.post("/v1/reporter/messages", json!({"text": "x"})).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn whoever_is_deactivated_is_out_at_once() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt = submitted(&app, complaint()).await;
    let path = format!("/v1/users/{}/deactivation", triage.id.unwrap());
    administrator.post_seen(&path, 1, json!({"reason": "left the mission"})).await.expect(200);
    let complaint = format!("/v1/complaints/{}", receipt["id"].as_str().unwrap());
    for path in ["/v1/me", "/v1/complaints", "/v1/cases", &complaint] {
        triage.get(path).await.refused(401, "unauthenticated");
    }
    triage.post("/v1/complaints", crate::fixtures::complaint()).await.refused(401, "unauthenticated");
    let acknowledge = format!("{complaint}/acknowledgement");
    triage.post_seen(&acknowledge, 1, json!({})).await.refused(401, "unauthenticated");
    refresh(&app, triage.refresh.as_ref().unwrap()).await.refused(401, "unauthenticated");
    let again = json!({"email": triage.email, "password": crate::harness::PASSWORD});
    app.anyone().post("/v1/sessions", again).await.refused(401, "unauthenticated");
    administrator
        .post_seen(&path, 2, json!({"reason": "left the mission"}))
        .await
        .refused(409, "wrong-moment");
}

#[actix_web::test]
async fn after_a_change_of_rights_the_old_token_is_refused_and_refreshing_gives_the_new_rights() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    let officer = app.signed_in(Role::TriageOfficer).await;
    officer.get("/v1/cases").await.expect(200);
    let path = format!("/v1/users/{}", officer.id.unwrap());
    let request = administrator.request(Method::PATCH, &path).insert_header(("If-Match", "\"1\""));
    administrator.send(request.set_json(json!({"roles": ["intake_officer"]}))).await.expect(200);
    officer.get("/v1/cases").await.refused(401, "unauthenticated");
    let pair = refresh(&app, officer.refresh.as_ref().unwrap()).await.expect(201);
    let renewed = Caller { token: pair["access_token"].as_str().map(str::to_owned), ..officer };
    renewed.get("/v1/complaints").await.expect(200);
    renewed.get("/v1/cases").await.refused(403, "forbidden");
}

#[actix_web::test]
async fn after_signing_out_neither_token_is_worth_anything() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let elsewhere = app.sign_in(&officer.email, crate::harness::PASSWORD).await;
    assert_eq!(officer.delete("/v1/sessions/current").await.status, 204);
    officer.get("/v1/me").await.refused(401, "unauthenticated");
    officer.delete("/v1/sessions/current").await.refused(401, "unauthenticated");
    refresh(&app, officer.refresh.as_ref().unwrap()).await.refused(401, "unauthenticated");
    elsewhere.get("/v1/me").await.expect(200);
}

#[actix_web::test]
async fn one_session_is_ended_from_another_and_nobody_elses_can_be() {
    let app = TestApp::start().await;
    let here = app.signed_in(Role::Investigator).await;
    let there = app.sign_in(&here.email, crate::harness::PASSWORD).await;
    let stranger = app.signed_in(Role::Investigator).await;
    let path = format!("/v1/sessions/{}", claims(&there).sid);
    stranger.delete(&path).await.refused(404, "not-found");
    assert_eq!(here.delete(&path).await.status, 204);
    here.delete(&path).await.refused(404, "not-found");
    there.get("/v1/me").await.refused(401, "unauthenticated");
    let left = here.get("/v1/sessions").await.expect(200);
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_refresh_token_that_comes_again_ends_the_whole_family_and_is_remembered_as_theft() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let stolen = officer.refresh.clone().unwrap();
    let pair = refresh(&app, &stolen).await.expect(201);
    let renewed = Caller { token: pair["access_token"].as_str().map(str::to_owned), ..officer.clone() };
    renewed.get("/v1/me").await.expect(200);
    refresh(&app, &stolen).await.refused(401, "unauthenticated");
    renewed.get("/v1/me").await.refused(401, "unauthenticated");
    officer.get("/v1/me").await.refused(401, "unauthenticated");
    refresh(&app, pair["refresh_token"].as_str().unwrap()).await.refused(401, "unauthenticated");
    let thefts = app.rows("select * from audit_entries where action = 'session.stolen'").await;
    assert_eq!(thefts.len(), 1);
    assert_eq!(thefts[0]["object_id"], claims(&officer).sid.to_string());
    app.sign_in(&officer.email, crate::harness::PASSWORD).await;
}

#[actix_web::test]
async fn a_refresh_token_that_is_none_is_refused_and_ends_nothing() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let own = officer.refresh.clone().unwrap();
    for token in [
        "",
        "x",
        &own[1..],
        &own[..own.len() - 1],
        officer.token.as_ref().unwrap(),
        &"a".repeat(10_000),
        "\u{0}",
        "é",
    ] {
        refresh(&app, token).await.refused(401, "unauthenticated");
    }
    refresh(&app, &own).await.expect(201);
}

#[actix_web::test]
async fn of_two_refreshes_at_once_one_goes_well_and_the_family_ends() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let token = officer.refresh.clone().unwrap();
    let (one, other) = futures_util::join!(refresh(&app, &token), refresh(&app, &token));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
    officer.get("/v1/me").await.refused(401, "unauthenticated");
    assert_eq!(app.count("select from audit_entries where action = 'session.stolen'").await, 1);
}

#[actix_web::test]
async fn a_session_lives_twelve_hours_unused_and_fourteen_days_at_most() {
    let app = TestApp::start().await;
    let idle = app.signed_in(Role::Investigator).await;
    let busy = app.signed_in(Role::Investigator).await;
    let mut token = busy.refresh.clone().unwrap();
    let renew = async |token: &str| {
        refresh(&app, token).await.expect(201)["refresh_token"].as_str().unwrap().to_owned()
    };
    app.wait(TimeDelta::hours(12));
    refresh(&app, idle.refresh.as_ref().unwrap()).await.refused(401, "unauthenticated");
    let busy = app.sign_in(&busy.email, crate::harness::PASSWORD).await;
    token.clone_from(busy.refresh.as_ref().unwrap());
    for _ in 0..30 {
        app.wait(TimeDelta::hours(11));
        token = renew(&token).await;
    }
    app.wait(TimeDelta::hours(6));
    refresh(&app, &token).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn a_token_that_ran_out_does_not_stand_in_the_way_of_a_new_one() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let receipt = submitted(&app, complaint()).await;
    app.wait(TimeDelta::minutes(10));
    officer.get("/v1/me").await.refused(401, "unauthenticated");
    officer.post("/v1/sessions/refresh", json!({"refresh_token": officer.refresh})).await.expect(201);
    officer
        .post("/v1/sessions", json!({"email": officer.email, "password": crate::harness::PASSWORD}))
        .await
        .expect(201);
    let thread = json!({"reference": receipt["reference"], "access_code": receipt["access_code"]});
    officer.post("/v1/reporter/sessions", thread).await.expect(201);
    // But what an officer hands in is not quietly taken for somebody else's.
    officer.post("/v1/complaints", complaint()).await.refused(401, "unauthenticated");
}
