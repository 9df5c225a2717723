//! What is kept how long, and what holds it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::fixtures::{case_from, complaint, grave_complaint, id, submitted};
use crate::harness::{Caller, TestApp};

/// A case that is over, grown from a complaint that was read; of this category, which needs no second officer.
pub async fn over(app: &TestApp, category: &str) -> Value {
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt = submitted(app, complaint()).await;
    triage.get(&format!("/v1/complaints/{}", id(&receipt))).await.expect(200);
    let path = format!("/v1/complaints/{}/assessment", id(&receipt));
    let body = json!({"decision": "open_case", "category": category, "priority": "routine", "reason": "To be looked at."});
    let case = triage.post_seen(&path, 1, body).await.expect(201);
    close(&triage, id(&case), 1).await;
    json!({"case": case["id"], "number": case["number"], "complaint": receipt["id"], "receipt": receipt})
}

pub async fn close(triage: &Caller<'_>, case: &str, version: i64) {
    let body = json!({"step": "close", "closure_reason": "not_misconduct", "reason": "It would be none even if true."});
    triage.post_seen(&format!("/v1/cases/{case}/transitions"), version, body).await.expect(200);
}

/// A complaint that was read and closed without a case.
pub async fn closed_complaint(app: &TestApp) -> Value {
    let triage = app.signed_in(Role::TriageOfficer).await;
    let mut body = complaint();
    body["reported_category"] = json!("out_of_scope");
    let receipt = submitted(app, body).await;
    triage.get(&format!("/v1/complaints/{}", id(&receipt))).await.expect(200);
    let body = json!({"decision": "close", "closure_reason": "not_misconduct", "reason": "A matter of the market's own police."});
    triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&receipt)), 1, body).await.expect(200);
    receipt
}

fn reason() -> Value {
    json!({"reason": "The High Court asked for it."})
}

/// The names in a page of what falls due.
fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn what_will_fall_due_is_listed_with_its_class_and_its_day() {
    let app = TestApp::start().await;
    let scope = over(&app, "out_of_scope").await;
    app.wait(TimeDelta::minutes(1));
    let minor = over(&app, "minor_misconduct").await;
    app.wait(TimeDelta::minutes(1));
    let alone = closed_complaint(&app).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    // A year is longer than ninety days.
    assert_eq!(names(&monitor.get("/v1/retention/due").await.expect(200)), Vec::<&str>::new());
    let year = monitor.get("/v1/retention/due?within_days=365").await.expect(200);
    assert_eq!(names(&year), [&scope["number"], &alone["reference"]]);
    let first = &year["items"][0];
    assert_eq!((&first["class"], &first["years"]), (&json!("out_of_scope"), &json!(1)));
    assert_eq!((&first["case_id"], &first["complaint_id"]), (&scope["case"], &Value::Null));
    assert_eq!((&first["due_at"], &first["waits_for"]), (&json!("2027-03-02T14:00:00Z"), &Value::Null));
    assert_eq!((&first["held"], &first["erasure_id"]), (&json!(false), &Value::Null));
    assert_eq!(year["items"][1]["complaint_id"], alone["id"]);
    // Of those accused in the minor case nobody knows whether they serve: it is shown, and never falls due by itself.
    let years = monitor.get("/v1/retention/due?within_days=1830").await.expect(200);
    assert_eq!(names(&years), [&scope["number"], &minor["number"], &alone["reference"]]);
    let waits = &years["items"][1];
    assert_eq!((&waits["class"], &waits["due_at"]), (&json!("standard"), &Value::Null));
    assert_eq!(waits["waits_for"], "end_of_service");
    // Page by page it is the same.
    let mut paged: Vec<String> = Vec::new();
    let mut path = "/v1/retention/due?within_days=1830&limit=1".to_owned();
    loop {
        let page = monitor.get(&path).await.expect(200);
        paged.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/retention/due?within_days=1830&limit=1&after={next}");
    }
    assert_eq!(paged, names(&years));
    for (query, pointer) in [
        ("within_days=-1", "within_days"),
        ("within_days=36526", "within_days"),
        ("within_days=soon", "within_days"),
        ("days=1", "days"),
        ("limit=0", "limit"),
        ("after=x", "after"),
    ] {
        let refused = monitor.get(&format!("/v1/retention/due?{query}")).await;
        refused.refused(422, "invalid-request");
        assert_eq!(refused.faults(), [pointer], "{query}");
    }
}

