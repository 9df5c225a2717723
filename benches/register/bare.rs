//! The same statements without the server: what Postgres logs of one request becomes a script for pgbench.
//!
//! Nothing of it is kept by hand, so the two cannot drift apart: the statements, their parameters and the parameters' types
//! are those of the request. What must differ from one transaction to the next (new ids, the case that is read) is made
//! from pgbench's own variables.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use actix_web::test::{TestRequest, call_service, init_service, read_body};
use diesel::sql_types as sql;
use diesel_async::RunQueryDsl;
use temwen::db::Caller;
use temwen::{Temwen, http};
use tokio_postgres::Client;
use uuid::Uuid;

/// The ids of the data look as if they had been made before this moment; those of a request are made now.
const MADE_BEFORE: u64 = 1_760_000_000;

/// One statement of a request, as Postgres got it.
struct Statement {
    sql: String,
    parameters: Vec<Option<String>>,
    /// Empty where the statement was prepared for this once: Postgres then finds the types by itself.
    types: Vec<String>,
}

/// What pgbench is told: a script, and the values that stay the same.
pub struct Script {
    pub statements: usize,
    text: String,
    fixed: Vec<(String, String)>,
}

/// Where the cluster is, and as whom to come.
pub struct Bare {
    pub socket: PathBuf,
    pub programs: PathBuf,
    pub options: String,
    pub log: PathBuf,
    pub folder: PathBuf,
    pub runs: std::cell::Cell<u64>,
}

/// What pgbench came to.
#[derive(Clone, Copy)]
pub struct Ran {
    pub per_second: f64,
    pub transactions: u64,
}

#[derive(diesel::QueryableByName)]
struct Prepared {
    #[diesel(sql_type = sql::Text)]
    statement: String,
    #[diesel(sql_type = sql::Array<sql::Text>)]
    types: Vec<String>,
}

impl Bare {
    /// Answers one request on a connection of its own, and makes a script of what Postgres was asked.
    ///
    /// `target` is the id that stands for any of `cases` others.
    pub async fn script(
        &self,
        owner: &Client,
        temwen: Temwen,
        request: TestRequest,
        target: Option<(Uuid, u64)>,
    ) -> Script {
        let log_all = "alter role temwen_server set log_statement = 'all'; alter role temwen_server set log_error_verbosity = 'default';
            alter role temwen_server set log_parameter_max_length = -1";
        owner.batch_execute(log_all).await.unwrap();
        let known = owner
            .query("select id::text from sessions union all select id::text from users", &[])
            .await
            .unwrap();
        let known: Vec<Uuid> = known.iter().map(|row| Uuid::parse_str(row.get(0)).unwrap()).collect();
        let service = init_service(http::application(temwen.clone())).await;
        // What opening the connection takes is no part of a request.
        temwen.db.ready().await.unwrap();
        let place = fs::metadata(&self.log).unwrap().len();
        let response = call_service(&service, request.to_request()).await;
        let status = response.status();
        let body = read_body(response).await;
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        let logged = read_from(&self.log, place);
        let all = "select statement, parameter_types::text[] as types from pg_prepared_statements";
        let prepared: Vec<Prepared> = temwen
            .db
            .read(&Caller::system("bench"), async |mut conn| diesel::sql_query(all).load(&mut conn).await)
            .await
            .unwrap();
        owner.batch_execute("alter role temwen_server reset all").await.unwrap();
        let types: HashMap<&str, &Vec<String>> =
            prepared.iter().map(|each| (each.statement.as_str(), &each.types)).collect();
        let mut statements = parse(&logged);
        for each in &mut statements {
            each.types = types.get(each.sql.as_str()).map(|types| (*types).clone()).unwrap_or_default();
        }
        write(&statements, &known, target)
    }

