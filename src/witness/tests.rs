//! The rules of a witness and what it remembers, without HTTP.

use std::fs;
use std::path::Path;

use super::evidence::{Evidence, Finding, Kind};
use super::state::{State, StateError};
use super::{Refusal, Witness};
use crate::tlog::{
    AddCheckpoint, CosignerKey, Edge, Hash, Head, SigningKey, Tiles, cosignatures, open, record_hash, sign,
    with_lines,
};

const ORIGIN: &str = "log.example/v1";
/// A second in 2026.
const NOW: u64 = 1_795_355_227;

/// A log that can be asked for anything, also for what a log must never sign.
struct Log {
    key: SigningKey,
    tiles: Tiles,
}

impl Log {
    fn new() -> Self {
        let mut edge = Edge::default();
        for n in 0..600_u64 {
            edge.push(record_hash(&n.to_be_bytes())).unwrap();
        }
        let tiles = Tiles(edge.changed().into_iter().collect());
        Self { key: SigningKey::generate(ORIGIN).unwrap(), tiles }
    }

    fn head(&self, size: u64) -> Head {
        Head { size, root: self.tiles.root(size).unwrap() }
    }

    fn sign(&self, head: Head) -> String {
        sign(ORIGIN, head, std::slice::from_ref(&self.key)).unwrap()
    }

    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let proof = self.tiles.consistency(old, new).unwrap();
        AddCheckpoint { old, proof, checkpoint: self.sign(self.head(new)) }
    }

    fn fork(&self, old: u64, size: u64) -> AddCheckpoint {
        let checkpoint = self.sign(Head { size, root: Hash([6; 32]) });
        AddCheckpoint { old, proof: vec![Hash([5; 32])], checkpoint }
    }
}

fn witness(place: &Path, log: &Log) -> Witness {
    let key = CosignerKey::generate("witness.example/w").unwrap();
    let state = State::create(&place.join("state"), key.verifier()).unwrap();
    let evidence = Evidence::open(&place.join("state.evidence")).unwrap();
    Witness::new(key, vec![log.key.verifier()], state, evidence)
}

fn send(witness: &Witness, request: &AddCheckpoint) -> Result<String, Refusal> {
    witness.add_checkpoint(request.to_text().as_bytes(), NOW)
}

fn findings(witness: &Witness) -> Vec<Finding> {
    witness.evidence().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_cosigns_what_continues_what_it_has_seen() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let witness = witness(place.path(), &log);
    for (old, new) in [(0, 0), (0, 1), (1, 1), (1, 255), (255, 256), (256, 257), (257, 600), (600, 600)] {
        let request = log.request(old, new);
        let line = send(&witness, &request).unwrap();
        let note = with_lines(&request.checkpoint, &[line]).unwrap();
        let cosigned = cosignatures(&note, &[witness.verifier()]).unwrap();
        assert_eq!((cosigned.len(), cosigned[0].at_unix), (1, NOW));
        let shown = witness.latest(&super::state::hex(ORIGIN.as_bytes())).unwrap();
        assert_eq!(open(&shown, &[log.key.verifier()]).unwrap().head, log.head(new));
        assert_eq!(cosignatures(&shown, &[witness.verifier()]).unwrap().len(), 1);
    }
    assert_eq!(witness.latest("00"), None);
    assert!(findings(&witness).is_empty());
}

