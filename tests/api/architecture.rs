//! The rooms of the house and the slope between them: what a source file may name. See `docs/ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The features, each with those that it may use: only down the slope, never back up.
const FEATURES: &[(&str, &[&str])] = &[
    ("log", &[]),
    ("personnel", &["log"]),
    ("users", &["log", "personnel"]),
    ("words", &["log", "users"]),
    ("parties", &["log", "users", "personnel", "words"]),
    ("deadlines", &["log", "personnel", "users"]),
    ("complaints", &["log", "users", "personnel", "words", "parties", "deadlines"]),
    ("cases", &["log", "users", "personnel", "words", "parties", "deadlines", "complaints"]),
    ("evidence", &["log", "users", "personnel", "words", "parties", "deadlines", "complaints", "cases"]),
    (
        "retention",
        &["log", "users", "personnel", "words", "parties", "deadlines", "complaints", "cases", "evidence"],
    ),
];

/// The rooms below the features, each with what it may use; its `http.rs` may also use `http` and `temwen`.
const FOUNDATIONS: &[(&str, &[&str])] = &[
    ("tlog", &[]),
    // These two stand apart from the register, so that nobody has to trust it.
    ("outside", &["tlog", "coa", "progress"]),
    ("witness", &["tlog", "temwen", "commands"]),
    ("values", &["error"]),
    ("error", &["values"]),
    ("coa", &["values", "error"]),
    ("auth", &["values", "error", "tlog"]),
    ("audit", &["values", "error", "auth", "db"]),
    ("vault", &["error", "auth"]),
    ("db", &["values", "error", "auth", "audit", "temwen", "vault", "progress"]),
];

/// Files of pure functions: tables and rules that a reader, or a test, can go through without anything else.
const PURE: &[&str] = &[
    "workflow.rs",
    "policy.rs",
    "scope.rs",
    "calendar.rs",
    "submission.rs",
    "particulars.rs",
    "folding.rs",
    "query.rs",
    "searching.rs",
    "rule.rs",
    "consent.rs",
    "identity.rs",
];

/// The longest file, in lines.
const LONGEST: usize = 410;

/// A source file: its path below `src`, its text, and its code without comments, strings and tests.
struct Source {
    name: String,
    text: String,
    code: String,
}

impl Source {
    /// The room that it is in: its first folder, or its own name.
    fn room(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap()
    }

    fn is_store(&self) -> bool {
        self.name.ends_with("/store.rs") || self.name.ends_with("_store.rs")
    }

    /// Where the wire is known.
    fn is_wire(&self) -> bool {
        let own = ["/http.rs", "_http.rs"].iter().any(|end| self.name.ends_with(end));
        own || ["http", "serve", "telemetry"].contains(&self.room())
    }

    /// The lines of code that name `word` as a whole word.
    fn naming<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        self.code
            .lines()
            .enumerate()
            .filter(move |(_, line)| names(line, word))
            .map(|(n, line)| (n + 1, line.trim()))
    }

    /// What it uses of the crate: the first two steps of every path that begins with `crate::`.
    fn uses(&self) -> Vec<(usize, String, String)> {
        let mut found = Vec::new();
        for (number, line) in self.code.lines().enumerate() {
            for rest in line.split("crate::").skip(1) {
                let several = rest.strip_prefix('{').and_then(|list| list.split('}').next());
                for path in several.map_or_else(|| vec![rest], |list| list.split(',').collect()) {
                    let mut steps =
                        path.trim().split("::").map(|step| step.split(|c: char| !is_word(c)).next().unwrap());
                    let first = steps.next().unwrap_or_default().to_owned();
                    found.push((number + 1, first, steps.next().unwrap_or_default().to_owned()));
                }
            }
        }
        found
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let opens = word.starts_with(|c| !is_word(c)) || !before.is_some_and(is_word);
        let closes = word.ends_with(|c| !is_word(c)) || !after.is_some_and(is_word);
        opens && closes
    })
}

