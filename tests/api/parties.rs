//! P4: identities stand apart and leave only with consent. The story of one case, and the ways around it.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::complaints::persons;

use crate::fixtures::{case_from, grave_complaint, id, serious_complaint, submitted};
use crate::harness::{Answer, Caller, TestApp};

/// What nobody should find anywhere but in a reveal.
pub const NAMES: [&str; 5] = ["Marie Exemple", "Nadège Exemple", "John Sample", "KE-1042", "0000 0000"];

/// A case with everybody in it, and those who work on it.
pub struct Scene<'a> {
    pub case: String,
    pub receipt: Value,
    pub triage: Caller<'a>,
    pub coordinator: Caller<'a>,
    pub monitor: Caller<'a>,
    pub investigator: Caller<'a>,
    pub support: Caller<'a>,
    pub liaison: Caller<'a>,
}

impl<'a> Scene<'a> {
    /// Sexual exploitation of a child; `complaint` is what was handed in.
    pub async fn of(app: &'a TestApp, complaint: Value, category: &str) -> Self {
        Box::pin(Self::set(app, complaint, category)).await
    }

    async fn set(app: &'a TestApp, complaint: Value, category: &str) -> Self {
        let triage = app.signed_in(Role::TriageOfficer).await;
        let receipt = submitted(app, complaint).await;
        let path = format!("/v1/complaints/{}/assessment", id(&receipt));
        let body = json!({"decision": "open_case", "category": category, "reason": "It can be a breach."});
        let case = triage.post_seen(&path, 1, body).await.expect(201);
        let case = id(&case).to_owned();
        let mut scene = Self {
            case,
            receipt,
            coordinator: app.signed_in(Role::PseaCoordinator).await,
            monitor: app.signed_in(Role::OhchrMonitor).await,
            investigator: app.signed_in(Role::Investigator).await,
            support: app.signed_in(Role::VictimSupport).await,
            liaison: app.signed_in(Role::LegalLiaison).await,
            triage,
        };
        for (version, (who, role)) in (1..).zip([
            (scene.investigator.clone(), "investigator"),
            (scene.support.clone(), "victim_support"),
            (scene.liaison.clone(), "legal_liaison"),
        ]) {
            let body = json!({"user_id": who.id.unwrap().uuid(), "role": role, "conflict_declared": false});
            scene.triage.post_seen(&scene.at("/assignments"), version, body).await.expect(200);
        }
        scene.case.shrink_to_fit();
        scene
    }

    pub async fn grave(app: &'a TestApp) -> Self {
        Self::of(app, grave_complaint(), "sexual_exploitation_abuse").await
    }

    pub fn at(&self, rest: &str) -> String {
        format!("/v1/cases/{}{rest}", self.case)
    }

    /// The person of this part, by pseudonym.
    pub async fn party(&self, role: &str) -> String {
        let all = self.monitor.get(&self.at("/parties")).await.expect(200);
        let found = all["items"].as_array().unwrap().iter().find(|party| party["role"] == role).unwrap();
        found["pseudonym"].as_str().unwrap().to_owned()
    }

    pub async fn ask(&self, who: &Caller<'_>, party: &str, purpose: &str) -> Answer {
        let body = json!({"purpose": purpose, "reason": "It is needed for the work."});
        who.post(&self.at(&format!("/parties/{party}/reveal")), body).await
    }

    pub async fn consent(&self, who: &Caller<'_>, party: &str, body: Value) -> Value {
        who.post(&self.at(&format!("/parties/{party}/consents")), body).await.expect(201)
    }

    pub async fn decide(&self, who: &Caller<'_>, waiting: &Value, approve: bool) -> Answer {
        let path = format!("/v1/reveals/{}/decision", id(waiting));
        let version = waiting["version"].as_i64().unwrap();
        who.post_seen(&path, version, json!({"approve": approve, "reason": "I have read the file."})).await
    }
}

/// Consent of a child that counts.
pub fn whole(purpose: &str) -> Value {
    json!({"purpose": purpose, "granted": "yes", "given_by": "caregiver", "assent": true, "how": "verbal"})
}

