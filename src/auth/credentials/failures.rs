//! Failures to sign in: how they add up, are forgiven, and turn into waiting.

use std::time::{Duration, Instant};

/// The first wait after the free attempts; each further failure doubles it.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How failures of one kind turn into waiting.
pub(super) struct Slope {
    /// Failures that cost nothing.
    free: u32,
    /// How many more are counted at most; the wait doubles with each.
    counted: u32,
    /// The longest wait.
    longest: Duration,
    /// After so long, one failure is forgiven.
    forgives: Duration,
}

/// For one account, whoever tried it.
pub(super) const ACCOUNT: Slope =
    Slope { free: 4, counted: 5, longest: Duration::from_secs(8), forgives: Duration::from_mins(5) };
/// For one source, whatever account it tried. More is free: a training room of thirty shares one address.
pub(super) const SOURCE: Slope =
    Slope { free: 20, counted: 8, longest: Duration::from_mins(1), forgives: Duration::from_mins(1) };

impl Slope {
    /// What the next attempt waits after so many failures.
    pub(super) fn wait(&self, failures: u32) -> Duration {
        match failures.min(self.free + self.counted).checked_sub(self.free) {
            None => Duration::ZERO,
            Some(beyond) => FIRST_WAIT.saturating_mul(1 << beyond.min(20)).min(self.longest),
        }
    }
}

/// Failures, forgiven one at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failures {
    pub(super) count: u32,
    /// From when on the next one is being forgiven.
    since: Option<Instant>,
}

impl Failures {
    /// What is left of them at a moment.
    pub(super) fn at(self, now: Instant, slope: &Slope) -> Self {
        let Some(since) = self.since else { return self };
        let passed = now.saturating_duration_since(since);
        let forgiven = u32::try_from(passed.as_secs() / slope.forgives.as_secs().max(1)).unwrap_or(u32::MAX);
        match self.count.saturating_sub(forgiven) {
            0 => Self::default(),
            count => Self { count, since: since.checked_add(slope.forgives.saturating_mul(forgiven)) },
        }
    }

    /// One more.
    pub(super) fn add(&mut self, now: Instant, slope: &Slope) {
        let Self { count, since } = self.at(now, slope);
        *self = Self {
            count: count.saturating_add(1).min(slope.free + slope.counted),
            since: since.or(Some(now)),
        };
    }

    /// So many fewer.
    pub(super) fn take(&mut self, fewer: u32) {
        self.count = self.count.saturating_sub(fewer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_after_the_free_ones_and_never_exceeds_its_longest() {
        let wait = |slope: &Slope, failures: u32| slope.wait(failures).as_millis();
        assert_eq!(
            [3, 4, 5, 8, 9, 10, u32::MAX].map(|n| wait(&ACCOUNT, n)),
            [0, 250, 500, 4000, 8000, 8000, 8000]
        );
        assert_eq!([19, 20, 27, 28, 99].map(|n| wait(&SOURCE, n)), [0, 250, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn one_is_forgiven_at_a_time_and_no_more_are_counted_than_needed() {
        let now = Instant::now();
        let mut failures = Failures::default();
        for _ in 0..1000 {
            failures.add(now, &ACCOUNT);
        }
        let left = |minutes: u64| failures.at(now + Duration::from_mins(minutes), &ACCOUNT).count;
        assert_eq!([0, 4, 5, 9, 10, 44, 45, 9999].map(left), [9, 9, 8, 8, 7, 1, 0, 0]);
        failures.add(now + Duration::from_mins(9), &ACCOUNT);
        assert_eq!(
            failures.at(now + Duration::from_mins(10), &ACCOUNT).count,
            8,
            "half-forgiven stays half-forgiven"
        );
    }
}
