//! The channel itself: what is asked for in a flood, and what every answer says to whoever passes it on.

use std::time::Instant;

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use temwen::auth::Role;
use temwen::temwen::Front;

use crate::fixtures::{complaint, submitted};
use crate::harness::{Answer, Caller, Made, TestApp};

/// A Temwen that takes so many complaints in ten seconds as they are.
async fn app(work_above: u32) -> TestApp {
    let front = Front { work_above, work_bits: 8, ..Front::default() };
    TestApp::start_with(Made { front, ..Made::default() }).await
}

/// How many zero bits a proof's digest begins with.
fn zero_bits(proof: &str) -> u32 {
    let digest = Sha256::digest(proof.as_bytes());
    let head = u128::from_be_bytes(digest[..16].try_into().unwrap());
    head.leading_zeros()
}

/// A proof with at least, or with fewer than, so many bits.
fn proof(challenge: &str, bits: u32, enough: bool) -> String {
    let mut all = (0_u32..1_000_000).map(|nonce| format!("{challenge}.{nonce}"));
    all.find(|proof| (zero_bits(proof) >= bits) == enough).unwrap()
}

/// The work that an answer asks for, done.
fn done(answer: &Answer) -> String {
    answer.refused(429, "work-required");
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let bits = answer.body["bits"].as_u64().unwrap();
    proof(answer.body["challenge"].as_str().unwrap(), u32::try_from(bits).unwrap(), true)
}

async fn with_proof(caller: &Caller<'_>, path: &str, body: Value, proof: &str) -> Answer {
    let request = caller.request(Method::POST, path).insert_header(("X-Proof-Of-Work", proof));
    caller.send(request.set_json(body)).await
}

async fn submit_with(app: &TestApp, proof: &str) -> Answer {
    with_proof(&app.anyone(), "/v1/complaints", complaint(), proof).await
}

#[actix_web::test]
async fn in_a_flood_whoever_works_comes_in_at_once_and_whoever_waits_comes_in() {
    let app = app(3).await;
    for _ in 0..3 {
        submitted(&app, complaint()).await;
    }
    let asked = app.anyone().post("/v1/complaints", complaint()).await;
    assert_eq!(asked.body["bits"], 8);
    let work = done(&asked);
    submit_with(&app, &work).await.expect(201);
    // The work of others takes nobody's place: a third of ten seconds later there is room for one who did none.
    app.wait(TimeDelta::seconds(4));
    submitted(&app, complaint()).await;
    app.anyone().post("/v1/complaints", complaint()).await.refused(429, "work-required");
    // However long it lasts and however many press, some always come in.
    let mut came = 0;
    for _ in 0..30 {
        app.wait(TimeDelta::seconds(1));
        for _ in 0..3 {
            let answer = app.anyone().post("/v1/complaints", complaint()).await;
            came += i32::from(answer.status == 201);
            assert!([201, 429].contains(&answer.status), "{}", answer.text);
        }
    }
    assert!((8..=10).contains(&came), "{came}");
    assert_eq!(app.count("select from complaints").await, 3 + 1 + 1 + i64::from(came));
}

#[actix_web::test]
async fn an_officer_is_not_asked_for_work() {
    let app = app(1).await;
    submitted(&app, complaint()).await;
    app.anyone().post("/v1/complaints", complaint()).await.refused(429, "work-required");
    let focal_point = app.signed_in(Role::FocalPoint).await;
    for _ in 0..3 {
        focal_point.post("/v1/complaints", complaint()).await.expect(201);
    }
    // Saying so is not enough.
    let liar = Caller { token: Some("eyJ.eyJ.x".to_owned()), ..app.anyone() };
    liar.post("/v1/complaints", complaint()).await.refused(401, "unauthenticated");
    // Nothing else is held up.
    app.anyone().get("/v1/policy").await.expect(200);
    focal_point.get("/v1/complaints").await.expect(200);
}

