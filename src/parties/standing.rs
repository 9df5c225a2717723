//! How what a person said stands now: which of their words counts, and to whom, as a pure function.

use super::consent::{Answer, Asker, GivenBy, Said, Whose};

/// How a consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was given.
    Granted,
    /// It was given under a condition.
    Conditional,
    /// Nothing that counts was said.
    Absent,
    /// An officer wrote down that it was refused or taken back.
    Denied,
    /// The person refused it or took it back themself.
    Refused,
}

/// How a person's consent to `purpose` stands for whoever is called one of `to`.
///
/// The newest word counts; but after a no, only the person themself opens it again. What an officer writes down after it opens
/// nothing, and an officer's no closes it only until a second officer decides. A yes that `asker` wrote down themself, or may have
/// said in the person's place, opens nothing to them.
pub fn standing(whose: &Whose<'_>, purpose: &str, to: &[&str], asker: Option<&Asker>) -> Standing {
    let meant = |said: &&Said| {
        said.purpose == purpose && said.recipient.as_deref().is_none_or(|recipient| to.contains(&recipient))
    };
    let mut standing = Standing::Absent;
    for said in whose.said.iter().filter(meant) {
        let themself = said.recorded_by.is_none();
        let closed = matches!(standing, Standing::Denied | Standing::Refused);
        standing = match said.answer {
            Answer::No | Answer::Withdrawn if themself => Standing::Refused,
            Answer::No | Answer::Withdrawn if standing == Standing::Refused => Standing::Refused,
            Answer::No | Answer::Withdrawn => Standing::Denied,
            Answer::Yes | Answer::Conditional if closed && !themself || !counts(said, whose.child, asker) => {
                standing
            }
            Answer::Yes => Standing::Granted,
            Answer::Conditional => Standing::Conditional,
        };
    }
    standing
}

/// Whether a yes counts. For a child it needs whoever cares for it, and its own; or a decision on what is best for it.
fn counts(said: &Said, child: bool, asker: Option<&Asker>) -> bool {
    let whole = match said.given_by {
        GivenBy::BestInterests => child,
        GivenBy::Caregiver => child && said.assent == Some(true),
        GivenBy::Myself => !child,
    };
    let by_asker = asker.is_some_and(|asker| match said.recorded_by {
        Some(by) => by == asker.user,
        None => asker.relation.handed_in,
    });
    whole && !by_asker
}
