//! The same request, sent more than once.

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use temwen::auth::{Role, Seat};
use temwen::db::Caller as By;
use temwen::users::Rights;

use crate::fixtures::{complaint, id, minor_case, submitted};
use crate::harness::{Answer, Made, PASSWORD, TestApp};

/// What a repetition must give again.
fn first(answer: &Answer) -> (u16, &str, Option<&str>, Option<&str>) {
    (answer.status, &answer.text, answer.header("etag"), answer.header("location"))
}

fn account(email: &str) -> Value {
    json!({"email": email, "name": "Odette", "roles": ["investigator"], "password": PASSWORD})
}

#[actix_web::test]
async fn the_same_key_and_body_get_the_first_answer_with_all_its_headers() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    let one = administrator.post_keyed("/v1/users", "a", account("odette@mission.example")).await;
    assert_eq!((one.status, one.header("etag")), (201, Some("\"1\"")));
    assert_eq!(one.header("location"), Some(format!("/v1/users/{}", id(&one.body)).as_str()));
    let again = administrator.post_keyed("/v1/users", "a", account("odette@mission.example")).await;
    assert_eq!(first(&again), first(&one));
    assert_eq!(app.count("select from users").await, 2);
    assert_eq!(app.count("select from audit_entries where action = 'user.added'").await, 2);
    // Without the key it is another request.
    administrator.post("/v1/users", account("odette@mission.example")).await.refused(409, "exists");
}

#[actix_web::test]
async fn the_same_key_with_another_body_is_refused_and_a_refused_request_keeps_no_key() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    administrator.post_keyed("/v1/users", "a", account("odette@mission.example")).await.expect(201);
    administrator
        .post_keyed("/v1/users", "a", account("marie@mission.example"))
        .await
        .refused(422, "key-reused");
    administrator
        .post_keyed("/v1/users", "b", account("odette@mission.example"))
        .await
        .refused(409, "exists");
    administrator.post_keyed("/v1/users", "b", account("marie@mission.example")).await.expect(201);
    assert_eq!(app.count("select from users").await, 3);
}

#[actix_web::test]
async fn a_key_belongs_to_whoever_sent_it_and_to_what_it_was_sent_for() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let other = app.signed_in(Role::TriageOfficer).await;
    let notes = format!("/v1/cases/{}/notes", id(&case));
    let text = json!({"text": "Called the clinic."});
    let one = triage.post_keyed(&notes, "a", text.clone()).await;
    let theirs = other.post_keyed(&notes, "a", text.clone()).await;
    assert_eq!((one.status, theirs.status), (201, 201), "{}", one.text);
    assert_ne!(id(&one.body), id(&theirs.body));
    assert_eq!(first(&triage.post_keyed(&notes, "a", text.clone()).await), first(&one));
    let complaint = app.rows("select id from complaints").await[0]["id"].as_str().unwrap().to_owned();
    let messages = format!("/v1/complaints/{complaint}/messages");
    triage.post_keyed(&messages, "a", text.clone()).await.expect(201);
    // The same key for another case is another request.
    let (elsewhere, _) = minor_case(&app).await;
    triage.post_keyed(&format!("/v1/cases/{}/notes", id(&elsewhere)), "a", text).await.expect(201);
    assert_eq!(app.count("select from notes").await, 3);
}

#[actix_web::test]
async fn while_the_first_still_runs_the_second_is_told_so() {
    let app = TestApp::start_with(Made { connections: 20, ..Made::default() }).await;
    let (case, triage) = minor_case(&app).await;
    let notes = format!("/v1/cases/{}/notes", id(&case));
    // Somebody holds the case, so that the first request has to wait.
    let mut owner = app.owner().await;
    owner.batch_execute("begin; lock table notes in access exclusive mode").await.unwrap();
    let text = json!({"text": "Called the clinic."});
    let running = async {
        let answers = join_all((0..16).map(|_| triage.post_keyed(&notes, "a", text.clone())));
        let release = async {
            let waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
            for _ in 0..1000 {
                if app.count(waiting).await >= 1 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            // The others are refused at once, while it waits.
            let refused = triage.post_keyed(&notes, "a", text.clone()).await;
            owner.batch_execute("rollback").await.unwrap();
            refused
        };
        futures_util::join!(answers, release)
    };
    let (answers, refused) = running.await;
    refused.refused(409, "still-running");
    let stored: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!stored.is_empty());
    assert!(stored.iter().all(|answer| first(answer) == first(stored[0])));
    answers.iter().filter(|answer| answer.status != 201).for_each(|answer| {
        answer.refused(409, "still-running");
    });
    assert_eq!(app.count("select from notes").await, 1);
    assert_eq!(first(&triage.post_keyed(&notes, "a", text).await), first(stored[0]));
}

#[actix_web::test]
async fn p3_a_first_answer_is_not_given_again_to_whom_the_matter_is_hidden_from_since() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    app.signed_in(Role::PseaCoordinator).await;
    let notes = format!("/v1/cases/{}/notes", id(&case));
    let text = json!({"text": "SECRET"});
    monitor.post_keyed(&notes, "a", text.clone()).await.expect(201);
    let wall = json!({"user_id": monitor.id.unwrap(), "reason": "Served in the unit."});
    let put_up = triage.post(&format!("/v1/cases/{}/walls", id(&case)), wall).await;
    assert!(put_up.status < 300, "{}", put_up.text);
    let again = monitor.post_keyed(&notes, "a", text).await;
    again.refused(404, "not-found");
    assert!(!again.text.contains("SECRET"));
    let other = monitor.post_keyed(&notes, "a", json!({"text": "other"})).await;
    other.refused(404, "not-found");
}

