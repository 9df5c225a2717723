//! Handing in a complaint, and the reporter's own thread.

use serde_json::json;
use temwen::auth::Role;

use crate::fixtures::{complaint, grave_complaint, id, submitted};
use crate::harness::TestApp;

#[actix_web::test]
async fn anybody_hands_in_a_complaint_and_follows_it() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, complaint()).await;
    assert_eq!(receipt["status"], "received");
    assert_eq!(
        receipt["acknowledge_by"], "2026-03-09T13:00:00Z",
        "seven days at the same local time: daylight saving begins in between"
    );

    let reporter = app.reporter(&receipt).await;
    let standing = reporter.get("/v1/reporter/complaint").await.expect(200);
    assert_eq!((standing["status"].as_str(), standing["language"].as_str()), (Some("received"), Some("ht")));

    let intake = app.signed_in(Role::IntakeOfficer).await;
    let path = format!("/v1/complaints/{}", id(&receipt));
    let read = intake.get(&path).await.expect(200);
    assert_eq!(read["narrative"], complaint()["narrative"]);
    let acknowledged = intake.post_seen(&format!("{path}/acknowledgement"), 1, json!({})).await.expect(200);
    assert_eq!(acknowledged["status"], "acknowledged");

    let messages = reporter.get("/v1/reporter/messages").await.expect(200);
    assert_eq!(messages["items"][0]["kind"], "acknowledgement");
    assert!(messages["items"][0].get("author_id").is_none(), "the reporter is not told which officer wrote");
    reporter.post("/v1/reporter/messages", json!({"text": "Mèsi."})).await.expect(201);
    let thread = intake.get(&format!("{path}/messages")).await.expect(200);
    assert_eq!(thread["items"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn p6_what_was_submitted_is_kept_word_for_word_and_names_stand_apart() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, grave_complaint()).await;
    let said = async |column| app.opened("submissions", column, id(&receipt)).await.unwrap();
    assert_eq!(said("narrative").await, grave_complaint()["narrative"].as_str().unwrap());
    assert!(!said("particulars").await.contains("Exemple"));
    assert!(said("identities").await.contains("Nadège Exemple"));
    let stored = app.rows("select s::text as row from submissions s").await[0]["row"].to_string();
    assert!(
        !stored.contains("Exemple") && !stored.contains("nourriture"),
        "nothing of it is in the clear: {stored}"
    );
    let coordinator = app.signed_in(Role::PseaCoordinator).await;
    let read = coordinator.get(&format!("/v1/complaints/{}", id(&receipt))).await.expect(200);
    assert_eq!(read["withheld"], json!(["complainant", "victim", "subject"]));
    assert!(!read.to_string().contains("Exemple"));
}

#[actix_web::test]
async fn a_repetition_is_the_same_whatever_language_the_answer_is_asked_in() {
    let app = TestApp::start().await;
    let body = json!({"submission_id": "0197c0de-0000-7000-8000-000000000001", "channel": "web_form", "narrative": "Li pati."});
    let said = async |language: &str| {
        let request = app.anyone().request(actix_web::http::Method::POST, "/v1/complaints");
        app.anyone().send(request.insert_header(("Accept-Language", language)).set_json(&body)).await
    };
    let (first, again) = (said("ht").await, said("fr").await);
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.body, again.body);
}
