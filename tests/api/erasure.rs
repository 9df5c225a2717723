//! Erasure: by two persons, when its time has come, and never under a hold. Everything can still be checked afterwards.

use chrono::TimeDelta;
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::outside::receipt::Receipt;
use temwen::outside::trust::Trust;

use crate::fixtures::{complaint, id, submitted};
use crate::harness::{Caller, Made, TestApp};
use crate::log_tamper::{check, last_head};
use crate::retention::{close, closed_complaint, over};

fn reason() -> Value {
    json!({"reason": "Its time is over, and Yannick agreed."})
}

fn sign(approve: bool) -> Value {
    json!({"approve": approve, "reason": "I have looked at the file."})
}

fn at(case: &Value) -> String {
    format!("/v1/cases/{}/erasures", case["case"].as_str().unwrap())
}

fn decision(erasure: &Value) -> String {
    format!("/v1/erasures/{}/decision", id(erasure))
}

/// Two who may, signed in now.
async fn two(app: &TestApp) -> (Caller<'_>, Caller<'_>) {
    (app.signed_in(Role::OhchrMonitor).await, app.signed_in(Role::OhchrMonitor).await)
}

async fn nothing_is_found(app: &TestApp) {
    app.sequence().await;
    let known = [last_head(app).await.0];
    let report = check(app, &known).await;
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[actix_web::test]
async fn p6_p8_what_is_erased_cannot_be_read_and_can_still_be_checked() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    let other = over(&app, "out_of_scope").await;
    app.sequence().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let note = json!({"text": "Yannick called twice."});
    triage.post(&format!("/v1/cases/{}/notes", case["case"].as_str().unwrap()), note).await.expect(201);
    let receipt = app.reporter(&case["receipt"]).await.get("/v1/reporter/receipt").await.expect(200);
    let before = app.rows("select to_jsonb(s) as row from submissions s order by complaint_id").await;

    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    let reporter = app.reporter(&case["receipt"]).await;
    let words = json!({"text": "My name is Yannick, and I called twice."});
    reporter.post_keyed("/v1/reporter/messages", "k", words).await.expect(201);
    let proposed = one.post_keyed(&at(&case), "k", reason()).await;
    assert_eq!((proposed.status, proposed.header("etag")), (202, Some("\"1\"")));
    let proposed_at = proposed.header("location").unwrap().to_owned();
    let erasure = proposed.body;
    assert_eq!(proposed_at, decision(&erasure));
    assert_eq!(
        (&erasure["class"], &erasure["due_at"]),
        (&json!("out_of_scope"), &json!("2027-03-02T14:00:00Z"))
    );
    assert_eq!((&erasure["approved"], &erasure["service_ended_on"]), (&Value::Null, &Value::Null));
    assert_eq!(app.count("select from data_keys where wrapped is null").await, 0, "nothing is erased by one");
    let due = one.get("/v1/retention/due").await.expect(200);
    assert_eq!(due["items"][0]["erasure_id"], erasure["id"]);
    let waiting = second.get("/v1/erasures?waiting=true").await.expect(200);
    assert_eq!(waiting["items"], json!([erasure]));

    let done = second.post_seen(&decision(&erasure), 1, sign(true)).await.expect(200);
    assert_eq!((&done["approved"], &done["version"]), (&json!(true), &json!(2)));
    assert_eq!(done["decided_by"], json!(second.id.unwrap().uuid()));
    let keys = app.rows("select id, wrapped is null as gone, destroyed_at is not null as told from data_keys where matter_id is not null order by id").await;
    for key in &keys {
        let gone = key["id"] == case["complaint"];
        assert_eq!((&key["gone"], &key["told"]), (&json!(gone), &json!(gone)), "{key}");
    }
    // Nothing of what was handed in was touched: it can be read no more, that is all.
    let after = app.rows("select to_jsonb(s) as row from submissions s order by complaint_id").await;
    assert_eq!(before, after);
    // Not even the reasons of the erasure are left, which may name somebody.
    let listed = second.get("/v1/erasures?waiting=false").await.expect(200);
    let shown = &listed["items"][0];
    assert_eq!((&shown["reason"], &shown["decision_reason"]), (&Value::Null, &Value::Null));
    assert_eq!((&shown["class"], &shown["approved"]), (&json!("out_of_scope"), &json!(true)));
    let due = one.get("/v1/retention/due").await.expect(200);
    let due = due["items"].as_array().unwrap();
    assert_eq!((due.len(), &due[0]["case_id"]), (1, &other["case"]));

    let entries = app
        .rows("select actor, object_id, matter_id, detail from audit_entries where action = 'matter.erased'")
        .await;
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["object_id"], &entries[0]["matter_id"]), (&case["case"], &case["complaint"]));
    assert_eq!(entries[0]["actor"], json!(second.id.unwrap().uuid()));
    let detail = &entries[0]["detail"];
    assert_eq!(
        (&detail["proposed_by"], &detail["class"]),
        (&json!(one.id.unwrap().uuid()), &json!("out_of_scope"))
    );
    nothing_is_found(&app).await;

    // The receipt of before proves what it proved, with the log's key of today and nothing else.
    let keys = app.anyone().get("/v1/log/key").await.text;
    let trust = Trust::of(&[keys.trim().to_owned()], &[], 0).unwrap();
    let proven = Receipt::read(receipt.to_string().as_bytes()).unwrap().verify(&trust).unwrap();
    drop(proven);

    // What remains can be read: dates, words of the policy, entries. Nothing of what anybody said.
    let file = one.get(&format!("/v1/cases/{}", case["case"].as_str().unwrap())).await.expect(200);
    assert_eq!((&file["case"]["stage"], &file["case"]["number"]), (&json!("closed"), &case["number"]));
    assert_eq!(file["erased_at"], done["decided_at"]);
    let path = format!("/v1/complaints/{}", case["complaint"].as_str().unwrap());
    let shown = one.get(&path).await.expect(200);
    assert_eq!(shown["complaint"]["received_at"], "2026-03-02T14:00:00Z");
    assert_eq!((&shown["narrative"], &shown["particulars"]), (&Value::Null, &Value::Null));
    assert_eq!((&shown["identities"], &shown["erased_at"]), (&Value::Null, &done["decided_at"]));
    for rest in ["notes", "timeline"] {
        let read = one.get(&format!("/v1/cases/{}/{rest}", case["case"].as_str().unwrap())).await.expect(200);
        assert!(!read.to_string().contains("Yannick"), "{read}");
    }
    let kept = one.get(&format!("/v1/complaints/{}", other["complaint"].as_str().unwrap())).await.expect(200);
    assert_eq!((&kept["narrative"], &kept["erased_at"]), (&complaint()["narrative"], &Value::Null));
    let notes = one.get(&format!("/v1/cases/{}/notes", case["case"].as_str().unwrap())).await.expect(200);
    assert_eq!((notes["items"].as_array().unwrap().len(), &notes["items"][0]["text"]), (1, &Value::Null));
    // The reporter finds their thread, and in it when and not what.
    let reporter = app.reporter(&case["receipt"]).await;
    assert_eq!(reporter.get("/v1/reporter/complaint").await.expect(200)["status"], "closed");
    let thread = reporter.get("/v1/reporter/messages").await.expect(200);
    assert_eq!((thread["items"].as_array().unwrap().len(), &thread["items"][0]["text"]), (1, &Value::Null));
    reporter
        .post("/v1/reporter/messages", json!({"text": "Is it still there?"}))
        .await
        .refused(410, "erased");
    reporter.get("/v1/reporter/receipt").await.refused(410, "erased");
    // Nor is anything of it found, or left among the words that are searched.
    for (table, column, kept) in
        [("complaint_words", "complaint_id", &other["complaint"]), ("case_words", "case_id", &other["case"])]
    {
        let left = app.rows(&format!("select {column} as id from {table} order by 1")).await;
        assert!(left.iter().all(|row| row["id"] == *kept), "{table} {left:?}");
    }
    assert_eq!(app.count("select from complaint_words").await, 1);
    // Nor is it left in what was kept for those who repeat a request.
    assert_eq!(app.count("select from idempotency_keys").await, 0);
    let version = file["case"]["version"].as_i64().unwrap();
    let reopen = json!({"step": "reopen", "reason": "Somebody remembers."});
    let path = format!("/v1/cases/{}/transitions", case["case"].as_str().unwrap());
    one.post_seen(&path, version, reopen).await.refused(410, "erased");

    // It does not come back, and it is not erased twice.
    one.post(&at(&case), reason()).await.refused(410, "erased");
    second.post_seen(&decision(&erasure), 2, sign(true)).await.refused(409, "wrong-moment");
    let hold = format!("/v1/cases/{}/holds", case["case"].as_str().unwrap());
    one.post(&hold, reason()).await.refused(410, "erased");
}

