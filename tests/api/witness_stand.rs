//! Witnesses on loopback: the real one, and ones that answer whatever a test wants; and a node that attends to them.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::future::Future;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::rt::task::JoinHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use metrics_exporter_prometheus::PrometheusHandle;
use temwen::log::witnesses::Witnesses;
use temwen::telemetry;
use temwen::temwen::Clock;
use temwen::tlog::{self, AddCheckpoint, CosignerKey, TrustPolicy, VerifierKey};
use temwen::witness::evidence::Evidence;
use temwen::witness::state::State;
use temwen::witness::{Witness, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use crate::harness::TestApp;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);
/// The second at which these witnesses cosign.
pub const NOW: u64 = 1_795_355_227;

/// Waits until `holds` does.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The number of a metric of this witness; 0 while there is none.
pub fn metric(name: &str, witness: &VerifierKey) -> u64 {
    static NUMBERS: OnceLock<PrometheusHandle> = OnceLock::new();
    let numbers = NUMBERS.get_or_init(|| telemetry::start_metrics().unwrap()).render();
    let line = format!("{name}{{witness=\"{}\"}} ", witness.name());
    numbers.lines().find_map(|text| text.strip_prefix(&line)).map_or(0, |value| value.parse().unwrap())
}

/// A policy of these witnesses, each with its address, whose quorum is `needed` of them.
pub fn policy(needed: usize, witnesses: &[(&VerifierKey, &str)]) -> TrustPolicy {
    // Counting begins before anything happens.
    metric("", witnesses[0].0);
    let mut text = String::new();
    let names: Vec<String> = (0..witnesses.len()).map(|n| format!("w{n}")).collect();
    for (name, (key, url)) in names.iter().zip(witnesses) {
        writeln!(text, "witness {name} {key} {url}").unwrap();
    }
    write!(text, "group all {needed} {}\nquorum all\n", names.join(" ")).unwrap();
    TrustPolicy::parse(text.as_bytes()).ok().unwrap()
}

/// What a server does about its witnesses, until dropped.
pub struct Node(Vec<JoinHandle<()>>);

impl Node {
    pub fn of(app: &TestApp) -> Self {
        let temwen = app.again(4);
        let witnesses = Witnesses::new(&temwen).unwrap().unwrap();
        let mut tasks = Vec::new();
        for witness in witnesses.all() {
            let (witness, temwen) = (witness.clone(), temwen.clone());
            tasks.push(actix_web::rt::spawn(async move { witness.attend(&temwen).await }));
        }
        tasks.push(actix_web::rt::spawn(async move {
            loop {
                witnesses.choose(&temwen).await.unwrap();
                sleep(Duration::from_millis(30)).await;
            }
        }));
        Self(tasks)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// The real one, with a directory of its own.
pub struct Real {
    place: tempfile::TempDir,
    secret: String,
    logs: Vec<VerifierKey>,
    pub witness: Data<Witness>,
    pub url: String,
    port: u16,
    handle: ServerHandle,
}

impl Real {
    pub fn of_logs(name: &str, logs: Vec<VerifierKey>) -> Self {
        let place = tempfile::tempdir().unwrap();
        let key = CosignerKey::generate(name).unwrap();
        State::create(&place.path().join("state"), key.verifier()).unwrap();
        let secret = key.to_text().to_string();
        let (witness, port, handle) = serve(&place, &secret, &logs, 0);
        Self { place, secret, logs, witness, url: format!("http://127.0.0.1:{port}"), port, handle }
    }

    pub fn key(&self) -> VerifierKey {
        self.witness.verifier()
    }

    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }

    /// Starts it again where it was, with what is in its directory.
    pub fn start_again(&mut self) {
        let (witness, _, handle) = serve(&self.place, &self.secret, &self.logs, self.port);
        (self.witness, self.handle) = (witness, handle);
    }

    pub fn state(&self) -> Vec<u8> {
        std::fs::read(self.place.path().join("state")).unwrap()
    }

    pub fn put_state_back(&self, state: &[u8]) {
        std::fs::write(self.place.path().join("state"), state).unwrap();
    }
}

fn serve(
    place: &tempfile::TempDir,
    secret: &str,
    logs: &[VerifierKey],
    port: u16,
) -> (Data<Witness>, u16, ServerHandle) {
    let key = CosignerKey::parse(secret).unwrap();
    let state = State::open(&place.path().join("state"), key.verifier()).unwrap();
    let evidence = Evidence::open(&place.path().join("state.evidence")).unwrap();
    let witness = Data::new(Witness::new(key, logs.to_vec(), state, evidence));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let shown = witness.clone();
    let application = move || App::new().configure(http::addresses(shown.clone(), Clock::system()));
    let server = HttpServer::new(application).workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (witness, port, handle)
}

/// One that answers as a test says: each request, read, is given to `answer`.
pub struct Played {
    pub url: String,
    pub asked: Rc<RefCell<Vec<AddCheckpoint>>>,
    task: JoinHandle<()>,
}

impl Drop for Played {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Played {
    /// `answer` writes the whole of what comes back, after that pause.
    pub async fn start(pause: Duration, answer: impl Fn(&AddCheckpoint) -> Vec<u8> + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://someone:secret@127.0.0.1:{}/below/", listener.local_addr().unwrap().port());
        let asked = Rc::new(RefCell::new(Vec::new()));
        let noted = Rc::clone(&asked);
        let answer = Rc::new(answer);
        let task = actix_web::rt::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (noted, answer) = (Rc::clone(&noted), Rc::clone(&answer));
                actix_web::rt::spawn(async move {
                    let Some(request) = read(&mut stream).await else { return };
                    noted.borrow_mut().push(request.clone());
                    sleep(pause).await;
                    let _ = stream.write_all(&answer(&request)).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { url, asked, task }
    }

    /// One that cosigns everything that starts from what it holds.
    pub async fn good(key: CosignerKey, pause: Duration) -> Self {
        let holds = Cell::new(0);
        Self::start(pause, move |request| {
            if request.old != holds.get() {
                return plain(409, &format!("{}\n", holds.get()));
            }
            holds.set(tlog::read(&request.checkpoint).unwrap().head.size);
            plain(200, &cosigned(&key, &request.checkpoint))
        })
        .await
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Option<AddCheckpoint> {
    let (mut got, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            assert!(head.starts_with("post /below/add-checkpoint http/1.1\r\n"), "{head}");
            assert!(head.contains("authorization: basic "), "{head}");
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            if body.len() >= length.parse::<usize>().unwrap() {
                return Some(AddCheckpoint::parse(body.as_bytes()).unwrap());
            }
        }
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => got.extend_from_slice(&part[..length]),
        }
    }
}

/// The line of a witness under a checkpoint.
pub fn cosigned(key: &CosignerKey, checkpoint: &str) -> String {
    key.cosign(tlog::read(checkpoint).unwrap().body(), NOW).unwrap()
}

/// A whole answer.
pub fn plain(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// Runs `work` until `other` is done.
pub async fn during<T>(work: impl Future<Output = ()>, other: impl Future<Output = T>) -> T {
    tokio::select! {
        () = work => panic!("what should go on has ended"),
        done = other => done,
    }
}
