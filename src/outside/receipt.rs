//! A receipt: that a complaint was registered, and in which words, for whoever holds the log's public key.
//!
//! Works offline. What it needs is the receipt, the key, and, for the words, these.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::texts::Said;
use super::trust::Trust;
use crate::tlog::{Cosigned, Fault, LogProof};

/// The most bytes of a receipt's file: the entry, its proof and all signatures, twice over in JSON.
pub const LONGEST_RECEIPT: usize = 1024 * 1024;
/// The most bytes of a file with the words; those that can be handed in are a fraction of it.
pub const LONGEST_WORDS: usize = 1024 * 1024;

/// What the register writes when a complaint arrives, or is taken over from another register.
const ARRIVALS: [&str; 2] = ["complaint.received", "complaint.imported"];
/// The form of entries that this program can read.
const FORM: u32 = 1;

/// A receipt, read but not yet believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    entry: String,
    salt: [u8; 32],
    proof: LogProof,
}

/// What goes with the proof: in the JSON form beside it, in the text form as its extra data.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Carried {
    entry: String,
    salt: String,
}

#[derive(Deserialize)]
struct Json {
    #[serde(flatten)]
    carried: Carried,
    proof: String,
}

impl Receipt {
    /// Reads either form, the JSON or the `.tlog-proof`. An editor's byte order mark and CRLF line ends do no harm.
    pub fn read(bytes: &[u8]) -> Result<Self, Said> {
        let unreadable = |why: String| Said::NotAReceipt { why };
        let flaw = |fault: Fault| unreadable(fault.to_string());
        if bytes.len() > LONGEST_RECEIPT {
            return Err(unreadable(format!("it is longer than {LONGEST_RECEIPT} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is not text".to_owned()))?;
        let text = text.trim_start_matches('\u{FEFF}');
        let (beside, proof) = if text.trim_start().starts_with('{') {
            let json: Json = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
            (Some(json.carried), LogProof::parse(&json.proof).map_err(flaw)?)
        } else {
            (None, LogProof::parse(&text.replace("\r\n", "\n")).map_err(flaw)?)
        };
        let within: Option<Carried> = match &proof.extra {
            Some(extra) => {
                let carried = serde_json::from_slice(extra);
                Some(carried.map_err(|error| unreadable(format!("its extra line: {error}")))?)
            }
            None => None,
        };
        let carried = match (beside, within) {
            (Some(beside), Some(within)) if beside != within => {
                return Err(unreadable("it holds two entries that differ".to_owned()));
            }
            (Some(carried), _) | (None, Some(carried)) => carried,
            (None, None) => return Err(unreadable("it holds no entry".to_owned())),
        };
        let salt = bytes_of(&carried.salt)
            .ok_or_else(|| unreadable("its salt is not 64 hexadecimal digits".to_owned()))?;
        Ok(Self { entry: carried.entry, salt, proof })
    }

    /// Judges the receipt by the keys that the caller trusts.
    pub fn verify(&self, trust: &Trust) -> Result<Proven, Said> {
        let checkpoint =
            self.proof.verify(self.entry.as_bytes(), &trust.logs).map_err(|fault| match fault {
                Fault::UnknownOrigin(log) => Said::OtherLog { log },
                Fault::Unsigned | Fault::FalseSignature(_) | Fault::AmbiguousKey(_) => Said::NotSigned,
                Fault::NotInTree { .. } | Fault::NotIncluded => Said::NotInLog,
                other => Said::NotAReceipt { why: other.to_string() },
            })?;
        let log = checkpoint.origin;
        let witnesses = trust.witnesses_of(&checkpoint.text).map_err(|fault| match fault {
            Fault::FalseSignature(witness) => Said::FalseWitness { witness },
            other => Said::NotAReceipt { why: other.to_string() },
        })?;
        let missing = trust.missing(&witnesses);
        if missing > 0 {
            return Err(Said::FewWitnesses { count: trust.needed - missing, needed: trust.needed });
        }
        let arrival = Arrival::read(&self.entry, &log)?;
        Ok(Proven {
            log,
            number: self.proof.index,
            size: checkpoint.head.size,
            at: arrival.at,
            complaint: arrival.complaint,
            commitment: arrival.commitment,
            salt: self.salt,
            witnesses,
        })
    }
}

/// What an entry says about a complaint's arrival.
struct Arrival {
    at: DateTime<Utc>,
    complaint: Uuid,
    commitment: Option<[u8; 32]>,
}

#[derive(Deserialize)]
struct Form {
    v: u32,
}

#[derive(Deserialize)]
struct Entry {
    action: String,
    at: DateTime<Utc>,
    object: Object,
    #[serde(default)]
    detail: Detail,
}

#[derive(Deserialize)]
struct Object {
    id: Uuid,
    kind: String,
}

#[derive(Deserialize, Default)]
struct Detail {
    words: Option<String>,
}

impl Arrival {
    fn read(entry: &str, log: &str) -> Result<Self, Said> {
        let none = |why: String| Said::NoArrival { log: log.to_owned(), why };
        // Only one spelling is allowed, RFC 8785: what has another could be read in two ways.
        let canonical = serde_json_canonicalizer::pipe(entry).map_err(|error| none(error.to_string()))?;
        if canonical != entry {
            return Err(none("the entry is not written in the one way that is allowed".to_owned()));
        }
        let Form { v } = serde_json::from_str(entry).map_err(|error| none(error.to_string()))?;
        if v != FORM {
            // Not a flaw: a later program may write more than this one can read.
            return Err(Said::NotAReceipt {
                why: format!("its entry has the form {v}; this program reads {FORM}"),
            });
        }
        let Entry { action, at, object, detail } =
            serde_json::from_str(entry).map_err(|error| none(error.to_string()))?;
        if !ARRIVALS.contains(&action.as_str()) || object.kind != "complaint" {
            return Err(none(format!("the entry says {action:?}")));
        }
        let commitment = match detail.words {
            Some(digits) => {
                let bytes = bytes_of(&digits);
                Some(bytes.ok_or_else(|| none("its fingerprint of the words is none".to_owned()))?)
            }
            None => None,
        };
        Ok(Self { at, complaint: object.id, commitment })
    }
}

/// A receipt that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The log's name.
    pub log: String,
    /// The entry's place, from zero.
    pub number: u64,
    /// How many entries the tree had that was signed.
    pub size: u64,
    /// When the complaint was registered, by the log's own clock.
    pub at: DateTime<Utc>,
    /// The complaint's id in the register.
    pub complaint: Uuid,
    /// The trusted witnesses who signed.
    pub witnesses: Vec<Cosigned>,
    commitment: Option<[u8; 32]>,
    salt: [u8; 32],
}

impl Proven {
    /// Compares a file with the words that were registered, which the register keeps to the letter.
    ///
    /// Differences that editors make without being told to are seen through, and named in the answer: a byte order mark,
    /// CRLF for LF or the reverse, a line break or other white space at the end or the beginning.
    pub fn compare(&self, file: &[u8]) -> Result<Vec<&'static str>, Said> {
        let (log, at, number) = (self.log.clone(), self.at, self.number);
        let Some(commitment) = self.commitment else { return Err(Said::NoWords { log, at, number }) };
        let text =
            std::str::from_utf8(file).map_err(|_| self.unreadable("it is not text in UTF-8".to_owned()))?;
        let found = readings(text).into_iter().find(|(reading, _)| {
            let mut digest = Context::new(&SHA256);
            digest.update(&self.salt);
            digest.update(reading.as_bytes());
            digest.finish().as_ref() == commitment
        });
        found.map(|(_, without)| without).ok_or(Said::OtherWords { log, at, number })
    }

