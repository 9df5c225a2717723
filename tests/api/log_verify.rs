//! Verification beside a register in use: little by little, by command, and while many write.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use temwen::audit::{Event, What};
use temwen::auth::Role;
use temwen::commands::verify_log_inside::{Inside, inside};
use temwen::config::Database;
use temwen::db::{Caller as By, Connect, Tx};
use temwen::log::guard::Guard;
use temwen::log::sequencer::Sequencer;
use temwen::log::verify::{self, Flaw, Progress, Rules, Whole};
use temwen::outside::Verdict;
use temwen::tlog::{SigningKey, VerifierKey};

use crate::fixtures::{case_from, complaint, id, serious_complaint, submitted};
use crate::harness::{Made, PASSWORD, TestApp, postgres};
use crate::log_tamper::{check, fill, last_head, sequence, stage, tamper};

/// Lets the continual verification go round once; how many findings are new.
async fn round(app: &TestApp, progress: &mut Progress) -> usize {
    let rounds = progress.rounds();
    let mut new = 0;
    while progress.rounds() == rounds {
        new += verify::step(&app.temwen, progress).await.unwrap();
    }
    new
}

#[actix_web::test]
async fn p8_the_continual_verification_puts_each_finding_on_record_once() {
    let app = stage().await;
    let mut progress = Progress::default();
    assert_eq!(round(&app, &mut progress).await, 0);
    tamper(&app, "update cases set stage = 'assessment'; delete from walls; update audit_entries set actor = 'x' where action = 'case.opened'").await;
    let new = round(&app, &mut progress).await;
    assert!(new >= 3, "{new}");
    sequence(&app).await;
    assert_eq!(round(&app, &mut progress).await, 0, "each is told once");
    let told = app.rows("select detail from audit_entries where action = 'log.finding'").await;
    assert_eq!(
        app.count("select from audit_entries where action = 'log.finding'").await,
        i64::try_from(new).unwrap()
    );
    for (flaw, table) in
        [("row_differs", "cases"), ("row_missing", "walls"), ("entry_differs", "audit_entries")]
    {
        let entries = format!(
            "select from audit_entries where action = 'log.finding' and detail ->> 'finding' = '{flaw}' and detail ->> 'table' = '{table}'"
        );
        assert_eq!(app.count(&entries).await, 1, "{flaw} {told:?}");
    }
    assert!(!format!("{told:?}").contains("Served in the unit"));
    // Another process finds the same, and puts nothing on record again.
    assert_eq!(round(&app, &mut Progress::default()).await, 0);
    // Who writes to the database cannot mute a finding that is still to come: only entries with a good seal count.
    tamper(
        &app,
        "insert into audit_entries (id, at, actor_kind, actor, action, object_kind, object_id, request_id, detail, seal) \
         select gen_random_uuid(), e.at, e.actor_kind, e.actor, 'log.finding', 'register', e.object_id, e.request_id, \
             jsonb_build_object('finding', 'row_differs', 'table', 'deadlines', 'key', d.id), e.seal \
         from deadlines d, (select * from audit_entries where action = 'log.finding' limit 1) as e; \
         update deadlines set due_at = due_at + interval '1 year'",
    )
    .await;
    assert!(round(&app, &mut progress).await > 0);
    let muted = "select from audit_entries where action = 'log.finding' and detail ->> 'table' = 'deadlines' and detail ? 'place'";
    assert_eq!(app.count(muted).await, app.count("select from deadlines").await);
}

#[actix_web::test]
async fn p8_what_was_there_before_the_log_may_take_its_time() {
    let app = TestApp::start().await;
    app.signed_in(Role::TriageOfficer).await;
    fill(&app, 30).await;
    tamper(&app, "update audit_entries set seal = null, at = at - interval '1 year'").await;
    app.wait(TimeDelta::minutes(30));
    let progress = &mut Progress::default();
    assert_eq!(check(&app, &[]).await.findings, []);
    assert_eq!(round(&app, progress).await, 0);
    // Some have their places, more wait, and people go on to work.
    tamper(&app, "create table later as select * from log_queue where turn > 10; delete from log_queue where turn > 10").await;
    sequence(&app).await;
    tamper(&app, "insert into log_queue overriding system value select * from later").await;
    fill(&app, 5).await;
    app.wait(TimeDelta::minutes(30));
    assert_eq!(check(&app, &[]).await.findings, []);
    assert_eq!(round(&app, progress).await, 0);
    sequence(&app).await;
    assert_eq!(check(&app, &[]).await.findings, []);
    assert_eq!(round(&app, progress).await, 0);
    // From here on, all has to be sealed and to have its place in time.
    fill(&app, 1).await;
    app.wait(TimeDelta::minutes(5));
    assert_eq!(round(&app, progress).await, 1);
    tamper(&app, "update audit_entries set seal = null where id in (select entry_id from log_queue)").await;
    let flaws: Vec<Flaw> = check(&app, &[]).await.findings.iter().map(|finding| finding.flaw).collect();
    assert!(flaws.contains(&Flaw::EntryUnsealed), "{flaws:?}");
}

