//! Bodies that nobody should send, and that somebody will.

use actix_web::http::Method;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::fixtures::{complaint, id, submitted};
use crate::harness::{Answer, TestApp};

/// Sends these bytes as a complaint.
async fn sent(app: &TestApp, body: impl Into<Vec<u8>>) -> Answer {
    let anyone = app.anyone();
    let request = anyone.request(Method::POST, "/v1/complaints");
    anyone.send(request.insert_header(("Content-Type", "application/json")).set_payload(body.into())).await
}

/// Submits a complaint with these fields besides what it needs.
async fn submitted_with(app: &TestApp, fields: Value) -> Answer {
    let mut body = json!({"channel": "web_form", "narrative": "Yo pran telefòn mwen."});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    app.anyone().post("/v1/complaints", body).await
}

async fn nothing_was_stored(app: &TestApp) {
    assert_eq!(app.count("select from complaints").await, 0);
    assert_eq!(app.entries().await, 0);
}

#[actix_web::test]
async fn what_is_not_json_is_refused_as_unreadable() {
    let app = TestApp::start().await;
    let whole = complaint().to_string();
    let bodies = [
        String::new(),
        " \n".to_owned(),
        "{".to_owned(),
        "SECRET".to_owned(),
        "{'channel': 'SECRET'}".to_owned(),
        format!("{whole} SECRET"),
        format!("{whole}{whole}"),
        format!("\u{feff}{whole}"),
        whole.replace('}', ",}"),
        "{\"channel\": NaN}".to_owned(),
        "{\"channel\": 1e999}".to_owned(),
        format!("{{\"channel\": {}}}", "9".repeat(5000)),
        "{\"narrative\": \"\\ud800\"}".to_owned(),
    ];
    for body in bodies {
        let answer = sent(&app, body.clone()).await;
        answer.refused(400, "malformed");
        assert!(!answer.text.contains("SECRET"), "{}", answer.text);
    }
    for bytes in [
        &b"\xff\xfe"[..],
        b"{\"channel\": \"web_form\", \"narrative\": \"\xc3\x28\"}",
        b"{\"narrative\": \"\xed\xa0\x80\"}",
    ] {
        sent(&app, bytes).await.refused(400, "malformed");
    }
    nothing_was_stored(&app).await;
}

#[actix_web::test]
async fn json_that_is_no_object_is_refused() {
    let app = TestApp::start().await;
    for body in ["null", "[]", "\"SECRET\"", "17", "true", "[\"web_form\", \"SECRET\"]"] {
        let answer = sent(&app, body).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), [""]);
        assert!(!answer.text.contains("SECRET"));
    }
    nothing_was_stored(&app).await;
}

#[actix_web::test]
async fn nesting_ten_thousand_deep_is_refused_and_breaks_nothing() {
    let app = TestApp::start().await;
    let lists = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let objects = "{\"incident\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    for body in [
        lists(10_000),
        "[".repeat(100_000),
        objects,
        format!("{{\"victims\": {}}}", lists(10_000)),
        format!("{{\"channel\": \"web_form\", \"narrative\": \"x\", \"extra\": {}}}", lists(10_000)),
    ] {
        let answer = sent(&app, body).await;
        assert!([400, 422].contains(&answer.status), "{}", answer.text);
        answer.problem();
    }
    submitted(&app, complaint()).await;
}

#[actix_web::test]
async fn every_value_of_the_wrong_kind_is_named_at_once() {
    let app = TestApp::start().await;
    let body = json!({
        "channel": 1, "narrative": ["SECRET"], "language": {}, "submission_id": "SECRET", "captured_at": "SECRET",
        "incident": {"from": "2026-02-30", "to": 5, "precision": "SECRET", "SECRETS": 1},
        "victims": [{"name": 7}, "SECRET"], "consents": [{"purpose": "share_with_state", "granted": "SECRET"}],
        "allegations": [{}], "reporter": {"contact": {"phone": 509}}, "risk": "SECRET", "colour": "SECRET",
    });
    let answer = app.anyone().post("/v1/complaints", body).await;
    let mut faults = answer.refused(422, "invalid-request").faults();
    faults.sort_unstable();
    let wanted = [
        "/allegations/0/type",
        "/captured_at",
        "/channel",
        "/colour",
        "/consents/0/granted",
        "/incident/SECRETS",
        "/incident/from",
        "/incident/precision",
        "/incident/to",
        "/language",
        "/narrative",
        "/reporter/contact/phone",
        "/risk",
        "/submission_id",
        "/victims/0/name",
        "/victims/1",
    ];
    assert_eq!(faults, wanted);
    assert!(!answer.text.replace("/incident/SECRETS", "").contains("SECRET"), "{}", answer.text);
    nothing_was_stored(&app).await;
}