    /// That the file of words could not be read.
    pub fn unreadable(&self, why: String) -> Said {
        Said::WordsUnreadable { log: self.log.clone(), at: self.at, number: self.number, why }
    }

    /// What the receipt proves, with the words or without.
    pub fn said(&self, with_words: bool) -> Said {
        let (log, at, number) = (self.log.clone(), self.at, self.number);
        if with_words {
            Said::RegisteredInTheseWords { log, at, number }
        } else {
            Said::Registered { log, at, number }
        }
    }
}

/// All texts that a file may have been before an editor saved it, the file itself first, each with what was undone.
fn readings(text: &str) -> Vec<(String, Vec<&'static str>)> {
    let mut all = vec![(text.to_owned(), Vec::new())];
    let mut also = |step: &'static str, undo: &dyn Fn(&str) -> String| {
        for place in 0..all.len() {
            let Some((reading, steps)) = all.get(place) else { break };
            let undone = undo(reading);
            if undone != *reading && !all.iter().any(|(known, _)| *known == undone) {
                let steps = [steps.as_slice(), &[step]].concat();
                all.push((undone, steps));
            }
        }
    };
    also("without the byte order mark at its beginning", &|text| {
        text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned()
    });
    also("with each CRLF read as LF", &|text| text.replace("\r\n", "\n"));
    also("with each LF read as CRLF", &|text| text.replace("\r\n", "\n").replace('\n', "\r\n"));
    also("without the line break at its end", &|text| {
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.strip_suffix('\r').unwrap_or(text).to_owned()
    });
    also("without the white space around it", &|text| text.trim().to_owned());
    all
}

/// 32 bytes from 64 hexadecimal digits, lower case.
fn bytes_of(digits: &str) -> Option<[u8; 32]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = digits.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        })
        .collect();
    bytes?.try_into().ok().filter(|_| digits.len() == 64)
}
