//! What the database holds of what people said: nothing that can be read, moved or changed.

use actix_web::http::Method;
use diesel_async::SimpleAsyncConnection as _;
use serde_json::json;
use temwen::auth::Role;

use crate::fixtures::{complaint, grave_complaint, id, minor_case, submitted};
use crate::harness::TestApp;

/// Changes rows behind the service's back, past every trigger.
async fn behind(app: &TestApp, sql: &str) {
    let mut owner = app.owner().await;
    owner
        .batch_execute(&format!(
            "set session_replication_role = replica; {sql}; set session_replication_role = default"
        ))
        .await
        .unwrap();
}

/// Everything that a table holds, as text.
async fn dump(app: &TestApp, table: &str) -> String {
    app.rows(&format!("select t::text as row from {table} t")).await.iter().map(ToString::to_string).collect()
}

#[actix_web::test]
async fn p4_what_was_stored_in_the_clear_is_sealed_once_and_stays_readable_and_verifiable() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let receipt = submitted(&app, grave_complaint()).await;
    // As the version before left it: rows in the clear, and no data keys.
    let complaint = id(&receipt);
    let said = async |column| app.opened("submissions", column, complaint).await.unwrap().replace('\'', "''");
    let (narrative, particulars, identities) =
        (said("narrative").await, said("particulars").await, said("identities").await);
    behind(
        &app,
        &format!(
            "update submissions set narrative = '{narrative}', particulars = '{particulars}', identities = '{identities}', salt = sha256('x'), \
                 narrative_sealed = null, particulars_sealed = null, identities_sealed = null, salt_sealed = null where complaint_id = '{complaint}'; \
             delete from data_keys where id = '{complaint}'; \
             insert into notes (id, case_id, author_id, text, written_at) values (gen_random_uuid(), '{}', '{}', 'Nòt klè.', now()); \
             insert into messages (id, complaint_id, direction, kind, text, sent_at) values (gen_random_uuid(), '{complaint}', 'from_reporter', 'message', 'Mesaj klè.', now())",
            id(&case),
            triage.id.unwrap()
        ),
    )
    .await;
    let coordinator = app.signed_in(Role::PseaCoordinator).await;
    let path = format!("/v1/complaints/{complaint}");
    // Until they are sealed, nothing of them is shown.
    assert!(coordinator.get(&path).await.status >= 400);
    let entries = app.entries().await;
    assert!(app.seal_clear_text().await >= 4);
    assert_eq!(app.entries().await, entries);
    assert!(app.count("select from audit_entries where action = 'clear_text.sealed'").await >= 3);
    let read = coordinator.get(&path).await.expect(200);
    assert_eq!(read["narrative"], grave_complaint()["narrative"]);
    let notes = triage.get(&format!("/v1/cases/{}/notes", id(&case))).await.expect(200);
    assert!(notes["items"].as_array().unwrap().iter().any(|note| note["text"] == "Nòt klè."));
    for (table, word) in
        [("submissions", "nourriture"), ("submissions", "Exemple"), ("notes", "klè"), ("messages", "klè")]
    {
        assert!(!dump(&app, table).await.contains(word), "{table}");
    }
    assert_eq!(app.seal_clear_text().await, 0, "once");
}

