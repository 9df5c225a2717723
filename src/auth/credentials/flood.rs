//! What happens when complaints come in faster than people complain: nobody is turned away, and nobody's address is looked at.
//!
//! So many in ten seconds come in as they are. Whoever comes beyond that is asked for a proof of work ([`super::work`]) and then
//! comes in at once; whoever cannot give one waits, and comes in as soon as there is room again, for some always are let in. What
//! is kept is one moment, and which proofs were used.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::keys::Keys;
use super::recent::Recent;
use super::work::{self, MOST_BITS, Once, Unproven, Use};
use super::{NoRandomness, random};
use crate::error::Asked;

/// In how much time so many come in as they are.
const WINDOW: TimeDelta = TimeDelta::seconds(10);
/// How many used proofs are remembered; past that the oldest could be used again, at the price of as many proofs.
const REMEMBERED: usize = 100_000;

/// Decides who comes in as they are, and who is asked for work.
pub struct Flood {
    /// The time that each takes of what is there for all; none where nobody is ever asked.
    each: Option<TimeDelta>,
    bits: u8,
    memory: Mutex<Memory>,
}

struct Memory {
    /// Until when all time is taken.
    taken: DateTime<Utc>,
    used: Recent<Once, ()>,
}

impl Flood {
    /// Lets so many complaints come in as they are in any ten seconds, and asks the others for this much work. With 0, nobody is
    /// ever asked for work before a complaint.
    pub fn new(above: u32, bits: u8) -> Self {
        let each = WINDOW.num_microseconds().and_then(|window| window.checked_div(i64::from(above)));
        let memory = Memory { taken: DateTime::<Utc>::MIN_UTC, used: Recent::new(REMEMBERED) };
        Self {
            each: each.map(TimeDelta::microseconds),
            bits: bits.min(MOST_BITS),
            memory: Mutex::new(memory),
        }
    }

    /// Whether one more comes in as it is; otherwise in how many seconds there is room.
    pub fn admit(&self, now: DateTime<Utc>) -> Result<(), u32> {
        let Some(each) = self.each else { return Ok(()) };
        let mut memory = self.memory();
        // A clock that was set back must not keep anybody waiting.
        let taken = memory.taken.clamp(now, now + WINDOW);
        let then = taken + each;
        let over = then.signed_duration_since(now) - WINDOW;
        if over <= TimeDelta::zero() {
            memory.taken = then;
            return Ok(());
        }
        Err(u32::try_from(over.num_seconds()).unwrap_or_default() + 1)
    }

    /// Takes a proof, once.
    pub fn prove(&self, keys: &Keys, to: Use, proof: &str, now: DateTime<Utc>) -> Result<(), Unproven> {
        let once = work::check(keys, to, self.bits, proof, now)?;
        let mut memory = self.memory();
        if memory.used.get(&once).is_some() {
            return Err(Unproven::Used);
        }
        memory.used.touch(once);
        Ok(())
    }

    /// What to ask somebody for who could come in after `seconds`. They are told to come at different times.
    pub fn ask(&self, keys: &Keys, to: Use, seconds: u32, now: DateTime<Utc>) -> Result<Asked, NoRandomness> {
        let [scatter] = random::<1>()?;
        let challenge = work::challenge(keys, to, self.bits, now)?;
        Ok(Asked { challenge, bits: self.bits, retry_after: seconds + u32::from(scatter) % 8 })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Whole after every statement: a thread that stumbled left nothing half done.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flood").field("each", &self.each).field("bits", &self.bits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    fn start() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 2, 14, 0, 0).unwrap()
    }

    #[test]
    fn so_many_come_in_at_once_and_then_some_always_do() {
        let flood = Flood::new(100, 8);
        let mut now = start();
        assert_eq!((0..1000).filter(|_| flood.admit(now).is_ok()).count(), 100);
        assert_eq!(flood.admit(now), Err(1));
        // However many press: ten more each second.
        for _ in 0..60 {
            now += TimeDelta::seconds(1);
            assert_eq!((0..1000).filter(|_| flood.admit(now).is_ok()).count(), 10);
        }
        now += TimeDelta::minutes(1);
        assert_eq!((0..1000).filter(|_| flood.admit(now).is_ok()).count(), 100);
    }

    #[test]
    fn a_clock_that_is_set_keeps_nobody_out_for_long() {
        let flood = Flood::new(1, 8);
        assert_eq!(flood.admit(start()), Ok(()));
        assert_eq!(flood.admit(start() - TimeDelta::days(1)), Err(11));
        assert_eq!(flood.admit(start() - TimeDelta::days(1)), Err(11));
        assert_eq!(flood.admit(start() + TimeDelta::days(1)), Ok(()));
    }

    #[test]
    fn whoever_does_not_want_it_is_never_asked() {
        let flood = Flood::new(0, 8);
        assert!((0..10_000).all(|_| flood.admit(start()).is_ok()));
    }
}
