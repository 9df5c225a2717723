//! What the policy says about a matter: its first category, its marks, its clocks, who must join in.

use chrono::{DateTime, TimeDelta, Utc};

use super::deadlines::{self, DeadlineRule, EscalationStep, Event, Matter};
use super::limits::{Retention, ThresholdWord};
use super::sections::{Answer, Category, ClockStart, Submitter};
use super::{Policy, Vocabulary};

impl Policy {
    /// The category that a complaint has until somebody gives it another.
    pub fn initial_category(&self) -> &str {
        // The check has seen to it that there is exactly one.
        self.categories.iter().find(|category| category.initial).map_or("", |category| &category.word)
    }

    /// The priority that a matter has until somebody gives it another.
    pub fn initial_priority(&self) -> &str {
        self.priorities.iter().min_by_key(|priority| priority.rank).map_or("", |priority| &priority.word)
    }

    /// The highest default category of these allegation types; nothing if none of them is known.
    pub fn highest_category<'t>(&self, types: impl IntoIterator<Item = &'t str>) -> Option<&Category> {
        let categories =
            types.into_iter().filter_map(|word| self.category(&self.allegation_type(word)?.category));
        categories.max_by_key(|category| category.rank)
    }

    /// The category of a new complaint: the highest of what its reporter says and of its allegations, else
    /// the initial one.
    pub fn first_category<'t>(
        &self,
        reported: Option<&str>,
        types: impl IntoIterator<Item = &'t str>,
    ) -> &str {
        let highest = self.highest_category(types);
        let reported = reported.and_then(|word| self.category(word));
        let found = highest.into_iter().chain(reported).max_by_key(|category| category.rank);
        found.map_or_else(|| self.initial_category(), |category| &category.word)
    }

    /// The marks that these allegation types put on a matter, each once, in the file's order.
    pub fn flags_of<'t>(&self, types: impl IntoIterator<Item = &'t str>) -> Vec<&str> {
        let mut marked = vec![false; self.flags.len()];
        let types = types.into_iter().filter_map(|word| self.allegation_type(word));
        for flag in types.flat_map(|allegation| &allegation.flags) {
            let place = self.index.place(Vocabulary::Flag, flag);
            if let Some(mark) = place.and_then(|place| marked.get_mut(place)) {
                *mark = true;
            }
        }
        let flags = self.flags.iter().zip(marked);
        flags.filter_map(|(flag, marked)| marked.then_some(flag.word.as_str())).collect()
    }

    /// Whether a person with this age band and these vulnerabilities is known to be a child.
    pub fn is_child<'t>(
        &self,
        age_band: Option<&str>,
        vulnerabilities: impl IntoIterator<Item = &'t str>,
    ) -> bool {
        let band = age_band.and_then(|word| self.age_bands.get(self.index.place(Vocabulary::AgeBand, word)?));
        band.is_some_and(|band| band.child == Answer::Yes)
            || vulnerabilities.into_iter().any(|word| {
                let place = self.index.place(Vocabulary::Vulnerability, word);
                place.and_then(|place| self.vulnerabilities.get(place)).is_some_and(|one| one.child)
            })
    }

    /// Whether lowering or closing a matter of this category, with these marks, needs a second officer.
    pub fn needs_second_officer<'t>(&self, category: &str, flags: impl IntoIterator<Item = &'t str>) -> bool {
        self.category(category).is_none_or(|category| category.protected)
            || flags.into_iter().any(|flag| self.flag(flag).is_none_or(|flag| flag.protected))
    }

    /// Whether one category is lower than another. An unknown one is lower than every other.
    pub fn is_lower(&self, category: &str, than: &str) -> bool {
        self.category(category).map(|category| category.rank)
            < self.category(than).map(|category| category.rank)
    }

    /// The categories whose matters belong to a lane, such as `psea`.
    pub fn categories_in_lane<'p>(&'p self, lane: &'p str) -> impl Iterator<Item = &'p str> {
        let categories =
            self.categories.iter().filter(move |category| category.lane.as_deref() == Some(lane));
        categories.map(|category| category.word.as_str())
    }

    /// The marks that put a matter in a lane, such as `psea`.
    pub fn flags_in_lane<'p>(&'p self, lane: &'p str) -> impl Iterator<Item = &'p str> {
        let flags = self.flags.iter().filter(move |flag| flag.lane.as_deref() == Some(lane));
        flags.map(|flag| flag.word.as_str())
    }

    /// Whether a matter of this category, with these marks, belongs to a lane.
    pub fn in_lane<'t>(&self, lane: &str, category: &str, flags: impl IntoIterator<Item = &'t str>) -> bool {
        self.category(category).is_some_and(|category| category.lane.as_deref() == Some(lane))
            || flags.into_iter().any(|flag| self.flag(flag).is_some_and(|f| f.lane.as_deref() == Some(lane)))
    }

    /// Whether somebody may hand in a complaint that names this channel.
    pub fn channel_is_open(&self, channel: &str, to: Submitter) -> bool {
        self.channel(channel).is_some_and(|channel| channel.open_to.contains(&to))
    }

    /// When the clocks of a complaint start: when the device recorded it, where its channel says so and that
    /// is plausible; otherwise when the server stored it. Never after that.
    pub fn clock_start(
        &self,
        channel: &str,
        captured_at: Option<DateTime<Utc>>,
        received_at: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let Some(channel) = self.channel(channel).filter(|channel| channel.clock == ClockStart::CapturedAt)
        else {
            return received_at;
        };
        let oldest = TimeDelta::hours(i64::from(channel.max_capture_age_hours.unwrap_or(0)));
        let plausible = |captured: &DateTime<Utc>| {
            *captured <= received_at && received_at.signed_duration_since(captured) <= oldest
        };
        captured_at.filter(plausible).unwrap_or(received_at)
    }

    /// Whether a device's moment is further ahead of the server's than a wrong clock explains.
    pub fn is_in_the_future(&self, captured_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let skew = TimeDelta::minutes(i64::from(self.threshold(ThresholdWord::ClockSkewMinutes)));
        captured_at.signed_duration_since(now) > skew
    }

    /// Whether a matter of this category may be closed for this reason.
    pub fn may_close(&self, reason: &str, category: &str, at_triage: bool) -> bool {
        let place = self.index.place(Vocabulary::ClosureReason, reason);
        place.and_then(|place| self.closure_reasons.get(place)).is_some_and(|reason| {
            let categories = &reason.categories;
            (reason.at_triage || !at_triage)
                && (categories.is_empty() || categories.iter().any(|word| word == category))
        })
    }

    /// The clocks that an event starts for a matter: of rules with one name, the tightest that applies.
    pub fn deadline_rules(&self, event: Event, matter: &Matter<'_>) -> Vec<&DeadlineRule> {
        deadlines::choose(&self.deadlines, event, matter)
    }

    /// The steps of the ladder that a matter in these lanes takes, in the file's order.
    pub fn escalation_steps<'p>(&'p self, lanes: &'p [&'p str]) -> impl Iterator<Item = &'p EscalationStep> {
        self.escalation.iter().filter(move |step| {
            step.lanes.is_empty() || step.lanes.iter().any(|lane| lanes.contains(&lane.as_str()))
        })
    }

    /// A number that a rule turns on.
    pub fn threshold(&self, word: ThresholdWord) -> u32 {
        // The check has seen to it that each stands there once.
        self.thresholds.iter().find(|threshold| threshold.word == word).map_or(0, |threshold| threshold.value)
    }

    /// The longest retention that applies to a matter.
    pub fn retention_of(&self, category: &str, flags: &[&str]) -> Option<&Retention> {
        let applies = |class: &&Retention| {
            (class.categories.is_empty() || class.categories.iter().any(|word| word == category))
                && (class.flags.is_empty() || class.flags.iter().any(|flag| flags.contains(&flag.as_str())))
        };
        self.retention.iter().filter(applies).max_by_key(|class| class.years)
    }
}
