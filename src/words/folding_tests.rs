//! What finds what.

use proptest::prelude::*;

use super::*;

/// Whether somebody who looks for `wanted` finds `written` in a text of this language.
fn finds(wanted: &str, written: &str, language: Language) -> bool {
    let there: BTreeSet<String> = words(written).iter().flat_map(|word| keys(word, language)).collect();
    let wanted = words(wanted);
    assert!(!wanted.is_empty());
    wanted.iter().all(|word| !keys_of_any(word).is_disjoint(&there))
}

#[test]
fn case_accents_and_endings_do_not_matter() {
    for (wanted, written, language) in [
        ("TEMOINS", "un témoin l'a vu", Language::Fr),
        ("frappée", "ils m'ont frappé", Language::Fr),
        ("frappe", "frappés", Language::Fr),
        ("coeur", "au cœur de la ville", Language::Fr),
        ("l’eau", "de l'eau", Language::Fr),
        ("menaces", "il m’a menacée", Language::Fr),
        ("beatings", "beating him", Language::En),
        ("officer", "the officer's rifle", Language::En),
        ("policias", "la policía", Language::Es),
        ("nino", "un NIÑO", Language::Es),
        ("amenazó", "amenazaron", Language::Es),
        ("KE-1042", "Badge KE 1042.", Language::En),
        ("cafe\u{301}", "CAFÉ", Language::Es),
        ("viol", "v\u{AD}i\u{200D}ol", Language::Fr),
        ("ﬁlle", "la fille", Language::Fr),
    ] {
        assert!(finds(wanted, written, language), "{wanted:?} in {written:?}");
    }
    for (wanted, written, language) in [
        ("police", "politique", Language::Fr),
        ("viol", "violon", Language::Fr),
        ("hospital", "hostile", Language::En),
        ("104", "1042", Language::En),
    ] {
        assert!(!finds(wanted, written, language), "{wanted:?} in {written:?}");
    }
}

#[test]
fn creole_is_found_as_it_is_written_by_each() {
    for (wanted, written) in [
        ("fre", "frè mwen"),
        ("frèm", "frèm nan"),
        ("m'ap", "map pale, m’ap kouri"),
        ("moin", "mwen te la"),
        ("camion", "yon kamyon ble"),
        ("oua", "wa a"),
        ("chèf", "shef la"),
        ("telefon", "telefòn mwen"),
        ("fòs", "fos yo"),
        ("pòt", "POT mache a"),
        ("frappe", "yo te frape l'"),
        ("lopital", "l'opital lopital"),
        ("photo", "foto a"),
    ] {
        assert!(finds(wanted, written, Language::Ht), "{wanted:?} in {written:?}");
    }
    for (wanted, written) in [("manje", "manman"), ("bal", "bwa"), ("zam", "zanmi")] {
        assert!(!finds(wanted, written, Language::Ht), "{wanted:?} in {written:?}");
    }
}

#[test]
fn signs_are_no_words() {
    assert!(words(".* [a] (?:) ^$ l' qu' - \u{301} !").is_empty());
    assert_eq!(words("bribe.*|a+"), ["bribe"]);
    assert_eq!(words("7e unité"), ["7e", "unité"]);
}

proptest! {
    #[test]
    fn whatever_is_written_finds_itself(text in "\\PC{0,80}") {
        for language in Language::ALL {
            let there: BTreeSet<String> = words(&text).iter().flat_map(|word| keys(word, language)).collect();
            for word in words(&text) {
                prop_assert!(!keys_of_any(&word).is_disjoint(&there));
                prop_assert!(words(&word.to_uppercase()).iter().all(|again| !again.is_empty()));
            }
        }
    }
}