#[actix_web::test]
async fn a_bad_proof_of_work_is_none() {
    let app = app(1).await;
    submitted(&app, complaint()).await;
    let ask = async || app.anyone().post("/v1/complaints", complaint()).await;
    let first = ask().await;
    let good = done(&first);
    let challenge = first.body["challenge"].as_str().unwrap();
    let lazy = proof(challenge, 8, false);
    let foreign = format!("{}A.1", &challenge[1..]);
    let huge = format!("{challenge}.{}", "7".repeat(6000));
    for (bad, why) in [
        ("", "not one of our challenges"),
        ("1", "not one of our challenges"),
        (challenge, "not one of our challenges"),
        ("a b.c d", "not one of our challenges"),
        (huge.as_str(), "not one of our challenges"),
        (foreign.as_str(), "was not made here"),
        (lazy.as_str(), "less work than"),
    ] {
        let refused = submit_with(&app, bad).await;
        refused.refused(429, "work-required");
        assert!(refused.body["detail"].as_str().unwrap().contains(why), "{bad:?} {}", refused.text);
        // It says what would do instead.
        done(&refused);
    }
    let twice = app.anyone().request(Method::POST, "/v1/complaints").set_json(complaint());
    let twice = twice.append_header(("X-Proof-Of-Work", "a")).append_header(("X-Proof-Of-Work", "b"));
    app.anyone().send(twice).await.refused(400, "malformed");
    // Good once.
    submit_with(&app, &good).await.expect(201);
    let again = submit_with(&app, &good).await;
    assert!(again.refused(429, "work-required").text.contains("used before"));
    // Good for five minutes.
    let late = done(&again);
    app.wait(TimeDelta::seconds(301));
    submitted(&app, complaint()).await;
    let late = submit_with(&app, &late).await;
    assert!(late.refused(429, "work-required").text.contains("expired"));
    // Good for what it was asked for: it opens no thread. There, without a flood, nobody asks for any.
    let work = done(&late);
    let receipt = app.rows("select reference from complaints limit 1").await;
    let code = json!({"reference": receipt[0]["reference"], "access_code": "7XK2M-Q9DTR-4HWPC-JE8VN"});
    with_proof(&app.anyone(), "/v1/reporter/sessions", code, &work).await.refused(401, "unauthenticated");
    submit_with(&app, &work).await.expect(201);
}

#[actix_web::test]
async fn whoever_does_the_work_opens_their_thread_although_somebody_guesses() {
    let app = app(0).await;
    let receipt = submitted(&app, complaint()).await;
    let reference = receipt["reference"].as_str().unwrap();
    // Somebody tries codes, all at once.
    for _ in 0..40 {
        drop(app.temwen.slowdown.delay(reference, None, Instant::now()));
    }
    let body = json!({"reference": reference, "access_code": receipt["access_code"]});
    let asked = app.anyone().post("/v1/reporter/sessions", body.clone()).await;
    asked.refused(429, "work-required");
    let bits = u32::try_from(asked.body["bits"].as_u64().unwrap()).unwrap();
    let work = proof(asked.body["challenge"].as_str().unwrap(), bits, true);
    with_proof(&app.anyone(), "/v1/reporter/sessions", body.clone(), &work).await.expect(201);
    with_proof(&app.anyone(), "/v1/reporter/sessions", body, &work).await.refused(429, "work-required");
    // Work proves no code.
    let asked = app
        .anyone()
        .post("/v1/reporter/sessions", json!({"reference": reference, "access_code": receipt["access_code"]}))
        .await;
    let work = proof(asked.body["challenge"].as_str().unwrap(), bits, true);
    let wrong = json!({"reference": reference, "access_code": "7XK2M-Q9DTR-4HWPC-JE8VN"});
    with_proof(&app.anyone(), "/v1/reporter/sessions", wrong, &work).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn every_answer_says_that_it_is_for_nobody_else() {
    let app = app(1).await;
    submitted(&app, complaint()).await;
    let auditor = app.signed_in(Role::Auditor).await;
    for answer in [
        app.anyone().get("/health").await,
        app.anyone().get("/v1/policy").await,
        app.anyone().get("/v1/nothing").await,
        app.anyone().post("/v1/complaints", json!("no")).await,
        app.anyone().post("/v1/complaints", complaint()).await,
        auditor.get("/v1/cases").await,
        app.anyone().get("/docs/").await,
    ] {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} {}", answer.text);
        }
        for name in ["content-security-policy", "permissions-policy"] {
            assert!(
                answer.header(name).is_some_and(|value| value.contains("'none'") || value.contains("=()")),
                "{name}"
            );
        }
        // Without TLS that would be a lie, and who we are is nobody's business.
        for name in ["strict-transport-security", "server", "x-powered-by"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
    }
}

#[actix_web::test]
async fn no_address_gets_into_the_record_by_way_of_a_requests_id() {
    let app = app(0).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt = submitted(&app, complaint()).await;
    let path = format!("/v1/complaints/{}", receipt["id"].as_str().unwrap());
    for id in [
        "203.0.113.77",
        "203-0-113-77",
        "marie@example.org",
        "CB00714D:C350_0A000001:0050",
        "Marie_Exemple",
        "2001db8",
    ] {
        let request = triage.request(Method::GET, &path).insert_header(("X-Request-Id", id));
        let answer = triage.send(request).await;
        assert_ne!(answer.header("x-request-id").unwrap(), id);
    }
    let ids = app.rows("select request_id from audit_entries where action = 'complaint.read'").await;
    assert_eq!(ids.len(), 6);
    for id in ids {
        uuid::Uuid::try_parse(id["request_id"].as_str().unwrap()).unwrap();
    }
}
