//! The record: nothing is changed unseen, nothing that was recorded changes, nobody writes in another's name.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use serde_json::json;
use temwen::auth::Role;
use temwen::db::{Caller as By, Tx};
use temwen::error::Kind;
use temwen::values::UserId;

use crate::fixtures::{grave_complaint, id, minor_case, submitted};
use crate::harness::TestApp;

/// A connection as the server's own role.
async fn server(app: &TestApp) -> AsyncPgConnection {
    app.connect.open().await.unwrap()
}

async fn refused(conn: &mut AsyncPgConnection, sql: &str) -> String {
    let Err(error) = conn.batch_execute(sql).await else { panic!("{sql} was not refused") };
    conn.batch_execute("rollback").await.unwrap();
    error.to_string()
}

#[actix_web::test]
async fn p2_a_write_that_records_nothing_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::Investigator).await;
    let find = async |tx: &mut Tx| temwen::users::find(tx, officer.id.unwrap()).await;
    let error = app.temwen.db.write(&By::system("test"), "test.nothing", find).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    let error = app.temwen.db.write(&By::system("test"), "test.nothing", async |_| Ok(())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    // A row that was written without a word about it is not there afterwards.
    let key = temwen::db::first_answers::Key { actor: "test", operation: "test", digest: &[7; 32] };
    let write = async |tx: &mut Tx| {
        let answer = temwen::db::first_answers::FirstAnswer {
            body_digest: vec![1],
            status: 201,
            etag: None,
            location: None,
            body: "{}".to_owned(),
        };
        temwen::db::first_answers::keep(tx, &app.temwen.register, &key, answer, None).await
    };
    let error = app.temwen.db.write(&By::system("test"), "test.nothing", write).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    assert_eq!(app.count("select from idempotency_keys").await, 0);
}

#[actix_web::test]
async fn p2_entries_are_never_changed_or_removed_not_even_by_their_owner() {
    let app = TestApp::start().await;
    minor_case(&app).await;
    let before = app.rows("select * from audit_entries order by id").await;
    let (mut owner, mut server) = (app.owner().await, server(&app).await);
    for sql in [
        "update audit_entries set actor = 'nobody'",
        "update audit_entries set at = at + interval '1 day' where action = 'case.opened'",
        "delete from audit_entries",
        "truncate audit_entries",
        "truncate audit_entries cascade",
    ] {
        let said = refused(&mut owner, sql).await;
        assert!(said.contains("never changed or removed"), "{sql}: {said}");
        let said = refused(&mut server, sql).await;
        assert!(said.contains("permission denied"), "{sql}: {said}");
    }
    for sql in [
        "alter table audit_entries disable trigger all",
        "drop table audit_entries",
        "drop function refuse_change cascade",
        "alter table audit_entries disable row level security",
        "set session_replication_role = replica",
        "reset role; set role postgres",
        "set session authorization postgres",
        "create table public.own (id int)",
    ] {
        refused(&mut server, sql).await;
    }
    assert_eq!(app.rows("select * from audit_entries order by id").await, before);
}

#[actix_web::test]
async fn p6_what_was_submitted_never_changes() {
    let app = TestApp::start().await;
    let receipt = submitted(&app, grave_complaint()).await;
    let before = app.rows("select * from submissions, complaints").await;
    let (mut owner, mut server) = (app.owner().await, server(&app).await);
    for sql in [
        "update submissions set narrative = 'other'",
        "update submissions set narrative_sealed = salt_sealed",
        "update submissions set identities_sealed = null",
        "delete from submissions",
        "truncate submissions",
        "truncate complaints cascade",
        "delete from complaints",
        "update complaints set reference = 'TW-0000-0000'",
        "update complaints set received_at = now()",
        "update complaints set clock_start = now()",
        "update complaints set channel = 'hotline'",
        "update complaints set language = 'en'",
        "update complaints set reported_category = 'out_of_scope'",
        "update complaints set submission_id = gen_random_uuid()",
        "update complaints set access_code_digest = null",
        "update complaints set submitted_by = null, incident_from = '2020-01-01'",
    ] {
        let said = refused(&mut owner, sql).await;
        assert!(said.contains("never change"), "{sql}: {said}");
        refused(&mut server, sql).await;
    }
    assert_eq!(app.rows("select * from submissions, complaints").await, before);
    // Handling it changes how it is handled, and nothing else.
    let coordinator = app.signed_in(Role::PseaCoordinator).await;
    let path = format!("/v1/complaints/{}", id(&receipt));
    coordinator.post_seen(&format!("{path}/acknowledgement"), 1, json!({})).await.expect(200);
    let read = coordinator.get(&path).await.expect(200);
    assert_eq!(read["narrative"], grave_complaint()["narrative"]);
}