#[actix_web::test]
async fn p4_a_name_leaves_only_by_a_reveal() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let complaint = format!("/v1/complaints/{}", id(&scene.receipt));
    let file = scene.coordinator.get(&complaint).await.expect(200);
    let roles: Vec<&str> =
        file["parties"].as_array().unwrap().iter().map(|party| party["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["complainant", "victim", "subject"]);
    assert_eq!(file["withheld"], json!(["complainant", "victim", "subject"]));
    assert!(file.get("identities").is_none());
    let victim = scene.party("victim").await;
    assert!(victim.starts_with("V-") && victim.len() == 8, "{victim}");
    assert!(file.to_string().contains(&victim), "the same pseudonym everywhere");

    // Nobody finds a name, wherever they look.
    let everybody = [
        &scene.triage,
        &scene.coordinator,
        &scene.monitor,
        &scene.investigator,
        &scene.support,
        &scene.liaison,
    ];
    for caller in everybody {
        for path in [
            complaint.clone(),
            "/v1/complaints".to_owned(),
            scene.at(""),
            "/v1/cases".to_owned(),
            scene.at("/parties"),
            scene.at(&format!("/parties/{victim}")),
            scene.at(&format!("/parties/{victim}/consents")),
            scene.at("/timeline"),
            scene.at("/notes"),
            "/v1/reveals".to_owned(),
            "/v1/deadlines".to_owned(),
        ] {
            let answer = caller.get(&path).await;
            for name in NAMES {
                assert!(!answer.text.contains(name), "{path} holds {name}");
            }
        }
    }

    // Whoever answers for the lane is told, and it is on record.
    let told = scene.ask(&scene.coordinator, &victim, "record").await.expect(200);
    assert_eq!(
        (told["basis"].as_str(), told["identity"]["name"].as_str()),
        (Some("role"), Some("Nadège Exemple"))
    );
    let entries = app.rows("select detail from audit_entries where action = 'party.revealed'").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["detail"]["purpose"], "record");
    assert_eq!(entries[0]["detail"]["pseudonym"], victim.as_str());
    // Small letters, and the letters that look like digits, name the same person; so does the id.
    let typed = scene.ask(&scene.coordinator, &victim.to_lowercase(), "record").await.expect(200);
    assert_eq!(typed["pseudonym"], victim.as_str());

    // Underneath, nobody's name is in the clear.
    for table in ["parties", "party_identities", "party_marks", "reveals", "consents", "audit_entries"] {
        let text = serde_json::to_string(&app.rows(&format!("select * from {table}")).await).unwrap();
        for name in NAMES.iter().chain(&["It is needed", "Nadège", "Unit 7"]) {
            assert!(!text.contains(name), "{table} holds {name}");
        }
    }
}

#[actix_web::test]
async fn p4_each_role_is_told_with_consent_waits_without_and_is_refused_after_a_no() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    let national = app.signed_in(Role::NationalAuthority).await;
    let sql = format!(
        "update cases set referred_country = 'KE', stage = 'determination' where id = '{}'",
        scene.case
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut app.owner().await, &sql).await.unwrap();
    let panel = app.signed_in(Role::PanelMember).await;
    let cast: Vec<(&Caller<'_>, &str, &[&str])> = vec![
        (&scene.investigator, "investigate", &["investigate"]),
        (&scene.monitor, "share_with_ohchr", &["share_with_ohchr"]),
        (&scene.monitor, "investigate", &["investigate", "share_with_ohchr"]),
        (&scene.coordinator, "investigate", &["investigate"]),
        (&scene.liaison, "share_with_state", &["share_with_state"]),
        (&national, "share_with_state", &["share_with_state"]),
        (&scene.support, "share_with_service_provider", &["share_with_service_provider"]),
        (&scene.support, "contact_by_phone", &["contact_by_phone"]),
        (&scene.investigator, "contact_by_phone", &["contact_by_phone"]),
    ];
    for (who, purpose, needed) in &cast {
        let waits = scene.ask(who, &victim, purpose).await.expect(202);
        assert_eq!(waits["missing"], json!(needed), "{purpose}");
        assert!(waits.get("identity").is_none());
    }
    for purpose in [
        "investigate",
        "share_with_ohchr",
        "share_with_state",
        "share_with_service_provider",
        "contact_by_phone",
    ] {
        scene.consent(&scene.triage, &victim, whole(purpose)).await;
    }
    for (who, purpose, _) in &cast {
        let told = scene.ask(who, &victim, purpose).await.expect(200);
        assert_eq!(
            (&told["basis"], &told["identity"]["name"]),
            (&json!("consent"), &json!("Nadège Exemple"))
        );
    }
    let given = scene.triage.get(&scene.at(&format!("/parties/{victim}/consents"))).await.expect(200);
    for consent in given["items"].as_array().unwrap() {
        assert_eq!(consent["stands"], true);
        let path = scene.at(&format!("/parties/{victim}/consents/{}/withdrawal", id(consent)));
        let taken_back = scene.coordinator.post(&path, json!({})).await.expect(200);
        assert_eq!(taken_back["stands"], false);
        assert!(taken_back["withdrawn_at"].is_string());
        scene.coordinator.post(&path, json!({})).await.refused(409, "wrong-moment");
    }
    // An officer wrote that down, and one officer blocks nothing for ever: a second one judges.
    for (who, purpose, _) in &cast {
        assert_eq!(scene.ask(who, &victim, purpose).await.expect(202)["lack"], "refused");
    }
    // Those for whom it is never, whatever the person says; and purposes that are not theirs.
    scene.ask(&panel, &victim, "investigate").await.refused(403, "forbidden");
    scene.ask(&scene.triage, &victim, "record").await.refused(403, "forbidden");
    scene.ask(&scene.investigator, &victim, "record").await.refused(403, "forbidden");
    scene.ask(&scene.investigator, &victim, "imminent_danger").await.refused(403, "forbidden");
    scene.ask(&scene.support, &victim, "investigate").await.refused(403, "forbidden");
    for role in
        [Role::Commander, Role::Auditor, Role::Administrator, Role::StatisticsOfficer, Role::Integration]
    {
        let who = app.signed_in(role).await;
        let answer = scene.ask(&who, &victim, "investigate").await;
        assert!([403, 404].contains(&answer.status), "{role:?} {}", answer.text);
    }
    // Who supports victims knows of nobody else.
    let subject = scene.party("subject").await;
    scene.ask(&scene.support, &subject, "share_with_service_provider").await.refused(404, "not-found");
    assert_eq!(
        scene.support.get(&scene.at("/parties")).await.expect(200)["items"].as_array().unwrap().len(),
        1
    );
    // Who is accused is told to those who find out, without asking the accused.
    for (who, purpose) in [
        (&scene.investigator, "investigate"),
        (&scene.monitor, "investigate"),
        (&scene.liaison, "share_with_state"),
        (&national, "share_with_state"),
    ] {
        let told = scene.ask(who, &subject, purpose).await.expect(200);
        assert_eq!(
            (&told["basis"], &told["identity"]["service_number"]),
            (&json!("role"), &json!("KE-1042"))
        );
    }
}

