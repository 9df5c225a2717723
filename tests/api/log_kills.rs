//! The sequencer, killed at every step: whatever is cut off where, there is one log without gaps, and nothing else was signed.

#![expect(clippy::print_stdout, reason = "it says at how many steps it was killed")]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use diesel_async::SimpleAsyncConnection as _;
use temwen::audit::leaf::{canonical_row, digest};
use temwen::log::guard::Guard;
use temwen::log::sequencer::Sequencer;
use temwen::tlog::{self, Edge, Head, record_hash};

use crate::fixtures::{complaint, submitted};
use crate::harness::{Made, TestApp};

/// A future that ends, done or not, after being looked at so many times: what a process does that is killed there.
struct Killed<F> {
    work: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.work.as_mut().poll(cx).map(Some)
    }
}

/// What was shown to the world: every signed checkpoint that was ever seen, by its size.
#[derive(Default)]
struct Shown(BTreeMap<u64, String>);

impl Shown {
    /// Notes what can be seen now; what was seen before must still be the same.
    async fn look(&mut self, app: &TestApp) {
        for row in app.rows("select size, note from log_heads where note is not null").await {
            let (size, note) = (row["size"].as_u64().unwrap(), row["note"].as_str().unwrap().to_owned());
            let before = self.0.entry(size).or_insert_with(|| note.clone());
            assert_eq!(*before, note, "another checkpoint of size {size}");
        }
    }

    /// Looks at what the guard holds: it is shown to nobody before it is kept there, so it may be ahead of the database.
    fn look_at_guard(&mut self, dir: &std::path::Path) {
        if let Ok(note) = std::fs::read_to_string(dir.join("log.checkpoint")) {
            let size = tlog::read(&note).unwrap().head.size;
            let before = self.0.entry(size).or_insert_with(|| note.clone());
            assert_eq!(*before, note, "another checkpoint of size {size}");
        }
    }
}

/// One log: places without gaps, each checkpoint that was shown the head of the tree that its first entries make, every
/// changed row in its last state.
async fn check(app: &TestApp, shown: &Shown) {
    let seal = app.temwen.keys.entry_seal();
    let reading = temwen::db::Caller::system("test");
    let places = app.count("select from log_places").await;
    let entries = app
        .temwen
        .db
        .read(&reading, async |conn| temwen::log::entries_from(conn, 0, places).await)
        .await
        .unwrap();
    assert_eq!(app.count("select from audit_entries").await, places);
    assert_eq!(app.count("select from log_queue").await, 0);
    let mut edge = Edge::default();
    let mut checked = 0;
    for (place, (at, entry)) in entries.iter().enumerate() {
        assert_eq!(at.cast_unsigned(), place as u64, "a gap");
        assert!(entry.sealed_by(&seal));
        edge.push(record_hash(entry.leaf().as_bytes())).unwrap();
        if let Some(note) = shown.0.get(&edge.size()) {
            let checkpoint = tlog::open(note, &app.temwen.keys.log_verifiers()).unwrap();
            assert_eq!(checkpoint.head, Head { size: edge.size(), root: edge.root().unwrap() });
            checked += 1;
        }
    }
    assert_eq!(checked, shown.0.len(), "a checkpoint of a tree that is not there");
    for row in app.rows("select row_to_json(c) as row, s.state from complaints c join log_states s on s.kind = 'complaints' and s.id = c.id::text").await {
        assert_eq!(row["state"], digest(canonical_row(row["row"].clone()).as_bytes()));
    }
}

