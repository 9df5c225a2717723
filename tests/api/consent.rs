//! P4: what a person said, and the ways around it: other lanes, other words, approvals that have lost their ground.

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection as _;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::fixtures::{case_from, grave_complaint, id, serious_complaint, submitted};
use crate::harness::{Answer, Caller, TestApp};
use crate::parties::Scene;

async fn ask_of_complaint(who: &Caller<'_>, complaint: &str, party: &str, purpose: &str) -> Answer {
    let body = json!({"purpose": purpose, "reason": "It is needed for the work."});
    who.post(&format!("/v1/complaints/{complaint}/parties/{party}/reveal"), body).await
}

/// A serious complaint by somebody with a name.
fn named() -> Value {
    let mut complaint = serious_complaint();
    complaint["reporter"] =
        json!({"relation": "witness", "name": "Marie Exemple", "contact": {"phone": "+509 0000 0000"}});
    complaint
}

#[actix_web::test]
async fn p4_a_complaint_is_no_way_around_the_lane_of_its_case() {
    let app = TestApp::start().await;
    let scene = Scene::of(&app, named(), "serious_misconduct").await;
    let complaint = id(&scene.receipt).to_owned();
    let reporter = scene.party("complainant").await;
    ask_of_complaint(&scene.triage, &complaint, &reporter, "record").await.expect(200);
    // A child is found among those it was done to: from then on the case is not triage's, and nor is its complaint.
    let child = json!({"role": "victim", "age_band": "12-14", "identity": {"name": "Nadège Exemple"}});
    scene.triage.post(&scene.at("/parties"), child).await.expect(201);
    let flags = app.rows(&format!("select flags, child from complaints where id = '{complaint}'")).await;
    assert_eq!(flags[0], json!({"flags": ["child"], "child": true}));
    ask_of_complaint(&scene.triage, &complaint, &reporter, "record").await.refused(403, "forbidden");
    scene.ask(&scene.triage, &reporter, "record").await.refused(403, "forbidden");
    ask_of_complaint(&scene.coordinator, &complaint, &reporter, "record").await.expect(200);

    // The same where a second complaint brings the child, for the first one.
    let case = case_from(&scene.triage, named(), "serious_misconduct").await;
    let first = app.rows(&format!("select id from complaints where case_id = '{}'", id(&case))).await;
    let first = id(&first[0]).to_owned();
    let reporter = app
        .rows(&format!("select id from parties where complaint_id = '{first}' and role = 'complainant'"))
        .await;
    ask_of_complaint(&scene.triage, &first, id(&reporter[0]), "record").await.expect(200);
    let other = submitted(&app, grave_complaint()).await;
    let attach = json!({"decision": "attach", "case_id": id(&case), "reason": "The same patrol."});
    let path = format!("/v1/complaints/{}/assessment", id(&other));
    let waits = scene.triage.post_seen(&path, 1, attach).await.expect(202);
    let decision = format!("/v1/proposals/{}/decision", id(&waits));
    let signed = json!({"approve": true, "reason": "I have read both."});
    scene.monitor.post_seen(&decision, 1, signed).await.expect(200);
    ask_of_complaint(&scene.triage, &first, id(&reporter[0]), "record").await.refused(403, "forbidden");
    ask_of_complaint(&scene.coordinator, &first, id(&reporter[0]), "record").await.expect(200);

    // And where the complaint itself says nothing of it at all.
    let mut owner = app.owner().await;
    let sql = "set session_replication_role = replica; update complaints set flags = '{}'";
    owner.batch_execute(sql).await.unwrap();
    ask_of_complaint(&scene.triage, &first, id(&reporter[0]), "record").await.refused(403, "forbidden");
}