#[actix_web::test]
async fn p6_notes_messages_and_walls_stay_as_they_were_written() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    triage
        .post(&format!("/v1/cases/{}/notes", id(&case)), json!({"text": "Called the clinic."}))
        .await
        .expect(201);
    let complaint = app.rows("select id from complaints").await[0]["id"].as_str().unwrap().to_owned();
    triage.post(&format!("/v1/complaints/{complaint}/messages"), json!({"text": "Hello."})).await.expect(201);
    let somebody = app.signed_in(Role::TriageOfficer).await;
    app.signed_in(Role::OhchrMonitor).await;
    let wall = json!({"user_id": somebody.id.unwrap(), "reason": "Served in the unit."});
    assert!(triage.post(&format!("/v1/cases/{}/walls", id(&case)), wall).await.status < 300);
    let (mut owner, mut server) = (app.owner().await, server(&app).await);
    for sql in [
        "update notes set text = 'x'",
        "delete from notes",
        "update messages set text = 'x'",
        "delete from messages",
        "update walls set reason = 'x'",
        "delete from walls",
        "delete from cases",
    ] {
        refused(&mut owner, sql).await;
        refused(&mut server, sql).await;
    }
}

/// Tells Postgres that this officer acts, as the server does at the start of every transaction.
fn acting(user: UserId, session: &str) -> String {
    format!(
        "begin; select act('user', '{user}', '{user}', '{session}', 1, ',everything,', '{{}}', '', null, '2026-03-02T14:00:00Z')"
    )
}

#[actix_web::test]
async fn p7_an_entry_names_whoever_acts_and_nobody_else() {
    let app = TestApp::start().await;
    let (_, triage) = minor_case(&app).await;
    let other = app.signed_in(Role::TriageOfficer).await;
    let (me, them) = (triage.id.unwrap(), other.id.unwrap());
    let session = app.rows(&format!("select id from sessions where user_id = '{me}'")).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let begin = acting(me, &session);
    let entry = |kind: &str, actor: &str| {
        format!("insert into audit_entries (id, at, actor_kind, actor, action, object_kind, object_id, request_id, detail)
            values (gen_random_uuid(), now(), '{kind}', '{actor}', 'case.read', 'case', gen_random_uuid(), 'r', '{{}}')")
    };
    let mut server = server(&app).await;
    let walled = "row-level security";
    for (kind, actor) in [
        ("user", them.to_string()),
        ("system", "import".to_owned()),
        ("system", me.to_string()),
        ("public", "public".to_owned()),
        ("reporter", me.to_string()),
        ("user", String::new()),
    ] {
        let said = refused(&mut server, &format!("{begin}; {}", entry(kind, &actor))).await;
        assert!(said.contains(walled), "{kind} {actor}: {said}");
        // And with nobody acting at all.
        let said = refused(&mut server, &format!("begin; {}", entry(kind, &actor))).await;
        assert!(said.contains(walled), "{kind} {actor}: {said}");
    }
    let said = refused(&mut server, &format!("begin; {}", entry("user", &me.to_string()))).await;
    assert!(said.contains(walled), "{said}");
    // Half of another identity does not help: kind and name both have to be those of whoever acts.
    let half = format!(
        "{begin}; select set_config('temwen.kind', 'system', true); {}",
        entry("user", &me.to_string())
    );
    assert!(refused(&mut server, &half).await.contains(walled));
    server.batch_execute(&format!("{begin}; {}; rollback", entry("user", &me.to_string()))).await.unwrap();
    // What was said in one transaction holds in no other.
    let said =
        refused(&mut server, &format!("{begin}; commit; begin; {}", entry("user", &me.to_string()))).await;
    assert!(said.contains(walled), "{said}");
}

#[actix_web::test]
async fn p7_notes_assignments_and_walls_name_whoever_acts() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let other = app.signed_in(Role::TriageOfficer).await;
    let (me, them) = (triage.id.unwrap(), other.id.unwrap());
    let session = app.rows(&format!("select id from sessions where user_id = '{me}'")).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (begin, case) = (acting(me, &session), id(&case));
    let complaint = app.rows("select id from complaints").await[0]["id"].as_str().unwrap().to_owned();
    let mut server = server(&app).await;
    for sql in [
        format!("insert into notes values (gen_random_uuid(), '{case}', '{them}', 'x', now())"),
        format!("insert into walls values ('{them}', gen_random_uuid(), 'wall', 'x', '{them}', now())"),
        format!(
            "insert into assignments values (gen_random_uuid(), '{case}', gen_random_uuid(), '{me}', 'investigator', '{them}', now(), null)"
        ),
        format!(
            "insert into messages values (gen_random_uuid(), '{complaint}', 'to_reporter', '{them}', 'message', 'x', now())"
        ),
        format!(
            "insert into messages values (gen_random_uuid(), '{complaint}', 'from_reporter', null, 'message', 'x', now())"
        ),
    ] {
        let said = refused(&mut server, &format!("{begin}; {sql}")).await;
        assert!(said.contains("row-level security"), "{sql}: {said}");
    }
}

#[actix_web::test]
async fn p3_whoever_forgets_to_say_who_acts_sees_nothing() {
    let app = TestApp::start().await;
    minor_case(&app).await;
    submitted(&app, grave_complaint()).await;
    let mut server = server(&app).await;
    for table in [
        "complaints",
        "submissions",
        "cases",
        "walls",
        "assignments",
        "case_duties",
        "deadlines",
        "deadline_pauses",
        "allegations",
        "notes",
        "messages",
        "proposals",
        "audit_entries",
        "idempotency_keys",
    ] {
        let nothing = format!(
            "do $$ begin if exists (select from {table}) then raise exception 'seen'; end if; end $$"
        );
        server.batch_execute(&nothing).await.unwrap_or_else(|error| panic!("{table}: {error}"));
    }
}
