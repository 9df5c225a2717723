//! P3, P5: whoever is named in a matter, or stands near a subject, never knows of it, and it never lies with nobody.

use actix_web::http::Method;
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::personnel;

use crate::cast::rows;
use crate::fixtures::{case_from, complaint, id, submitted};
use crate::harness::{Answer, Caller, TestApp};

/// A complaint about somebody.
#[expect(clippy::needless_pass_by_value, reason = "a story reads better without the borrow")]
pub fn about(subject: Value) -> Value {
    let mut complaint = complaint();
    complaint["subjects"] = json!([subject]);
    complaint
}

pub async fn change(keeper: &Caller<'_>, path: &str, version: i64, body: Value) -> Answer {
    let request = keeper.request(Method::PATCH, path).insert_header(("If-Match", format!("\"{version}\"")));
    keeper.send(request.set_json(body)).await
}

pub async fn rename(keeper: &Caller<'_>, who: &Caller<'_>, version: i64, name: &str) {
    let path = format!("/v1/users/{}", who.id.unwrap());
    change(keeper, &path, version, json!({"name": name})).await.expect(200);
}

/// Enters a person in the roster.
pub async fn enter(keeper: &Caller<'_>, person: Value) -> Value {
    keeper.post("/v1/personnel", person).await.expect(201)
}

pub async fn unit(keeper: &Caller<'_>, unit: Value) -> Value {
    keeper.post("/v1/units", unit).await.expect(201)
}

/// Whether somebody finds a complaint: by its id and in the list alike.
pub async fn finds(who: &Caller<'_>, complaint: &str) -> bool {
    let status = who.get(&format!("/v1/complaints/{complaint}")).await.status;
    let listed = who.get("/v1/complaints?limit=200").await.text.contains(complaint);
    assert_eq!(status == 200, listed, "{status}");
    listed
}

pub async fn finds_case(who: &Caller<'_>, case: &str) -> bool {
    let status = who.get(&format!("/v1/cases/{case}")).await.status;
    let listed = who.get("/v1/cases?limit=200").await.text.contains(case);
    assert_eq!(status == 200, listed, "{status}");
    listed
}

pub async fn desk(app: &TestApp, table: &str, id: &str) -> (Value, Value) {
    let row =
        app.rows(&format!("select owner_role, owner_id from {table} where id = '{id}'")).await.remove(0);
    (row["owner_role"].clone(), row["owner_id"].clone())
}

pub async fn actions(app: &TestApp, matter: &str) -> Vec<String> {
    let found = app
        .rows(&format!("select action from audit_entries where matter_id = '{matter}' order by at, id"))
        .await;
    found.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn p3_whoever_is_named_never_knows_of_it() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let (named, other) = (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::TriageOfficer).await);
    rename(&keeper, &named, 1, "Nadège Exemple").await;
    let mut body = complaint();
    body["victims"] = json!([{"name": "EXEMPLE, Nadege"}]);
    let receipt = submitted(&app, body).await;
    assert!(!finds(&named, id(&receipt)).await);
    assert!(finds(&other, id(&receipt)).await);
    let walls = app.rows("select kind, matched, rests_on, put_up_by, reason, reason_sealed from walls").await;
    let expected = json!({"kind": "automatic", "matched": "person", "rests_on": "name", "put_up_by": null, "reason": null, "reason_sealed": null});
    assert_eq!(walls, [expected]);
    assert_eq!(actions(&app, id(&receipt)).await[..2], ["complaint.received", "walls.followed"]);

    // The reporter's receipt tells nothing of it: what followed has an entry of its own.
    let entries = app.rows("select action, changes from audit_entries where action in ('complaint.received', 'walls.followed')").await;
    for entry in &entries {
        let walls = entry["changes"].to_string().contains("walls ");
        assert_eq!(walls, entry["action"] == "walls.followed", "{entry}");
    }
    let body =
        json!({"decision": "open_case", "category": "minor_misconduct", "reason": "It can be a breach."});
    let case =
        other.post_seen(&format!("/v1/complaints/{}/assessment", id(&receipt)), 1, body).await.expect(201);
    assert!(!finds_case(&named, id(&case)).await);
    let told = other.get(&format!("/v1/cases/{}/walls", id(&case))).await.expect(200);
    assert_eq!(told["items"][0]["kind"], "automatic");
    assert_eq!(told["items"][0]["rests_on"], "name");
    app.sequence().await;
}

