//! Small values that carry their own rules: typed ids, checked text, stored enums.
//!
//! A value is parsed once, at the edge, and is valid from then on. Nothing here does I/O.

use serde::Serialize;
use utoipa::ToSchema;

/// Declares a UUID newtype, so that a `CaseId` can never be passed where a `UserId` is meant.
macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        #[derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        #[serde(transparent)]
        #[schema(value_type = uuid::Uuid)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A fresh, time-ordered id.
            #[expect(clippy::new_without_default, reason = "no two are the same, so none is the default")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }

            /// The bare UUID, for the audit record and the wall.
            pub const fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                <uuid::Uuid as diesel::serialize::ToSql<diesel::sql_types::Uuid, diesel::pg::Pg>>::to_sql(&self.0, out)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                <uuid::Uuid as diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg>>::from_sql(bytes).map(Self)
            }
        }
    )+};
}

/// Declares an enum stored as text; the database holds the same words as the API.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        #[derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name {
            $($(#[doc = $vdoc])+ #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word used in the API, the database and the audit record.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// What it means, in the words of its documentation.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($vdoc),+)),+ }
            }

            /// The value that `word` stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                use std::io::Write as _;
                out.write_all(self.as_str().as_bytes())?;
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                std::str::from_utf8(bytes.as_bytes())
                    .ok()
                    .and_then(Self::from_word)
                    .ok_or_else(|| concat!("the database holds an unknown ", stringify!($name)).into())
            }
        }
    };
}

pub(crate) use text_enum;

typed_id! {
    /// A person with an account.
    UserId,
    /// One sign-in of an account, on one device.
    SessionId,
    /// What a complainant handed in.
    ComplaintId,
    /// What somebody works on.
    CaseId,
    /// A complaint and the case that grew from it: what a wall is put around.
    MatterId,
    /// A time limit that runs for a complaint or a case.
    DeadlineId,
    /// A change that waits for a second signature.
    ProposalId,
    /// An internal note on a case.
    NoteId,
    /// A message in a reporter's thread.
    MessageId,
    /// A version of a complaint's text with passages taken out.
    RedactionId,
    /// One allegation of a case.
    AllegationId,
    /// One entry of the audit record.
    EntryId,
    /// A legal hold.
    HoldId,
    /// An erasure that is proposed, or was carried out.
    ErasureId,
    /// Somebody who serves or served in the mission.
    PersonId,
    /// A unit of the mission.
    UnitId,
    /// Somebody's leave to read a case for a while.
    GlanceId,
    /// A person of a matter.
    PartyId,
    /// What a person agreed to, or did not.
    ConsentId,
    /// Somebody being told, or asking to be told, who a person is.
    RevealId,
    /// A file that was given as evidence.
    EvidenceId,
    /// One event in a file's chain of custody.
    CustodyEventId,
}

/// One fault, and where in the body it is (an RFC 6901 pointer).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// Where the value stands in the request: a JSON pointer, or the name of a query parameter or header.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Gathers every fault of a request, so that a client can mend them all at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault.
    pub fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Fault::new(pointer, detail));
    }

    /// Takes the value out of a parse, noting the fault if there was none.
    pub fn take<T, E: Into<String>>(
        &mut self,
        pointer: &str,
        parsed: std::result::Result<T, E>,
    ) -> Option<T> {
        parsed.map_err(|detail| self.add(pointer, detail)).ok()
    }

    /// Parses what was given, if anything was.
    pub fn take_some<T, U, E: Into<String>>(
        &mut self,
        pointer: &str,
        given: Option<U>,
        parse: impl FnOnce(U) -> std::result::Result<T, E>,
    ) -> Option<T> {
        given.and_then(|given| self.take(pointer, parse(given)))
    }

    /// The faults so far, or none.
    pub fn check(self) -> crate::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(crate::Error::invalid(self.0)) }
    }

    /// `value` if nothing was wrong.
    pub fn none_or<T>(self, value: Option<T>) -> crate::Result<T> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(crate::Error::invalid(self.0)),
        }
    }
}

/// The most bytes (UTF-8) that a complaint's or a message's text may have: 64 KiB.
pub const TEXT_LIMIT: usize = 64 * 1024;

/// Somebody's words, exactly as given: 1 byte to [`TEXT_LIMIT`] bytes, not blank.
///
/// Nothing is trimmed or normalised, because the original words never change. Only U+0000 is refused, which
/// the database cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Words(String);

impl Words {
    /// Accepts text that somebody can have meant.
    pub fn parse(text: String) -> Result<Self, &'static str> {
        if text.contains('\0') {
            return Err("must not hold the character U+0000");
        }
        if text.trim().is_empty() {
            return Err("must not be empty");
        }
        if text.len() > TEXT_LIMIT {
            return Err("must be at most 65536 bytes of UTF-8");
        }
        Ok(Self(text))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A short text on one line, trimmed: 1 to 200 characters, none of them a control or direction character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Line(String);

impl Line {
    /// The most characters of a line.
    pub const LIMIT: usize = 200;

    /// Accepts text that can stand in a list without disturbing it.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, &'static str> {
        let text = text.as_ref().trim();
        if text.is_empty() {
            return Err("must not be empty");
        }
        if text.chars().count() > Self::LIMIT {
            return Err("must be at most 200 characters");
        }
        if text.chars().any(disturbs_a_line) {
            return Err("must not hold control or text-direction characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Line breaks and controls break lists; direction overrides make a name read as another one.
fn disturbs_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// Why somebody did what they did: 3 to 4000 characters, at least one of them a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reason(String);

impl Reason {
    /// Accepts a reason that says something.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, &'static str> {
        let text = text.as_ref().trim();
        if text.contains('\0') {
            return Err("must not hold the character U+0000");
        }
        match text.chars().count() {
            0..3 => Err("must give a reason of at least 3 characters"),
            4001.. => Err("must be at most 4000 characters"),
            _ if !text.chars().any(char::is_alphabetic) => Err("must give a reason in words"),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address, as far as an account's name needs it: lower case, one `@`, at most 254 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Accepts an address; its case does not matter.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, &'static str> {
        let text = text.as_ref().trim().to_lowercase();
        let good = text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || disturbs_a_line(c))
            && text.split_once('@').is_some_and(|(name, host)| {
                !name.is_empty()
                    && !host.is_empty()
                    && !host.contains('@')
                    && !host.starts_with('.')
                    && !host.ends_with('.')
            });
        if good { Ok(Self(text)) } else { Err("must be an e-mail address") }
    }

    /// The address in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_exactly_as_they_were_said() {
        let said = "  Yo pran telefòn mwen.\r\n\t\u{202E}… ";
        assert_eq!(Words::parse(said.to_owned()).unwrap().as_str(), said);
        assert!(Words::parse(" \n".into()).is_err());
        assert!(Words::parse("a\0b".into()).is_err());
        assert!(Words::parse("a".repeat(TEXT_LIMIT)).is_ok());
        assert!(Words::parse("a".repeat(TEXT_LIMIT + 1)).is_err());
    }

    #[test]
    fn a_line_cannot_disturb_a_list() {
        for bad in ["", "  ", "a\nb", "a\u{202E}b", "a\0", "a\u{1b}[31m"] {
            assert!(Line::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Line::parse("  Cité Soleil ").unwrap().as_str(), "Cité Soleil");
    }

    #[test]
    fn an_address_is_one_address() {
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@.c", "a@c.", "a\n@b"] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Email::parse(" Odette@MSS.example ").unwrap().as_str(), "odette@mss.example");
    }
}
