//! The program itself: started, asked, stopped and killed as its users and their machines do it.
//!
//! Belongs here: what only a process can show, such as exit codes, signals and what is printed. What it answers over HTTP
//! is tested in `tests/api`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands")]

#[path = "smoke/vault.rs"]
mod vault;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::SecretString;
use serde_json::{Value, json};
use temwen::auth::credentials::Keys;
use temwen::db::embedded::{Options, PrivatePostgres};
use temwen::db::{Connect, Server as Given};
use temwen::tlog::{self, CosignerKey, SigningKey, VerifierKey};

const PATIENCE: Duration = Duration::from_mins(1);
const GOOD_PASSWORD: &str = "wooden kite over quiet harbour 42";

/// A directory that Postgres's user can pass through, also where root runs the tests.
fn directory() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("temwen-smoke")
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .unwrap()
}

fn temwen(arguments: &[&str], data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_temwen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TEMWEN_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !arguments.iter().any(|argument| matches!(*argument, "openapi" | "--help")) {
        command.env("TEMWEN_DATA_DIR", data_dir);
    }
    command
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Runs a command to its end, with `input`.
fn run(command: &mut Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // One that ends before it reads is none the worse for it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn add_user(data_dir: &Path, more: &[&str], password: &str) -> Ended {
    let arguments: Vec<&str> =
        ["add-user", "--password-stdin"].into_iter().chain(more.iter().copied()).collect();
    run(&mut temwen(&arguments, data_dir), password)
}

/// A server at work, stopped when dropped.
struct Server {
    child: Child,
    address: String,
    metrics: Option<String>,
    /// What it printed before it listened.
    before: String,
    after: Receiver<String>,
    log: thread::JoinHandle<String>,
}

fn serve(data_dir: &Path, more: &[&str]) -> Server {
    let arguments: Vec<&str> =
        ["serve", "--listen", "127.0.0.1:0"].into_iter().chain(more.iter().copied()).collect();
    serve_with(temwen(&arguments, data_dir))
}

fn serve_with(mut command: Command) -> Server {
    let mut child = command.spawn().unwrap();
    let mut err = child.stderr.take().unwrap();
    let log = thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).unwrap();
        text
    });
    let (send, after) = channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    let mut before = String::new();
    loop {
        let Ok(line) = after.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("it did not listen: {} {:?}", log.join().unwrap(), child.wait());
        };
        match line.strip_prefix("Temwen listens on http://") {
            Some(address) => {
                let address = address.to_owned();
                let metrics = command.get_args().any(|argument| argument == "--metrics-listen").then(|| {
                    let line = after.recv_timeout(PATIENCE).unwrap();
                    line.strip_prefix("Metrics are at http://")
                        .unwrap()
                        .trim_end_matches("/metrics")
                        .to_owned()
                });
                return Server { child, address, metrics, before, after, log };
            }
            None => before += &(line + "\n"),
        }
    }
}