#[actix_web::test]
async fn an_erasure_is_refused_before_its_time_and_for_what_is_open_or_unread() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    let minor = over(&app, "minor_misconduct").await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let open = crate::fixtures::case_from(&triage, complaint(), "out_of_scope").await;
    let open = json!({"case": open["id"]});
    // Judged by its title, as it were: nobody ever opened the text.
    let unread = crate::fixtures::case_from(&triage, complaint(), "out_of_scope").await;
    close(&triage, id(&unread), 1).await;
    let unread = json!({"case": unread["id"]});
    let new = submitted(&app, complaint()).await;

    app.wait(TimeDelta::days(364));
    let (one, _) = two(&app).await;
    let refused = one.post(&at(&case), reason()).await;
    refused.refused(409, "wrong-moment");
    assert!(refused.text.contains("is not over"), "{}", refused.text);
    app.wait(TimeDelta::days(3));
    let (one, second) = two(&app).await;
    for (case, why) in [(&open, "only what is over"), (&unread, "never read"), (&minor, "is not known")] {
        let refused = one.post(&at(case), reason()).await;
        refused.refused(409, "wrong-moment");
        assert!(refused.text.contains(why), "{}", refused.text);
    }
    let path = |of: &Value| format!("/v1/complaints/{}/erasures", of.as_str().unwrap());
    let refused = one.post(&path(&new["id"]), reason()).await;
    assert!(refused.refused(409, "wrong-moment").text.contains("only what is over"));
    let refused = one.post(&path(&case["complaint"]), reason()).await;
    assert!(refused.refused(409, "wrong-moment").text.contains("belongs to a case"));
    one.post(&at(&json!({"case": "0199c0de-0000-7000-8000-00000000dead"})), reason())
        .await
        .refused(404, "not-found");
    for (body, pointer) in [
        (json!({"reason": " "}), "/reason"),
        (json!({}), "/reason"),
        (json!({"reason": "Its time is over.", "at_once": true}), "/at_once"),
        (json!({"reason": "Its time is over.", "service_ended_on": "2099-01-01"}), "/service_ended_on"),
        (json!({"reason": "Its time is over.", "service_ended_on": "1066-10-14"}), "/service_ended_on"),
        (json!({"reason": "Its time is over.", "service_ended_on": "yesterday"}), "/service_ended_on"),
    ] {
        let refused = one.post(&at(&case), body).await;
        refused.refused(422, "invalid-request");
        assert_eq!(refused.faults(), [pointer]);
    }
    assert_eq!(app.count("select from erasures").await, 0);

    // Read since then, it may go.
    let complaint =
        app.rows(&format!("select id from complaints where case_id = {}", quoted(&unread["case"]))).await;
    one.get(&format!("/v1/complaints/{}", id(&complaint[0]))).await.expect(200);
    one.post(&at(&unread), reason()).await.expect(202);

    // On the word of two persons that those accused have left, what waits for that may go, years later.
    let left = json!({"reason": "The contingent went home.", "service_ended_on": "2027-01-31"});
    one.post(&at(&minor), left.clone()).await.refused(409, "wrong-moment");
    app.wait(TimeDelta::days(5 * 366));
    let (one, third) = two(&app).await;
    one.post(&at(&minor), reason()).await.refused(409, "wrong-moment");
    let erasure = one.post(&at(&minor), left).await.expect(202);
    assert_eq!((&erasure["due_at"], &erasure["class"]), (&json!("2032-02-01T00:00:00Z"), &json!("standard")));
    third.post_seen(&decision(&erasure), 1, sign(true)).await.expect(200);
    let entry = app.rows("select detail from audit_entries where action = 'matter.erased'").await;
    assert_eq!(entry[0]["detail"]["service_ended_on"], "2027-01-31");
    drop(second);
}