#[actix_web::test]
async fn p3_a_subject_who_is_named_later_ends_the_sight_of_sessions_that_run() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    app.signed_in(Role::OhchrMonitor).await;
    let (triage, mate, boss, top) = (
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::Commander).await,
    );
    // The force stands above the battalion, the battalion above the unit.
    let force = unit(&keeper, json!({"name": "The Force"})).await;
    let battalion = unit(&keeper, json!({"name": "Battalion 2", "parent_id": force["id"]})).await;
    let seven = unit(&keeper, json!({"name": "Unit 7", "parent_id": battalion["id"]})).await;
    enter(&keeper, json!({"name": "A Mate", "unit_id": seven["id"], "user_id": mate.id})).await;
    let commands = enter(&keeper, json!({"name": "The Boss", "user_id": boss.id})).await;
    let above =
        enter(&keeper, json!({"name": "The Top", "user_id": top.id, "leadership": "force_commander"})).await;
    change(&keeper, &format!("/v1/units/{}", id(&battalion)), 1, json!({"commander_id": commands["id"]}))
        .await
        .expect(200);
    change(&keeper, &format!("/v1/units/{}", id(&force)), 1, json!({"commander_id": above["id"]}))
        .await
        .expect(200);

    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let case = id(&case);
    for who in [&triage, &mate, &boss] {
        assert!(finds_case(who, case).await);
    }
    let assign = json!({"user_id": mate.id, "role": "triage_officer", "conflict_declared": false});
    let assigned = triage.post_seen(&format!("/v1/cases/{case}/assignments"), 1, assign).await.expect(200);
    // The unit alone is named.
    let subject = json!({"role": "subject", "country": "KE", "identity": {"unit": "UNIT-7"}});
    triage.post(&format!("/v1/cases/{case}/parties"), subject).await.expect(201);
    assert!(finds_case(&triage, case).await);
    assert!(!finds_case(&mate, case).await, "the same unit");
    assert!(!finds_case(&boss, case).await, "the chain of command");
    assert_eq!(app.count("select 1 from assignments where ended_at is null").await, 0);
    // The force commander is above every unit: orders are still to be given.
    let walled =
        app.rows(&format!("select matched, rests_on from walls where user_id = '{}'", top.id.unwrap())).await;
    assert!(walled.is_empty(), "{walled:?}");
    // Whoever is hidden from it is given no work on it, in the words for an account that does not exist.
    let version = app.rows(&format!("select version from cases where id = '{case}'")).await[0]["version"]
        .as_i64()
        .unwrap();
    assert!(version >= assigned["version"].as_i64().unwrap());
    let path = format!("/v1/cases/{case}/assignments");
    let mut answers = Vec::new();
    for user in [json!(mate.id), json!(boss.id), json!("0199c0de-0000-7000-8000-00000000dead")] {
        let body = json!({"user_id": user, "role": "triage_officer", "conflict_declared": false});
        let answer = triage.post_seen(&path, version, body).await;
        answers.push((answer.status, answer.body["errors"].clone()));
    }
    assert_eq!(answers[0].0, 422);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // Whoever names themself loses sight too, and what they said stays.
    rename(&keeper, &triage, 1, "Themself Named").await;
    let me = json!({"role": "witness", "identity": {"name": "Named Themself"}});
    triage.post(&format!("/v1/cases/{case}/parties"), me).await.expect(201);
    assert!(!finds_case(&triage, case).await);
    assert_eq!(app.count("select 1 from parties where role in ('subject', 'witness')").await, 2);
}

