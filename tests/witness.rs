//! A witness as its operators and the logs meet it: the program, over HTTP, killed and started again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use temwen::tlog::{
    AddCheckpoint, Edge, Hash, Head, SigningKey, Tiles, VerifierKey, cosignatures, open, record_hash, sign,
    with_lines,
};

const ORIGIN: &str = "log.example/v1";
/// SHA-256 of the origin.
const ORIGIN_HASH: &str = "2411b02c17fe62564d9674b0390045f93a515bdf132cdbff3bfc56ac35277ecf";
const PATIENCE: Duration = Duration::from_secs(30);

struct Log {
    key: SigningKey,
    tiles: Tiles,
}

impl Log {
    fn new() -> Self {
        let mut edge = Edge::default();
        for n in 0..300_u64 {
            edge.push(record_hash(&n.to_be_bytes())).unwrap();
        }
        let tiles = Tiles(edge.changed().into_iter().collect());
        Self { key: SigningKey::generate(ORIGIN).unwrap(), tiles }
    }

    fn checkpoint(&self, size: u64, root: Hash) -> String {
        sign(ORIGIN, Head { size, root }, std::slice::from_ref(&self.key)).unwrap()
    }

    fn request(&self, old: u64, new: u64) -> String {
        let checkpoint = self.checkpoint(new, self.tiles.root(new).unwrap());
        AddCheckpoint { old, proof: self.tiles.consistency(old, new).unwrap(), checkpoint }.to_text()
    }

    fn fork(&self, old: u64, size: u64) -> String {
        let checkpoint = self.checkpoint(size, Hash([6; 32]));
        AddCheckpoint { old, proof: Vec::new(), checkpoint }.to_text()
    }
}

