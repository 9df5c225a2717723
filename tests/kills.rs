//! P1: what was acknowledged is stored, however the server or its Postgres end. The real program, killed with `kill -9` in
//! the middle of sixteen clients' submissions.
//!
//! The short version runs always; the long one with `cargo test --test kills -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use temwen::db::embedded::{Options, PrivatePostgres};
use temwen::db::{Connect, Server};

const CLIENTS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until something is so.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The program at work; and its address.
fn serve(data_dir: &Path) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_temwen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TEMWEN_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    let mut child = command
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--work-above", "0", "--data-dir"])
        .arg(data_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap_or_else(|| panic!("it did not listen: {:?}", child.wait())).unwrap();
        if let Some(address) = line.strip_prefix("Temwen listens on http://") {
            break address.to_owned();
        }
    };
    thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (child, address)
}

/// One submission over one connection: the status and the body, or nothing if the connection broke.
fn submit(address: &str, connection: &mut Option<TcpStream>, body: &Value) -> Option<(u16, Value)> {
    if connection.is_none() {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        *connection = Some(stream);
    }
    let stream = connection.as_mut()?;
    let body = body.to_string();
    let head = format!(
        "POST /v1/complaints HTTP/1.1\r\nHost: temwen\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
            })?;
            if rest.len() >= length {
                return Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(rest).ok()?));
            }
        }
        match stream.read(&mut part) {
            Ok(length @ 1..) => answer.extend_from_slice(&part[..length]),
            _ => return None,
        }
    }
}

/// What the clients share.
#[derive(Default)]
struct Flow {
    address: RwLock<String>,
    /// Id and reference of each complaint that was acknowledged.
    acknowledged: Mutex<Vec<(String, String)>>,
    /// Attempts that broke off or were told to come back.
    failed: AtomicUsize,
    enough: AtomicBool,
}

impl Flow {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Hands in one complaint after another; each again and again, until it is acknowledged.
    fn hand_in(&self, client: usize) {
        let mut connection = None;
        for number in 0.. {
            if self.enough.load(Ordering::Relaxed) {
                return;
            }
            let body = json!({
                "submission_id": uuid::Uuid::now_v7(), "channel": "web_form", "language": "ht",
                "narrative": format!("Client {client}, complaint {number}."),
            });
            let since = Instant::now();
            loop {
                let address = self.address.read().unwrap().clone();
                match submit(&address, &mut connection, &body) {
                    Some((200 | 201, receipt)) => {
                        let text = |field: &str| receipt[field].as_str().unwrap().to_owned();
                        self.acknowledged.lock().unwrap().push((text("id"), text("reference")));
                        break;
                    }
                    Some((503, _)) => {}
                    Some((status, problem)) => panic!("{status} {problem}"),
                    None => connection = None,
                }
                self.failed.fetch_add(1, Ordering::Relaxed);
                assert!(since.elapsed() < PATIENCE, "it does not come back");
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// The first process number in a file.
fn pid_in(path: &Path) -> Option<Pid> {
    fs::read_to_string(path).ok()?.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

fn postmaster_file(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres").join("postmaster.pid")
}

/// What the database holds: the id and reference of every complaint that is there with its words and its entry.
fn stored(data_dir: &Path) -> Vec<(String, String)> {
    let postgres = PrivatePostgres::start(Options::new(data_dir)).unwrap();
    let server = Server::Private(postgres.socket_dir().to_owned());
    let connect = Connect { server, database: "temwen".to_owned(), as_owner: true };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(async {
        let (client, connection) = connect.config().unwrap().connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let query =
            "select c.id::text, c.reference from complaints c join submissions s on s.complaint_id = c.id
            join audit_entries e on e.object_id = c.id and e.action = 'complaint.received'";
        client.query(query, &[]).await.unwrap()
    });
    postgres.stop().unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Victim {
    Server,
    Postgres,
}

/// Ends what a failed test leaves running: its server and its Postgres.
struct CleanUp<'a> {
    data_dir: &'a Path,
    server: AtomicI32,
}

impl CleanUp<'_> {
    fn started(&self, child: &Child) {
        self.server.store(child.id().try_into().unwrap(), Ordering::Relaxed);
    }
}

impl Drop for CleanUp<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = kill(Pid::from_raw(self.server.load(Ordering::Relaxed)), Signal::SIGKILL);
            if let Some(postgres) = pid_in(&postmaster_file(self.data_dir)) {
                let _ = kill(postgres, Signal::SIGQUIT);
            }
        }
    }
}

/// Kills `victim` so many times under load; then compares what was acknowledged with what is there.
fn survive(victim: Victim, rounds: usize) {
    let place = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap();
    let data_dir = place.path().join("data");
    let (mut child, address) = serve(&data_dir);
    let clean_up = CleanUp { data_dir: &data_dir, server: AtomicI32::new(0) };
    clean_up.started(&child);
    let flow = Flow { address: RwLock::new(address), ..Flow::default() };
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let flow = &flow;
            scope.spawn(move || flow.hand_in(client));
        }
        for round in 0..rounds {
            let before = flow.count();
            // Not always at the same point of whatever goes on inside.
            until("nothing is acknowledged", || flow.count() > before + 40 + round * 7);
            match victim {
                Victim::Server => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    let (next, address) = serve(&data_dir);
                    child = next;
                    clean_up.started(&child);
                    *flow.address.write().unwrap() = address;
                }
                Victim::Postgres => {
                    let pid = pid_in(&postmaster_file(&data_dir)).unwrap();
                    kill(pid, Signal::SIGKILL).unwrap();
                    until("Postgres does not come back", || {
                        pid_in(&postmaster_file(&data_dir)).is_some_and(|next| next != pid)
                    });
                }
            }
        }
        let before = flow.count();
        until("nothing is acknowledged afterwards", || flow.count() > before + 100);
        flow.enough.store(true, Ordering::Relaxed);
    });
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());

    let acknowledged = flow.acknowledged.into_inner().unwrap();
    let found = stored(&data_dir);
    let there: HashSet<&(String, String)> = found.iter().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|one| !there.contains(one)).collect();
    let failed = flow.failed.into_inner();
    println!(
        "{victim:?} killed {rounds} times: {} acknowledged, {} stored, {} lost; {failed} attempts were repeated",
        acknowledged.len(),
        found.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    assert_eq!(
        found.len(),
        acknowledged.len(),
        "each was repeated until it was acknowledged, and stored once"
    );
    assert!(failed > 0, "nobody was disturbed: was it killed at all?");
    // The log came through too: every entry in its place, every row as the log says, every head signed once.
    let looked = Command::new(env!("CARGO_BIN_EXE_temwen"))
        .args(["verify-log", "--data-dir"])
        .arg(&data_dir)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&looked.stdout).into_owned() + &String::from_utf8_lossy(&looked.stderr);
    assert!(looked.status.success(), "{said}");
    println!("{}", said.trim());
}

#[test]
fn p1_what_was_acknowledged_is_there_after_the_server_was_killed() {
    survive(Victim::Server, 2);
}

#[test]
fn p1_what_was_acknowledged_is_there_after_postgres_was_killed() {
    survive(Victim::Postgres, 2);
}

#[test]
#[ignore = "takes a minute; run with --ignored --nocapture"]
fn p1_ten_times_the_server() {
    survive(Victim::Server, 10);
}

#[test]
#[ignore = "takes a minute; run with --ignored --nocapture"]
fn p1_ten_times_postgres() {
    survive(Victim::Postgres, 10);
}
