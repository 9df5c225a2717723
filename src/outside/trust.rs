//! Whom the caller trusts: the keys of logs and of witnesses, as they were given.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::tlog::{Cosigned, Fault, KeyKind, VerifierKey, cosignatures};

/// The most bytes of a file of keys: some hundred keys.
const LONGEST_KEYS: usize = 64 * 1024;

/// Whom the caller trusts.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The keys of logs; at least one.
    pub logs: Vec<VerifierKey>,
    /// The keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// How many different witnesses must have signed.
    pub needed: usize,
}

impl Trust {
    /// Reads keys as they are given on a command line: each a verifier key, or a file that holds some, one on each line.
    ///
    /// The error is a sentence for whoever gave them.
    pub fn of(logs: &[String], witnesses: &[String], needed: usize) -> Result<Self, String> {
        let trust =
            Self { logs: keys(logs, KeyKind::Log)?, witnesses: keys(witnesses, KeyKind::Cosigner)?, needed };
        if trust.logs.is_empty() {
            return Err("no key of a log was given".to_owned());
        }
        let named = names(trust.witnesses.iter().map(VerifierKey::name));
        if needed > named {
            return Err(format!("{needed} witnesses are needed, but {named} were named"));
        }
        Ok(trust)
    }

    /// The trusted witnesses who signed a checkpoint. A false signature in the name of one is a fault.
    pub fn witnesses_of(&self, checkpoint: &str) -> Result<Vec<Cosigned>, Fault> {
        cosignatures(checkpoint, &self.witnesses)
    }

    /// How many witnesses are still missing. One that signed with two keys counts once.
    pub fn missing(&self, signed: &[Cosigned]) -> usize {
        self.needed.saturating_sub(names(signed.iter().map(|one| one.name.as_str())))
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> usize {
    all.collect::<BTreeSet<_>>().len()
}

fn keys(given: &[String], wanted: KeyKind) -> Result<Vec<VerifierKey>, String> {
    let mut keys: Vec<VerifierKey> = Vec::new();
    for given in given {
        let found = match VerifierKey::parse(given) {
            Ok(key) => vec![key],
            Err(fault) => of_file(given, &fault)?,
        };
        for key in found {
            if key.kind() != wanted {
                return Err(match wanted {
                    KeyKind::Log => format!("the key of {} is a witness's; a log's is asked for", key.name()),
                    KeyKind::Cosigner => {
                        format!("the key of {} is a log's; a witness's is asked for", key.name())
                    }
                });
            }
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}

/// The keys of a file. Empty lines, and lines that begin with #, do not count.
fn of_file(path: &str, as_key: &Fault) -> Result<Vec<VerifierKey>, String> {
    // Somebody who meant to give a key should not read of files.
    let looks_like_a_key = path.matches('+').count() >= 2 && !Path::new(path).exists();
    if looks_like_a_key {
        return Err(format!("the key {path:?} cannot be read: {as_key}"));
    }
    let bytes = read(Path::new(path), LONGEST_KEYS)
        .map_err(|error| format!("{path:?} is neither a key nor a file that can be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("the file of keys {path:?} is not text"))?;
    let lines = text.trim_start_matches('\u{FEFF}').lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<VerifierKey> = lines
        .map(VerifierKey::parse)
        .collect::<Result<_, Fault>>()
        .map_err(|fault| format!("the file of keys {path:?} cannot be read: {fault}"))?;
    if keys.is_empty() { Err(format!("the file of keys {path:?} is empty")) } else { Ok(keys) }
}

/// The bytes of a file, if there are no more than that many.
pub(crate) fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{CosignerKey, SigningKey};

    #[test]
    fn keys_are_given_as_lines_or_as_files() {
        let log = SigningKey::generate("log.example").unwrap().verifier().to_string();
        let older = SigningKey::generate("log.example").unwrap().verifier().to_string();
        let witness = CosignerKey::generate("witness.example").unwrap().verifier().to_string();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, format!("\u{FEFF}# the log\r\n{log}\r\n\r\n  {older}\n")).unwrap();
        let path = path.display().to_string();
        let trust = Trust::of(&[path.clone(), log.clone()], std::slice::from_ref(&witness), 1).unwrap();
        assert_eq!((trust.logs.len(), trust.witnesses.len()), (2, 1));

        let of = |logs: &[&str], witnesses: &[&str], needed| {
            let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
            Trust::of(&owned(logs), &owned(witnesses), needed).unwrap_err()
        };
        assert!(of(&[&witness], &[], 0).contains("a log's is asked for"));
        assert!(of(&[&log], &[&log], 0).contains("a witness's is asked for"));
        assert!(of(&[&log], &[&witness, &witness], 2).contains("2 witnesses are needed, but 1"));
        assert!(of(&[], &[], 0).contains("no key"));
        assert!(of(&["/nowhere"], &[], 0).contains("neither"));
        assert!(of(&[&log.replace("+A", "+B")], &[], 0).contains("cannot be read"));
        std::fs::write(folder.path().join("empty"), "\n# nothing\n").unwrap();
        assert!(of(&[&folder.path().join("empty").display().to_string()], &[], 0).contains("is empty"));
        std::fs::write(folder.path().join("binary"), [0xFF; 99]).unwrap();
        assert!(of(&[&folder.path().join("binary").display().to_string()], &[], 0).contains("not text"));
        std::fs::write(folder.path().join("huge"), vec![b'a'; LONGEST_KEYS + 1]).unwrap();
        assert!(of(&[&folder.path().join("huge").display().to_string()], &[], 0).contains("longer"));
    }
}