#[actix_web::test]
async fn p2_the_sequencer_killed_at_every_step_leaves_one_log() {
    let app = TestApp::start_with(Made { connections: 8, ..Made::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let verifiers = app.temwen.keys.log_verifiers();
    let open = || Sequencer::new(Guard::open(dir.path(), &verifiers).unwrap());
    let mut shown = Shown::default();
    let (mut kills, mut whole) = (0, 0);
    // Three times through all steps: into an empty log, a small one, and one that fills tiles.
    for more in [1, 3, 130] {
        for left in 1.. {
            for _ in 0..more {
                submitted(&app, complaint()).await;
            }
            let mut sequencer = open();
            let step = Killed { work: Box::pin(sequencer.step(&app.temwen)), left };
            let ended = step.await;
            shown.look(&app).await;
            shown.look_at_guard(dir.path());
            match ended {
                None => kills += 1,
                Some(step) => {
                    step.unwrap();
                    whole += 1;
                    break;
                }
            }
            if more > 100 && left > 12 {
                // Each round adds half a tile.
                break;
            }
        }
        // Whoever comes next finishes what was begun.
        open().step(&app.temwen).await.unwrap();
        shown.look(&app).await;
        check(&app, &shown).await;
    }
    assert!(kills > 20, "only {kills} kills");
    println!(
        "the sequencer was killed at {kills} steps and ended {whole} times; {} checkpoints, none diverged",
        shown.0.len()
    );
}

#[actix_web::test]
async fn p2_the_sequencers_connection_killed_at_every_statement_leaves_one_log() {
    let app = TestApp::start_with(Made { connections: 8, ..Made::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let verifiers = app.temwen.keys.log_verifiers();
    let mut sequencer = Sequencer::new(Guard::open(dir.path(), &verifiers).unwrap());
    let mut shown = Shown::default();
    let mut owner = app.owner().await;
    let cut = "create function cut() returns trigger language plpgsql security definer as $$
        begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$";
    owner.batch_execute(cut).await.unwrap();
    let statements = [
        ("log_places", "insert"),
        ("log_queue", "delete"),
        ("log_tiles", "insert"),
        ("log_states", "insert"),
        ("log_heads", "insert"),
        ("log_heads", "update"),
    ];
    let mut kills = 0;
    for round in 0..3 {
        for (table, statement) in statements {
            for moment in ["before", "after"] {
                for _ in 0..=round * 40 {
                    submitted(&app, complaint()).await;
                }
                let trigger = format!(
                    "create trigger zz_cut {moment} {statement} on {table} for each statement execute function cut()"
                );
                owner.batch_execute(&trigger).await.unwrap();
                sequencer.step(&app.temwen).await.unwrap_err();
                kills += 1;
                owner.batch_execute(&format!("drop trigger zz_cut on {table}")).await.unwrap();
                shown.look(&app).await;
                shown.look_at_guard(dir.path());
                // Sometimes the same node goes on, sometimes another.
                if kills % 2 == 0 {
                    sequencer = Sequencer::new(Guard::open(dir.path(), &verifiers).unwrap());
                }
                sequencer.step(&app.temwen).await.unwrap();
                shown.look(&app).await;
            }
        }
    }
    check(&app, &shown).await;
    println!(
        "the sequencer's connection was killed at {kills} statements; {} checkpoints, none diverged",
        shown.0.len()
    );
}

#[actix_web::test]
async fn p2_two_nodes_at_once_write_one_log() {
    let app = TestApp::start_with(Made { connections: 8, ..Made::default() }).await;
    let (first, second) = (app.again(2), app.again(2));
    let (mut one, mut other) = (Sequencer::new(Guard::in_memory()), Sequencer::new(Guard::in_memory()));
    let writers = async {
        for _ in 0..120 {
            submitted(&app, complaint()).await;
        }
    };
    let mut writers = pin!(writers);
    let mut written = false;
    while !written {
        // Both take their step in the same moment, while entries come in.
        let steps = async { futures_util::join!(one.step(&first), other.step(&second)) };
        let mut steps = pin!(steps);
        let both = std::future::poll_fn(|cx| {
            written |= !written && writers.as_mut().poll(cx).is_ready();
            steps.as_mut().poll(cx)
        })
        .await;
        both.0.unwrap();
        both.1.unwrap();
    }
    let last = Sequencer::new(Guard::in_memory()).step(&app.temwen).await;
    last.unwrap();
    let mut shown = Shown::default();
    shown.look(&app).await;
    check(&app, &shown).await;
    assert!(shown.0.len() > 3, "{} checkpoints", shown.0.len());
}

#[actix_web::test]
async fn p2_a_database_put_back_is_not_signed_over() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let verifiers = app.temwen.keys.log_verifiers();
    let open = || Sequencer::new(Guard::open(dir.path(), &verifiers).unwrap());
    submitted(&app, complaint()).await;
    open().step(&app.temwen).await.unwrap();
    let yesterday = app.copy().await;
    submitted(&app, complaint()).await;
    let newest = open().step(&app.temwen).await.unwrap().signed.unwrap();
    // Yesterday's database, with entries of its own: smaller first, then as large as what was signed, then larger.
    for more in 0..5 {
        let restored = yesterday.copy().await;
        for _ in 0..more {
            submitted(&restored, complaint()).await;
        }
        let mut sequencer = open();
        for _ in 0..2 {
            let error = match sequencer.step(&restored.temwen).await {
                Err(error) => error,
                Ok(step) => panic!("signed {step:?} over {newest}"),
            };
            assert_eq!(error.kind(), temwen::error::Kind::WrongMoment);
        }
        let rows = restored.rows("select max(size) as made, max(size) filter (where note is not null) as signed from log_heads").await;
        let size = |which: &str| rows[0][which].as_u64().unwrap();
        assert!(size("signed") < newest);
        assert!(more < 4 || size("made") > newest, "{rows:?}, {newest}");
        assert!(restored.count("select from audit_entries where action = 'log.refused'").await > 0);
    }
}
