//! P3: what is known later, what cannot be matched at once, and what an officer could do with matching, hide nothing from those who
//! have to see it and show nothing to those who may not.

use diesel_async::SimpleAsyncConnection as _;
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::complaints::persons;
use temwen::personnel;

use crate::conflicts::{about, actions, change, desk, enter, finds, finds_case, rename, unit};
use crate::fixtures::{case_from, complaint, id, submitted};
use crate::harness::TestApp;

fn with_witness(name: &str) -> Value {
    let mut body = complaint();
    body["witnesses"] = json!([{"name": name}]);
    body
}

#[actix_web::test]
async fn p3_persons_of_old_complaints_are_matched_when_they_are_taken_over() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let (named, other) = (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::TriageOfficer).await);
    rename(&keeper, &named, 1, "Nadège Exemple").await;
    let receipt = submitted(&app, with_witness("Nadege Exemple")).await;
    // As it was before persons and walls of themselves were.
    let mut owner = app.owner().await;
    let sql = "set session_replication_role = replica;
        delete from walls; delete from party_marks; delete from party_identities; delete from consents; delete from parties;";
    owner.batch_execute(sql).await.unwrap();
    assert!(finds(&named, id(&receipt)).await);
    assert_eq!(persons::take_over(&app.temwen).await.unwrap(), 1);
    assert!(!finds(&named, id(&receipt)).await);
    assert!(finds(&other, id(&receipt)).await);
}

#[actix_web::test]
async fn p3_no_complaint_is_refused_because_of_the_roster_and_none_is_seen_unmatched() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let (named, other) = (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::TriageOfficer).await);
    rename(&keeper, &named, 1, "Nadège Exemple").await;
    // Somebody changes the roster, and it takes long.
    let mut owner = app.owner().await;
    let hold = "begin; select pg_advisory_xact_lock(hashtext('temwen roster'));";
    owner.batch_execute(hold).await.unwrap();
    let without = submitted(&app, complaint()).await;
    assert!(finds(&other, id(&without)).await, "who names nobody waits for nothing");
    let receipt = submitted(&app, with_witness("Nadège Exemple")).await;
    let it = id(&receipt);
    assert!(!finds(&named, it).await);
    assert!(!finds(&other, it).await, "until it is matched, nobody of the mission knows of it");
    assert!(finds(&monitor, it).await);
    app.reporter(&receipt).await.get("/v1/reporter/complaint").await.expect(200);
    owner.batch_execute("rollback").await.unwrap();
    // Nor by whatever else fails in matching.
    owner.batch_execute("alter function grounds_in(uuid) rename to grounds_are_gone").await.unwrap();
    let second = submitted(&app, with_witness("Nadège Exemple")).await;
    assert!(!finds(&other, id(&second)).await);
    owner.batch_execute("alter function grounds_are_gone(uuid) rename to grounds_in").await.unwrap();

    assert_eq!(personnel::follow_up(&app.temwen).await.unwrap(), 2);
    for receipt in [&receipt, &second] {
        assert!(!finds(&named, id(receipt)).await);
        assert!(finds(&other, id(receipt)).await);
        assert!(actions(&app, id(receipt)).await.contains(&"walls.followed".to_owned()));
    }
    assert_eq!(personnel::follow_up(&app.temwen).await.unwrap(), 0);
    app.sequence().await;
}

#[actix_web::test]
async fn p3_however_many_walls_there_are_all_are_put_up_and_before_nobody_looks() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    app.signed_in(Role::OhchrMonitor).await;
    let other = app.signed_in(Role::TriageOfficer).await;
    let seven = unit(&keeper, json!({"name": "Unit 7"})).await;
    let mut owner = app.owner().await;
    let sql = format!(
        "with made as (insert into users select (jsonb_populate_record(u, jsonb_build_object('id', gen_random_uuid(), 'email', 'mate' || n || '@mission.example'))).*
             from users u, generate_series(1, 510) n where u.id = '{}' returning id)
         insert into personnel (id, name, unit_id, user_id, created_at) select gen_random_uuid(), '\\x01', '{}', id, now() from made",
        other.id.unwrap(),
        id(&seven)
    );
    owner.batch_execute(&sql).await.unwrap();
    let receipt = submitted(&app, about(json!({"country": "KE", "unit": "Unit 7"}))).await;
    assert_eq!(app.count("select from walls").await, 250);
    assert!(!finds(&other, id(&receipt)).await);
    personnel::follow_up(&app.temwen).await.unwrap();
    personnel::follow_up(&app.temwen).await.unwrap();
    assert_eq!(app.count("select from walls").await, 510);
    assert!(finds(&other, id(&receipt)).await);
    assert_eq!(personnel::follow_up(&app.temwen).await.unwrap(), 0);
}

