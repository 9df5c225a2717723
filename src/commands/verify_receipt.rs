//! `temwen verify-receipt`: what a receipt proves, for whoever holds the log's public key. Needs no network.

use std::fmt::{Display, Write as _};
use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat};
use clap::Args;

use super::{Failed, say};
use crate::coa::Language;
use crate::outside::Verdict;
use crate::outside::receipt::{LONGEST_RECEIPT, LONGEST_WORDS, Proven, Receipt};
use crate::outside::texts::Said;
use crate::outside::trust::{self, Trust};

/// Which receipt, and whom to trust.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Says in one sentence, in Haitian Creole, French, English and Spanish, what the receipt proves. It needs no network, no account and \
none of the server's files. Take the key from somewhere other than the server. docs/VERIFY.md tells how to do the same without this program.

Ends with 0 if the receipt proves what was asked for, 1 if it does not, 2 if that could not be checked.

Examples:
  temwen verify-receipt receipt.json --key temwen.example/v1/log+9d9385b8+ARqT...
  temwen verify-receipt receipt.tlog-proof --key log.key --text my-words.txt
  temwen verify-receipt receipt.json --key log.key --witness one.key --witness two.key --witnesses-needed 2")]
pub struct Arguments {
    /// The receipt: the JSON that the server gave, or a .tlog-proof
    #[arg(value_name = "FILE")]
    pub receipt: PathBuf,
    /// The log's public key: the line itself, or a file that holds one or more of them; may be repeated
    #[arg(long, value_name = "KEY", required = true)]
    pub key: Vec<String>,
    /// A text file with the words as they were handed in, which are compared to the letter. Default: not compared
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// The public key of a witness whom you trust, or a file of them; may be repeated. Default: none
    #[arg(long, value_name = "KEY")]
    pub witness: Vec<String>,
    /// How many of those witnesses must have signed. Default: 0
    #[arg(long, value_name = "NUMBER", default_value = "0", hide_default_value = true)]
    pub witnesses_needed: usize,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failed> {
    let mut particulars = String::new();
    let said = judge(arguments, &mut particulars).unwrap_or_else(|said| said);
    for language in Language::ALL {
        say(&format!("{}: {}", language.as_str(), said.say(language)))?;
    }
    if !particulars.is_empty() {
        say(particulars.trim_end())?;
    }
    match said.verdict() {
        Verdict::Good => Ok(()),
        verdict => {
            let sentence = said.why().map_or_else(|| said.say(Language::En), str::to_owned);
            Err(Failed::new(sentence).with_code(verdict.exit_code()))
        }
    }
}

/// What the receipt proves. What else it says, if it is genuine, is added to `particulars`.
fn judge(arguments: &Arguments, particulars: &mut String) -> Result<Said, Said> {
    let trust = Trust::of(&arguments.key, &arguments.witness, arguments.witnesses_needed)
        .map_err(|why| Said::NoKey { why })?;
    let bytes = trust::read(&arguments.receipt, LONGEST_RECEIPT)
        .map_err(|error| Said::NotAReceipt { why: error.to_string() })?;
    let proven = Receipt::read(&bytes)?.verify(&trust)?;
    describe(&proven, particulars);
    let Some(path) = &arguments.text else { return Ok(proven.said(false)) };
    let file = trust::read(path, LONGEST_WORDS).map_err(|error| proven.unreadable(error.to_string()))?;
    for undone in proven.compare(&file)? {
        add(particulars, "words read", undone);
    }
    Ok(proven.said(true))
}

fn describe(proven: &Proven, to: &mut String) {
    add(to, "complaint", proven.complaint);
    add(to, "registered at", proven.at.to_rfc3339_opts(SecondsFormat::Micros, true));
    add(to, "log", &proven.log);
    add(to, "entry", format_args!("{}, counted from 0, in a tree of {}", proven.number, proven.size));
    for witness in &proven.witnesses {
        let at = i64::try_from(witness.at_unix).ok().and_then(|at| DateTime::from_timestamp(at, 0));
        let at = at
            .map_or_else(|| "an unknown time".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        add(to, "witness", format_args!("{} saw the log with this entry at {at}", witness.name));
    }
}

fn add(to: &mut String, name: &str, value: impl Display) {
    // Writing into a String cannot fail.
    let _ = writeln!(to, "{:<16} {value}", format!("{name}:"));
}
