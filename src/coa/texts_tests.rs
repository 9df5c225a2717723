use super::*;

const FILES: [&str; 4] = [
    include_str!("../../policy/texts/ht.toml"),
    include_str!("../../policy/texts/fr.toml"),
    include_str!("../../policy/texts/en.toml"),
    include_str!("../../policy/texts/es.toml"),
];

#[test]
fn every_sentence_is_there_in_every_language() {
    let texts = Texts::built_in().unwrap();
    for language in Language::ALL {
        for key in Key::ALL {
            let values: Vec<(&str, &str)> = key.slots().iter().map(|slot| (*slot, "VALUE")).collect();
            let said = texts.say(language, *key, &values);
            assert!(said.len() > 10 && !said.contains(['{', '}']), "{language:?} {key:?}: {said}");
            assert_eq!(said.matches("VALUE").count(), values.len(), "{said}");
        }
    }
    assert_eq!(texts.review(Language::En), Review::Original);
    assert_eq!(texts.review(Language::Ht), Review::AwaitingNativeReview);
}

#[test]
fn languages_say_different_things() {
    let texts = Texts::built_in().unwrap();
    for key in Key::ALL {
        let mut said: Vec<String> =
            Language::ALL.iter().map(|language| texts.say(*language, *key, &[])).collect();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), 4, "{key:?}");
    }
}

#[test]
fn a_date_is_written_out_in_the_language() {
    let texts = Texts::built_in().unwrap();
    let date = |language, text: &str| texts.date(language, text.parse().unwrap());
    assert_eq!(date(Language::Ht, "2026-06-12"), "12 jen 2026");
    assert_eq!(date(Language::Fr, "2026-08-01"), "1er août 2026");
    assert_eq!(date(Language::En, "2026-08-01"), "1 August 2026");
    assert_eq!(date(Language::Es, "2026-12-31"), "31 de diciembre de 2026");
    let said = texts.say(Language::Fr, Key::NextUpdate, &[("date", &date(Language::Fr, "2026-03-03"))]);
    assert_eq!(said, "Vous aurez de nos nouvelles au plus tard le 3 mars 2026.");
}

#[test]
fn a_value_not_given_leaves_its_placeholder_and_a_value_is_never_read_again() {
    let texts = Texts::built_in().unwrap();
    assert!(texts.say(Language::En, Key::NextUpdate, &[]).contains("{date}"));
    let said = texts.say(Language::En, Key::Receipt, &[("reference", "{date}"), ("date", "{reference}")]);
    assert_eq!(said.matches("{date}").count() + said.matches("{reference}").count(), 2);
}

#[test]
fn every_flaw_of_every_file_is_named() {
    let ht = FILES[0].replace("status_closed", "status_clozed").replace("{reference}", "{date}");
    let fr = FILES[1].replace("language = \"fr\"", "language = \"en\"").replace("  \"mars\",\n", "");
    let es = FILES[3].replace("{day} de ", "").replace("El asunto", "\u{202e}El asunto");
    let flaws = Texts::parse([&ht, &fr, "review =", &es]).unwrap_err();
    let places: Vec<&str> = flaws.iter().map(|flaw| flaw.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "ht.say.status_closed",
            "ht.say.receipt",
            "ht.say.acknowledgement",
            "ht.say.status_clozed",
            "fr.language",
            "fr.months",
            "en",
            "es.date",
            "es.say.status_closed",
        ]
    );
}

#[test]
fn a_folder_of_files_is_read() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Texts::load(folder.path()).unwrap_err().len(), 4);
    for (language, text) in Language::ALL.into_iter().zip(FILES) {
        std::fs::write(folder.path().join(format!("{}.toml", language.as_str())), text).unwrap();
    }
    assert!(Texts::load(folder.path()).is_ok());
}

#[test]
fn keys_have_words_of_their_own() {
    let mut words: Vec<&str> = Key::ALL.iter().map(|key| key.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Key::ALL.len());
    for (at, key) in Key::ALL.iter().enumerate() {
        assert_eq!(key.place(), at);
    }
    for status in Status::ALL {
        assert_eq!(Key::Status(*status).as_str(), format!("status_{}", status.as_str()));
    }
}
