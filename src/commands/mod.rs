//! The commands of the program, other than its longest: [`crate::serve`].
//!
//! Belongs here: what a command does from its arguments to its exit code, and how it tells people. To add one: a variant
//! in [`crate::config::Command`], an arm in `dispatch`, a file here.

pub mod add_user;
pub mod import;
pub mod keys;
mod migrate;
pub mod opened;
mod vault;
pub mod verify_log;
pub mod verify_log_inside;
pub mod verify_receipt;

use std::error::Error as StdError;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use crate::auth::credentials::{KeyError, Keys, NoRandomness, PasswordError, TokenError};
use crate::config::{Cli, Command, RotateKey, Rotated};
use crate::db::embedded::Failure;
use crate::error::{Error, Kind};
use crate::vault::keyring::KeyringError;
use crate::{http, serve, telemetry, witness};

/// Why a command could not do what it was told: one sentence for whoever gave it, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failed {
    sentence: String,
    code: u8,
}

impl Failed {
    /// Says `sentence`.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    /// The same with another exit code than 1.
    #[must_use]
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Says `sentence` and, in parentheses, everything that led to it.
    pub fn because(sentence: impl Into<String>, cause: &(dyn StdError + 'static)) -> Self {
        let mut said = cause.to_string();
        let mut next = cause.source();
        while let Some(cause) = next {
            // Some say their cause's sentence in their own.
            let cause_says = cause.to_string();
            if !said.contains(&cause_says) {
                said += ": ";
                said += &cause_says;
            }
            next = cause.source();
        }
        Self::new(format!("{} ({said})", sentence.into()))
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let faults: Vec<String> =
            error.faults().iter().map(|fault| format!("{} {}", fault.pointer, fault.detail)).collect();
        match (error.kind(), error.source()) {
            (Kind::Invalid, _) if !faults.is_empty() => Self::new(faults.join("; ")),
            (Kind::Internal | Kind::Unavailable, Some(cause)) => Self::because(error.to_string(), cause),
            _ => Self::new(error.to_string()),
        }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        // Its sentence holds its cause already.
        Self::new(failure.to_string())
    }
}

impl From<KeyError> for Failed {
    fn from(error: KeyError) -> Self {
        match error.source() {
            Some(cause) => Self::because(error.to_string(), cause),
            None => Self::new(error.to_string()),
        }
    }
}

impl From<KeyringError> for Failed {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Directory(error) => error.into(),
            error => Self::new(error.to_string()),
        }
    }
}

impl From<TokenError> for Failed {
    fn from(error: TokenError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<PasswordError> for Failed {
    fn from(error: PasswordError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<NoRandomness> for Failed {
    fn from(error: NoRandomness) -> Self {
        Self::new(error.to_string())
    }
}

/// Runs a command to its end. 0: done; 1: could not, and standard error says why; 2 is clap's, for a bad command line, and
/// that of the commands that verify, for what could not be checked.
pub fn run(cli: Cli) -> ExitCode {
    telemetry::log_panics();
    let log = match &cli.command {
        Command::Serve(serve) => telemetry::start_log(&serve.log, serve.log_format),
        // People read these: they hear of what is wrong, and otherwise the command speaks for itself.
        _ => telemetry::start_log("warn", None),
    };
    let done = match log {
        Ok(()) => actix_web::rt::System::new().block_on(dispatch(cli.command)),
        Err(error) => Err(Failed::because("the log's filter (--log, TEMWEN_LOG) cannot be read", &error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            // Where even this cannot be written, the exit code remains.
            let _ = writeln!(io::stderr().lock(), "temwen: {failed}");
            ExitCode::from(failed.code)
        }
    }
}

async fn dispatch(command: Command) -> Result<(), Failed> {
    match command {
        Command::Serve(serve) => serve::run(*serve).await,
        Command::Migrate(arguments) => migrate::run(&arguments.database).await,
        Command::AddUser(arguments) => add_user::run(*arguments).await,
        Command::Import(arguments) => import::run(*arguments).await,
        Command::Keys(arguments) => keys::run(*arguments).await,
        Command::RotateKey(arguments) => rotate_key(&arguments),
        Command::VerifyReceipt(arguments) => verify_receipt::run(&arguments),
        Command::VerifyLog(arguments) => verify_log::run(*arguments).await,
        Command::Witness(arguments) => witness::command::run(*arguments).await,
        Command::Openapi(_) => {
            let document = http::openapi().to_yaml();
            let document =
                document.map_err(|error| Failed::because("the document could not be written", &error))?;
            say(document.trim_end())
        }
    }
}

/// Adds a key, and says by what others will know it.
fn rotate_key(arguments: &RotateKey) -> Result<(), Failed> {
    let dir = arguments.key_dir.clone().unwrap_or_else(|| arguments.data_dir.join("keys"));
    match arguments.what {
        Rotated::Token => say(&format!("The new token key is {}.", Keys::add_token_key(&dir)?)),
        Rotated::Log => say(&Keys::add_log_key(&dir)?),
    }
}

/// Prints `text` and a line break. Somebody who stopped listening is no fault of ours.
pub(crate) fn say(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failed::because("standard output cannot be written to", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_sentence_with_its_causes() {
        let cause = io::Error::new(ErrorKind::NotFound, "no such file");
        let error = Error::unavailable(2).because(cause);
        let said = Failed::from(error).to_string();
        assert_eq!(
            said,
            "the register cannot answer just now; repeat the request in a moment (no such file)"
        );
    }
}
