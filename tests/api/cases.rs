//! The life of a case, from triage to its end.

use chrono::TimeDelta;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::fixtures::{case_from, complaint, grave_complaint, id, minor_case, serious_complaint, submitted};
use crate::harness::{Caller, TestApp};

async fn read(caller: &Caller<'_>, case: &Value) -> Value {
    caller.get(&format!("/v1/cases/{}", id(case))).await.expect(200)
}

async fn step(caller: &Caller<'_>, case: &Value, step: &str) -> Value {
    let path = format!("/v1/cases/{}", id(case));
    let version = caller.get(&path).await.expect(200)["case"]["version"].as_i64().unwrap();
    let body = json!({"step": step, "reason": "As the story goes."});
    caller.post_seen(&format!("{path}/transitions"), version, body).await.expect(200)
}

async fn assign(by: &Caller<'_>, case: &Value, to: &Caller<'_>) -> u16 {
    let version = read(by, case).await["case"]["version"].as_i64().unwrap();
    let body = json!({"user_id": to.id, "conflict_declared": false});
    by.post_seen(&format!("/v1/cases/{}/assignments", id(case)), version, body).await.status
}

#[actix_web::test]
async fn a_complaint_becomes_a_case_and_is_determined() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, serious_complaint(), "serious_misconduct").await;
    assert_eq!(
        (case["number"].as_str(), case["stage"].as_str()),
        (Some("COA-2026-000001"), Some("assessment"))
    );
    let file = read(&triage, &case).await;
    assert_eq!(file["allegations"][0]["type"], "physical_assault");
    let names: Vec<_> =
        file["deadlines"].as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["acknowledgement", "triage_decision", "investigation"]);

    step(&triage, &case, "open_mission_investigation").await;
    let investigator = app.signed_in(Role::Investigator).await;
    assert_eq!(investigator.get(&format!("/v1/cases/{}", id(&case))).await.status, 404, "not yet theirs");
    assert_eq!(assign(&triage, &case, &investigator).await, 200);
    assert_eq!(read(&investigator, &case).await["steps"], json!(["suspend", "submit_report"]));
    step(&investigator, &case, "suspend").await;
    step(&investigator, &case, "resume").await;
    step(&investigator, &case, "submit_report").await;
    step(&triage, &case, "send_to_panel").await;
    let panel = app.signed_in(Role::PanelMember).await;
    assert_eq!(step(&panel, &case, "determine").await["stage"], "action_pending");
    let commander = app.signed_in(Role::Commander).await;
    let closed = step(&commander, &case, "close").await;
    assert_eq!(closed["stage"], "closed");
    assert_eq!(
        commander.get(&format!("/v1/cases/{}", id(&case))).await.status,
        404,
        "nothing is left to order"
    );

    let timeline = triage.get(&format!("/v1/cases/{}/timeline?limit=200", id(&case))).await.expect(200);
    let told: Vec<_> =
        timeline["items"].as_array().unwrap().iter().filter_map(|each| each["action"].as_str()).collect();
    for action in [
        "complaint.received",
        "complaint.assessed",
        "case.opened",
        "case.read",
        "case.assigned",
        "case.advanced",
    ] {
        assert!(told.contains(&action), "{action} is missing from {told:?}");
    }
}

#[actix_web::test]
async fn one_person_never_does_two_parts_of_one_case() {
    let app = TestApp::start().await;
    let both = [Role::TriageOfficer, Role::Investigator].into_iter().collect();
    let both = app.signed_in_as(temwen::users::Rights { roles: both, country: None, seat: None }).await;
    let case = case_from(&both, serious_complaint(), "serious_misconduct").await;
    let version = read(&both, &case).await["case"]["version"].as_i64().unwrap();
    let body = json!({"user_id": both.id, "role": "investigator", "conflict_declared": false});
    let refused = both.post_seen(&format!("/v1/cases/{}/assignments", id(&case)), version, body).await;
    assert_eq!((refused.status, refused.problem()), (403, "forbidden"));
    assert!(refused.text.contains("never does two"));
}

#[actix_web::test]
async fn a_conflict_that_is_declared_or_not_asked_about_bars_the_work() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let investigator = app.signed_in(Role::Investigator).await;
    let path = format!("/v1/cases/{}/assignments", id(&case));
    let silent = triage.post_seen(&path, 1, json!({"user_id": investigator.id})).await;
    assert_eq!((silent.status, silent.faults()), (422, vec!["/conflict_declared"]));
    let declared =
        triage.post_seen(&path, 1, json!({"user_id": investigator.id, "conflict_declared": true})).await;
    assert_eq!(declared.status, 409);
    assert_eq!(app.count("select * from assignments").await, 0);
}

