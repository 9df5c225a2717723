//! A running Temwen for one test: its own database, cloned from a template, on a private Postgres that the tests share.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use actix_web::HttpResponse;
use actix_web::body::to_bytes;
use actix_web::dev::Service as _;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;
use serde_json::{Value, json};
use temwen::auth::credentials::{Flood, Keys, Passwords, Slowdown, Tokens};
use temwen::auth::policy::Lanes;
use temwen::auth::{Role, Seat};
use temwen::coa::{Policy, Texts};
use temwen::db::embedded::{self, Options, PrivatePostgres};
use temwen::db::{Caller as By, Connect, Db, Server, clear_text, data_keys, migrate};
use temwen::evidence::blobs::Blobs;
use temwen::log::guard::Guard;
use temwen::log::sequencer::{Sequencer, Step};
use temwen::temwen::{Clock, Front, Shared};
use temwen::tlog::TrustPolicy;
use temwen::users::{self, NewUser, Rights};
use temwen::values::{Email, Line, UserId};
use temwen::vault::keyring::Directory;
use temwen::vault::{Place, Vault, WrappedKey};
use temwen::{Temwen, http};
use tokio::sync::OnceCell;

/// The password of every account that a test makes.
pub const PASSWORD: &str = "four calm herons cross the bay";

/// The moment at which every test begins: a Monday morning in Port-au-Prince.
pub fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 14, 0, 0).unwrap()
}

type Answering = Rc<dyn Fn(actix_http::Request) -> LocalBoxFuture<'static, HttpResponse>>;

/// A Temwen with a database of its own.
pub struct TestApp {
    pub temwen: Temwen,
    pub now: Arc<Mutex<DateTime<Utc>>>,
    pub connect: Connect,
    answering: Answering,
    accounts: AtomicU32,
}

/// Somebody making requests.
#[derive(Clone)]
pub struct Caller<'a> {
    pub app: &'a TestApp,
    pub id: Option<UserId>,
    pub email: String,
    pub token: Option<String>,
    pub refresh: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body, of which the status must be `status`.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// That this is a whole problem of this status and type.
    #[track_caller]
    pub fn refused(&self, status: u16, slug: &str) -> &Self {
        assert_eq!((self.status, self.problem()), (status, slug), "{}", self.text);
        let told = |field: &str| self.body[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(told("type") && told("title") && told("detail"), "{}", self.text);
        assert_eq!(self.body["status"], status);
        assert!(told("request_id"), "{}", self.text);
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"));
        self
    }

    /// The pointers of the faults that a problem names.
    pub fn faults(&self) -> Vec<&str> {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        self.body["errors"]
            .as_array()
            .map(|all| all.iter().filter_map(|each| each["pointer"].as_str()).collect())
            .unwrap_or_default()
    }

    /// The last part of a problem's type.
    pub fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        self.body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
    }
}

/// What may differ from one test's Temwen to another's.
pub struct Made {
    pub connections: usize,
    pub front: Front,
    pub witnesses: Option<TrustPolicy>,
    /// Where the bytes of evidence are kept, and how many a file may have.
    pub evidence: Option<Blobs>,
}

impl Default for Made {
    fn default() -> Self {
        Self { connections: 4, front: Front::default(), witnesses: None, evidence: None }
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Box::pin(Self::start_with(Made::default())).await
    }

    pub async fn start_with(made: Made) -> Self {
        Box::pin(Self::on(database().await, made)).await
    }

    /// A Temwen on a database that is there already.
    pub async fn on(connect: Connect, made: Made) -> Self {
        let now = Arc::new(Mutex::new(start()));
        let moved = Arc::clone(&now);
        let clock = Clock::driven(move || *moved.lock().unwrap());
        let policy = Policy::built_in().unwrap();
        let keys = keys();
        let lanes = Lanes::new(policy.categories_in_lane("psea"));
        let vault = vault();
        let db = Db::new(connect.clone(), made.connections, clock.clone(), lanes, keys.entry_seal(), vault)
            .unwrap();
        let register = data_keys::register(&db).await.unwrap();
        let shared = Shared {
            tokens: Tokens::new(&keys).unwrap(),
            passwords: Passwords::new(2, 64).unwrap(),
            slowdown: Slowdown::new(1000).unwrap(),
            flood: Flood::new(made.front.work_above, made.front.work_bits),
            keys,
            register,
            texts: Texts::built_in().unwrap(),
            policy,
            clock,
            front: made.front,
            witnesses: made.witnesses,
            evidence: made.evidence.unwrap_or_else(|| evidence(&connect.database)),
        };
        let temwen = Temwen { db, shared: Arc::new(shared) };
        let service = Rc::new(init_service(http::application(temwen.clone())).await);
        let answering: Answering = Rc::new(move |request| {
            let service = Rc::clone(&service);
            Box::pin(async move {
                match service.call(request).await {
                    Ok(response) => HttpResponse::from(response.map_into_boxed_body()),
                    Err(error) => error.error_response(),
                }
            })
        });
        Self { temwen, now, connect, answering, accounts: AtomicU32::new(0) }
    }