impl Server {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    fn ends(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Told to stop: its exit code and its log.
    fn stop(mut self, signal: Signal) -> (i32, String) {
        kill(self.pid(), signal).unwrap();
        let code = self.ends().code().unwrap();
        let log = std::mem::replace(&mut self.log, thread::spawn(String::new));
        (code, log.join().unwrap())
    }

    fn kill(mut self) {
        kill(self.pid(), Signal::SIGKILL).unwrap();
        self.ends();
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = ask(&self.address, method, path, body).unwrap();
        (status, serde_json::from_str(&text).unwrap())
    }

    fn get(&self, path: &str) -> u16 {
        self.ask("GET", path, &Value::Null).0
    }

    fn sign_in(&self, email: &str, password: &str) -> u16 {
        self.ask("POST", "/v1/sessions", &json!({ "email": email, "password": password })).0
    }

    fn submit(&self, narrative: &str) -> Value {
        let (status, receipt) =
            self.ask("POST", "/v1/complaints", &json!({ "channel": "web_form", "narrative": narrative }));
        assert_eq!(status, 201, "{receipt}");
        receipt
    }

    /// The reporter's receipt, as JSON.
    fn receipt_of(&self, receipt: &Value) -> String {
        let body = json!({ "reference": receipt["reference"], "access_code": receipt["access_code"] });
        let (status, opened) = self.ask("POST", "/v1/reporter/sessions", &body);
        assert_eq!(status, 201, "{opened}");
        let token = opened.get("access_token").and_then(Value::as_str).unwrap();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = &self.address;
        write!(
            stream,
            "GET /v1/reporter/receipt HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        body.to_owned()
    }

    fn opens_thread_of(&self, receipt: &Value) -> u16 {
        let body = json!({ "reference": receipt["reference"], "access_code": receipt["access_code"] });
        self.ask("POST", "/v1/reporter/sessions", &body).0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(self.pid(), Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

/// One request on a connection of its own.
fn ask(address: &str, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    assert!(!head.to_lowercase().contains("transfer-encoding"), "this client knows no chunks");
    Ok((status, body.to_owned()))
}

fn postmaster(data_dir: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok().map(Pid::from_raw)
}

/// A key and a certificate for 127.0.0.1 that it signed itself, made by somebody else's program.
fn certificate(place: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (key, certificate) = (place.join(format!("{name}.key")), place.join(format!("{name}.pem")));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=register.example", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    (certificate, key)
}

#[test]
fn it_speaks_tls_with_a_certificate_of_its_own() {
    let place = directory();
    let data_dir = place.path().join("data");
    let (certificate, key) = certificate(place.path(), "one");
    let mut child = temwen(&["serve", "--listen", "127.0.0.1:0", "--tls-cert"], &data_dir)
        .arg(&certificate)
        .arg("--tls-key")
        .arg(&key)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(address) = line.strip_prefix("Temwen listens on https://") {
            break address.to_owned();
        }
    };
    // A client of another make, which trusts this certificate and no other.
    let client = |more: &[&str], request: &str| {
        let mut command = Command::new("openssl");
        command.args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-verify_ip",
            "127.0.0.1",
            "-connect",
            &address,
            "-CAfile",
        ]);
        run(command.arg(&certificate).args(more).stdout(Stdio::piped()).stderr(Stdio::piped()), request)
    };
    let body =
        json!({"channel": "web_form", "narrative": "Told through a wire that nobody reads."}).to_string();
    let submit = format!(
        "POST /v1/complaints HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for version in ["-tls1_3", "-tls1_2"] {
        let answer = client(&["-ign_eof", version], &submit);
        assert!(answer.out.starts_with("HTTP/1.1 201"), "{version} {} {}", answer.out, answer.err);
        let head = answer.out.to_lowercase();
        assert!(head.contains("strict-transport-security: max-age=31536000\r\n"), "{}", answer.out);
    }
    let old = client(&["-ign_eof", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &submit);
    assert!(!old.out.contains("HTTP/1.1"), "{}", old.out);
    // Whoever speaks without TLS is not answered as if all were well.
    let plain = ask(&address, "GET", "/health", &Value::Null).unwrap_or((0, String::new()));
    assert_eq!(plain.0, 0, "{plain:?}");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_certificate_or_a_key_that_will_not_do_is_told_at_once() {
    let place = directory();
    let (certificate_one, key) = certificate(place.path(), "one");
    let (_, other) = certificate(place.path(), "other");
    let open = place.path().join("open.key");
    fs::copy(&key, &open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o640)).unwrap();
    let missing = place.path().join("missing");
    let nonsense = place.path().join("nonsense");
    fs::write(&nonsense, "-----BEGIN CERTIFICATE-----\nnonsense\n").unwrap();
    fs::set_permissions(&nonsense, Permissions::from_mode(0o600)).unwrap();
    for (certificate, key, why) in [
        (&certificate_one, &other, "is not the key of the TLS certificate"),
        (&certificate_one, &open, "is open to others than its owner"),
        (&certificate_one, &missing, "cannot read the TLS key"),
        (&certificate_one, &certificate_one.clone(), "is open to others than its owner"),
        (&certificate_one, &nonsense, "holds no private key in PEM"),
        (&missing, &key, "cannot read the TLS certificate"),
        (&key, &key, "holds no certificate in PEM"),
        (&nonsense, &key, "the TLS certificate"),
    ] {
        let mut command =
            temwen(&["serve", "--listen", "127.0.0.1:0", "--tls-cert"], &place.path().join("data"));
        let refused = run(command.arg(certificate).arg("--tls-key").arg(key), "");
        assert_eq!(refused.code, 1, "{}", refused.err);
        assert!(refused.err.contains(why), "{why}: {}", refused.err);
        assert!(!refused.err.contains("PRIVATE KEY"), "{}", refused.err);
    }
    let mut command = temwen(&["serve", "--tls-cert"], place.path());
    let alone = run(command.arg(&certificate_one), "");
    assert_eq!(alone.code, 2);
    assert!(alone.err.contains("--tls-key"), "{}", alone.err);
    assert!(!place.path().join("data").exists(), "nothing was begun");
}

fn is_gone(pid: Pid) -> bool {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(5) {
        // Dead, or dead and not yet buried by whoever inherited it.
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn it_starts_answers_stops_and_finds_everything_as_it_was() {
    let place = directory();
    let data_dir = place.path().join("data");
    let server = serve(&data_dir, &["--metrics-listen", "127.0.0.1:0"]);
    assert_eq!((server.get("/health"), server.get("/ready")), (200, 200));
    let receipt = server.submit("A story that must be there tomorrow.");
    let metrics = ask(server.metrics.as_ref().unwrap(), "GET", "/metrics", &Value::Null).unwrap();
    assert!(metrics.1.contains("temwen_requests_total{"), "{}", metrics.1);
    for key in fs::read_dir(data_dir.join("keys")).unwrap() {
        assert_eq!(key.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let postgres = postmaster(&data_dir).unwrap();
    let (code, log) = server.stop(Signal::SIGTERM);
    assert_eq!(code, 0, "{log}");
    assert!(is_gone(postgres));
    assert!(!log.contains("story") && !log.contains("127.0.0.1:0"), "{log}");
    assert!(!log.contains(receipt["reference"].as_str().unwrap()), "{log}");

    let server = serve(&data_dir, &[]);
    assert_eq!(server.opens_thread_of(&receipt), 201);
    let (code, log) = server.stop(Signal::SIGINT);
    assert_eq!(code, 0);
    assert!(!log.contains("a policy took effect"), "it was in force before: {log}");
}

#[test]
fn p8_the_log_goes_on_from_start_to_start_and_a_new_key_signs_beside_the_old() {
    let place = directory();
    let data_dir = place.path().join("data");
    let with = |more: &[&str]| {
        serve_with({
            let mut command = temwen(&["serve", "--listen", "127.0.0.1:0"], &data_dir);
            command.args(more);
            command
        })
    };
    let get = |server: &Server, path: &str| ask(&server.address, "GET", path, &Value::Null).unwrap().1;
    let server = with(&["--log-origin", "register.example/v1/log"]);
    server.submit("A story that must be in the log.");
    let (code, log) = server.stop(Signal::SIGTERM);
    assert_eq!(code, 0, "{log}");
    // What was signed last is kept beside the keys, and holds the end of the server too.
    let kept = || fs::read_to_string(data_dir.join("keys/log.checkpoint")).unwrap();
    let first = tlog::read(&kept()).unwrap();
    assert_eq!(first.origin, "register.example/v1/log");

    // The log keeps its name.
    let refused = run(&mut temwen(&["serve", "--log-origin", "another.example/log"], &data_dir), "");
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("register.example/v1/log"), "{}", refused.err);

    let added = run(&mut temwen(&["rotate-key", "log"], &data_dir), "");
    assert_eq!(added.code, 0, "{}", added.err);
    let added = VerifierKey::parse(&added.out).unwrap();
    assert_eq!(run(&mut temwen(&["rotate-key", "token"], &data_dir), "").code, 0);
    let server = with(&[]);
    let keys = get(&server, "/v1/log/key");
    let keys: Vec<VerifierKey> = keys.lines().map(|line| VerifierKey::parse(line).unwrap()).collect();
    assert_eq!((keys.len(), &keys[0]), (2, &added));
    let since = Instant::now();
    let now = loop {
        let text = get(&server, "/v1/log/checkpoint");
        let now = tlog::read(&text).unwrap();
        if now.head.size > first.head.size {
            break now;
        }
        assert!(since.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(50));
    };
    for key in &keys {
        tlog::open(&now.text, std::slice::from_ref(key)).unwrap();
    }
    let (code, log) = server.stop(Signal::SIGTERM);
    assert_eq!(code, 0, "{log}");
    let actions = entries(&data_dir);
    let count = |action: &str| actions.iter().filter(|each| *each == action).count();
    let told =
        ["server.started", "server.stopped", "keys.rotated", "configuration.changed", "policy.took_effect"]
            .map(count);
    assert_eq!(told, [2, 2, 1, 0, 1], "{actions:?}");
    assert_eq!(tlog::read(&kept()).unwrap().head.size, actions.len() as u64);

    // The old key is taken away: what it alone signed is still known, and so is what was signed last.
    fs::write(data_dir.join("keys/log.checkpoint"), &first.text).unwrap();
    fs::remove_file(data_dir.join("keys/log-0001.key")).unwrap();
    let server = with(&[]);
    assert_eq!(VerifierKey::parse(&get(&server, "/v1/log/key")).unwrap(), added);
    let (code, log) = server.stop(Signal::SIGTERM);
    assert_eq!(code, 0, "{log}");
    let looked = run(&mut temwen(&["verify-log"], &data_dir), "");
    assert_eq!(looked.code, 0, "{}{}", looked.out, looked.err);
    // Without what it is checked with, it is not checked; without intake.key, only who says so is content.
    fs::rename(data_dir.join("keys/log-0001.pub"), data_dir.join("away")).unwrap();
    let looked = run(&mut temwen(&["verify-log"], &data_dir), "");
    assert_eq!(looked.code, 2, "{}{}", looked.out, looked.err);
    assert!(looked.out.contains("Not checked: the signatures of "), "{}", looked.out);
    fs::rename(data_dir.join("away"), data_dir.join("keys/log-0001.pub")).unwrap();
    fs::rename(data_dir.join("keys/intake.key"), data_dir.join("away")).unwrap();
    assert_eq!(run(&mut temwen(&["verify-log"], &data_dir), "").code, 2);
    assert_eq!(run(&mut temwen(&["verify-log", "--without-seals"], &data_dir), "").code, 0);
    fs::rename(data_dir.join("away"), data_dir.join("keys/intake.key")).unwrap();

    // A log whose last checkpoint was put in by somebody else is not gone on with.
    fs::write(data_dir.join("keys/log.checkpoint"), "register.example/v1/log\n7\n").unwrap();
    let refused = run(&mut temwen(&["serve", "--listen", "127.0.0.1:0"], &data_dir), "");
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("log.checkpoint"), "{}", refused.err);
}

#[test]
fn p8_programs_that_are_not_ours_verify_a_running_server() {
    let place = directory();
    let data_dir = place.path().join("data");
    let at = |name: &str| place.path().join(name).display().to_string();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent");
    let sources = ["verify.go", "tiles.go", "receipt.go"].map(|name| format!("{folder}/{name}"));
    let mut build = Command::new("go");
    build.args(["build", "-o", &at("verify")]).args(sources);
    build.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env("GOCACHE", at("cache"));
    // Go and golang.org/x/mod, as Debian has them: golang-go, golang-golang-x-mod-dev.
    if !build.output().is_ok_and(|built| built.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "Go, or its packages, are missing");
        return;
    }
    let server = serve(&data_dir, &["--work-above", "0"]);
    let words = "Mwen te wè yo frape l.\nDe fwa.";
    let receipt = server.submit(words);
    let log = format!("http://{}/v1/log", server.address);
    let key = ask(&server.address, "GET", "/v1/log/key", &Value::Null).unwrap().1;
    let verify = |more: &[&str]| {
        let ran =
            Command::new(at("verify")).args(["-log", &log, "-key", key.trim()]).args(more).output().unwrap();
        (
            ran.status.code(),
            String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr),
        )
    };
    let fetched = server.receipt_of(&receipt);
    fs::write(at("receipt"), &fetched).unwrap();
    fs::write(at("words"), words).unwrap();
    fs::write(at("others"), "Mwen pa te wè anyen.").unwrap();
    assert_eq!(verify(&["-save", &at("old")]).0, Some(0));
    // The log grows past a tile.
    for n in 0..300 {
        server.submit(&format!("Complaint {n}."));
    }
    let since = Instant::now();
    let all = loop {
        let all = verify(&["-old", &at("old"), "-receipt", &at("receipt"), "-words", &at("words")]);
        let now =
            tlog::read(&ask(&server.address, "GET", "/v1/log/checkpoint", &Value::Null).unwrap().1).unwrap();
        if now.head.size > 300 || since.elapsed() > PATIENCE {
            break all;
        }
        thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(all.0, Some(0), "{}", all.1);
    let others = verify(&["-receipt", &at("receipt"), "-words", &at("others")]);
    assert_eq!(others.0, Some(1), "{}", others.1);
    fs::write(at("receipt"), fetched.replace("complaint.received", "complaint.recalled")).unwrap();
    let changed = verify(&["-receipt", &at("receipt")]);
    assert_ne!(changed.0, Some(0), "{}", changed.1);
    let (code, log) = server.stop(Signal::SIGTERM);
    assert_eq!(code, 0, "{log}");
}

/// The actions on record, in the order of their places in the log.
fn entries(data_dir: &Path) -> Vec<String> {
    let postgres = PrivatePostgres::start(Options::new(data_dir)).unwrap();
    let server = Given::Private(postgres.socket_dir().to_owned());
    let connect = Connect { server, database: "temwen".to_owned(), as_owner: true };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(async {
        let (client, connection) = connect.config().unwrap().connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let query =
            "select action from audit_entries e join log_places p on p.entry_id = e.id order by p.place";
        client.query(query, &[]).await.unwrap()
    });
    postgres.stop().unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_second_server_on_one_data_directory_says_so_and_ends() {
    let place = directory();
    let server = serve(place.path(), &[]);
    let second = run(&mut temwen(&["serve", "--listen", "127.0.0.1:0"], place.path()), "");
    assert_eq!(second.code, 1);
    assert!(second.err.contains("another Temwen server"), "{}", second.err);
    assert!(second.err.contains(&server.child.id().to_string()), "{}", second.err);
    assert_eq!(server.get("/ready"), 200);
}

#[test]
fn p1_after_a_kill_of_the_server_the_next_one_has_what_was_acknowledged() {
    let place = directory();
    let server = serve(place.path(), &[]);
    let receipt = server.submit("Acknowledged, and then the power went.");
    server.kill();
    let server = serve(place.path(), &[]);
    assert_eq!(server.opens_thread_of(&receipt), 201);
}

#[test]
fn p1_a_killed_postgres_comes_back_by_itself() {
    let place = directory();
    let server = serve(place.path(), &[]);
    let receipt = server.submit("Acknowledged, and then the database died.");
    kill(postmaster(place.path()).unwrap(), Signal::SIGKILL).unwrap();
    let since = Instant::now();
    while server.get("/ready") != 200 {
        assert!(since.elapsed() < Duration::from_secs(20), "it does not recover");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.opens_thread_of(&receipt), 201);
    assert_eq!(server.stop(Signal::SIGTERM).0, 0);
}

#[test]
fn who_asks_twice_to_stop_does_not_wait() {
    let place = directory();
    let mut server = serve(place.path(), &[]);
    // A request whose body never comes keeps the server waiting for it.
    let mut slow = TcpStream::connect(&server.address).unwrap();
    write!(slow, "POST /v1/complaints HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    let since = Instant::now();
    kill(server.pid(), Signal::SIGTERM).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert!(server.child.try_wait().unwrap().is_none(), "it did not wait for the request");
    kill(server.pid(), Signal::SIGTERM).unwrap();
    assert_ne!(server.ends().code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(5));
    // It left Postgres behind, which the next command takes over and stops.
    assert_eq!(run(&mut temwen(&["migrate"], place.path()), "").code, 0);
    assert!(postmaster(place.path()).is_none());
}

#[test]
fn an_account_is_made_while_the_server_runs_and_while_it_does_not() {
    let place = directory();
    let officer = [
        "--email",
        "odette@mission.example",
        "--name",
        "Odette Pierre",
        "--role",
        "intake_officer",
        "--role",
        "triage_officer",
    ];
    let made = add_user(place.path(), &officer, &format!("{GOOD_PASSWORD}\n"));
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    assert_eq!(made.out, "Added odette@mission.example (intake_officer, triage_officer).\n");
    assert!(postmaster(place.path()).is_none(), "it stops what it started");

    let server = serve(place.path(), &[]);
    let authority = [
        "--email",
        "ke@mission.example",
        "--name",
        "IPOA",
        "--role",
        "national_authority",
        "--country",
        "ke",
    ];
    assert_eq!(add_user(place.path(), &authority, GOOD_PASSWORD).code, 0);
    assert_eq!(server.sign_in("odette@mission.example", GOOD_PASSWORD), 201);
    assert_eq!(server.sign_in("ke@mission.example", GOOD_PASSWORD), 201);

    for (more, password, said) in [
        (&officer[..], GOOD_PASSWORD, "there is an account with this address already"),
        (
            &["--email", "odette", "--name", " ", "--role", "panel_member"],
            "odette",
            "--email must be an e-mail address; --name must",
        ),
        (
            &["--email", "odette", "--name", " ", "--role", "panel_member"],
            "odette",
            "--seat must be given for a panel member",
        ),
        (
            &["--email", "odette", "--name", " ", "--role", "panel_member"],
            "odette",
            "the password must be at least 12 characters",
        ),
        (
            &["--email", "a@b", "--name", "A", "--role", "national_authority", "--country", "FR"],
            GOOD_PASSWORD,
            "--country is not",
        ),
        (
            &["--email", "a@b", "--name", "A", "--role", "auditor"],
            "",
            "no password came through standard input",
        ),
    ] {
        let refused = add_user(place.path(), more, password);
        assert_eq!(refused.code, 1);
        assert!(refused.err.starts_with("temwen: ") && refused.err.contains(said), "{}", refused.err);
        assert!(refused.err.lines().count() == 1 && !refused.err.contains("Error"), "{}", refused.err);
    }
    assert_eq!(
        add_user(place.path(), &["--email", "a@b", "--name", "A", "--role", "king"], GOOD_PASSWORD).code,
        2
    );
}

#[test]
fn a_taken_address_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = directory();
    let refused = run(&mut temwen(&["serve", "--listen", &address], place.path()), "");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains(&format!("cannot listen on {address}: stop what does")), "{}", refused.err);
    assert!(postmaster(place.path()).is_none());
}

#[test]
fn the_demonstration_shows_its_passwords_once() {
    let place = directory();
    let server = serve(place.path(), &["--demo"]);
    let shown: Vec<(String, String)> = server
        .before
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter(|(email, _)| email.ends_with("@demo.example"))
        .map(|(email, password)| (email.to_owned(), password.trim().to_owned()))
        .collect();
    assert_eq!(shown.len(), 17, "{}", server.before);
    let (email, password) = shown.iter().find(|(email, _)| email == "triage_officer@demo.example").unwrap();
    assert_eq!(server.sign_in(email, password), 201);
    let mut tour = String::new();
    while !tour.contains("# 5.") {
        tour += &server.after.recv_timeout(PATIENCE).unwrap();
    }
    assert!(tour.contains(&format!("PASSWORD='{password}'")) && tour.contains(&server.address), "{tour}");
    let (code, log) = server.stop(Signal::SIGTERM);
    assert_eq!(code, 0);
    assert!(
        !log.contains("demo.example") && !log.contains("patwouy") && !log.contains(password.as_str()),
        "{log}"
    );

    let server = serve(place.path(), &["--demo"]);
    assert!(server.before.contains("is there already"), "{}", server.before);
    assert!(shown.iter().all(|(_, password)| !server.before.contains(password.as_str())));
    assert_eq!(server.sign_in(email, password), 201);
}

#[test]
fn a_register_in_use_becomes_no_demonstration() {
    let place = directory();
    let officer = ["--email", "a@mission.example", "--name", "A", "--role", "auditor"];
    assert_eq!(add_user(place.path(), &officer, GOOD_PASSWORD).code, 0);
    let refused = run(&mut temwen(&["serve", "--listen", "127.0.0.1:0", "--demo"], place.path()), "");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("this register has accounts and is no demonstration"), "{}", refused.err);
    assert!(postmaster(place.path()).is_none());
}

#[test]
fn every_command_explains_itself() {
    let database = ["--data-dir", "--database-url", "--postgres-bin-dir", "--key-dir", "--policy"];
    let serve = [
        "--listen",
        "--demo",
        "--workers",
        "--database-connections",
        "--trusted-proxies",
        "--metrics-listen",
        "--log",
        "--log-format",
    ];
    let add_user = ["--email", "--name", "--role", "--country", "--seat", "--password-stdin"];
    for (command, flags) in [
        ("serve", [&database[..], &serve].concat()),
        ("migrate", database.to_vec()),
        ("add-user", [&database[..], &add_user].concat()),
        ("openapi", Vec::new()),
    ] {
        let help = run(&mut temwen(&[command, "--help"], Path::new("")), "");
        assert_eq!(help.code, 0);
        assert!(
            help.out.contains("Example") && help.out.contains(&format!("temwen {command}")),
            "{}",
            help.out
        );
        for flag in flags {
            assert!(help.out.contains(flag), "{command} does not explain {flag}: {}", help.out);
        }
    }
    assert_eq!(run(&mut temwen(&["serve", "--colour"], Path::new("")), "").code, 2);
    assert!(run(&mut temwen(&["openapi"], Path::new("")), "").out.starts_with("openapi: 3.1"));
}

#[test]
fn every_flaw_of_a_policy_is_named_before_anything_is_made() {
    let place = directory();
    let data_dir = place.path().join("data");
    let file = place.path().join("policy.toml");
    let policy = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policy/haiti-coa.toml")).unwrap();
    let flawed = policy
        .replace("timezone = \"America/Port-au-Prince\"", "timezone = \"Atlantis\"")
        .replace("rank = 3 }", "rank = \"three\" }");
    fs::write(&file, flawed).unwrap();
    let flag = file.to_str().unwrap();
    let refused = run(&mut temwen(&["serve", "--listen", "127.0.0.1:0", "--policy", flag], &data_dir), "");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("flaws:") && refused.err.contains("\n  timezone: "), "{}", refused.err);
    assert!(refused.err.contains("\n  priorities[2]"), "{}", refused.err);
    assert!(!data_dir.join("postgres").exists());

    let refused =
        run(&mut temwen(&["serve", "--listen", "127.0.0.1:0", "--policy", "/nowhere.toml"], &data_dir), "");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("/nowhere.toml") && refused.err.contains("No such file"), "{}", refused.err);
}

#[test]
fn a_given_database_is_migrated_by_its_owner_and_served_by_nobody_special() {
    let place = directory();
    let postgres = PrivatePostgres::start(Options {
        settings: vec![("fsync".to_owned(), "off".to_owned())],
        ..Options::new(place.path().join("given"))
    });
    let postgres = postgres.unwrap();
    let socket = postgres.socket_dir().to_str().unwrap().replace('/', "%2F");
    let url = |user: &str| format!("postgres://{user}@{socket}/postgres");
    let sql = |statement: &str| {
        let server = Given::Given(SecretString::from(url("postgres")));
        let config = Connect { server, database: String::new(), as_owner: true }.config().unwrap();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(statement).await.unwrap();
        });
    };
    let command = |arguments: &[&str], user: &str| {
        let mut command = temwen(arguments, &place.path().join("data"));
        command.env("DATABASE_URL", url(user));
        command
    };
    let refused = |user: &str, said: &str| {
        let ended = run(&mut command(&["serve", "--listen", "127.0.0.1:0"], user), "");
        assert_eq!(ended.code, 1, "{}", ended.out);
        assert!(ended.err.contains(said), "{}", ended.err);
    };

    refused("postgres", "it was never migrated: run `temwen migrate` first");
    refused("nobody_known", "cannot be used");
    assert!(run(&mut command(&["migrate"], "postgres"), "").out.starts_with("Ran "));
    assert_eq!(
        run(&mut command(&["migrate"], "postgres"), "").out,
        "The database is up to date: nothing is pending.\n"
    );

    sql("create role app login");
    refused("app", "may not act as temwen_server");
    sql("grant temwen_server to app");
    let server = serve_with(command(&["serve", "--listen", "127.0.0.1:0"], "app"));
    assert_eq!(server.get("/ready"), 200);
    // Any number of servers share a given database.
    let second = serve_with(command(&["serve", "--listen", "127.0.0.1:0"], "app"));
    let receipt = server.submit("Told to one server, read at another.");
    assert_eq!(second.opens_thread_of(&receipt), 201);
    assert_eq!(server.stop(Signal::SIGTERM).0, 0);
    assert_eq!(second.stop(Signal::SIGTERM).0, 0);

    for (grant, revoke, said) in [
        ("alter role temwen_server superuser", "alter role temwen_server nosuperuser", "is a superuser"),
        (
            "alter role temwen_server bypassrls",
            "alter role temwen_server nobypassrls",
            "may bypass row security",
        ),
        (
            "alter table notes owner to temwen_server",
            "alter table notes owner to postgres",
            "owns tables of the register",
        ),
        (
            "insert into __diesel_schema_migrations (version) values ('99990101000000')",
            "delete from __diesel_schema_migrations where version = '99990101000000'",
            "the database is newer than this temwen",
        ),
        (
            "create table kept as select * from __diesel_schema_migrations; delete from __diesel_schema_migrations",
            "insert into __diesel_schema_migrations select * from kept; drop table kept",
            "the database is older than this temwen",
        ),
    ] {
        sql(grant);
        refused("app", said);
        sql(revoke);
    }
    let mut broken = temwen(&["serve"], &PathBuf::from(place.path()));
    let broken = run(broken.env("DATABASE_URL", "postgres://user:hunter2@[oops"), "");
    assert!(broken.code == 1 && broken.err.contains("is not the URL of a PostgreSQL"), "{}", broken.err);
    assert!(!broken.err.contains("hunter2"));
    postgres.stop().unwrap();
}

