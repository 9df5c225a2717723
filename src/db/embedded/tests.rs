//! Stories with a real PostgreSQL, run as whoever runs the tests: root and others both matter.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::*;

/// A place that everybody can pass, as those of services are.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    place
}

fn options(data_dir: &Path) -> Options {
    let settings = vec![("fsync".to_owned(), "off".to_owned())];
    Options { settings, ..Options::new(data_dir) }
}

fn start(place: &TempDir) -> PrivatePostgres {
    PrivatePostgres::start(options(&place.path().join("data"))).unwrap()
}

fn postmaster_pid(postgres: &PrivatePostgres) -> Pid {
    let text = fs::read_to_string(postgres.cluster.places.cluster.join("postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
}

async fn connect(postgres: &PrivatePostgres) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(postgres.socket_dir()).port(PORT).user(SUPERUSER).dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn ask(postgres: &PrivatePostgres, statement: &str) -> Result<Option<String>, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let rows = connect(postgres).await.simple_query(statement).await?;
        Ok(rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    })
}

fn answers(socket_dir: &Path) -> bool {
    UnixStream::connect(socket_dir.join(".s.PGSQL.5432")).is_ok()
}

#[test]
fn what_is_stored_is_there_at_the_second_start() {
    let place = place();
    let first = start(&place);
    ask(&first, "create table kept as select 'kreyòl' as word").unwrap();
    let (socket_dir, log) = (first.socket_dir().to_owned(), first.log().to_owned());
    assert_eq!(ask(&first, "show listen_addresses").unwrap().unwrap(), "");
    assert_eq!(ask(&first, "show data_checksums").unwrap().unwrap(), "on");
    assert_eq!(ask(&first, "show server_encoding").unwrap().unwrap(), "UTF8");
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    first.stop().unwrap();
    assert!(!answers(&socket_dir));

    let since = Instant::now();
    let second = start(&place);
    eprintln!("second start: {:?}", since.elapsed());
    assert_eq!(ask(&second, "select word from kept").unwrap().unwrap(), "kreyòl");
    second.stop().unwrap();
    assert!(fs::read_to_string(log).unwrap().contains("ready to accept connections"));
}

#[test]
fn the_log_holds_nothing_of_what_is_said_to_the_database() {
    let place = place();
    let postgres = start(&place);
    ask(&postgres, "create table told (words text primary key, age int check (age > 0))").unwrap();
    for statement in [
        "select 'SECRET'::uuid",
        "select 'SECRET'::int",
        "insert into told values ('SECRET', -1)",
        "insert into told values ('SECRET', 1), ('SECRET', 2)",
        "do $$ begin raise warning 'SECRET'; end $$; select SECRET",
    ] {
        ask(&postgres, statement).unwrap_err();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = connect(&postgres).await;
        client.execute("insert into told values ($1, -1)", &[&"SECRET"]).await.unwrap_err();
        // A backend that is killed makes the postmaster report what it was doing.
        let killed = client.query_one("select pg_backend_pid()", &[]).await.unwrap().get::<_, i32>(0);
        let blow = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
        });
        client.simple_query("select 'SECRET', pg_sleep(30)").await.unwrap_err();
        blow.join().unwrap();
    });
    let log = postgres.log().to_owned();
    postgres.stop().unwrap();
    let text = fs::read_to_string(log).unwrap();
    assert!(!text.to_uppercase().contains("SECRET"), "{text}");
    assert!(text.contains("was terminated by signal 9"), "{text}");
}

#[test]
fn a_postgres_that_outlived_its_temwen_is_adopted() {
    let place = place();
    let killed = start(&place);
    let pid = postmaster_pid(&killed);
    // What a kill leaves: nobody stops Postgres, and the locks are gone with the files that held them.
    let share = killed.share.lock().unwrap().take().unwrap();
    let Share { postmaster, user } = share;
    postmaster.leave();
    drop(user);
    std::mem::forget(killed);

    let next = start(&place);
    assert_eq!(postmaster_pid(&next), pid);
    assert_eq!(ask(&next, "select 1").unwrap().unwrap(), "1");
    let socket_dir = next.socket_dir().to_owned();
    next.stop().unwrap();
    assert!(!answers(&socket_dir));
}