    /// The same Temwen with a pool of its own, for another thread or another purpose.
    pub fn again(&self, connections: usize) -> Temwen {
        let lanes = Lanes::new(self.temwen.policy.categories_in_lane("psea"));
        let seal = self.temwen.keys.entry_seal();
        let clock = self.temwen.clock.clone();
        let db = Db::new(self.connect.clone(), connections, clock, lanes, seal, vault()).unwrap();
        Temwen { db, shared: Arc::clone(&self.temwen.shared) }
    }

    /// Lets time pass.
    pub fn wait(&self, time: TimeDelta) {
        *self.now.lock().unwrap() += time;
    }

    pub fn anyone(&self) -> Caller<'_> {
        Caller { app: self, id: None, email: String::new(), token: None, refresh: None }
    }

    /// Somebody new with this role, signed in.
    pub async fn signed_in(&self, role: Role) -> Caller<'_> {
        let country = (role == Role::NationalAuthority).then(|| "KE".to_owned());
        let seat = (role == Role::PanelMember).then_some(Seat::Ohchr);
        self.signed_in_as(Rights { roles: [role].into_iter().collect(), country, seat }).await
    }

    /// Somebody new with these rights, signed in.
    pub async fn signed_in_as(&self, rights: Rights) -> Caller<'_> {
        static HASHED: OnceCell<String> = OnceCell::const_new();
        let hashed = HASHED
            .get_or_init(async || self.temwen.passwords.hash(SecretString::from(PASSWORD)).await.unwrap())
            .await
            .clone();
        let number = self.accounts.fetch_add(1, Ordering::Relaxed);
        let email = format!("officer-{number}@mission.example");
        let new = NewUser {
            email: Email::parse(&email).unwrap(),
            name: Line::parse(format!("Officer {number}")).unwrap(),
            rights,
            password: hashed,
        };
        let add = async |tx: &mut _| users::add(tx, &self.temwen.register, &new).await;
        let user = self.temwen.db.write(&By::system("test"), "test.add_user", add).await.unwrap();
        let mut caller = self.sign_in(&email, PASSWORD).await;
        caller.id = Some(user.id);
        caller
    }

    /// Signs in over HTTP.
    pub async fn sign_in(&self, email: &str, password: &str) -> Caller<'_> {
        let pair = self
            .anyone()
            .post("/v1/sessions", json!({"email": email, "password": password}))
            .await
            .expect(201);
        let text = |field: &str| pair[field].as_str().map(str::to_owned);
        Caller {
            app: self,
            id: None,
            email: email.to_owned(),
            token: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// The reporter of a complaint, from what handing it in answered.
    pub async fn reporter(&self, receipt: &Value) -> Caller<'_> {
        let body = json!({"reference": receipt["reference"], "access_code": receipt["access_code"]});
        let opened = self.anyone().post("/v1/reporter/sessions", body).await.expect(201);
        Caller { token: opened["access_token"].as_str().map(str::to_owned), ..self.anyone() }
    }

    /// A connection that owns everything and sees through the wall: to look behind the service's back.
    pub async fn owner(&self) -> AsyncPgConnection {
        Connect { as_owner: true, ..self.connect.clone() }.open().await.unwrap()
    }

    /// The rows of a query, as JSON, seen by the owner.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        use diesel::sql_types::Jsonb;
        use diesel_async::RunQueryDsl as _;
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = Jsonb)]
            row: Value,
        }
        let mut conn = self.owner().await;
        let rows: Vec<Row> = diesel::sql_query(format!("select to_jsonb(q) as row from ({sql}) q"))
            .load(&mut conn)
            .await
            .unwrap();
        rows.into_iter().map(|row| row.row).collect()
    }

    /// Seals what a test stored in the clear, as the owner of the tables does after an update.
    pub async fn seal_clear_text(&self) -> usize {
        let owner = Connect { as_owner: true, ..self.connect.clone() };
        let lanes = Lanes::new(self.temwen.policy.categories_in_lane("psea"));
        let (clock, seal) = (self.temwen.clock.clone(), self.temwen.keys.entry_seal());
        let db = Db::new(owner.clone(), 1, clock, lanes, seal, vault()).unwrap();
        clear_text::seal(&db, &self.temwen.register, &owner).await.unwrap()
    }

    /// What stands sealed in a column, opened behind the service's back; `id` is the row, and the complaint whose key opens it.
    pub async fn opened(&self, table: &'static str, column: &'static str, id: &str) -> Option<String> {
        let key = self
            .rows(&format!(
                "select id, master, encode(wrapped, 'base64') as wrapped from data_keys where id = '{id}'"
            ))
            .await;
        let sql = format!(
            "select encode({column}_sealed, 'base64') as sealed from {table} where {} = '{id}'",
            if table == "submissions" { "complaint_id" } else { "id" }
        );
        let bytes = |text: &str| STANDARD.decode(text.replace('\n', "")).unwrap();
        let row = self.rows(&sql).await;
        let id: uuid::Uuid = id.parse().unwrap();
        let wrapped = key[0]["wrapped"].as_str().map(bytes);
        let wrapped = WrappedKey { id, master: key[0]["master"].as_str().unwrap().to_owned(), wrapped };
        let key = vault().unwrap(&wrapped).unwrap();
        let sealed = bytes(row[0]["sealed"].as_str()?);
        Some(key.open_text(Place::new(table, column, id), &sealed).unwrap())
    }

    /// Gives everything that waits its place in the log, and signs it.
    pub async fn sequence(&self) -> Step {
        let step = Sequencer::new(Guard::in_memory()).step(&self.temwen).await.unwrap();
        assert_eq!(self.count("select from log_queue").await, 0);
        step
    }

    /// How many entries the test has left: without those of the vault, which was opened before it began.
    pub async fn entries(&self) -> i64 {
        self.count("select from audit_entries where actor <> 'vault'").await
    }

    /// The number that a query counts.
    pub async fn count(&self, sql: &str) -> i64 {
        self.rows(&format!("select count(*) as n from ({sql}) c")).await[0]["n"].as_i64().unwrap()
    }
}