#[actix_web::test]
async fn p8_the_triggers_and_functions_are_those_of_the_list() {
    let app = TestApp::start().await;
    let owner = Connect { as_owner: true, ..app.connect.clone() };
    let there = verify::definitions(&owner).await.unwrap();
    let list = "src/log/verify/functions.txt";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(list, &there).unwrap();
    }
    assert_eq!(std::fs::read_to_string(list).unwrap(), there, "run it with UPDATE=1");
    assert!(there.contains("function public.cases_noted() ") && there.contains("trigger walls.walls_stay "));
}

#[actix_web::test]
async fn p8_after_an_import_all_rows_wait_with_their_entries() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    case_from(&triage, serious_complaint(), "serious_misconduct").await;
    sequence(&app).await;
    fill(&app, 5_100).await;
    submitted(&app, complaint()).await;
    assert_eq!(check(&app, &[]).await.findings, []);
    tamper(&app, "update submissions set narrative_sealed = particulars_sealed").await;
    // Rows are left for later while so many wait.
    assert_eq!(round(&app, &mut Progress::default()).await, 0);
    let report = check(&app, &[]).await;
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    assert!(report.findings.iter().all(|finding| finding.flaw == Flaw::RowDiffers));
    sequence(&app).await;
    assert_eq!(round(&app, &mut Progress::default()).await, 2);
}

#[actix_web::test]
async fn p8_a_head_is_forged_only_if_a_known_key_did_not_sign_it() {
    let app = stage().await;
    let stranger = SigningKey::generate("another.example/log").unwrap();
    let owner = Connect { as_owner: true, ..app.connect.clone() };
    let with = async |keys: Vec<VerifierKey>| {
        let rules = Rules { keys, ..Rules::at(app.temwen.clock.now()) };
        verify::whole(&owner, rules, Arc::new(Whole::default())).await.unwrap()
    };
    let report = with(vec![stranger.verifier()]).await;
    assert_eq!((report.findings.len(), report.counts.unchecked_heads), (0, report.counts.heads));
    let report = with(vec![stranger.verifier(), app.temwen.keys.log_verifiers()[0].clone()]).await;
    assert_eq!((report.findings.len(), report.counts.unchecked_heads), (0, 0));
    // Killed between making and signing: nobody tampered.
    tamper(&app, "update log_heads set note = null where size = (select max(size) from log_heads)").await;
    app.wait(TimeDelta::hours(1));
    let report = check(&app, &[]).await;
    assert_eq!((report.findings.as_slice(), report.counts.unsigned_heads), (&[][..], 1));
    // A server that runs should have signed it; and when it does, it signs that one before the log goes on.
    assert!(round(&app, &mut Progress::default()).await > 0);
    fill(&app, 1).await;
    sequence(&app).await;
    assert_eq!(check(&app, &[]).await.findings, []);
    assert_eq!(app.count("select from log_heads where note is null").await, 0);
}

#[actix_web::test]
async fn p8_nothing_is_found_while_many_write() {
    let app = TestApp::start_with(Made { connections: 16, ..Made::default() }).await;
    let mut officers = Vec::new();
    for _ in 0..4 {
        officers.push(app.signed_in(Role::TriageOfficer).await);
    }
    let watching = app.again(2);
    let done = std::cell::Cell::new(0);
    let writers = (0..16).map(async |n: usize| {
        let triage = &officers[n % officers.len()];
        for _ in 0..6 {
            if n.is_multiple_of(2) {
                submitted(&app, complaint()).await;
            } else {
                let case = case_from(triage, serious_complaint(), "serious_misconduct").await;
                let body =
                    json!({"step": "open_mission_investigation", "reason": "It has to be looked into."});
                triage.post_seen(&format!("/v1/cases/{}/transitions", id(&case)), 1, body).await.expect(200);
                triage
                    .post(&format!("/v1/cases/{}/notes", id(&case)), json!({"text": "Seen."}))
                    .await
                    .expect(201);
                // Every session is looked at and touched by its requests.
                app.sign_in(&triage.email, PASSWORD).await;
            }
        }
        done.set(done.get() + 1);
    });
    let over = || done.get() == 16;
    let sequencing = async {
        let mut sequencer = Sequencer::new(Guard::in_memory());
        while !over() {
            sequencer.step(&watching).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let checking = async {
        let mut checked = 0;
        while !over() {
            assert_eq!(check(&app, &[]).await.findings, []);
            checked += 1;
        }
        checked
    };
    let stepping = async {
        let mut progress = Progress::default();
        let mut new = 0;
        while !over() {
            new += verify::step(&watching, &mut progress).await.unwrap();
        }
        (new, progress.rounds())
    };
    let (_, (), checked, (new, rounds)) = tokio::join!(join_all(writers), sequencing, checking, stepping);
    assert_eq!(
        new,
        0,
        "{:?}",
        app.rows("select detail from audit_entries where action = 'log.finding'").await
    );
    assert!(checked > 1 && rounds > 0, "checked {checked} times, {rounds} rounds");
    sequence(&app).await;
    let last = check(&app, &[last_head(&app).await.0]).await;
    assert_eq!(last.findings, []);
    assert_eq!(round(&app, &mut Progress::default()).await, 0);
}

#[actix_web::test]
async fn p8_places_follow_the_order_of_changes_whatever_the_order_of_ids() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::TriageOfficer).await;
    let id = officer.id.unwrap();
    sequence(&app).await;
    let rename = async |tx: &mut Tx, name: &str| {
        let sql = format!("update users set name = '{name}' where id = '{id}'");
        tx.ask(async |conn| diesel_async::RunQueryDsl::execute(diesel::sql_query(sql), &mut &*conn).await)
            .await
    };
    // The first to make its entry is the last to change the row, as on a node whose clock is behind.
    let late = async |tx: &mut Tx| {
        tx.record(Event::user(What::UserChanged, id));
        let early = async |tx: &mut Tx| {
            rename(tx, "Early").await?;
            tx.record(Event::user(What::UserChanged, id));
            Ok(())
        };
        app.temwen.db.write(&By::system("test"), "test.early", early).await?;
        rename(tx, "Late").await.map(|_| ())
    };
    app.temwen.db.write(&By::system("test"), "test.late", late).await.unwrap();
    assert_eq!(check(&app, &[]).await.findings, []);
    sequence(&app).await;
    assert_eq!(check(&app, &[]).await.findings, []);
}