#[actix_web::test]
async fn p4_a_second_person_opens_it_for_one_officer_one_purpose_and_four_hours() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    let waits = scene.ask(&scene.investigator, &victim, "investigate").await;
    assert_eq!(waits.header("location").unwrap(), format!("/v1/reveals/{}/decision", id(&waits.body)));
    let waits = waits.expect(202);
    let again = scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
    assert_eq!(id(&again), id(&waits), "asking twice is one request");

    // Who reads the request sees why; nobody who may not decide reads it.
    let list = scene.coordinator.get("/v1/reveals?waiting=true").await.expect(200);
    assert_eq!(list["items"][0]["reason"], "It is needed for the work.");
    assert_eq!(list["items"][0]["pseudonym"], victim.as_str());
    scene.investigator.get("/v1/reveals").await.refused(403, "forbidden");
    // The triage officer does not decide in the lane for children; nor does whoever asked, nor somebody walled.
    scene.decide(&scene.triage, &waits, true).await.refused(403, "forbidden");
    scene.decide(&scene.investigator, &waits, true).await.refused(403, "forbidden");
    let walled = app.signed_in(Role::PseaCoordinator).await;
    let wall = json!({"user_id": walled.id.unwrap().uuid(), "reason": "They know each other."});
    scene.triage.post(&scene.at("/walls"), wall).await.expect(204);
    let hidden = scene.decide(&walled, &waits, true).await;
    hidden.refused(404, "not-found");
    assert_eq!(walled.get("/v1/reveals").await.expect(200)["items"], json!([]));
    scene.ask(&walled, &victim, "record").await.refused(404, "not-found");
    let path = format!("/v1/reveals/{}/decision", id(&waits));
    scene
        .coordinator
        .post(&path, json!({"approve": true, "reason": "Yes."}))
        .await
        .refused(428, "precondition-required");
    scene
        .coordinator
        .post_seen(&path, 7, json!({"approve": true, "reason": "Yes."}))
        .await
        .refused(412, "stale");

    let approved = scene.decide(&scene.coordinator, &waits, true).await.expect(200);
    assert_eq!(approved["valid_until"], "2026-03-02T18:00:00Z");
    let twice = json!({"approve": false, "reason": "No."});
    scene.monitor.post_seen(&path, 2, twice).await.refused(409, "wrong-moment");
    let told = scene.ask(&scene.investigator, &victim, "investigate").await.expect(200);
    assert_eq!(
        (&told["basis"], &told["identity"]["name"]),
        (&json!("second_person"), &json!("Nadège Exemple"))
    );
    scene.ask(&scene.investigator, &victim, "investigate").await.expect(200);
    // Not for another purpose, person or officer.
    scene.ask(&scene.investigator, &victim, "contact_by_phone").await.expect(202);
    let reporter = scene.party("complainant").await;
    scene.ask(&scene.investigator, &reporter, "investigate").await.expect(202);
    scene.ask(&scene.coordinator, &victim, "investigate").await.expect(202);
    app.wait(TimeDelta::hours(4));
    let late = scene.investigator.clone();
    let late = app.sign_in(&late.email, crate::harness::PASSWORD).await;
    let late = scene.ask(&late, &victim, "investigate").await.expect(202);
    assert_ne!(id(&late), id(&waits), "what was approved is over");
    let monitor = app.sign_in(&scene.monitor.email, crate::harness::PASSWORD).await;
    let refused = scene.decide(&monitor, &late, false).await.expect(200);
    assert_eq!((&refused["approved"], &refused["valid_until"]), (&json!(false), &Value::Null));
    let investigator = app.sign_in(&scene.investigator.email, crate::harness::PASSWORD).await;
    scene.ask(&investigator, &victim, "investigate").await.expect(202);
    let said: Vec<String> = app
        .rows("select action from audit_entries where action like 'reveal.%' and action <> 'reveals.read' order by id")
        .await
        .into_iter()
        .map(|row| row["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said.iter().filter(|action| *action == "reveal.approved").count(), 1);
    assert_eq!(said.iter().filter(|action| *action == "reveal.refused").count(), 1);
}

#[actix_web::test]
async fn p4_nobody_approves_what_they_asked_for_themself() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    for who in [&scene.coordinator, &scene.monitor] {
        let waits = scene.ask(who, &victim, "investigate").await.expect(202);
        scene.decide(who, &waits, true).await.refused(403, "forbidden");
        scene.ask(who, &victim, "investigate").await.expect(202);
    }
    let mut owner = app.owner().await;
    let sql = "update reveals set decided_by = asked_by, decided_at = now(), approved = true, decision_reason = '\\x00', valid_until = now()";
    let refused =
        diesel_async::SimpleAsyncConnection::batch_execute(&mut owner, sql).await.unwrap_err().to_string();
    assert!(refused.contains("reveals_second_person"), "{refused}");
}

