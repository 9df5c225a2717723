//! Accounts: which rights fit together, and who may change whose.

use actix_web::http::Method;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::harness::{Answer, Caller, PASSWORD, TestApp};

fn account(fields: &Value) -> Value {
    let mut body = json!({"email": "odette@mission.example", "name": "Odette", "roles": ["investigator"], "password": PASSWORD});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn patch(caller: &Caller<'_>, path: &str, version: i64, body: Value) -> Answer {
    let request = caller.request(Method::PATCH, path).insert_header(("If-Match", format!("\"{version}\"")));
    caller.send(request.set_json(body)).await
}

#[actix_web::test]
async fn rights_that_do_not_fit_together_are_refused() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    let cases: [(Value, &[&str]); 14] = [
        (json!({"roles": []}), &["/roles"]),
        (json!({"roles": ["SECRET"]}), &["/roles/0"]),
        (json!({"roles": ["investigator", "SECRET"]}), &["/roles/1"]),
        (json!({"roles": ["administrator", "triage_officer"]}), &["/roles"]),
        (json!({"roles": ["auditor", "investigator"]}), &["/roles"]),
        (json!({"roles": ["statistics_officer", "commander"]}), &["/roles"]),
        (json!({"roles": ["integration", "intake_officer"]}), &["/roles"]),
        (json!({"roles": ["national_authority"]}), &["/country"]),
        (json!({"roles": ["national_authority"], "country": "XX"}), &["/country"]),
        (json!({"roles": ["investigator"], "country": "KE"}), &["/country"]),
        (json!({"roles": ["panel_member"]}), &["/seat"]),
        (json!({"roles": ["panel_member"], "seat": "SECRET"}), &["/seat"]),
        (json!({"roles": ["investigator"], "seat": "mss"}), &["/seat"]),
        (
            json!({"email": "SECRET", "name": "SECRET\u{202e}", "roles": ["national_authority"], "seat": "pnh"}),
            &["/email", "/name", "/country", "/seat"],
        ),
    ];
    for (fields, pointers) in cases {
        let answer = administrator.post("/v1/users", account(&fields)).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), pointers, "{fields}");
        assert!(!answer.text.contains("SECRET"), "{}", answer.text);
    }
    assert_eq!(app.count("select from users").await, 1);
    for (number, fields) in [
        json!({"roles": ["national_authority"], "country": "KE"}),
        json!({"roles": ["panel_member"], "seat": "pnh"}),
        json!({"roles": ["intake_officer", "focal_point"]}),
    ]
    .iter()
    .enumerate()
    {
        let mut body = account(fields);
        body["email"] = json!(format!("Odette-{number}@Mission.Example"));
        let made = administrator.post("/v1/users", body).await.expect(201);
        assert_eq!(made["email"], format!("odette-{number}@mission.example"));
    }
}

#[actix_web::test]
async fn an_address_belongs_to_one_account_however_it_is_written() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    administrator.post("/v1/users", account(&json!({}))).await.expect(201);
    for email in ["odette@mission.example", "ODETTE@mission.example", " odette@mission.example "] {
        administrator.post("/v1/users", account(&json!({"email": email}))).await.refused(409, "exists");
    }
    let twice = account(&json!({"email": "twice@mission.example"}));
    let (one, other) = futures_util::join!(
        administrator.post("/v1/users", twice.clone()),
        administrator.post("/v1/users", twice.clone())
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[actix_web::test]
async fn nobody_changes_their_own_rights_or_deactivates_themselves() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    let own = format!("/v1/users/{}", administrator.id.unwrap());
    patch(&administrator, &own, 1, json!({"roles": ["triage_officer"]})).await.refused(403, "forbidden");
    administrator
        .post_seen(&format!("{own}/deactivation"), 1, json!({"reason": "enough"}))
        .await
        .refused(403, "forbidden");
    patch(&administrator, &own, 1, json!({"name": "Another Name"})).await.expect(200);
}

#[actix_web::test]
async fn accounts_are_kept_by_administrators_alone() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    for &role in Role::ALL.iter().filter(|role| **role != Role::Administrator) {
        let other = app.signed_in(role).await;
        let path = format!("/v1/users/{}", administrator.id.unwrap());
        other.post("/v1/users", account(&json!({}))).await.refused(403, "forbidden");
        patch(&other, &path, 1, json!({"name": "Mine"})).await.refused(403, "forbidden");
        other
            .post_seen(&format!("{path}/deactivation"), 1, json!({"reason": "mine now"}))
            .await
            .refused(403, "forbidden");
    }
}

#[actix_web::test]
async fn a_change_of_an_account_that_changes_nothing_or_too_much_is_refused() {
    let app = TestApp::start().await;
    let administrator = app.signed_in(Role::Administrator).await;
    let officer = app.signed_in(Role::Investigator).await;
    let path = format!("/v1/users/{}", officer.id.unwrap());
    assert_eq!(
        patch(&administrator, &path, 1, json!({})).await.refused(422, "invalid-request").faults(),
        [""]
    );
    assert_eq!(
        patch(&administrator, &path, 1, json!({"name": "A", "country": "KE"}))
            .await
            .refused(422, "invalid-request")
            .faults(),
        ["/roles"]
    );
    let answer = patch(&administrator, &path, 1, json!({"password": "SECRET", "email": "SECRET"})).await;
    assert_eq!(answer.refused(422, "invalid-request").faults(), ["/email", "/password"]);
    patch(&administrator, &path, 7, json!({"name": "A"})).await.refused(412, "stale");
    for reason in ["", "  ", "ab", "12345", "\u{0}\u{0}\u{0}left", &"a".repeat(4001)] {
        let answer =
            administrator.post_seen(&format!("{path}/deactivation"), 1, json!({"reason": reason})).await;
        assert_eq!(answer.refused(422, "invalid-request").faults(), ["/reason"], "{reason:?}");
    }
    officer.get("/v1/me").await.expect(200);
}