#[actix_web::test]
async fn p3_what_falls_due_is_listed_only_for_those_who_may_know_of_it() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let walled = app.signed_in(Role::OhchrMonitor).await;
    let wall = json!({"user_id": walled.id.unwrap().uuid(), "reason": "They know each other."});
    triage.post(&format!("/v1/cases/{}/walls", case["case"].as_str().unwrap()), wall).await.expect(204);
    let psea = app.signed_in(Role::PseaCoordinator).await;
    let liaison = app.signed_in(Role::LegalLiaison).await;
    let all = "/v1/retention/due?within_days=400";
    for (who, sees) in [(&triage, 1), (&walled, 0), (&psea, 0), (&liaison, 0)] {
        assert_eq!(names(&who.get(all).await.expect(200)).len(), sees);
    }
    for role in [Role::Investigator, Role::Administrator, Role::Auditor, Role::StatisticsOfficer] {
        app.signed_in(role).await.get(all).await.refused(403, "forbidden");
    }
}

#[actix_web::test]
async fn a_hold_is_set_by_one_and_ended_by_another() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    let path = format!("/v1/cases/{}/holds", case["case"].as_str().unwrap());
    let one = app.signed_in(Role::OhchrMonitor).await;
    let other = app.signed_in(Role::OhchrMonitor).await;
    let set = one.post(&path, reason()).await;
    assert_eq!((set.status, set.header("etag")), (201, Some("\"1\"")));
    let hold = set.body;
    assert_eq!((&hold["case_id"], &hold["reason"]), (&case["case"], &json!("The High Court asked for it.")));
    assert_eq!((&hold["ended_at"], &hold["complaint_id"]), (&Value::Null, &Value::Null));
    let due = one.get("/v1/retention/due?within_days=400").await.expect(200);
    assert_eq!(due["items"][0]["held"], true);
    // What stands in the database tells nothing.
    let stored = app.rows("select encode(reason, 'escape') as text from legal_holds").await;
    assert!(!stored[0].to_string().contains("Court"), "{stored:?}");

    let end = format!("/v1/holds/{}/end", id(&hold));
    let told = json!({"reason": "The proceedings are over."});
    one.post_seen(&end, 1, told.clone()).await.refused(403, "forbidden");
    other.post_seen(&end, 2, told.clone()).await.refused(412, "stale");
    other.post(&end, told.clone()).await.refused(428, "precondition-required");
    let ended = other.post_seen(&end, 1, told.clone()).await.expect(200);
    assert_eq!((&ended["ended_by"], &ended["version"]), (&json!(other.id.unwrap().uuid()), &json!(2)));
    assert_eq!((&ended["reason"], &ended["end_reason"]), (&hold["reason"], &told["reason"]));
    other.post_seen(&end, 2, told.clone()).await.refused(409, "wrong-moment");
    other.post_seen(&end, 1, told.clone()).await.refused(412, "stale");
    // Whoever set it still may not, although there is nothing left to end.
    one.post_seen(&end, 2, told).await.refused(403, "forbidden");

    let again = one.post(&path, reason()).await.expect(201);
    let lasting = one.get("/v1/holds?lasting=true").await.expect(200);
    assert_eq!(lasting["items"], json!([again]));
    let over = one.get("/v1/holds?lasting=false").await.expect(200);
    assert_eq!(over["items"], json!([ended]));
    let first = one.get("/v1/holds?limit=1").await.expect(200);
    assert_eq!(first["items"], json!([ended]));
    let next =
        one.get(&format!("/v1/holds?limit=1&after={}", first["next"].as_str().unwrap())).await.expect(200);
    assert_eq!((&next["items"], &next["next"]), (&json!([again]), &Value::Null));

    let entries = app
        .rows("select action, object_id, matter_id, detail from audit_entries where action like 'hold%' order by id")
        .await;
    let actions: Vec<&str> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(&actions[..3], ["hold.set", "hold.ended", "hold.set"]);
    assert!(actions[3..].iter().all(|action| *action == "holds.read"));
    assert_eq!(actions.len(), 3 + 5);
    for entry in &entries {
        assert_eq!((&entry["object_id"], &entry["matter_id"]), (&case["case"], &case["complaint"]));
        assert!(!entry["detail"].to_string().contains("Court"));
    }
}