#[actix_web::test]
async fn p3_an_account_that_comes_later_is_matched_as_well() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    app.signed_in(Role::OhchrMonitor).await;
    let receipt = submitted(&app, about(json!({"service_number": "KE-1042", "unit": "Unit 7"}))).await;
    let it = id(&receipt);
    let (triage, mate, boss) = (
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
    );
    for who in [&triage, &mate, &boss] {
        assert!(finds(who, it).await);
    }
    // A unit of that name is entered, then somebody who serves in it, then who commands above it.
    let seven = unit(&keeper, json!({"name": "unit 7"})).await;
    assert!(finds(&mate, it).await);
    let person = enter(&keeper, json!({"name": "A Mate", "unit_id": seven["id"]})).await;
    change(&keeper, &format!("/v1/personnel/{}", id(&person)), 1, json!({"user_id": mate.id}))
        .await
        .expect(200);
    assert!(!finds(&mate, it).await);
    let above = unit(&keeper, json!({"name": "Battalion 2"})).await;
    let commander = enter(&keeper, json!({"name": "The Boss", "user_id": boss.id})).await;
    change(&keeper, &format!("/v1/units/{}", id(&above)), 1, json!({"commander_id": commander["id"]}))
        .await
        .expect(200);
    assert!(finds(&boss, it).await);
    change(&keeper, &format!("/v1/units/{}", id(&seven)), 1, json!({"parent_id": above["id"]}))
        .await
        .expect(200);
    assert!(!finds(&boss, it).await);
    assert!(finds(&triage, it).await);
    // The subject turns out to be an officer of the register: nobody but the OHCHR deals with it from then on.
    let accused = app.signed_in(Role::IntakeOfficer).await;
    assert!(finds(&accused, it).await);
    enter(&keeper, json!({"name": "John Sample", "service_number": "ke 1042", "user_id": accused.id})).await;
    assert!(!finds(&accused, it).await);
    assert!(!finds(&triage, it).await);
    assert_eq!(desk(&app, "complaints", it).await.0, "ohchr_monitor");
    // What somebody was called before still tells who they are; and an account that is made anew is matched before its first look.
    let second = submitted(&app, {
        let mut body = complaint();
        body["witnesses"] = json!([{"name": "Marc Ancien"}]);
        body
    })
    .await;
    let renamed = app.signed_in(Role::TriageOfficer).await;
    rename(&keeper, &renamed, 1, "Marc Ancien").await;
    assert!(!finds(&renamed, id(&second)).await);
    rename(&keeper, &renamed, 2, "Luc Nouveau").await;
    let third = submitted(&app, {
        let mut body = complaint();
        body["witnesses"] = json!([{"name": "Ancien Marc"}]);
        body
    })
    .await;
    assert!(!finds(&renamed, id(&third)).await);
    let body = json!({"email": "new@mission.example", "name": "Marc Ancien", "roles": ["triage_officer"], "password": "nine slow turtles near the reef"});
    keeper.post("/v1/users", body).await.expect(201);
    let made = app.sign_in("new@mission.example", "nine slow turtles near the reef").await;
    assert!(!finds(&made, id(&third)).await);
    app.sequence().await;
}

