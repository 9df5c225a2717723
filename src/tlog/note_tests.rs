//! Notes, keys, checkpoints and cosignatures against the examples of the specifications.

use crate::tlog::{
    Checkpoint, CosignerKey, Fault, Hash, Head, KeyKind, LONGEST_NOTE, SignedNote, SigningKey, VerifierKey,
    body, cosignatures, open, read, sign, with_lines,
};

const SPEC_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
/// The key and note of the documentation of Go's `golang.org/x/mod/sumdb/note`.
const GO_PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
/// The body of the example of tlog-checkpoint.
const BODY: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const BODY_LINES: &str = "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
/// The same 32 bytes as those of `GO_PRIVATE`, as a witness's; the line was signed by another library.
const WITNESS: &str = "PRIVATE+KEY+witness.example/w1+cc9a7044+BIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const WITNESS_PUBLIC: &str = "witness.example/w1+cc9a7044+BBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const WITNESS_LINE: &str = "— witness.example/w1 zJpwRAAAAABkGFDLJeR//pqzhnEKVvEm2wWbh2RJ6oru5+cUUfm5X9NnlaGr8aSH9QE5RVZD4QGlxl2F5UpVIIi94p178KLfqPPsAA==\n";

fn key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).unwrap()
}

fn log() -> (SigningKey, Head) {
    (SigningKey::generate("log.example/v1").unwrap(), Head { size: 7, root: Hash([7; 32]) })
}

#[test]
fn the_example_of_the_specification_verifies() {
    let note = SignedNote::parse(SPEC_NOTE).unwrap();
    assert_eq!(note.body(), "This is an example message.\n");
    assert_eq!(note.verified(&[key(SPEC_KEY)]).unwrap().len(), 1);
    assert_eq!(key(SPEC_KEY).to_string(), SPEC_KEY);
    let changed = SPEC_NOTE.replace("an example", "no example");
    let fault = SignedNote::parse(&changed).unwrap().verified(&[key(SPEC_KEY)]).unwrap_err();
    assert_eq!(fault, Fault::FalseSignature("example.com/foo".to_owned()));
}

#[test]
fn keys_have_the_text_form_of_gos_note_package() {
    let private = SigningKey::parse(&format!("{GO_PRIVATE}\n")).unwrap();
    assert_eq!(private.to_text().as_str(), GO_PRIVATE);
    assert_eq!(private.verifier().to_string(), GO_PUBLIC);
    assert_eq!(private.verifier(), key(GO_PUBLIC));
    assert_eq!(private.sign(GO_TEXT).unwrap(), GO_LINE);
    assert_eq!((key(GO_PUBLIC).id(), key(GO_PUBLIC).kind()), (0xc74f_20a3, KeyKind::Log));
    let new = SigningKey::generate("log.example/v1").unwrap();
    assert_eq!(SigningKey::parse(&new.to_text()).unwrap().verifier(), new.verifier());
    assert!(!format!("{private:?}").contains("AYEK"));
}

#[test]
fn cosigner_keys_sign_what_the_specification_says() {
    let witness = CosignerKey::parse(WITNESS).unwrap();
    assert_eq!(witness.to_text().as_str(), WITNESS);
    assert_eq!(witness.verifier().to_string(), WITNESS_PUBLIC);
    assert_eq!(witness.cosign(BODY, 1_679_315_147).unwrap(), WITNESS_LINE);
    let note = format!("{BODY}\n{BODY_LINES}{WITNESS_LINE}");
    let cosigned = cosignatures(&note, &[key(WITNESS_PUBLIC), key(SPEC_KEY)]).unwrap();
    assert_eq!(cosigned.len(), 1);
    assert_eq!((cosigned[0].name.as_str(), cosigned[0].at_unix), ("witness.example/w1", 1_679_315_147));
    assert_eq!(format!("{}\n", cosigned[0].line), WITNESS_LINE);
    // One second later it would be another cosignature.
    let later = witness.cosign(BODY, 1_679_315_148).unwrap();
    let both = with_lines(&note, &[later]).unwrap();
    assert_eq!(cosignatures(&both, &[key(WITNESS_PUBLIC)]).unwrap()[0].at_unix, 1_679_315_148);
    for moment in [0, 1 << 63, u64::MAX] {
        assert_eq!(witness.cosign(BODY, moment), Err(Fault::Moment(moment)));
    }
}

