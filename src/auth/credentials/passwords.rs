//! Passwords: how they are kept, compared and chosen.
//!
//! Belongs here: Argon2id with bounded cost, and the rules for a new password.
//! Does not belong here: whose password it is, and slowing down whoever guesses; see [`super::Slowdown`].

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

use super::{NoRandomness, random};

/// KiB of memory, passes and lanes: the first choice of the OWASP password storage cheat sheet.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Characters of a new password.
const SHORTEST: usize = 12;
const LONGEST: usize = 256;
/// Bytes; no password chosen here is longer, even before it is normalised.
const LONGEST_GUESS: usize = 4096;
/// Characters looked at when a password's strength is estimated: the time it takes grows with their square.
const ESTIMATED: usize = 100;
/// Words everybody here would think of first.
const OBVIOUS: [&str; 14] = [
    "temwen",
    "haiti",
    "ayiti",
    "portauprince",
    "potoprens",
    "police",
    "polis",
    "mission",
    "misyon",
    "complaint",
    "plainte",
    "plent",
    "kenya",
    "welcome",
];

/// Why a password could not be hashed or compared. Not that it is wrong: that is an answer.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// As many callers wait as may: try again in a moment.
    #[error("too many passwords are being verified")]
    Busy,
    /// What is stored is no Argon2 hash.
    #[error("a stored password hash cannot be read")]
    Stored,
    /// Hashing failed, or the thread that did it.
    #[error("a password could not be hashed")]
    Failed,
    /// No random bytes for a salt.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Hashes and compares passwords on threads of their own, no more at once than asked for: each takes 19 MiB
/// and a core for tens of milliseconds.
#[derive(Debug, Clone)]
pub struct Passwords {
    /// A place for each caller that is at work or waits.
    places: Arc<Semaphore>,
    /// A place for each that is at work.
    running: Arc<Semaphore>,
    /// The hash of a password nobody knows: what a guess for an unknown account is compared with.
    nobody: Arc<str>,
}

impl Passwords {
    /// At most `parallel` (at least one; as many as there are cores) are at work at once and at most
    /// `waiting` wait.
    pub fn new(parallel: usize, waiting: usize) -> Result<Self, PasswordError> {
        let parallel = parallel.clamp(1, Semaphore::MAX_PERMITS / 2);
        let places = parallel.saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            places: Arc::new(Semaphore::new(places)),
            running: Arc::new(Semaphore::new(parallel)),
            nobody: hash(&random::<32>()?)?.into(),
        })
    }

    /// The hash to store, a PHC string.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.work(move || hash(normalized(password.expose_secret()).as_bytes())).await
    }

    /// Whether the password is the one behind the stored hash. Without a stored hash (there is no such
    /// account) the answer is no, and takes as long.
    pub async fn verify(
        &self,
        stored: Option<String>,
        password: SecretString,
    ) -> Result<bool, PasswordError> {
        if password.expose_secret().len() > LONGEST_GUESS {
            return Ok(false);
        }
        let known = stored.is_some();
        let stored = stored.map_or_else(|| Arc::clone(&self.nobody), Into::into);
        self.work(move || verify(&stored, normalized(password.expose_secret()).as_bytes()))
            .await
            .map(|equal| known && equal)
    }

    /// Whether a stored hash was made with other parameters than a new one would be.
    pub fn needs_rehash(&self, stored: &str) -> bool {
        let parameters = |phc: &str| {
            let hash = PasswordHash::new(phc).ok()?;
            let params = Params::try_from(&hash).ok()?;
            Some((
                hash.algorithm,
                hash.version,
                params.m_cost(),
                params.t_cost(),
                params.p_cost(),
                params.output_len(),
            ))
        };
        let ours = parameters(&self.nobody);
        ours.is_none() || parameters(stored) != ours
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        // The permits go with the work: it runs to its end even if the caller has gone.
        let work = move || {
            let _until_done = (place, turn);
            work()
        };
        spawn_blocking(work).await.map_err(|_| PasswordError::Failed)?
    }
}