#[actix_web::test]
async fn p4_a_no_ends_what_was_approved_and_what_waits() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let reporter = scene.party("complainant").await;
    let waits = scene.ask(&scene.investigator, &reporter, "investigate").await.expect(202);
    scene.decide(&scene.monitor, &waits, true).await.expect(200);
    let told = scene.ask(&scene.investigator, &reporter, "investigate").await.expect(200);
    assert_eq!(told["identity"]["name"], "Marie Exemple");
    let waits = scene.ask(&scene.investigator, &reporter, "contact_by_phone").await.expect(202);

    let thread = app.reporter(&scene.receipt).await;
    for purpose in ["investigate", "contact_by_phone"] {
        thread.post("/v1/reporter/consents", json!({"purpose": purpose, "granted": false})).await.expect(201);
    }
    scene.ask(&scene.investigator, &reporter, "investigate").await.refused(403, "forbidden");
    scene.decide(&scene.monitor, &waits, true).await.refused(409, "wrong-moment");
    scene.decide(&scene.monitor, &waits, false).await.expect(200);
    scene.ask(&scene.investigator, &reporter, "contact_by_phone").await.refused(403, "forbidden");

    // And a yes opens it again, without anybody else.
    thread
        .post("/v1/reporter/consents", json!({"purpose": "investigate", "granted": true}))
        .await
        .expect(201);
    let told = scene.ask(&scene.investigator, &reporter, "investigate").await.expect(200);
    assert_eq!(told["basis"], "consent");
    let own = thread.get("/v1/reporter/consents").await.expect(200);
    let own: Vec<(&str, &str)> = own["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["purpose"].as_str().unwrap(), item["answer"].as_str().unwrap()))
        .collect();
    assert_eq!(own, [("contact_by_phone", "no"), ("investigate", "yes")]);
    thread
        .post("/v1/reporter/consents", json!({"purpose": "everything", "granted": true}))
        .await
        .refused(422, "invalid-request");
}