#[test]
fn a_killed_postmaster_is_started_again() {
    let place = place();
    let postgres = start(&place);
    ask(&postgres, "create table kept as select 1 as one").unwrap();
    assert!(!postgres.ensure_running().unwrap());
    // Somebody whose query is still being worked on when the postmaster dies.
    let socket_dir = postgres.socket_dir().to_owned();
    let busy = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut config = tokio_postgres::Config::new();
            config.host_path(socket_dir).user(SUPERUSER).dbname("postgres");
            let (client, connection) = config.connect(NoTls).await.unwrap();
            tokio::spawn(connection);
            client.simple_query("do $$ begin loop end loop; end $$").await.unwrap_err();
        });
    });
    std::thread::sleep(Duration::from_millis(300));
    let before = postmaster_pid(&postgres);
    kill(before, Signal::SIGKILL).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let since = Instant::now();
    assert!(postgres.ensure_running().unwrap());
    eprintln!("started again beside a busy orphan: {:?}", since.elapsed());
    assert_ne!(postmaster_pid(&postgres), before);
    assert_eq!(ask(&postgres, "select one from kept").unwrap().unwrap(), "1");
    assert!(!postgres.ensure_running().unwrap());
    busy.join().unwrap();

    // And once more with nobody busy, seen by one who did not start it.
    let other = start(&place);
    kill(postmaster_pid(&postgres), Signal::SIGKILL).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let since = Instant::now();
    let restarts = std::thread::scope(|scope| {
        let both = [&postgres, &other].map(|each| scope.spawn(|| each.ensure_running().unwrap()));
        both.map(|each| each.join().unwrap())
    });
    eprintln!("started again: {:?}", since.elapsed());
    assert_eq!(restarts.iter().filter(|restarted| **restarted).count(), 1);
    assert_eq!(ask(&other, "select one from kept").unwrap().unwrap(), "1");
    postgres.stop().unwrap();
    assert_eq!(ask(&other, "select one from kept").unwrap().unwrap(), "1");
    other.stop().unwrap();
}

#[test]
fn everything_killed_at_once_leaves_nothing_to_be_done_by_hand() {
    let place = place();
    let postgres = start(&place);
    ask(&postgres, "create table kept as select 1 as one").unwrap();
    kill(postmaster_pid(&postgres), Signal::SIGKILL).unwrap();
    let cluster = postgres.cluster.places.cluster.clone();
    let Share { postmaster, user } = postgres.share.lock().unwrap().take().unwrap();
    postmaster.leave();
    drop(user);
    drop(postgres);
    assert!(cluster.join("postmaster.pid").exists());
    let next = start(&place);
    assert_eq!(ask(&next, "select one from kept").unwrap().unwrap(), "1");
    next.stop().unwrap();
}

#[test]
fn a_stale_pid_file_does_not_hinder_whoever_has_its_number_now() {
    let place = place();
    let first = start(&place);
    let (cluster, owner) =
        (first.cluster.places.cluster.clone(), fs::metadata(&first.cluster.places.cluster).unwrap());
    let kept = fs::read_to_string(cluster.join("postmaster.pid")).unwrap();
    first.stop().unwrap();

    // Another program of the user who runs Postgres, which Postgres itself would take for a rival.
    let mut stranger = Command::new("sleep");
    if nix::unistd::geteuid().is_root() {
        stranger.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = stranger.arg("60").stdin(Stdio::null()).spawn().unwrap();
    let (_, rest) = kept.split_once('\n').unwrap();
    for stale in [format!("{}\n{rest}", stranger.id()), String::new(), "999999999\n/gone\n".to_owned()] {
        fs::write(cluster.join("postmaster.pid"), stale).unwrap();
        std::os::unix::fs::chown(cluster.join("postmaster.pid"), Some(owner.uid()), Some(owner.gid()))
            .unwrap();
        let next = start(&place);
        assert_eq!(ask(&next, "select 1").unwrap().unwrap(), "1");
        next.stop().unwrap();
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn the_first_to_leave_does_not_stop_it_and_the_last_does() {
    let place = place();
    let (server, command) = (start(&place), start(&place));
    let socket_dir = server.socket_dir().to_owned();
    server.stop().unwrap();
    assert_eq!(ask(&command, "select 1").unwrap().unwrap(), "1");
    drop(command);
    assert!(!answers(&socket_dir));
}

#[test]
fn many_may_begin_at_once() {
    let place = place();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let postgres = start(&place);
                assert_eq!(ask(&postgres, "select 1").unwrap().unwrap(), "1");
                postgres.stop().unwrap();
            });
        }
    });
}

#[test]
fn a_data_directory_has_one_server() {
    let place = place();
    let data_dir = place.path().join("data");
    let lock = lock_for_serving(&data_dir).unwrap();
    let refusal = lock_for_serving(&data_dir).unwrap_err().to_string();
    let expected = format!("another Temwen server (process {}) already serves", std::process::id());
    assert!(refusal.starts_with(&expected), "{refusal}");
    drop(lock);
    drop(lock_for_serving(&data_dir).unwrap());
}

#[test]
fn an_interrupted_beginning_is_repeated_but_a_damaged_cluster_is_not_replaced() {
    let place = place();
    let unfinished = place.path().join("data/postgres.unfinished");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    start(&place).stop().unwrap();
    assert!(!unfinished.exists());

    fs::remove_file(place.path().join("data/postgres/PG_VERSION")).unwrap();
    let refusal = PrivatePostgres::start(options(&place.path().join("data"))).unwrap_err();
    assert!(matches!(refusal, Failure::Damaged { .. }), "{refusal}");
}

