use proptest::prelude::*;
use serde_json::json;

use super::Verdict;
use super::receipt::{LONGEST_RECEIPT, Proven, Receipt};
use super::staged_log_tests::{
    LOG, PLACE, SAID, Staged, arrival, canonical, cosigned, extra, forms, hex, salt, words,
};
use super::texts::Said;
use super::trust::Trust;
use crate::tlog::{self, CosignerKey, SigningKey, with_lines};

fn judge(receipt: &[u8], trust: &Trust) -> Result<Proven, Said> {
    Receipt::read(receipt)?.verify(trust)
}

/// What is said of one entry that is alone in a log.
fn of_entry(entry: String) -> Result<Proven, Said> {
    let staged = Staged::of(vec![entry]);
    let checkpoint = staged.checkpoint(1);
    let (text, _) = forms(&staged.proof(0, 1, checkpoint));
    judge(text.as_bytes(), &staged.trust(0))
}

#[test]
fn a_receipt_proves_when_and_in_which_words() {
    for (size, of) in [(8, 8), (300, 300), (300, 257), (600, 8)] {
        let staged = Staged::new(size);
        let (text, json) = staged.receipt(PLACE, of);
        for receipt in [text, json] {
            let proven = judge(receipt.as_bytes(), &staged.trust(2)).unwrap();
            assert_eq!((proven.log.as_str(), proven.number, proven.size), (LOG, PLACE, of));
            assert_eq!(proven.at.to_rfc3339(), "2026-11-22T13:00:07.000007+00:00");
            assert_eq!(proven.witnesses.len(), 2);
            assert_eq!(proven.compare(SAID.as_bytes()), Ok(vec![]));
            assert_eq!(proven.said(true).verdict(), Verdict::Good);
        }
    }
}

