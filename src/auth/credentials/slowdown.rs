//! What slows down whoever guesses passwords, and nobody else.
//!
//! Belongs here: how long an attempt to sign in waits, from how often others like it failed.
//! Does not belong here: verifying anything, or the waiting itself.
//!
//! An account is never locked: that would let anybody lock its owner out. Instead each attempt waits, and
//! waits longer the more have failed: for the account, whoever tried, at most eight seconds; for a source (an
//! address), whatever account it tried, up to a minute. Attempts queue only behind those of the same source
//! for the same account, so nobody elsewhere can fill the owner's queue. Where somebody signed in before,
//! failures elsewhere no longer count, nor does the source's: a shared office or training room is not slowed
//! by one colleague.
//!
//! All of it is in memory, per server, bounded, and forgotten at a restart. Accounts and sources are kept as
//! keyed digests under a key that lives as long as the process: no address and no e-mail stands there in
//! clear.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;

use super::failures::{ACCOUNT, FIRST_WAIT, Failures, SOURCE};
use super::recent::Recent;
use super::{NoRandomness, first, random};

/// Nobody is kept waiting longer; who would be is asked to come back.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
type Key = [u8; 16];

/// One source trying one account.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    failures: Failures,
    /// When the last attempt let in may begin.
    last: Option<Instant>,
    /// It signed in before.
    known: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Source {
    failures: Failures,
    last: Option<Instant>,
}

struct Shared {
    key: hmac::Key,
    memory: Mutex<Memory>,
}

struct Memory {
    accounts: Recent<Key, Failures>,
    sources: Recent<Key, Source>,
    pairs: Recent<Key, Pair>,
}

/// Remembers failed attempts and says how long the next one waits. Clones share their memory.
#[derive(Clone)]
pub struct Slowdown(Arc<Shared>);

/// What to do with an attempt to sign in.
#[derive(Debug)]
pub enum Wait {
    /// Sleep for [`Attempt::wait`], then verify, then say how it went.
    Go(Attempt),
    /// Answer that there were too many attempts (429), and that another may be made after `retry_after`
    /// seconds.
    Refuse {
        /// Whole seconds, at least one.
        retry_after: u64,
    },
}

/// An attempt that was let in. Until it is said to have gone well it counts as failed: attempts made all at
/// once do not slip through before the first has failed, and hanging up does not undo one.
#[must_use = "an attempt that is dropped counts as failed"]
pub struct Attempt {
    slowdown: Slowdown,
    account: Key,
    source: Option<Key>,
    pair: Key,
    starts: Instant,
    wait: Duration,
    judged: bool,
}

