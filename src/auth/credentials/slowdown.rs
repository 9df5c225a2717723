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
#[path = "slowdown_tests.rs"]
mod tests;
