//! Addresses, parameters and headers that nobody should send, and that somebody will.

use actix_web::http::Method;
use serde_json::json;
use temwen::auth::Role;

use crate::fixtures::{complaint, id, minor_case, submitted};
use crate::harness::{Answer, Caller, TestApp};

const NOBODY: &str = "0199c0de-0000-7000-8000-000000000000";

#[actix_web::test]
async fn an_address_that_is_not_there_says_so_in_the_same_words_as_one_that_is_hidden() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let hidden = triage.get(&format!("/v1/cases/{NOBODY}")).await;
    hidden.refused(404, "not-found");
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/complaints",
        "/v1/complaints/",
        "/V1/complaints",
        "/v1/cases/SECRET",
        "/v1/cases/%00",
        "/v1/complaints/1;drop%20table%20users",
        "/v1/cases/0199c0de",
        "/v1//complaints",
        "/v1/complaints/../users",
        "/.env",
        "/v1/cases/%F0%9F%92%A9",
        "/v1/cases/%ff",
        "/v1/users/0199c0de-0000-7000-8000-00000000000g",
    ] {
        let answer = triage.get(path).await;
        answer.refused(404, "not-found");
        assert_eq!(answer.body["detail"], hidden.body["detail"]);
        assert!(!answer.text.contains("SECRET"));
    }
}

#[actix_web::test]
async fn another_method_is_refused_with_those_there_are() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let tried = [
        (Method::DELETE, "/v1/complaints".to_owned(), "GET, POST"),
        (Method::PUT, format!("/v1/cases/{NOBODY}"), "GET"),
        (Method::GET, "/v1/sessions/current".to_owned(), "DELETE"),
        (Method::GET, "/v1/me/password".to_owned(), "PUT"),
        (Method::DELETE, format!("/v1/users/{NOBODY}"), "GET, PATCH"),
        (Method::TRACE, "/v1/policy".to_owned(), "GET"),
        (Method::from_bytes(b"SECRET").unwrap(), "/health".to_owned(), "GET"),
    ];
    for (method, path, allow) in tried {
        let answer = triage.send(triage.request(method, &path)).await;
        answer.refused(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
        assert!(!answer.text.contains("SECRET"));
    }
}

#[actix_web::test]
async fn parameters_that_are_wrong_are_all_named_and_never_repeated() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let cases: [(&str, &[&str]); 19] = [
        ("limit=0", &["limit"]),
        ("limit=201", &["limit"]),
        ("limit=-1", &["limit"]),
        ("limit=SECRET", &["limit"]),
        ("limit=", &["limit"]),
        ("limit=99999999999999999999", &["limit"]),
        ("SECRETS=1", &["SECRETS"]),
        ("limit=5&limit=6", &["limit"]),
        ("status=SECRET&limit=x&received_from=SECRET&more=1", &["status", "limit", "received_from", "more"]),
        ("status=SECRET", &["status"]),
        ("channel=SECRET", &["channel"]),
        ("category=SECRET&department=SECRET&language=SECRET", &["category", "department", "language"]),
        ("channel=%00", &["channel"]),
        ("channel=%ff", &["channel"]),
        ("received_from=2026-02-30T00:00:00Z", &["received_from"]),
        ("received_from=2026-03-01", &["received_from"]),
        ("after=SECRET", &["after"]),
        ("after=", &["after"]),
        ("after=%00%ff", &["after"]),
    ];
    for (query, pointers) in cases {
        let answer = triage.get(&format!("/v1/complaints?{}", query.replace(' ', "%20"))).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), pointers, "{query}");
        assert!(!answer.text.replace("SECRETS", "").contains("SECRET"), "{}", answer.text);
    }
    for query in ["name=%00", "name=", "name=SECRET", "name=%F0%9F%92%A9"] {
        assert_eq!(
            triage.get(&format!("/v1/deadlines?{query}")).await.refused(422, "invalid-request").faults(),
            ["name"]
        );
    }
    for query in ["stage=SECRET", "assignee=SECRET", "overdue=SECRET", "priority=%00", "country=%00"] {
        let name = query.split('=').next().unwrap();
        assert_eq!(
            triage.get(&format!("/v1/cases?{query}")).await.refused(422, "invalid-request").faults(),
            [name]
        );
    }
    for query in ["limit=1", "limit=200", "", "&", "status=received&limit=3"] {
        triage.get(&format!("/v1/complaints?{query}")).await.expect(200);
    }
}