#[actix_web::test]
async fn p3_what_concerns_the_leadership_is_dealt_with_outside() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let chief = app.signed_in(Role::Commander).await;
    let other_commander = app.signed_in(Role::Commander).await;
    let (triage, psea, intake, panel, legal) = (
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::PseaCoordinator).await,
        app.signed_in(Role::IntakeOfficer).await,
        app.signed_in(Role::PanelMember).await,
        app.signed_in(Role::LegalLiaison).await,
    );
    let (monitor, investigator) =
        (app.signed_in(Role::OhchrMonitor).await, app.signed_in(Role::Investigator).await);
    let commander = json!({"name": "Force Commander Sample", "service_number": "FC-1", "user_id": chief.id, "leadership": "force_commander"});
    enter(&keeper, commander).await;
    let mut body = about(json!({"service_number": "FC1"}));
    body["reported_category"] = json!("sexual_exploitation_abuse");
    let receipt = submitted(&app, body).await;
    let it = id(&receipt).to_owned();
    assert!(finds(&monitor, &it).await);
    for who in [&triage, &psea, &intake] {
        assert!(!finds(who, &it).await);
    }
    assert_eq!(desk(&app, "complaints", &it).await, (json!("ohchr_monitor"), Value::Null));
    assert_eq!(actions(&app, &it).await[..3], ["complaint.received", "walls.followed", "matter.rerouted"]);
    let reporter = app.reporter(&receipt).await;
    reporter.get("/v1/reporter/complaint").await.expect(200);
    // It stays so as a case, at whatever stage, and whatever it is classified as.
    let open =
        json!({"decision": "open_case", "category": "sexual_exploitation_abuse", "reason": "It is one."});
    let case = monitor.post_seen(&format!("/v1/complaints/{it}/assessment"), 1, open).await.expect(201);
    let case = id(&case).to_owned();
    let priority = json!({"priority": "immediate", "reason": "There is danger."});
    monitor.post_seen(&format!("/v1/cases/{case}/classification"), 1, priority).await.expect(200);
    assert_eq!(desk(&app, "cases", &case).await.0, "ohchr_monitor");
    let mut owner = app.owner().await;
    for stage in ["assessment", "determination", "action_pending"] {
        rows(&mut owner, &format!("with done as (select 1) select * from done where '{stage}' = ''")).await;
        diesel_async::SimpleAsyncConnection::batch_execute(
            &mut owner,
            &format!("update cases set stage = '{stage}', referred_country = 'KE' where id = '{case}'; update deadlines set escalated_to = 'panel_member', escalation = 1"),
        )
        .await
        .unwrap();
        for who in [&triage, &psea, &chief, &other_commander, &panel, &legal] {
            assert!(!finds_case(who, &case).await);
            for list in ["/v1/deadlines", "/v1/proposals", "/v1/complaints"] {
                let answer = who.get(list).await;
                assert!(!answer.text.contains(&case) && !answer.text.contains(&it), "{list} {}", answer.text);
            }
        }
        assert!(finds_case(&monitor, &case).await);
    }
    // Whoever the OHCHR assigns works on it.
    let version = app.rows(&format!("select version from cases where id = '{case}'")).await[0]["version"]
        .as_i64()
        .unwrap();
    let assign = json!({"user_id": investigator.id, "role": "investigator", "conflict_declared": false});
    monitor.post_seen(&format!("/v1/cases/{case}/assignments"), version, assign).await.expect(200);
    assert!(finds_case(&investigator, &case).await);
    // A complaint that joins it goes outside with it.
    let second = submitted(&app, complaint()).await;
    let second = id(&second).to_owned();
    assert!(finds(&triage, &second).await);
    let join = json!({"decision": "attach", "case_id": case, "reason": "The same matter."});
    monitor.post_seen(&format!("/v1/complaints/{second}/assessment"), 1, join).await.expect(200);
    assert!(!finds(&triage, &second).await);
    assert!(finds(&monitor, &second).await);
}

#[actix_web::test]
async fn p3_a_complaint_about_the_officer_who_hands_it_in_stays_the_reporters() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    app.signed_in(Role::OhchrMonitor).await;
    let focal_point = app.signed_in(Role::FocalPoint).await;
    rename(&keeper, &focal_point, 1, "Odette Pierre").await;
    let mut body = about(json!({"name": "Pierre Odette"}));
    body["submission_id"] = json!("0199c0de-0000-7000-8000-0000000000ab");
    let receipt = focal_point.post("/v1/complaints", body.clone()).await.expect(201);
    assert!(!finds(&focal_point, id(&receipt)).await);
    let thread = app.reporter(&receipt).await;
    thread.get("/v1/reporter/complaint").await.expect(200);
    thread.post("/v1/reporter/messages", json!({"text": "I remember more."})).await.expect(201);
    focal_point.post("/v1/complaints", body).await.expect(404);
    app.sequence().await;
    thread.get("/v1/reporter/receipt").await.expect(200);
}