#[test]
fn it_refuses_all_else_with_the_reason_that_the_specification_names() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let witness = witness(place.path(), &log);
    let stranger = Log::new();
    let forged = stranger.request(0, 5);
    assert!(matches!(send(&witness, &forged), Err(Refusal::Untrusted(_))));
    // A false line in the name of the trusted key spoils the note, even beside a good one.
    let mut spoilt = log.request(0, 5);
    let false_line = log.key.sign("something else\n").unwrap();
    spoilt.checkpoint = with_lines(&spoilt.checkpoint, &[false_line]).unwrap();
    assert!(matches!(send(&witness, &spoilt), Err(Refusal::Untrusted(_))));
    let other = SigningKey::generate("other.example").unwrap();
    let unknown = AddCheckpoint {
        checkpoint: sign("other.example", log.head(5), &[other]).unwrap(),
        ..log.request(0, 5)
    };
    assert!(matches!(send(&witness, &unknown), Err(Refusal::UnknownLog(_))));
    assert!(matches!(witness.add_checkpoint(b"old 0\n\nnothing\n", NOW), Err(Refusal::Malformed(_))));

    assert!(matches!(send(&witness, &log.request(3, 9)), Err(Refusal::Elsewhere(0))));
    send(&witness, &log.request(0, 9)).unwrap();
    assert!(matches!(send(&witness, &log.request(0, 20)), Err(Refusal::Elsewhere(9))));
    let backwards = AddCheckpoint { old: 9, ..log.request(5, 5) };
    assert!(matches!(send(&witness, &backwards), Err(Refusal::Malformed(_))));
    assert!(matches!(send(&witness, &log.request(5, 5)), Err(Refusal::Elsewhere(9))));
    let wordy = AddCheckpoint { proof: vec![Hash([1; 32])], ..log.request(9, 9) };
    assert!(matches!(send(&witness, &wordy), Err(Refusal::Inconsistent(_))));
    assert!(findings(&witness).is_empty(), "no two of these contradict each other");
}

#[test]
fn the_empty_tree_has_one_root_and_needs_no_proof() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let witness = witness(place.path(), &log);
    let false_root = Head { size: 0, root: Hash([1; 32]) };
    let empty = AddCheckpoint { old: 0, proof: vec![], checkpoint: log.sign(false_root) };
    assert!(matches!(send(&witness, &empty), Err(Refusal::Inconsistent(_))));
    let proven = AddCheckpoint { proof: vec![Hash([1; 32])], ..log.request(0, 5) };
    assert!(matches!(send(&witness, &proven), Err(Refusal::Inconsistent(_))));
    send(&witness, &log.request(0, 5)).unwrap();
}

#[test]
fn a_fork_is_refused_and_kept() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let witness = witness(place.path(), &log);
    for (old, new) in [(0, 100), (100, 300)] {
        send(&witness, &log.request(old, new)).unwrap();
    }
    let before = fs::read(place.path().join("state")).unwrap();
    // Another tree of the last size, of an earlier size, and a larger one that does not continue.
    assert!(matches!(send(&witness, &log.fork(300, 300)), Err(Refusal::Inconsistent(_))));
    assert!(matches!(send(&witness, &log.fork(0, 100)), Err(Refusal::Elsewhere(300))));
    assert!(matches!(send(&witness, &log.fork(300, 400)), Err(Refusal::Inconsistent(_))));
    // A smaller tree that it has never seen contradicts nothing that it can show.
    assert!(matches!(send(&witness, &log.fork(0, 99)), Err(Refusal::Elsewhere(300))));
    for _ in 0..3 {
        let _ = send(&witness, &log.fork(300, 300));
    }
    assert_eq!(fs::read(place.path().join("state")).unwrap(), before);

    let kept = findings(&witness);
    let kinds: Vec<_> = kept.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::Fork, Kind::Fork, Kind::Unproven]);
    let sizes = kept.iter().map(|finding| {
        let size = |note: &str| open(note, &[log.key.verifier()]).unwrap().head.size;
        (size(&finding.cosigned), size(&finding.submitted))
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [(300, 300), (100, 100), (300, 400)]);
    assert_eq!((kept[2].old, kept[2].proof.len()), (300, 1));
    // It goes on with the honest tree.
    send(&witness, &log.request(300, 600)).unwrap();
}