#[actix_web::test]
async fn p4_danger_and_the_law_go_before_a_no_and_tell_the_auditor() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    scene
        .consent(
            &scene.support,
            &victim,
            json!({"purpose": "share_with_service_provider", "granted": "no", "how": "verbal"}),
        )
        .await;
    for (who, purpose, basis) in
        [(&scene.coordinator, "imminent_danger", "danger"), (&scene.monitor, "legal_order", "legal_order")]
    {
        let told = scene.ask(who, &victim, purpose).await.expect(200);
        assert_eq!((&told["basis"], &told["identity"]["name"]), (&json!(basis), &json!("Nadège Exemple")));
    }
    for who in [&scene.triage, &scene.investigator, &scene.support, &scene.liaison] {
        scene.ask(who, &victim, "imminent_danger").await.refused(403, "forbidden");
    }
    let auditor = app.signed_in(Role::Auditor).await;
    let notices = auditor.get("/v1/audit/entries?action=reveal.notified").await.expect(200);
    let notices = notices["items"].as_array().unwrap();
    assert_eq!(notices.len(), 2);
    assert!(notices.iter().all(|notice| notice["detail"]["pseudonym"] == victim.as_str()));
    // A second officer signs afterwards: not the one who asked.
    let waiting = scene.monitor.get("/v1/reveals?waiting=true").await.expect(200);
    let waiting = waiting["items"].as_array().unwrap();
    assert_eq!(waiting.len(), 2);
    let danger = waiting.iter().find(|one| one["basis"] == "danger").unwrap();
    scene.decide(&scene.coordinator, danger, true).await.refused(403, "forbidden");
    let signed = scene.decide(&scene.monitor, danger, true).await.expect(200);
    assert_eq!((&signed["approved"], &signed["valid_until"]), (&json!(true), &Value::Null));
    let waiting = scene.monitor.get("/v1/reveals?waiting=true").await.expect(200);
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1);
    let decided = scene.monitor.get("/v1/reveals?waiting=false").await.expect(200);
    assert_eq!(decided["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn p4_what_a_reporter_agreed_to_on_handing_in_counts_and_so_does_their_no() {
    let app = TestApp::start().await;
    let mut complaint = serious_complaint();
    complaint["reporter"] =
        json!({"relation": "victim", "name": "Marie Exemple", "contact": {"phone": "+509 0000 0000"}});
    complaint["victims"] = json!([{"sex": "f", "age_band": "25-59", "name": "Marie Exemple"}]);
    complaint["consents"] = json!([{"purpose": "investigate", "granted": true}, {"purpose": "share_with_state", "granted": false}]);
    let scene = Scene::of(&app, complaint, "serious_misconduct").await;
    for role in ["complainant", "victim"] {
        let party = scene.party(role).await;
        let told = scene.ask(&scene.investigator, &party, "investigate").await.expect(200);
        assert_eq!(told["basis"], "consent");
        scene.ask(&scene.liaison, &party, "share_with_state").await.refused(403, "forbidden");
        scene.ask(&scene.monitor, &party, "share_with_ohchr").await.expect(202);
        // Outside the lane for children, triage handles it without asking anybody.
        scene.ask(&scene.triage, &party, "record").await.expect(200);
    }
}

#[actix_web::test]
async fn p4_before_there_is_a_case_those_who_take_it_in_are_told() {
    let app = TestApp::start().await;
    let intake = app.signed_in(Role::IntakeOfficer).await;
    let focal_point = app.signed_in(Role::FocalPoint).await;
    let mut plain = serious_complaint();
    plain["reporter"] = json!({"relation": "witness", "name": "Marie Exemple"});
    plain["witnesses"] = json!([{"name": "Nadège Exemple", "description": "Sells at the corner."}]);
    let receipt = focal_point.post("/v1/complaints", plain).await.expect(201);
    let path = format!("/v1/complaints/{}", id(&receipt));
    let file = intake.get(&path).await.expect(200);
    let party = |role: &str| {
        let all = file["parties"].as_array().unwrap();
        all.iter().find(|party| party["role"] == role).unwrap()["pseudonym"].as_str().unwrap().to_owned()
    };
    let ask = async |who: &Caller<'_>, role: &str| {
        let body = json!({"purpose": "record", "reason": "To write the acknowledgement."});
        who.post(&format!("{path}/parties/{}/reveal", party(role)), body).await
    };
    assert_eq!(ask(&intake, "complainant").await.expect(200)["identity"]["name"], "Marie Exemple");
    ask(&intake, "witness").await.refused(403, "forbidden");
    assert_eq!(ask(&focal_point, "witness").await.expect(200)["identity"]["name"], "Nadège Exemple");
    let stranger = app.signed_in(Role::FocalPoint).await;
    ask(&stranger, "witness").await.refused(404, "not-found");
    // Theirs for thirty days.
    app.wait(TimeDelta::days(31));
    let focal_point = app.sign_in(&focal_point.email, crate::harness::PASSWORD).await;
    ask(&focal_point, "witness").await.refused(403, "forbidden");
    let other = submitted(&app, grave_complaint()).await;
    let body = json!({"purpose": "record", "reason": "Out of interest."});
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let wrong = format!("/v1/complaints/{}/parties/{}/reveal", id(&other), party("witness"));
    monitor.post(&wrong, body).await.refused(404, "not-found");
}

