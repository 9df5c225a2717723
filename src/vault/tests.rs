use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use secrecy::SecretString;

use super::keyring::{Directory, Given};
use super::*;

const COLUMN: &str = "narrative";

fn vault() -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(Directory(dir.path().join("keys"))).unwrap();
    (dir, vault)
}

fn given(keys: &[u8]) -> Given {
    let words: Vec<String> = keys.iter().map(|byte| STANDARD.encode([*byte; KEY])).collect();
    Given(SecretString::from(words.join(",")))
}

fn place(row: u128) -> Place {
    Place::new("submissions", COLUMN, Uuid::from_u128(row))
}

#[test]
fn p4_a_sealed_text_opens_only_where_it_stands() {
    let (_dir, vault) = vault();
    let (key, wrapped) = vault.make_key(Uuid::from_u128(7)).unwrap();
    let (other, _) = vault.make_key(Uuid::from_u128(8)).unwrap();
    let sealed = key.seal(place(1), b"Yo te frape l").unwrap();
    assert_eq!(key_id(&sealed), Some(Uuid::from_u128(7)));
    assert_eq!(vault.unwrap(&wrapped).unwrap().open_text(place(1), &sealed).unwrap(), "Yo te frape l");
    let broken = Err(Fault::Broken("submissions"));
    let open = |key: &DataKey, place| key.open(place, &sealed).map(|text| text.to_vec());
    assert_eq!(open(&key, place(2)), broken);
    assert_eq!(open(&key, Place::new("submissions", "identities", Uuid::from_u128(1))), broken);
    assert_eq!(open(&key, Place::new("notes", COLUMN, Uuid::from_u128(1))), Err(Fault::Broken("notes")));
    let wanted = Uuid::from_u128(8);
    assert_eq!(open(&other, place(1)), Err(Fault::OtherKey { found: Uuid::from_u128(7), wanted }));
    // Even with the head made to name the other key.
    let mut renamed = sealed.clone();
    renamed[1..17].copy_from_slice(wanted.as_bytes());
    assert_eq!(other.open(place(1), &renamed).unwrap_err(), Fault::Broken("submissions"));
}

#[test]
fn p4_no_bit_of_a_sealed_text_can_be_changed_or_cut_off() {
    let (_dir, vault) = vault();
    let (key, wrapped) = vault.make_key(Uuid::from_u128(7)).unwrap();
    let sealed = key.seal(place(1), b"words").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(place(1), &changed).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(key.open(place(1), &sealed[..length]).is_err(), "{length}");
    }
    assert!(key.open(place(1), &[&sealed[..], &[0]].concat()).is_err());
    let whole = wrapped.wrapped.unwrap();
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = WrappedKey { id: wrapped.id, master: wrapped.master.clone(), wrapped: Some(changed) };
        assert!(vault.unwrap(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn p4_a_wrapped_key_is_bound_to_its_id_and_gone_once_destroyed() {
    let (_dir, vault) = vault();
    let (_, wrapped) = vault.make_key(Uuid::from_u128(7)).unwrap();
    let moved = WrappedKey { id: Uuid::from_u128(8), ..wrapped.clone() };
    assert!(vault.unwrap(&moved).is_err());
    let destroyed = WrappedKey { wrapped: None, ..wrapped };
    assert_eq!(vault.unwrap(&destroyed).unwrap_err(), Fault::Erased(Uuid::from_u128(7)));
}

#[test]
fn a_missing_master_key_is_named_and_a_new_one_takes_over() {
    let (_dir, vault) = vault();
    let (key, wrapped) = vault.make_key(Uuid::from_u128(7)).unwrap();
    let sealed = key.seal(place(1), b"words").unwrap();
    let first = wrapped.master.clone();
    let second = vault.add().unwrap();
    assert_eq!(vault.ring().active().id(), &second);
    let rewrapped = vault.rewrap(&wrapped).unwrap();
    assert_eq!(rewrapped.master, second.as_str());
    assert_eq!(vault.unwrap(&rewrapped).unwrap().open_text(place(1), &sealed).unwrap(), "words");
    assert!(matches!(vault.remove(second.as_str()), Err(KeyringError::Active(_))));
    assert!(matches!(vault.remove("0123456789abcdef"), Err(KeyringError::Unknown(_))));
    vault.remove(&first).unwrap();
    assert_eq!(vault.unwrap(&wrapped).unwrap_err(), Fault::MissingMaster(first));
    assert!(vault.unwrap(&rewrapped).is_ok());
}

#[test]
fn keys_can_be_given_and_a_bad_one_is_named_by_its_place() {
    let old = Vault::open(given(&[1])).unwrap();
    let both = Vault::open(given(&[2, 1])).unwrap();
    let (_, wrapped) = old.make_key(Uuid::from_u128(7)).unwrap();
    assert!(both.unwrap(&wrapped).is_ok());
    assert_ne!(both.rewrap(&wrapped).unwrap().master, wrapped.master);
    assert!(
        matches!(both.add(), Err(KeyringError::Given(_)))
            && matches!(both.remove("x"), Err(KeyringError::Given(_)))
    );
    let open = |text: &str| {
        Vault::open(Given(SecretString::from(text.to_owned()))).map(|_| ()).unwrap_err().to_string()
    };
    assert!(open("").contains("holds no key") && open(" , ,").contains("holds no key"));
    let good = STANDARD.encode([1; KEY]);
    for bad in ["secret", "c2hvcnQ=", &STANDARD.encode([1; 33]), &"A".repeat(100_000)] {
        let said = open(&format!("{good},{bad}"));
        assert_eq!(said, "key 2 of TEMWEN_MASTER_KEYS is not 32 bytes in base64");
    }
}

#[test]
fn nothing_shows_a_key() {
    let vault = Vault::open(given(b"A")).unwrap();
    let (key, wrapped) = vault.make_key(Uuid::from_u128(7)).unwrap();
    let shown = format!("{vault:?} {key:?} {wrapped:?} {:?} {:?}", vault.ring(), key.marker("x"));
    assert!(!shown.contains("65, 65") && !shown.contains("AAAA") && !shown.contains("QUFB"), "{shown}");
}

#[test]
fn marks_differ_by_purpose_key_and_the_borders_of_parts() {
    let (_dir, vault) = vault();
    let (key, _) = vault.make_key(Uuid::from_u128(7)).unwrap();
    let (other, _) = vault.make_key(Uuid::from_u128(7)).unwrap();
    let marks = [
        key.mark("a", &[b"xy"]),
        key.mark("b", &[b"xy"]),
        key.mark("a", &[b"x", b"y"]),
        key.mark("a", &[b"xy", b""]),
        other.mark("a", &[b"xy"]),
    ];
    let distinct: std::collections::HashSet<_> = marks.iter().collect();
    assert_eq!(distinct.len(), marks.len());
    assert_eq!(key.mark("a", &[b"xy"]), key.marker("a").mark(&[b"xy"]));
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_again_and_rubbish_never_does(plain in any::<Vec<u8>>(), rubbish in any::<Vec<u8>>()) {
        let vault = Vault::open(given(&[1])).unwrap();
        let (key, _) = vault.make_key(Uuid::from_u128(7)).unwrap();
        let sealed = key.seal(place(1), &plain).unwrap();
        prop_assert_eq!(&key.open(place(1), &sealed).unwrap()[..], &plain[..]);
        prop_assert!(key.open(place(1), &rubbish).is_err());
        prop_assert!(key.open_text(place(1), &rubbish).is_err());
    }
}
