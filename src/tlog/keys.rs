//! Keys that sign for a log, keys that cosign for a witness, and what verifies them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Signature, is_key_name_valid, key_id};
use zeroize::Zeroizing;

use crate::tlog::fault::Fault;

/// The longest name of a key, in bytes.
const LONGEST_NAME: usize = 255;
/// The words before a private key, so that nobody takes it for a public one.
const PRIVATE: &str = "PRIVATE+KEY+";

/// What a key's signatures say, which is the signature type of <https://c2sp.org/signed-note>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Type 0x01: Ed25519 over the note's text.
    Log,
    /// Type 0x04: Ed25519 over the checkpoint and the moment it was seen at.
    Cosigner,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Cosigner => 0x04,
        }
    }

    fn of(byte: u8) -> Result<Self, Fault> {
        match byte {
            0x01 => Ok(Self::Log),
            0x04 => Ok(Self::Cosigner),
            _ => Err(Fault::Key("its type is neither 01 (log) nor 04 (witness)")),
        }
    }
}

/// A public key with its name: what outsiders are given to verify with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; 32],
    id: u32,
}

impl VerifierKey {
    fn new(name: &str, kind: KeyKind, public: [u8; 32]) -> Result<Self, Fault> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), kind, public, id: key_id(name, &typed(kind, &public)) })
    }

    /// Reads `name+hash+base64`; white space around it does not matter.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.starts_with(PRIVATE) {
            return Err(Fault::Key("it is a private key; the public one is asked for"));
        }
        let (name, kind, public, id) = parts(text.trim())?;
        let key = Self::new(name, kind, *public)?;
        if key.id == id { Ok(key) } else { Err(Fault::Key("its number does not belong to its name and key")) }
    }

    /// Name of whoever signs, a URL without its scheme.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's number, which each of its signatures begins with.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What its signatures say.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether both are one key, whatever it is called.
    pub(super) fn same_public(&self, other: &Self) -> bool {
        self.public == other.public
    }

    /// Whether a signature claims to be of this key.
    pub(crate) fn claims(&self, signature: &Signature) -> bool {
        self.name == signature.name() && self.id == signature.id()
    }

    /// Verifies a signature over the text of a note. A cosignature tells the second it was made at.
    pub(crate) fn verify(&self, body: &str, signature: &[u8]) -> Result<Option<u64>, Fault> {
        let key = UnparsedPublicKey::new(&ED25519, self.public.as_slice());
        let verified = match self.kind {
            KeyKind::Log => key.verify(body.as_bytes(), signature).ok().map(|()| None),
            KeyKind::Cosigner => signature.split_first_chunk().and_then(|(at, signature)| {
                let at = u64::from_be_bytes(*at);
                let said = check_moment(at).map(|()| cosigned_words(body, at)).ok()?;
                key.verify(said.as_bytes(), signature).ok().map(|()| Some(at))
            }),
        };
        verified.ok_or_else(|| Fault::FalseSignature(self.name.clone()))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(typed(self.kind, &self.public)))
    }
}

impl FromStr for VerifierKey {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::parse(text)
    }
}

/// A private key of either kind. What it holds is wiped from memory when it goes.
struct Secret {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl Secret {
    fn new(name: &str, kind: KeyKind, seed: Zeroizing<[u8; 32]>) -> Result<Self, Fault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(|_| Fault::Key("it is not Ed25519"))?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| Fault::Key("its public half is not 32 bytes"))?;
        Ok(Self { seed, public: VerifierKey::new(name, kind, public)?, pair })
    }

    fn generate(name: &str, kind: KeyKind) -> Result<Self, Fault> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        rand::fill(seed.as_mut_slice()).map_err(|_| Fault::Key("the system gives no randomness"))?;
        Self::new(name, kind, seed)
    }

    fn parse(text: &str, wanted: KeyKind) -> Result<Self, Fault> {
        let text =
            text.trim().strip_prefix(PRIVATE).ok_or(Fault::Key("it does not begin with PRIVATE+KEY+"))?;
        let (name, kind, seed, id) = parts(text)?;
        if kind != wanted {
            return Err(Fault::Key(match wanted {
                KeyKind::Log => "it is a witness's key (type 04); a log's (01) is asked for",
                KeyKind::Cosigner => "it is a log's key (type 01); a witness's (04) is asked for",
            }));
        }
        let secret = Self::new(name, kind, seed)?;
        let same = secret.public.id == id;
        if same { Ok(secret) } else { Err(Fault::Key("its number does not belong to its name and key")) }
    }

    fn to_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(typed(self.public.kind, &self.seed));
        let key = Zeroizing::new(STANDARD.encode(key.as_slice()));
        Zeroizing::new(format!("{PRIVATE}{}+{:08x}+{}", self.public.name, self.public.id, key.as_str()))
    }

    fn line(&self, signature: Vec<u8>) -> Result<String, Fault> {
        let signature = Signature::new(self.public.name.clone(), self.public.id, signature);
        signature
            .ok()
            .and_then(|signature| String::from_utf8(signature.to_bytes()).ok())
            .ok_or(Fault::Key("its name cannot stand in a note"))
    }
}