#[actix_web::test]
async fn p8_whoever_may_not_see_everything_is_told_that_it_could_not_be_checked() {
    let app = stage().await;
    let rules = Rules::at(app.temwen.clock.now());
    let outcome = verify::whole(&app.connect, rules, Arc::new(Whole::default())).await;
    assert!(outcome.is_err(), "row security hides rows from it");
}

/// What the command is told: the register of this test, as this role, with these keys.
fn database(app: &TestApp, role: &str, keys: std::path::PathBuf) -> Database {
    let url = format!("postgres://{role}@%2F{}/{}", socket(), app.connect.database);
    Database {
        data_dir: std::env::temp_dir().join("temwen-nowhere"),
        database_url: Some(url.into()),
        postgres_bin_dir: None,
        master_keys: None,
        evidence_store: None,
        evidence_limit: 1,
        key_dir: Some(keys),
        log_origin: None,
        policy: None,
    }
}

fn socket() -> String {
    postgres().socket.to_str().unwrap().trim_start_matches('/').replace('/', "%2F")
}

#[actix_web::test]
async fn p8_the_command_says_whether_all_is_well_and_when_it_cannot_know() {
    let app = stage().await;
    let look = async |database: &Database, checkpoints: &[std::path::PathBuf]| {
        inside(&Inside { database, checkpoints, keys: &[], without_seals: false }).await
    };
    let own = postgres().data_dir.join("keys");
    let owner = database(&app, "postgres", own.clone());
    assert_eq!(look(&owner, &[]).await.unwrap(), Verdict::Good);
    let kept = std::env::temp_dir().join(format!("temwen-kept-{}", std::process::id()));
    std::fs::write(&kept, last_head(&app).await.1).unwrap();
    assert_eq!(look(&owner, std::slice::from_ref(&kept)).await.unwrap(), Verdict::Good);
    // Without keys it makes none, and says what it could not check.
    let none = std::env::temp_dir().join("temwen-no-keys");
    let without = database(&app, "postgres", none.clone());
    assert_eq!(look(&without, &[]).await.unwrap(), Verdict::Unchecked);
    assert!(!none.exists());
    let verifiers = app.temwen.keys.log_verifiers();
    let given = async |keys: &[VerifierKey], without_seals| {
        inside(&Inside { database: &without, checkpoints: &[], keys, without_seals }).await.unwrap()
    };
    assert_eq!(given(&verifiers, false).await, Verdict::Unchecked, "nobody checked the seals");
    assert_eq!(given(&[], true).await, Verdict::Unchecked, "nobody checked the signatures");
    assert_eq!(given(&verifiers, true).await, Verdict::Good);
    tamper(&app, "delete from walls").await;
    assert_eq!(look(&owner, &[]).await.unwrap(), Verdict::Tampered);
    assert_eq!(look(&without, &[]).await.unwrap(), Verdict::Tampered);
    // What cannot be known is never good.
    let server = database(&app, "temwen_server", own);
    look(&server, &[]).await.unwrap_err();
    look(&owner, &["/nowhere/kept".into()]).await.unwrap_err();
    look(&Database { database_url: None, ..owner }, &[]).await.unwrap_err();
    std::fs::remove_file(kept).unwrap();
}
