//! [`Temwen`]: everything that a request may need, built once; and [`Clock`], the only source of "now".

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

use crate::auth::credentials::flood::Flood;
use crate::auth::credentials::keys::Keys;
use crate::auth::credentials::passwords::Passwords;
use crate::auth::credentials::slowdown::Slowdown;
use crate::auth::credentials::tokens::Tokens;
use crate::coa::{Policy, Texts};
use crate::db::Db;
use crate::evidence::blobs::Blobs;
use crate::tlog::TrustPolicy;
use crate::vault::DataKey;

/// Everything that a request may need. The server builds one per worker; all but the pool is shared.
#[derive(Clone)]
pub struct Temwen {
    /// Where everything is kept.
    pub db: Db,
    /// What all workers share.
    pub shared: Arc<Shared>,
}

/// What all workers share.
pub struct Shared {
    /// Issues and checks access tokens.
    pub tokens: Tokens,
    /// Hashes and checks passwords, as many at once as there are cores.
    pub passwords: Passwords,
    /// Slows sign-in down after failures.
    pub slowdown: Slowdown,
    /// Decides when the public is asked for work.
    pub flood: Flood,
    /// What access codes, cursors and keys of repetition are derived from.
    pub keys: Keys,
    /// The register's own data key: seals what belongs to no matter, and marks what is compared across matters.
    pub register: DataKey,
    /// Where the bytes of evidence are kept.
    pub evidence: Blobs,
    /// The mission's policy in force.
    pub policy: Policy,
    /// What is said to complainants, in their languages.
    pub texts: Texts,
    /// The only source of "now".
    pub clock: Clock,
    /// What may be asked for the metrics, and how many proxies stand in front.
    pub front: Front,
    /// The outside witnesses of the log, and whose cosignatures are enough.
    pub witnesses: Option<TrustPolicy>,
}

/// How the server is reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Front {
    /// How many proxies stand in front and append to `X-Forwarded-For`.
    pub trusted_proxies: usize,
    /// How many complaints of the public come in as they are in ten seconds; with 0 nobody is asked for work.
    pub work_above: u32,
    /// How many zero bits the proof of work has that others are asked for.
    pub work_bits: u8,
}

impl std::ops::Deref for Temwen {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// The only source of "now". Moments are whole microseconds, as the database keeps them.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock everyone else uses")]
        Self(Arc::new(Utc::now))
    }

    /// A clock that somebody else moves, for tests.
    pub fn driven(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The moment.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)().trunc_subsecs(6)
    }
}
