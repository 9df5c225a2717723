//! The transparency log: how fast entries get their places, how far a checkpoint lies behind, what the log costs a submission,
//! how long a proof takes among ten million leaves, and how long the whole log takes to verify.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temwen::Temwen;
use temwen::audit::{Event, What};
use temwen::db::{Caller, Tx};
use temwen::log::guard::Guard;
use temwen::log::sequencer::Sequencer;
use temwen::log::{Place, prove};
use temwen::tlog::{self, Edge, Hash, Head, TileId};
use uuid::Uuid;

use crate::Settings;
use crate::ground::{Ground, Running};
use crate::load::{self, Measured, Write};

/// How many clients submit at once.
const CLIENTS: usize = 16;
/// Entries in one transaction of the filling.
const AT_ONCE: u64 = 200;
/// The turn of whoever writes the log.
const TURN: &str = "hashtextextended('temwen.log', 0)";

fn submitting() -> Write {
    Rc::new(|_, _, out: &mut Vec<u8>| load::post(out, "/v1/complaints", &crate::complaint()))
}

fn percentile(sorted: &[f64], part: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = (sorted.len().saturating_sub(1) as f64 * part) as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    percentile(&all, 0.5)
}

/// All of it.
pub async fn measure(settings: &Settings) -> Value {
    let mut results = json!({});
    let ground = Ground::lay().await;
    let server = Running::start(&ground, &settings.server).await;
    load::run(server.address, CLIENTS, Duration::from_secs(1), 201, &submitting()).await;
    results["lag"] = lag(settings, &ground, &server).await;
    results["cost"] = cost(settings, &ground, &server).await;
    drop(server);
    ground.clear().await;

    let ground = Ground::lay().await;
    let temwen = ground.opened.temwen(8).unwrap_or_else(|failed| panic!("{failed}"));
    // The accounts of the other parts were put in by the owner: no entry tells of them, and verification would say so.
    let none = "set session_replication_role = replica; delete from users; reset session_replication_role";
    ground.owner.batch_execute(none).await.unwrap();
    results["sequencing"] = sequencing(settings, &ground, &temwen).await;
    results["verification"] = verification(settings, &ground);
    results["proofs"] = proofs(settings, &ground, &temwen).await;
    drop(temwen);
    ground.clear().await;
    results
}

/// How long after an entry was begun the first checkpoint that holds it could be seen, while 16 clients submit.
async fn lag(settings: &Settings, ground: &Ground, server: &Running) -> Value {
    let from = ground.number("select count(*) from log_places").await;
    let seen = async {
        let mut seen: Vec<(i64, f64)> = Vec::new();
        loop {
            let row = ground
                .owner
                .query_one(
                    "select coalesce(max(size), 0), extract(epoch from clock_timestamp())::float8 from log_heads where note is not null",
                    &[],
                )
                .await
                .unwrap();
            let (size, at) = (row.get::<_, i64>(0), row.get::<_, f64>(1));
            if seen.last().is_none_or(|(last, _)| size > *last) {
                seen.push((size, at));
            }
            if ground.number("select count(*) from log_queue").await == 0 && at > 0.0 && ENDED.get() {
                return seen;
            }
            actix_web::rt::time::sleep(Duration::from_millis(5)).await;
        }
    };
    ENDED.set(false);
    let work = async {
        let time = settings.round() * 5;
        let measured = load::run(server.address, CLIENTS, time, 201, &submitting()).await;
        ENDED.set(true);
        measured
    };
    let (seen, measured) = futures_util::join!(seen, work);
    let rows = ground
        .owner
        .query(
            "select p.place, extract(epoch from e.at)::float8 from log_places p join audit_entries e on e.id = p.entry_id where p.place >= $1 order by 1",
            &[&from],
        )
        .await
        .unwrap();
    let mut lags: Vec<f64> = rows
        .iter()
        .filter_map(|row| {
            let (place, at) = (row.get::<_, i64>(0), row.get::<_, f64>(1));
            let first = seen.partition_point(|(size, _)| *size <= place);
            seen.get(first).map(|(_, shown)| (shown - at) * 1000.0)
        })
        .collect();
    lags.sort_by(f64::total_cmp);
    let (p50, p99, most) = (percentile(&lags, 0.5), percentile(&lags, 0.99), percentile(&lags, 1.0));
    println!(
        "checkpoint lag while {CLIENTS} clients submit {:.0} complaints/s ({} entries): p50 {p50:.0} ms, p99 {p99:.0} ms, at most {most:.0} ms; {} checkpoints",
        measured.per_second,
        lags.len(),
        seen.len()
    );
    json!({ "submissions_per_second": measured.per_second, "entries": lags.len(), "p50_ms": p50, "p99_ms": p99, "most_ms": most })
}