/// Every file below `src`.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(Path::new("src"), &mut paths);
    paths.sort();
    assert!(paths.len() > 30, "only {} files: is this the root of the crate?", paths.len());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix("src").unwrap().to_str().unwrap().to_owned();
        // A file of tests has no code in this sense.
        let code =
            if name.ends_with("tests.rs") { String::new() } else { without_tests(&without_words(&text)) };
        Source { name, text, code }
    };
    paths.into_iter().map(read).collect()
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// The code without its comments and without what stands in strings; lines stay where they are.
fn without_words(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    while at < chars.len() {
        let c = chars[at];
        let from = at;
        let mut keep = false;
        let word_before = at > 0 && is_word(chars[at - 1]);
        let raw =
            (c == 'r' && !word_before).then(|| chars[at + 1..].iter().take_while(|c| **c == '#').count());
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < chars.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if let Some(marks) = raw.filter(|marks| chars.get(at + 1 + marks) == Some(&'"')) {
            let end = format!("\"{}", "#".repeat(marks));
            at += marks + 2;
            while at < chars.len() && !starts(at, &end) {
                at += 1;
            }
            at += marks + 1;
        } else if c == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')) {
            // A character, not a lifetime.
            at += 2;
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else {
            keep = true;
            at += 1;
        }
        let passed = &chars[from..at.min(chars.len())];
        if keep {
            code.extend(passed);
        } else {
            code.push_str("\"\"");
            code.extend(passed.iter().filter(|c| **c == '\n'));
        }
    }
    code
}

/// The code without what is compiled for tests only: by convention, a module at the end of its file.
fn without_tests(code: &str) -> String {
    let lines: Vec<&str> = code.lines().collect();
    let is_test = |n: usize| {
        lines[n].trim() == "#[cfg(test)]"
            && lines[n + 1..]
                .iter()
                .find(|line| !line.trim().starts_with("#["))
                .is_some_and(|line| line.ends_with("mod tests {"))
    };
    let end = (0..lines.len()).find(|n| is_test(*n)).unwrap_or(lines.len());
    lines[..end].join("\n")
}

/// Says every fault at once.
fn no_faults(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

/// The lines outside of the rooms `inside` that name one of `words`.
fn outside(inside: impl Fn(&Source) -> bool, words: &[&str], spared: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| !inside(source)) {
        for word in words {
            for (number, line) in source.naming(word) {
                let rest = spared.iter().fold(line.to_owned(), |line, spared| line.replace(spared, ""));
                if names(&rest, word) {
                    faults.push(format!("src/{}:{number} {line}", source.name));
                }
            }
        }
    }
    faults
}

#[test]
fn sql_stays_in_stores() {
    // A row may be declared in a feature's `mod.rs`, where its words are; how it is asked for stays in the store.
    let row = ["diesel::Queryable", "diesel::Selectable", "diesel(table_name", "diesel::pg::Pg"];
    let inside = |source: &Source| source.is_store() || ["db", "values"].contains(&source.room());
    no_faults(
        "SQL outside of a store",
        &outside(inside, &["diesel", "diesel_async", "tokio_postgres"], &row),
    );
}

#[test]
fn http_stays_in_its_rooms() {
    let words = ["actix_web", "utoipa_actix_web", "HttpResponse"];
    // Its runtime, which drives commands too, knows no HTTP.
    no_faults("HTTP outside of http.rs", &outside(Source::is_wire, &words, &["actix_web::rt"]));
}

#[test]
fn stores_decide_and_record_nothing() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.is_store() && source.room() != "audit") {
        for word in ["record", "allow", "allows", "What", "Utc::now"] {
            for (number, line) in source.naming(word) {
                faults.push(format!("src/{}:{number} {line}", source.name));
            }
        }
        for (number, room, _) in source.uses() {
            if room == "http" {
                faults.push(format!("src/{}:{number} knows HTTP", source.name));
            }
        }
    }
    no_faults("a store does more than SQL", &faults);
}

#[test]
fn pure_files_reach_for_nothing() {
    let mut faults = Vec::new();
    let words = [
        "async",
        "await",
        "tokio",
        "diesel",
        "actix_web",
        "tracing",
        "Tx",
        "Db",
        "Clock",
        "fs",
        "net",
        "env",
        "Instant",
    ];
    for source in sources() {
        if !PURE.iter().any(|pure| source.name.ends_with(&format!("/{pure}"))) {
            continue;
        }
        for word in words {
            for (number, line) in source.naming(word) {
                faults.push(format!("src/{}:{number} names {word}: {line}", source.name));
            }
        }
    }
    no_faults("a pure file reaches for something", &faults);
}