#[actix_web::test]
async fn p4_what_is_learned_of_somebody_stands_beside_what_was_known() {
    let app = TestApp::start().await;
    let scene = Scene::of(&app, serious_complaint(), "serious_misconduct").await;
    let body = json!({"role": "witness", "sex": "m", "age_band": "25-59", "identity": {"description": "Drives a red taxi."}});
    let added = scene.investigator.post_keyed(&scene.at("/parties"), "one", body.clone()).await;
    assert!(added.header("location").unwrap().starts_with(&scene.at("/parties/W-")));
    let added = added.expect(201);
    let again = scene.investigator.post_keyed(&scene.at("/parties"), "one", body).await.expect(201);
    assert_eq!(added, again);
    assert_eq!(added["identified"], false);
    let pseudonym = added["pseudonym"].as_str().unwrap();
    let path = scene.at(&format!("/parties/{pseudonym}"));
    let change = async |who: &Caller<'_>, version: i64, body: Value| {
        let request = who.request(Method::PATCH, &path);
        who.send(request.insert_header(("If-Match", format!("\"{version}\""))).set_json(body)).await
    };
    let contact = json!({"phone": "+509 1111 1111", "safe_contact": {"method": "phone_call", "times": "Sundays", "who_may_answer": "His sister", "code_word": "mango", "no_mission_name": true}});
    let body = json!({"identity": {"name": "Jean Témoin", "contact": contact}});
    let changed = change(&scene.investigator, 1, body).await.expect(200);
    assert_eq!((&changed["identified"], &changed["no_mission_name"]), (&json!(true), &json!(true)));
    assert!(!changed.to_string().contains("Témoin"));
    change(&scene.investigator, 1, json!({"sex": "f"})).await.refused(412, "stale");
    change(&scene.liaison, 2, json!({"sex": "f"})).await.refused(403, "forbidden");
    change(&scene.investigator, 2, json!({})).await.refused(422, "invalid-request");
    let faults = json!({"sex": "x", "age_band": "old", "country": "XX", "identity": {"name": "a\nb", "contact": {"email": "nobody"}}});
    let answer = change(&scene.investigator, 2, faults).await;
    let mut faults = answer.refused(422, "invalid-request").faults();
    faults.sort_unstable();
    assert_eq!(faults, ["/age_band", "/country", "/identity/contact/email", "/identity/name", "/sex"]);
    change(&scene.triage, 2, json!({"identity": {"contact": {"address": "Rue 4"}}})).await.expect(200);

    // What makes contact safe goes with the contact, whoever is told.
    let told = scene.ask(&scene.triage, pseudonym, "record").await.expect(200);
    assert_eq!((&told["contact_withheld"], &told["identity"]["contact"]), (&json!(true), &Value::Null));
    let yes = json!({"purpose": "record", "granted": "yes", "how": "verbal"});
    scene.consent(&scene.investigator, pseudonym, yes).await;
    let told = scene.ask(&scene.triage, pseudonym, "record").await.expect(200);
    assert_eq!((&told["basis"], &told["contact_withheld"]), (&json!("consent"), &json!(false)));
    let identity = &told["identity"];
    assert_eq!(told["version"], 3);
    assert_eq!(
        (&identity["name"], &identity["description"]),
        (&json!("Jean Témoin"), &json!("Drives a red taxi."))
    );
    assert_eq!(identity["contact"]["safe_contact"], contact["safe_contact"]);
    assert_eq!(identity["contact"]["address"], "Rue 4");
    assert_eq!(app.count("select 1 from party_identities p join parties using (salt) ").await, 0);
    let versions = app.count(&format!("select 1 from party_identities i join parties p on p.id = i.party_id where p.pseudonym = '{pseudonym}'")).await;
    assert_eq!(versions, 3);
    let mut owner = app.owner().await;
    for sql in [
        "update party_identities set identity = '\\x00'",
        "delete from party_identities",
        "update parties set role = 'victim', pseudonym = 'V-000000'",
    ] {
        assert!(diesel_async::SimpleAsyncConnection::batch_execute(&mut owner, sql).await.is_err(), "{sql}");
    }
}

#[actix_web::test]
async fn a_child_that_is_found_to_be_one_puts_the_case_under_the_rules_for_children() {
    let app = TestApp::start().await;
    let scene = Scene::of(&app, serious_complaint(), "serious_misconduct").await;
    let body = json!({"role": "victim", "age_band": "12-14", "identity": {"name": "Nadège Exemple"}});
    let added = scene.triage.post(&scene.at("/parties"), body).await.expect(201);
    assert_eq!(added["child"], true);
    let case = scene.triage.get(&scene.at("")).await.expect(200);
    assert_eq!(
        (&case["case"]["flags"], &case["case"]["owner_role"]),
        (&json!(["child"]), &json!("psea_coordinator")),
        "{case}"
    );
    let victim = added["pseudonym"].as_str().unwrap();
    scene.ask(&scene.triage, victim, "record").await.refused(403, "forbidden");
    scene.ask(&scene.coordinator, victim, "record").await.expect(200);
}