#[actix_web::test]
async fn lowering_a_protected_complaint_waits_for_a_second_officer() {
    let app = TestApp::start().await;
    let (triage, coordinator) =
        (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::PseaCoordinator).await);
    let receipt = submitted(&app, grave_complaint()).await;
    let path = format!("/v1/complaints/{}/assessment", id(&receipt));
    let lower = json!({"decision": "open_case", "category": "minor_misconduct", "reason": "It seems less."});
    let waits = triage.post_seen(&path, 1, lower.clone()).await.expect(202);
    assert_eq!(app.count("select * from cases").await, 0, "nothing is changed before the second signature");
    assert_eq!(triage.post_seen(&path, 1, lower).await.status, 409, "one proposal at a time");

    let decision = format!("/v1/proposals/{}/decision", id(&waits));
    let sign = json!({"approve": true, "reason": "I have read it and agree."});
    assert_eq!(
        triage.post_seen(&decision, 1, sign.clone()).await.status,
        403,
        "neither the same person nor the same desk"
    );
    let another = app.signed_in(Role::OhchrMonitor).await;
    assert_eq!(
        another.get("/v1/proposals?waiting=true").await.expect(200)["items"].as_array().unwrap().len(),
        1
    );
    coordinator.post_seen(&decision, 1, sign.clone()).await.expect(200);
    assert_eq!(coordinator.post_seen(&decision, 2, sign).await.status, 409, "decided once");
    let cases = app.rows("select category, opened_by, flags from cases").await;
    assert_eq!(cases[0]["category"], "minor_misconduct");
    assert_eq!(
        cases[0]["opened_by"],
        json!(triage.id),
        "opened by whoever proposed it; the entry names who signed"
    );
    assert_eq!(app.count("select * from audit_entries where action = 'proposal.approved'").await, 1);
}

#[actix_web::test]
async fn closing_a_childs_complaint_is_refused_by_the_second_officer_and_nothing_changes() {
    let app = TestApp::start().await;
    let coordinator = app.signed_in(Role::PseaCoordinator).await;
    let receipt = submitted(&app, grave_complaint()).await;
    let path = format!("/v1/complaints/{}", id(&receipt));
    let close = json!({"decision": "close", "reason": "The family does not answer."});
    let waits = coordinator.post_seen(&format!("{path}/assessment"), 1, close).await.expect(202);
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let refuse = json!({"approve": false, "reason": "Silence closes nothing."});
    let refused =
        monitor.post_seen(&format!("/v1/proposals/{}/decision", id(&waits)), 1, refuse).await.expect(200);
    assert_eq!(refused["approved"], false);
    assert_eq!(coordinator.get(&path).await.expect(200)["complaint"]["status"], "received");
}

#[actix_web::test]
async fn a_minor_complaint_is_referred_out_or_closed_by_one_officer() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let (first, second) = (submitted(&app, complaint()).await, submitted(&app, complaint()).await);
    let refer = json!({"decision": "refer_out", "to": "igpnh", "reason": "A Haitian officer is concerned."});
    let referred =
        triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&first)), 1, refer).await.expect(200);
    assert_eq!(referred["status"], "referred_out");
    let close = json!({"decision": "close", "closure_reason": "not_misconduct", "reason": "A lost bag, no conduct of ours."});
    let closed = triage
        .post_seen(&format!("/v1/complaints/{}/assessment", id(&second)), 1, close.clone())
        .await
        .expect(200);
    assert_eq!(closed["status"], "closed");
    assert_eq!(
        triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&second)), 2, close).await.status,
        409
    );
    let reporter = app.reporter(&second).await;
    assert_eq!(reporter.get("/v1/reporter/complaint").await.expect(200)["status"], "closed");
}

#[actix_web::test]
async fn a_second_complaint_joins_the_case_and_keeps_its_own_thread() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let receipt = submitted(&app, complaint()).await;
    let body =
        json!({"decision": "attach", "case_id": case["id"], "reason": "The same evening, the same patrol."});
    let attached =
        triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&receipt)), 1, body).await.expect(200);
    assert_eq!((attached["status"].as_str(), &attached["case_id"]), (Some("in_case"), &case["id"]));
    assert_eq!(read(&triage, &case).await["complaints"].as_array().unwrap().len(), 2);
    let reporter = app.reporter(&receipt).await;
    assert_eq!(reporter.get("/v1/reporter/complaint").await.expect(200)["status"], "under_assessment");
    assert_eq!(reporter.get("/v1/reporter/messages").await.expect(200)["items"], json!([]));
}