/// The key a log signs its checkpoints with (type 0x01).
pub struct SigningKey(Secret);

impl SigningKey {
    /// A new key of that name.
    pub fn generate(name: &str) -> Result<Self, Fault> {
        Secret::generate(name, KeyKind::Log).map(Self)
    }

    /// Reads `PRIVATE+KEY+name+hash+base64`, the form of Go's note package.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Secret::parse(text, KeyKind::Log).map(Self)
    }

    /// The key as [`SigningKey::parse`] reads it. Whoever has it can sign for the log.
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_text()
    }

    /// Name of the log.
    pub fn name(&self) -> &str {
        self.0.public.name()
    }

    /// What verifies its signatures.
    pub fn verifier(&self) -> VerifierKey {
        self.0.public.clone()
    }

    /// The signature line for a note's text, newline included.
    pub fn sign(&self, body: &str) -> Result<String, Fault> {
        self.0.line(self.0.pair.sign(body.as_bytes()).as_ref().to_vec())
    }
}

/// The key a witness cosigns with (type 0x04). The public key must not be used under two names.
pub struct CosignerKey(Secret);

impl CosignerKey {
    /// A new key of that name.
    pub fn generate(name: &str) -> Result<Self, Fault> {
        Secret::generate(name, KeyKind::Cosigner).map(Self)
    }

    /// Reads `PRIVATE+KEY+name+hash+base64` with the type 04 in it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Secret::parse(text, KeyKind::Cosigner).map(Self)
    }

    /// The key as [`CosignerKey::parse`] reads it. Whoever has it can cosign for the witness.
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_text()
    }

    /// Name of the witness.
    pub fn name(&self) -> &str {
        self.0.public.name()
    }

    /// What verifies its cosignatures.
    pub fn verifier(&self) -> VerifierKey {
        self.0.public.clone()
    }

    /// The cosignature line for a checkpoint's text seen at that second since 1970, newline included.
    pub fn cosign(&self, note_body: &str, unix_seconds: u64) -> Result<String, Fault> {
        check_moment(unix_seconds)?;
        let signature = self.0.pair.sign(cosigned_words(note_body, unix_seconds).as_bytes());
        self.0.line([unix_seconds.to_be_bytes().as_slice(), signature.as_ref()].concat())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CosignerKey").field(&self.name()).finish_non_exhaustive()
    }
}

/// What a cosigner signs: <https://c2sp.org/tlog-cosignature>, "Ed25519 signed message".
fn cosigned_words(body: &str, at: u64) -> String {
    format!("cosignature/v1\ntime {at}\n{body}")
}

/// A cosignature always says when, in seconds that fit a signed number of 64 bits.
fn check_moment(at: u64) -> Result<(), Fault> {
    if at == 0 || i64::try_from(at).is_err() { Err(Fault::Moment(at)) } else { Ok(()) }
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.len() > LONGEST_NAME {
        Err(Fault::Key("its name is longer than 255 bytes"))
    } else if !is_key_name_valid(name) || name.chars().any(char::is_control) {
        Err(Fault::Key("its name is empty or holds a space, a plus or a control character"))
    } else {
        Ok(())
    }
}

fn typed(kind: KeyKind, key: &[u8; 32]) -> Vec<u8> {
    [[kind.byte()].as_slice(), key.as_slice()].concat()
}

/// Name, kind, 32 bytes and number.
type Parts<'a> = (&'a str, KeyKind, Zeroizing<[u8; 32]>, u32);

/// The parts of `name+hash+base64`.
fn parts(text: &str) -> Result<Parts<'_>, Fault> {
    let (name, rest) = text.split_once('+').ok_or(Fault::Key("it has no plus"))?;
    let (number, key) = rest.split_once('+').ok_or(Fault::Key("it has one plus only"))?;
    let plain = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    if number.len() != 8 || !number.bytes().all(plain) {
        return Err(Fault::Key("its number is not eight small hexadecimal digits"));
    }
    let id = u32::from_str_radix(number, 16).map_err(|_| Fault::Key("its number is none"))?;
    let bytes = Zeroizing::new(STANDARD.decode(key).map_err(|_| Fault::Key("its last part is not base64"))?);
    let (kind, key) = bytes.split_first().ok_or(Fault::Key("its last part is empty"))?;
    let kind = KeyKind::of(*kind)?;
    let mut fixed = Zeroizing::new([0_u8; 32]);
    if key.len() != fixed.len() {
        return Err(Fault::Key("it does not hold 32 bytes of key"));
    }
    fixed.copy_from_slice(key);
    Ok((name, kind, fixed, id))
}
