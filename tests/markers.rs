//! P4, from outside: a server at work is told markers by everybody who can tell it anything; afterwards none of them is in its
//! database's files, in a backup, or in its log, in whatever way it may be written there.
//!
//! The master key and what unwraps it lie in the same folder here, as they do by default: what is looked for is text, and a file
//! that needs a key to be read holds none.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails where it stands, and says what it saw"
)]

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(2);
const PASSWORD: &str = "wooden kite over quiet harbour 42";

/// Something that must not be found again: where it was planted, and what it is.
struct Marker {
    planted: String,
    bytes: Vec<u8>,
}

/// All that was planted.
#[derive(Default)]
struct Planted(Vec<Marker>);

impl Planted {
    /// A word that nobody else says, planted as `what`.
    fn word(&mut self, what: &str) -> String {
        let word =
            format!("zqx{}marker{:04}vy", what.replace(|c: char| !c.is_ascii_alphabetic(), ""), self.0.len());
        self.known(what, &word);
        word
    }

    /// Something that is said anyway.
    fn known(&mut self, what: &str, text: &str) {
        self.0.push(Marker { planted: what.to_owned(), bytes: text.as_bytes().to_vec() });
    }

    /// Each way in which each marker may stand somewhere, and which one it is.
    fn ways(&self) -> Vec<(Vec<u8>, String)> {
        let mut all = Vec::new();
        for Marker { planted, bytes } in &self.0 {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let hex = bytes.iter().fold(String::new(), |mut out, byte| {
                write!(out, "{byte:02x}").unwrap();
                out
            });
            let mut add = |how: &str, way: Vec<u8>| all.push((way, format!("{planted} as {how}")));
            add("text", bytes.clone());
            add("text in upper case", text.to_uppercase().into_bytes());
            add("hex in upper case", hex.to_uppercase().into_bytes());
            add("hex", hex.into_bytes());
            add("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            // Within a longer text, base64 begins at one of three places; the characters at the edges depend on the neighbours.
            for before in 0..3 {
                let padded: Vec<u8> =
                    std::iter::repeat_n(b'-', before).chain(bytes.iter().copied()).collect();
                let whole = padded.len() / 3 * 3;
                let from = if before == 0 { 0 } else { 4 };
                for (name, engine) in [("base64", &STANDARD), ("base64url", &URL_SAFE)] {
                    let encoded = engine.encode(padded.get(..whole).unwrap());
                    let kept = encoded.get(from..).unwrap_or_default();
                    if kept.len() >= 8 {
                        add(name, kept.as_bytes().to_vec());
                    }
                }
            }
        }
        all.retain(|(way, _)| way.len() >= 8);
        all.sort();
        all.dedup_by(|one, other| one.0 == other.0);
        all
    }
}

struct Server {
    child: Child,
    address: String,
    out: Option<thread::JoinHandle<String>>,
    log: Option<thread::JoinHandle<String>>,
}

fn temwen(arguments: &[&str], data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_temwen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TEMWEN_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .env("TEMWEN_DATA_DIR", data_dir)
        .env("RUST_LOG", "trace")
        .env("TEMWEN_LOG", "trace");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn collect(mut from: impl std::io::Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Server {
    #[expect(
        clippy::zombie_processes,
        reason = "it is waited for when it is dropped; a test that fails before leaves it to the system"
    )]
    fn start(data_dir: &Path) -> Self {
        let mut child = temwen(&["serve", "--listen", "127.0.0.1:0", "--trusted-proxies", "1"], data_dir)
            .spawn()
            .unwrap();
        let log = collect(child.stderr.take().unwrap());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut before = String::new();
        loop {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 {
                let _ = (child.kill(), child.wait());
                panic!("it did not listen: {before}{}", log.join().unwrap());
            }
            if let Some(address) = line.trim().strip_prefix("Temwen listens on http://") {
                let address = address.to_owned();
                return Self { child, address, out: Some(collect(out)), log: Some(log) };
            }
            before += &line;
        }
    }

    /// Tells it to stop; what it wrote.
    fn stop(mut self) -> String {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        let since = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(20));
        }
        let mut said = self.log.take().unwrap().join().unwrap();
        said += &self.out.take().unwrap().join().unwrap();
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

/// Somebody who asks, with what every request of theirs carries.
struct Somebody<'a> {
    server: &'a Server,
    headers: String,
}

