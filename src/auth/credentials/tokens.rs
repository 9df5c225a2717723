//! Access tokens: JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), which others can verify too.
//!
//! Belongs here: issuing and verifying them, and the public keys in JWK form.
//! Does not belong here: whether the session behind a token still lives; the database is asked that.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::keys::Keys;
use super::sha256;

/// Who issues the tokens, and for whom they are.
const TEMWEN: &str = "temwen";
/// Bytes. Ours are a tenth of that; a longer one is not worth looking into.
const LONGEST: usize = 4096;
/// How many verified tokens are remembered; each takes less than a kilobyte.
const REMEMBERED: usize = 10_000;
/// Seconds by which the clocks of two servers may differ before a token seems to come from the future.
const CLOCKS_DIFFER: i64 = 5;

/// Why a token could not be issued, or why the keys cannot sign any.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no key to sign with.
    #[error("there is no key to sign access tokens with")]
    NoKey,
    /// The token could not be written or signed.
    #[error("an access token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// The token would be so long that [`Tokens::verify`] would refuse it.
    #[error("an access token would be longer than {LONGEST} bytes")]
    TooLong,
}

/// What kind of person a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody with an account.
    User,
    /// Somebody who handed in a complaint and knows its access code.
    Reporter,
}

/// What a token says. Claims it does not know are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The account, or for a reporter the complaint.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    /// What kind of person.
    pub kind: Kind,
    /// The roles of the account, in the words of the policy; none for a reporter.
    pub roles: Vec<String>,
    /// The contributing country the account acts for (ISO 3166-1 alpha-2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The panel seat the account holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<String>,
    /// The version of the account's rights when the token was issued; an older one than stored is stale.
    pub rv: i64,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires, in seconds since 1970; from that second on it is refused.
    pub exp: i64,
}

impl Claims {
    fn hold_at(&self, now: DateTime<Utc>) -> bool {
        let now = now.timestamp();
        now < self.exp && self.iat <= now.saturating_add(CLOCKS_DIFFER) && self.iat <= self.exp
    }
}

#[derive(Serialize, Deserialize)]
struct Signed<C> {
    iss: String,
    aud: String,
    #[serde(flatten)]
    claims: C,
}

/// Issues and verifies access tokens.
pub struct Tokens {
    signs: EncodingKey,
    header: Header,
    verify: HashMap<String, DecodingKey>,
    validation: Validation,
    jwks: Value,
    /// Tokens whose signature was found good, by their SHA-256. Only time can make them bad.
    verified: Cache<[u8; 32], Arc<Claims>>,
}

impl Tokens {
    /// Signs with the newest of the keys and verifies with all of them.
    pub fn new(keys: &Keys) -> Result<Self, TokenError> {
        let newest = keys.tokens().last().ok_or(TokenError::NoKey)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(newest.kid.clone());
        let public = |key: &super::keys::TokenKey| {
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid,
                "x": key.public_base64url() })
        };
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[TEMWEN]);
        validation.set_audience(&[TEMWEN]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library asks the system's clock; `Claims::hold_at` asks the moment it is given.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self {
            signs: EncodingKey::from_ed_der(&newest.private),
            header,
            verify: keys
                .tokens()
                .iter()
                .map(|key| (key.kid.clone(), DecodingKey::from_ed_der(&key.public)))
                .collect(),
            validation,
            jwks: json!({ "keys": keys.tokens().iter().map(public).collect::<Vec<_>>() }),
            verified: Cache::new(REMEMBERED),
        })
    }

    /// The signed token.
    pub fn issue(&self, claims: &Claims) -> Result<String, TokenError> {
        let signed = Signed { iss: TEMWEN.to_owned(), aud: TEMWEN.to_owned(), claims };
        let token = jsonwebtoken::encode(&self.header, &signed, &self.signs).map_err(TokenError::Sign)?;
        if token.len() > LONGEST { Err(TokenError::TooLong) } else { Ok(token) }
    }

    /// What the token says, if it is one of ours and holds at `now`. Why it does not is nobody's business.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Arc<Claims>> {
        if token.len() > LONGEST {
            return None;
        }
        let digest = sha256(token.as_bytes());
        if let Some(claims) = self.verified.get(&digest) {
            return claims.hold_at(now).then_some(claims);
        }
        let claims = self.verify_signature(token).filter(|claims| claims.hold_at(now)).map(Arc::new)?;
        self.verified.insert(digest, Arc::clone(&claims));
        Some(claims)
    }

    /// The public keys, as a JWK set (RFC 7517).
    pub fn jwks(&self) -> Value {
        self.jwks.clone()
    }

    fn verify_signature(&self, token: &str) -> Option<Claims> {
        // A header that calls an extension critical must be refused by who does not know it (RFC 7515,
        // 4.1.11).
        let header = jsonwebtoken::decode_header(token).ok().filter(|header| header.crit.is_none())?;
        let key = self.verify.get(header.kid.as_deref()?)?;
        // The library compares the header's algorithm with the one allowed here before it touches the key.
        Some(jsonwebtoken::decode::<Signed<Claims>>(token, key, &self.validation).ok()?.claims.claims)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("signs", &self.header.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