#[actix_web::test]
async fn p4_the_record_tells_no_contact_and_goes_not_before_a_no() {
    let app = TestApp::start().await;
    let scene = Scene::of(&app, named(), "serious_misconduct").await;
    let reporter = scene.party("complainant").await;
    let told = scene.ask(&scene.triage, &reporter, "record").await.expect(200);
    assert_eq!(told["identity"]["name"], "Marie Exemple");
    assert_eq!((&told["contact_withheld"], &told["identity"].get("contact")), (&json!(true), &None));
    let thread = app.reporter(&scene.receipt).await;
    let say = async |granted: bool| {
        let body = json!({"purpose": "record", "granted": granted});
        thread.post("/v1/reporter/consents", body).await.expect(201);
    };
    say(true).await;
    let told = scene.ask(&scene.triage, &reporter, "record").await.expect(200);
    assert_eq!(
        (&told["basis"], &told["identity"]["contact"]["phone"]),
        (&json!("consent"), &json!("+509 0000 0000"))
    );
    say(false).await;
    let waits = scene.ask(&scene.triage, &reporter, "record").await.expect(202);
    assert_eq!((&waits["missing"], &waits["lack"]), (&json!(["record"]), &json!("refused")));
    scene.decide(&scene.monitor, &waits, true).await.expect(200);
    let told = scene.ask(&scene.triage, &reporter, "record").await.expect(200);
    assert_eq!((&told["basis"], &told["contact_withheld"]), (&json!("second_person"), &json!(true)));
}

#[actix_web::test]
async fn p4_a_no_is_not_written_away_and_nobody_blocks_alone() {
    let app = TestApp::start().await;
    let scene = Scene::of(&app, named(), "serious_misconduct").await;
    let reporter = scene.party("complainant").await;
    let write = |answer: &str| json!({"purpose": "investigate", "granted": answer, "how": "verbal"});
    // What is best for a child decides for no adult.
    let best =
        json!({"purpose": "investigate", "granted": "yes", "given_by": "best_interests", "how": "verbal"});
    assert_eq!(scene.consent(&scene.triage, &reporter, best).await["stands"], false);
    scene.ask(&scene.investigator, &reporter, "investigate").await.expect(202);
    // One officer's no is for a second officer to judge.
    scene.consent(&scene.triage, &reporter, write("no")).await;
    let waits = scene.ask(&scene.investigator, &reporter, "investigate").await.expect(202);
    scene.decide(&scene.monitor, &waits, true).await.expect(200);
    scene.ask(&scene.investigator, &reporter, "investigate").await.expect(200);
    // The person's own is not; and no officer's yes comes after it.
    let thread = app.reporter(&scene.receipt).await;
    let say = async |granted: bool| {
        let body = json!({"purpose": "investigate", "granted": granted});
        thread.post("/v1/reporter/consents", body).await.expect(201);
    };
    say(false).await;
    scene.ask(&scene.investigator, &reporter, "investigate").await.refused(403, "forbidden");
    scene.consent(&scene.triage, &reporter, write("yes")).await;
    scene.ask(&scene.investigator, &reporter, "investigate").await.refused(403, "forbidden");
    scene.ask(&scene.monitor, &reporter, "imminent_danger").await.expect(200);
    scene.ask(&scene.monitor, &reporter, "legal_order").await.expect(200);
    say(true).await;
    scene.ask(&scene.investigator, &reporter, "investigate").await.expect(200);
    // The order is the database's: all of this was at one moment, and a server whose clock is behind comes no earlier.
    let turns =
        app.rows("select count(distinct at) as moments, count(distinct turn) as turns from consents").await;
    assert_eq!(turns[0], json!({"moments": 1, "turns": 5}));
    let mut owner = app.owner().await;
    let sql = "set session_replication_role = replica;
        update consents set at = at - interval '1 hour' where turn = (select max(turn) from consents)";
    owner.batch_execute(sql).await.unwrap();
    scene.ask(&scene.investigator, &reporter, "investigate").await.expect(200);
}