thread_local! {
    static ENDED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Submissions with the log, and without its triggers and its sequencer; rounds alternate. What remains in both is a row in
/// the queue and a seal.
async fn cost(settings: &Settings, ground: &Ground, server: &Running) -> Value {
    let tables = ["complaints", "submissions", "deadlines"];
    let triggers = |what: &str| {
        tables
            .map(|table| format!("alter table {table} {what} trigger {table}_note_insert, {what} trigger {table}_note_update;"))
            .concat()
    };
    let (mut with, mut without): (Vec<Measured>, Vec<Measured>) = (Vec::new(), Vec::new());
    let mut time = [(0_u64, 0_u64, 0_u64); 2];
    for _ in 0..if settings.quick { 1 } else { 5 } {
        for (place, (all, logged)) in [(&mut with, true), (&mut without, false)].into_iter().enumerate() {
            if !logged {
                ground.owner.batch_execute(&triggers("disable")).await.unwrap();
                ground.owner.batch_execute(&format!("select pg_advisory_lock({TURN})")).await.unwrap();
            }
            let (temwen, postgres) = (server.time(), ground.postgres_time());
            let measured = load::run(server.address, CLIENTS, settings.round(), 201, &submitting()).await;
            time[place].0 += server.time() - temwen;
            time[place].1 += ground.postgres_time() - postgres;
            time[place].2 += measured.requests;
            all.push(measured);
            if !logged {
                ground.owner.batch_execute(&format!("select pg_advisory_unlock({TURN})")).await.unwrap();
                ground.owner.batch_execute(&triggers("enable")).await.unwrap();
                // What was left in the queue is not for the next round to carry.
                while ground.number("select count(*) from log_queue").await > 0 {
                    actix_web::rt::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
    let rates = |all: &[Measured]| median(all.iter().map(|each| each.per_second).collect());
    let ratio = median(with.iter().zip(&without).map(|(a, b)| a.per_second / b.per_second).collect());
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let each = |(temwen, postgres, requests): (u64, u64, u64)| {
        (1000.0 * temwen as f64 / requests as f64, 1000.0 * postgres as f64 / requests as f64)
    };
    let (on, off) = (each(time[0]), each(time[1]));
    println!(
        "cost of the log, {CLIENTS} clients: {:.0} submissions/s with it, {:.0} without, ratio {ratio:.2}; processor time each: temwen {:.0} / {:.0} µs, Postgres {:.0} / {:.0} µs",
        rates(&with),
        rates(&without),
        on.0,
        off.0,
        on.1,
        off.1
    );
    json!({ "with": rates(&with), "without": rates(&without), "ratio": ratio })
}

/// A million entries, of which some register complaints, and then their places.
async fn sequencing(settings: &Settings, ground: &Ground, temwen: &Temwen) -> Value {
    let many: u64 = if settings.quick { 100_000 } else { 1_000_000 };
    let server = Running::start(ground, &settings.server).await;
    let time = Duration::from_secs(if settings.quick { 2 } else { 15 });
    load::run(server.address, CLIENTS, time, 201, &submitting()).await;
    drop(server);
    let begun = Instant::now();
    let caller = Caller::system("bench");
    let mut left = many;
    while left > 0 {
        let write = async |tx: &mut Tx| {
            for n in 0..AT_ONCE.min(left) {
                tx.record(Event::register(What::EntriesRead).with("n", i64::try_from(n).unwrap_or(0)));
            }
            Ok(())
        };
        temwen.db.write(&caller, "bench.fill", write).await.unwrap();
        left -= AT_ONCE.min(left);
    }
    let filled = begun.elapsed();
    ground.settle().await;
    let guard = Guard::open(&ground.folder.join("keys"), &temwen.keys.log_verifiers()).unwrap();
    let mut sequencer = Sequencer::new(guard);
    let begun = Instant::now();
    let mut placed = 0_u64;
    loop {
        let step = sequencer.step(temwen).await.unwrap();
        placed += step.placed as u64;
        if step.placed == 0 {
            break;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let rate = placed as f64 / seconds;
    println!(
        "{placed} entries that waited got their places in {seconds:.1} s: {rate:.0} entries/s (they were written in {:.1} s)",
        filled.as_secs_f64()
    );
    json!({ "entries": placed, "per_second": rate })
}

/// `temwen verify-log` from inside: its time, its memory, what it says.
fn verification(settings: &Settings, ground: &Ground) -> Value {
    let begun = Instant::now();
    let mut child = Command::new(&settings.server)
        .args(["verify-log", "--data-dir"])
        .arg(&ground.folder)
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0_u64;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let told = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let now = told
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = most.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    };
    let seconds = begun.elapsed().as_secs_f64();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    println!("verify-log from inside: {seconds:.1} s, {} MB at most, {status}\n{}", most / 1024, said.trim());
    assert!(status.success(), "the log that was just made does not verify");
    json!({ "seconds": seconds, "memory_kb": most })
}

/// Proofs of entries in a tree of ten million leaves.
async fn proofs(settings: &Settings, ground: &Ground, temwen: &Temwen) -> Value {
    let many: u64 = if settings.quick { 1_000_000 } else { 10_000_000 };
    let size = u64::try_from(ground.number("select max(size) from log_heads").await).unwrap();
    let mut tiles = Vec::new();
    for id in Edge::needed(size) {
        let (level, index) = (i16::from(id.level), i64::try_from(id.index).unwrap());
        let row = ground
            .owner
            .query_one("select hashes from log_tiles where level = $1 and index = $2", &[&level, &index])
            .await
            .unwrap();
        tiles.push((id, row.get::<_, Vec<u8>>(0)));
    }
    let mut edge = Edge::new(size, &tiles).unwrap();
    while edge.size() < many {
        for _ in 0..100_000.min(many - edge.size()) {
            let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
            let mut hash = [0; 32];
            hash[..16].copy_from_slice(first.as_bytes());
            hash[16..].copy_from_slice(second.as_bytes());
            edge.push(Hash(hash)).unwrap();
        }
        keep(ground, edge.changed()).await;
        edge.settle();
    }
    let head = Head { size: edge.size(), root: edge.root().unwrap() };
    let note = tlog::sign(temwen.keys.log_origin(), head, temwen.keys.log_keys()).unwrap();
    let root: &[u8] = &head.root.0;
    ground
        .owner
        .execute(
            "insert into log_heads (size, root, at, note) values ($1, $2, now(), $3)",
            &[&i64::try_from(head.size).unwrap(), &root, &note],
        )
        .await
        .unwrap();
    ground.settle().await;
    let entries: Vec<Uuid> = ground
        .owner
        .query("select entry_id::text from log_places order by random() limit 2000", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get::<_, String>(0).parse().unwrap())
        .collect();
    let caller = Caller::system("bench");
    let mut taken = Vec::new();
    let verifiers = temwen.keys.log_verifiers();
    for entry in &entries {
        let begun = Instant::now();
        let place = prove(temwen, &caller, *entry).await.unwrap();
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        let Place::Proven(proven) = place else { panic!("{place:?}") };
        let checkpoint = proven.proof.verify(proven.entry.as_bytes(), &verifiers).unwrap();
        assert_eq!(checkpoint.head, head);
    }
    taken.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&taken, 0.5), percentile(&taken, 0.99));
    println!(
        "a proof among {many} leaves: p50 {p50:.2} ms, p99 {p99:.2} ms, of {} that all verify",
        taken.len()
    );
    json!({ "leaves": many, "p50_ms": p50, "p99_ms": p99 })
}

async fn keep(ground: &Ground, tiles: Vec<(TileId, Vec<u8>)>) {
    for some in tiles.chunks(500) {
        let levels: Vec<i16> = some.iter().map(|(id, _)| i16::from(id.level)).collect();
        let indexes: Vec<i64> = some.iter().map(|(id, _)| i64::try_from(id.index).unwrap()).collect();
        let hashes: Vec<&[u8]> = some.iter().map(|(_, hashes)| hashes.as_slice()).collect();
        ground
            .owner
            .execute(
                "insert into log_tiles (level, index, hashes) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
                 on conflict (level, index) do update set hashes = excluded.hashes",
                &[&levels, &indexes, &hashes],
            )
            .await
            .unwrap();
    }
}
