//! Policies of witnesses: what they mean, and what is wrong with those that are none.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{CosignerKey, Fault, SigningKey, TrustPolicy, VerifierKey};

fn witness(name: &str) -> VerifierKey {
    CosignerKey::generate(name).unwrap().verifier()
}

fn log() -> VerifierKey {
    SigningKey::generate("log.example/v1").unwrap().verifier()
}

#[test]
fn the_example_of_the_specification_means_what_it_says() {
    let keys: Vec<VerifierKey> = (0..6).map(|n| witness(&format!("w{n}.example"))).collect();
    let text = format!(
        "# comment\n\n  \t\nlog {}\twss://any:thing@else\n\nwitness X1 {}\n\twitness X2 {} https://x2.example/\nwitness X3 {}\n\
         group X-witnesses 2 X1 X2 X3\nwitness Y1 {}\nwitness Y2 {}\nwitness Ÿ3 {}\ngroup Y-witnesses any Y1 Y2 Ÿ3\n\
         group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        log(),
        keys[0],
        keys[1],
        keys[2],
        keys[3],
        keys[4],
        keys[5]
    );
    let policy = TrustPolicy::parse(text.as_bytes()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
    assert_eq!(policy.source(), text.as_bytes());
    assert_eq!(policy.witnesses()[1].url.as_deref(), Some(b"https://x2.example/".as_slice()));
    assert_eq!((policy.witnesses()[1].line, policy.witnesses()[0].url.as_deref()), (7, None));
    for set in 0_u32..64 {
        let (xs, ys) = ((set & 0b111).count_ones(), (set >> 3).count_ones());
        let met = policy.is_met(|key| {
            keys.iter().position(|own| own == key).is_some_and(|place| set & (1 << place) != 0)
        });
        assert_eq!(met, xs >= 2 && ys >= 1, "{set:06b}");
    }
}

#[test]
fn a_quorum_may_be_one_witness_or_nobody() {
    let key = witness("w.example");
    let one = TrustPolicy::parse(format!("witness w {key}\nquorum w\n").as_bytes()).unwrap();
    assert!(one.is_met(|cosigner| *cosigner == key) && !one.is_met(|_| false));
    let none = TrustPolicy::parse(b"quorum none\n").unwrap();
    assert!(none.is_met(|_| false));
}

#[test]
fn every_flaw_is_named_with_its_line() {
    let (a, b, log) = (witness("a.example"), witness("b.example"), log());
    // The same public key under another name has another number, which only whoever has the secret needs to know.
    let secret = CosignerKey::generate("c.example").unwrap();
    let renamed = {
        let text = secret.to_text();
        let key = text.splitn(5, '+').last().unwrap();
        let id = |id: u32| format!("PRIVATE+KEY+d.example+{id:08x}+{key}");
        let bytes = [b"d.example\n\x04".as_slice(), &public(&secret.verifier())].concat();
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        CosignerKey::parse(&id(u32::from_be_bytes(sum.as_ref()[..4].try_into().unwrap()))).unwrap().verifier()
    };
    let c = secret.verifier();
    let head = format!("witness a {a}\nwitness b {b}\n");
    for (rest, line, flaw) in [
        ("", 3, "ends without a quorum line"),
        ("quorum a", 3, "does not end with a newline"),
        ("quorum a\nquorum a\n", 4, "second quorum line"),
        ("quorum\n", 3, "should be: quorum"),
        ("quorum a b\n", 3, "should be: quorum"),
        ("quorum c\n", 3, "not been defined above"),
        ("quorum A\n", 3, "not been defined above"),
        ("quorum g\ngroup g any a\n", 3, "not been defined above"),
        ("group g 0 a b\nquorum g\n", 3, "a number from 1"),
        ("group g 3 a b\nquorum g\n", 3, "a number from 1"),
        ("group g 02 a b\nquorum g\n", 3, "a number from 1"),
        ("group g +1 a b\nquorum g\n", 3, "a number from 1"),
        ("group g -1 a b\nquorum g\n", 3, "a number from 1"),
        ("group g ALL a b\nquorum g\n", 3, "a number from 1"),
        ("group g 99999999999999999999 a b\nquorum g\n", 3, "a number from 1"),
        ("group g any\nquorum a\n", 3, "should be: group"),
        ("group g\nquorum a\n", 3, "should be: group"),
        ("group none any a\nquorum a\n", 3, "called none"),
        ("group a any b\nquorum a\n", 3, "has its name"),
        ("group g any none\nquorum g\n", 3, "not been defined above"),
        ("group g any g\nquorum g\n", 3, "not been defined above"),
        ("group g any a a\nquorum g\n", 3, "was a member before"),
        ("group g any a\ngroup h any a b\nquorum g\n", 4, "was a member before"),
        ("group g any h\ngroup h any a\nquorum g\n", 3, "not been defined above"),
        ("quorum a\r\n", 3, "control character"),
        ("quorum a\n# \u{1}\n", 4, "control character"),
        ("quorum a\n\u{7f}\n", 4, "control character"),
        ("quorum a\nqourum b\n", 4, "begins with none of"),
        ("Quorum a\n", 3, "begins with none of"),
        ("quorum\u{a0}a\n", 3, "begins with none of"),
        ("log\nquorum a\n", 3, "should be: log"),
        ("log x y z\nquorum a\n", 3, "should be: log"),
        ("log x\nquorum a\n", 3, "not one in the note format"),
        ("witness c\nquorum a\n", 3, "should be: witness"),
        ("witness c x\nquorum a\n", 3, "not one in the note format"),
        (&format!("witness a {c}\nquorum a\n"), 3, "has its name"),
        (&format!("witness none {c}\nquorum a\n"), 3, "called none"),
        (&format!("witness c {c} http://a b\nquorum a\n"), 3, "should be: witness"),
        (&format!("witness c {b}\nquorum a\n"), 3, "another witness's, too"),
        (&format!("witness c {c}\nwitness d {renamed}\nquorum a\n"), 4, "another witness's, too"),
        (&format!("witness c {log}\nquorum a\n"), 3, "a log's (type 01)"),
        (&format!("log {a}\nquorum a\n"), 3, "a witness's (type 04)"),
        (&format!("log {log}\nlog {log}\nquorum a\n"), 4, "another log's, too"),
    ] {
        let faults = TrustPolicy::parse(format!("{head}{rest}").as_bytes()).err().unwrap();
        let named = |fault: &Fault| matches!(fault, Fault::Policy { line: on, flaw: is } if *on == line && is.contains(flaw));
        assert!(faults.iter().any(named), "{rest:?}: {faults:?}");
        assert!(faults[0].to_string().starts_with("line "), "{}", faults[0]);
    }
    // All of them at once, and a flaw makes no others.
    let faults = TrustPolicy::parse(b"witness a x\ngroup g 9 a\nlog\nquorum g\n").err().unwrap();
    let lines: Vec<usize> =
        faults.iter().map(|fault| if let Fault::Policy { line, .. } = fault { *line } else { 0 }).collect();
    assert_eq!(lines, [1, 2, 3]);
    assert!(matches!(TrustPolicy::parse(&vec![b'\n'; 70_000]).err().unwrap()[0], Fault::TooLong { .. }));
}

fn public(key: &VerifierKey) -> Vec<u8> {
    use base64::Engine as _;
    let text = key.to_string();
    base64::engine::general_purpose::STANDARD.decode(text.splitn(3, '+').last().unwrap()).unwrap()[1..]
        .to_vec()
}

#[test]
fn as_many_as_the_specification_recommends_are_read_and_no_more() {
    let text = |count: usize| {
        let mut text = String::new();
        for n in 0..count {
            writeln!(text, "witness w{n} {}", witness("w.example")).unwrap();
            writeln!(text, "log {}", SigningKey::generate("log.example").unwrap().verifier()).unwrap();
        }
        for n in 0..count {
            writeln!(text, "group g{n} any w{n}").unwrap();
        }
        text + "quorum g0\n"
    };
    assert_eq!(TrustPolicy::parse(text(32).as_bytes()).unwrap().witnesses().len(), 32);
    assert_eq!(TrustPolicy::parse(text(33).as_bytes()).err().unwrap().len(), 3);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = TrustPolicy::parse(&bytes);
    }

    #[test]
    fn no_lines_make_it_panic(lines in proptest::collection::vec(
        proptest::collection::vec(prop::sample::select(vec![
            "log", "witness", "group", "quorum", "none", "any", "all", "1", "2", "18446744073709551616", "a", "b", "g", "h", "#", "\t",
            "a.example+5dd24cf7+BJQpVHBRUB/oOsTwVPnpHLLHmmcvRbKcXEpZkeBJPnX2", "log.example+1f5a3c70+AZ", "\u{fffd}", "\r",
        ]), 0..6), 0..12), set in any::<bool>()) {
        let text: String = lines.iter().map(|line| line.join(" ") + "\n").collect();
        if let Ok(policy) = TrustPolicy::parse(text.as_bytes()) {
            policy.is_met(|_| set);
        }
    }
}