impl Slowdown {
    /// Remembers at most `most` accounts, as many sources, and as many pairs of both (about 200 bytes each);
    /// past that, what was untouched for longest is forgotten.
    pub fn new(most: usize) -> Result<Self, NoRandomness> {
        let memory =
            Memory { accounts: Recent::new(most), sources: Recent::new(most), pairs: Recent::new(most) };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?);
        Ok(Self(Arc::new(Shared { key, memory: Mutex::new(memory) })))
    }

    /// How long an attempt made `now` waits. The `account` is as typed (case and outer spaces do not matter),
    /// known or not; the `source` is from [`network_of`], or none where all callers share one (an onion
    /// service).
    pub fn delay(&self, account: &str, source: Option<&str>, now: Instant) -> Wait {
        let account = account.trim().to_lowercase();
        let pair = self.digest("pair", &[&account, source.unwrap_or_default()]);
        let account = self.digest("account", &[&account]);
        let source = source.map(|source| self.digest("source", &[source]));
        let mut memory = self.memory();

        // The source first: refused for its own failures, it leaves no trace on the account.
        let known = memory.pairs.get(&pair).copied().unwrap_or_default();
        let tried = source.and_then(|key| memory.sources.get(&key)).copied().unwrap_or_default();
        let source_wait = match SOURCE.wait(tried.failures.at(now, &SOURCE).count) {
            Duration::ZERO => Duration::ZERO,
            _ if known.known => Duration::ZERO,
            // Its attempts are spaced whatever the account: at most one per step, none stored up.
            step => {
                tried.last.map_or(step, |last| (last + step).saturating_duration_since(now).max(FIRST_WAIT))
            }
        };
        if source_wait > LONGEST_WAIT {
            return refuse(source_wait);
        }
        let all = memory.accounts.get(&account).copied().unwrap_or_default().at(now, &ACCOUNT);
        let own = known.failures.at(now, &ACCOUNT);
        let account_wait = match ACCOUNT.wait(if known.known { own.count } else { all.count.max(own.count) })
        {
            Duration::ZERO => Duration::ZERO,
            step => known.last.map_or(now, |last| last.max(now)) + step - now,
        };
        let wait = account_wait.max(source_wait);
        if wait > LONGEST_WAIT {
            return refuse(wait);
        }

        let starts = now + wait;
        memory.accounts.touch(account).add(now, &ACCOUNT);
        let entry = memory.pairs.touch(pair);
        entry.failures.add(now, &ACCOUNT);
        entry.last = Some(starts);
        // Waiting attempts of a slowed source take successive slots.
        if let (Some(source), false) = (source, source_wait.is_zero()) {
            memory.sources.touch(source).last = Some(starts);
        }
        drop(memory);
        Wait::Go(Attempt { slowdown: self.clone(), account, source, pair, starts, wait, judged: false })
    }

    /// The 128-bit keyed digest of some words; each goes in with its length.
    fn digest(&self, label: &str, words: &[&str]) -> Key {
        let mut context = hmac::Context::with_key(&self.0.key);
        for word in [label].iter().chain(words) {
            context.update(&(word.len() as u64).to_be_bytes());
            context.update(word.as_bytes());
        }
        first(context.sign().as_ref())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Counts are whole after every statement: a thread that stumbled left nothing half done.
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Slowdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slowdown").finish_non_exhaustive()
    }
}

impl Attempt {
    /// How long to sleep before anything is verified; at most 30 seconds.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The password was right: failures from this source for this account are forgotten, and it is known
    /// here.
    pub fn succeeded(mut self) {
        self.judged = true;
        let mut memory = self.slowdown.memory();
        let pair = memory.pairs.touch(self.pair);
        let own = pair.failures.at(self.starts, &ACCOUNT).count;
        // What waits in the queue keeps its place.
        *pair = Pair { failures: Failures::default(), last: pair.last, known: true };
        memory.accounts.touch(self.account).take(own);
    }

    /// The password was wrong, or there is no such account. Dropping the attempt says the same.
    pub fn failed(self) {
        drop(self);
    }