#[actix_web::test]
async fn a_hold_is_refused_where_it_makes_no_sense() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    let at = |thing: &str, what: &str| format!("/v1/{thing}s/{}/holds", case[what].as_str().unwrap());
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    // Of a complaint that belongs to a case, the case is held.
    monitor.post(&at("complaint", "complaint"), reason()).await.refused(409, "wrong-moment");
    for (body, pointer) in [
        (json!({"reason": ""}), "/reason"),
        (json!({"reason": "ab"}), "/reason"),
        (json!({"reason": "a\u{0}bc"}), "/reason"),
        (json!({"reason": "x".repeat(4001)}), "/reason"),
        (json!({}), "/reason"),
        (json!({"reason": 7}), "/reason"),
        (json!({"reason": "It was asked for.", "until": "2027-01-01"}), "/until"),
    ] {
        let refused = monitor.post(&at("case", "case"), body).await;
        refused.refused(422, "invalid-request");
        assert_eq!(refused.faults(), [pointer]);
    }
    monitor
        .post("/v1/cases/0199c0de-0000-7000-8000-00000000dead/holds", reason())
        .await
        .refused(404, "not-found");
    monitor
        .post_seen("/v1/holds/0199c0de-0000-7000-8000-00000000dead/end", 1, reason())
        .await
        .refused(404, "not-found");
    for role in [Role::TriageOfficer, Role::PanelMember] {
        let answer = app.signed_in(role).await.post(&at("case", "case"), reason()).await;
        assert!([403, 404].contains(&answer.status), "{role:?} {}", answer.status);
    }
    assert_eq!(app.count("select from legal_holds").await, 0);
    // Sent twice with one key, it is set once.
    let one = monitor.post_keyed(&at("case", "case"), "k", reason()).await.expect(201);
    let again = monitor.post_keyed(&at("case", "case"), "k", reason()).await.expect(201);
    assert_eq!((one, app.count("select from legal_holds").await), (again, 1));
}

#[actix_web::test]
async fn a_hold_of_a_complaint_holds_the_case_that_it_joins() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, complaint()).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let hold = monitor.post(&format!("/v1/complaints/{}/holds", id(&receipt)), reason()).await.expect(201);
    assert_eq!(hold["complaint_id"], receipt["id"]);
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, complaint(), "out_of_scope").await;
    let body = json!({"decision": "attach", "case_id": case["id"], "reason": "The same evening."});
    triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&receipt)), 1, body).await.expect(200);
    let version = app.rows("select version from cases").await[0]["version"].as_i64().unwrap();
    close(&triage, id(&case), version).await;
    let due = monitor.get("/v1/retention/due?within_days=400").await.expect(200);
    assert_eq!((due["items"].as_array().unwrap().len(), &due["items"][0]["held"]), (1, &json!(true)));
    // It is ended under its own address, by another.
    let other = app.signed_in(Role::OhchrMonitor).await;
    let listed = other.get("/v1/holds").await.expect(200);
    assert_eq!(listed["items"][0]["reason"], hold["reason"]);
    other.post_seen(&format!("/v1/holds/{}/end", id(&hold)), 1, reason()).await.expect(200);
    let due = monitor.get("/v1/retention/due?within_days=400").await.expect(200);
    assert_eq!(due["items"][0]["held"], false);
}