    /// Lets pgbench run a script for `time`, and a second before and after it: its connections are new each time, and what
    /// they do first (reading catalogues, planning) is long done on ours.
    pub fn run(&self, script: &Script, pipelined: bool, clients: usize, time: Duration) -> Ran {
        let prefix = self.folder.join(format!("pgbench-{}", self.runs.get()));
        let seconds = (time.as_secs_f64().ceil() + 2.0).to_string();
        let log = ["-T", &seconds, "-l", "--aggregate-interval=1", "--log-prefix", prefix.to_str().unwrap()];
        let transactions = self.pgbench(script, pipelined, clients, &log);
        // When each second began, and how many transactions each thread ended in it.
        let mut ended = BTreeMap::<u64, u64>::new();
        let begins = prefix.file_name().unwrap().to_str().unwrap().to_owned() + ".";
        for file in fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap()) {
            if file.file_name().to_str().is_some_and(|name| name.starts_with(&begins)) {
                for line in fs::read_to_string(file.path()).unwrap().lines() {
                    let mut words = line.split(' ').map_while(|word| word.parse::<u64>().ok());
                    let (second, number) = (words.next().unwrap(), words.next().unwrap());
                    *ended.entry(second).or_default() += number;
                }
                fs::remove_file(file.path()).unwrap();
            }
        }
        ended.pop_first();
        ended.pop_last();
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let per_second = ended.values().sum::<u64>() as f64 / ended.len() as f64;
        Ran { per_second, transactions }
    }

    /// Runs a script a few times.
    pub fn try_out(&self, script: &Script, pipelined: bool, times: usize) {
        self.pgbench(script, pipelined, 1, &["-t", &times.to_string()]);
    }

    /// How many transactions there were.
    fn pgbench(&self, script: &Script, pipelined: bool, clients: usize, how_long: &[&str]) -> u64 {
        let run = self.runs.get() + 1;
        self.runs.set(run);
        let path = self.folder.join(format!("script-{run}.sql"));
        let (begin, end) = if pipelined { ("\\startpipeline\n", "\\endpipeline\n") } else { ("", "") };
        let (numbers, rest) = script.text.split_once("---\n").unwrap();
        fs::write(&path, format!("{numbers}{begin}{rest}{end}")).unwrap();
        let threads = clients.min(std::thread::available_parallelism().map_or(1, usize::from));
        let program = self.programs.join("pgbench");
        let mut command = Command::new(if program.exists() { &program } else { Path::new("pgbench") });
        command.args(["-n", "-M", "prepared", "-U", "temwen_server", "-p", "5432", "-h"]).arg(&self.socket);
        command
            .args(["-c", &clients.to_string(), "-j", &threads.to_string()])
            .args(how_long)
            .arg("-f")
            .arg(&path);
        command.args(["-D", &format!("n={}", 100_000_000_000 + run * 100_000_000)]);
        for (name, value) in &script.fixed {
            command.arg("-D").arg(format!("{name}={value}"));
        }
        let output = command
            .arg("temwen")
            .env("PGOPTIONS", &self.options)
            .output()
            .expect("pgbench, which comes with PostgreSQL");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "pgbench failed: {}\n{}",
            String::from_utf8_lossy(&output.stderr),
            fs::read_to_string(&path).unwrap_or_default()
        );
        let transactions = said
            .split_once("actually processed: ")
            .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect());
        transactions
            .and_then(|digits: String| digits.parse().ok())
            .unwrap_or_else(|| panic!("pgbench said {said}"))
    }
}