fn quoted(id: &Value) -> String {
    format!("'{}'", id.as_str().unwrap())
}

#[actix_web::test]
async fn an_erasure_needs_two_who_may() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    let erasure = one.post(&at(&case), reason()).await.expect(202);
    one.post(&at(&case), reason()).await.refused(409, "exists");
    second.post(&at(&case), reason()).await.refused(409, "exists");
    // Never the same person, nor one who may only propose; nor in passing.
    one.post_seen(&decision(&erasure), 1, sign(true)).await.refused(403, "forbidden");
    one.post_seen(&decision(&erasure), 1, sign(false)).await.refused(403, "forbidden");
    let triage = app.signed_in(Role::TriageOfficer).await;
    triage.post_seen(&decision(&erasure), 1, sign(true)).await.refused(403, "forbidden");
    second.post_seen(&decision(&erasure), 7, sign(true)).await.refused(412, "stale");
    second.post(&decision(&erasure), sign(true)).await.refused(428, "precondition-required");
    for body in [
        json!({"approve": true}),
        json!({"approve": "yes", "reason": "I have looked."}),
        json!({"reason": "I have looked."}),
    ] {
        second.post_seen(&decision(&erasure), 1, body).await.refused(422, "invalid-request");
    }
    for role in Role::ALL {
        if [Role::OhchrMonitor, Role::PseaCoordinator, Role::TriageOfficer].contains(role) {
            continue;
        }
        let somebody = app.signed_in(*role).await;
        let tried = somebody.post_seen(&decision(&erasure), 1, sign(true)).await;
        assert!([403, 404].contains(&tried.status), "{role:?} {}", tried.text);
        let tried = somebody.post(&at(&case), reason()).await;
        assert!([403, 404].contains(&tried.status), "{role:?} {}", tried.text);
    }
    // The coordinator knows of matters in her lane alone.
    let psea = app.signed_in(Role::PseaCoordinator).await;
    psea.post_seen(&decision(&erasure), 1, sign(true)).await.refused(404, "not-found");
    // Nor does a walled one know of it.
    let walled = app.signed_in(Role::OhchrMonitor).await;
    let wall =
        |who: &Caller<'_>| json!({"user_id": who.id.unwrap().uuid(), "reason": "They know each other."});
    let walls = format!("/v1/cases/{}/walls", case["case"].as_str().unwrap());
    triage.post(&walls, wall(&walled)).await.expect(204);
    walled.post_seen(&decision(&erasure), 1, sign(true)).await.refused(404, "not-found");
    assert_eq!(walled.get("/v1/erasures").await.expect(200)["items"], json!([]));

    // Refused by a second person, it may be proposed anew.
    let refused = second.post_seen(&decision(&erasure), 1, sign(false)).await.expect(200);
    assert_eq!((&refused["approved"], &refused["reason"]), (&json!(false), &erasure["reason"]));
    second.post_seen(&decision(&erasure), 2, sign(true)).await.refused(409, "wrong-moment");
    let listed = second.get("/v1/erasures").await.expect(200);
    assert_eq!(listed["items"][0]["decision_reason"], "I have looked at the file.");
    let erasure = one.post(&at(&case), reason()).await.expect(202);

    // A first signature that no longer counts: walled off since, or without an account.
    triage.post(&walls, wall(&one)).await.expect(204);
    let late = second.post_seen(&decision(&erasure), 1, sign(true)).await;
    assert!(late.refused(409, "wrong-moment").text.contains("may not sign any more"));
    second.post_seen(&decision(&erasure), 1, sign(false)).await.expect(200);
    let third = app.signed_in(Role::OhchrMonitor).await;
    let erasure = third.post(&at(&case), reason()).await.expect(202);
    let administrator = app.signed_in(Role::Administrator).await;
    let path = format!("/v1/users/{}/deactivation", third.id.unwrap().uuid());
    administrator.post_seen(&path, 1, json!({"reason": "Left the office."})).await.expect(200);
    second.post_seen(&decision(&erasure), 1, sign(true)).await.refused(409, "wrong-moment");
    assert_eq!(app.count("select from data_keys where wrapped is null").await, 0);
    nothing_is_found(&app).await;
}

