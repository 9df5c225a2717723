//! When the record of a matter falls due, as a pure function of the policy and three facts. No I/O, no HTTP, no SQL.

use chrono::{DateTime, Months, Utc};

use crate::coa::{Policy, Retention, RetentionStart};

/// From when on a record may be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// From this moment on.
    At(DateTime<Utc>),
    /// Not before those accused have left the mission's service, and nobody has said that they did.
    WhenServiceEnds,
}

/// What the policy says of a matter's record.
#[derive(Debug, Clone, Copy)]
pub struct Term<'p> {
    /// The class that decides: of those that apply, the one that keeps the record longest.
    pub class: &'p Retention,
    /// From when on it may be erased.
    pub due: Due,
}

impl Term<'_> {
    /// Whether the record may be erased at this moment.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        matches!(self.due, Due::At(due) if due <= now)
    }
}

/// Whether a class of the policy applies to a matter of this category, with these marks.
pub fn applies(class: &Retention, category: &str, flags: &[&str]) -> bool {
    (class.categories.is_empty() || class.categories.iter().any(|word| word == category))
        && (class.flags.is_empty() || class.flags.iter().any(|flag| flags.contains(&flag.as_str())))
}

/// How long the record of a matter is kept that was over at `over_at`. Of the classes that apply, the one that keeps it
/// longest decides, by the day on which each would let it go. `None` where the policy knows of no class for it: then it is
/// kept.
pub fn term<'p>(
    policy: &'p Policy,
    category: &str,
    flags: &[&str],
    over_at: DateTime<Utc>,
    service_ended: Option<DateTime<Utc>>,
) -> Option<Term<'p>> {
    let classes = policy.retention.iter().filter(|class| applies(class, category, flags));
    classes
        .map(|class| Term { class, due: due(class, over_at, service_ended) })
        .max_by_key(|term| (term.due, term.class.years))
}

fn due(class: &Retention, over_at: DateTime<Utc>, service_ended: Option<DateTime<Utc>>) -> Due {
    let start = match class.from {
        RetentionStart::Closure => over_at,
        // Whoever left before the end was waited for no longer than that.
        RetentionStart::EndOfService => match service_ended {
            Some(left) => left.max(over_at),
            None => return Due::WhenServiceEnds,
        },
    };
    let years = Months::new(class.years.saturating_mul(12));
    Due::At(start.checked_add_months(years).unwrap_or(DateTime::<Utc>::MAX_UTC))
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
