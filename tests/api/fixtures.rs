//! Things that many stories begin with.

use serde_json::{Value, json};
use temwen::auth::Role;

use crate::harness::{Caller, TestApp};

/// A complaint that will do.
pub fn complaint() -> Value {
    json!({
        "channel": "web_form",
        "language": "ht",
        "narrative": "Yon ofisye te frape frè m nan pòt mache a.",
        "reported_category": "minor_misconduct",
    })
}

/// A complaint about sexual exploitation and abuse, of a child, with names.
pub fn grave_complaint() -> Value {
    json!({
        "channel": "web_form",
        "language": "fr",
        "narrative": "On a promis de la nourriture à ma nièce.",
        "reported_category": "sexual_exploitation_abuse",
        "reporter": {"relation": "family", "name": "Marie Exemple", "contact": {"phone": "+509 0000 0000"}},
        "victims": [{"sex": "f", "age_band": "15-17", "name": "Nadège Exemple", "vulnerabilities": ["child"]}],
        "subjects": [{"name": "John Sample", "service_number": "KE-1042", "country": "KE", "unit": "Unit 7"}],
        "allegations": [{"type": "transactional_sex"}],
    })
}

/// A serious complaint with a contributing country.
pub fn serious_complaint() -> Value {
    json!({
        "channel": "web_form",
        "language": "en",
        "narrative": "They beat him at the checkpoint.",
        "subjects": [{"country": "KE", "unit": "Unit 7", "service_number": "KE-1042"}],
        "allegations": [{"type": "physical_assault"}],
        "incident": {"from": "2026-02-20", "precision": "day", "department": "HT-OU"},
    })
}

/// Hands a complaint in, as anybody.
pub async fn submitted(app: &TestApp, complaint: Value) -> Value {
    app.anyone().post("/v1/complaints", complaint).await.expect(201)
}

/// The id in an answer.
pub fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// A case grown from `complaint`, opened by `triage`.
pub async fn case_from(triage: &Caller<'_>, complaint: Value, category: &str) -> Value {
    let receipt = submitted(triage.app, complaint).await;
    let path = format!("/v1/complaints/{}/assessment", id(&receipt));
    let body = json!({"decision": "open_case", "category": category, "priority": "routine", "reason": "It can be a breach."});
    triage.post_seen(&path, 1, body).await.expect(201)
}

/// A minor case, and the triage officer who opened it.
pub async fn minor_case(app: &TestApp) -> (Value, Caller<'_>) {
    let triage = app.signed_in(Role::TriageOfficer).await;
    (case_from(&triage, complaint(), "minor_misconduct").await, triage)
}