#[actix_web::test]
async fn a_hold_beats_an_erasure_at_every_point() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    let holds = format!("/v1/cases/{}/holds", case["case"].as_str().unwrap());
    let hold = one.post(&holds, reason()).await.expect(201);
    assert!(one.post(&at(&case), reason()).await.refused(409, "wrong-moment").text.contains("legal hold"));
    second.post_seen(&format!("/v1/holds/{}/end", id(&hold)), 1, reason()).await.expect(200);
    let erasure = one.post(&at(&case), reason()).await.expect(202);
    // Set between the two signatures.
    let hold = second.post(&holds, reason()).await.expect(201);
    let refused = second.post_seen(&decision(&erasure), 1, sign(true)).await;
    assert!(refused.refused(409, "wrong-moment").text.contains("legal hold"));
    assert_eq!(app.count("select from data_keys where wrapped is null").await, 0);
    one.post_seen(&format!("/v1/holds/{}/end", id(&hold)), 1, reason()).await.expect(200);
    second.post_seen(&decision(&erasure), 1, sign(true)).await.expect(200);
    assert_eq!(app.count("select from data_keys where wrapped is null").await, 1);
}

#[actix_web::test]
async fn of_a_hold_and_an_erasure_at_the_same_moment_one_finds_the_other() {
    let app = TestApp::start_with(Made { connections: 8, ..Made::default() }).await;
    let mut cases = Vec::new();
    for _ in 0..8 {
        cases.push(over(&app, "out_of_scope").await);
    }
    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    let mut erased = 0;
    for (round, case) in cases.iter().enumerate() {
        let erasure = one.post(&at(case), reason()).await.expect(202);
        let holds = format!("/v1/cases/{}/holds", case["case"].as_str().unwrap());
        let path = decision(&erasure);
        let (held, signed) = if round % 2 == 0 {
            futures_util::join!(one.post(&holds, reason()), second.post_seen(&path, 1, sign(true)))
        } else {
            let (signed, held) =
                futures_util::join!(second.post_seen(&path, 1, sign(true)), one.post(&holds, reason()));
            (held, signed)
        };
        // Whoever came first has it: never a hold of what is gone, never an erasure of what is held.
        match (held.status, signed.status) {
            (201, 409) => {}
            (410, 200) => erased += 1,
            other => panic!("{other:?} {} {}", held.text, signed.text),
        }
    }
    assert_eq!(app.count("select from data_keys where wrapped is null").await, erased);
    assert_eq!(app.count("select from legal_holds").await, 8 - erased);
    nothing_is_found(&app).await;
}