fn witness(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_temwen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TEMWEN_") {
            command.env_remove(name);
        }
    }
    command.current_dir(place).args([
        "witness",
        "--listen",
        "127.0.0.1:0",
        "--key",
        "w.key",
        "--state",
        "w.state",
    ]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs one that is expected to refuse, and what it says.
fn refused(place: &Path, arguments: &[&str]) -> String {
    let output = witness(place, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// A witness at work, killed when dropped.
struct Running {
    child: Child,
    address: String,
    key: VerifierKey,
}

fn start(place: &Path, log: &Log, more: &[&str]) -> Running {
    let key = log.key.verifier().to_string();
    let arguments: Vec<&str> = ["--log-key", &key].into_iter().chain(more.iter().copied()).collect();
    let mut child = witness(place, &arguments).spawn().unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect();
    let [key, address] = lines.as_slice() else {
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        panic!("it did not listen: {said}");
    };
    let key = VerifierKey::parse(key.strip_prefix("The witness's public key is ").unwrap()).unwrap();
    let address = address.strip_prefix("The witness listens on http://").unwrap().to_owned();
    Running { child, address, key }
}

impl Running {
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, String, String) {
        ask(&self.address, method, path, body)
    }

    fn add(&self, request: &str) -> (u16, String) {
        let (status, _, body) = self.ask("POST", "/add-checkpoint", request.as_bytes());
        (status, body)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (status, head, body) = self.ask("GET", path, b"");
        assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
        (status, body)
    }

    fn kill(&mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        let _ = kill(pid, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Status, head and body of the answer; zero and nothing where there is none.
fn ask(address: &str, method: &str, path: &str, body: &[u8]) -> (u16, String, String) {
    let Ok(mut stream) = TcpStream::connect(address) else { return Default::default() };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    // One that is too long may be refused before it has been sent.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return Default::default() };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

#[test]
fn every_answer_is_the_one_that_the_specification_names() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let running = start(place.path(), &log, &["--name", "witness.example/w"]);
    assert_eq!(running.key.name(), "witness.example/w");
    assert_eq!(running.get("/key"), (200, format!("{}\n", running.key)));
    let shown = format!("/{ORIGIN_HASH}/checkpoint");
    assert_eq!(running.get(&shown).0, 404);

    // 200: a cosignature line that fits the checkpoint.
    let request = log.request(0, 5);
    let (status, line) = running.add(&request);
    assert_eq!(status, 200);
    let checkpoint = request.split_once("\n\n").unwrap().1;
    let note = with_lines(checkpoint, std::slice::from_ref(&line)).unwrap();
    assert_eq!(cosignatures(&note, std::slice::from_ref(&running.key)).unwrap().len(), 1);
    assert_eq!(running.get(&shown), (200, note));
    // 409: the size it has, with its own media type.
    let (status, head, body) = running.ask("POST", "/add-checkpoint", log.request(3, 9).as_bytes());
    assert_eq!((status, body.as_str()), (409, "5\n"));
    assert!(head.contains("content-type: text/x.tlog.size\r\n"), "{head}");
    // 404, 403, 400 and 422.
    let other = SigningKey::generate("other.example").unwrap();
    let head = Head { size: 5, root: Hash([1; 32]) };
    let unknown = format!("old 0\n\n{}", sign("other.example", head, &[other]).unwrap());
    assert_eq!(running.add(&unknown).0, 404);
    assert_eq!(running.add(&Log::new().request(5, 9)).0, 403);
    let larger = log.request(5, 9).replace("old 5\n", "old 10\n");
    for malformed in ["", "old 5\n", "old 05\n\n", &log.request(5, 9).replace('\n', "\r\n"), &larger] {
        assert_eq!(running.add(malformed).0, 400, "{malformed}");
    }
    assert_eq!(running.add(&log.request(5, 9).replacen("old 5\n", "old 5\nAAAA\n", 1)).0, 400);
    assert_eq!(
        running
            .add(&log.request(5, 9).replacen("\n\n", "\nBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=\n\n", 1))
            .0,
        422
    );
    assert_eq!(running.add(&log.fork(5, 5)).0, 422);
    // 413, 405 and other addresses.
    assert_eq!(running.ask("POST", "/add-checkpoint", &vec![b'a'; 70_000]).0, 413);
    let (status, head, _) = running.ask("GET", "/add-checkpoint", b"");
    assert!(status == 405 && head.contains("allow: post\r\n"), "{head}");
    assert_eq!(running.ask("DELETE", "/key", b"").0, 405);
    assert_eq!(running.get("/").0, 404);
    assert_eq!(running.get("/sign-subtree").0, 404);
    assert_eq!(running.get("/00/checkpoint").0, 404);
    assert_eq!(running.add(&log.request(5, 9)).0, 200);
}

#[test]
fn of_requests_at_once_one_is_cosigned_and_nothing_is_rolled_back() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let running = start(place.path(), &log, &["--name", "w"]);
    assert_eq!(running.add(&log.request(0, 1)).0, 200);
    let mut size = 1;
    for _ in 0..10 {
        let together = Barrier::new(2);
        let answers = thread::scope(|scope| {
            let send = |more: u64| {
                let (together, running, request) = (&together, &running, log.request(size, size + more));
                scope.spawn(move || {
                    together.wait();
                    running.add(&request)
                })
            };
            [send(3), send(7)].map(|answer| answer.join().unwrap())
        });
        let [a, b] = answers.map(|(status, body)| (status, body));
        size += if a.0 == 200 { 3 } else { 7 };
        assert_eq!([a.0, b.0].iter().sum::<u16>(), 200 + 409, "{a:?} {b:?}");
        let told = if a.0 == 409 { a.1 } else { b.1 };
        assert_eq!(told, format!("{size}\n"));
    }
}

#[test]
fn a_kill_forgets_nothing_and_a_fork_is_kept() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let mut running = start(place.path(), &log, &["--name", "w"]);
    let key = running.key.clone();
    assert_eq!(running.add(&log.request(0, 5)).0, 200);
    for round in 0..5 {
        let (old, new) = (5 + round * 10, 15 + round * 10);
        assert_eq!(running.add(&log.request(old, new)).0, 200);
        assert_eq!(running.add(&log.fork(new, new)).0, 422);
        running.kill();
        running = start(place.path(), &log, &[]);
        assert_eq!(running.key, key);
        assert_eq!(running.add(&log.request(old, new)), (409, format!("{new}\n")));
        assert_eq!(running.add(&log.fork(0, old)), (409, format!("{new}\n")));
    }
    let mode = |name: &str| fs::metadata(place.path().join(name)).unwrap().mode() & 0o777;
    assert_eq!([mode("w.key"), mode("w.state"), mode("w.state.evidence")], [0o600; 3]);
    let (status, evidence) = running.get("/evidence");
    assert_eq!(status, 200);
    let mut sizes = Vec::new();
    for line in evidence.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((finding["kind"].as_str(), finding["origin"].as_str()), (Some("fork"), Some(ORIGIN)));
        let opened = ["cosigned", "submitted"]
            .map(|which| open(finding[which].as_str().unwrap(), &[log.key.verifier()]).unwrap().head);
        assert_eq!(opened[0].size, opened[1].size);
        assert_ne!(opened[0].root, opened[1].root);
        sizes.push(opened[0].size);
    }
    assert_eq!(sizes, [15, 5, 25, 35, 45, 55], "each fork once");
    running.kill();
    let mut said = String::new();
    running.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "", "each fork was said before");
}

#[test]
fn killed_while_it_works_it_still_has_what_it_acknowledged() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let mut running = start(place.path(), &log, &["--name", "w"]);
    let mut size = 0;
    for round in 0..12 {
        let (address, log) = (running.address.clone(), &log);
        let acknowledged = thread::scope(|scope| {
            let sender = scope.spawn(move || {
                let mut size = size;
                while size < 300
                    && ask(&address, "POST", "/add-checkpoint", log.request(size, size + 1).as_bytes()).0
                        == 200
                {
                    size += 1;
                }
                size
            });
            thread::sleep(Duration::from_micros(4_000 + round * 1_300));
            running.kill();
            sender.join().unwrap()
        });
        running = start(place.path(), log, &[]);
        let (status, told) = running.add(&log.request(299, 300));
        let told: u64 = if status == 409 { told.trim_end().parse().unwrap() } else { 299 };
        // The last one may have been written down without anybody hearing of it.
        assert!(told == acknowledged || told == acknowledged + 1, "{told} after {acknowledged}");
        size = told;
    }
    assert!(size > 0, "it did nothing");
}

