//! Proofs and requests to witnesses: their form and what they prove.

use crate::tlog::{
    AddCheckpoint, CosignerKey, Edge, Fault, Hash, Head, LONGEST_NOTE, LogProof, SigningKey, Tiles,
    VerifierKey, read, record_hash, sign, with_lines,
};

/// The tlog-proof of entry 3 of a log of seven, and the key to verify it with.
pub(crate) fn proof() -> (LogProof, VerifierKey) {
    let mut edge = Edge::default();
    for n in 0..7_u8 {
        edge.push(record_hash(&[n])).unwrap();
    }
    let tiles = Tiles(edge.changed().into_iter().collect());
    let log = SigningKey::generate("log.example/v1").unwrap();
    let key = log.verifier();
    let checkpoint = sign("log.example/v1", Head { size: 7, root: edge.root().unwrap() }, &[log]).unwrap();
    let hashes = tiles.inclusion(7, 3).unwrap();
    (LogProof { extra: Some(b"extra data".to_vec()), index: 3, hashes, checkpoint }, key)
}

/// The request of the example of tlog-witness.
pub(crate) const REQUEST: &str = "old 20852014\n\
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
    5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
    /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
    \n\
    example.com/behind-the-sofa\n\
    20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
    \n\
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";

#[test]
fn a_proof_verifies_and_is_written_as_it_was_read() {
    let (proof, key) = proof();
    let text = proof.to_text();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra ZXh0cmEgZGF0YQ==\nindex 3\n"));
    assert_eq!(LogProof::parse(&text).unwrap(), proof);
    let checkpoint = proof.verify(&[3], std::slice::from_ref(&key)).unwrap();
    assert_eq!(checkpoint.head.size, 7);
    assert_eq!(proof.verify(&[4], std::slice::from_ref(&key)), Err(Fault::NotIncluded));
    let elsewhere = LogProof { index: 2, ..proof.clone() };
    assert_eq!(elsewhere.verify(&[3], std::slice::from_ref(&key)), Err(Fault::NotIncluded));
    let beyond = LogProof { index: 7, ..proof.clone() };
    assert_eq!(beyond.verify(&[3], std::slice::from_ref(&key)), Err(Fault::NotInTree { index: 7, size: 7 }));
    let other = SigningKey::generate("log.example/v1").unwrap();
    assert_eq!(proof.verify(&[3], &[other.verifier()]), Err(Fault::Unsigned));
    let bare = LogProof { extra: None, ..proof };
    assert_eq!(LogProof::parse(&bare.to_text()).unwrap(), bare);
}

#[test]
fn a_false_cosignature_of_a_known_witness_spoils_a_proof() {
    let (mut proof, key) = proof();
    let witness = CosignerKey::generate("w.example").unwrap();
    let body = read(&proof.checkpoint).unwrap().body().to_owned();
    let good = with_lines(&proof.checkpoint, &[witness.cosign(&body, 9).unwrap()]).unwrap();
    let bad = with_lines(&proof.checkpoint, &[witness.cosign("another\n", 9).unwrap()]).unwrap();
    let keys = [key.clone(), witness.verifier()];
    proof.checkpoint = good;
    proof.verify(&[3], &keys).unwrap();
    proof.checkpoint = bad;
    assert_eq!(proof.verify(&[3], &keys), Err(Fault::FalseSignature("w.example".to_owned())));
    proof.verify(&[3], &[key]).unwrap();
}

#[test]
fn a_tree_of_one_entry_needs_no_hashes() {
    let log = SigningKey::generate("log.example/v1").unwrap();
    let key = log.verifier();
    let checkpoint = sign("log.example/v1", Head { size: 1, root: record_hash(b"leaf") }, &[log]).unwrap();
    let proof = LogProof { extra: None, index: 0, hashes: Vec::new(), checkpoint };
    let read = LogProof::parse(&proof.to_text()).unwrap();
    read.verify(b"leaf", &[key]).unwrap();
}

