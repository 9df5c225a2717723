//! The one error of every operation: what kind it is, what happened, and, for our log, why.
//!
//! Knows no HTTP and no feature. A feature turns its own small errors into this one, next to where
//! they are declared; how a kind looks on the wire is [`crate::http::problem`]'s concern.

use std::error::Error as StdError;
use std::fmt;

use crate::values::Fault;

/// The result of every operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about it. One row here, one in `problem.rs`, one in `docs/problems.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Send JSON that can be read at all.
    Malformed,
    /// Mend the values.
    Invalid,
    /// Sign in.
    Unauthenticated,
    /// Ask somebody who may.
    Forbidden,
    /// Look elsewhere: it does not exist, or the caller may not know that it does.
    NotFound,
    /// Nothing: its words were erased, for good.
    Erased,
    /// Use a method that this address has.
    MethodNotAllowed,
    /// Read it again first: somebody else changed it.
    Stale,
    /// Say in `If-Match` which version was seen.
    PreconditionRequired,
    /// Take another step: the matter is not at that point.
    WrongMoment,
    /// Use what there is already.
    Exists,
    /// Wait for the first request with the same key.
    StillRunning,
    /// Use another key: this one came with another body.
    KeyReused,
    /// Send less.
    TooLarge,
    /// Begin again: what was begun is over.
    Expired,
    /// Send it again: it arrived as something else.
    ChecksumMismatch,
    /// Ask for bytes that are there.
    RangeNotSatisfiable,
    /// Speak the version of the upload protocol that we speak.
    TusVersion,
    /// Go on later: there is no room just now.
    NoRoom,
    /// Send JSON.
    UnsupportedMedia,
    /// Try again after the time named.
    SlowDown,
    /// Do some work first, or wait.
    WorkRequired,
    /// Try again soon: we cannot answer now.
    Unavailable,
    /// Nothing; it is our fault.
    Internal,
}

/// The work that a caller is asked for, and what it is asked for instead of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The challenge.
    pub challenge: String,
    /// How many zero bits it asks for.
    pub bits: u8,
    /// After how many seconds the caller may try again without.
    pub retry_after: u32,
}

/// Why an operation did not happen.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: String,
    faults: Vec<Fault>,
    retry_after: Option<u32>,
    asked: Option<Asked>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `detail` is shown to the caller.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            faults: Vec::new(),
            retry_after: None,
            asked: None,
            cause: None,
        }))
    }

    /// There is no such thing, or the caller may not know of it. One sentence for all, so that it tells nothing.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "there is nothing here, or nothing that you may know of")
    }

    /// The caller may know of it, and may not do this.
    pub fn forbidden() -> Self {
        Self::new(Kind::Forbidden, "your account may not do this")
    }

    /// The request has faults.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let mut error = Self::new(Kind::Invalid, "the request has faults");
        error.0.faults = faults;
        error
    }

    /// The request has one fault.
    pub fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::new(pointer, detail)])
    }

    /// We cannot answer now; the caller may try again after `seconds`. Whether a change took effect cannot always be
    /// said: the connection may have broken after the commit was sent.
    pub fn unavailable(seconds: u32) -> Self {
        let mut error = Self::new(
            Kind::Unavailable,
            "the register cannot answer just now; repeat the request in a moment",
        );
        error.0.retry_after = Some(seconds);
        error
    }

    /// The caller has tried too often; it may try again after `seconds`.
    pub fn slow_down(seconds: u32) -> Self {
        let mut error = Self::new(Kind::SlowDown, "too many failed attempts; wait before the next");
        error.0.retry_after = Some(seconds);
        error
    }

    /// Many come at once: the caller may do what is asked for and come in, or wait.
    pub fn work_required(why: &str, asked: Asked) -> Self {
        let mut error = Self::new(Kind::WorkRequired, why);
        error.0.retry_after = Some(asked.retry_after);
        error.0.asked = Some(asked);
        error
    }

    /// Our fault; `cause` is for the log only.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "something went wrong on our side").because(cause)
    }

    /// The same error, worth another attempt after `seconds`.
    #[must_use]
    pub fn after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The same error, with a cause for the log only.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Every fault of the request.
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The work that the caller is asked for.
    pub fn asked(&self) -> Option<&Asked> {
        self.0.asked.as_ref()
    }

    /// After how many seconds the caller may try again.
    pub fn retry_after(&self) -> Option<u32> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}
