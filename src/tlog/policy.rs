//! Whose cosignatures are enough: <https://c2sp.org/tlog-policy>.

use std::collections::HashMap;

use crate::tlog::fault::Fault;
use crate::tlog::keys::{KeyKind, VerifierKey};

/// The longest policy that is read, in bytes.
const LONGEST_POLICY: usize = 64 * 1024;
/// How many logs, witnesses and groups a policy may have, of each. All their signatures fit one note.
const MOST: usize = 32;
/// The quorum that needs nobody.
const NOBODY: &[u8] = b"none";

/// A witness that a policy names.
#[derive(Clone)]
pub struct NamedWitness {
    /// What verifies its cosignatures.
    pub key: VerifierKey,
    /// Where it is reached, as the policy has it; nobody has looked at it yet, and it may hold a password.
    pub url: Option<Vec<u8>>,
    /// The line of the policy that names it, from 1.
    pub line: usize,
}

/// Which logs, which witnesses, and who of them is enough.
#[derive(Clone)]
pub struct TrustPolicy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<NamedWitness>,
    rules: Vec<Rule>,
    quorum: Quorum,
    source: Vec<u8>,
}

/// Whose cosignatures are needed.
#[derive(Clone, Copy)]
enum Quorum {
    Nobody,
    /// The rule of that place has to hold.
    Of(usize),
}

/// When somebody that the policy has a name for has witnessed a checkpoint.
#[derive(Clone)]
enum Rule {
    /// Once the witness of that place has cosigned it.
    Witness(usize),
    /// Once so many of those rules hold, which all stand before this one.
    Group { needed: usize, members: Vec<usize> },
}

impl TrustPolicy {
    /// Reads a policy, strictly; every flaw names its line.
    pub fn parse(source: &[u8]) -> Result<Self, Vec<Fault>> {
        if source.len() > LONGEST_POLICY {
            return Err(vec![Fault::TooLong { what: "the policy of witnesses", limit: LONGEST_POLICY }]);
        }
        let mut reader = Reader::default();
        let mut faults = Vec::new();
        let mut lines = source.split(|byte| *byte == b'\n').zip(1..).peekable();
        let mut last = 1;
        while let Some((line, number)) = lines.next() {
            last = number;
            let ended = lines.peek().is_some();
            let read = if ended || line.is_empty() {
                reader.line(line, number)
            } else {
                Err("it does not end with a newline")
            };
            faults.extend(read.err().map(|flaw| Fault::Policy { line: number, flaw }));
        }
        match reader.quorum {
            Some(quorum) if faults.is_empty() => Ok(Self {
                logs: reader.logs,
                witnesses: reader.witnesses,
                rules: reader.rules,
                quorum,
                source: source.to_owned(),
            }),
            // A quorum line that has a flaw is not missing.
            None if !reader.quorum_seen => {
                faults.push(Fault::Policy { line: last, flaw: "the policy ends without a quorum line" });
                Err(faults)
            }
            _ => Err(faults),
        }
    }

    /// The keys of the logs that it is about; none where the log is known otherwise.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses that it names, whether or not the quorum counts them.
    pub fn witnesses(&self) -> &[NamedWitness] {
        &self.witnesses
    }