#[test]
fn a_proof_is_read_strictly() {
    let text = proof().0.to_text();
    let many = |count: usize| {
        let hashes = vec![Hash([9; 32]); count];
        LogProof { hashes, ..proof().0 }.to_text()
    };
    assert!(LogProof::parse(&many(63)).is_ok());
    for (bad, why) in [
        (many(64), "64 hashes"),
        (text.replace("proof@v1", "proof@v2"), "another version"),
        (text.replace("index 3", "index 03"), "a leading zero"),
        (text.replace("index 3", "index +3"), "a sign"),
        (text.replace("index 3", "index  3"), "two spaces"),
        (text.replace("index 3", "index 18446744073709551616"), "too large an index"),
        (text.replace("index 3\n", ""), "no index"),
        (text.replace("extra ZXh0", "extra  ZXh0"), "two spaces before the extra data"),
        (text.replace("YQ==\n", "YQ=\n"), "short padding"),
        (text.replace("index 3\n", "index 3\nAAAA\n"), "a short hash"),
        (text.replace("index 3\n", "index 3\n\n"), "an empty line among the hashes"),
        (
            text.replace("extra ZXh0cmEgZGF0YQ==\nindex 3", "index 3\nextra ZXh0cmEgZGF0YQ=="),
            "extra after index",
        ),
        (text.replace('\n', "\r\n"), "CRLF"),
        (format!("{text}more"), "something behind it"),
        (text.trim_end().to_owned(), "no last newline"),
        (String::new(), "nothing"),
        (format!("c2sp.org/tlog-proof@v1\nextra {}\n", "A".repeat(256 * 1024)), "too long"),
    ] {
        assert!(LogProof::parse(&bad).is_err(), "{why}");
    }
}

#[test]
fn a_request_is_written_as_it_was_read() {
    let request = AddCheckpoint::parse(REQUEST.as_bytes()).unwrap();
    assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
    assert!(request.checkpoint.starts_with("example.com/behind-the-sofa\n20852163\n"));
    assert_eq!(read(&request.checkpoint).unwrap().head.size, 20_852_163);
    assert_eq!(request.to_text(), REQUEST);
    let first = AddCheckpoint { old: 0, proof: Vec::new(), ..request };
    assert_eq!(AddCheckpoint::parse(first.to_text().as_bytes()).unwrap(), first);
}

#[test]
fn a_request_is_read_strictly() {
    let line = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
    let many = |count: usize| format!("old 5\n{}\ncheckpoint", line.repeat(count));
    assert!(AddCheckpoint::parse(many(63).as_bytes()).is_ok());
    for (bad, why) in [
        (many(64), "64 hashes"),
        (REQUEST.replace("old 2", "old 02"), "a leading zero"),
        (REQUEST.replace("old 2", "old +2"), "a sign"),
        (REQUEST.replace("old 2", "old -2"), "below zero"),
        (REQUEST.replace("old 2", "old  2"), "two spaces"),
        (REQUEST.replace("old 2", "Old 2"), "a capital"),
        (REQUEST.replace("old 20852014", "old 20852014 "), "a space at the end"),
        (REQUEST.replace("old 20852014", "old 18446744073709551616"), "too large a size"),
        (REQUEST.replace("old 20852014\n", ""), "no old line"),
        (REQUEST.replace("PlRN", "PlR"), "a short hash"),
        (REQUEST.replace("kaw=\n", "kax=\n"), "bits after the end of a hash"),
        (REQUEST.replace('\n', "\r\n"), "CRLF"),
        (REQUEST.replace("\n\n", "\n"), "no empty line"),
        (String::new(), "nothing"),
        (" ".repeat(LONGEST_NOTE + 1), "too long"),
    ] {
        assert!(AddCheckpoint::parse(bad.as_bytes()).is_err(), "{why}");
    }
    assert!(AddCheckpoint::parse(b"old 5\n\n\xff").is_err());
}