#[test]
fn a_cosignature_with_another_moment_is_false() {
    let wrong = WITNESS_LINE.replace("BkGFDLJeR", "BkGFDMJeR");
    let fault = cosignatures(&format!("{BODY}\n{wrong}"), &[key(WITNESS_PUBLIC)]).unwrap_err();
    assert_eq!(fault, Fault::FalseSignature("witness.example/w1".to_owned()));
}

#[test]
fn a_log_key_does_not_cosign_and_a_witness_does_not_sign_for_the_log() {
    let (log, head) = log();
    // A witness of the log's own name: its line must never count as the log's.
    let witness = CosignerKey::generate("log.example/v1").unwrap();
    let text = body(log.name(), head);
    let note = format!("{text}\n{}", witness.cosign(&text, 1).unwrap());
    assert_eq!(open(&note, &[log.verifier(), witness.verifier()]), Err(Fault::Unsigned));
    assert_eq!(open(&note, &[witness.verifier()]), Err(Fault::UnknownOrigin("log.example/v1".to_owned())));
    let note = sign(log.name(), head, std::slice::from_ref(&log)).unwrap();
    assert_eq!(cosignatures(&note, &[witness.verifier()]), Ok(Vec::new()));
    assert!(matches!(SigningKey::parse(WITNESS), Err(Fault::Key(_))));
    assert!(matches!(CosignerKey::parse(GO_PRIVATE), Err(Fault::Key(_))));
}

#[test]
fn keys_that_are_none_are_refused() {
    for text in [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==",
        "example.com/foo+530d903a+",
        GO_PRIVATE,
    ] {
        assert!(matches!(VerifierKey::parse(text), Err(Fault::Key(_))), "{text}");
    }
    for name in ["", "a b", "a+b", "a\u{2003}b", "a\u{1}b", "a\nb", &"n".repeat(256)] {
        assert!(matches!(SigningKey::generate(name), Err(Fault::Key(_))), "{name}");
    }
}

#[test]
fn a_note_is_read_strictly() {
    let line = BODY_LINES.lines().next().unwrap();
    let good = format!("{BODY}\n{line}\n");
    read(&good).unwrap();
    for (bad, why) in [
        (format!("{BODY}{line}\n"), "no empty line"),
        (format!("{BODY}\n{line}"), "no last newline"),
        (format!("{BODY}\n"), "no signature"),
        (format!("{good}\n"), "an empty line at the end"),
        (good.replace('\n', "\r\n"), "CRLF"),
        (good.replace("example.com/behind", "example.com\t/behind"), "a control character"),
        (good.replace("— ", "- "), "a hyphen"),
        (good.replace("YQ8=", "YQ8"), "no padding"),
        (good.replace("YQ8=", "YQ9="), "bits after the end"),
        (good.replace("— example.com/", "— exam ple.com/"), "a space in a name"),
        (format!("{BODY}\n— n AAAAAA==\n"), "a number without a signature"),
    ] {
        assert!(SignedNote::parse(&bad).is_err(), "{why}");
    }
    let line = format!("{line}\n");
    assert!(read(&format!("{BODY}\n{}", line.repeat(64))).is_ok());
    assert_eq!(read(&format!("{BODY}\n{}", line.repeat(65))), Err(Fault::TooManySignatures(64)));
    let long = format!("{}\n{line}", "x\n".repeat(LONGEST_NOTE / 2));
    assert!(matches!(read(&long), Err(Fault::TooLong { .. })));
}

