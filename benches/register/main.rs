//! Measures what the register promises to be, each time beside bare Postgres doing the same work:
//!
//! ```text
//! cargo bench --bench register                 everything, about twelve minutes
//! cargo bench --bench register -- --quick      one short round each and no million, about two minutes
//! cargo bench --bench register -- --only bc    some of: s start-up, n sizes, a b c d, f files, h what is hidden, l the log, w words
//! ```
//!
//! It starts a private Postgres with default durability below the folder for temporary files (`TMPDIR`; it should lie on a
//! disk), fills it with 200,000 cases, and starts the server as a process of its own, as `temwen serve` does with nothing
//! set. Clients and server share the machine, as do pgbench and Postgres. Rounds of the two alternate, so that whatever else
//! the machine does falls on both; ratios are medians over rounds. pgbench runs the statements that Postgres logged of one
//! such request, prepared, in one script: once with a round trip for each, and once pipelined as the server does it, which
//! is the honest bar. The results also go to `target/bench-register.json`. It stops whatever it started.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement that cannot go on fails by panicking, and prints what it measured"
)]
#![expect(unreachable_pub, reason = "nobody depends on it")]

mod bare;
mod files;
mod ground;
mod hidden;
mod load;
mod log;
mod search;

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::test::TestRequest;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use self::bare::{Ran, Script};
use self::ground::{Ground, OFFICERS, Running};
use self::load::{Measured, Write};

/// How large the register is for the four kinds of request.
const CASES: u64 = 200_000;
const CLIENTS: [usize; 3] = [1, 16, 64];
const ROUNDS: usize = 3;
/// Nothing goes on longer than this.
const LONGEST: Duration = Duration::from_mins(20);

struct Settings {
    quick: bool,
    only: Option<String>,
    cases: u64,
    /// The number, if somebody gave one.
    given: Option<u64>,
    clients: Vec<usize>,
    /// The program to measure: the one just built, or another.
    server: String,
}

impl Settings {
    fn read() -> Option<Self> {
        let server = env!("CARGO_BIN_EXE_temwen").to_owned();
        let mut read =
            Self { quick: false, only: None, cases: CASES, given: None, clients: CLIENTS.to_vec(), server };
        let mut arguments = std::env::args().skip(1);
        let mut bench = false;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => bench = true,
                "--quick" => read.quick = true,
                "--only" => read.only = arguments.next(),
                "--clients" => read.clients = vec![arguments.next()?.parse().ok()?],
                "--server" => read.server = arguments.next()?,
                "--cases" => {
                    read.cases = arguments.next()?.parse().ok()?;
                    read.given = Some(read.cases);
                }
                _ => return None,
            }
        }
        bench.then_some(read)
    }

    fn wants(&self, part: char) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(part))
    }

    fn round(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { 3 })
    }
}

fn main() {
    let Some(settings) = Settings::read() else {
        println!(
            "cargo bench --bench register -- [--quick] [--only snabcdfhlw] [--cases NUMBER] [--clients NUMBER] [--server PROGRAM]"
        );
        return;
    };
    actix_web::rt::System::new().block_on(async {
        tokio::select! {
            () = measure(&settings) => {}
            () = actix_web::rt::time::sleep(LONGEST) => println!("stopped: it took too long"),
            _ = tokio::signal::ctrl_c() => println!("stopped"),
        }
    });
}