#[test]
fn witnesses_are_named_in_a_file_and_none_of_them_is_waited_for() {
    let place = directory();
    let file = |name: &str| place.path().join(name);
    let text = |name: &str| file(name).to_str().unwrap().to_owned();
    let witness_key = CosignerKey::generate("silent.example").unwrap().verifier();
    // Every flaw is named, before anything is made.
    fs::write(file("policy"), format!("witness a {witness_key} http://a b\nqourum a\n")).unwrap();
    let refused = |policy: &str| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--witnesses", policy];
        let ended = run(&mut temwen(&arguments, &file("data")), "");
        assert_eq!(ended.code, 1);
        ended.err
    };
    let said = refused(&text("policy"));
    for part in [
        "has 3 flaws",
        "line 1: it should be: witness",
        "line 2: it begins with none",
        "line 3: the policy ends",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(refused(&text("nowhere")).contains("cannot read the policy of witnesses"));
    assert!(!file("data").join("keys").exists());
    let other = SigningKey::generate("other.example").unwrap().verifier();
    fs::write(file("policy"), format!("log {other}\nquorum none\n")).unwrap();
    assert!(refused(&text("policy")).contains("none of the logs"));

    // One that never answers, and one that does: the program itself.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://someone:secret@{}", silent.local_addr().unwrap());
    let log_key =
        Keys::open_or_create(&file("data").join("keys"), None).unwrap().log_verifiers()[0].to_string();
    let arguments = [
        "witness",
        "--listen",
        "127.0.0.1:0",
        "--name",
        "good.example",
        "--log-key",
        &log_key,
        "--key",
        &text("w.key"),
        "--state",
        &text("w.state"),
    ];
    let mut witness = temwen(&arguments, place.path()).spawn().unwrap();
    let said: Vec<String> =
        BufReader::new(witness.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect();
    let key = said[0].strip_prefix("The witness's public key is ").unwrap();
    let url = said[1].strip_prefix("The witness listens on ").unwrap();
    let policy = format!(
        "log {log_key}\nwitness good {key} {url}\nwitness silent {witness_key} {silent_url}\ngroup one any good silent\nquorum one\n"
    );
    fs::write(file("policy"), policy).unwrap();
    let server = serve(&file("data"), &["--witnesses", &text("policy"), "--metrics-listen", "127.0.0.1:0"]);
    server.submit("It was at the market.");
    let cosigned = |line: &str| line.starts_with("\u{2014} good.example ");
    let since = Instant::now();
    while !ask(&server.address, "GET", "/v1/log/checkpoint", &Value::Null).unwrap().1.lines().any(cosigned) {
        assert!(since.elapsed() < PATIENCE, "no cosignature came");
        thread::sleep(Duration::from_millis(50));
    }
    let metrics = ask(server.metrics.as_ref().unwrap(), "GET", "/metrics", &Value::Null).unwrap().1;
    assert!(metrics.contains("temwen_log_witness_lag{witness=\"silent.example\"} "), "{metrics}");
    let since = Instant::now();
    let (code, log) = server.stop(Signal::SIGTERM);
    assert_eq!(code, 0, "{log}");
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    assert!(!log.contains("secret") && !log.contains("http://"), "{log}");
    kill(Pid::from_raw(witness.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
    witness.wait().unwrap();
}