#[test]
fn a_checkpoint_is_read_strictly() {
    let signed = |body: &str| format!("{body}\n{BODY_LINES}");
    let head = Head {
        size: 20_852_163,
        root: Hash::parse_hash("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=").unwrap(),
    };
    let text = signed(BODY);
    let read_whole = read(&text).unwrap();
    assert_eq!(
        read_whole,
        Checkpoint { origin: "example.com/behind-the-sofa".to_owned(), head, text: text.clone() }
    );
    assert_eq!(read_whole.body(), BODY);
    assert_eq!(body("example.com/behind-the-sofa", head), BODY);
    assert!(read(&signed(&format!("{BODY}an extension\n"))).is_ok());
    assert_eq!(read(&signed(&BODY.replace("20852163", "18446744073709551615"))).unwrap().head.size, u64::MAX);
    for (bad, why) in [
        (BODY.replace("20852163", "020852163"), "a leading zero"),
        (BODY.replace("20852163", "+20852163"), "a sign"),
        (BODY.replace("20852163", "-1"), "a negative size"),
        (BODY.replace("20852163", " 20852163"), "a space"),
        (BODY.replace("20852163", "18446744073709551616"), "too large a size"),
        (BODY.replace("20852163", "٣"), "another script's digit"),
        (BODY.replace("CsUY", "Cs"), "a short hash"),
        (BODY.replace("q2I=", "q2J="), "bits after the end of the hash"),
        (BODY.replace("q2I=", "q2I"), "no padding"),
        (BODY.replace("q2I=\n", "q2I=\n\nextension\n"), "an empty line before an extension"),
        ("example.com\n5\n".to_owned(), "no hash"),
        (BODY.replace("example.com/behind-the-sofa", ""), "no name"),
    ] {
        assert!(read(&signed(&bad)).is_err(), "{why}");
    }
}

#[test]
fn unknown_keys_are_passed_over_and_false_signatures_of_known_ones_are_not() {
    let (log, head) = log();
    let stranger = SigningKey::generate("log.example/v1").unwrap();
    let text = body(log.name(), head);
    let (own, strange) = (log.sign(&text).unwrap(), stranger.sign(&text).unwrap());
    let known = [log.verifier()];
    assert_eq!(open(&format!("{text}\n{strange}{own}"), &known).unwrap().head, head);
    assert_eq!(open(&format!("{text}\n{strange}"), &known), Err(Fault::Unsigned));
    let elsewhere = log.sign("log.example/v1\n8\n").unwrap();
    let fault = Err(Fault::FalseSignature("log.example/v1".to_owned()));
    assert_eq!(open(&format!("{text}\n{elsewhere}"), &known), fault);
    // A false line spoils the note even after a good one of the same key.
    assert_eq!(open(&format!("{text}\n{own}{elsewhere}"), &known), fault);
    let other = SigningKey::generate("other.example").unwrap();
    let foreign = format!("{text}\n{}", other.sign(&text).unwrap());
    assert_eq!(open(&foreign, &[other.verifier()]), Err(Fault::UnknownOrigin("log.example/v1".to_owned())));
    assert_eq!(open(&foreign, &[other.verifier(), log.verifier()]), Err(Fault::Unsigned));
}

#[test]
fn several_keys_sign_while_one_takes_over_from_another() {
    let (old, head) = log();
    let new = SigningKey::generate(old.name()).unwrap();
    let (old_public, new_public) = (old.verifier(), new.verifier());
    let note = sign("log.example/v1", head, &[new, old]).unwrap();
    assert_eq!(note.lines().count(), 6);
    for known in [vec![old_public.clone()], vec![new_public.clone()], vec![old_public, new_public]] {
        assert_eq!(open(&note, &known).unwrap().text, note);
    }
    assert!(sign("two\nlines", head, &[SigningKey::generate("k").unwrap()]).is_err());
    assert!(sign("log.example/v1", head, &[]).is_err());
}

#[test]
fn lines_are_added_once() {
    let (log, head) = log();
    let note = sign(log.name(), head, std::slice::from_ref(&log)).unwrap();
    let witness = CosignerKey::generate("w.example").unwrap();
    let line = witness.cosign(read(&note).unwrap().body(), 5).unwrap();
    let once = with_lines(&note, &[line.clone(), line.trim_end().to_owned()]).unwrap();
    assert_eq!(once, format!("{note}{line}"));
    assert_eq!(with_lines(&once, &[line]).unwrap(), once);
    for bad in ["", "no line", "— two AAAAAAAAAA==\n— lines AAAAAAAAAA=="] {
        assert!(with_lines(&note, &[bad.to_owned()]).is_err(), "{bad}");
    }
}
