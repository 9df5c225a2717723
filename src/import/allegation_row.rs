//! One row of an allegations file: what can be taken over from it, or every fault that it has.

use super::complaint_row::Checks;
use super::mapping::Bound;
use super::{Faulty, Rules};
use crate::cases::Told;
use crate::coa::Vocabulary;
use crate::error::Result;
use crate::values::Faults;

/// An allegation that can be taken over.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// The key of its complaint.
    pub(super) complaint: String,
    pub(super) content: Content,
}

/// What an allegation says, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) position: i32,
    pub(super) kind: Option<String>,
    pub(super) category: String,
    pub(super) outcome: Option<String>,
    pub(super) told: Told,
}

/// Reads a row.
pub(super) fn read(row: &[String], bound: &Bound<'_>, rules: &Rules<'_>) -> Result<Taken, Faulty> {
    let mut checks = Checks { row, bound, rules, faults: Faults::default() };
    let complaint = checks.key();
    let position = match bound.get(row, "seq") {
        None => {
            checks.fault("seq", "is missing");
            None
        }
        Some(text) => {
            let position = text.parse::<i32>().ok().filter(|position| *position > 0);
            checks.take("seq", position.ok_or("must be a number from 1"))
        }
    };
    let said = checks.line("allegation").or_else(|| checks.line("type"));
    // A column of the policy's types, or the source's own words, which the mapping may translate to them.
    let named = bound.get(row, "type").or_else(|| bound.get(row, "allegation"));
    let kind = named.filter(|word| rules.policy.knows(Vocabulary::AllegationType, word)).map(str::to_owned);
    let of_type = kind.as_deref().and_then(|word| rules.policy.allegation_type(word));
    let category = match bound.get(row, "category") {
        Some(_) => checks.word("category", Vocabulary::Category),
        None => {
            Some(of_type.map_or_else(|| rules.policy.initial_category(), |known| &known.category).to_owned())
        }
    };
    let content = Content {
        position: position.unwrap_or_default(),
        kind,
        category: category.unwrap_or_default(),
        told: Told {
            reported_as: said,
            subject_ref: checks.line("subject_ref"),
            subject_unit: checks.line("subject_unit"),
            subject_rank: checks.line("subject_rank"),
            finding: checks.line("finding"),
            discipline: checks.line("discipline"),
        },
        outcome: checks.outcome(),
    };
    checks.done(complaint).map(|complaint| Taken { complaint, content })
}
