//! The vault as its operators meet it: the first key, rotation beneath a running server, and keys that are missing.

use super::{
    Ended, Path, Pid, Server, Signal, Value, directory, fs, kill, run, serve, serve_with, temwen, thread,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

fn keys(data_dir: &Path, arguments: &[&str]) -> Ended {
    let all: Vec<&str> = ["keys"].into_iter().chain(arguments.iter().copied()).collect();
    run(&mut temwen(&all, data_dir), "")
}

/// The names of the master keys, the active one first.
fn names(data_dir: &Path) -> Vec<String> {
    let listed = keys(data_dir, &["list"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    listed.out.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

fn still_opens(server: &Server, receipts: &[Value]) {
    for receipt in receipts {
        // The receipt holds the salt, which is sealed like the words.
        assert!(server.receipt_of(receipt).contains("\"salt\""));
    }
}

#[test]
fn p4_master_keys_are_rotated_beneath_a_running_server_and_it_may_be_interrupted() {
    let dir = directory();
    let at = dir.path();
    // Hundreds in a moment, from one machine: nobody is asked for work here.
    let server = serve(at, &["--work-above", "0"]);
    let key_file = at.join("keys/master-0001.key");
    assert_eq!(fs::metadata(&key_file).unwrap().mode() & 0o777, 0o600);
    let mut receipts: Vec<Value> = (0..450).map(|n| server.submit(&format!("Words {n}."))).collect();
    let old = names(at).remove(0);

    // In use: it cannot be taken away.
    let refused = keys(at, &["remove", &old]);
    assert!(refused.code != 0 && refused.err.contains("is the active master key"), "{}", refused.err);

    // Killed when the new key is there and nothing is wrapped by it: nothing is lost.
    let mut rotation = temwen(&["keys", "rotate"], at).spawn().unwrap();
    thread::sleep(Duration::from_millis(2500));
    let _ = kill(Pid::from_raw(rotation.id().try_into().unwrap()), Signal::SIGKILL);
    rotation.wait().unwrap();
    still_opens(&server, &receipts[..3]);
    let both = names(at);
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], old);

    // Gone on with, while complaints come in; no third key is made.
    receipts.extend((0..20).map(|n| server.submit(&format!("Later words {n}."))));
    let rotated = keys(at, &["rotate"]);
    assert_eq!(rotated.code, 0, "{}", rotated.err);
    receipts.push(server.submit("The last words."));
    let listed = keys(at, &["list"]).out;
    // Those that were handed in before the server learnt of the new key may be left; then it is rotated once more.
    if !listed.contains(&format!("{old}: wraps 0 data keys")) {
        assert_eq!(keys(at, &["rotate"]).code, 0);
    }
    assert_eq!(names(at), both, "{listed}");
    let listed = keys(at, &["list"]).out;
    assert!(listed.contains(&format!("{}: wraps 472 data keys, active", both[0])), "{listed}");

    // Wrapped by nothing: it goes, and everything opens without it, also after a start.
    let kept = fs::read(&key_file).unwrap();
    let removed = keys(at, &["remove", &old]);
    assert_eq!(removed.code, 0, "{}", removed.err);
    assert!(!key_file.exists());
    assert_eq!(names(at), both[..1]);
    still_opens(&server, &[receipts[0].clone(), receipts[449].clone(), receipts[470].clone()]);
    assert_eq!(server.stop(Signal::SIGTERM).0, 0);
    let server = serve(at, &[]);
    still_opens(&server, &receipts[468..]);
    let unknown = keys(at, &["remove", "0123456789abcdef"]);
    assert!(
        unknown.code != 0 && unknown.err.contains("no master key is called 0123456789abcdef"),
        "{}",
        unknown.err
    );
    assert_eq!(server.stop(Signal::SIGTERM).0, 0);

    // The record tells of it, and holds.
    let verified = run(&mut temwen(&["verify-log"], at), "");
    assert_eq!(verified.code, 0, "{} {}", verified.out, verified.err);

    // The key that is needed is missing, and another stands in its place: the server names the one it lacks, and does not start.
    fs::write(at.join("keys/master-0002.key"), &kept).unwrap();
    let ended = run(&mut temwen(&["serve", "--listen", "127.0.0.1:0"], at), "");
    assert!(
        ended.code != 0 && ended.err.contains("lacks master keys") && ended.err.contains(&both[0]),
        "{}",
        ended.err
    );
    fs::remove_file(at.join("keys/master-0002.key")).unwrap();
    let ended = run(&mut temwen(&["serve", "--listen", "127.0.0.1:0"], at), "");
    assert!(ended.code != 0 && ended.err.contains(&both[0]), "{}", ended.err);
}

#[test]
fn p4_master_keys_can_be_given_in_the_environment_and_faults_in_them_are_named() {
    let dir = directory();
    let at = dir.path();
    let one = STANDARD.encode([7; 32]);
    let two = STANDARD.encode([8; 32]);
    let with = |given: &str| {
        let mut command = temwen(&["serve", "--listen", "127.0.0.1:0"], at);
        command.env("TEMWEN_MASTER_KEYS", given);
        command
    };
    for (bad, said) in
        [("short", "key 1 of TEMWEN_MASTER_KEYS"), (&*format!("{one},x"), "key 2 of TEMWEN_MASTER_KEYS")]
    {
        let ended = run(&mut with(bad), "");
        assert!(ended.code != 0 && ended.err.contains(said), "{}", ended.err);
        assert!(!ended.err.contains(&one));
    }
    let server = serve_with(with(&one));
    let receipt = server.submit("Words.");
    assert_eq!(server.stop(Signal::SIGTERM).0, 0);
    assert!(!at.join("keys/master-0001.key").exists(), "no key is made where keys are given");
    let server = serve_with(with(&format!("{two},{one}")));
    still_opens(&server, std::slice::from_ref(&receipt));
    let mut command = temwen(&["keys", "rotate"], at);
    let rotated = run(command.env("TEMWEN_MASTER_KEYS", format!("{two},{one}")), "");
    assert_eq!(rotated.code, 0, "{}", rotated.err);
    assert_eq!(server.stop(Signal::SIGTERM).0, 0);
    let server = serve_with(with(&two));
    still_opens(&server, &[receipt]);
    assert_eq!(server.stop(Signal::SIGTERM).0, 0);
    let ended = run(&mut with(&one), "");
    assert!(ended.code != 0 && ended.err.contains("lacks master keys"), "{}", ended.err);
}