#[actix_web::test]
async fn a_submission_sent_again_gets_the_first_answer_with_the_code_and_another_body_is_refused() {
    let app = TestApp::start().await;
    let mut body = complaint();
    body["submission_id"] = json!(uuid::Uuid::now_v7());
    let one = app.anyone().post("/v1/complaints", body.clone()).await;
    app.wait(chrono::TimeDelta::days(400));
    let again = app.anyone().post("/v1/complaints", body.clone()).await;
    assert_eq!((one.status, again.status), (201, 200));
    assert_eq!((&again.body, again.header("location")), (&one.body, one.header("location")));
    assert!(one.body["access_code"].as_str().is_some_and(|code| code.len() > 20));
    let mut other = body.clone();
    other["narrative"] = json!("SECRET");
    let refused = app.anyone().post("/v1/complaints", other).await;
    refused.refused(409, "exists");
    assert!(!refused.text.contains(one.body["reference"].as_str().unwrap()));
    assert_eq!(app.count("select from complaints").await, 1);
    assert_eq!(app.count("select from audit_entries where action = 'complaint.received'").await, 1);
}

#[actix_web::test]
async fn a_complaint_with_a_key_is_stored_once_and_another_body_is_refused() {
    let app = TestApp::start().await;
    let one = app.anyone().post_keyed("/v1/complaints", "a", complaint()).await;
    let again = app.anyone().post_keyed("/v1/complaints", "a", complaint()).await;
    assert_eq!(one.status, 201);
    assert_eq!(first(&again), first(&one));
    let mut other = complaint();
    other["narrative"] = json!("Something else.");
    app.anyone().post_keyed("/v1/complaints", "a", other).await.refused(422, "key-reused");
    let officer = app.signed_in(Role::FocalPoint).await;
    let theirs = officer.post_keyed("/v1/complaints", "a", complaint()).await.expect(201);
    assert_ne!(id(&theirs), id(&one.body));
}

#[actix_web::test]
async fn sixteen_clients_with_one_submission_id_store_one_complaint_and_get_equal_answers() {
    let app = TestApp::start_with(Made { connections: 16, ..Made::default() }).await;
    let mut body = complaint();
    body["submission_id"] = json!(uuid::Uuid::now_v7());
    let anyone = app.anyone();
    let answers = join_all((0..16).map(|_| anyone.post("/v1/complaints", body.clone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 15);
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    stored_once(&app).await;
}

#[actix_web::test]
async fn sixteen_clients_with_one_key_store_one_complaint_and_get_equal_answers() {
    let app = TestApp::start_with(Made { connections: 16, ..Made::default() }).await;
    let anyone = app.anyone();
    let answers = join_all((0..16).map(|_| anyone.post_keyed("/v1/complaints", "a", complaint()))).await;
    assert!(answers.iter().all(|answer| first(answer) == first(&answers[0]) && answer.status == 201));
    stored_once(&app).await;
}

async fn stored_once(app: &TestApp) {
    for table in ["complaints", "submissions"] {
        assert_eq!(app.count(&format!("select from {table}")).await, 1, "{table}");
    }
    assert_eq!(app.entries().await, 1);
    assert_eq!(
        app.count("select from deadlines where complaint_id not in (select id from complaints)").await,
        0
    );
}

#[actix_web::test]
async fn sixty_four_simultaneous_submissions_are_sixty_four_complaints() {
    let app = TestApp::start_with(Made { connections: 16, ..Made::default() }).await;
    let all = join_all((0..64).map(|_| submitted(&app, complaint()))).await;
    for field in ["id", "reference", "access_code"] {
        let distinct: std::collections::HashSet<&str> =
            all.iter().map(|one| one[field].as_str().unwrap()).collect();
        assert_eq!(distinct.len(), 64, "{field}");
    }
    assert_eq!(app.count("select from complaints").await, 64);
    assert_eq!(app.count("select from submissions").await, 64);
    assert_eq!(app.count("select distinct reference from complaints").await, 64);
    assert_eq!(app.count("select from audit_entries where action = 'complaint.received'").await, 64);
}

#[actix_web::test]
async fn a_first_answer_is_forgotten_after_a_day() {
    let app = TestApp::start().await;
    let rights =
        Rights { roles: [Role::PanelMember].into_iter().collect(), country: None, seat: Some(Seat::Pnh) };
    drop(app.signed_in_as(rights).await);
    let administrator = app.signed_in(Role::Administrator).await;
    administrator.post_keyed("/v1/users", "a", account("odette@mission.example")).await.expect(201);
    app.wait(chrono::TimeDelta::hours(25));
    let forget = async |tx: &mut temwen::db::Tx| {
        let forgotten = temwen::db::first_answers::forget(tx).await?;
        tx.record(temwen::audit::Event::register(temwen::audit::What::KeysForgotten));
        Ok(forgotten)
    };
    assert_eq!(app.temwen.db.write(&By::system("test"), "test.forget", forget).await.unwrap(), 1);
    let administrator = app.sign_in(&administrator.email, PASSWORD).await;
    administrator
        .post_keyed("/v1/users", "a", account("odette@mission.example"))
        .await
        .refused(409, "exists");
}
