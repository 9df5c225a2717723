use super::*;

fn register() -> DataKey {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7_u8; crate::vault::KEY]);
    let vault = crate::vault::Vault::open(crate::vault::keyring::Given(text.into())).unwrap();
    vault.make_key(uuid::Uuid::nil()).unwrap().0
}

fn meet(one: (Option<&str>, Option<&str>), other: (Option<&str>, Option<&str>)) -> bool {
    let register = register();
    let (one, other) = (marks(&register, one.0, one.1), marks(&register, other.0, other.1));
    one.iter().any(|mark| other.contains(mark))
}

fn names_meet(one: &str, other: &str) -> bool {
    meet((Some(one), None), (Some(other), None))
}

#[test]
fn p3_a_name_is_known_again_however_it_is_written() {
    for (one, other) in [
        ("John Sample", "SAMPLE, John"),
        ("Jean-Baptiste Pierre", "Pierre Jean Baptiste"),
        ("Nadège Éxèmple", "NADEGE EXEMPLE"),
        ("Nade\u{301}ge Exemple", "Nad\u{e9}ge Exemple"),
        ("John Sample", "Sgt. John A. Sample"),
        ("John  Sample", "john\u{a0}sample"),
        ("Conor O'Brien", "Conor O\u{2019}Brien"),
        ("Conor O'Brien", "conor obrien"),
        ("Ørsted Strauß", "Orsted STRAUSS"),
        ("Ｊｏｈｎ Sample", "John Sample"),
        ("Jo\u{200B}hn Sample", "John Sample"),
        ("Jean de Dieu", "Jean Dieu"),
        ("Αλέξης Παπάς", "ΑΛΕΞΗΣ ΠΑΠΑΣ"),
    ] {
        assert!(names_meet(one, other), "{one} {other}");
    }
}

#[test]
fn other_names_are_not_taken_for_it() {
    for (one, other) in [
        ("John Sample", "John Other"),
        ("John Sample", "Sample"),
        ("John", "John Sample"),
        ("Sgt John Sample", "Sgt John Other"),
        ("Jean de Dieu", "Marc de Souza"),
        ("John Sample", ""),
        ("", ""),
        ("A B", "A B"),
        ("…", "…"),
    ] {
        assert!(!names_meet(one, other), "{one} {other}");
    }
    assert!(names_meet("Toto", "TOTO"));
    assert!(names_meet("Officer", "officer"), "somebody may be called nothing else");
}

#[test]
fn a_number_is_known_again_and_is_no_name() {
    assert!(meet((None, Some("KE-1042")), (Some("Somebody Else"), Some("ke 1042"))));
    assert!(!meet((None, Some("KE-1042")), (None, Some("KE-1043"))));
    assert!(!meet((Some("KEAB"), None), (None, Some("KEAB"))));
    assert_eq!(marks(&register(), None, Some(" - ")), Vec::<[u8; 32]>::new());
    let register = register();
    assert_ne!(unit_mark(&register, "KEAB"), marks(&register, None, Some("KEAB")).first().copied());
}

#[test]
fn a_unit_is_known_again() {
    let register = register();
    assert_eq!(unit_mark(&register, "Unit 7"), unit_mark(&register, " UNIT-7 "));
    assert_ne!(unit_mark(&register, "Unit 7"), unit_mark(&register, "Unit 71"));
    assert_eq!(unit_mark(&register, "--"), None);
}

#[test]
fn a_name_without_end_has_an_end() {
    let long: Vec<String> = (0..66_u8).map(|n| format!("a{}", char::from(b'a' + n % 26))).collect();
    assert!(marks(&register(), Some(&long.join(" ")), None).len() <= 120);
    assert_eq!(marks(&register(), Some("Jean Jean Jean"), None).len(), 1);
}

#[test]
fn p3_a_rank_is_no_name_and_a_part_of_a_longer_name_is_known_again_only_for_whoever_is_known() {
    let register = register();
    let known = marks_of_known(&register, "John Mwangi", None);
    for (said, meets) in [
        ("Mwangi", true),
        ("Sergeant Mwangi", true),
        ("Sèjan Mwangi", true),
        ("ofisye JOHN", true),
        ("Mwangi John", true),
        ("Peter Mwangi", false),
        ("Mwangis", false),
        ("Sergeant", false),
    ] {
        let said = marks(&register, Some(said), None);
        assert_eq!(known.iter().any(|known| said.contains(&known.mark)), meets);
    }
    assert!(!names_meet("John Mwangi", "Mwangi"), "of two who are named, one name alone tells nothing");
    assert_eq!(marks_of_known(&register, "Mwangi", None), marks_of_person(&register, Some("Mwangi"), None));
}
