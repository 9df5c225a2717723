//! Many at once: versions, numbers, and requests that nobody waits for any more.

use std::collections::HashSet;
use std::time::Duration;

use actix_web::http::Method;
use diesel_async::SimpleAsyncConnection as _;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::fixtures::{complaint, id, submitted};
use crate::harness::{Answer, Caller, Made, TestApp};

fn many() -> Made {
    Made { connections: 16, ..Made::default() }
}

fn to_open() -> Value {
    json!({"decision": "open_case", "category": "minor_misconduct", "priority": "routine", "reason": "It can be a breach."})
}

async fn open(triage: &Caller<'_>, complaint: &str) -> Answer {
    triage.post_seen(&format!("/v1/complaints/{complaint}/assessment"), 1, to_open()).await
}

/// That the case numbers of the year are 1, 2, 3 and so on, and the counter stands at the last.
async fn numbers_have_no_gap(app: &TestApp, cases: usize) {
    let rows = app.rows("select number from cases order by number").await;
    let wanted: Vec<String> = (1..=cases).map(|n| format!("COA-2026-{n:06}")).collect();
    let found: Vec<&str> = rows.iter().map(|row| row["number"].as_str().unwrap()).collect();
    assert_eq!(found, wanted);
    let counters = app.rows("select last from case_numbers").await;
    assert_eq!(counters.iter().map(|row| row["last"].as_u64().unwrap()).collect::<Vec<_>>(), [cases as u64]);
}

#[actix_web::test]
async fn of_two_writers_who_saw_the_same_version_one_is_told_to_read_again() {
    let app = TestApp::start_with(many()).await;
    let (one, other) = (app.signed_in(Role::IntakeOfficer).await, app.signed_in(Role::TriageOfficer).await);
    for _ in 0..5 {
        let receipt = submitted(&app, complaint()).await;
        let path = format!("/v1/complaints/{}/acknowledgement", id(&receipt));
        let (first, second) =
            futures_util::join!(one.post_seen(&path, 1, json!({})), other.post_seen(&path, 1, json!({})));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
    }
    assert_eq!(app.count("select from messages").await, 5);
    assert_eq!(app.count("select from audit_entries where action = 'complaint.acknowledged'").await, 5);
}

#[actix_web::test]
async fn two_officers_who_open_a_case_of_one_complaint_open_one_case() {
    let app = TestApp::start_with(many()).await;
    let (one, other) = (app.signed_in(Role::TriageOfficer).await, app.signed_in(Role::TriageOfficer).await);
    for _ in 0..5 {
        let receipt = submitted(&app, complaint()).await;
        let (first, second) = futures_util::join!(open(&one, id(&receipt)), open(&other, id(&receipt)));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 412]);
    }
    numbers_have_no_gap(&app, 5).await;
}

#[actix_web::test]
async fn case_numbers_have_no_gap_under_twenty_at_once_of_which_some_fail() {
    let app = TestApp::start_with(many()).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipts = join_all((0..20).map(|_| submitted(&app, complaint()))).await;
    // What goes wrong after the number was taken must give it back: here the database refuses the case's clocks.
    let mut owner = app.owner().await;
    let refuse = "create function refuse_some() returns trigger language plpgsql as $$ begin
            if (select number from cases where id = new.case_id) ~ '[36]$' and new.starts_at < timestamptz '2026-03-03' then
                raise exception 'refused for the test';
            end if; return new; end $$;
        create trigger refuse_some before insert on deadlines for each row when (new.case_id is not null) execute function refuse_some()";
    owner.batch_execute(refuse).await.unwrap();
    let opened = join_all(receipts.iter().map(|receipt| open(&triage, id(receipt)))).await;
    let good = opened.iter().filter(|answer| answer.status == 201).count();
    assert!((1..20).contains(&good), "{good}");
    opened.iter().filter(|answer| answer.status != 201).for_each(|answer| {
        answer.refused(500, "internal");
        assert!(!answer.text.contains("refused for the test"));
    });
    numbers_have_no_gap(&app, good).await;
    owner.batch_execute("drop trigger refuse_some on deadlines").await.unwrap();
    let rest: Vec<&Value> = receipts
        .iter()
        .zip(&opened)
        .filter(|(_, answer)| answer.status != 201)
        .map(|(receipt, _)| receipt)
        .collect();
    let opened = join_all(rest.iter().map(|receipt| open(&triage, id(receipt)))).await;
    assert!(opened.iter().all(|answer| answer.status == 201));
    numbers_have_no_gap(&app, 20).await;
    let distinct: HashSet<&str> = opened.iter().map(|answer| id(&answer.body)).collect();
    assert_eq!(distinct.len(), rest.len());
}

#[actix_web::test]
async fn a_request_that_was_given_up_half_way_leaves_nothing_open_and_nothing_behind() {
    let app = TestApp::start_with(Made { connections: 2, ..Made::default() }).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt = submitted(&app, complaint()).await;
    let path = format!("/v1/complaints/{}/acknowledgement", id(&receipt));
    let mut owner = app.owner().await;
    for round in 0..6 {
        owner.batch_execute("begin; select from complaints for update").await.unwrap();
        let request =
            triage.request(Method::POST, &path).insert_header(("If-Match", "\"1\"")).set_json(json!({}));
        let mut running = Box::pin(triage.send(request));
        let waiting =
            "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        let mut waits = false;
        for _ in 0..1000 {
            assert!((&mut running).now_or_never().is_none(), "it has to wait for the row");
            if app.count(waiting).await > 0 {
                waits = true;
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(waits, "round {round}");
        drop(running);
        owner.batch_execute("rollback").await.unwrap();
    }
    let idle = "select from pg_stat_activity where state like 'idle in transaction%' and datname = current_database()";
    for _ in 0..1000 {
        if app.count(idle).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(app.count(idle).await, 0);
    assert_eq!(app.count("select from complaints where acknowledged_at is not null").await, 0);
    assert_eq!(app.count("select from audit_entries where action = 'complaint.acknowledged'").await, 0);
    triage.post_seen(&path, 1, json!({})).await.expect(200);
}