/// Accepts a password of 12 to 256 characters that is hard to guess, also for who knows `personal`: the
/// e-mail address and the name of its owner. There are no rules about kinds of characters (NIST SP 800-63B,
/// 3.1.1.2). Takes milliseconds: call it off the threads that serve requests.
pub fn check_new(password: &str, personal: &[&str]) -> Result<(), &'static str> {
    if password.len() > LONGEST_GUESS {
        return Err("must be at most 256 characters");
    }
    let password = normalized(password);
    match password.chars().count() {
        length if length < SHORTEST => return Err("must be at least 12 characters"),
        length if length > LONGEST => return Err("must be at most 256 characters"),
        _ => {}
    }
    if password.chars().any(char::is_control) {
        return Err("must have no control characters");
    }
    let mut words: Vec<&str> = OBVIOUS.to_vec();
    for text in personal {
        words.push(text);
        words.extend(text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2));
    }
    let estimated = password
        .char_indices()
        .nth(ESTIMATED)
        .map_or(&password[..], |(end, _)| password.get(..end).unwrap_or_default());
    let hard = |text: &str| matches!(zxcvbn(text, &words).score(), Score::Three | Score::Four);
    // Several such words in a row are counted as a long password: what is left without them has to do.
    let lower = estimated.to_lowercase();
    let telling = words.iter().filter(|word| word.chars().count() > 3);
    let rest = telling.fold(lower.clone(), |rest, word| rest.replace(&word.to_lowercase(), ""));
    if hard(estimated) && (rest == lower || hard(&rest)) {
        Ok(())
    } else {
        Err("is too easy to guess: use several words that do not belong together")
    }
}