#[test]
fn a_receipt_that_another_program_made_is_good() {
    let made = |name: &str| {
        std::fs::read(format!("{}/tests/independent/made/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let lines = |name| String::from_utf8(made(name)).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let trust = Trust::of(&lines("key"), &lines("witnesses"), 2).unwrap();
    for name in ["receipt.tlog-proof", "receipt.json"] {
        let proven = judge(&made(name), &trust).unwrap();
        assert_eq!((proven.number, proven.size, proven.witnesses.len()), (42, 200, 2));
        assert_eq!(proven.compare(&made("words.txt")), Ok(vec!["without the line break at its end"]));
        assert!(matches!(proven.compare(&made("other-words.txt")), Err(Said::OtherWords { .. })));
    }
    let another = Trust::of(&lines("key.of-another-log"), &[], 0).unwrap();
    assert_eq!(judge(&made("receipt.json"), &another), Err(Said::NotSigned));
}

#[test]
fn what_an_editor_does_is_seen_through_and_nothing_else() {
    let given = |said: &str| {
        let (staged, number) = (Staged::of(vec![canonical(&arrival(0, said))]), 0);
        let checkpoint = staged.checkpoint(1);
        judge(forms(&staged.proof(number, 1, checkpoint)).0.as_bytes(), &staged.trust(0)).unwrap()
    };
    let proven = given("a\nb é");
    for (file, steps) in [
        ("a\nb é", 0),
        ("a\nb é\n", 1),
        ("a\r\nb é", 1),
        ("a\r\nb é\r\n", 2),
        ("\u{FEFF}a\nb é", 1),
        ("\u{FEFF}a\r\nb é\r\n", 3),
        (" a\nb é \n\n", 1),
    ] {
        assert_eq!(proven.compare(file.as_bytes()).map(|steps| steps.len()), Ok(steps), "{file:?}");
    }
    for other in
        ["", "a\nb", "a b é", "A\nb é", "a\n\nb é", "a\nb e\u{301}", "\u{FEFF}\u{FEFF}a\nb é", "a\nb é\0"]
    {
        assert!(matches!(proven.compare(other.as_bytes()), Err(Said::OtherWords { .. })), "{other:?}");
    }
    let utf_16: Vec<u8> = "\u{FEFF}a\nb é".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(proven.compare(&utf_16), Err(Said::WordsUnreadable { .. })));
    // What the words had themselves counts, and LF is found where CRLF was sent.
    assert_eq!(given("a\r\nb\n").compare(b"a\r\nb\n"), Ok(vec![]));
    assert_eq!(given("a\r\nb").compare(b"a\nb").map(|steps| steps.len()), Ok(1));
    assert_eq!(given("a\r\nb").compare(b"a\nb\n").map(|steps| steps.len()), Ok(2));
}

#[test]
fn a_mail_program_does_no_harm_to_a_receipt() {
    let staged = Staged::new(9);
    let (text, json) = staged.receipt(PLACE, 9);
    for mailed in [text.replace('\n', "\r\n"), format!("\u{FEFF}{text}"), format!("\u{FEFF}\r\n{json}\r\n")] {
        assert!(judge(mailed.as_bytes(), &staged.trust(2)).is_ok());
    }
}

#[test]
fn the_words_of_another_complaint_are_not_these() {
    let staged = Staged::new(20);
    let of = |number| judge(staged.receipt(number, 20).0.as_bytes(), &staged.trust(0)).unwrap();
    assert!(matches!(of(PLACE).compare(words(8).as_bytes()), Err(Said::OtherWords { number: PLACE, .. })));
    assert!(matches!(of(8).compare(SAID.as_bytes()), Err(Said::OtherWords { number: 8, .. })));
    assert_eq!(of(8).compare(words(8).as_bytes()), Ok(vec![]));
}

#[test]
fn only_the_right_key_opens_it() {
    let staged = Staged::new(20);
    let (text, _) = staged.receipt(PLACE, 20);
    let with =
        |key: &SigningKey| judge(text.as_bytes(), &Trust { logs: vec![key.verifier()], ..Trust::default() });
    assert!(with(&staged.key).is_ok());
    assert_eq!(with(&SigningKey::generate(LOG).unwrap()), Err(Said::NotSigned));
    let other = with(&SigningKey::generate("another.example").unwrap());
    assert_eq!(other, Err(Said::OtherLog { log: LOG.to_owned() }));

    // After a change of keys both sign, and either key is enough.
    let newer = SigningKey::generate(LOG).unwrap();
    let checkpoint = staged.checkpoint(20);
    let line = newer.sign(tlog::read(&checkpoint).unwrap().body()).unwrap();
    let (text, _) = forms(&staged.proof(PLACE, 20, with_lines(&checkpoint, &[line]).unwrap()));
    for key in [&staged.key, &newer] {
        let trust = Trust { logs: vec![key.verifier()], ..Trust::default() };
        assert!(judge(text.as_bytes(), &trust).is_ok());
    }
}

#[test]
fn witnesses_count_once_each_and_only_if_trusted() {
    let staged = Staged::new(20);
    let (text, _) = staged.receipt(PLACE, 20);
    let two = |needed| judge(text.as_bytes(), &staged.trust(needed));
    assert!(two(2).is_ok());
    assert_eq!(two(3), Err(Said::FewWitnesses { count: 2, needed: 3 }));
    let only = |witness: &CosignerKey| {
        let trust = Trust { witnesses: vec![witness.verifier()], ..staged.trust(1) };
        judge(text.as_bytes(), &trust)
    };
    assert!(only(&staged.witnesses[0]).is_ok());
    assert_eq!(only(&staged.witnesses[2]), Err(Said::FewWitnesses { count: 0, needed: 1 }));
    let strange = CosignerKey::generate("one").unwrap();
    assert_eq!(only(&strange), Err(Said::FewWitnesses { count: 0, needed: 1 }));

    // One witness with two keys is one witness.
    let newer = CosignerKey::generate("one").unwrap();
    let checkpoint = cosigned(&staged.checkpoint(20), &[&staged.witnesses[0], &newer]);
    let (text, _) = forms(&staged.proof(PLACE, 20, checkpoint));
    let witnesses = vec![staged.witnesses[0].verifier(), newer.verifier()];
    let trust = Trust { witnesses, ..staged.trust(2) };
    assert_eq!(judge(text.as_bytes(), &trust), Err(Said::FewWitnesses { count: 1, needed: 2 }));

    // A witness's line under another tree is false.
    let elsewhere = cosigned(&staged.checkpoint(19), &[&staged.witnesses[0]]);
    let line = elsewhere.lines().last().unwrap().to_owned();
    let checkpoint = with_lines(&staged.checkpoint(20), &[line]).unwrap();
    let (text, _) = forms(&staged.proof(PLACE, 20, checkpoint));
    let said = judge(text.as_bytes(), &staged.trust(0));
    assert_eq!(said, Err(Said::FalseWitness { witness: "one".to_owned() }));
}

#[test]
fn parts_of_two_receipts_make_none() {
    let (staged, other) = (Staged::new(20), Staged::new(20));
    let (here, there) =
        (staged.proof(PLACE, 20, staged.checkpoint(20)), staged.proof(8, 20, staged.checkpoint(20)));
    let judge = |proof| judge(forms(&proof).0.as_bytes(), &staged.trust(0));
    let mut mixed = here.clone();
    mixed.extra.clone_from(&there.extra);
    assert_eq!(judge(mixed), Err(Said::NotInLog));
    let mut mixed = here.clone();
    mixed.hashes.clone_from(&there.hashes);
    assert_eq!(judge(mixed), Err(Said::NotInLog));
    for index in [8, 20, u64::MAX] {
        assert_eq!(judge(tlog::LogProof { index, ..here.clone() }), Err(Said::NotInLog));
    }
    let mut short = here.clone();
    short.hashes.pop();
    assert_eq!(judge(short), Err(Said::NotInLog));
    let mut long = here.clone();
    long.hashes.push(long.hashes[0]);
    assert_eq!(judge(long), Err(Said::NotInLog));
    assert_eq!(
        judge(tlog::LogProof { checkpoint: staged.checkpoint(19), ..here.clone() }),
        Err(Said::NotInLog)
    );
    assert_eq!(judge(tlog::LogProof { checkpoint: other.checkpoint(20), ..here }), Err(Said::NotSigned));
}

#[test]
fn an_entry_must_be_the_arrival_of_a_complaint_in_the_one_spelling() {
    assert!(of_entry(canonical(&arrival(0, "a"))).is_ok());
    let changed = |change: fn(&mut serde_json::Value)| {
        let mut entry = arrival(0, "a");
        change(&mut entry);
        of_entry(canonical(&entry))
    };
    let none: [fn(&mut serde_json::Value); 6] = [
        |entry| entry["action"] = "case.closed".into(),
        |entry| entry["object"]["kind"] = "case".into(),
        |entry| entry["object"]["id"] = "7".into(),
        |entry| entry["at"] = "yesterday".into(),
        |entry| entry["detail"]["words"] = "00".into(),
        |entry| entry["v"] = "1".into(),
    ];
    for change in none {
        assert!(matches!(changed(change), Err(Said::NoArrival { .. })));
    }
    // Not a flaw, but beyond this program.
    assert!(matches!(changed(|entry| entry["v"] = 2.into()), Err(Said::NotAReceipt { .. })));
    // What was taken over from another register has no words to compare.
    let imported = changed(|entry| {
        entry["action"] = "complaint.imported".into();
        entry["detail"] = json!({});
    });
    let imported = imported.unwrap();
    assert_eq!(imported.said(false).verdict(), Verdict::Good);
    assert!(matches!(imported.compare(b"a"), Err(Said::NoWords { .. })));
    // A later program may say more.
    assert!(changed(|entry| entry["detail"]["more"] = 7.into()).is_ok());
    let entry = canonical(&arrival(0, "a"));
    for spelling in [
        format!("{entry}\n"),
        entry.replace(":1}", ": 1}"),
        entry.replace("{\"action\"", "{\"action\":\"complaint.received\",\"action\""),
        entry.replace("complaint.received", "complaint\\u002ereceived"),
        "7".to_owned(),
        String::new(),
        "{".repeat(9999),
    ] {
        assert!(matches!(of_entry(spelling), Err(Said::NoArrival { .. })));
    }
}

#[test]
fn what_is_no_receipt_is_said_to_be_none() {
    let staged = Staged::new(20);
    let (text, whole) = staged.receipt(PLACE, 20);
    let trust = staged.trust(2);
    let unchecked = |given: &[u8]| {
        let said = judge(given, &trust).unwrap_err();
        assert_eq!(said.verdict(), Verdict::Unchecked, "{said:?}");
    };
    unchecked(b"");
    unchecked(b"{}");
    unchecked(b"[]");
    unchecked(b"c2sp.org/tlog-proof@v1\n");
    unchecked(&[0; 4096]);
    unchecked(&[0xFF; 4096]);
    unchecked(&vec![b'x'; 10_000_000]);
    unchecked(&vec![b'\n'; LONGEST_RECEIPT]);
    unchecked("{\"a\":".repeat(100_000).as_bytes());
    unchecked(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    // Without the entry, and with two.
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("extra ")).collect();
    unchecked((lines.join("\n") + "\n").as_bytes());
    let mut two: serde_json::Value = serde_json::from_str(&whole).unwrap();
    two["entry"] = canonical(&arrival(8, &words(8))).into();
    unchecked(two.to_string().as_bytes());
    // Salts.
    let entry = &staged.entries[7];
    for salt in [
        String::new(),
        "00".repeat(31),
        "00".repeat(33),
        "0".repeat(63),
        hex(&salt(7)).to_uppercase(),
        "é".repeat(32),
    ] {
        let other = extra(&json!({"entry": entry, "salt": salt}));
        let old = text.lines().find(|line| line.starts_with("extra ")).unwrap();
        unchecked(text.replace(old, &other).as_bytes());
    }
    for end in 0..text.len() {
        assert!(judge(&text.as_bytes()[..end], &trust).is_err(), "cut at {end}");
    }
    for end in (0..whole.len()).step_by(7) {
        unchecked(&whole.as_bytes()[..end]);
    }
}

/// A changed byte is refused, or stands where it means nothing, and then all means the same.
fn harmless(changed: &[u8], trust: &Trust, proven: &Proven) -> bool {
    match judge(changed, trust) {
        Err(_) => true,
        Ok(other) => other == *proven || other.compare(SAID.as_bytes()).is_err(),
    }
}

#[test]
fn every_byte_of_a_receipt_counts() {
    let staged = Staged::new(300);
    let (text, json) = staged.receipt(PLACE, 300);
    let trust = staged.trust(2);
    let proven = judge(text.as_bytes(), &trust).unwrap();
    for receipt in [text, json] {
        let mut changed = receipt.into_bytes();
        for place in 0..changed.len() {
            for bit in [1, 0x20] {
                changed[place] ^= bit;
                assert!(harmless(&changed, &trust, &proven), "bit {bit} of byte {place}");
                changed[place] ^= bit;
            }
        }
    }
}

proptest! {
    #[test]
    fn no_change_of_a_byte_goes_unnoticed(form in 0..2, place in any::<prop::sample::Index>(), value in any::<u8>(), how in 0..3) {
        thread_local! {
            static STAGED: (Staged, String, String) = {
                let staged = Staged::new(9);
                let (text, json) = staged.receipt(PLACE, 9);
                (staged, text, json)
            };
        }
        STAGED.with(|(staged, text, json)| {
            let trust = staged.trust(2);
            let proven = judge(text.as_bytes(), &trust).unwrap();
            let mut changed = if form == 0 { text } else { json }.clone().into_bytes();
            let place = place.index(changed.len());
            match how {
                0 => changed[place] = value,
                1 => changed.insert(place, value),
                _ => drop(changed.remove(place)),
            }
            assert!(harmless(&changed, &trust, &proven), "byte {place} became {value}");
        });
    }

    #[test]
    fn nothing_that_is_read_makes_it_stumble(bytes in prop::collection::vec(any::<u8>(), 0..2000), text in "\\PC{0,200}") {
        let _ = Receipt::read(&bytes);
        let _ = Receipt::read(text.as_bytes());
        let _ = Receipt::read(format!("{{\"entry\":\"{text}\",\"salt\":\"\",\"proof\":\"\"}}").as_bytes());
    }
}