async fn measure(settings: &Settings) {
    let begun = Instant::now();
    if settings.only.as_deref() == Some("l") {
        let results = json!({ "log": log::measure(settings).await });
        keep(&results);
        return;
    }
    if settings.only.as_deref() == Some("w") {
        keep(&json!({ "search": search::measure(settings, settings.given).await }));
        return;
    }
    let ground = Ground::lay().await;
    let mut results = json!({ "cases": settings.cases });
    if settings.wants('f') {
        let server = Running::start(&ground, &settings.server).await;
        results["files"] = files::measure(settings, &ground, &server).await;
        if settings.only.as_deref() == Some("f") {
            drop(server);
            ground.clear().await;
            keep(&results);
            return;
        }
    }

    let sizes: &[u64] =
        if settings.quick { &[1_000, 10_000, 100_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    let before: Vec<u64> =
        sizes.iter().copied().filter(|size| *size < settings.cases && settings.wants('n')).collect();
    let mut filled = 0;
    let mut pages = Vec::new();
    let mut fill = async |to: u64| {
        let since = Instant::now();
        ground.fill(filled + 1, to).await;
        filled = to;
        println!("{to} cases are there ({:.1} s more)", since.elapsed().as_secs_f64());
    };
    for size in before {
        fill(size).await;
        let server = Running::start(&ground, &settings.server).await;
        pages.push((size, lists(settings, &server).await));
    }
    fill(settings.cases).await;
    if settings.wants('s') {
        results["start"] = start_up(&ground, &settings.server).await;
    }
    let server = Running::start(&ground, &settings.server).await;
    let idle = server.memory();
    let mut rows = Vec::new();
    for part in ['b', 'c', 'd', 'a'] {
        if settings.wants(part) {
            ground.settle().await;
            let work = Work::prepare(part, settings, &ground, &server).await;
            for clients in &settings.clients {
                rows.push(work.compare(settings, &ground, &server, *clients).await);
            }
        }
    }
    if settings.wants('h') {
        results["hidden"] = hidden::measure(settings, &server).await;
    }
    let busy = server.memory();
    drop(server);
    if settings.wants('n') && !settings.quick {
        fill(1_000_000).await;
        let server = Running::start(&ground, &settings.server).await;
        pages.push((1_000_000, lists(settings, &server).await));
    }

    println!();
    table(&rows);
    if !pages.is_empty() {
        results["pages"] = flatness(&pages);
    }
    if let Some(start) = results["start"]["median_ms"].as_f64() {
        println!(
            "\nready {start:.0} ms after its start (median of 7; slowest {:.0} ms), with a database at hand",
            results["start"]["slowest_ms"].as_f64().unwrap()
        );
    }
    println!(
        "resident: {} MB before the first request, {} MB after all of them, {} MB at most",
        idle.0 / 1024,
        busy.0 / 1024,
        busy.1 / 1024
    );
    results["memory_kb"] = json!({ "idle": idle.0, "after": busy.0, "most": busy.1 });
    results["rows"] = rows.iter().map(Row::json).collect();
    ground.clear().await;
    if settings.wants('l') {
        results["log"] = log::measure(settings).await;
    }
    if settings.wants('w') {
        results["search"] = search::measure(settings, None).await;
    }
    keep(&results);
    println!("all of it took {:.0} s", begun.elapsed().as_secs_f64());
}

/// Keeps the numbers for whoever compares them.
fn keep(results: &Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-register.json");
    std::fs::write(&path, serde_json::to_string_pretty(results).unwrap()).unwrap();
    println!("the numbers are in {}", path.display());
}

/// From the start of the process until `GET /ready` answers 200.
async fn start_up(ground: &Ground, server: &str) -> Value {
    let mut all = Vec::new();
    for _ in 0..7 {
        all.push(Running::start(ground, server).await.took.as_secs_f64() * 1000.0);
    }
    all.sort_by(f64::total_cmp);
    json!({ "median_ms": all[all.len() / 2], "slowest_ms": all[all.len() - 1] })
}

/// One kind of request: how the server is asked, and what pgbench does instead.
struct Work {
    name: &'static str,
    status: u16,
    write: Write,
    script: Script,
    /// What bounds it besides the database: passwords hashed per second.
    bound: Option<f64>,
}

impl Work {
    async fn prepare(part: char, settings: &Settings, ground: &Ground, server: &Running) -> Self {
        let temwen = ground.opened.temwen(1).unwrap_or_else(|failed| panic!("{failed}"));
        let token = server.token("triage_officer").await;
        let signed = |path: &str| {
            TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {token}")))
        };
        let cases = settings.cases;
        let posted = |path: &str, body: String| {
            TestRequest::post()
                .uri(path)
                .insert_header(("content-type", "application/json"))
                .set_payload(body)
        };
        let (name, status, write, request, target): (_, _, Write, _, _) = match part {
            'a' => {
                let write =
                    |_: usize, _: u64, out: &mut Vec<u8>| load::post(out, "/v1/complaints", &complaint());
                ("(a) submit a complaint", 201, Rc::new(write), posted("/v1/complaints", complaint()), None)
            }
            'b' => {
                let path = "/v1/cases?stage=assessment&limit=50";
                let request = signed(path);
                (
                    "(b) list 50 of a queue",
                    200,
                    Rc::new(move |_, _, out: &mut Vec<u8>| load::get(out, path, &token)),
                    request,
                    None,
                )
            }
            'c' => {
                // Nobody is walled from the first; of the others, one in some hundreds is hidden from this officer.
                let any = case_id(1);
                let request = signed(&format!("/v1/cases/{any}"));
                let write = move |client: usize, n: u64, out: &mut Vec<u8>| {
                    let mut number = 1
                        + (n.wrapping_mul(64)
                            .wrapping_add(client as u64)
                            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                            >> 20)
                            % cases;
                    // Every matter that has a wall around it has a neighbour that has none.
                    number += u64::from(number % (cases / 300).max(10) == 7);
                    load::get(out, &format!("/v1/cases/{}", case_id(number)), &token);
                };
                ("(c) read a case, recorded", 200, Rc::new(write), request, Some((any, cases)))
            }
            _ => {
                let write = |client: usize, _: u64, out: &mut Vec<u8>| {
                    load::post(
                        out,
                        "/v1/sessions",
                        &ground::sign_in(&format!("officer-{}", client % OFFICERS)),
                    );
                };
                (
                    "(d) sign in",
                    201,
                    Rc::new(write),
                    posted("/v1/sessions", ground::sign_in("officer-0")),
                    None,
                )
            }
        };
        let script = ground.bare.script(&ground.owner, temwen, request, target).await;
        // pgbench must really do what it is measured by: nearly each transaction of a recorded one leaves an entry.
        if part != 'b' {
            for pipelined in [false, true] {
                let before = ground.number("select count(*) from audit_entries").await;
                ground.bare.try_out(&script, pipelined, 100);
                let left = ground.number("select count(*) from audit_entries").await - before;
                assert!((90..=100).contains(&left), "100 transactions of {name} left {left} entries");
            }
        }
        let bound = if part == 'd' { Some(hashes(ground, settings.round()).await) } else { None };
        Self { name, status, write, script, bound }
    }

    async fn compare(&self, settings: &Settings, ground: &Ground, server: &Running, clients: usize) -> Row {
        // Connections are made, statements prepared, plans found.
        load::run(server.address, clients, Duration::from_millis(700), self.status, &self.write).await;
        let time = settings.round();
        let (mut ours, mut plain, mut piped) = (Vec::new(), Vec::new(), Vec::new());
        let mut taken = Taken::default();
        for _ in 0..if settings.quick { 1 } else { ROUNDS } {
            let (temwen, postgres) = (server.time(), ground.postgres_time());
            let measured = load::run(server.address, clients, time, self.status, &self.write).await;
            taken.temwen += server.time() - temwen;
            taken.postgres += ground.postgres_time() - postgres;
            taken.requests += measured.requests;
            ours.push(measured);
            plain.push(ground.bare.run(&self.script, false, clients, time));
            let postgres = ground.postgres_time();
            let measured = ground.bare.run(&self.script, true, clients, time);
            taken.piped += ground.postgres_time() - postgres;
            taken.transactions += measured.transactions;
            piped.push(measured);
        }
        let row = Row {
            name: self.name,
            clients,
            statements: self.script.statements,
            ours,
            plain,
            piped,
            taken,
            bound: self.bound,
        };
        println!("{}", row.line());
        row
    }
}

/// Passwords verified per second when nothing else is done, as many at once as there are cores.
async fn hashes(ground: &Ground, time: Duration) -> f64 {
    let passwords = &ground.opened.shared.passwords;
    let stored = passwords.hash(SecretString::from("one")).await.unwrap();
    let begun = Instant::now();
    let one = async || {
        let mut done = 0_u32;
        while begun.elapsed() < time {
            passwords.verify(Some(stored.clone()), SecretString::from("one")).await.unwrap();
            done += 1;
        }
        done
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let done: u32 = futures_util::future::join_all((0..cores).map(|_| one())).await.into_iter().sum();
    f64::from(done) / begun.elapsed().as_secs_f64()
}

fn case_id(number: u64) -> Uuid {
    Uuid::parse_str(&format!("01900000-0000-7000-8000-{number:012}")).unwrap()
}

fn complaint() -> String {
    json!({
        "submission_id": Uuid::now_v7(), "channel": "web_form", "language": "ht",
        "narrative": "Yè swa, nan pòt mache a, yon patwouy te pouse yon machann atè epi yo te frape l ak kròs zam nan. Li pa t fè anyen. \
            Mwen te wè sa ak je m, ak de lòt moun ki te la. Apre sa yo ale ak tout machandiz li yo. Li gen mal nan do, li pa ka travay.",
        "incident": { "from": "2026-02-02", "to": null, "precision": "day", "department": "HT-OU", "commune": "Cité Soleil", "place": "Pòt mache a" },
        "anonymity": "confidential",
        "reporter": { "relation": "witness", "name": "Célestine Fictive", "contact": { "phone": "+509 0000 0000", "email": null, "safe_times": null } },
        "victims": [{ "sex": "f", "age_band": "25-59", "name": null, "vulnerabilities": [] }],
        "subjects": [{ "name": null, "service_number": "KE-1042", "country": "KE", "description": "Youn nan yo te gen yon machin blan." }],
        "allegations": [{ "type": "excessive_use_of_force" }]
    })
    .to_string()
}

/// Pages of 50, for each role that lists anything; how long one takes and how long it is.
async fn lists(settings: &Settings, server: &Running) -> Vec<(String, Measured)> {
    let cases = [
        "triage_officer",
        "psea_coordinator",
        "ohchr_monitor",
        "investigator",
        "victim_support",
        "legal_liaison",
        "national_authority",
        "panel_member",
        "commander",
    ];
    let complaints = [
        "triage_officer",
        "psea_coordinator",
        "intake_officer",
        "focal_point",
        "investigator",
        "legal_liaison",
    ];
    let mut asked = vec![("triage_officer", "/v1/cases?stage=assessment&limit=50")];
    asked.extend(cases.map(|role| (role, "/v1/cases?limit=50")));
    asked.extend(complaints.map(|role| (role, "/v1/complaints?limit=50")));
    let mut all = Vec::new();
    let time = Duration::from_millis(if settings.quick { 200 } else { 400 });
    for (role, path) in asked {
        let token = server.token(role).await;
        let write: Write = Rc::new(move |_, _, out: &mut Vec<u8>| load::get(out, path, &token));
        let mut best = Measured { p50_ms: f64::INFINITY, ..Measured::default() };
        for _ in 0..3 {
            let measured = load::run(server.address, 1, time, 200, &write).await;
            if measured.p50_ms < best.p50_ms {
                best = measured;
            }
        }
        all.push((format!("{role} {}", path.trim_start_matches("/v1/")), best));
    }
    all
}

/// How much longer a page takes in the largest register than in the smallest, where the pages are as long.
fn flatness(pages: &[(u64, Vec<(String, Measured)>)]) -> Value {
    println!("\na page of 50, one client, milliseconds (p50); in brackets where the page is not full");
    print!("{:<48}", "cases in the register");
    for (size, _) in pages {
        print!("{size:>11}");
    }
    println!("   slowest / fastest full page");
    let mut all = Vec::new();
    for (index, (name, _)) in pages[0].1.iter().enumerate() {
        let each: Vec<Measured> = pages.iter().map(|(_, lists)| lists[index].1).collect();
        let longest = each.iter().map(|page| page.bytes).max().unwrap();
        let full = |page: &Measured| page.bytes * 10 >= longest * 9;
        print!("{name:<48}");
        for page in &each {
            print!(
                "{:>11}",
                if full(page) { format!("{:.2}", page.p50_ms) } else { format!("({:.2})", page.p50_ms) }
            );
        }
        let times = || each.iter().filter(|page| full(page)).map(|page| page.p50_ms);
        let factor = times().fold(0.0, f64::max) / times().fold(f64::INFINITY, f64::min);
        println!("   {factor:.2}");
        let sizes: Value = pages
            .iter()
            .zip(&each)
            .map(|((size, _), page)| json!({ "cases": size, "p50_ms": page.p50_ms, "full": full(page) }))
            .collect();
        all.push(json!({ "list": name, "sizes": sizes, "factor": factor }));
    }
    all.into()
}

/// One line of the table.
struct Row {
    name: &'static str,
    clients: usize,
    statements: usize,
    ours: Vec<Measured>,
    plain: Vec<Ran>,
    piped: Vec<Ran>,
    taken: Taken,
    bound: Option<f64>,
}

/// Milliseconds of processor time, over all rounds: by the server and by Postgres for our requests, and by Postgres for
/// pgbench's pipelined transactions. Less at the mercy of whatever else the machine does than the clock is.
#[derive(Default)]
struct Taken {
    temwen: u64,
    postgres: u64,
    requests: u64,
    piped: u64,
    transactions: u64,
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
impl Taken {
    fn each(milliseconds: u64, times: u64) -> f64 {
        milliseconds as f64 * 1000.0 / times.max(1) as f64
    }

    fn temwen(&self) -> f64 {
        Self::each(self.temwen, self.requests)
    }

    fn postgres(&self) -> f64 {
        Self::each(self.postgres, self.requests)
    }

    fn piped(&self) -> f64 {
        Self::each(self.piped, self.transactions)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Row {
    fn ratio(&self, bare: &[Ran]) -> f64 {
        median(self.ours.iter().zip(bare).map(|(ours, bare)| ours.per_second / bare.per_second))
    }

    fn line(&self) -> String {
        let per_second = median(self.ours.iter().map(|each| each.per_second));
        let mut line = format!(
            "{:<26}{:>4}{:>10.0}{:>9.2}{:>9.2}{:>11.0}{:>7.2}{:>11.0}{:>7.2}",
            self.name,
            self.clients,
            per_second,
            median(self.ours.iter().map(|each| each.p50_ms)),
            median(self.ours.iter().map(|each| each.p99_ms)),
            median(self.plain.iter().map(|each| each.per_second)),
            self.ratio(&self.plain),
            median(self.piped.iter().map(|each| each.per_second)),
            self.ratio(&self.piped),
        );
        let taken = [self.taken.temwen(), self.taken.postgres(), self.taken.piped()];
        line.extend(taken.map(|each| format!("{each:>8.0}")));
        let of_bound =
            |bound| format!("   {:.2} of the {bound:.0}/s that hashing alone allows", per_second / bound);
        line.extend(self.bound.map(of_bound));
        line
    }

    fn json(&self) -> Value {
        json!({
            "request": self.name, "clients": self.clients, "statements": self.statements,
            "per_second": median(self.ours.iter().map(|each| each.per_second)),
            "p50_ms": median(self.ours.iter().map(|each| each.p50_ms)),
            "p99_ms": median(self.ours.iter().map(|each| each.p99_ms)),
            "pgbench": { "per_second": median(self.plain.iter().map(|each| each.per_second)), "ratio": self.ratio(&self.plain) },
            "pgbench_pipelined": { "per_second": median(self.piped.iter().map(|each| each.per_second)), "ratio": self.ratio(&self.piped) },
            "processor_us": { "temwen": self.taken.temwen(), "postgres": self.taken.postgres(), "postgres_for_pgbench": self.taken.piped() },
            "hashes_per_second": self.bound
        })
    }
}

fn table(rows: &[Row]) {
    println!(
        "{:<26}{:>4}{:>10}{:>9}{:>9}{:>18}{:>18}{:>24}",
        "", "", "temwen", "p50", "p99", "pgbench", "pgbench pipelined", "processor us each"
    );
    println!(
        "{:<26}{:>4}{:>10}{:>9}{:>9}{:>11}{:>7}{:>11}{:>7}{:>8}{:>8}{:>8}",
        "", "", "per s", "ms", "ms", "per s", "ratio", "per s", "ratio", "temwen", "its pg", "pgb. pg"
    );
    for row in rows {
        println!("{}", row.line());
    }
}