impl Caller<'_> {
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).set_json(body)).await
    }

    pub async fn post_seen(&self, path: &str, version: i64, body: Value) -> Answer {
        self.send(
            self.request(Method::POST, path)
                .insert_header(("If-Match", format!("\"{version}\"")))
                .set_json(body),
        )
        .await
    }

    pub async fn post_keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).insert_header(("Idempotency-Key", key)).set_json(body))
            .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A request with the caller's token.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        let request = TestRequest::with_uri(path).method(method);
        match &self.token {
            Some(token) => request.insert_header(("Authorization", format!("Bearer {token}"))),
            None => request,
        }
    }

    /// What an address answers, as bytes, with what it says of how long they may be kept.
    pub async fn raw(&self, path: &str) -> (String, Vec<u8>) {
        let response = (self.app.answering)(self.request(Method::GET, path).to_request()).await;
        assert_eq!(response.status().as_u16(), 200, "{path}");
        assert_eq!(response.headers().get("content-type").unwrap(), "application/octet-stream");
        let keep = response.headers().get("cache-control").unwrap().to_str().unwrap().to_owned();
        (keep, to_bytes(response.into_body()).await.unwrap().to_vec())
    }

    pub async fn send(&self, request: TestRequest) -> Answer {
        self.send_request(request.to_request()).await
    }

    /// The bytes that an address answers with, as far as they come: `None` if they break off.
    pub async fn bytes(&self, request: TestRequest) -> (u16, Vec<(String, String)>, Option<Vec<u8>>) {
        let response = (self.app.answering)(request.to_request()).await;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        (status, headers, to_bytes(response.into_body()).await.ok().map(|bytes| bytes.to_vec()))
    }

    /// Sends a request that is made already, such as one whose body comes in pieces.
    pub async fn send_request(&self, request: actix_http::Request) -> Answer {
        let response = (self.app.answering)(request).await;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let bytes = to_bytes(response.into_body()).await.unwrap_or_else(|_| panic!("the body broke off"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, text, body }
    }
}