#[actix_web::test]
async fn p5_a_matter_never_lies_with_nobody() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let (one, two) = (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::TriageOfficer).await);
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    rename(&keeper, &one, 1, "Nadège Exemple").await;
    let case = case_from(&two, complaint(), "minor_misconduct").await;
    let case = id(&case).to_owned();
    assert_eq!(desk(&app, "cases", &case).await, (json!("triage_officer"), json!(two.id)));
    // A recusal of the last but the one who is walled then; and of somebody who owns it.
    let victim = json!({"role": "victim", "identity": {"name": "Nadège Exemple"}});
    monitor.post(&format!("/v1/cases/{case}/parties"), victim).await.expect(201);
    assert_eq!(desk(&app, "cases", &case).await.0, "triage_officer");
    two.post(&format!("/v1/cases/{case}/recusals"), json!({"reason": "I know them."})).await.expect(204);
    assert_eq!(desk(&app, "cases", &case).await, (json!("ohchr_monitor"), Value::Null));
    let matter = app.rows(&format!("select matter_id as id from cases where id = '{case}'")).await;
    assert!(actions(&app, id(&matter[0])).await.contains(&"matter.rerouted".to_owned()));
    // It does not go back to a desk where nobody is left, whatever it is classified as.
    let version = app.rows(&format!("select version from cases where id = '{case}'")).await[0]["version"]
        .as_i64()
        .unwrap();
    let other = json!({"category": "serious_misconduct", "reason": "It is more."});
    monitor.post_seen(&format!("/v1/cases/{case}/classification"), version, other).await.expect(200);
    assert_eq!(desk(&app, "cases", &case).await.0, "ohchr_monitor");

    // The last of a desk leaves the mission: what lay there is found by the next look.
    let intake = app.signed_in(Role::IntakeOfficer).await;
    let receipt = submitted(&app, complaint()).await;
    assert_eq!(desk(&app, "complaints", id(&receipt)).await.0, "intake_officer");
    let path = format!("/v1/users/{}/deactivation", intake.id.unwrap());
    keeper.post_seen(&path, 1, json!({"reason": "left the mission"})).await.expect(200);
    assert_eq!(personnel::follow_up(&app.temwen).await.unwrap(), 1);
    assert_eq!(desk(&app, "complaints", id(&receipt)).await.0, "ohchr_monitor");
    assert_eq!(personnel::follow_up(&app.temwen).await.unwrap(), 0);
    assert!(actions(&app, id(&receipt)).await.contains(&"matter.rerouted".to_owned()));
    // Whoever checks the record hears when nobody is left at all.
    let path = format!("/v1/users/{}/deactivation", monitor.id.unwrap());
    keeper.post_seen(&path, 1, json!({"reason": "left the mission"})).await.expect(200);
    rename(&keeper, &keeper, 1, "Somebody Accused").await;
    let last = submitted(&app, about(json!({"name": "Somebody Accused"}))).await;
    assert_eq!(desk(&app, "complaints", id(&last)).await.0, "ohchr_monitor");
    assert!(actions(&app, id(&last)).await.contains(&"matter.without_officer".to_owned()));
    let auditor = app.signed_in(Role::Auditor).await;
    let heard = auditor.get("/v1/audit/entries?action=matter.without_officer").await.expect(200);
    assert_eq!(heard["items"].as_array().unwrap().len(), 1, "{heard}");
    app.sequence().await;
}

#[actix_web::test]
async fn p3_two_officers_lift_a_wall_that_rests_on_a_name() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let (one, two, psea) = (
        app.signed_in(Role::OhchrMonitor).await,
        app.signed_in(Role::OhchrMonitor).await,
        app.signed_in(Role::PseaCoordinator).await,
    );
    let (named, triage) =
        (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::TriageOfficer).await);
    rename(&keeper, &named, 1, "Jean Exemple").await;
    let mut body = complaint();
    body["reported_category"] = json!("sexual_exploitation_abuse");
    let case = case_from(&triage, body, "sexual_exploitation_abuse").await;
    let case = id(&case).to_owned();
    let witness = json!({"role": "witness", "identity": {"name": "Jean Exemple"}});
    let party = triage.post(&format!("/v1/cases/{case}/parties"), witness).await.expect(201);
    assert!(!finds_case(&named, &case).await);
    let path = format!("/v1/cases/{case}/walls/{}/lifting", named.id.unwrap());
    let reason = || json!({"reason": "Another person of that name."});
    triage.post(&path, reason()).await.expect(403);
    psea.post(&path, reason()).await.expect(403);
    named.post(&path, reason()).await.expect(404);
    one.post(&path, json!({"reason": ""})).await.expect(422);
    one.post(&format!("/v1/cases/{case}/walls/{}/lifting", triage.id.unwrap()), reason()).await.expect(404);
    one.post(&path, reason()).await.expect(202);
    one.post(&path, reason()).await.expect(403);
    assert!(!finds_case(&named, &case).await);
    psea.post(&path, reason()).await.expect(200);
    assert!(finds_case(&named, &case).await);
    two.post(&path, reason()).await.expect(409);
    let sealed = app.rows("select encode(reason, 'escape') as told from wall_liftings").await;
    assert!(!sealed[0].to_string().contains("Another"));
    // Matched again by the name, it stays lifted; by a number, the wall stands again, for good.
    rename(&keeper, &named, 2, "Jean Exemple").await;
    assert!(finds_case(&named, &case).await);
    enter(&keeper, json!({"name": "Jean Exemple", "service_number": "HT-7", "user_id": named.id})).await;
    assert!(finds_case(&named, &case).await);
    let learned = json!({"identity": {"service_number": "HT 7"}});
    change(&triage, &format!("/v1/cases/{case}/parties/{}", id(&party)), 1, learned).await.expect(200);
    assert!(!finds_case(&named, &case).await);
    one.post(&path, reason()).await.expect(409);
    // What somebody put up is lifted by nobody.
    let (case, triage) = crate::fixtures::minor_case(&app).await;
    let wall = json!({"user_id": named.id, "reason": "A relative."});
    triage.post(&format!("/v1/cases/{}/walls", id(&case)), wall).await.expect(204);
    one.post(&format!("/v1/cases/{}/walls/{}/lifting", id(&case), named.id.unwrap()), reason())
        .await
        .expect(409);
    app.sequence().await;
}

