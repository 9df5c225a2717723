use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use super::super::Checking;
use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn kids(keys: &Keys) -> Vec<String> {
    keys.tokens().iter().map(|key| key.kid.clone()).collect()
}

#[test]
fn keys_are_made_once_for_the_owner_alone_and_read_ever_after() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/keys");
    let first = Keys::open_or_create(&dir, None).unwrap();
    let second = Keys::open_or_create(&dir, None).unwrap();
    assert_eq!(kids(&first), kids(&second));
    assert_eq!(first.digest(Purpose::Cursor, &[b"x"]), second.digest(Purpose::Cursor, &[b"x"]));
    assert_eq!(mode(&dir), 0o700);
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["intake.key", "log-0001.key", "log-0001.pub", "token-0001.key"]);
    assert!(names.iter().all(|name| mode(&dir.join(name)) == 0o600));
}

#[test]
fn a_key_others_can_read_is_refused_and_the_sentence_says_what_to_do() {
    for name in ["intake.key", "token-0001.key"] {
        for exposed in [0o644, 0o640, 0o604, 0o620] {
            let dir = tempfile::tempdir().unwrap();
            Keys::open_or_create(dir.path(), None).unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(exposed)).unwrap();
            let error = Keys::open_or_create(dir.path(), None).unwrap_err();
            assert!(matches!(error, KeyError::Exposed(_)));
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(Keys::open_or_create(dir.path(), None), Err(KeyError::ExposedDirectory(_))));
}

#[test]
fn what_is_no_key_is_refused_rather_than_replaced() {
    for (name, text) in [
        ("intake.key", ""),
        ("intake.key", "c2hvcnQ="),
        ("token-0001.key", "c2hvcnQ="),
        ("token-0001.key", "é"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        Keys::open_or_create(dir.path(), None).unwrap();
        fs::write(dir.path().join(name), text).unwrap();
        assert!(
            matches!(Keys::open_or_create(dir.path(), None), Err(KeyError::Malformed(_))),
            "{name}: {text}"
        );
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), text);
    }
}

#[test]
fn of_many_that_start_at_once_all_end_with_the_same_keys() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let start = Barrier::new(8);
        let ends: Vec<_> = std::thread::scope(|scope| {
            let one = || {
                start.wait();
                let keys = Keys::open_or_create(dir.path(), None).unwrap();
                (kids(&keys), keys.digest(Purpose::AccessCode, &[]))
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ends.iter().all(|end| *end == ends[0] && end.0.len() == 1));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "no drafts are left behind");
    }
}

#[test]
fn an_added_key_signs_and_the_old_one_still_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let old = kids(&Keys::open_or_create(dir.path(), None).unwrap());
    let new = Keys::add_token_key(dir.path()).unwrap();
    assert_eq!(kids(&Keys::open_or_create(dir.path(), None).unwrap()), [old[0].clone(), new]);
}

#[test]
fn p8_a_log_key_that_was_taken_away_is_still_known() {
    let dir = tempfile::tempdir().unwrap();
    let old = Keys::open_or_create(dir.path(), Some("register.example/log")).unwrap().log_verifiers();
    let new = Keys::add_log_key(dir.path()).unwrap();
    let both = Keys::open_or_create(dir.path(), None).unwrap();
    assert_eq!((both.log_verifiers().len(), both.known_log_verifiers()), (2, both.log_verifiers()));
    for name in ["log-0001.key", "log-0002.key"] {
        assert!(dir.path().join(name).with_extension("pub").is_file());
    }
    fs::remove_file(dir.path().join("log-0001.key")).unwrap();
    let one = Keys::open_or_create(dir.path(), None).unwrap();
    assert_eq!(one.log_verifiers()[0].to_string(), new);
    assert_eq!(one.known_log_verifiers(), both.known_log_verifiers());
    assert_eq!(Checking::read(dir.path()).unwrap().log, both.known_log_verifiers());
    // A new log, under another name, takes no number that an old key had.
    fs::remove_file(dir.path().join("log-0002.key")).unwrap();
    let other = Keys::open_or_create(dir.path(), Some("another.example/log")).unwrap();
    assert_eq!(other.log_origin(), "another.example/log");
    assert!(dir.path().join("log-0003.key").is_file() && dir.path().join("log-0003.pub").is_file());
    assert_eq!(other.known_log_verifiers().len(), 3);
    assert!(other.known_log_verifiers().contains(&old[0]));
    // A key that was put in the place of another: both stay known.
    let elsewhere = tempfile::tempdir().unwrap();
    Keys::open_or_create(elsewhere.path(), Some("another.example/log")).unwrap();
    fs::copy(elsewhere.path().join("log-0001.key"), dir.path().join("log-0003.key")).unwrap();
    for _ in 0..2 {
        let exchanged = Keys::open_or_create(dir.path(), None).unwrap();
        assert_eq!((exchanged.log_verifiers().len(), exchanged.known_log_verifiers().len()), (1, 4));
    }
    assert!(!dir.path().join("log-0005.pub").exists());
}

#[test]
fn p8_checking_makes_no_keys_and_takes_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    assert!(Checking::read(&nowhere).unwrap().seal.is_none() && !nowhere.exists());
    let keys = Keys::open_or_create(dir.path(), None).unwrap();
    fs::remove_file(dir.path().join("log-0001.key")).unwrap();
    fs::remove_file(dir.path().join("token-0001.key")).unwrap();
    let there = Checking::read(dir.path()).unwrap();
    assert_eq!(there.log, keys.log_verifiers());
    assert!(there.seal.unwrap().fits(b"x", &keys.entry_seal().of(b"x")));
    fs::remove_file(dir.path().join("intake.key")).unwrap();
    assert!(Checking::read(dir.path()).unwrap().seal.is_none());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn purposes_and_parts_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::open_or_create(dir.path(), None).unwrap();
    let digests = [
        keys.digest(Purpose::AccessCode, &[b"ab"]),
        keys.digest(Purpose::Cursor, &[b"ab"]),
        keys.digest(Purpose::IdempotencyKey, &[b"ab"]),
        keys.digest(Purpose::Cursor, &[b"a", b"b"]),
        keys.digest(Purpose::Cursor, &[b"", b"ab"]),
    ];
    for (i, one) in digests.iter().enumerate() {
        assert!(digests.iter().skip(i + 1).all(|other| other != one));
    }
    assert!(!format!("{keys:?}").contains("private"));
}