#[actix_web::test]
async fn p4_a_childs_own_yes_is_not_enough() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    let say = |given_by: &str, assent: Value| json!({"purpose": "investigate", "granted": "yes", "given_by": given_by, "assent": assent, "how": "verbal"});
    for (given_by, assent) in [("self", json!(true)), ("caregiver", Value::Null), ("caregiver", json!(false))]
    {
        let said = scene.consent(&scene.support, &victim, say(given_by, assent)).await;
        assert_eq!(said["stands"], false);
        scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
    }
    scene.consent(&scene.support, &victim, say("caregiver", json!(true))).await;
    scene.ask(&scene.investigator, &victim, "investigate").await.expect(200);
    // The child's own no ends it.
    let no = json!({"purpose": "investigate", "granted": "no", "given_by": "self", "how": "verbal"});
    scene.consent(&scene.support, &victim, no).await;
    assert_eq!(scene.ask(&scene.investigator, &victim, "investigate").await.expect(202)["lack"], "refused");
    // And no officer writes that away.
    let said = scene.consent(&scene.support, &victim, say("best_interests", Value::Null)).await;
    assert_eq!(said["stands"], false);
    scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
    // Nor does whoever writes a yes down themself learn by it who somebody is.
    scene.consent(&scene.support, &victim, whole("contact_by_phone")).await;
    scene.ask(&scene.support, &victim, "contact_by_phone").await.expect(202);
    scene.ask(&scene.investigator, &victim, "contact_by_phone").await.expect(200);
}

#[actix_web::test]
async fn p4_a_condition_is_shown_to_the_second_person() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    let body = json!({"purpose": "investigate", "granted": "conditional", "condition": "Only with her aunt present.", "given_by": "caregiver", "assent": true, "how": "written"});
    scene.consent(&scene.support, &victim, body).await;
    let waits = scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
    assert_eq!(waits["lack"], "conditional");
    let list = scene.coordinator.get("/v1/reveals?waiting=true").await.expect(200);
    assert_eq!(list["items"][0]["conditions"], json!(["Only with her aunt present."]));
    scene.decide(&scene.coordinator, &waits, true).await.expect(200);
    scene.ask(&scene.investigator, &victim, "investigate").await.expect(200);
    let text = serde_json::to_string(&app.rows("select * from consents").await).unwrap();
    assert!(!text.contains("aunt"));
    // What cannot be meant is refused, with every fault.
    let path = scene.at(&format!("/parties/{victim}/consents"));
    for (body, faults) in [
        (json!({"purpose": "x", "granted": "conditional", "how": "verbal"}), vec!["/condition", "/purpose"]),
        (json!({"purpose": "investigate", "granted": "withdrawn", "how": "verbal"}), vec!["/granted"]),
        (
            json!({"purpose": "investigate", "granted": "yes", "condition": "If.", "recipient": "Mars", "how": "verbal"}),
            vec!["/condition", "/recipient"],
        ),
    ] {
        let answer = scene.support.post(&path, body).await;
        let mut found = answer.refused(422, "invalid-request").faults();
        found.sort_unstable();
        assert_eq!(found, faults);
    }
    let unknown = "0199c0de-0000-7000-8000-00000000dead";
    scene.support.post(&format!("{path}/{unknown}/withdrawal"), json!({})).await.refused(404, "not-found");
    scene.ask(&scene.investigator, "V-000000", "investigate").await.refused(404, "not-found");
    scene.ask(&scene.investigator, "Nadege", "investigate").await.refused(404, "not-found");
    let bad = json!({"purpose": "curiosity", "reason": "x"});
    scene
        .investigator
        .post(&scene.at(&format!("/parties/{victim}/reveal")), bad)
        .await
        .refused(422, "invalid-request");
}

#[actix_web::test]
async fn p4_an_attached_complaint_brings_its_persons_along() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, serious_complaint(), "serious_misconduct").await;
    let mut other = serious_complaint();
    other["witnesses"] = json!([{"name": "Nadège Exemple"}]);
    let other = submitted(&app, other).await;
    let attach = json!({"decision": "attach", "case_id": id(&case), "reason": "The same patrol."});
    triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&other)), 1, attach).await.expect(200);
    let all = triage.get(&format!("/v1/cases/{}/parties", id(&case))).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 5);
    let witness = all["items"].as_array().unwrap().iter().find(|party| party["role"] == "witness").unwrap();
    let path = format!("/v1/cases/{}/parties/{}/reveal", id(&case), id(witness));
    let body = json!({"purpose": "record", "reason": "To hear them."});
    assert_eq!(triage.post(&path, body).await.expect(200)["identity"]["name"], "Nadège Exemple");
}