/// An answer without its request id.
fn plain(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
    headers.sort();
    (answer.status, answer.text.replace(answer.body["request_id"].as_str().unwrap_or("no id"), "…"), headers)
}

#[actix_web::test]
async fn p3_what_was_seen_before_the_wall_leads_nowhere_after_it() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    app.signed_in(Role::OhchrMonitor).await;
    let (named, triage) =
        (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::TriageOfficer).await);
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let (case, number) = (id(&case).to_owned(), case["number"].as_str().unwrap().to_owned());
    for _ in 0..3 {
        case_from(&triage, complaint(), "minor_misconduct").await;
    }
    let complaint_id = app.rows(&format!("select id from complaints where case_id = '{case}'")).await;
    let complaint_id = id(&complaint_id[0]).to_owned();
    // Everything that can be kept from before: ETags, cursors, first answers, ids of what hangs on it.
    let file = named.get(&format!("/v1/cases/{case}")).await;
    let etag = file.header("etag").unwrap().to_owned();
    let first_page = named.get("/v1/cases?limit=2").await.expect(200);
    let cursor = first_page["next"].as_str().unwrap().to_owned();
    let kept =
        named.post_keyed(&format!("/v1/cases/{case}/notes"), "the same", json!({"text": "Kept."})).await;
    assert_eq!(kept.status, 201);
    let version = app.rows(&format!("select version from cases where id = '{case}'")).await[0]["version"]
        .as_i64()
        .unwrap();
    let deadlines = app
        .rows(&format!(
            "select id from deadlines where case_id = '{case}' or complaint_id = '{complaint_id}'"
        ))
        .await;
    let before = named.get("/v1/cases?limit=200").await.expect(200)["items"].as_array().unwrap().len();

    rename(&keeper, &named, 1, "Nadège Exemple").await;
    let victim = json!({"role": "victim", "identity": {"name": "nadege exemple"}});
    triage.post(&format!("/v1/cases/{case}/parties"), victim).await.expect(201);

    let unknown = "0199c0de-0000-7000-8000-00000000dead";
    let mut tried = 0;
    let mut reads: Vec<String> = ["", "/notes", "/timeline", "/walls", "/deadlines", "/parties"]
        .iter()
        .map(|rest| format!("/v1/cases/{case}{rest}"))
        .collect();
    reads.extend(["", "/messages"].map(|rest| format!("/v1/complaints/{complaint_id}{rest}")));
    for path in &reads {
        let stranger_path = path.replace(&case, unknown).replace(&complaint_id, unknown);
        for with in [None, Some(etag.as_str())] {
            let ask = async |path: &str| {
                let mut request = named.request(Method::GET, path);
                if let Some(etag) = with {
                    request = request.insert_header(("If-None-Match", etag.to_owned()));
                }
                named.send(request).await
            };
            let (hidden, absent) = (ask(path).await, ask(&stranger_path).await);
            assert_eq!((hidden.status, plain(&hidden)), (404, plain(&absent)), "{path}");
            tried += 1;
        }
    }
    // Changes with the right version, with a wrong one, and with none answer the same as for what does not exist.
    for seen in [Some(version), Some(version + 7), None] {
        for (rest, body) in [
            ("/classification", json!({"priority": "immediate", "reason": "There is danger."})),
            ("/transitions", json!({"step": "await_information", "reason": "It is time."})),
            (
                "/assignments",
                json!({"user_id": triage.id, "role": "triage_officer", "conflict_declared": false}),
            ),
        ] {
            let ask = async |case: &str| {
                let mut request =
                    named.request(Method::POST, &format!("/v1/cases/{case}{rest}")).set_json(&body);
                if let Some(seen) = seen {
                    request = request.insert_header(("If-Match", format!("\"{seen}\"")));
                }
                named.send(request).await
            };
            let (hidden, absent) = (ask(&case).await, ask(unknown).await);
            assert_eq!(plain(&hidden), plain(&absent), "{rest}");
            tried += 1;
        }
    }
    for text in ["Kept.", "Something else."] {
        let ask = async |case: &str| {
            named.post_keyed(&format!("/v1/cases/{case}/notes"), "the same", json!({"text": text})).await
        };
        let (hidden, absent) = (ask(&case).await, ask(unknown).await);
        assert_eq!((hidden.status, plain(&hidden)), (404, plain(&absent)));
        tried += 1;
    }
    for deadline in &deadlines {
        let path = format!("/v1/deadlines/{}/pause", id(deadline));
        let ask = async |path: &str| named.post_seen(path, 1, json!({"reason": "A hearing."})).await;
        let (hidden, absent) = (ask(&path).await, ask(&path.replace(id(deadline), unknown)).await);
        assert_eq!((hidden.status, plain(&hidden)), (404, plain(&absent)));
        tried += 1;
    }
    // Attaching to it, guessing: the same words as for no case at all.
    let receipt = submitted(&app, complaint()).await;
    let path = format!("/v1/complaints/{}/assessment", id(&receipt));
    let ask = async |case: &str| {
        named.post_seen(&path, 1, json!({"decision": "attach", "case_id": case, "reason": "The same."})).await
    };
    let (hidden, absent) = (ask(&case).await, ask(unknown).await);
    assert_eq!((hidden.status, plain(&hidden)), (422, plain(&absent)));
    // Lists: with filters, by old cursors and new ones, page by page.
    for list in ["cases", "complaints", "deadlines", "proposals"] {
        let mut next = format!("/v1/{list}?limit=2");
        loop {
            let page = named.get(&next).await;
            for mark in [&case, &number, &complaint_id] {
                assert!(!page.text.contains(mark.as_str()), "{list}");
            }
            tried += 1;
            match page.body["next"].as_str() {
                Some(cursor) => next = format!("/v1/{list}?limit=2&after={cursor}"),
                None => break,
            }
        }
    }
    let old = named.get(&format!("/v1/cases?limit=200&after={cursor}")).await.expect(200);
    assert!(!old.to_string().contains(&case));
    assert_eq!(
        named.get("/v1/cases?limit=200").await.expect(200)["items"].as_array().unwrap().len(),
        before - 1
    );
    assert!(tried > 40, "{tried}");
}

