//! Somebody with all rights over the database tampers: the register itself, an old checkpoint or the server says what with.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection as _;
use serde_json::json;
use temwen::audit::{Event, What};
use temwen::auth::Role;
use temwen::db::{Caller as By, Connect, Tx};
use temwen::error::Kind;
use temwen::log::guard::Guard;
use temwen::log::sequencer::Sequencer;
use temwen::log::verify::{self, Finding, Flaw, Report, Rules, Whole};
use temwen::tlog::{self, Head, Tiles};

use crate::fixtures::{case_from, complaint, id, serious_complaint};
use crate::harness::{Made, PASSWORD, TestApp};
use crate::log_laundering;
use crate::log_tamper_ways::{Then, WAYS, Way};

/// All of the register, checked with the server's keys.
pub async fn check(app: &TestApp, known: &[Head]) -> Report {
    let rules = Rules {
        seal: Some(app.temwen.keys.entry_seal()),
        keys: app.temwen.keys.log_verifiers(),
        known: known.to_vec(),
        ..Rules::at(app.temwen.clock.now())
    };
    let owner = Connect { as_owner: true, ..app.connect.clone() };
    verify::whole(&owner, rules, Arc::new(Whole::default())).await.unwrap()
}

pub async fn sequence(app: &TestApp) {
    Sequencer::new(Guard::in_memory()).step(&app.temwen).await.unwrap();
}

/// Puts so many things on record.
pub async fn fill(app: &TestApp, entries: usize) {
    let record = async |tx: &mut Tx| {
        (0..entries).for_each(|_| tx.record(Event::register(What::PolicyTookEffect).with("id", "test")));
        Ok(())
    };
    app.temwen.db.write(&By::system("test"), "test.fill", record).await.unwrap();
}

/// A register with a little of everything, three heads, tiles on two levels, and something in the queue.
pub async fn stage() -> TestApp {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, serious_complaint(), "serious_misconduct").await;
    let path = format!("/v1/cases/{}", id(&case));
    fill(&app, 600).await;
    sequence(&app).await;
    app.wait(TimeDelta::seconds(90));
    let somebody = app.signed_in(Role::TriageOfficer).await;
    app.signed_in(Role::OhchrMonitor).await;
    let version = triage.get(&path).await.expect(200)["case"]["version"].as_i64().unwrap();
    let body = json!({"step": "open_mission_investigation", "reason": "It has to be looked into."});
    triage.post_seen(&format!("{path}/transitions"), version, body).await.expect(200);
    let investigator = app.signed_in(Role::Investigator).await;
    let version = triage.get(&path).await.expect(200)["case"]["version"].as_i64().unwrap();
    let body = json!({"user_id": investigator.id, "conflict_declared": false});
    triage.post_seen(&format!("{path}/assignments"), version, body).await.expect(200);
    let complaint_id = app.rows("select id from complaints").await[0]["id"].as_str().unwrap().to_owned();
    triage
        .post(&format!("/v1/complaints/{complaint_id}/messages"), json!({"text": "Hello."}))
        .await
        .expect(201);
    let wall = json!({"user_id": somebody.id.unwrap(), "reason": "Served in the unit."});
    assert!(triage.post(&format!("{path}/walls"), wall).await.status < 300);
    sequence(&app).await;
    triage.post(&format!("{path}/notes"), json!({"text": "Called the clinic."})).await.expect(201);
    sequence(&app).await;
    fill(&app, 2).await;
    app
}

