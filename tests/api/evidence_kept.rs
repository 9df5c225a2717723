//! What becomes of files in the store: sealed, checked, and removed when they are not to be kept.

use actix_web::http::Method;
use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection as _;
use temwen::auth::Role;
use temwen::db::{Caller as By, Tx};
use temwen::evidence::{self, upkeep};
use temwen::values::MatterId;
use uuid::Uuid;

use crate::files::{
    begin, bytes, directory, give, hex, investigated, location, metadata, objects, send, sha256,
};
use crate::harness::{PASSWORD, TestApp};

const MIB: usize = 1024 * 1024;

async fn settle(app: &TestApp) {
    while upkeep::step(&app.temwen).await.unwrap() > 0 {}
}

#[actix_web::test]
async fn p4_nothing_of_a_file_is_kept_in_the_clear() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let marker = b"PLANTED-IN-A-FILE";
    let file = marker.repeat(20_000);
    let said = metadata(&[("filename", "PLANTED-NAME.txt"), ("filetype", "text/x-planted-type")]);
    let evidence = give(&investigator, &at("/uploads"), &file, &said).await;
    // Half-way too.
    let upload = location(&begin(&investigator, &at("/uploads"), file.len(), &said).await);
    assert_eq!(send(&investigator, &upload, 0, &file[..100_000]).await.status, 204);
    let told = serde_json::json!({"kind": "copied", "place": "PLANTED-PLACE", "note": "PLANTED-NOTE"});
    investigator.post_keyed(&at(&format!("/{evidence}/custody")), "key", told).await.expect(201);
    let all = objects(&app);
    assert_eq!(all.len(), 2);
    for (path, object) in all {
        assert!(!object.windows(8).any(|window| window == &marker[..8]), "{}", path.display());
    }
    for table in ["evidence", "evidence_segments", "custody_events", "audit_entries"] {
        let rows = app.rows(&format!("select * from {table}")).await;
        let text = serde_json::to_string(&rows).unwrap();
        for planted in ["PLANTED", "planted", &sha256(&file)] {
            let coded = hex(planted.as_bytes());
            assert!(!text.contains(planted) && !text.contains(&coded), "{planted} in {table}");
        }
    }
}

/// A file of several segments, and how it is asked for.
async fn kept(app: &TestApp) -> (String, Vec<u8>, crate::harness::Caller<'_>) {
    let (case, _, investigator) = investigated(app).await;
    let at = format!("/v1/cases/{case}/evidence");
    let file = bytes(9 * MIB);
    let evidence = give(&investigator, &format!("{at}/uploads"), &file, "").await;
    (format!("{at}/{evidence}"), file, investigator)
}

#[actix_web::test]
async fn p2_bytes_that_were_changed_cut_swapped_or_removed_are_found_and_never_handed_out() {
    for tampering in ["flipped", "cut", "swapped", "gone", "emptied", "of another file"] {
        let app = TestApp::start().await;
        let (path, file, investigator) = kept(&app).await;
        let all = objects(&app);
        let (large, other) = (&all[0], &all[1]);
        let (large, other) = if large.1.len() > other.1.len() { (large, other) } else { (other, large) };
        match tampering {
            "flipped" => {
                let mut changed = large.1.clone();
                let at = changed.len() / 2;
                changed[at] ^= 1;
                std::fs::write(&large.0, changed).unwrap();
            }
            "cut" => std::fs::write(&large.0, &large.1[..large.1.len() - 100]).unwrap(),
            "swapped" => {
                std::fs::write(&large.0, &other.1).unwrap();
                std::fs::write(&other.0, &large.1).unwrap();
            }
            "gone" => std::fs::remove_file(&large.0).unwrap(),
            "emptied" => std::fs::write(&large.0, b"").unwrap(),
            _ => {
                let case = path.rsplit_once('/').unwrap().0.to_owned();
                give(&investigator, &format!("{case}/uploads"), &bytes(9 * MIB), "").await;
                let (of_other, _) = objects(&app)
                    .into_iter()
                    .map(|(path, bytes)| (path, bytes.len()))
                    .find(|(path, length)| *length == large.1.len() && *path != large.0)
                    .unwrap();
                std::fs::copy(of_other, &large.0).unwrap();
            }
        }
        let content = format!("{path}/content");
        let (status, _, body) = investigator.bytes(investigator.request(Method::GET, &content)).await;
        assert!(status == 500 || body.is_none(), "{tampering}: {status}");
        assert!(body.is_none_or(|body| body.len() < file.len() / 2), "{tampering}");
        let known = investigator.get(&path).await.expect(200);
        assert!(!known["damaged_at"].is_null(), "{tampering}");
        let chain = investigator.get(&format!("{path}/custody")).await.expect(200).to_string();
        assert!(chain.contains("damaged"), "{tampering}");
        let found = "select 1 from audit_entries where action = 'evidence.damaged' and actor_kind = 'system'";
        assert_eq!(app.count(found).await, 1, "{tampering}");
    }
}