/// The same bytes however a keyboard composed the characters: the `OpaqueString` profile of RFC 8265 (other
/// spaces become a plain one, then form NFC). NFKC would make different passwords equal.
fn normalized(password: &str) -> Zeroizing<String> {
    // Room for the longest NFC form: a string that grows leaves copies of the password behind.
    let mut normalized = Zeroizing::new(String::with_capacity(3 * password.len()));
    let spaced = password.chars().map(|c| if c.is_whitespace() && !c.is_control() { ' ' } else { c });
    normalized.extend(spaced.nfc());
    normalized
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8]) -> Result<String, PasswordError> {
    let hash: PasswordHash =
        argon2()?.hash_password_with_salt(password, &random::<16>()?).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

fn verify(stored: &str, password: &[u8]) -> Result<bool, PasswordError> {
    use argon2::password_hash::Error;
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::Stored)?;
    if stored.hash.is_none() || stored.salt.is_none() {
        return Err(PasswordError::Stored);
    }
    match argon2()?.verify_password(password, &stored) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(PasswordError::Stored),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_no_other_is() {
        let passwords = Passwords::new(2, 8).unwrap();
        let stored = passwords.hash(secret("lapli ap tonbe sou do kay")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, passwords.hash(secret("lapli ap tonbe sou do kay")).await.unwrap());
        let verify = |guess: &str| passwords.verify(Some(stored.clone()), secret(guess));
        assert!(verify("lapli ap tonbe sou do kay").await.unwrap());
        assert!(verify("lapli\u{a0}ap tonbe sou do kay").await.unwrap(), "a French keyboard's space");
        for wrong in
            ["", "lapli", "Lapli ap tonbe sou do kay", "lapli ap tonbe sou do kay ", &"x".repeat(5_000_000)]
        {
            assert!(!verify(wrong).await.unwrap());
        }
    }

    #[tokio::test]
    async fn composed_and_decomposed_letters_are_the_same_password() {
        let passwords = Passwords::new(1, 1).unwrap();
        let stored = passwords.hash(secret("kr\u{e9}y\u{f2}l pale kr\u{e9}y\u{f2}l konprann")).await.unwrap();
        let decomposed = "kre\u{301}yo\u{300}l pale kre\u{301}yo\u{300}l konprann";
        assert!(passwords.verify(Some(stored), secret(decomposed)).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_account_is_wrong_and_takes_as_long_as_a_known_one() {
        let passwords = Passwords::new(1, 1).unwrap();
        let stored = passwords.hash(secret("some password")).await.unwrap();
        let mut least = [Duration::MAX; 2];
        for _ in 0..8 {
            for (least, stored) in least.iter_mut().zip([None, Some(stored.clone())]) {
                let start = Instant::now();
                assert!(!passwords.verify(stored, secret("a guess")).await.unwrap());
                *least = start.elapsed().min(*least);
            }
        }
        let [unknown, known] = least;
        assert!(unknown < known * 2 && known < unknown * 2, "{unknown:?} and {known:?}");
        assert!(!passwords.verify(None, secret("")).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_stored_wrongly_is_an_error_and_old_parameters_are_noticed() {
        let passwords = Passwords::new(1, 1).unwrap();
        let salt = "c29tZXNhbHRzb21lc2FsdA";
        for stored in
            ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1", &format!("$argon2id$v=19$m=19456,t=2,p=1${salt}")]
        {
            let verified = passwords.verify(Some(stored.to_owned()), secret("x")).await;
            assert!(matches!(verified, Err(PasswordError::Stored)), "{stored}");
            assert!(passwords.needs_rehash(stored) || stored.ends_with("p=1") || stored.ends_with(salt));
        }
        let stored = passwords.hash(secret("x")).await.unwrap();
        assert!(!passwords.needs_rehash(&stored));
        for (ours, other) in
            [("m=19456", "m=4096"), ("t=2", "t=1"), ("argon2id", "argon2i"), ("v=19", "v=16")]
        {
            assert!(passwords.needs_rehash(&stored.replace(ours, other)), "{other}");
        }
    }

    #[tokio::test]
    async fn past_the_bound_callers_are_told_to_come_back() {
        let passwords = Passwords::new(1, 2).unwrap();
        let hold = Arc::clone(&passwords.running).acquire_owned().await.unwrap();
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify(None, secret("a guess")).await })
            })
            .collect();
        while passwords.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.verify(None, secret("a guess")).await, Err(PasswordError::Busy)));
        assert!(matches!(passwords.hash(secret("a guess")).await, Err(PasswordError::Busy)));
        drop(hold);
        for caller in callers {
            assert!(!caller.await.unwrap().unwrap());
        }
        assert!(!passwords.verify(None, secret("a guess")).await.unwrap(), "the places are free again");
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_gives_its_place_back() {
        let passwords = Passwords::new(1, 0).unwrap();
        let hold = Arc::clone(&passwords.running).acquire_owned().await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(20), passwords.hash(secret("a guess")));
        assert!(waits.await.is_err());
        drop(hold);
        assert!(passwords.hash(secret("a guess")).await.is_ok());
    }

    #[test]
    fn common_and_personal_passwords_are_refused_and_passphrases_accepted() {
        let personal = ["marie.joseph@example.org", "Marie-Ange Joseph"];
        for refused in [
            "",
            "short",
            "12345678901",
            "password",
            "password1234",
            "123456789012",
            "qwertyuiop12",
            "aaaaaaaaaaaaaaaa",
            "iloveyou1234",
            "temwentemwen",
            "HaitiHaiti2026",
            "PortAuPrince1",
            "mariejoseph12",
            "Marie-Ange Joseph",
            "marie.joseph@example.org",
            "abcdefghijklmnop",
            "P@ssw0rd2026!",
            "12 \u{0}34567890abcxyz",
            "tab\tand many other words",
            "line\nand many other words",
            &"a".repeat(257),
            &"lapli kay wouj ".repeat(40),
            &"x".repeat(1_000_000),
        ] {
            assert!(check_new(refused, &personal).is_err(), "{refused}");
        }
        for accepted in [
            "lapli tonbe sou kay wouj",
            "correct horse battery staple",
            "kZ7#qP2m!xVt9w",
            "le chat dort sous la table verte",
            "мой дядя самых честных правил",
            "犬が西向きゃ尾は東にある事だよ",
            &format!("{}{}", "zebra violin ", "7gQ".repeat(80)),
        ] {
            assert_eq!(check_new(accepted, &personal), Ok(()), "{accepted}");
        }
    }

    #[test]
    fn estimating_the_longest_password_is_no_way_to_keep_the_server_busy() {
        let start = Instant::now();
        for nasty in
            ["1a".repeat(128), "a".repeat(256), "19".repeat(128), "4@".repeat(128), "qwerty".repeat(42)]
        {
            let one = Instant::now();
            let _ = check_new(&nasty, &["a@b.c"]);
            eprintln!("{:?} for {}", one.elapsed(), &nasty[..8]);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