#[test]
fn what_hinders_postgres_is_said() {
    let place = place();
    start(&place).stop().unwrap();
    fs::write(place.path().join("data/postgres/global/pg_control"), "broken").unwrap();
    let refusal = PrivatePostgres::start(options(&place.path().join("data"))).unwrap_err().to_string();
    assert!(refusal.starts_with("PostgreSQL did not start, it says \"PANIC:  could not read"), "{refusal}");
}

#[test]
fn a_data_directory_with_a_long_path_has_its_socket_elsewhere() {
    let place = place();
    let data_dir = place.path().join("a".repeat(60)).join("b, \"c\"".repeat(8));
    let first = PrivatePostgres::start(options(&data_dir)).unwrap();
    assert!(first.socket_dir().starts_with("/tmp") && !first.socket_dir().starts_with(place.path()));
    assert_eq!(ask(&first, "select 1").unwrap().unwrap(), "1");
    let socket_dir = first.socket_dir().to_owned();
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    first.stop().unwrap();
    fs::remove_dir(&socket_dir).unwrap();
    // Somebody has put something of theirs in its place.
    std::os::unix::fs::symlink(place.path(), &socket_dir).unwrap();
    let refusal = PrivatePostgres::start(options(&data_dir)).unwrap_err();
    assert!(matches!(refusal, Failure::NotPrivate { .. }), "{refusal}");
    fs::remove_file(&socket_dir).unwrap();
}

#[test]
fn a_path_with_odd_characters_is_fine() {
    let place = place();
    let data_dir = place.path().join("a, \"b\" ç'");
    let postgres = PrivatePostgres::start(options(&data_dir)).unwrap();
    assert!(postgres.socket_dir().starts_with(place.path()));
    assert_eq!(ask(&postgres, "select 1").unwrap().unwrap(), "1");
    postgres.stop().unwrap();
    let refusal = create_data_dir(&place.path().join("a\nb")).unwrap_err();
    assert!(matches!(refusal, Failure::LineBreak));
}

#[test]
fn a_data_directory_that_postgres_cannot_reach_has_its_cluster_elsewhere() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let first = start(&place);
    let home = first.cluster.places.home.clone();
    assert!(home.starts_with("/var/lib/temwen"));
    ask(&first, "create table kept as select 1 as one").unwrap();
    first.stop().unwrap();
    let second = start(&place);
    assert_eq!(ask(&second, "select one from kept").unwrap().unwrap(), "1");
    second.stop().unwrap();

    // A copy of the data directory is not a copy of the database.
    let (data_dir, copy) = (place.path().join("data"), place.path().join("copy"));
    fs::create_dir(&copy).unwrap();
    fs::copy(data_dir.join("postgres.location"), copy.join("postgres.location")).unwrap();
    let refusal = PrivatePostgres::start(options(&copy)).unwrap_err();
    assert!(matches!(refusal, Failure::Copy { .. }), "{refusal}");
    // But one that was moved takes it along.
    fs::remove_dir_all(&data_dir).unwrap();
    PrivatePostgres::start(options(&copy)).unwrap().stop().unwrap();
    // A new one with the old name does not find the old database by chance.
    let refusal = PrivatePostgres::start(options(&data_dir)).unwrap_err();
    assert!(matches!(refusal, Failure::LeftBehind { .. }), "{refusal}");
    // And a lost one is not replaced by an empty one.
    fs::remove_dir_all(&home).unwrap();
    let refusal = PrivatePostgres::start(options(&copy)).unwrap_err();
    assert!(matches!(refusal, Failure::Lost { .. }), "{refusal}");
    // Fails if others use it, which is right.
    let _ = fs::remove_dir("/var/lib/temwen");
}

#[test]
fn root_may_help_out_in_the_data_directory_of_another_user() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let place = place();
    let data_dir = create_data_dir(&place.path().join("data")).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    std::os::unix::fs::chown(&data_dir, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    start(&place).stop().unwrap();
    // All is theirs, so they can run Temwen themselves from now on.
    for entry in fs::read_dir(&data_dir).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), nobody.uid.as_raw(), "{:?}", entry.path());
    }
}

#[test]
fn a_ctrl_c_at_the_terminal_does_not_reach_it() {
    let place = place();
    let postgres = start(&place);
    let pid = postmaster_pid(&postgres);
    assert_eq!(nix::unistd::getpgid(Some(pid)), Ok(pid));
    postgres.stop().unwrap();
}

#[test]
fn without_programs_a_sentence_says_so() {
    let (here, empty) = (place(), place());
    let options =
        Options { bin_dir: Some(empty.path().to_owned()), ..Options::new(here.path().join("data")) };
    let refusal = PrivatePostgres::start(options).unwrap_err();
    assert!(matches!(refusal, Failure::NotThere { .. }), "{refusal}");
}