#[test]
fn a_start_that_would_forget_is_refused_with_a_sentence() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let file = |name: &str| -> PathBuf { place.path().join(name) };
    let key = log.key.verifier().to_string();
    let ends = |more: &[&str]| {
        let arguments: Vec<&str> = ["--log-key", &key].into_iter().chain(more.iter().copied()).collect();
        refused(place.path(), &arguments)
    };
    assert!(ends(&[]).contains("needs a name"));
    assert!(ends(&["--name", "a b"]).contains("no key can be made of that name"));
    assert!(!file("w.key").exists() && !file("w.state").exists());
    assert!(
        refused(place.path(), &["--log-key", "nothing", "--name", "w"])
            .contains("neither a public key nor a file")
    );

    let mut running = start(place.path(), &log, &["--name", "w"]);
    assert_eq!(running.add(&log.request(0, 5)).0, 200);
    assert!(ends(&[]).contains("another witness runs with the key"));
    let witness_key = running.key.to_string();
    assert!(refused(place.path(), &["--log-key", &witness_key]).contains("is a witness's, not a log's"));
    running.kill();
    assert!(ends(&["--name", "another"]).contains("is called w, not another"));

    let state = fs::read(file("w.state")).unwrap();
    fs::write(file("w.state"), &state[..state.len() - 40]).unwrap();
    assert!(ends(&[]).contains("w.state is damaged: put back the last whole copy"));
    fs::remove_file(file("w.state")).unwrap();
    assert!(ends(&[]).contains("is there, but not what it has cosigned"));
    fs::write(file("w.state"), &state).unwrap();
    fs::rename(file("w.key"), file("kept.key")).unwrap();
    assert!(ends(&["--name", "w"]).contains("is there, but not the key that it belongs to"));
    // Another witness's key with this state.
    let elsewhere = tempfile::tempdir().unwrap();
    start(elsewhere.path(), &log, &["--name", "w"]).kill();
    fs::copy(elsewhere.path().join("w.key"), file("w.key")).unwrap();
    assert!(ends(&[]).contains("belongs to another key"));
    fs::rename(file("kept.key"), file("w.key")).unwrap();
    let mut open_to_all = fs::metadata(file("w.key")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open_to_all, 0o644);
    fs::set_permissions(file("w.key"), open_to_all).unwrap();
    assert!(ends(&[]).contains("chmod 600"));
    let mut own = fs::metadata(file("w.key")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut own, 0o600);
    fs::set_permissions(file("w.key"), own).unwrap();
    // Whole again, and with the logs' keys in a file.
    fs::write(file("logs"), format!("# the register\n{key}\n")).unwrap();
    let output = witness(place.path(), &["--log-key", "logs"]).spawn().unwrap();
    let mut output = Running { child: output, address: String::new(), key: log.key.verifier() };
    let lines = BufReader::new(output.child.stdout.take().unwrap()).lines();
    output.address = lines.map(Result::unwrap).nth(1).unwrap().rsplit_once('/').unwrap().1.to_owned();
    assert_eq!(output.add(&log.request(5, 9)).0, 200);
}
