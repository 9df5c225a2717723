//! A submission that may be received: every part has been checked. Pure.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::particulars::{Identities, Incident, Particulars};
use super::{Precision, sha256};
use crate::coa::Language;
use crate::error::{Error, Result};
use crate::values::Words;

/// What tells a repetition of a submission from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// The client's own `submission_id`.
    BySubmissionId,
    /// The `Idempotency-Key` of the request.
    ByIdempotencyKey,
    /// Nothing: each request is a submission of its own.
    ByNothing,
}

/// A submission that may be received.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Never stored twice.
    pub id: Uuid,
    /// Where that id comes from.
    pub keyed: Keyed,
    /// The way it came; a word of the policy.
    pub channel: String,
    /// The language it is in.
    pub language: Language,
    /// Whether its author said so; otherwise it was guessed from the request, which may differ when it is repeated.
    pub language_stated: bool,
    /// What happened, in the reporter's words.
    pub narrative: Words,
    /// What the reporter takes it for; a word of the policy.
    pub reported_category: Option<String>,
    /// What it is taken for until triage; a word of the policy.
    pub category: String,
    /// How soon it wants attention; a word of the policy.
    pub priority: String,
    /// What rules turn on; words of the policy.
    pub flags: Vec<String>,
    /// How far its reporter is known; a word of the policy.
    pub anonymity: String,
    /// When and where it happened.
    pub incident: Incident,
    /// The contributing country concerned.
    pub country: Option<String>,
    /// When a device recorded it.
    pub captured_at: Option<DateTime<Utc>>,
    /// The rest of what was said.
    pub said: Particulars,
    /// Names and contacts.
    pub names: Identities,
}

/// Everything that was said, in one order, for the digest.
#[derive(Serialize)]
struct Whole<'a> {
    channel: &'a str,
    language: Option<&'a str>,
    narrative: &'a Words,
    reported_category: &'a Option<String>,
    anonymity: &'a str,
    captured_at: Option<DateTime<Utc>>,
    said: &'a Particulars,
    names: &'a Identities,
}

impl Submission {
    /// SHA-256 over everything that was said: two bodies that say the same have the same digest.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let whole = Whole {
            channel: &self.channel,
            language: self.language_stated.then(|| self.language.as_str()),
            narrative: &self.narrative,
            reported_category: &self.reported_category,
            anonymity: &self.anonymity,
            captured_at: self.captured_at,
            said: &self.said,
            names: &self.names,
        };
        Ok(sha256(&serde_json::to_vec(&whole).map_err(Error::internal)?))
    }

    /// When it happened, as far as is known.
    pub fn incident_from(&self) -> Option<NaiveDate> {
        self.incident.from
    }

    /// How exactly that is known.
    pub fn incident_precision(&self) -> Precision {
        self.incident.precision
    }

    /// What was said besides the narrative, without anybody's name.
    pub fn particulars(&self) -> Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&self.said).map_err(Error::internal)
    }

    /// Names and contacts, if any were given.
    pub fn identities(&self) -> Result<Option<Box<RawValue>>> {
        if self.names == Identities::default() {
            return Ok(None);
        }
        serde_json::value::to_raw_value(&self.names).map(Some).map_err(Error::internal)
    }
}