    /// Nothing could be verified (the server was too busy, the database away): it counts as never made.
    pub fn not_judged(mut self) {
        self.judged = true;
        let mut memory = self.slowdown.memory();
        memory.pairs.touch(self.pair).failures.take(1);
        memory.accounts.touch(self.account).take(1);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // The account was charged at the beginning. The source is only now: thirty people who sign in at the
        // same moment in one room have not failed thirty times.
        if let (false, Some(source)) = (self.judged, self.source) {
            let mut memory = self.slowdown.memory();
            let source = memory.sources.touch(source);
            source.failures.add(self.starts, &SOURCE);
            source.last = source.last.max(Some(self.starts));
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("wait", &self.wait).finish_non_exhaustive()
    }
}

fn refuse(wait: Duration) -> Wait {
    let beyond = wait.saturating_sub(LONGEST_WAIT);
    Wait::Refuse { retry_after: beyond.as_secs() + 1 }
}

/// The source an address belongs to: an IPv4 address itself, of IPv6 the /64 network, whose addresses one
/// subscriber takes at will.
pub fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & (!0 << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn slowdown() -> (Slowdown, Instant) {
        (Slowdown::new(1000).unwrap(), Instant::now())
    }

    /// How long the attempt waits; it stays open.
    fn wait(slowdown: &Slowdown, account: &str, source: &str, now: Instant) -> Result<Attempt, u64> {
        match slowdown.delay(account, Some(source), now) {
            Wait::Go(attempt) => Ok(attempt),
            Wait::Refuse { retry_after } => Err(retry_after),
        }
    }

    fn fail(slowdown: &Slowdown, account: &str, source: &str, now: Instant) -> Option<Duration> {
        wait(slowdown, account, source, now).ok().map(|attempt| {
            let wait = attempt.wait();
            attempt.failed();
            wait
        })
    }

    #[test]
    fn four_failures_are_free_and_then_the_wait_doubles_up_to_eight_seconds() {
        let (slowdown, mut now) = slowdown();
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = fail(&slowdown, "a", "here", now).unwrap();
            now += wait;
            waits.push(wait.as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }

    #[test]
    fn attempts_made_at_once_take_successive_slots_and_beyond_thirty_seconds_are_refused() {
        let (slowdown, now) = slowdown();
        let open: Vec<_> = (0..50).map(|_| wait(&slowdown, "a", "here", now)).collect();
        let slots: Vec<_> = open.iter().flatten().map(|attempt| attempt.wait().as_millis()).collect();
        assert_eq!(slots, [0, 0, 0, 0, 250, 750, 1750, 3750, 7750, 15750, 23750]);
        let refused: Vec<_> = open.iter().filter_map(|one| one.as_ref().err()).collect();
        assert!(refused.len() == 39 && refused.iter().all(|after| **after == 2), "{refused:?}");
        assert!(wait(&slowdown, "a", "here", now + 2 * SECOND).is_ok());
    }

    #[test]
    fn an_attacker_from_one_source_never_makes_the_owner_elsewhere_wait_more_than_eight_seconds() {
        let (slowdown, start) = slowdown();
        let mut open = Vec::new();
        for second in 0..3600 {
            let now = start + SECOND * second;
            for n in 0..20 {
                match (wait(&slowdown, "owner", "attacker", now), n % 2) {
                    (Ok(attempt), 0) => open.push(attempt),
                    (Ok(attempt), _) => attempt.failed(),
                    (Err(_), _) => {}
                }
            }
            if second % 60 == 59 {
                let home = format!("new address {second}");
                let attempt = wait(&slowdown, "owner", &home, now).unwrap();
                assert!(attempt.wait() <= 8 * SECOND, "{:?} after {second} s", attempt.wait());
                attempt.not_judged();
            }
            if second == 60 {
                wait(&slowdown, "owner", "home", now).unwrap().succeeded();
            }
            if second > 60 {
                let attempt = wait(&slowdown, "owner", "home", now).unwrap();
                assert_eq!(
                    attempt.wait(),
                    Duration::ZERO,
                    "where the owner signed in before nothing changes"
                );
                attempt.succeeded();
            }
        }
    }

    #[test]
    fn an_attacker_from_one_source_gets_few_guesses() {
        let (slowdown, start) = slowdown();
        let count = |account: &dyn Fn(u32) -> String, source: &str| {
            let attempts = (0..86_400 * 2)
                .filter(|n| fail(&slowdown, &account(*n), source, start + SECOND / 2 * *n).is_some());
            attempts.count()
        };
        let one = count(&|_| "owner".to_owned(), "attacker");
        let many = count(&|n| format!("account {n}"), "sprayer");
        assert!(one < 2000 && many < 2000, "{one} and {many} guesses in a day");
    }

    #[test]
    fn a_source_over_its_limit_leaves_no_trace_on_an_account() {
        let (slowdown, now) = slowdown();
        for n in 0..200 {
            let _ = fail(&slowdown, &format!("account {n}"), "attacker", now);
        }
        for _ in 0..100 {
            assert!(wait(&slowdown, "owner", "attacker", now).is_err());
        }
        assert_eq!(wait(&slowdown, "owner", "elsewhere", now).unwrap().wait(), Duration::ZERO);
    }

    #[test]
    fn a_training_room_signs_in_at_once_behind_one_address() {
        let (slowdown, now) = slowdown();
        let open: Vec<_> =
            (0..60).map(|n| wait(&slowdown, &format!("officer {n}"), "room", now).unwrap()).collect();
        assert!(open.iter().all(|attempt| attempt.wait() == Duration::ZERO));
        open.into_iter().for_each(Attempt::succeeded);
        for n in 0..40 {
            let _ = fail(&slowdown, &format!("stranger {n}"), "room", now + SECOND);
        }
        assert!(wait(&slowdown, "stranger", "room", now + SECOND).is_err());
        assert_eq!(wait(&slowdown, "officer 7", "room", now + SECOND).unwrap().wait(), Duration::ZERO);
    }

    #[test]
    fn success_clears_what_its_own_source_had_failed_and_no_more() {
        let (slowdown, now) = slowdown();
        for _ in 0..4 {
            fail(&slowdown, "a", "elsewhere", now).unwrap();
            fail(&slowdown, "a", "here", now).unwrap();
        }
        let attempt = wait(&slowdown, "a", "here", now + 30 * SECOND).unwrap();
        assert_eq!(attempt.wait(), 4 * SECOND);
        attempt.succeeded();
        assert_eq!(wait(&slowdown, "a", "here", now + 60 * SECOND).unwrap().wait(), Duration::ZERO);
        assert!(wait(&slowdown, "a", "third", now + 60 * SECOND).unwrap().wait() > Duration::ZERO);
    }

    #[test]
    fn failures_are_forgiven_with_time() {
        let (slowdown, now) = slowdown();
        for _ in 0..10 {
            let _ = fail(&slowdown, "a", "here", now);
        }
        assert_eq!(wait(&slowdown, "a", "there", now + 301 * SECOND).unwrap().wait(), 4 * SECOND);
        assert_eq!(wait(&slowdown, "a", "there", now + 3600 * SECOND).unwrap().wait(), Duration::ZERO);
        assert_eq!(wait(&slowdown, "a", "here", now + 7200 * SECOND).unwrap().wait(), Duration::ZERO);
    }

    #[test]
    fn what_could_not_be_judged_counts_for_nothing_and_what_hung_up_counts() {
        let (slowdown, now) = slowdown();
        for _ in 0..100 {
            let attempt = wait(&slowdown, "a", "here", now).unwrap();
            assert_eq!(attempt.wait(), Duration::ZERO);
            attempt.not_judged();
        }
        for _ in 0..4 {
            drop(wait(&slowdown, "a", "here", now).unwrap());
        }
        assert_eq!(wait(&slowdown, " A ", "here", now).unwrap().wait(), FIRST_WAIT);
    }

    #[test]
    fn without_a_source_only_the_account_counts() {
        let (slowdown, now) = slowdown();
        for n in 0..500 {
            match slowdown.delay(&format!("account {n}"), None, now) {
                Wait::Go(attempt) => assert_eq!(attempt.wait(), Duration::ZERO),
                Wait::Refuse { .. } => panic!("nobody shares this account"),
            }
        }
    }

    #[test]
    fn memory_is_bounded_and_holds_nobodys_name() {
        let slowdown = Slowdown::new(10).unwrap();
        let now = Instant::now();
        for n in 0..10_000 {
            let _ = fail(&slowdown, &format!("account {n}"), &format!("source {n}"), now);
        }
        let attempt = wait(&slowdown, "marie@example.org", "192.0.2.7", now).unwrap();
        let shown = format!("{slowdown:?} {attempt:?}");
        assert!(!shown.contains("marie") && !shown.contains("192.0"));
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2:ffff::"), network("2001:db8:1:2::1"));
    }
}