#[actix_web::test]
async fn p4_whoever_asked_that_the_mission_is_not_named_reads_no_name_of_it() {
    let app = TestApp::start().await;
    for discreet in [true, false] {
        let mut complaint = grave_complaint();
        complaint["reporter"]["contact"]["safe_contact"] =
            json!({"method": "thread_only", "no_mission_name": discreet});
        let receipt = submitted(&app, complaint).await;
        let coordinator = app.signed_in(Role::PseaCoordinator).await;
        let path = format!("/v1/complaints/{}", id(&receipt));
        for text in ["The MSS thanks you.", "Our mission: to help.", "Misyon an ap ede w.", "La MISIÓN."] {
            let answer = coordinator.post(&format!("{path}/messages"), json!({"text": text})).await;
            if discreet {
                assert_eq!(answer.refused(422, "invalid-request").faults(), ["/text"], "{text}");
            } else {
                assert_eq!(answer.status, 201);
            }
        }
        coordinator
            .post(&format!("{path}/messages"), json!({"text": "Submission and permission."}))
            .await
            .expect(201);
        if discreet {
            let answer = coordinator
                .post_seen(&format!("{path}/acknowledgement"), 1, json!({"message": "The mission read it."}))
                .await;
            assert_eq!(answer.refused(422, "invalid-request").faults(), ["/message"]);
        }
        coordinator.post_seen(&format!("{path}/acknowledgement"), 1, json!({})).await.expect(200);
        app.wait(TimeDelta::days(400));
        let reporter = app.reporter(&receipt).await;
        for language in ["ht", "fr", "en", "es"] {
            for address in ["/v1/reporter/complaint", "/v1/reporter/messages", "/v1/reporter/consents"] {
                let request = reporter.request(Method::GET, address);
                let answer = reporter.send(request.insert_header(("Accept-Language", language))).await;
                assert_eq!(answer.status, 200);
                if discreet {
                    assert!(!app.temwen.texts.name_the_mission(&answer.text), "{}", answer.text);
                }
            }
        }
    }
}

#[actix_web::test]
async fn p4_whoever_complained_before_there_were_pseudonyms_gets_one() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, grave_complaint()).await;
    let mut owner = app.owner().await;
    let sql = "set session_replication_role = replica;
        delete from party_marks; delete from party_identities; delete from consents; delete from parties;";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut owner, sql).await.unwrap();
    assert_eq!(persons::take_over(&app.temwen).await.unwrap(), 1);
    assert_eq!(persons::take_over(&app.temwen).await.unwrap(), 0);
    let coordinator = app.signed_in(Role::PseaCoordinator).await;
    let path = format!("/v1/complaints/{}", id(&receipt));
    let file = coordinator.get(&path).await.expect(200);
    assert_eq!(file["withheld"], json!(["complainant", "victim", "subject"]));
    for party in file["parties"].as_array().unwrap() {
        let path = format!("{path}/parties/{}/reveal", party["pseudonym"].as_str().unwrap());
        let told =
            coordinator.post(&path, json!({"purpose": "record", "reason": "To see."})).await.expect(200);
        let name = told["identity"]["name"].as_str().unwrap();
        assert!(NAMES.contains(&name), "{name}");
    }
    let marks = app.count("select 1 from party_marks").await;
    assert!(marks >= 4, "{marks}");
}

#[actix_web::test]
async fn p4_who_somebody_was_is_gone_with_the_key_and_nothing_knows_them_again() {
    let app = TestApp::start().await;
    let scene = Scene::grave(&app).await;
    let victim = scene.party("victim").await;
    scene.ask(&scene.investigator, &victim, "investigate").await.expect(202);
    let forget = format!("select forget_marks('{}') as gone", id(&scene.receipt));
    assert_eq!(app.rows(&forget).await[0]["gone"], 0, "not before the key is destroyed");
    let sql = "set session_replication_role = replica;
        update data_keys set wrapped = null, destroyed_at = now() where matter_id is not null";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut app.owner().await, sql).await.unwrap();
    scene.ask(&scene.coordinator, &victim, "record").await.refused(410, "erased");
    let list = scene.monitor.get("/v1/reveals").await.expect(200);
    assert_eq!((&list["items"][0]["reason"], &list["items"][0]["pseudonym"]), (&Value::Null, &json!(victim)));
    assert!(app.rows(&forget).await[0]["gone"].as_i64().unwrap() > 0);
    assert_eq!(app.count("select 1 from party_marks").await, 0);
    let parties = scene.monitor.get(&scene.at("/parties")).await.expect(200);
    assert_eq!(parties["items"].as_array().unwrap().len(), 3, "what is counted stays");
}
