//! Versions of a narrative with passages taken out.

use serde_json::{Value, json};
use temwen::auth::Role;

use crate::fixtures::{complaint, grave_complaint, id, submitted};
use crate::harness::TestApp;

fn passages(of: &[(u32, u32)]) -> Value {
    let all: Vec<Value> = of.iter().map(|(from, to)| json!({"from": from, "to": to})).collect();
    json!({"passages": all, "reason": "It names a relative."})
}

#[actix_web::test]
async fn p4_a_redacted_version_stands_beside_the_sealed_original() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    // "Yon ofisye te frape frè m nan pòt mache a."
    let receipt = submitted(&app, complaint()).await;
    let path = format!("/v1/complaints/{}/redactions", id(&receipt));
    assert_eq!(triage.get(&path).await.expect(200)["items"], json!([]));
    let made = triage.post_keyed(&path, "one", passages(&[(20, 26)])).await.expect(201);
    assert_eq!(
        (&made["version"], &made["text"]),
        (&json!(1), &json!("Yon ofisye te frape █████ nan pòt mache a."))
    );
    let again = triage.post_keyed(&path, "one", passages(&[(20, 26)])).await.expect(201);
    assert_eq!(again, made);
    // Each version is made from the original.
    let second = triage.post(&path, passages(&[(31, 43), (0, 10)])).await.expect(201);
    assert_eq!((&second["version"], &second["passages"]), (&json!(2), &json!(2)));
    assert_eq!(second["text"], "█████ te frape frè m nan █████.");

    let list = triage.get(&path).await.expect(200);
    assert_eq!(list["items"], json!([made, second]));
    assert_eq!(list["items"][0]["reason"], "It names a relative.");
    let page = triage.get(&format!("{path}?limit=1")).await.expect(200);
    let next = page["next"].as_str().unwrap();
    assert_eq!(
        triage.get(&format!("{path}?limit=1&after={next}")).await.expect(200)["items"],
        json!([second])
    );
    // The original is as it was, and nothing in the database can be read.
    let file = triage.get(&format!("/v1/complaints/{}", id(&receipt))).await.expect(200);
    assert_eq!((&file["narrative"], &file["redactions"]), (&complaint()["narrative"], &json!(2)));
    let stored = format!(
        "{:?}",
        app.rows("select encode(text, 'escape') as t, encode(reason, 'escape') as r from redactions").await
    );
    assert!(!stored.contains("frape") && !stored.contains("relative"), "{stored}");
    let entries = app.rows("select action, detail from audit_entries where action in ('complaint.redacted', 'redactions.read') order by id").await;
    assert_eq!(entries.len(), 6);
    assert_eq!(entries[1]["detail"]["passages"], 1);
}

#[actix_web::test]
async fn passages_that_cannot_be_taken_out_are_refused() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let path = format!("/v1/complaints/{}/redactions", id(&submitted(&app, complaint()).await));
    // `è` stands at 22 and 23.
    for (bad, at) in [
        (&[][..], "/passages"),
        (&[(20, 23)], "/passages/0"),
        (&[(23, 24)], "/passages/0"),
        (&[(0, 1000)], "/passages/0"),
        (&[(5, 5)], "/passages/0"),
        (&[(6, 5)], "/passages/0"),
        (&[(u32::MAX - 1, u32::MAX)], "/passages/0"),
        (&[(0, 5), (4, 8)], "/passages/1"),
        (&[(4, 8), (0, 5)], "/passages/0"),
        (&[(0, 5), (0, 5)], "/passages/1"),
    ] {
        let answer = triage.post(&path, passages(bad)).await;
        answer.refused(422, "invalid-request");
        assert_eq!(answer.faults(), [at], "{bad:?}");
    }
    let all = triage.post(&path, passages(&[(20, 23), (9, 3), (0, 9999)])).await;
    assert_eq!(all.faults().len(), 3);
    for bad in [
        json!({"passages": [{"from": -1, "to": 3}], "reason": "It names one."}),
        json!({"passages": [{"from": 0, "to": 3, "with": "x"}], "reason": "It names one."}),
        json!({"passages": [{"from": 0, "to": 3}], "reason": ""}),
        json!({"passages": [{"from": 0, "to": 3}]}),
        json!({"passages": {"from": 0, "to": 3}, "reason": "It names one."}),
    ] {
        let answer = triage.post(&path, bad).await;
        assert!([400, 422].contains(&answer.status), "{}", answer.text);
    }
    assert_eq!(app.count("select from redactions").await, 0);
}

#[actix_web::test]
async fn only_some_make_versions_and_nobody_changes_one() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, grave_complaint()).await;
    let path = format!("/v1/complaints/{}/redactions", id(&receipt));
    let psea = app.signed_in(Role::PseaCoordinator).await;
    psea.post(&path, passages(&[(0, 2)])).await.expect(201);
    let intake = app.signed_in(Role::IntakeOfficer).await;
    intake.post(&path, passages(&[(0, 2)])).await.refused(403, "forbidden");
    assert_eq!(intake.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 1);
    app.signed_in(Role::FocalPoint).await.get(&path).await.refused(404, "not-found");
    app.signed_in(Role::Investigator).await.post(&path, passages(&[(0, 2)])).await.refused(404, "not-found");
    app.reporter(&receipt).await.get(&path).await.refused(401, "unauthenticated");
    let mut owner = app.owner().await;
    for change in ["update redactions set version = 9", "delete from redactions", "truncate redactions"] {
        let refused = diesel_async::SimpleAsyncConnection::batch_execute(&mut owner, change).await;
        assert!(refused.is_err(), "{change}");
    }
}