/// A copy of a database as it is now, for a Temwen of its own.
pub async fn copy(of: &TestApp) -> TestApp {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("tampered_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let from = &of.connect.database;
    let admin = Connect { database: "postgres".to_owned(), as_owner: true, ..of.connect.clone() };
    let mut admin = admin.open().await.unwrap();
    let end =
        format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{from}'");
    admin.batch_execute(&end).await.unwrap();
    let make = format!("create database {name} template {from} strategy file_copy");
    admin.batch_execute(&make).await.unwrap();
    let copy = TestApp::on(Connect { database: name, ..of.connect.clone() }, Made::default()).await;
    *copy.now.lock().unwrap() = of.temwen.clock.now();
    copy
}

/// What a superuser does, with all triggers off.
pub async fn tamper(app: &TestApp, sql: &str) {
    let mut owner = app.owner().await;
    owner.batch_execute("set session_replication_role = replica").await.unwrap();
    owner.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The last head that is signed.
pub async fn last_head(app: &TestApp) -> (Head, String) {
    let row =
        &app.rows("select note from log_heads where note is not null order by size desc limit 1").await[0];
    let note = row["note"].as_str().unwrap().to_owned();
    (tlog::open(&note, &app.temwen.keys.log_verifiers()).unwrap().head, note)
}

fn found(report: &Report, flaw: Flaw, table: &str) -> bool {
    report.findings.iter().any(|finding| (finding.flaw, finding.table.as_str()) == (flaw, table))
}

/// Tries a way; what should have been found of it and was not.
async fn try_way(stage: &TestApp, way: &Way) -> Vec<String> {
    let app = copy(stage).await;
    tamper(&app, way.sql).await;
    match way.then {
        Then::Nothing => {}
        Then::Sequence => sequence(&app).await,
        Then::LaterAnd(sql) => {
            app.wait(TimeDelta::minutes(5));
            if way.sql.contains("log_queue") {
                fill(&app, 1).await;
                sequence(&app).await;
            }
            tamper(&app, sql).await;
        }
    }
    let report = check(&app, &[]).await;
    assert!(!way.finds.is_empty());
    let told: Vec<String> = report.findings.iter().take(8).map(Finding::to_string).collect();
    let missed = way.finds.iter().filter(|(flaw, table)| !found(&report, *flaw, table));
    missed.map(|(flaw, table)| format!("{}: {flaw:?} in {table}, but {told:#?}", way.words)).collect()
}

#[actix_web::test]
async fn p8_every_way_of_tampering_is_found_and_the_page_says_by_what() {
    let stage = stage().await;
    let clean = check(&stage, &[last_head(&stage).await.0]).await;
    assert_eq!(clean.findings, []);
    assert!(clean.counts.entries > 600 && clean.counts.rows > 25 && clean.counts.heads >= 3, "{clean:?}");
    assert!(clean.counts.waiting >= 2 && clean.counts.tiles >= 4, "{clean:?}");
    let mut table = String::from("| way | found by | finding |\n| --- | --- | --- |\n");
    let mut missed = Vec::new();
    for way in WAYS {
        missed.extend(try_way(&stage, way).await);
        let finds: Vec<String> =
            way.finds.iter().map(|(flaw, table)| format!("`{}` in {table}", flaw.as_str())).collect();
        writeln!(table, "| {} | `verify-log`, from inside | {} |", way.words, finds.join(", ")).unwrap();
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let laundered = Box::pin(log_laundering::ways(&stage)).await;
    for (way, by, finding) in laundered.into_iter().chain(Box::pin(elsewhere(&stage)).await) {
        writeln!(table, "| {way} | {by} | {finding} |").unwrap();
    }
    written("docs/SECURITY.md", "tamper", &table);
}

/// The ways that leave a register whole in itself: only what was kept elsewhere tells.
async fn elsewhere(stage: &TestApp) -> Vec<(&'static str, &'static str, String)> {
    let mut ways = Vec::new();
    let yesterday = copy(stage).await;
    let today = copy(stage).await;
    today.wait(TimeDelta::hours(20));
    let triage = today.sign_in("officer-0@mission.example", PASSWORD).await;
    case_from(&triage, complaint(), "minor_misconduct").await;
    sequence(&today).await;
    let (kept, note) = last_head(&today).await;
    assert_eq!(check(&today, &[kept]).await.findings, []);
    let mut guard = Guard::in_memory();
    guard.remember(kept, &note).await.unwrap();

    // Yesterday's backup.
    let restored = copy(&yesterday).await;
    assert_eq!(check(&restored, &[]).await.findings, [], "it is whole in itself");
    let refused = Sequencer::new(guard.clone()).step(&restored.temwen).await;
    ways.push((
        "yesterday's backup is put in the place of the register",
        "the server, which signs nothing; `verify-log --checkpoint`; every witness",
        only(&check(&restored, &[kept]).await, Flaw::CheckpointLarger),
    ));
    assert_eq!(refused.unwrap_err().kind(), Kind::WrongMoment);
    assert_eq!(
        restored.count("select from log_heads where note is not null").await,
        yesterday.count("select from log_heads").await
    );

    // Another today, signed with the real keys.
    let forked = copy(&yesterday).await;
    forked.wait(TimeDelta::hours(20));
    let size = i64::try_from(kept.size).unwrap();
    let there = forked.count("select from audit_entries").await;
    fill(&forked, usize::try_from(size - there).unwrap()).await;
    sequence(&forked).await;
    let (fork, _) = last_head(&forked).await;
    assert_eq!(fork.size, kept.size);
    assert_eq!(check(&forked, &[]).await.findings, [], "it is whole in itself");
    ways.push((
        "the log is forked: the same size, other entries, signed with the stolen keys",
        "the server, which signs nothing; `verify-log --checkpoint`; every witness",
        only(&check(&forked, &[kept]).await, Flaw::CheckpointDiffers),
    ));
    fill(&forked, 3).await;
    assert_eq!(
        Sequencer::new(guard.clone()).step(&forked.temwen).await.unwrap_err().kind(),
        Kind::WrongMoment
    );
    // A witness asks for a proof that the fork continues what it signed, and there is none.
    sequence(&forked).await;
    let (grown, _) = last_head(&forked).await;
    let tiles = forked.rows("select level, index, encode(hashes, 'hex') as hashes from log_tiles").await;
    let tiles = tiles.iter().map(|tile| {
        let id = tlog::TileId {
            level: u8::try_from(tile["level"].as_u64().unwrap()).unwrap(),
            index: tile["index"].as_u64().unwrap(),
        };
        (id, unhex(tile["hashes"].as_str().unwrap()))
    });
    let proof = Tiles(tiles.collect()).consistency(kept.size, grown.size).unwrap();
    assert!(tlog::check_consistency(&proof, kept, grown).is_err());
    assert!(tlog::check_consistency(&proof, fork, grown).is_ok());
    ways.push((
        "the log is forked and goes on to grow",
        "the server, which signs nothing; `verify-log --checkpoint`; every witness",
        only(&check(&forked, &[kept]).await, Flaw::CheckpointDiffers),
    ));

    // A clock that was put back.
    let late = copy(&today).await;
    late.wait(-TimeDelta::hours(3));
    fill(&late, 1).await;
    sequence(&late).await;
    ways.push((
        "the server's clock is put back, and it writes entries",
        "`verify-log`, from inside",
        only(&check(&late, &[]).await, Flaw::EntryBackdated),
    ));
    ways
}

/// The finding, which has to be the only one.
#[track_caller]
fn only(report: &Report, flaw: Flaw) -> String {
    let flaws: Vec<Flaw> = report.findings.iter().map(|finding| finding.flaw).collect();
    assert_eq!(flaws, [flaw], "{:#?}", report.findings);
    format!("`{}` in {}", flaw.as_str(), report.findings[0].table)
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Compares what stands between two marks of a page, or writes it there with UPDATE=1.
fn written(page: &str, mark: &str, text: &str) {
    let there = std::fs::read_to_string(page).unwrap();
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->"));
    let (head, rest) = there.split_once(&begin).unwrap_or_else(|| panic!("{page} has no place for it"));
    let (old, tail) = rest.split_once(&end).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(page, format!("{head}{begin}{text}{end}{tail}")).unwrap();
    } else {
        assert_eq!(old, text, "run it with UPDATE=1");
    }
}