#[actix_web::test]
async fn a_moment_beyond_what_the_database_knows_finds_nothing_or_is_refused() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    for list in [
        "/v1/complaints?received_from",
        "/v1/complaints?received_to",
        "/v1/cases?opened_from",
        "/v1/cases?opened_to",
        "/v1/deadlines?due_before",
    ] {
        for at in [
            "-262143-01-01T00:00:00Z",
            "%2B262142-12-31T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z",
        ] {
            let answer = triage.get(&format!("{list}={at}")).await;
            assert!([200, 422].contains(&answer.status), "{list} {at} {}", answer.text);
        }
    }
}

/// The cursor of the second page of a list that has one.
async fn cursor(caller: &Caller<'_>, list: &str) -> String {
    let page = caller.get(&format!("{list}?limit=1")).await;
    let next = page.body["next"].as_str().unwrap().to_owned();
    assert_eq!(page.header("link"), Some(format!("<{list}?limit=1&after={next}>; rel=\"next\"").as_str()));
    next
}

#[actix_web::test]
async fn a_cursor_is_good_for_its_own_list_and_unaltered() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        submitted(&app, complaint()).await;
    }
    let triage = app.signed_in(Role::TriageOfficer).await;
    let next = cursor(&triage, "/v1/complaints").await;
    let second = triage.get(&format!("/v1/complaints?limit=1&after={next}")).await.expect(200);
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    let refused = async |list: &str, cursor: &str| {
        let answer = triage.get(&format!("{list}?after={cursor}")).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), ["after"], "{cursor}");
        assert!(!answer.text.contains(&next));
    };
    refused("/v1/cases", &next).await;
    refused("/v1/complaints", &next[1..]).await;
    refused("/v1/complaints", &next[..next.len() - 1]).await;
    refused("/v1/complaints", &format!("{next}A")).await;
    for place in 0..next.len() {
        let other = if &next[place..=place] == "A" { "B" } else { "A" };
        let altered = format!("{}{other}{}", &next[..place], &next[place + 1..]);
        let answer = triage.get(&format!("/v1/complaints?after={altered}")).await;
        assert_eq!(answer.status, 422, "{place}");
    }
}

#[actix_web::test]
async fn a_header_that_stands_twice_is_refused_and_a_request_id_is_made_anew() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt = submitted(&app, complaint()).await;
    let path = format!("/v1/complaints/{}/acknowledgement", id(&receipt));
    let bearer = format!("Bearer {}", triage.token.as_ref().unwrap());
    let twice = async |name: &'static str, one: &str, other: &str| {
        let headers =
            [("Authorization", bearer.as_str()), ("If-Match", "\"1\""), ("Content-Type", "application/json")];
        let mut request = app.anyone().request(Method::POST, &path).set_payload("{}");
        for header in headers.into_iter().filter(|(each, _)| *each != name) {
            request = request.append_header(header);
        }
        app.anyone().send(request.append_header((name, one)).append_header((name, other))).await
    };
    twice("Authorization", &bearer, &bearer).await.refused(400, "malformed");
    twice("If-Match", "\"1\"", "\"2\"").await.refused(400, "malformed");
    twice("Content-Type", "application/json", "text/plain").await.refused(400, "malformed");
    let submit = app.anyone().request(Method::POST, "/v1/complaints").set_json(complaint());
    let submit = submit.append_header(("Idempotency-Key", "a")).append_header(("Idempotency-Key", "b"));
    app.anyone().send(submit).await.refused(400, "malformed");
    assert_eq!(app.count("select from complaints where acknowledged_at is not null").await, 0);

    let answer = twice("X-Request-Id", "one", "two").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let made = answer.header("x-request-id").unwrap();
    assert!(made != "one" && made != "two" && uuid::Uuid::parse_str(made).is_ok(), "{made}");
    let entries =
        app.rows("select request_id from audit_entries where action = 'complaint.acknowledged'").await;
    assert_eq!(entries[0]["request_id"], made);
}

