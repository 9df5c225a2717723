//! P5: every matter has an owner and a clock.

use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::cases::people::return_to_desks;

use crate::fixtures::{case_from, complaint, grave_complaint, id, serious_complaint, submitted};
use crate::harness::{Caller, TestApp};

/// What the register says of a case's owner and of its complaint's.
async fn owners(app: &TestApp, case: &str) -> Value {
    let sql = format!(
        "select k.owner_role as case_desk, k.owner_id as case_owner, c.owner_role as desk, c.owner_id as owner
         from cases k join complaints c on c.case_id = k.id where k.id = '{case}'"
    );
    app.rows(&sql).await.remove(0)
}

fn me(caller: &Caller<'_>) -> String {
    caller.id.unwrap().to_string()
}

#[actix_web::test]
async fn p5_everything_has_a_desk_and_a_clock_from_the_first_moment() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    for (complaint, desk) in [
        (complaint(), "intake_officer"),
        (grave_complaint(), "psea_coordinator"),
        (serious_complaint(), "intake_officer"),
    ] {
        let receipt = submitted(&app, complaint).await;
        let row = &app
            .rows(&format!("select owner_role, owner_id from complaints where id = '{}'", id(&receipt)))
            .await[0];
        assert_eq!(*row, json!({"owner_role": desk, "owner_id": null}));
    }
    case_from(&triage, grave_complaint(), "sexual_exploitation_abuse").await;
    case_from(&triage, complaint(), "minor_misconduct").await;
    let running = "where met_at is null and cancelled_at is null";
    for (table, key) in [("complaints", "complaint_id"), ("cases", "case_id")] {
        assert_eq!(app.count(&format!("select 1 from {table} where owner_role is null")).await, 0);
        let without = format!(
            "select 1 from {table} t where not exists (select from deadlines {running} and {key} = t.id)"
        );
        assert_eq!(app.count(&without).await, 0, "{table} without a clock");
        let nullable = format!(
            "select 1 from pg_attribute where attrelid = '{table}'::regclass and attname = 'owner_role' and not attnotnull"
        );
        assert_eq!(app.count(&nullable).await, 0);
    }
}

#[actix_web::test]
async fn p5_whoever_steps_back_or_is_walled_off_leaves_the_case_to_its_desk() {
    let app = TestApp::start().await;
    let coordinator = app.signed_in(Role::PseaCoordinator).await;
    for walled in [false, true] {
        let triage = app.signed_in(Role::TriageOfficer).await;
        let case = case_from(&triage, grave_complaint(), "sexual_exploitation_abuse").await;
        let before = owners(&app, id(&case)).await;
        assert_eq!((&before["case_owner"], &before["owner"]), (&json!(me(&triage)), &json!(me(&triage))));
        if walled {
            let body = json!({"user_id": me(&triage), "reason": "A relative is concerned."});
            coordinator.post(&format!("/v1/cases/{}/walls", id(&case)), body).await.expect(204);
        } else {
            let body = json!({"reason": "A relative is concerned."});
            triage.post(&format!("/v1/cases/{}/recusals", id(&case)), body).await.expect(204);
        }
        let left = json!({"case_desk": "psea_coordinator", "case_owner": null, "desk": "psea_coordinator", "owner": null});
        assert_eq!(owners(&app, id(&case)).await, left);
        assert_eq!(triage.get(&format!("/v1/cases/{}", id(&case))).await.status, 404);
        coordinator.get(&format!("/v1/cases/{}", id(&case))).await.expect(200);
    }
}

#[actix_web::test]
async fn p5_what_a_deactivated_account_leaves_goes_back_to_its_desk() {
    let app = TestApp::start().await;
    let admin = app.signed_in(Role::Administrator).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let investigator = app.signed_in(Role::Investigator).await;
    let other = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let untouched = case_from(&other, complaint(), "minor_misconduct").await;
    let body = json!({"user_id": me(&investigator), "role": "investigator", "conflict_declared": false});
    triage.post_seen(&format!("/v1/cases/{}/assignments", id(&case)), 1, body).await.expect(200);
    assert_eq!(return_to_desks(&app.temwen).await.unwrap(), 0, "everybody is there");

    for gone in [&triage, &investigator] {
        let path = format!("/v1/users/{}/deactivation", me(gone));
        admin.post_seen(&path, 1, json!({"reason": "left the mission"})).await.expect(200);
    }
    assert_eq!(return_to_desks(&app.temwen).await.unwrap(), 2);
    let left =
        json!({"case_desk": "triage_officer", "case_owner": null, "desk": "triage_officer", "owner": null});
    assert_eq!(owners(&app, id(&case)).await, left);
    assert_eq!(owners(&app, id(&untouched)).await["case_owner"], json!(me(&other)));
    assert_eq!(app.count("select 1 from assignments where ended_at is null").await, 0);

    // The record says that the system did it, as itself, and whose work it was.
    let entries = app
        .rows("select actor_kind, actor, detail ->> 'user' as user, object_id from audit_entries where action = 'case.returned_to_desk' order by id")
        .await;
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        assert_eq!(
            (&entry["actor_kind"], &entry["actor"]),
            (&json!("system"), &json!("cases.return_to_desk"))
        );
        assert_eq!(entry["object_id"], case["id"]);
    }
    let whose: std::collections::BTreeSet<&str> =
        entries.iter().map(|entry| entry["user"].as_str().unwrap()).collect();
    assert_eq!(whose, [me(&triage), me(&investigator)].iter().map(String::as_str).collect());
    // Taken again, the step finds nothing to do and records nothing.
    assert_eq!(return_to_desks(&app.temwen).await.unwrap(), 0);
    // Its desk goes on with it.
    let version =
        other.get(&format!("/v1/cases/{}", id(&case))).await.expect(200)["case"]["version"].as_i64().unwrap();
    let body = json!({"priority": "urgent", "reason": "It has waited."});
    other.post_seen(&format!("/v1/cases/{}/classification", id(&case)), version, body).await.expect(200);
}