impl Somebody<'_> {
    fn ask(&self, method: &str, path: &str, more: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n{}{more}Content-Length: {}\r\n\r\n{body}",
            self.server.address,
            self.headers,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value, expected: u16) -> Value {
        let (status, answer) = self.ask("POST", path, "", body);
        assert_eq!(status, expected, "POST {path}: {answer}");
        answer
    }

    #[track_caller]
    fn post_seen(&self, path: &str, version: u32, body: &Value, expected: u16) -> Value {
        let (status, answer) = self.ask("POST", path, &format!("If-Match: \"{version}\"\r\n"), body);
        assert_eq!(status, expected, "POST {path}: {answer}");
        answer
    }

    #[track_caller]
    fn get(&self, path: &str, expected: u16) -> Value {
        let (status, answer) = self.ask("GET", path, "", &Value::Null);
        assert_eq!(status, expected, "GET {path}: {answer}");
        answer
    }

    fn with(&self, header: &str) -> Self {
        Self { server: self.server, headers: format!("{}{header}\r\n", self.headers) }
    }
}

fn add_user(data_dir: &Path, email: &str, role: &str) {
    let mut command = temwen(
        &["add-user", "--password-stdin", "--email", email, "--name", "Somebody", "--role", role],
        data_dir,
    );
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

/// Everybody says what they have to say.
#[expect(clippy::too_many_lines, reason = "a story with everything in it that somebody can say")]
fn story(server: &Server, planted: &mut Planted) {
    let ip = "198.51.100.77";
    planted.known("an address in X-Forwarded-For", ip);
    let agent = planted.word("user agent");
    let stranger = Somebody {
        server,
        headers: format!(
            "X-Forwarded-For: {ip}\r\nUser-Agent: {agent}\r\nReferer: https://{}.example/\r\n",
            planted.word("referer")
        ),
    };
    let sign_in = |email: &str| {
        let tokens = stranger.post("/v1/sessions", &json!({ "email": email, "password": PASSWORD }), 201);
        planted_tokens(&tokens)
    };
    let officer = |email: &str| {
        let (access, refresh) = sign_in(email);
        (stranger.with(&format!("Authorization: Bearer {access}")), access, refresh)
    };

    // A complaint with everything in it that can be in one.
    let (phone, email, number) = ("+50937114477", "zqxreporter0815@marker.example", "KE-887766551");
    for (what, text) in
        [("a phone number", phone), ("an e-mail address", email), ("a service number", number)]
    {
        planted.known(what, text);
    }
    let narrative = format!("Yon sòlda te frape {} nan mache a.", planted.word("narrative"));
    let complaint = json!({
        "channel": "web_form", "language": "ht", "narrative": narrative, "anonymity": "confidential",
        "reported_category": "minor_misconduct",
        "reporter": { "relation": "witness", "name": planted.word("name of a reporter"),
            "contact": { "phone": phone, "email": email, "safe_times": planted.word("safe times") } },
        "victims": [{ "sex": "f", "age_band": "25-59", "name": planted.word("name of a victim") }],
        "subjects": [{ "name": planted.word("name of a subject"), "service_number": number, "country": "KE",
            "unit": planted.word("unit"), "rank": planted.word("rank"), "description": planted.word("description of a subject") }],
        "witnesses": [{ "name": planted.word("name of a witness"), "description": planted.word("description of a witness") }],
        "incident": { "precision": "unknown", "commune": planted.word("commune"), "place": planted.word("place") },
        "risk": { "note": planted.word("risk") },
        "allegations": [{ "type": "physical_assault" }],
    });
    let receipt = stranger.post("/v1/complaints", &complaint, 201);
    let (id, reference, code) =
        (text(&receipt, "id"), text(&receipt, "reference"), text(&receipt, "access_code"));
    planted.known("an access code", &code);
    let thread =
        stranger.post("/v1/reporter/sessions", &json!({ "reference": reference, "access_code": code }), 201);
    let token = text(&thread, "access_token");
    planted.known("a reporter's token", &token);
    let reporter = stranger.with(&format!("Authorization: Bearer {token}"));
    reporter.post("/v1/reporter/messages", &json!({ "text": planted.word("message of a reporter") }), 201);
    reporter.get("/v1/reporter/complaint", 200);

    // Officers work on it.
    let (triage, access, refresh) = officer("triage@mission.example");
    planted.known("an access token", &access);
    planted.known("a refresh token", &refresh);
    planted.known("a password", PASSWORD);
    triage.get(&format!("/v1/complaints/{id}"), 200);
    triage.post_seen(
        &format!("/v1/complaints/{id}/acknowledgement"),
        1,
        &json!({ "message": planted.word("acknowledgement") }),
        200,
    );
    triage.post(
        &format!("/v1/complaints/{id}/messages"),
        &json!({ "text": planted.word("message of an officer") }),
        201,
    );
    let redact =
        json!({ "passages": [{ "from": 0, "to": 3 }], "reason": planted.word("reason of a redaction") });
    triage.post(&format!("/v1/complaints/{id}/redactions"), &redact, 201);
    triage.get(&format!("/v1/complaints/{id}/redactions"), 200);
    let open = json!({ "decision": "open_case", "category": "serious_misconduct", "priority": "urgent", "reason": planted.word("reason of triage") });
    let case = text(&triage.post_seen(&format!("/v1/complaints/{id}/assessment"), 2, &open, 201), "id");
    // The same body comes again: the first answer was kept.
    let note = json!({ "text": planted.word("note") });
    let key = planted.word("idempotency key");
    for _ in 0..2 {
        let (status, answer) = triage.ask(
            "POST",
            &format!("/v1/cases/{case}/notes"),
            &format!("Idempotency-Key: {key}\r\n"),
            &note,
        );
        assert_eq!(status, 201, "{answer}");
    }
    triage.get(&format!("/v1/cases/{case}/notes"), 200);
    let step = json!({ "step": "await_information", "reason": planted.word("reason of a step") });
    triage.post_seen(&format!("/v1/cases/{case}/transitions"), 1, &step, 200);
    let class = json!({ "priority": "immediate", "reason": planted.word("reason of a classification") });
    triage.post_seen(&format!("/v1/cases/{case}/classification"), 2, &class, 200);
    let me = text(&triage.get("/v1/me", 200), "id");
    let other = officer("other@mission.example").0;
    let walled = text(&other.get("/v1/me", 200), "id");
    let wall = json!({ "user_id": walled, "reason": planted.word("reason of a wall") });
    let (status, _) = triage.ask("POST", &format!("/v1/cases/{case}/walls"), "", &wall);
    assert!([204, 409].contains(&status), "a wall: {status}, {me}");
    parties(&triage, planted, &case);

    // Searches, those that find something and those that do not.
    let found = narrative.split(' ').find(|word| word.contains("marker")).unwrap().to_owned();
    let hits = triage.get(&format!("/v1/complaints?q={found}"), 200);
    assert_eq!(hits.get("items").and_then(Value::as_array).map(Vec::len), Some(1), "{hits}");
    triage.get(
        &format!("/v1/complaints?q={}%20-{}", planted.word("searched word"), planted.word("word shut out")),
        200,
    );
    triage.get(&format!("/v1/cases?q={}", planted.word("searched word of cases")), 200);
    triage.get("/v1/complaints?q=.*", 422);

    // Failures of every kind: what was said must not come back in a log.
    stranger.post("/v1/sessions", &json!({ "email": format!("{}@marker.example", planted.word("unknown account")), "password": planted.word("wrong password") }), 401);
    stranger.post(
        "/v1/reporter/sessions",
        &json!({ "reference": reference, "access_code": planted.word("wrong code") }),
        401,
    );
    stranger.ask("POST", "/v1/complaints", "", &json!({ "channel": planted.word("unknown channel"), "narrative": planted.word("refused narrative") }));
    stranger.ask(
        "POST",
        "/v1/complaints",
        "",
        &json!({ "channel": "web_form", "narrative": 7, "extra": planted.word("unknown field") }),
    );
    stranger.ask(
        "GET",
        &format!("/v1/{}?secret={}", planted.word("unknown path"), planted.word("query")),
        "",
        &Value::Null,
    );
    stranger.ask(
        "GET",
        "/v1/complaints",
        &format!("Authorization: Bearer {}\r\n", planted.word("wrong token")),
        &Value::Null,
    );
    stranger.ask(
        "GET",
        "/v1/complaints",
        &format!("Cookie: session={}\r\n", planted.word("cookie")),
        &Value::Null,
    );
    triage.ask(
        "POST",
        &format!("/v1/cases/{case}/transitions"),
        "If-Match: \"1\"\r\n",
        &json!({ "step": "close", "reason": planted.word("reason that came late") }),
    );
}

fn planted_tokens(tokens: &Value) -> (String, String) {
    (text(tokens, "access_token"), text(tokens, "refresh_token"))
}

/// A party with a name is added, and everybody in the case is asked who they are.
fn parties(triage: &Somebody<'_>, planted: &mut Planted, case: &str) {
    let (phone, number) = ("+50937225588", "GT-112233445");
    planted.known("a party's phone number", phone);
    planted.known("a party's service number", number);
    let identity = json!({
        "name": planted.word("name of a party"), "service_number": number, "unit": planted.word("unit of a party"),
        "rank": planted.word("rank of a party"), "description": planted.word("description of a party"),
        "contact": { "phone": phone, "address": planted.word("address of a party"),
            "safe_contact": { "times": planted.word("safe times of a party"), "code_word": planted.word("code word"),
                "who_may_answer": planted.word("who may answer") } },
    });
    let path = format!("/v1/cases/{case}/parties");
    let (status, added) = triage.ask("POST", &path, "", &json!({ "role": "witness", "identity": identity }));
    println!("adding a party answered {status}");
    assert!([201, 404].contains(&status), "adding a party: {status} {added}");
    let (_, there) = triage.ask("GET", &path, "", &Value::Null);
    for party in there.get("items").and_then(Value::as_array).into_iter().flatten() {
        let reveal = json!({ "purpose": "investigate", "reason": planted.word("reason of a reveal") });
        let (status, _) = triage.ask("POST", &format!("{path}/{}/reveal", text(party, "id")), "", &reveal);
        println!("asking who a {} is answered {status}", text(party, "role"));
    }
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map_while(Result::ok) {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            files(&path, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

/// Which of `ways` stand in `bytes`.
fn look<'w>(bytes: &[u8], ways: &'w [(Vec<u8>, String)]) -> Vec<&'w str> {
    // Every way by its first four bytes: one pass over the file, whatever the number of markers.
    let mut by_start: std::collections::HashMap<[u8; 4], Vec<usize>> = std::collections::HashMap::new();
    for (number, (way, _)) in ways.iter().enumerate() {
        by_start.entry(*way.first_chunk().unwrap()).or_default().push(number);
    }
    let mut seen = std::collections::BTreeSet::new();
    for at in 0..bytes.len().saturating_sub(3) {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(numbers) = rest.first_chunk::<4>().and_then(|start| by_start.get(start)) else { continue };
        seen.extend(
            numbers
                .iter()
                .filter(|number| ways.get(**number).is_some_and(|(way, _)| rest.starts_with(way)))
                .copied(),
        );
    }
    seen.into_iter().filter_map(|number| ways.get(number).map(|(_, what)| what.as_str())).collect()
}

#[test]
fn p4_nothing_that_anybody_said_is_in_files_backups_or_logs() {
    let place = tempfile::Builder::new()
        .prefix("temwen-markers")
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .unwrap();
    let data_dir = place.path().join("data");
    for (email, role) in [
        ("triage@mission.example", "triage_officer"),
        ("other@mission.example", "triage_officer"),
        ("third@mission.example", "ohchr_monitor"),
    ] {
        add_user(&data_dir, email, role);
    }
    let mut planted = Planted::default();
    let server = Server::start(&data_dir);
    story(&server, &mut planted);
    let ways = planted.ways();

    let mut found = Vec::new();
    let mut looked = 0;
    let mut note = |name: &str, bytes: &[u8]| {
        looked += bytes.len();
        found.extend(look(bytes, &ways).into_iter().map(|what| format!("{name}: {what}")));
    };
    // A backup while it runs.
    let socket = fs::read_dir(&data_dir).unwrap().map_while(Result::ok).map(|entry| entry.path());
    let socket = socket.filter(|path| path.is_dir()).find(|path| path.join(".s.PGSQL.5432").exists());
    let dump = socket.map(|socket| {
        Command::new(pg_dump()).arg("-h").arg(socket).args(["-U", "postgres", "temwen"]).output().unwrap()
    });
    let dump = dump.expect("the socket of the private Postgres");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    assert!(
        String::from_utf8_lossy(&dump.stdout).contains("complaint_words"),
        "an empty backup shows nothing"
    );
    note("pg_dump", &dump.stdout);
    let log = server.stop();
    assert!(log.lines().count() > 20, "a log that says nothing shows nothing: {log}");
    note("the log", log.as_bytes());
    // The server stopped in good order, so whatever Postgres held is in its files; its log of changes is among them.
    let mut all = Vec::new();
    files(&data_dir, &mut all);
    assert!(
        all.iter().any(|path| path.components().any(|part| part.as_os_str() == "pg_wal")),
        "the write-ahead log is not there"
    );
    for path in &all {
        let bytes = fs::read(path).unwrap_or_default();
        note(&path.strip_prefix(&data_dir).unwrap().display().to_string(), &bytes);
    }
    println!(
        "planted {} markers, {} ways to write them; looked through {} files, a backup and the log: {looked} bytes; found {}",
        planted.0.len(),
        ways.len(),
        all.len(),
        found.len()
    );
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}

#[test]
fn what_is_looked_for_would_be_found() {
    let mut planted = Planted::default();
    let word = planted.word("test");
    let ways = planted.ways();
    for hidden in [
        format!("a{word}b"),
        format!("x{}", word.to_uppercase()),
        STANDARD.encode(format!("{word} and more")),
        STANDARD.encode(format!("a{word} and more")),
        URL_SAFE.encode(format!("?>{word} and more")),
        word.bytes().fold(String::new(), |all, byte| format!("{all}{byte:02X}")),
    ] {
        assert!(!look(hidden.as_bytes(), &ways).is_empty(), "{hidden}");
    }
    assert!(look(b"nothing of the kind", &ways).is_empty());
}

/// Where `pg_dump` is: on the path, or where Debian puts it.
fn pg_dump() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map_while(Result::ok);
    let mut there: Vec<PathBuf> =
        debian.map(|entry| entry.path().join("bin/pg_dump")).filter(|path| path.exists()).collect();
    there.sort();
    there.pop().unwrap_or_else(|| "pg_dump".into())
}
