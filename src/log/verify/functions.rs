//! Triggers and functions that keep the record, against what this build's migrations made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::finding::{Finding, Flaw};
use super::functions_store::{self as store, Function, Trigger};
use super::verify_store::{self, Asked, View};
use crate::audit::leaf;
use crate::db::Connect;
use crate::error::{Error, Result};

/// What they are: kind, name, SHA-256 of what makes each what it is. Written by a test.
const EXPECTED: &str = include_str!("functions.txt");

/// What the triggers and functions of this register are, in the form of that list.
///
/// # Errors
/// When the database does not answer.
pub async fn definitions(connect: &Connect) -> Result<String> {
    let conn = verify_store::open(connect, None).await?;
    let triggers = store::triggers(&conn).await.map_err(Error::internal)?;
    let functions = store::functions(&conn).await.map_err(Error::internal)?;
    let mut list = String::new();
    let lines: BTreeSet<_> =
        triggers.iter().map(of_trigger).chain(functions.iter().map(of_function)).collect();
    for (kind, name, digest) in lines {
        writeln!(list, "{kind} {name} {digest}").map_err(Error::internal)?;
    }
    Ok(list)
}

fn of_trigger(trigger: &Trigger) -> (&'static str, String, String) {
    ("trigger", format!("{}.{}", trigger.tab, trigger.name), leaf::digest(trigger.does.as_bytes()))
}

fn of_function(function: &Function) -> (&'static str, String, String) {
    let name = format!("{}.{}({})", function.schema, function.name, function.given);
    ("function", name, leaf::digest(function.body.as_bytes()))
}

/// What is expected of one kind: names and digests.
fn expected(kind: &str) -> BTreeMap<&'static str, &'static str> {
    let of_kind = |line: &'static str| line.strip_prefix(kind)?.strip_prefix(' ')?.rsplit_once(' ');
    EXPECTED.lines().filter_map(of_kind).collect()
}

/// Whether every trigger does what it should, and the tables of the record have no others. That none is missing is looked at
/// elsewhere.
pub(super) fn triggers(there: &[Trigger], tables: &BTreeSet<&str>) -> Vec<Finding> {
    let expected = expected("trigger");
    let of_record = |trigger: &&Trigger| tables.contains(trigger.tab.as_str());
    let mut findings = Vec::new();
    for (_, name, digest) in there.iter().filter(of_record).map(of_trigger) {
        match expected.get(name.as_str()) {
            Some(known) if *known == digest => {}
            Some(_) => {
                let differs = "it does something else than this build's";
                findings.push(Finding::new(Flaw::TriggerDiffers, "pg_trigger", name, differs));
            }
            None => {
                let differs = "this build knows no such trigger";
                findings.push(Finding::new(Flaw::TriggerUnknown, "pg_trigger", name, differs));
            }
        }
    }
    findings
}

/// Whether every function is what it should be, and no other is taken for it.
pub(super) async fn functions(conn: &View) -> Asked<Vec<Finding>> {
    let mut expected = expected("function");
    let ours: BTreeSet<&str> =
        expected.keys().filter_map(|name| name.strip_prefix("public.")?.split('(').next()).collect();
    let mut findings = Vec::new();
    for function in store::functions(conn).await? {
        let (_, name, digest) = of_function(&function);
        let differs = match expected.remove(name.as_str()) {
            Some(known) if known == digest => continue,
            Some(_) => "it was changed",
            None if ours.contains(function.name.as_str()) => "it can be taken for one of ours",
            // Somebody else's: nothing of ours calls it.
            None => continue,
        };
        findings.push(Finding::new(Flaw::FunctionDiffers, "pg_proc", name, differs));
    }
    let gone = expected.into_keys();
    findings.extend(gone.map(|name| Finding::new(Flaw::FunctionDiffers, "pg_proc", name, "it is gone")));
    Ok(findings)
}