#[test]
fn evidence_is_bounded_known_after_a_restart_and_survives_a_torn_line() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let witness = witness(place.path(), &log);
    send(&witness, &log.request(0, 10)).unwrap();
    for size in 11..250 {
        let _ = send(&witness, &log.fork(10, size));
    }
    assert_eq!(findings(&witness).len(), 100, "anybody can send a wrong proof");
    let _ = send(&witness, &log.fork(10, 10));
    assert_eq!(findings(&witness).len(), 101, "and yet a fork has room");

    let path = place.path().join("torn.evidence");
    let text = witness.evidence().unwrap();
    fs::write(&path, &text.as_bytes()[..text.len() - 5]).unwrap();
    let mut evidence = Evidence::open(&path).unwrap();
    evidence.keep(&serde_json::from_str(text.lines().last().unwrap()).unwrap());
    evidence.keep(&serde_json::from_str(text.lines().next().unwrap()).unwrap());
    let lines = fs::read_to_string(&path).unwrap();
    let whole = lines.lines().filter(|line| serde_json::from_str::<Finding>(line).is_ok()).count();
    assert_eq!((lines.lines().count(), whole), (102, 101));
}

#[test]
fn what_it_remembers_is_whole_or_refused() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let path = place.path().join("state");
    let witness = witness(place.path(), &log);
    for (old, new) in [(0, 1), (1, 5), (5, 6)] {
        send(&witness, &log.request(old, new)).unwrap();
    }
    let key = witness.verifier();
    let again = State::open(&path, key.clone()).unwrap();
    assert_eq!(again.latest(ORIGIN).unwrap().head, log.head(6));
    assert_eq!(again.of_size(ORIGIN, 1).unwrap().head, log.head(1));
    assert!(!place.path().join("state.new").exists());

    let other = CosignerKey::generate("witness.example/w").unwrap();
    assert!(matches!(State::open(&path, other.verifier()), Err(StateError::OfAnother { .. })));
    let good = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        matches!(State::open(&path, key.clone()), Err(StateError::Damaged(_)))
    };
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(refused(&bad), "bit of byte {at}");
        assert!(refused(&good[..at]), "cut at byte {at}");
    }
    assert!(refused(b"") && refused(&[good.clone(), b"\n".to_vec()].concat()));
    // Somebody who mends the sum cannot make up a cosignature.
    let json =
        String::from_utf8(good.clone()).unwrap().split_once('\n').unwrap().1.replace("\\n6\\n", "\\n7\\n");
    let sum = super::state::hex(json.as_bytes());
    assert!(refused(format!("temwen witness state 1 {sum}\n{json}").as_bytes()));
    assert!(!refused(&good));
    fs::remove_file(&path).unwrap();
    assert!(matches!(State::open(&path, key.clone()), Err(StateError::Io { .. })));
}

#[test]
fn what_cannot_be_written_down_is_not_cosigned() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let witness = witness(place.path(), &log);
    send(&witness, &log.request(0, 5)).unwrap();
    let draft = place.path().join("state.new");
    fs::create_dir(&draft).unwrap();
    assert!(matches!(send(&witness, &log.request(5, 9)), Err(Refusal::Unsaved(_))));
    fs::remove_dir(&draft).unwrap();
    assert!(matches!(send(&witness, &log.request(9, 12)), Err(Refusal::Elsewhere(5))));
    send(&witness, &log.request(5, 9)).unwrap();
}

#[test]
fn of_two_requests_at_once_none_rolls_back_the_other() {
    let (place, log) = (tempfile::tempdir().unwrap(), Log::new());
    let witness = witness(place.path(), &log);
    send(&witness, &log.request(0, 1)).unwrap();
    for round in 0..20 {
        let from = 1 + round * 20;
        let requests: Vec<AddCheckpoint> = (1..=8).map(|more| log.request(from, from + more)).collect();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let sent: Vec<_> =
                requests.iter().map(|request| scope.spawn(|| send(&witness, request))).collect();
            sent.into_iter().map(|answer| answer.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let won = from + 1 + answers.iter().position(Result::is_ok).unwrap() as u64;
        let others = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(
            others.into_iter().all(|refusal| matches!(refusal, Refusal::Elsewhere(size) if *size == won))
        );
        send(&witness, &log.request(won, from + 20)).unwrap();
    }
}