#[test]
fn features_use_one_another_only_down_the_slope_and_through_the_front_door() {
    let mut faults = Vec::new();
    for source in sources() {
        let below = FEATURES.iter().find(|(feature, _)| *feature == source.room()).map(|(_, below)| *below);
        for (number, room, inner) in source.uses() {
            if !FEATURES.iter().any(|(feature, _)| *feature == room) || room == source.room() {
                continue;
            }
            if below.is_some_and(|below| !below.contains(&room.as_str())) {
                faults.push(format!("src/{}:{number} uses {room}, which is further up", source.name));
            }
            if inner == "store" || inner.ends_with("_store") {
                faults.push(format!("src/{}:{number} reaches into the store of {room}", source.name));
            }
            if inner.ends_with("http") && !source.is_wire() {
                faults.push(format!("src/{}:{number} reaches into the wire types of {room}", source.name));
            }
        }
    }
    no_faults("the slope between features", &faults);
}

#[test]
fn what_lies_below_knows_nothing_of_what_lies_above() {
    let mut faults = Vec::new();
    let sources = sources();
    let all: BTreeSet<&str> = sources.iter().map(Source::room).collect();
    for source in &sources {
        let Some((room, may)) = FOUNDATIONS.iter().find(|(room, _)| *room == source.room()) else { continue };
        for (number, used, _) in source.uses() {
            let wire = source.is_wire() && ["http", "temwen"].contains(&used.as_str());
            if used != *room && all.contains(used.as_str()) && !may.contains(&used.as_str()) && !wire {
                faults.push(format!("src/{}:{number} uses {used}", source.name));
            }
        }
    }
    for source in sources.iter().filter(|source| source.room() == "http" && source.name != "http/mod.rs") {
        for (number, used, _) in source.uses() {
            if FEATURES.iter().any(|(feature, _)| *feature == used) {
                faults.push(format!(
                    "src/{}:{number} uses {used}; only http/mod.rs knows the features",
                    source.name
                ));
            }
        }
    }
    no_faults("a foundation leans on what stands on it", &faults);
}

#[test]
fn files_are_short_and_named_after_something() {
    let mut faults = Vec::new();
    for Source { name, text, .. } in sources() {
        let lines = text.lines().count();
        if lines > LONGEST && name != "db/schema.rs" {
            faults.push(format!("src/{name} has {lines} lines; split it by a noun or a verb of the domain"));
        }
        for word in [
            "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "service",
            "services", "types",
        ] {
            if name.trim_end_matches(".rs").split('/').any(|part| part == word) {
                faults.push(format!("src/{name} says nothing: what is in it?"));
            }
        }
        if !text.starts_with("//!")
            && !["main.rs", "db/schema.rs"].contains(&name.as_str())
            && !name.ends_with("tests.rs")
        {
            faults.push(format!("src/{name} does not begin by saying what belongs here"));
        }
    }
    no_faults("files", &faults);
}

#[test]
fn nothing_stumbles_and_nothing_prints() {
    let stumbles = [".unwrap()", ".expect(", "panic!", "todo!", "unimplemented!", "unreachable!", "unsafe"];
    no_faults("this could panic", &outside(|_| false, &stumbles, &[]));
    no_faults(
        "this prints",
        &outside(|_| false, &["println!", "print!", "eprintln!", "eprint!", "dbg!"], &[]),
    );
}

#[test]
fn every_event_of_the_catalogue_happens() {
    let all = sources();
    let catalogue = all.iter().find(|source| source.name == "audit/catalogue.rs").unwrap();
    let declared = catalogue.code.split("What {").nth(1).unwrap().split('}').next().unwrap();
    let events: Vec<&str> =
        declared.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name.trim())).collect();
    assert!(events.len() > 20, "only {} events were found in the catalogue", events.len());
    let mut faults = Vec::new();
    // What a migration puts on record is said by itself, and by nobody else.
    for event in events.into_iter().filter(|event| *event != "StatesRecorded") {
        let word = format!("What::{event}");
        if !all.iter().any(|source| source.naming(&word).next().is_some()) {
            faults.push(format!("{event} is declared and never recorded"));
        }
    }
    no_faults("the catalogue of events", &faults);
}
