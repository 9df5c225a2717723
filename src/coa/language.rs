//! The languages that complainants are answered in, and how one is chosen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A language that the texts for complainants exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Haitian Creole.
    Ht,
    /// French.
    Fr,
    /// English.
    En,
    /// Spanish.
    Es,
}

impl Language {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Ht, Self::Fr, Self::En, Self::Es];

    /// Its ISO 639-1 code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ht => "ht",
            Self::Fr => "fr",
            Self::En => "en",
            Self::Es => "es",
        }
    }

    /// The language that a code or a longer tag such as `fr-CA` or `HT` means; nothing if there are no texts
    /// in it.
    pub fn parse(tag: &str) -> Option<Self> {
        let first = tag.split(['-', '_']).next().unwrap_or_default();
        // Three-letter codes stand in some phones' settings.
        let all =
            [("hat", Self::Ht), ("fra", Self::Fr), ("fre", Self::Fr), ("eng", Self::En), ("spa", Self::Es)];
        let short = Self::ALL.into_iter().find(|language| first.eq_ignore_ascii_case(language.as_str()));
        short.or_else(|| {
            all.into_iter().find_map(|(code, language)| first.eq_ignore_ascii_case(code).then_some(language))
        })
    }

    /// The language to answer in: what the `Accept-Language` header asks for, else the complaint's own, else
    /// French.
    pub fn choose(accept: Option<&str>, complaint: Option<&str>) -> Self {
        let own = complaint.and_then(Self::parse);
        accept.and_then(|accept| Self::negotiate(accept, own)).or(own).unwrap_or(Self::Fr)
    }

    /// What an `Accept-Language` header (RFC 9110 section 12.5.4) asks for, if there are texts in it: the
    /// highest weight wins, then the first named. `*` means `preferred`, if nothing forbids that. Parts that
    /// cannot be read are passed over.
    pub fn negotiate(header: &str, preferred: Option<Self>) -> Option<Self> {
        let mut best: Option<(Self, u16)> = None;
        let mut refused = [false; Self::ALL.len()];
        let mut any = 0;
        // A header of thousands of parts is not a browser's; the first hundred are enough for anybody.
        for part in header.split(',').take(100) {
            let mut pieces = part.split(';').map(str::trim);
            let tag = pieces.next().unwrap_or_default();
            let Some(weight) = weight(pieces) else { continue };
            if tag == "*" {
                any = any.max(weight);
                continue;
            }
            let Some(language) = Self::parse(tag) else { continue };
            if weight == 0 {
                // `fr-CA;q=0` refuses a dialect, not French.
                if let (true, Some(slot)) = (!tag.contains('-'), refused.get_mut(language as usize)) {
                    *slot = true;
                }
            } else if best.is_none_or(|(_, so_far)| weight > so_far) {
                best = Some((language, weight));
            }
        }
        let free = |language: &Self| !refused.get(*language as usize).copied().unwrap_or(false);
        let wild = preferred.filter(free).filter(|_| any > 0);
        match best {
            Some((_, weight)) if any > weight && wild.is_some() => wild,
            Some((language, _)) => Some(language),
            None => wild,
        }
    }
}

/// The weight of one part, in thousandths: 1000 where none is given, nothing where it is not a weight.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let mut weight = 1000;
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if !name.trim().eq_ignore_ascii_case("q") {
            continue;
        }
        let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
        if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
        weight = match (whole, thousandths) {
            ("0", part) => part,
            ("1", 0) => 1000,
            _ => return None,
        };
    }
    Some(weight)
}

#[cfg(test)]
mod tests {
    use super::Language::{self, En, Es, Fr, Ht};
    use proptest::prelude::*;

    #[test]
    fn a_header_chooses_the_language() {
        let table = [
            ("ht", Some(Ht)),
            ("fr-CA", Some(Fr)),
            ("FR_fr", Some(Fr)),
            ("hat", Some(Ht)),
            ("de, fr;q=0.5, en;q=0.9", Some(En)),
            ("de-DE,de;q=0.9", None),
            ("en;q=0.8, es;q=0.8", Some(En)),
            ("en;q=0, fr;q=0.1", Some(Fr)),
            ("en;q=0.001,es;q=1.000", Some(Es)),
            ("fr ; q=0.3 , ht ; Q=0.7", Some(Ht)),
            ("en;q=2, fr;q=0.1", Some(Fr)),
            ("en;q=0.1234, fr;q=0.1", Some(Fr)),
            ("en;q=+0.5, fr;q=0.1", Some(Fr)),
            ("", None),
            (",,;q=1,", None),
            ("*", Some(Es)),
            ("*, es;q=0", None),
            ("en;q=0.3, *;q=0.5", Some(Es)),
            ("en;q=0.5, *;q=0.5", Some(En)),
            ("french", None),
        ];
        for (header, language) in table {
            assert_eq!(Language::negotiate(header, Some(Es)), language, "{header}");
        }
        assert_eq!(Language::negotiate("*", None), None);
    }

    #[test]
    fn the_header_goes_before_the_complaint_and_the_complaint_before_french() {
        assert_eq!(Language::choose(Some("en"), Some("ht")), En);
        assert_eq!(Language::choose(Some("de"), Some("ht")), Ht);
        assert_eq!(Language::choose(Some("*"), Some("ht")), Ht);
        assert_eq!(Language::choose(None, Some("ht")), Ht);
        assert_eq!(Language::choose(None, Some("sw")), Fr);
        assert_eq!(Language::choose(None, None), Fr);
    }

    proptest! {
        #[test]
        fn no_header_is_too_strange(header in "\\PC{0,200}") {
            Language::negotiate(&header, Some(Ht));
        }
    }
}