#[actix_web::test]
async fn a_request_id_of_the_callers_own_is_kept_if_it_is_a_uuid() {
    let app = TestApp::start().await;
    let with = async |id: &str| {
        let request = app.anyone().request(Method::GET, "/health").insert_header(("X-Request-Id", id));
        app.anyone().send(request).await.header("x-request-id").unwrap().to_owned()
    };
    let uuid = "0199c0de-0000-7000-8000-000000000001";
    assert_eq!(with(uuid).await, uuid);
    // As some proxies write it.
    assert_eq!(with(&uuid.replace('-', "").to_uppercase()).await, uuid);
    let urn = format!("urn:uuid:{uuid}");
    for odd in
        ["", "a b", "a\"b", "<script>", "abc-1.2_3", &"a".repeat(65), "{{1}}", &urn, &format!("{{{uuid}}}")]
    {
        assert_ne!(with(odd).await, odd);
    }
}

#[actix_web::test]
async fn an_idempotency_key_is_1_to_255_plain_characters() {
    let app = TestApp::start().await;
    for bad in [String::new(), "a".repeat(256)] {
        app.anyone().post_keyed("/v1/complaints", &bad, complaint()).await.refused(400, "malformed");
    }
    app.anyone().post_keyed("/v1/complaints", &"a".repeat(255), complaint()).await.expect(201);
    let bytes = actix_web::http::header::HeaderValue::from_bytes(b"\xff").unwrap();
    let request = app.anyone().request(Method::POST, "/v1/complaints").set_json(complaint());
    app.anyone().send(request.insert_header(("Idempotency-Key", bytes))).await.refused(400, "malformed");
}

/// Acknowledges with whatever stands in `If-Match`.
async fn acknowledged(caller: &Caller<'_>, path: &str, seen: Option<&str>) -> Answer {
    let request = caller.request(Method::POST, path).set_json(json!({}));
    caller
        .send(seen.into_iter().fold(request, |request, seen| request.insert_header(("If-Match", seen))))
        .await
}

#[actix_web::test]
async fn a_change_needs_the_version_that_was_seen() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt = submitted(&app, complaint()).await;
    let path = format!("/v1/complaints/{}/acknowledgement", id(&receipt));
    acknowledged(&triage, &path, None).await.refused(428, "precondition-required");
    for other in [
        "*",
        "W/\"1\"",
        "1",
        "\"0\"",
        "\"2\"",
        "\"\"",
        "\"1\", \"2\"",
        "\"one\"",
        "\"99999999999\"",
        "\"-1\"",
        "'1'",
        "",
    ] {
        acknowledged(&triage, &path, Some(other)).await.refused(412, "stale");
    }
    assert_eq!(app.count("select from complaints where acknowledged_at is not null").await, 0);
    let answer = acknowledged(&triage, &path, Some("\"1\"")).await;
    assert_eq!((answer.status, answer.header("etag")), (200, Some("\"2\"")));
    acknowledged(&triage, &path, Some("\"1\"")).await.refused(412, "stale");
}

#[actix_web::test]
async fn p2_who_holds_a_version_already_gets_no_body_and_is_recorded_all_the_same() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let complaint = app.rows("select id from complaints").await[0]["id"].as_str().unwrap().to_owned();
    for (path, action) in [
        (format!("/v1/complaints/{complaint}"), "complaint.read"),
        (format!("/v1/cases/{}", id(&case)), "case.read"),
    ] {
        let recorded =
            async || app.count(&format!("select from audit_entries where action = '{action}'")).await;
        let first = triage.get(&path).await;
        let etag = first.header("etag").unwrap().to_owned();
        assert_eq!((first.status, recorded().await), (200, 1));
        let request = triage.request(Method::GET, &path).insert_header(("If-None-Match", etag.clone()));
        let second = triage.send(request).await;
        assert_eq!(
            (second.status, second.text.as_str(), second.header("etag")),
            (304, "", Some(etag.as_str()))
        );
        assert_eq!(recorded().await, 2);
        let request = triage.request(Method::GET, &path).insert_header(("If-None-Match", "\"77\""));
        assert_eq!(triage.send(request).await.status, 200);
    }
}