#[actix_web::test]
async fn every_value_that_makes_no_sense_is_named_at_once_and_none_is_repeated() {
    let app = TestApp::start().await;
    let body = json!({
        "channel": "SECRET_channel", "language": "SECRET", "narrative": " \n ", "reported_category": "SECRET",
        "incident": {"from": "2026-03-09", "to": "1899-12-31", "department": "SECRET", "commune": "SECRET\u{202e}"},
        "anonymity": "SECRET", "captured_at": "2031-01-01T00:00:00Z",
        "reporter": {"relation": "SECRET", "name": "", "contact": {"email": "SECRET"}},
        "victims": [{"sex": "SECRET", "age_band": "SECRET", "name": "SECRET\u{0}", "vulnerabilities": ["SECRET"]}],
        "subjects": [{"country": "SECRET", "rank": "SECRET\nSECRET", "description": "SECRET\u{0}"}],
        "allegations": [{"type": "SECRET"}], "consents": [{"purpose": "SECRET", "granted": true}],
        "risk": {"retaliation": "SECRET", "note": ""},
    });
    let answer = app.anyone().post("/v1/complaints", body).await;
    let mut faults = answer.refused(422, "invalid-request").faults();
    faults.sort_unstable();
    let wanted = [
        "/allegations/0/type",
        "/anonymity",
        "/captured_at",
        "/channel",
        "/consents/0/purpose",
        "/incident/commune",
        "/incident/department",
        "/incident/from",
        "/incident/to",
        "/language",
        "/narrative",
        "/reported_category",
        "/reporter/contact/email",
        "/reporter/name",
        "/reporter/relation",
        "/risk/note",
        "/risk/retaliation",
        "/subjects/0/country",
        "/subjects/0/description",
        "/subjects/0/rank",
        "/victims/0/age_band",
        "/victims/0/name",
        "/victims/0/sex",
        "/victims/0/vulnerabilities/0",
    ];
    assert_eq!(faults, wanted);
    assert!(!answer.text.contains("SECRET"), "{}", answer.text);
    nothing_was_stored(&app).await;
}

#[actix_web::test]
async fn a_field_that_stands_twice_is_refused_wherever_it_stands() {
    let app = TestApp::start().await;
    let answer =
        sent(&app, r#"{"channel": "web_form", "channel": "hotline", "narrative": "x", "narrative": "y"}"#)
            .await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/channel"]);
    let nested = r#"{"channel": "web_form", "narrative": "x", "victims": [{"name": "A"}, {"name": "B", "name": "C"}]}"#;
    assert_eq!(sent(&app, nested).await.refused(422, "invalid-request").faults(), ["/victims/1/name"]);
    nothing_was_stored(&app).await;
}

#[actix_web::test]
async fn impossible_days_are_refused_and_odd_ones_are_kept() {
    let app = TestApp::start().await;
    let from = async |day: &str| submitted_with(&app, json!({"incident": {"from": day}})).await;
    for day in [
        "2026-02-30",
        "2026-13-01",
        "3019-04-01",
        "2026-03-04",
        "1899-12-31",
        "0000-01-01",
        "-0001-01-01",
        "99999-01-01",
        "2026-3-1T",
        "01/02/2026",
        "",
        "yesterday",
        "2026-02-28T00:00:00Z",
    ] {
        assert_eq!(from(day).await.refused(422, "invalid-request").faults(), ["/incident/from"], "{day}");
    }
    for day in ["1900-01-01", "2024-02-29", "2026-03-03"] {
        assert_eq!(
            from(day).await.status,
            201,
            "{day}: today is the second of March, and the third somewhere"
        );
    }
    let captured = async |at: &str| submitted_with(&app, json!({"captured_at": at})).await;
    for at in [
        "3019-01-01T00:00:00Z",
        "2026-03-02T16:00:00Z",
        "+262142-01-01T00:00:00Z",
        "-262142-01-01T00:00:00Z",
        "-4800-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "2026-03-01",
        "2026-03-01T00:00:00",
    ] {
        assert_eq!(captured(at).await.refused(422, "invalid-request").faults(), ["/captured_at"], "{at}");
    }
    for at in ["2026-03-01T23:59:60Z", "2026-03-01T12:00:00.123456789-05:00", "1900-01-01T00:00:00Z"] {
        assert_eq!(captured(at).await.status, 201, "{at}");
    }
}

#[actix_web::test]
async fn p6_words_are_kept_to_the_byte_and_names_may_not_pose_as_others() {
    let app = TestApp::start().await;
    let intake = app.signed_in(Role::TriageOfficer).await;
    let texts = [
        "  De l'eau\r\n\ttab, \u{202e}txet desrever\u{202c}, \u{feff}BOM, e\u{301} ≠ é, 👩🏾‍⚖️, \u{1}\u{7f}\u{85}\u{2028} \n",
        "'; drop table complaints; -- \" or 1=1 /* $1 $$ %s %n \\x00 \\",
        "{{7*7}} ${jndi:ldap://x} <script>alert(1)</script> #{1} <%= 1 %> {% raw %} ../../etc/passwd",
        "\u{10ffff}\u{fffd}\u{e000}",
    ];
    for text in texts {
        let receipt = submitted_with(
            &app,
            json!({"narrative": text, "victims": [{"name": "Robert'); drop table users;--"}]}),
        )
        .await
        .expect(201);
        let read = intake.get(&format!("/v1/complaints/{}", id(&receipt))).await.expect(200);
        assert_eq!(read["narrative"], text);
        let victim =
            read["parties"].as_array().unwrap().iter().find(|party| party["role"] == "victim").unwrap();
        let path = format!(
            "/v1/complaints/{}/parties/{}/reveal",
            id(&receipt),
            victim["pseudonym"].as_str().unwrap()
        );
        let told =
            intake.post(&path, json!({"purpose": "record", "reason": "To read the name."})).await.expect(200);
        assert_eq!(told["identity"]["name"], "Robert'); drop table users;--");
    }
    for name in [
        "\u{202e}eiraM",
        "Marie\u{0}",
        "Marie\nJean",
        "\u{feff}Marie",
        "Marie\u{2066}",
        &"é".repeat(201),
        "   ",
    ] {
        let answer = submitted_with(&app, json!({"reporter": {"name": name}})).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), ["/reporter/name"], "{name:?}");
    }
    submitted_with(&app, json!({"reporter": {"name": "é".repeat(200)}})).await.expect(201);
    let answer = submitted_with(&app, json!({"narrative": "before\u{0}after"})).await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/narrative"]);
}