/// The key files of the tests: made once, in the tests' data directory.
fn keys() -> Keys {
    Keys::open_or_create(&postgres().data_dir.join("keys"), None).unwrap()
}

/// A place for the bytes of evidence, for one test.
fn evidence(database: &str) -> Blobs {
    Blobs::open(None, &postgres().data_dir.join("blobs").join(database), evidence_limit()).unwrap()
}

/// What a file may have in tests: enough for several segments.
pub fn evidence_limit() -> u64 {
    64 * 1024 * 1024
}

/// The vault of the tests.
pub fn vault() -> Vault {
    Vault::open(Directory(postgres().data_dir.join("keys"))).unwrap()
}

/// The Postgres of this test run.
pub struct TestPostgres {
    pub socket: PathBuf,
    pub data_dir: PathBuf,
    /// Ends Postgres when the tests are over: its standard input closes with this process, however that ends.
    _watchdog: Mutex<Child>,
}

/// Starts it at the first test that wants it.
pub fn postgres() -> &'static TestPostgres {
    static POSTGRES: OnceLock<TestPostgres> = OnceLock::new();
    POSTGRES.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("temwen-test-{}", std::process::id()));
        let data_dir = embedded::create_data_dir(&dir).unwrap();
        let settings = [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"), ("max_connections", "300")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let running = PrivatePostgres::start(Options { settings, ..Options::new(&data_dir) }).unwrap();
        let socket = running.socket_dir().to_owned();
        let pid_file = data_dir.join("postgres").join("postmaster.pid");
        let script = "cat >/dev/null; kill -INT \"$(head -n 1 \"$1\")\"; while [ -e \"$1\" ]; do sleep 0.1; done; rm -rf \"$2\"";
        let watchdog = std::os::unix::process::CommandExt::process_group(
            Command::new("sh").arg("-c").arg(script).arg("watchdog").arg(&pid_file).arg(&data_dir),
            0,
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        // Dropping it would stop the server after the first test.
        std::mem::forget(running);
        TestPostgres { socket, data_dir, _watchdog: Mutex::new(watchdog) }
    })
}

fn connect(database: &str, as_owner: bool) -> Connect {
    Connect { server: Server::Private(postgres().socket.clone()), database: database.to_owned(), as_owner }
}

/// A fresh copy of the migrated template database.
pub async fn database() -> Connect {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    TEMPLATE
        .get_or_init(async || {
            let mut admin = connect("postgres", true).open().await.unwrap();
            admin.batch_execute("create database template_temwen").await.unwrap();
            migrate::run(&connect("template_temwen", true)).await.unwrap();
            admin.batch_execute("alter role temwen_server login").await.unwrap();
            // So that the record of each test begins with what the test does.
            let lanes = Lanes::new(Policy::built_in().unwrap().categories_in_lane("psea"));
            let template = connect("template_temwen", false);
            let db = Db::new(template, 1, Clock::driven(start), lanes, keys().entry_seal(), vault()).unwrap();
            data_keys::register(&db).await.unwrap();
        })
        .await;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut admin = connect("postgres", true).open().await.unwrap();
    admin
        .batch_execute(&format!("create database {name} template template_temwen strategy file_copy"))
        .await
        .unwrap();
    connect(&name, false)
}

impl TestApp {
    /// This Temwen as it is now, on a database of its own: what a backup would bring back.
    pub async fn copy(&self) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (of, name) = (&self.connect.database, format!("copy_{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mut admin = connect("postgres", true).open().await.unwrap();
        // Postgres copies only what nobody uses; the pool opens other connections afterwards.
        let sql =
            format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{of}'");
        admin.batch_execute(&sql).await.unwrap();
        admin
            .batch_execute(&format!("create database {name} template {of} strategy file_copy"))
            .await
            .unwrap();
        let copy = Box::pin(Self::on(connect(&name, false), Made::default())).await;
        *copy.now.lock().unwrap() = *self.now.lock().unwrap();
        copy.accounts.store(1000, Ordering::Relaxed);
        copy
    }
}

/// A database without anything in it.
pub async fn empty_database(name: &str) -> Connect {
    let mut admin = connect("postgres", true).open().await.unwrap();
    admin.batch_execute(&format!("create database {name}")).await.unwrap();
    connect(name, false)
}
