//! The commands that verify, as an outsider runs them, on files that another program made: `tests/independent/fixture.py`.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::process::Command;

struct Ran {
    code: i32,
    said: String,
    failed: String,
}

fn made(name: &str) -> String {
    format!("{}/tests/independent/made/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs the program without a data directory or a setting; arguments that begin with @ are files of the fixture.
fn temwen(arguments: &[&str]) -> Ran {
    let arguments = arguments.iter().map(|one| one.strip_prefix('@').map_or_else(|| (*one).to_owned(), made));
    let ran = Command::new(env!("CARGO_BIN_EXE_temwen")).args(arguments).env_clear().output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: ran.status.code().unwrap(), said: text(ran.stdout), failed: text(ran.stderr) }
}

fn lines(name: &str) -> Vec<String> {
    fs::read_to_string(made(name)).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_receipt_is_judged_in_four_languages() {
    let witnesses = lines("witnesses");
    let with_all = [
        "verify-receipt",
        "@receipt.json",
        "--key",
        "@key",
        "--text",
        "@words.txt",
        "--witness",
        &witnesses[0],
        "--witness",
        &witnesses[1],
        "--witnesses-needed",
        "2",
    ];
    let ran = temwen(&with_all);
    assert_eq!((ran.code, ran.failed.as_str()), (0, ""), "{}", ran.said);
    for sentence in [
        "ht: Resi sa a bon: ",
        "fr: Ce reçu est authentique : ",
        "en: This receipt is genuine: the log log.temwen.example/v1/log registered a complaint at 2026-11-22 00:00:42 UTC, as number 42, in exactly the words of your file",
        "es: Este recibo es auténtico: ",
        "words read:      without the line break at its end",
        "witness.two.example saw the log with this entry at 2026-11-22T13:47:09Z",
    ] {
        assert!(ran.said.contains(sentence), "{}", ran.said);
    }
    assert_eq!(temwen(&["verify-receipt", "@receipt.tlog-proof", "--key", &lines("key")[0]]).code, 0);

    let receipt = |more: &[&str]| temwen(&[&["verify-receipt", "@receipt.json"], more].concat());
    for (more, code, sentence) in [
        (&["--key", "@key", "--text", "@other-words.txt"][..], 1, "not those that were registered"),
        (&["--key", "@key.of-another-log"], 1, "was not signed with the key"),
        (&["--key", "@key", "--witness", &witnesses[2], "--witnesses-needed", "1"], 1, "0 of the witnesses"),
        (&["--key", "@key", "--text", "@log/tile/0/000"], 2, "could not be read"),
        (&["--key", "@key", "--text", "@nowhere"], 2, "could not be read"),
        (&["--key", "nonsense"], 2, "what was given as a key is not one"),
        (&["--key", "@key", "--witnesses-needed", "1"], 2, "what was given as a key is not one"),
    ] {
        let ran = receipt(more);
        assert_eq!(ran.code, code, "{more:?}: {}{}", ran.said, ran.failed);
        assert!(ran.said.contains(sentence), "{more:?}: {}", ran.said);
        assert_eq!(ran.said.lines().take_while(|line| line.get(2..4) == Some(": ")).count(), 4);
        assert!(ran.failed.starts_with("temwen: "), "{}", ran.failed);
    }
    for none in ["@words.txt", "@log/tile/0/000", "@nowhere", "@key"] {
        let ran = temwen(&["verify-receipt", none, "--key", "@key"]);
        assert_eq!(ran.code, 2, "{}", ran.said);
        assert!(
            ran.said.contains("en: This could not be checked: the file is not a receipt"),
            "{}",
            ran.said
        );
    }
    assert_eq!(receipt(&[]).code, 2, "no key was given");
}

#[test]
fn a_log_is_judged_and_its_checkpoint_kept() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept").display().to_string();
    let log = |more: &[&str]| temwen(&[&["verify-log", "--url", "@log", "--key", "@key"], more].concat());
    let ran = log(&["--checkpoint", "@old-checkpoint", "--save", &kept]);
    assert_eq!((ran.code, ran.failed.as_str()), (0, ""), "{}", ran.said);
    assert!(
        ran.said.contains("3 tiles were read; they give exactly the root that was signed"),
        "{}",
        ran.said
    );
    assert!(ran.said.contains("All 200 entries of the old checkpoint are there"), "{}", ran.said);
    assert_eq!(fs::read(&kept).unwrap(), fs::read(made("log/checkpoint")).unwrap());
    assert_eq!(log(&["--checkpoint", &kept]).code, 0);

    fs::remove_file(&kept).unwrap();
    for (old, name) in
        [("@forked-checkpoint", "FORK"), ("@forked-now", "FORK"), ("@larger-checkpoint", "ROLLBACK")]
    {
        let ran = log(&["--checkpoint", old, "--save", &kept]);
        assert_eq!(ran.code, 1, "{}", ran.said);
        assert!(ran.said.contains(&format!("WRONG: {name}")), "{}", ran.said);
        assert!(ran.failed.contains("the log is not what it must be: 1 finding"), "{}", ran.failed);
    }
    assert!(!fs::exists(&kept).unwrap(), "only a good log's checkpoint is kept");
    for more in [&["--checkpoint", "@nowhere"][..], &["--checkpoint", "@words.txt"], &["--entries"]] {
        assert_ne!(log(more).code, 0);
    }
    for (url, key) in
        [("@nowhere", "@key"), ("http://127.0.0.1:1/v1/log", "@key"), ("@log", "nonsense"), ("@", "@key")]
    {
        let ran = temwen(&["verify-log", "--url", url, "--key", key]);
        assert_eq!(ran.code, 2, "{url}: {}{}", ran.said, ran.failed);
    }
    assert_eq!(temwen(&["verify-log", "--url", "@log", "--key", "@key.of-another-log"]).code, 1);
    assert_eq!(temwen(&["verify-log", "--url", "@log"]).code, 2, "no key was given");
}