#[actix_web::test]
async fn of_two_who_sign_at_once_one_does() {
    let app = TestApp::start_with(Made { connections: 8, ..Made::default() }).await;
    let case = over(&app, "out_of_scope").await;
    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    let third = app.signed_in(Role::OhchrMonitor).await;
    let erasure = one.post(&at(&case), reason()).await.expect(202);
    let path = decision(&erasure);
    let (first, other) =
        futures_util::join!(second.post_seen(&path, 1, sign(true)), third.post_seen(&path, 1, sign(false)));
    let mut statuses = [first.status, other.status];
    statuses.sort_unstable();
    assert!([[200, 410], [200, 412]].contains(&statuses), "{} {}", first.text, other.text);
    nothing_is_found(&app).await;
}

#[actix_web::test]
async fn a_complaint_that_was_closed_without_a_case_is_erased_alone() {
    let app = TestApp::start().await;
    let receipt = closed_complaint(&app).await;
    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    let path = format!("/v1/complaints/{}/erasures", id(&receipt));
    let hold = one.post(&format!("/v1/complaints/{}/holds", id(&receipt)), reason()).await.expect(201);
    one.post(&path, reason()).await.refused(409, "wrong-moment");
    second.post_seen(&format!("/v1/holds/{}/end", id(&hold)), 1, reason()).await.expect(200);
    let erasure = one.post_keyed(&path, "k", reason()).await.expect(202);
    assert_eq!(one.post_keyed(&path, "k", reason()).await.expect(202), erasure);
    assert_eq!((&erasure["complaint_id"], &erasure["case_id"]), (&receipt["id"], &Value::Null));
    second.post_seen(&decision(&erasure), 1, sign(true)).await.expect(200);
    let keys =
        app.rows("select id, wrapped is null as gone from data_keys where matter_id is not null").await;
    assert_eq!(keys, [json!({"id": receipt["id"], "gone": true})]);
    let holds = one.get("/v1/holds").await.expect(200);
    assert_eq!(
        (&holds["items"][0]["reason"], &holds["items"][0]["end_reason"]),
        (&Value::Null, &Value::Null)
    );
    nothing_is_found(&app).await;
}