#[actix_web::test]
async fn sixty_four_kibibytes_are_taken_and_one_byte_more_is_not() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    for most in ["a".repeat(65536), "é".repeat(32768), "\u{1}".repeat(65536)] {
        let receipt = submitted_with(&app, json!({"narrative": most})).await.expect(201);
        let read = triage.get(&format!("/v1/complaints/{}", id(&receipt))).await.expect(200);
        assert!(read["narrative"] == most);
    }
    for more in ["a".repeat(65537), "é".repeat(32768) + "a"] {
        let answer = submitted_with(&app, json!({"narrative": more})).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), ["/narrative"]);
    }
    let receipt = submitted(&app, complaint()).await;
    let reporter = app.reporter(&receipt).await;
    reporter.post("/v1/reporter/messages", json!({"text": "a".repeat(65536)})).await.expect(201);
    let answer = reporter.post("/v1/reporter/messages", json!({"text": "a".repeat(65537)})).await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/text"]);
}

#[actix_web::test]
async fn ten_megabytes_are_too_large_whether_announced_or_not() {
    let app = TestApp::start().await;
    let body = format!("{{\"channel\": \"web_form\", \"narrative\": \"{}\"}}", "a".repeat(10 << 20));
    sent(&app, body.clone()).await.refused(413, "too-large");
    let anyone = app.anyone();
    let announced = anyone
        .request(Method::POST, "/v1/complaints")
        .insert_header(("Content-Type", "application/json"))
        .insert_header(("Content-Length", body.len().to_string()))
        .set_payload(body);
    anyone.send(announced).await.refused(413, "too-large");
    nothing_was_stored(&app).await;
}

#[actix_web::test]
async fn fifty_victims_are_taken_and_fifty_one_are_not() {
    let app = TestApp::start().await;
    for field in ["victims", "subjects", "witnesses"] {
        let people = |n: usize| json!({field: vec![json!({"name": "Somebody"}); n]});
        submitted_with(&app, people(50)).await.expect(201);
        let answer = submitted_with(&app, people(51)).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), [format!("/{field}")]);
    }
    let many = json!({"victims": [{"vulnerabilities": vec!["child"; 51]}]});
    assert_eq!(
        submitted_with(&app, many).await.refused(422, "invalid-request").faults(),
        ["/victims/0/vulnerabilities"]
    );
}

#[actix_web::test]
async fn only_json_is_read() {
    let app = TestApp::start().await;
    let anyone = app.anyone();
    let as_kind = async |kind: Option<&str>| {
        let request = anyone.request(Method::POST, "/v1/complaints").set_payload(complaint().to_string());
        anyone
            .send(
                kind.into_iter().fold(request, |request, kind| request.append_header(("Content-Type", kind))),
            )
            .await
    };
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data"),
        Some("json"),
        Some(""),
    ] {
        as_kind(kind).await.refused(415, "unsupported-media");
    }
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
    ] {
        assert_eq!(as_kind(Some(kind)).await.status, 201, "{kind}");
    }
}
