//! The database is away, busy, or cut off: 503 in bounded time, and recovery without a restart.

use std::cell::{Cell, RefCell};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use temwen::audit::{Event, What};
use temwen::auth::Role;
use temwen::db::embedded::{Options, PrivatePostgres};
use temwen::db::{Caller as By, Connect, Server, Tx, migrate, prepare};

use crate::fixtures::complaint;
use crate::harness::{Answer, Made, TestApp};

/// How long anything here may take to come about.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Postgres of this test's own, to be stopped and started.
struct Own {
    dir: tempfile::TempDir,
    running: RefCell<Option<PrivatePostgres>>,
}

fn start(data_dir: &Path) -> PrivatePostgres {
    let settings = vec![("fsync".to_owned(), "off".to_owned())];
    PrivatePostgres::start(Options { settings, ..Options::new(data_dir) }).unwrap()
}

impl Own {
    async fn start() -> Self {
        let dir = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap();
        let own = Self { dir, running: RefCell::new(None) };
        own.start_again().await;
        prepare::create_database(&own.connect("postgres", true), "temwen").await.unwrap();
        let owner = own.connect("temwen", true);
        migrate::run(&owner).await.unwrap();
        prepare::let_server_in(&owner).await.unwrap();
        own
    }

    async fn start_again(&self) {
        let data_dir = self.dir.path().join("data");
        let running = tokio::task::spawn_blocking(move || start(&data_dir)).await.unwrap();
        *self.running.borrow_mut() = Some(running);
    }

    async fn stop(&self) {
        let running = self.running.borrow_mut().take().unwrap();
        tokio::task::spawn_blocking(move || running.stop()).await.unwrap().unwrap();
    }

    fn connect(&self, database: &str, as_owner: bool) -> Connect {
        let socket = self.running.borrow().as_ref().unwrap().socket_dir().to_owned();
        Connect { server: Server::Private(socket), database: database.to_owned(), as_owner }
    }
}

fn is_unavailable(answer: &Answer) {
    answer.refused(503, "unavailable");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
}

/// Somebody who hands in one complaint after another, each until it is acknowledged.
async fn hand_in(
    app: &TestApp,
    acknowledged: &RefCell<Vec<String>>,
    away: &Cell<usize>,
    enough: &Cell<bool>,
) {
    while !enough.get() {
        let mut body = complaint();
        body["submission_id"] = json!(uuid::Uuid::now_v7());
        let since = Instant::now();
        loop {
            let answer = app.anyone().post("/v1/complaints", body.clone()).await;
            if [200, 201].contains(&answer.status) {
                acknowledged.borrow_mut().push(answer.body["id"].as_str().unwrap().to_owned());
                break;
            }
            is_unavailable(&answer);
            away.set(away.get() + 1);
            assert!(since.elapsed() < PATIENCE, "it does not recover");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix_web::test]
async fn p1_postgres_stopped_and_started_under_load_loses_nothing_and_is_recovered_from() {
    let own = Own::start().await;
    let app = TestApp::on(own.connect("temwen", false), Made { connections: 8, ..Made::default() }).await;
    let (acknowledged, away, enough) = (RefCell::new(Vec::new()), Cell::new(0), Cell::new(false));
    let count = || acknowledged.borrow().len();
    let outages = async {
        for _ in 0..2 {
            let before = count();
            until("nothing is stored", || count() > before + 30).await;
            app.anyone().get("/ready").await.expect(200);
            own.stop().await;
            let failed = away.get();
            until("nobody noticed", || away.get() > failed + 16).await;
            is_unavailable(&app.anyone().get("/ready").await);
            app.anyone().get("/health").await.expect(200);
            own.start_again().await;
        }
        let before = count();
        until("nothing is stored again", || count() > before + 30).await;
        enough.set(true);
    };
    let clients = join_all((0..16).map(|_| hand_in(&app, &acknowledged, &away, &enough)));
    futures_util::join!(clients, outages);
    app.anyone().get("/ready").await.expect(200);
    let stored = app.rows("select id from complaints").await;
    let acknowledged = acknowledged.into_inner();
    for id in &acknowledged {
        assert!(stored.iter().any(|row| row["id"] == id.as_str()), "{id} was acknowledged and is gone");
    }
    assert_eq!(
        stored.len(),
        acknowledged.len(),
        "each was repeated until it was acknowledged, and stored once"
    );
    drop(app);
    own.stop().await;
}

#[actix_web::test]
async fn a_full_pool_answers_503_in_bounded_time_and_serves_again_when_it_is_free() {
    let app = TestApp::start_with(Made { connections: 1, ..Made::default() }).await;
    let officer = app.signed_in(Role::TriageOfficer).await;
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let hold = async |tx: &mut Tx| {
        temwen::users::find(tx, officer.id.unwrap()).await?;
        let _ = released.await;
        tx.record(Event::register(What::KeysForgotten));
        Ok(())
    };
    let by = By::system("test");
    let requests = async {
        let since = Instant::now();
        let anyone = app.anyone();
        let reads = join_all((0..40).map(|_| officer.get("/v1/cases")));
        let writes = join_all((0..40).map(|_| anyone.post("/v1/complaints", complaint())));
        let (reads, writes) = futures_util::join!(reads, writes);
        reads.iter().chain(&writes).for_each(is_unavailable);
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
        app.anyone().get("/health").await.expect(200);
        release.send(()).unwrap();
    };
    let (held, ()) = futures_util::join!(app.temwen.db.write(&by, "test.hold", hold), requests);
    held.unwrap();
    officer.get("/v1/cases").await.expect(200);
    assert_eq!(app.count("select from complaints").await, 0);
}

#[actix_web::test]
async fn connections_that_were_cut_are_replaced() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::TriageOfficer).await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    for _ in 0..5 {
        let warm = join_all((0..4).map(|_| officer.get("/v1/cases"))).await;
        assert!(warm.iter().all(|answer| answer.status == 200));
        app.owner().await.batch_execute(cut).await.unwrap();
        let since = Instant::now();
        loop {
            let answer = officer.get("/v1/cases").await;
            if answer.status == 200 {
                break;
            }
            is_unavailable(&answer);
            assert!(since.elapsed() < PATIENCE);
        }
    }
}

#[actix_web::test]
async fn a_connection_that_is_cut_in_the_middle_of_a_write_leaves_nothing_of_it() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt: Value = crate::fixtures::submitted(&app, complaint()).await;
    let path = format!("/v1/complaints/{}/acknowledgement", receipt["id"].as_str().unwrap());
    let mut owner = app.owner().await;
    owner.batch_execute("begin; select from complaints for update").await.unwrap();
    let waiting =
        "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    let cut = async {
        let since = Instant::now();
        while app.count(waiting).await == 0 {
            assert!(since.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let pid = app.rows(waiting).await[0]["pid"].as_i64().unwrap();
        app.owner().await.batch_execute(&format!("select pg_terminate_backend({pid})")).await.unwrap();
    };
    let (answer, ()) = futures_util::join!(triage.post_seen(&path, 1, json!({})), cut);
    is_unavailable(&answer);
    owner.batch_execute("rollback").await.unwrap();
    assert_eq!(app.count("select from messages").await, 0);
    assert_eq!(app.count("select from audit_entries where action = 'complaint.acknowledged'").await, 0);
    triage.post_seen(&path, 1, json!({})).await.expect(200);
}