#[actix_web::test]
async fn p4_nothing_sealed_can_be_moved_to_another_row_column_or_matter() {
    let app = TestApp::start().await;
    let (one, two) = (submitted(&app, complaint()).await, submitted(&app, complaint()).await);
    let triage = app.signed_in(Role::TriageOfficer).await;
    let (one, two) = (id(&one), id(&two));
    let path = format!("/v1/complaints/{one}");
    let keep =
        "create table kept as select * from submissions; create table kept_keys as select * from data_keys";
    behind(&app, keep).await;
    let restore = "update submissions s set narrative_sealed = k.narrative_sealed from kept k where k.complaint_id = s.complaint_id; \
                   update data_keys d set wrapped = k.wrapped, master = k.master from kept_keys k where k.id = d.id";
    let of_two = |column: &str| format!("(select {column} from submissions where complaint_id = '{two}')");
    for (what, sql) in [
        (
            "another row",
            format!(
                "update submissions set narrative_sealed = {} where complaint_id = '{one}'",
                of_two("narrative_sealed")
            ),
        ),
        (
            "another column",
            format!(
                "update submissions set narrative_sealed = particulars_sealed where complaint_id = '{one}'"
            ),
        ),
        (
            "cut off",
            format!(
                "update submissions set narrative_sealed = substr(narrative_sealed, 1, 40) where complaint_id = '{one}'"
            ),
        ),
        ("empty", format!("update submissions set narrative_sealed = '' where complaint_id = '{one}'")),
        (
            "one bit",
            format!(
                "update submissions set narrative_sealed = set_bit(narrative_sealed, 8 * 35, 1 - get_bit(narrative_sealed, 8 * 35)) where complaint_id = '{one}'"
            ),
        ),
        (
            "another format",
            format!(
                "update submissions set narrative_sealed = set_byte(narrative_sealed, 0, 2) where complaint_id = '{one}'"
            ),
        ),
        (
            "another's key",
            format!(
                "update data_keys set wrapped = (select wrapped from data_keys where id = '{two}') where id = '{one}'"
            ),
        ),
        (
            "row and key of another",
            format!(
                "update submissions set narrative_sealed = {} where complaint_id = '{one}'; update data_keys set wrapped = (select wrapped from data_keys where id = '{two}') where id = '{one}'",
                of_two("narrative_sealed")
            ),
        ),
        (
            "a master key that nobody has",
            format!(
                "insert into master_keys values ('0123456789abcdef', now()) on conflict do nothing; update data_keys set master = '0123456789abcdef' where id = '{one}'"
            ),
        ),
    ] {
        behind(&app, &sql).await;
        let answer = triage.get(&path).await;
        assert!(matches!(answer.status, 500 | 503), "{what}: {}", answer.text);
        assert!(!answer.text.contains("frape") && !answer.text.contains(two), "{what}: {}", answer.text);
        behind(&app, restore).await;
        triage.get(&path).await.expect(200);
    }
    // The other complaint was readable all the time, and whoever submits is not held up.
    triage.get(&format!("/v1/complaints/{two}")).await.expect(200);
    submitted(&app, complaint()).await;
}

#[actix_web::test]
async fn p6_a_data_key_is_never_removed_and_never_comes_back() {
    let app = TestApp::start().await;
    submitted(&app, complaint()).await;
    let mut owner = app.owner().await;
    for sql in [
        "delete from data_keys",
        "truncate data_keys",
        "update data_keys set id = gen_random_uuid()",
        "update data_keys set made_at = now()",
        "update data_keys set matter_id = null",
        "delete from master_keys",
    ] {
        assert!(owner.batch_execute(sql).await.is_err(), "{sql}");
    }
    // Not even to be destroyed, unless two persons signed for it.
    let destroy = "update data_keys set wrapped = null, destroyed_at = now() where matter_id is not null";
    assert!(owner.batch_execute(destroy).await.is_err());
    behind(&app, destroy).await;
    let back = "update data_keys set wrapped = '\\x00', destroyed_at = null where matter_id is not null";
    assert!(owner.batch_execute(back).await.is_err());
}

#[actix_web::test]
async fn p4_a_first_answer_is_sealed_and_given_again() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let path = format!("/v1/cases/{}/notes", id(&case));
    let words = json!({"text": "Called the clinic in Delmas."});
    let first = triage.post_keyed(&path, "once", words.clone()).await.expect(201);
    assert!(!dump(&app, "idempotency_keys").await.contains("Delmas"));
    assert_eq!(triage.post_keyed(&path, "once", words).await.expect(201), first);
    assert_eq!(
        triage.send(triage.request(Method::GET, &path)).await.expect(200)["items"].as_array().unwrap().len(),
        1
    );
}
