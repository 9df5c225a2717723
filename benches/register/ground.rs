//! What is measured on: a private Postgres with default durability, a register filled by the owner, and the server itself.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use temwen::auth::Role;
use temwen::commands::opened::{Opened, Use};
use temwen::config::Database;
use temwen::db::Connect;
use temwen::db::embedded::create_data_dir;
use tokio_postgres::{Client, NoTls};

use crate::bare::Bare;
use crate::load;

const PASSWORD: &str = "four calm herons cross the bay";
/// Accounts that only sign in, so that no client queues behind another of the same account.
pub const OFFICERS: usize = 64;

/// All of it.
pub struct Ground {
    pub folder: PathBuf,
    pub opened: Opened,
    pub owner: Client,
    pub bare: Bare,
}

impl Ground {
    /// Starts Postgres in a folder of its own below the system's one for temporary files, migrates, and makes accounts.
    pub async fn lay() -> Self {
        let folder =
            create_data_dir(&std::env::temp_dir().join(format!("temwen-bench-{}", std::process::id())))
                .unwrap();
        let opened =
            Opened::open(&database(&folder), Use::Command).await.unwrap_or_else(|failed| panic!("{failed}"));
        let owner = Connect { as_owner: true, ..opened.connect.clone() };
        let (owner, connection) = owner.config().unwrap().connect(NoTls).await.unwrap();
        actix_web::rt::spawn(connection);
        let hash = opened.shared.passwords.hash(SecretString::from(PASSWORD)).await.unwrap();
        let account = "insert into users (id, email, name, roles, country, seat, password, created_at)
            values (('01900000-0000-7000-b000-' || lpad($1::bigint::text, 12, '0'))::uuid, $2, $2, array[$3::text], $4, $5, $6, now())";
        let officers = (0..OFFICERS).map(|n| (format!("officer-{n}@bench.example"), Role::FocalPoint));
        let roles = Role::ALL.iter().map(|role| (format!("{}@bench.example", role.as_str()), *role));
        for ((email, role), number) in roles.chain(officers).zip(1_i64..) {
            let country = (role == Role::NationalAuthority).then_some("KE");
            let seat = (role == Role::PanelMember).then_some("ohchr");
            owner.execute(account, &[&number, &email, &role.as_str(), &country, &seat, &hash]).await.unwrap();
        }
        let programs: String =
            owner.query_one("select setting from pg_config where name = 'BINDIR'", &[]).await.unwrap().get(0);
        let postgres = &opened.private.as_ref().unwrap().postgres;
        let bare = Bare {
            socket: postgres.socket_dir().to_owned(),
            programs: programs.into(),
            options: opened.connect.config().unwrap().get_options().unwrap_or_default().to_owned(),
            log: postgres.log().to_owned(),
            folder: folder.clone(),
            runs: Cell::new(0),
        };
        Self { folder, opened, owner, bare }
    }

    /// Fills the register with the cases `from` to `to`.
    pub async fn fill(&self, from: u64, to: u64) {
        let sql =
            include_str!("data.sql").replace(":from", &from.to_string()).replace(":to", &to.to_string());
        self.owner.batch_execute(&sql).await.unwrap();
        self.settle().await;
    }

    /// Leaves no work of the past to whatever is measured next.
    pub async fn settle(&self) {
        self.owner.batch_execute("vacuum (analyze)").await.unwrap();
        self.owner.batch_execute("checkpoint").await.unwrap();
    }

    /// The first number that a query answers.
    pub async fn number(&self, sql: &str) -> i64 {
        self.owner.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Milliseconds of processor time that Postgres has taken so far, the connections that are over included.
    pub fn postgres_time(&self) -> u64 {
        let pid = fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let living: u64 = children.split_whitespace().map(|child| time_of(child, false)).sum();
        living + time_of(pid, true)
    }

    fn cluster(&self) -> PathBuf {
        self.bare.socket.with_file_name("postgres")
    }

    /// Ends Postgres and removes everything.
    pub async fn clear(self) {
        drop(self.owner);
        self.opened.close().await.unwrap_or_else(|failed| panic!("{failed}"));
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Milliseconds of processor time that a process has taken; with that of its children that are over, if wanted.
fn time_of(pid: &str, with_children: bool) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(if with_children { 4 } else { 2 });
    // A tick is a hundredth of a second on every Linux in use.
    ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

/// The register in a folder.
fn database(folder: &std::path::Path) -> Database {
    Database {
        log_origin: None,
        data_dir: folder.to_owned(),
        database_url: None,
        postgres_bin_dir: None,
        key_dir: None,
        policy: None,
        master_keys: None,
        evidence_store: None,
        evidence_limit: 2 * 1024 * 1024 * 1024,
    }
}

/// The server, as a process of its own, with all that it does by default; its log goes to a file.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process until it was ready.
    pub took: Duration,
}

impl Running {
    /// Starts it and waits until it is ready.
    pub async fn start(ground: &Ground, program: &str) -> Self {
        let log =
            fs::File::options().create(true).append(true).open(ground.folder.join("server.log")).unwrap();
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--work-above", "0", "--data-dir"])
            .arg(&ground.folder)
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap();
        let address = address.parse().unwrap_or_else(|_| panic!("the server said {line:?}"));
        let mut request = Vec::new();
        load::get(&mut request, "/ready", "");
        let request = String::from_utf8(request).unwrap().replace("authorization: Bearer \r\n", "");
        while !matches!(load::once(address, request.as_bytes()).await, Ok((200, _))) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the server is not ready");
            actix_web::rt::time::sleep(Duration::from_millis(2)).await;
        }
        Self { child, address, took: begun.elapsed() }
    }

    /// Signs in, as the account of a role; the access token.
    pub async fn token(&self, who: &str) -> String {
        let mut request = Vec::new();
        load::post(&mut request, "/v1/sessions", &sign_in(who));
        let (status, body) = load::once(self.address, &request).await.unwrap();
        assert_eq!(status, 201, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// Milliseconds of processor time that it has taken so far.
    pub fn time(&self) -> u64 {
        time_of(&self.child.id().to_string(), false)
    }

    /// Kilobytes resident now, and at most so far.
    pub fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        (of("VmRSS:"), of("VmHWM:"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// What signs an account in.
pub fn sign_in(who: &str) -> String {
    serde_json::json!({ "email": format!("{who}@bench.example"), "password": PASSWORD }).to_string()
}