#[actix_web::test]
async fn a_state_is_told_and_its_authority_answers() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let kenya = app.signed_in(Role::NationalAuthority).await;
    let case = case_from(&triage, serious_complaint(), "serious_misconduct").await;
    assert_eq!(kenya.get(&format!("/v1/cases/{}", id(&case))).await.status, 404, "not told yet");
    step(&triage, &case, "notify_state").await;
    let seen = read(&kenya, &case).await;
    assert_eq!(seen["steps"], json!(["state_investigates", "investigate_jointly"]));
    assert_eq!(seen["complaints"], json!([]), "a State reads no complaint");
    assert_eq!(seen["allegations"][0]["subject"], Value::Null);
    step(&kenya, &case, "state_investigates").await;
    assert_eq!(step(&kenya, &case, "submit_report").await["stage"], "report_submitted");
}

#[actix_web::test]
async fn p5_a_missed_deadline_climbs_beyond_whoever_missed_it() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, complaint()).await;
    let intake = app.signed_in(Role::IntakeOfficer).await;
    assert_eq!(intake.get("/v1/deadlines?overdue=true").await.expect(200)["items"], json!([]));
    app.wait(TimeDelta::days(8));
    let intake = app.sign_in(&intake.email, crate::harness::PASSWORD).await;
    while temwen::deadlines::escalate(&app.temwen).await.unwrap() > 0 {}
    let overdue = intake.get("/v1/deadlines?overdue=true").await.expect(200);
    let first = &overdue["items"][0];
    assert_eq!((first["name"].as_str(), first["overdue"].as_bool()), (Some("acknowledgement"), Some(true)));
    assert_eq!(first["escalated_to"], "legal_liaison", "the head of the mechanism");
    assert_eq!(first["complaint_id"], receipt["id"]);
    let reporter = app.reporter(&receipt).await;
    let standing = reporter.get("/v1/reporter/complaint").await.expect(200);
    assert_eq!(standing["next_update_by"], "2026-03-09T13:00:00Z");
    assert!(
        app.count(
            "select * from audit_entries where action = 'deadline.escalated' and detail ->> 'missed' = 'true'"
        )
        .await
            >= 1
    );
    app.wait(TimeDelta::days(14));
    while temwen::deadlines::escalate(&app.temwen).await.unwrap() > 0 {}
    let rows = app.rows("select escalated_to from deadlines where name = 'acknowledgement'").await;
    assert_eq!(rows[0]["escalated_to"], "panel_member", "five working days later, the Steering Committee");
}

#[actix_web::test]
async fn a_clock_is_paused_for_a_reason_and_runs_on() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, serious_complaint(), "serious_misconduct").await;
    let listed = triage.get(&format!("/v1/cases/{}/deadlines", id(&case))).await.expect(200);
    let running = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|each| each["name"] == "investigation")
        .unwrap()
        .clone();
    let path = format!("/v1/deadlines/{}", id(&running));
    assert_eq!(
        triage.post_seen(&format!("{path}/pause"), 1, json!({"reason": ""})).await.faults(),
        ["/reason"]
    );
    let paused = triage
        .post_seen(&format!("{path}/pause"), 1, json!({"reason": "The court hears it first."}))
        .await
        .expect(200);
    assert_eq!(triage.post_seen(&format!("{path}/pause"), 2, json!({"reason": "Again."})).await.status, 409);
    app.wait(TimeDelta::days(3));
    let triage = app.sign_in(&triage.email, crate::harness::PASSWORD).await;
    let resumed = triage.post_seen(&format!("{path}/resumption"), 2, json!({})).await.expect(200);
    let moment =
        |value: &Value| value["due_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(moment(&resumed) - moment(&paused), TimeDelta::days(3));
    assert_eq!(app.count("select * from deadline_pauses where reason is null and reason_sealed is not null and resumed_by is not null").await, 1);
}