    /// The policy as it was given.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// Whether a checkpoint is witnessed well enough that those have cosigned who `has_cosigned` says.
    pub fn is_met(&self, has_cosigned: impl Fn(&VerifierKey) -> bool) -> bool {
        let mut holds: Vec<bool> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let holds_now = match rule {
                Rule::Witness(place) => {
                    self.witnesses.get(*place).is_some_and(|witness| has_cosigned(&witness.key))
                }
                Rule::Group { needed, members } => {
                    members.iter().filter(|member| holds.get(**member) == Some(&true)).count() >= *needed
                }
            };
            holds.push(holds_now);
        }
        match self.quorum {
            Quorum::Nobody => true,
            Quorum::Of(rule) => holds.get(rule) == Some(&true),
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    logs: Vec<VerifierKey>,
    witnesses: Vec<NamedWitness>,
    rules: Vec<Rule>,
    /// Which rule has which name.
    names: HashMap<Vec<u8>, usize>,
    /// Whether the rule is a member of a group: each may be of one only.
    taken: Vec<bool>,
    quorum: Option<Quorum>,
    quorum_seen: bool,
    groups: usize,
}

impl Reader {
    fn line(&mut self, line: &[u8], number: usize) -> Result<(), &'static str> {
        if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err("it holds a control character");
        }
        let items: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => self.log(key),
            [b"log", ..] => Err("it should be: log <key> [<url>]"),
            [b"witness", name, key] => self.witness(name, key, None, number),
            [b"witness", name, key, url] => self.witness(name, key, Some(url), number),
            [b"witness", ..] => Err("it should be: witness <name> <key> [<url>]"),
            [b"group", name, needed, members @ ..] if !members.is_empty() => {
                self.group(name, needed, members)
            }
            [b"group", ..] => Err("it should be: group <name> <number, any or all> <member>…"),
            [b"quorum", rest @ ..] => {
                if std::mem::replace(&mut self.quorum_seen, true) {
                    return Err("it is a second quorum line");
                }
                match rest {
                    [name] => self.quorum(name),
                    _ => Err("it should be: quorum <name or none>"),
                }
            }
            _ => Err("it begins with none of log, witness, group and quorum"),
        }
    }

    fn log(&mut self, key: &[u8]) -> Result<(), &'static str> {
        let key = read_key(key)?;
        if key.kind() != KeyKind::Log {
            return Err("its key is a witness's (type 04), not a log's (01)");
        }
        if self.logs.iter().any(|other| other.same_public(&key)) {
            return Err("its key is another log's, too");
        }
        if self.logs.len() >= MOST {
            return Err("it is one log too many: 32 are read");
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(
        &mut self,
        name: &[u8],
        key: &[u8],
        url: Option<&[u8]>,
        line: usize,
    ) -> Result<(), &'static str> {
        // Even one with a flaw is there: a group that names it has none of its own.
        let rule = self.name(name, Rule::Witness(self.witnesses.len()));
        let key = read_key(key)?;
        rule?;
        if key.kind() != KeyKind::Cosigner {
            return Err("its key is a log's (type 01), not a witness's (04)");
        }
        if self.witnesses.iter().any(|other| other.key.same_public(&key)) {
            return Err("its key is another witness's, too");
        }
        if self.witnesses.len() >= MOST {
            return Err("it is one witness too many: 32 are read");
        }
        self.witnesses.push(NamedWitness { key, url: url.map(<[u8]>::to_vec), line });
        Ok(())
    }

    fn group(&mut self, name: &[u8], needed: &[u8], members: &[&[u8]]) -> Result<(), &'static str> {
        let found = self.members(members);
        let count = members.len();
        let needed = match needed {
            b"any" => Ok(1),
            b"all" => Ok(count),
            number => decimal(number).filter(|needed| (1..=count).contains(needed)).ok_or(
                "how many of its members are needed should be any, all, or a number from 1 to how many they are",
            ),
        };
        let usable = found.as_ref().ok().zip(needed.as_ref().ok());
        let (members, at_least) =
            usable.map_or((Vec::new(), 1), |(members, needed)| (members.clone(), *needed));
        self.name(name, Rule::Group { needed: at_least, members })?;
        self.groups += 1;
        found?;
        needed?;
        if self.groups > MOST { Err("it is one group too many: 32 are read") } else { Ok(()) }
    }

    fn members(&mut self, names: &[&[u8]]) -> Result<Vec<usize>, &'static str> {
        let mut members = Vec::new();
        for name in names {
            let rule = *self.names.get(*name).ok_or("a member of it has not been defined above it")?;
            if self.taken.get_mut(rule).is_none_or(|taken| std::mem::replace(taken, true)) {
                return Err("a member of it was a member before, of it or of another group");
            }
            members.push(rule);
        }
        Ok(members)
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), &'static str> {
        self.quorum = Some(if name == NOBODY {
            Quorum::Nobody
        } else {
            Quorum::Of(*self.names.get(name).ok_or("what it needs has not been defined above it")?)
        });
        Ok(())
    }

    fn name(&mut self, name: &[u8], rule: Rule) -> Result<(), &'static str> {
        if name == NOBODY {
            return Err("nobody can be called none");
        }
        if self.names.contains_key(name) {
            return Err("another witness or group has its name");
        }
        self.names.insert(name.to_vec(), self.rules.len());
        self.rules.push(rule);
        self.taken.push(false);
        Ok(())
    }
}

fn read_key(text: &[u8]) -> Result<VerifierKey, &'static str> {
    let not_one = "its key is not one in the note format, of type 01 or 04";
    std::str::from_utf8(text).ok().and_then(|text| VerifierKey::parse(text).ok()).ok_or(not_one)
}

/// A number without leading zeroes.
fn decimal(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"0") || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