#[actix_web::test]
async fn all_complaints_of_a_case_go_with_it_however_many() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = crate::fixtures::case_from(&triage, complaint(), "out_of_scope").await;
    for _ in 0..3 {
        let joined = submitted(&app, complaint()).await;
        let body = json!({"decision": "attach", "case_id": case["id"], "reason": "The same evening."});
        triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&joined)), 1, body).await.expect(200);
    }
    for row in app.rows("select id from complaints").await {
        triage.get(&format!("/v1/complaints/{}", id(&row))).await.expect(200);
    }
    let version = app.rows("select version from cases").await[0]["version"].as_i64().unwrap();
    close(&triage, id(&case), version).await;
    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    let case = json!({"case": case["id"]});
    let erasure = one.post(&at(&case), reason()).await.expect(202);
    second.post_seen(&decision(&erasure), 1, sign(true)).await.expect(200);
    assert_eq!(
        app.count("select from data_keys where matter_id is not null and wrapped is not null").await,
        0
    );
    assert_eq!(app.count("select from data_keys where destroyed_at is not null").await, 4);
    nothing_is_found(&app).await;
}

#[actix_web::test]
async fn p6_the_database_destroys_no_key_for_a_server_that_asks_alone() {
    let app = TestApp::start().await;
    let case = over(&app, "out_of_scope").await;
    app.wait(TimeDelta::days(366));
    let (one, second) = two(&app).await;
    one.post(&at(&case), reason()).await.expect(202);
    let mut server = app.connect.open().await.unwrap();
    let destroy = "update data_keys set wrapped = null, destroyed_at = now() where matter_id is not null";
    // As the system itself, or as either of the two.
    let acts = [
        "select act('system', 'test', null, null, 0, ',everything,', '{}', '', null, now())".to_owned(),
        format!(
            "select set_config('temwen.kind', 'user', true), set_config('temwen.user_id', '{}', true)",
            second.id.unwrap().uuid()
        ),
    ];
    for act in acts {
        server.batch_execute("begin").await.unwrap();
        server.batch_execute(&act).await.unwrap();
        let refused = diesel::sql_query(destroy).execute(&mut server).await.unwrap_err().to_string();
        assert!(refused.contains("two persons signed"), "{refused}");
        server.batch_execute("rollback").await.unwrap();
    }
    // Nor may one person stand for two, whoever says so.
    let mut owner = app.owner().await;
    let forged = "update erasures set decided_by = proposed_by, decided_at = now(), approved = true, decision_reason = reason";
    let refused = diesel::sql_query(forged).execute(&mut owner).await.unwrap_err().to_string();
    assert!(refused.contains("erasures_second_person"), "{refused}");
    assert_eq!(app.count("select from data_keys where wrapped is null").await, 0);
}