#[actix_web::test]
async fn p4_an_approval_ends_with_the_grounds_of_either_of_the_two() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    let approved = async |by: &Caller<'_>| {
        let waits = scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
        scene.decide(by, &waits, true).await.expect(200);
        scene.ask(&scene.investigator, &victim, "investigate").await.expect(200);
    };
    let mut owner = app.owner().await;
    let second = app.signed_in(Role::PseaCoordinator).await;
    let second_id = second.id.unwrap();
    // The second person is walled, has another role, or no account.
    approved(&second).await;
    let wall = json!({"user_id": second_id.uuid(), "reason": "They know each other."});
    scene.triage.post(&scene.at("/walls"), wall).await.expect(204);
    scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
    for sql in ["roles = '{triage_officer}'", "deactivated_at = now()"] {
        let second = app.signed_in(Role::PseaCoordinator).await;
        approved(&second).await;
        let id = second.id.unwrap();
        let sql = format!("set session_replication_role = replica; update users set {sql} where id = '{id}'");
        owner.batch_execute(&sql).await.unwrap();
        scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
    }
    // Whoever asked has another role, is not on the case any more, or is walled: nothing is approved, and nothing told.
    approved(&scene.monitor).await;
    let waits = scene.ask(&scene.investigator, &victim, "contact_by_phone").await.expect(202);
    let me = scene.investigator.id.unwrap();
    for (undo, redo) in [
        (
            format!("update users set roles = '{{auditor}}' where id = '{me}'"),
            format!("update users set roles = '{{investigator}}' where id = '{me}'"),
        ),
        (
            format!("update assignments set ended_at = now() where user_id = '{me}'"),
            format!("update assignments set ended_at = null where user_id = '{me}'"),
        ),
    ] {
        owner.batch_execute(&format!("set session_replication_role = replica; {undo}")).await.unwrap();
        scene.decide(&scene.monitor, &waits, true).await.refused(409, "wrong-moment");
        owner.batch_execute(&redo).await.unwrap();
    }
    let wall = json!({"user_id": me.uuid(), "reason": "They know each other too."});
    scene.triage.post(&scene.at("/walls"), wall).await.expect(204);
    scene.decide(&scene.monitor, &waits, true).await.refused(409, "wrong-moment");
    scene.ask(&scene.investigator, &victim, "investigate").await.refused(404, "not-found");
    scene.decide(&scene.monitor, &waits, false).await.expect(200);
}

#[actix_web::test]
async fn p4_whoever_handed_a_complaint_in_says_no_yes_in_the_reporters_place() {
    let app = TestApp::start().await;
    let focal_point = app.signed_in(Role::FocalPoint).await;
    let intake = app.signed_in(Role::IntakeOfficer).await;
    let receipt = focal_point.post("/v1/complaints", named()).await.expect(201);
    let complaint = id(&receipt).to_owned();
    let reporter = app.rows("select id from parties where role = 'complainant'").await;
    let reporter = id(&reporter[0]).to_owned();
    let thread = app.reporter(&receipt).await;
    let say = async |granted: bool| {
        let body = json!({"purpose": "contact_by_phone", "granted": granted});
        thread.post("/v1/reporter/consents", body).await.expect(201);
    };
    say(true).await;
    ask_of_complaint(&focal_point, &complaint, &reporter, "contact_by_phone").await.expect(202);
    ask_of_complaint(&intake, &complaint, &reporter, "contact_by_phone").await.expect(200);
    say(false).await;
    for who in [&focal_point, &intake] {
        ask_of_complaint(who, &complaint, &reporter, "contact_by_phone").await.refused(403, "forbidden");
    }
}

#[actix_web::test]
async fn p4_whoever_cried_danger_for_nothing_asks_a_second_officer_first() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    let other = scene.party("complainant").await;
    scene.ask(&scene.coordinator, &victim, "imminent_danger").await.expect(200);
    scene.ask(&scene.coordinator, &victim, "imminent_danger").await.expect(200);
    let waiting = scene.monitor.get("/v1/reveals?waiting=true").await.expect(200);
    scene.decide(&scene.monitor, &waiting["items"][0], false).await.expect(200);
    for (party, purpose) in [(&victim, "imminent_danger"), (&other, "legal_order")] {
        let waits = scene.ask(&scene.coordinator, party, purpose).await.expect(202);
        assert_eq!((&waits["missing"], &waits["lack"]), (&json!([]), &json!("refused_before")));
        assert_eq!(waits["basis"], "second_person");
    }
    // Nobody else is kept from it.
    scene.ask(&scene.monitor, &victim, "imminent_danger").await.expect(200);
    let waits = scene.ask(&scene.coordinator, &victim, "imminent_danger").await.expect(202);
    scene.decide(&scene.monitor, &waits, true).await.expect(200);
    let told = scene.ask(&scene.coordinator, &victim, "imminent_danger").await.expect(200);
    assert_eq!(
        (&told["basis"], &told["identity"]["name"]),
        (&json!("second_person"), &json!("Nadège Exemple"))
    );
    app.wait(TimeDelta::hours(4));
    let coordinator = app.sign_in(&scene.coordinator.email, crate::harness::PASSWORD).await;
    scene.ask(&coordinator, &victim, "imminent_danger").await.expect(202);
}