fn read_from(path: &Path, place: u64) -> String {
    let mut file = fs::File::open(path).unwrap();
    file.seek(SeekFrom::Start(place)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

/// The statements of a log, each with the line of its parameters.
fn parse(log: &str) -> Vec<Statement> {
    let mut all: Vec<Statement> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("LOG:  execute ") {
            let (_, sql) = rest.split_once(": ").unwrap();
            all.push(Statement { sql: sql.to_owned(), parameters: Vec::new(), types: Vec::new() });
        } else if let Some((_, sql)) = line.split_once("LOG:  statement: ") {
            all.push(Statement { sql: sql.to_owned(), parameters: Vec::new(), types: Vec::new() });
        } else if let Some((_, rest)) = line.split_once("DETAIL:  parameters: ") {
            all.last_mut().unwrap().parameters = parameters(rest);
        } else if !line.contains("LOG:  ")
            && let Some(last) = all.last_mut()
        {
            last.sql += line;
        }
    }
    all
}

/// `$1 = 'it''s', $2 = NULL`.
fn parameters(mut rest: &str) -> Vec<Option<String>> {
    let mut all = Vec::new();
    while let Some((_, value)) = rest.split_once(" = ") {
        if let Some(after) = value.strip_prefix("NULL") {
            all.push(None);
            rest = after;
            continue;
        }
        let mut text = String::new();
        let mut characters = value.char_indices().skip(1).peekable();
        let mut end = value.len();
        while let Some((at, c)) = characters.next() {
            if c == '\'' && characters.next_if(|(_, next)| *next == '\'').is_none() {
                end = at + 1;
                break;
            }
            text.push(c);
        }
        all.push(Some(text));
        rest = &value[end..];
    }
    all
}

/// Turns statements into a script.
fn write(statements: &[Statement], known: &[Uuid], target: Option<(Uuid, u64)>) -> Script {
    let mut fresh: Vec<Uuid> = Vec::new();
    let mut fixed = Vec::new();
    let mut body = String::new();
    for (place, statement) in statements.iter().enumerate() {
        let mut value = |number: usize| {
            let kind = statement.types.get(number).map(String::as_str);
            let cast = kind.map(|kind| format!("::{kind}")).unwrap_or_default();
            let Some(text) = &statement.parameters[number] else { return format!("null{cast}") };
            if text.is_empty() {
                return format!("''{cast}");
            }
            let mut one = |text: &str| {
                let id = Uuid::parse_str(text).ok()?;
                if let Some((target, _)) = target
                    && target == id
                {
                    return Some(
                        "('01900000-0000-7000-8000-' || lpad(:any::text, 12, '0'))::uuid".to_owned(),
                    );
                }
                // Made just now, and not somebody who was there before.
                let new =
                    id.get_timestamp().is_some_and(|at| at.to_unix().0 > MADE_BEFORE) && !known.contains(&id);
                new.then(|| {
                    let index = fresh.iter().position(|each| *each == id).unwrap_or_else(|| {
                        fresh.push(id);
                        fresh.len() - 1
                    });
                    format!("lpad(:new{index}::text, 32, '9')::uuid")
                })
            };
            let made = match kind {
                Some("uuid") | None => one(text),
                Some("uuid[]") => {
                    let ids: Vec<&str> = text.trim_matches(['{', '}']).split(',').collect();
                    let each: Option<Vec<String>> = ids.into_iter().map(&mut one).collect();
                    each.map(|each| format!("array[{}]::uuid[]", each.join(", ")))
                }
                Some("text") if text.len() == 12 && text.starts_with("TW-") => {
                    Some("('TW-B' || :new0)".to_owned())
                }
                _ => None,
            };
            let digest = statement.sql.contains("refresh_tokens") && text.starts_with("\\x");
            made.or_else(|| digest.then(|| "decode(lpad(:new0::text, 64, '0'), 'hex')".to_owned()))
                .unwrap_or_else(|| {
                    let name = format!("s{place}_{number}");
                    fixed.push((name.clone(), text.clone()));
                    format!("(:{name}){cast}")
                })
        };
        let mut parts = statement.sql.split('$');
        body += parts.next().unwrap_or_default();
        for part in parts {
            let digits = part.chars().take_while(char::is_ascii_digit).count();
            let number: usize = part[..digits].parse().unwrap();
            body += &value(number - 1);
            body += &part[digits..];
        }
        body += ";\n";
    }
    let mut text = String::from("\\set n :n + 1\n");
    for index in 0..fresh.len() {
        writeln!(text, "\\set new{index} (:n * 64 + :client_id) * 16 + {index}").unwrap();
    }
    if let Some((_, cases)) = target {
        writeln!(text, "\\set any random(1, {cases})").unwrap();
    }
    Script { statements: statements.len(), text: format!("{text}---\n{body}"), fixed }
}