#[actix_web::test]
async fn p3_naming_somebody_while_they_are_entered_misses_neither() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    app.signed_in(Role::OhchrMonitor).await;
    let accounts = futures_util::future::join_all((0..6).map(|_| app.signed_in(Role::TriageOfficer))).await;
    let stories = accounts.iter().enumerate().map(|(n, who)| {
        let (keeper, app) = (&keeper, &app);
        async move {
            let name = format!("Somebody {}", ["Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot"][n]);
            let mut body = complaint();
            body["victims"] = json!([{"name": name.clone()}]);
            let (receipt, ()) = futures_util::join!(submitted(app, body), rename(keeper, who, 1, &name));
            assert!(!finds(who, id(&receipt)).await, "{name}");
        }
    });
    futures_util::future::join_all(stories).await;
}

#[actix_web::test]
async fn the_roster_refuses_what_cannot_be() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    for (body, pointer) in [
        (json!({"name": ""}), "/name"),
        (json!({"name": "x".repeat(201)}), "/name"),
        (json!({"name": "A\u{202E}B"}), "/name"),
        (json!({"name": "A B", "service_number": "  "}), "/service_number"),
        (json!({"name": "A B", "service_number": "---"}), "/service_number"),
        (json!({"name": "A B", "country": "XX"}), "/country"),
        (json!({"name": "A B", "leadership": "king"}), "/leadership"),
        (json!({"name": "A B", "unit_id": "0199c0de-0000-7000-8000-00000000dead"}), "/unit_id"),
        (json!({"name": "A B", "user_id": "0199c0de-0000-7000-8000-00000000dead"}), "/user_id"),
        (json!({"name": "A B", "shoe_size": 44}), "/shoe_size"),
    ] {
        let answer = keeper.post("/v1/personnel", body.clone()).await;
        assert_eq!((answer.status, answer.faults()), (422, vec![pointer]), "{body}");
    }
    let all = keeper.post("/v1/personnel", json!({"name": "", "service_number": "", "country": "XX"})).await;
    assert_eq!(all.faults(), ["/name", "/service_number", "/country"]);
    let whole = json!({"name": "ab ".repeat(66).trim(), "service_number": "KE-1", "user_id": triage.id, "country": "KE", "rank": "sergeant"});
    let person = enter(&keeper, whole).await;
    assert_eq!(person["service_number"], "KE-1");
    let path = format!("/v1/personnel/{}", id(&person));
    assert_eq!(keeper.get(&path).await.expect(200), person);
    keeper.post("/v1/personnel", json!({"name": "Another", "service_number": "ke 1"})).await.expect(409);
    keeper.post("/v1/personnel", json!({"name": "Another", "user_id": triage.id})).await.expect(409);
    change(&keeper, &path, 1, json!({})).await.expect(422);
    change(&keeper, &path, 7, json!({"rank": null})).await.expect(412);
    let changed =
        change(&keeper, &path, 1, json!({"rank": null, "left": true, "user_id": null})).await.expect(200);
    assert_eq!((&changed["rank"], &changed["user_id"]), (&Value::Null, &Value::Null));
    assert!(changed["left_at"].is_string());
    // The number of somebody who left is free again.
    keeper.post("/v1/personnel", json!({"name": "Another", "service_number": "ke 1"})).await.expect(201);
    triage.get(&path).await.expect(200);
    change(&triage, &path, 2, json!({"rank": "major"})).await.expect(403);
    app.signed_in(Role::Investigator).await.get(&path).await.expect(403);
    let sealed = app.rows("select p::text as row from personnel p").await;
    assert!(
        sealed.iter().all(|row| !row.to_string().contains("KE-1") && !row.to_string().contains("Another")),
        "{sealed:?}"
    );

    // Units: no ring, by whatever way.
    let one = unit(&keeper, json!({"name": "One"})).await;
    let two = unit(&keeper, json!({"name": "Two", "parent_id": one["id"]})).await;
    let three = unit(&keeper, json!({"name": "Three", "parent_id": two["id"]})).await;
    keeper.post("/v1/units", json!({"name": "one"})).await.expect(409);
    keeper.post("/v1/units", json!({"name": "--"})).await.expect(422);
    keeper
        .post("/v1/units", json!({"name": "Four", "parent_id": "0199c0de-0000-7000-8000-00000000dead"}))
        .await
        .expect(422);
    keeper.post("/v1/units", json!({"name": "Four", "commander_id": two["id"]})).await.expect(422);
    for parent in [&one, &two, &three] {
        let ring =
            change(&keeper, &format!("/v1/units/{}", id(&one)), 1, json!({"parent_id": parent["id"]})).await;
        assert_eq!((ring.status, ring.faults()), (422, vec!["/parent_id"]));
    }
    let four = unit(&keeper, json!({"name": "Four"})).await;
    let (path_one, path_four) = (format!("/v1/units/{}", id(&one)), format!("/v1/units/{}", id(&four)));
    let (first, second) = futures_util::join!(
        change(&keeper, &path_one, 1, json!({"parent_id": four["id"]})),
        change(&keeper, &path_four, 1, json!({"parent_id": three["id"]}))
    );
    let mut both = [first.status, second.status];
    both.sort_unstable();
    assert_eq!(both, [200, 422], "two changes at once make no ring either");
    assert_eq!(keeper.get("/v1/units").await.expect(200)["items"].as_array().unwrap().len(), 4);
    assert_eq!(
        keeper.get("/v1/personnel?serving=false").await.expect(200)["items"].as_array().unwrap().len(),
        1
    );
}