#[actix_web::test]
async fn p2_rows_of_a_file_that_were_changed_behind_the_servers_back_hand_nothing_out() {
    let app = TestApp::start().await;
    let (path, _, investigator) = kept(&app).await;
    let mut owner = app.owner().await;
    owner
        .batch_execute(
            "alter table evidence_segments disable trigger all;
             delete from evidence_segments where start > 0;
             alter table evidence_segments enable trigger all",
        )
        .await
        .unwrap();
    let answer = investigator.get(&format!("{path}/content")).await;
    assert_eq!(answer.status, 500, "a file without its end");
    let range =
        investigator.request(Method::GET, &format!("{path}/content")).insert_header(("Range", "bytes=0-9"));
    assert_eq!(investigator.bytes(range).await.0, 500);
}

#[actix_web::test]
async fn every_file_is_read_again_after_thirty_days() {
    let app = TestApp::start().await;
    let (path, _, investigator) = kept(&app).await;
    settle(&app).await;
    let verified = "select 1 from audit_entries where action = 'evidence.verified'";
    assert_eq!(app.count(verified).await, 0);
    app.wait(TimeDelta::days(31));
    settle(&app).await;
    assert_eq!(app.count(verified).await, 1);
    let (object, mut sealed) = objects(&app).into_iter().next().unwrap();
    sealed[1000] ^= 1;
    std::fs::write(object, sealed).unwrap();
    app.wait(TimeDelta::days(31));
    settle(&app).await;
    assert_eq!(app.count("select 1 from audit_entries where action = 'evidence.damaged'").await, 1);
    let investigator = app.sign_in(&investigator.email, PASSWORD).await;
    assert!(!investigator.get(&path).await.expect(200)["damaged_at"].is_null());
    let chain = investigator.get(&format!("{path}/custody")).await.expect(200);
    let kinds: Vec<_> = chain["items"].as_array().unwrap().iter().map(|link| link["kind"].clone()).collect();
    assert_eq!(kinds, ["received", "verified", "damaged"]);
}

#[actix_web::test]
async fn a_half_finished_upload_leaves_nothing_after_its_time() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = format!("/v1/cases/{case}/evidence/uploads");
    let upload = location(&begin(&investigator, &at, 100, "").await);
    assert_eq!(send(&investigator, &upload, 0, b"half").await.status, 204);
    let folder = directory(&app).join(upload.rsplit('/').next().unwrap());
    // What a killed server left in the middle of a write.
    std::fs::write(folder.join("staged#1"), b"sealed").unwrap();
    std::fs::write(folder.join(Uuid::now_v7().to_string()), b"sealed").unwrap();
    settle(&app).await;
    assert!(folder.exists());
    app.wait(TimeDelta::hours(25));
    settle(&app).await;
    assert!(!folder.exists());
    let rows = app.rows("select stage, cleared_at is not null as cleared from evidence").await;
    assert_eq!(rows[0], serde_json::json!({"stage": "expired", "cleared": true}));
}

#[actix_web::test]
async fn what_lost_a_race_is_removed_from_beside_a_kept_file() {
    let app = TestApp::start().await;
    let (path, file, investigator) = kept(&app).await;
    let folder = directory(&app).join(path.rsplit('/').next().unwrap());
    std::fs::write(folder.join(Uuid::now_v7().to_string()), b"sealed").unwrap();
    app.wait(TimeDelta::hours(2));
    settle(&app).await;
    assert_eq!(objects(&app).len(), 2);
    let investigator = app.sign_in(&investigator.email, PASSWORD).await;
    let content = format!("{path}/content");
    assert_eq!(investigator.bytes(investigator.request(Method::GET, &content)).await.2.unwrap(), file);
}

#[actix_web::test]
async fn p1_a_file_of_which_all_has_arrived_is_finished_by_itself() {
    let app = TestApp::start().await;
    let (path, file, investigator) = kept(&app).await;
    // As it is when a server is killed between the last byte and its look at the whole.
    let mut owner = app.owner().await;
    owner
        .batch_execute(
            "alter table evidence disable trigger evidence_keep_what_was_given;
             update evidence set stage = 'arriving', known = null, received_at = null, checked_at = null;
             alter table evidence enable trigger evidence_keep_what_was_given",
        )
        .await
        .unwrap();
    investigator.get(&path).await.refused(404, "not-found");
    settle(&app).await;
    investigator.get(&path).await.refused(404, "not-found");
    app.wait(TimeDelta::minutes(2));
    settle(&app).await;
    assert_eq!(investigator.get(&path).await.expect(200)["sha256"], sha256(&file));
}

#[actix_web::test]
async fn p4_a_forgotten_file_cannot_be_read_and_its_bytes_go() {
    let app = TestApp::start().await;
    let (path, _, investigator) = kept(&app).await;
    settle(&app).await;
    let matter: Uuid =
        app.rows("select matter_id from cases").await[0]["matter_id"].as_str().unwrap().parse().unwrap();
    let forget = async |tx: &mut Tx| evidence::forget(tx, MatterId::from(matter)).await;
    assert_eq!(app.temwen.db.write(&By::system("test"), "test.forget", forget).await.unwrap(), 1);
    investigator.get(&format!("{path}/content")).await.refused(410, "erased");
    let known = investigator.get(&path).await.expect(200);
    assert_eq!((&known["erased"], &known["name"], &known["sha256"]), (&true.into(), &().into(), &().into()));
    settle(&app).await;
    assert!(objects(&app).is_empty());
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    monitor.get(&format!("{path}/custody")).await.expect(200);
}