#[actix_web::test]
async fn p3_holds_of_what_is_hidden_are_hidden() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, grave_complaint(), "sexual_exploitation_abuse").await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let walled = app.signed_in(Role::OhchrMonitor).await;
    let hold = monitor.post(&format!("/v1/cases/{}/holds", id(&case)), reason()).await.expect(201);
    let wall = json!({"user_id": walled.id.unwrap().uuid(), "reason": "They know each other."});
    triage.post(&format!("/v1/cases/{}/walls", id(&case)), wall).await.expect(204);
    assert_eq!(walled.get("/v1/holds").await.expect(200)["items"], json!([]));
    let path = format!("/v1/holds/{}/end", id(&hold));
    walled.post_seen(&path, 1, reason()).await.refused(404, "not-found");
    walled.post(&format!("/v1/cases/{}/holds", id(&case)), reason()).await.refused(404, "not-found");
    // A legal liaison knows of it only by working on it.
    let liaison = app.signed_in(Role::LegalLiaison).await;
    liaison.post_seen(&path, 1, reason()).await.refused(404, "not-found");
    let version = app.rows("select version from cases").await[0]["version"].as_i64().unwrap();
    let assign =
        json!({"user_id": liaison.id.unwrap().uuid(), "role": "legal_liaison", "conflict_declared": false});
    triage.post_seen(&format!("/v1/cases/{}/assignments", id(&case)), version, assign).await.expect(200);
    liaison.post_seen(&path, 1, reason()).await.expect(200);
}

#[actix_web::test]
async fn the_years_of_service_begin_when_the_last_of_those_accused_has_left() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let keeper = app.signed_in(Role::Administrator).await;
    let mut body = complaint();
    body["subjects"] = json!([
        {"name": "John Sample", "service_number": "KE-1042", "country": "KE"},
        {"name": "Peter Other", "country": "KE"},
    ]);
    let receipt = submitted(&app, body).await;
    triage.get(&format!("/v1/complaints/{}", id(&receipt))).await.expect(200);
    let open = json!({"decision": "open_case", "category": "minor_misconduct", "priority": "routine", "reason": "To be looked at."});
    let case =
        triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&receipt)), 1, open).await.expect(201);
    close(&triage, id(&case), 1).await;
    let ends = async || {
        app.rows(&format!("select end_of_service(matter_id) as at from cases where id = '{}'", id(&case)))
            .await[0]["at"]
            .clone()
    };
    assert_eq!(ends().await, Value::Null);
    let mut people = Vec::new();
    for person in [
        json!({"name": "John Sample", "service_number": "KE-1042", "country": "KE"}),
        // Of the same name as the other who is accused: it may be either.
        json!({"name": "Peter Other", "service_number": "KE-2001", "country": "KE"}),
        json!({"name": "Peter Other", "service_number": "KE-2002", "country": "KE"}),
        // Of the same name as the first, who is known by a number: it is not this one.
        json!({"name": "John Sample", "service_number": "KE-3003", "country": "KE"}),
    ] {
        people.push(keeper.post("/v1/personnel", person).await.expect(201));
    }
    for (person, known) in [(0, false), (1, false), (2, true)] {
        assert_eq!(ends().await, Value::Null, "one of them serves");
        app.wait(TimeDelta::minutes(1));
        let path = format!("/v1/personnel/{}", id(&people[person]));
        let request =
            keeper.request(actix_web::http::Method::PATCH, &path).insert_header(("If-Match", "\"1\""));
        keeper.send(request.set_json(json!({"left": true}))).await.expect(200);
        assert_eq!(ends().await != Value::Null, known);
    }
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let due = monitor.get("/v1/retention/due?within_days=1830").await.expect(200);
    let due = due["items"].as_array().unwrap().iter().find(|item| item["case_id"] == case["id"]).unwrap();
    assert_eq!((&due["due_at"], &due["waits_for"]), (&json!("2031-03-02T14:03:00Z"), &Value::Null));
    assert_eq!(monitor.get("/v1/retention/due?within_days=1800").await.expect(200)["items"], json!([]));
}