#[actix_web::test]
async fn p3_whoever_steps_back_or_is_walled_finds_nothing_any_more() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let path = format!("/v1/cases/{}", id(&case));
    let other = app.signed_in(Role::TriageOfficer).await;
    let wall = json!({"user_id": other.id, "reason": "Commands the unit."});
    let last = triage.post(&format!("{path}/walls"), wall).await;
    assert_eq!(last.status, 409, "nobody would be left who could sign; it would be buried");
    app.signed_in(Role::OhchrMonitor).await;
    assert_eq!(
        triage
            .post(&format!("{path}/walls"), json!({"user_id": other.id, "reason": "Commands the unit."}))
            .await
            .status,
        204
    );
    let (hidden, unknown) =
        (other.get(&path).await, other.get("/v1/cases/0199c0de-0000-7000-8000-000000000000").await);
    assert_eq!((hidden.status, &hidden.body["detail"]), (404, &unknown.body["detail"]));
    assert_eq!(other.get("/v1/cases").await.expect(200)["items"], json!([]));
    assert_eq!(other.get("/v1/complaints").await.expect(200)["items"], json!([]));
    assert_eq!(
        triage.post(&format!("{path}/recusals"), json!({"reason": "I know the family."})).await.status,
        204
    );
    assert_eq!(triage.get(&path).await.status, 404);
    let rows = app.rows("select owner_id, owner_role from cases").await;
    assert_eq!(
        (&rows[0]["owner_id"], rows[0]["owner_role"].as_str()),
        (&Value::Null, Some("ohchr_monitor")),
        "nobody is left at its own desk"
    );
}

#[actix_web::test]
async fn notes_are_for_those_who_investigate_and_stay_as_written() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let path = format!("/v1/cases/{}/notes", id(&case));
    let note = triage
        .post_keyed(&path, "note-1", json!({"text": "The clinic confirms the date."}))
        .await
        .expect(201);
    assert_eq!(
        triage
            .post_keyed(&path, "note-1", json!({"text": "The clinic confirms the date."}))
            .await
            .expect(201),
        note
    );
    assert_eq!(triage.post_keyed(&path, "note-1", json!({"text": "Another."})).await.problem(), "key-reused");
    assert_eq!(triage.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 1);
    let support = app.signed_in(Role::VictimSupport).await;
    assert_eq!(assign(&triage, &case, &support).await, 200);
    assert_eq!(support.get(&path).await.status, 403, "victim support sees the case, not the investigation");
}

#[actix_web::test]
async fn p4_what_protects_a_child_goes_with_the_complaint_into_the_case() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let mut childs = complaint();
    childs["victims"] = json!([{"age_band": "15-17"}]);
    let receipt = submitted(&app, childs).await;
    let body = json!({"decision": "attach", "case_id": case["id"], "reason": "The same evening."});
    triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&receipt)), 1, body).await.expect(200);
    let file = read(&triage, &case).await;
    assert_eq!(
        (&file["case"]["flags"], file["case"]["owner_role"].as_str()),
        (&json!(["child"]), Some("psea_coordinator"))
    );
    let close = json!({"step": "close", "reason": "It is small."});
    let path = format!("/v1/cases/{}/transitions", id(&case));
    assert_eq!(
        triage.post_seen(&path, 1, close.clone()).await.status,
        412,
        "what was seen is not what is there"
    );
    let version = file["case"]["version"].as_i64().unwrap();
    assert_eq!(triage.post_seen(&path, version, close).await.status, 202, "it needs a second officer now");
}

#[actix_web::test]
async fn p5_a_case_that_is_taken_up_again_has_a_clock_again() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, serious_complaint(), "serious_misconduct").await;
    step(&triage, &case, "open_mission_investigation").await;
    let investigator = app.signed_in(Role::Investigator).await;
    assert_eq!(assign(&triage, &case, &investigator).await, 200);
    let running =
        "select * from deadlines where name = 'investigation' and met_at is null and cancelled_at is null";
    step(&investigator, &case, "submit_report").await;
    assert_eq!(app.count(running).await, 0);
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    step(&monitor, &case, "return_report").await;
    assert_eq!(app.count(running).await, 1);
}

#[actix_web::test]
async fn the_signature_of_whoever_may_not_sign_any_more_does_not_count() {
    let app = TestApp::start().await;
    let (triage, coordinator) =
        (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::PseaCoordinator).await);
    app.signed_in(Role::OhchrMonitor).await;
    let receipt = submitted(&app, grave_complaint()).await;
    let path = format!("/v1/complaints/{}", id(&receipt));
    let close = json!({"decision": "close", "reason": "Nothing to see."});
    let waits = triage.post_seen(&format!("{path}/assessment"), 1, close).await.expect(202);
    let wall = json!({"user_id": triage.id, "reason": "A cousin of the subject."});
    assert_eq!(coordinator.post(&format!("{path}/walls"), wall).await.status, 204);
    let sign = json!({"approve": true, "reason": "Agreed."});
    let decision = format!("/v1/proposals/{}/decision", id(&waits));
    assert_eq!(coordinator.post_seen(&decision, 1, sign).await.status, 409);
    let refuse = json!({"approve": false, "reason": "Proposed by somebody in conflict."});
    coordinator.post_seen(&decision, 1, refuse).await.expect(200);
}
