//! The kinds of problem that the service answers with, and the page that explains them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use temwen::http::problem::{KINDS, row};

use crate::cast::committed;

#[test]
fn docs_problems_md_says_what_each_kind_means() {
    let mut page = String::from(
        "# Problems\n\n\
         Every answer that is not what was asked for is `application/problem+json` (RFC 9457). Its `type` is `/problems/` and one of the\n\
         words below; the words do not change. `detail` says what happened this time, `errors` names every fault of the request, and\n\
         `request_id` finds the request in the server's log.\n\n\
         <!-- Written by a test from the code: UPDATE=1 cargo test --test api problems -->\n\n\
         | type | status | title | what to do |\n| --- | --- | --- | --- |\n",
    );
    for kind in KINDS {
        let row = row(kind);
        writeln!(page, "| `{}` | {} | {} | {} |", row.slug, row.status.as_u16(), row.title, row.advice)
            .unwrap();
    }
    committed("docs/problems.md", &page);
}

#[test]
fn every_kind_of_problem_has_its_own_word_and_is_used() {
    let mut source = String::new();
    read(Path::new("src"), &mut source);
    let mut seen = BTreeSet::new();
    for kind in KINDS {
        let row = row(kind);
        assert!(seen.insert(row.slug), "{} stands twice", row.slug);
        assert!(row.slug.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", row.slug);
        assert!(row.status.is_client_error() || row.status.is_server_error(), "{}", row.slug);
        assert!(source.contains(&format!("Kind::{kind:?}")), "nothing answers with {kind:?}");
    }
    // `match` in the registry makes sure that a kind has a row; this makes sure that it stands on the page.
    let declared =
        source.split_once("pub enum Kind {\n    /// Send JSON").unwrap().1.split_once("\n}").unwrap().0;
    let declared =
        declared.lines().filter(|line| line.ends_with(',') && !line.trim_start().starts_with("//")).count();
    assert_eq!(declared, KINDS.len());
}

/// The text of all sources but the registry itself.
fn read(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("http/problem.rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