#[actix_web::test]
async fn p5_nobody_buries_a_matter_by_naming_witnesses() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let (triage, monitor) =
        (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::OhchrMonitor).await);
    let investigator = app.signed_in(Role::Investigator).await;
    rename(&keeper, &triage, 1, "Nadège Exemple").await;
    rename(&keeper, &monitor, 1, "Odette Pierre").await;
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let case = id(&case);
    let assign = json!({"user_id": investigator.id, "role": "investigator", "conflict_declared": false});
    triage.post_seen(&format!("/v1/cases/{case}/assignments"), 1, assign).await.expect(200);
    let path = format!("/v1/cases/{case}/parties");
    let person = |role: &str, name: &str| json!({"role": role, "identity": {"name": name}});
    investigator.post(&path, person("witness", "Nadège Exemple")).await.expect(201);
    assert!(!finds_case(&triage, case).await);
    let before = app.count("select from parties").await;
    investigator.post(&path, person("witness", "Odette Pierre")).await.expect(409);
    let nobody = investigator.post(&path, person("witness", "Somebody Else")).await.expect(201);
    let named = format!("{path}/{}", id(&nobody));
    change(&investigator, &named, 1, json!({"identity": {"name": "Odette Pierre"}})).await.expect(409);
    assert!(finds_case(&monitor, case).await);
    assert_eq!(app.count("select from parties").await, before + 1);
    // Of whom is accused, it is so; and whoever checks the record hears of it.
    investigator.post(&path, person("subject", "Odette Pierre")).await.expect(201);
    assert!(!finds_case(&monitor, case).await);
}

#[actix_web::test]
async fn p3_a_subject_who_is_known_by_one_name_alone_is_hidden_from_whoever_has_it() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let (named, other, mate) = (
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
    );
    rename(&keeper, &named, 1, "John Mwangi").await;
    let seven = unit(&keeper, json!({"name": "Unit 7"})).await;
    enter(&keeper, json!({"name": "John Mwangi", "unit_id": seven["id"]})).await;
    enter(&keeper, json!({"name": "A Mate", "unit_id": seven["id"], "user_id": mate.id})).await;
    for name in ["Sergeant Mwangi", "MWANGI", "Sèjan Mwangi", "ofisye mwangi", "Inspector Mwangi"] {
        let receipt = submitted(&app, about(json!({"name": name}))).await;
        assert!(!finds(&named, id(&receipt)).await, "{name}");
        for who in [&other, &mate, &monitor] {
            assert!(finds(who, id(&receipt)).await, "one name says too little for more: {name}");
        }
    }
    for body in [with_witness("Mwangi"), about(json!({"name": "Peter Mwangi"}))] {
        assert!(finds(&named, id(&submitted(&app, body).await)).await);
    }
    // Two officers lift it, as every wall for a name.
    let psea = app.signed_in(Role::PseaCoordinator).await;
    let body = about(json!({"name": "Captain Mwangi"}));
    let case = case_from(&other, body, "sexual_exploitation_abuse").await;
    let path = format!("/v1/cases/{}/walls/{}/lifting", id(&case), named.id.unwrap());
    assert!(!finds_case(&named, id(&case)).await);
    monitor.post(&path, json!({"reason": "Another Mwangi."})).await.expect(202);
    psea.post(&path, json!({"reason": "Another Mwangi."})).await.expect(200);
    assert!(finds_case(&named, id(&case)).await);
}

#[actix_web::test]
async fn p3_a_lifting_is_for_what_the_officers_judged_and_for_nothing_later() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    let (monitor, psea) =
        (app.signed_in(Role::OhchrMonitor).await, app.signed_in(Role::PseaCoordinator).await);
    let (named, mate, triage) = (
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::TriageOfficer).await,
    );
    rename(&keeper, &named, 1, "Jean Exemple").await;
    let seven = unit(&keeper, json!({"name": "Unit 7"})).await;
    let person = enter(&keeper, json!({"name": "A Mate", "unit_id": seven["id"], "user_id": mate.id})).await;
    let case = case_from(&triage, complaint(), "sexual_exploitation_abuse").await;
    let case = id(&case);
    let add = async |role: &str, identity: Value| {
        let body = json!({"role": role, "country": "KE", "identity": identity});
        monitor.post(&format!("/v1/cases/{case}/parties"), body).await.expect(201)
    };
    let lift = async |who: &crate::harness::Caller<'_>| {
        let path = format!("/v1/cases/{case}/walls/{}/lifting", who.id.unwrap());
        monitor.post(&path, json!({"reason": "Somebody else is meant."})).await.expect(202);
        psea.post(&path, json!({"reason": "Somebody else is meant."})).await.expect(200);
    };
    add("witness", json!({"name": "Jean Exemple"})).await;
    assert!(!finds_case(&named, case).await);
    lift(&named).await;
    assert!(finds_case(&named, case).await);
    add("witness", json!({"name": "Somebody Other"})).await;
    assert!(finds_case(&named, case).await, "what concerns somebody else changes nothing");
    add("witness", json!({"name": "Exemple Jean"})).await;
    assert!(!finds_case(&named, case).await, "the second may be the one who is meant");
    lift(&named).await;
    assert!(finds_case(&named, case).await);
    // So is what the roster says of somebody's unit.
    add("subject", json!({"unit": "Unit 7"})).await;
    assert!(!finds_case(&mate, case).await);
    lift(&mate).await;
    assert!(finds_case(&mate, case).await);
    change(&keeper, &format!("/v1/personnel/{}", id(&person)), 1, json!({"rank": "corporal"}))
        .await
        .expect(200);
    assert!(finds_case(&mate, case).await);
    add("subject", json!({"unit": "UNIT 7"})).await;
    assert!(!finds_case(&mate, case).await);
    app.sequence().await;
}

#[actix_web::test]
async fn p3_whoever_hands_a_complaint_in_learns_from_it_of_nobodys_account() {
    let app = TestApp::start().await;
    let keeper = app.signed_in(Role::Administrator).await;
    app.signed_in(Role::OhchrMonitor).await;
    let accused = app.signed_in(Role::TriageOfficer).await;
    enter(&keeper, json!({"name": "John Sample", "service_number": "KE-1042", "user_id": accused.id})).await;
    for role in [Role::FocalPoint, Role::Integration, Role::IntakeOfficer] {
        let who = app.signed_in(role).await;
        let mut told = Vec::new();
        for (number, place) in [("KE-1042", "ohchr_monitor"), ("KE-9999", "intake_officer")] {
            let receipt =
                who.post("/v1/complaints", about(json!({"service_number": number}))).await.expect(201);
            let it = id(&receipt);
            assert_eq!(desk(&app, "complaints", it).await.0, place);
            let plain = |view: &Value| {
                let mut view = view.clone();
                for column in ["id", "reference", "received_at", "clock_start"] {
                    view.as_object_mut().unwrap().remove(column);
                }
                view
            };
            let listed = who.get("/v1/complaints?limit=200").await.expect(200);
            let listed = listed["items"].as_array().unwrap().iter().find(|each| id(each) == it).cloned();
            let read = who.get(&format!("/v1/complaints/{it}")).await;
            told.push((plain(&listed.unwrap()), read.status, plain(&read.body["complaint"])));
        }
        assert_eq!(told[0], told[1], "{role:?}");
        assert_eq!(told[0].0["owner_role"], "intake_officer");
    }
}
