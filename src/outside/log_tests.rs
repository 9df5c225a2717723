use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use secrecy::SecretString;

use super::Verdict;
use super::finding::{Finding, Which};
use super::log::{Report, Request, verify};
use super::source::Source;
use super::staged_log_tests::{LOG, PLACE, Staged, arrival, canonical, cosigned, serve, words};
use super::trust::Trust;
use crate::progress::Progress;
use crate::tlog::{self, CosignerKey, Fault, Head, SigningKey};

struct Asked<'a> {
    staged: &'a Staged,
    trust: Trust,
    old: Option<String>,
    entries: bool,
}

impl<'a> Asked<'a> {
    fn of(staged: &'a Staged) -> Self {
        Self { staged, trust: staged.trust(0), old: None, entries: false }
    }

    async fn check(&self) -> Report {
        self.check_at(&self.staged.place(), None).await
    }

    async fn check_at(&self, place: &str, token: Option<&str>) -> Report {
        let source = Source::of(place, token.map(SecretString::from)).unwrap();
        let request =
            Request { source: &source, trust: &self.trust, old: self.old.as_deref(), entries: self.entries };
        verify(&request, &mut Progress::Silent).await
    }
}

async fn with_old(staged: &Staged, old: String) -> Report {
    Asked { old: Some(old), ..Asked::of(staged) }.check().await
}

fn only(report: &Report, finding: &Finding) {
    assert_eq!(report.findings, std::slice::from_ref(finding));
    assert_eq!(report.verdict(), Verdict::Tampered);
}

fn missing(path: &str) -> Finding {
    Finding::Missing { path: path.to_owned() }
}

fn tile(path: &str, above: &str, first: u64, last: u64) -> Finding {
    Finding::Tile { path: path.to_owned(), above: above.to_owned(), first, last }
}

#[tokio::test]
async fn a_good_log_is_good_whatever_its_size() {
    for (size, old, tiles) in [
        (0, 0, 0),
        (1, 0, 1),
        (2, 1, 1),
        (255, 254, 1),
        (256, 255, 2),
        (257, 256, 3),
        (600, 300, 4),
        (1024, 1024, 5),
    ] {
        let staged = Staged::new(size);
        let old = (old > 0).then(|| staged.checkpoint(old));
        let grown_from = old.as_ref().map(|old| tlog::read(old).unwrap().head);
        let report = Asked { old, entries: true, ..Asked::of(&staged) }.check().await;
        assert_eq!(report.verdict(), Verdict::Good, "{report:?}");
        assert_eq!((report.tiles, report.entries, report.grown_from), (tiles, size, grown_from));
    }
}

#[tokio::test]
async fn a_log_that_another_program_made_is_good() {
    let made = format!("{}/tests/independent/made", env!("CARGO_MANIFEST_DIR"));
    let trust = Trust::of(&[format!("{made}/key")], &[format!("{made}/witnesses")], 1).unwrap();
    let staged = Staged::new(0);
    let with = async |old: &str| {
        let old = Some(fs::read_to_string(format!("{made}/{old}")).unwrap());
        let asked = Asked { trust: trust.clone(), old, ..Asked::of(&staged) };
        asked.check_at(&format!("{made}/log"), None).await
    };
    let report = with("old-checkpoint").await;
    assert_eq!((report.verdict(), report.tiles, report.witnesses.len()), (Verdict::Good, 3, 1), "{report:?}");
    only(&with("forked-checkpoint").await, &Finding::Fork { old: 200, new: 300 });
    only(&with("forked-now").await, &Finding::Fork { old: 300, new: 300 });
    only(&with("larger-checkpoint").await, &Finding::Rollback { old: 301, new: 300 });
}

/// Three levels of tiles, and each tampered with.
#[tokio::test]
async fn a_false_tile_is_named_on_every_level() {
    let staged = Staged::new(66_000);
    let root = || Finding::Root {
        size: 66_000,
        paths: ["tile/0/257.p/208", "tile/1/001.p/1", "tile/2/000.p/1"].map(str::to_owned).to_vec(),
    };
    let first = "tile/0/000";
    for (path, found) in [
        ("tile/2/000.p/1", vec![root(), tile("tile/1/000", "tile/2/000.p/1", 0, 65_535)]),
        ("tile/1/001.p/1", vec![root(), tile("tile/0/256", "tile/1/001.p/1", 65_536, 65_791)]),
        ("tile/0/257.p/208", vec![root()]),
        ("tile/1/000", vec![tile("tile/1/000", "tile/2/000.p/1", 0, 65_535)]),
        (first, vec![tile(first, "tile/1/000", 0, 255)]),
        ("tile/0/123", vec![tile("tile/0/123", "tile/1/000", 31_488, 31_743)]),
    ] {
        let bytes = fs::read(staged.path(path)).unwrap();
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        staged.write(path, &changed);
        let report = Asked::of(&staged).check().await;
        assert!(found.iter().all(|finding| report.findings.contains(finding)), "{path}: {report:?}");
        assert!(report.findings.len() <= found.len(), "{path}: {report:?}");
        let lengths = [&bytes[1..], &[bytes.as_slice(), &[0]].concat(), &[]];
        for changed in lengths.into_iter().filter(|_| path == first) {
            staged.write(path, changed);
            only(&Asked::of(&staged).check().await, &Finding::Length { path: path.to_owned() });
        }
        fs::remove_file(staged.path(path)).unwrap();
        only(&Asked::of(&staged).check().await, &missing(path));
        staged.write(path, &bytes);
    }
    let (one, two) = ("tile/0/007", "tile/0/008");
    fs::rename(staged.path(one), staged.path("aside")).unwrap();
    fs::rename(staged.path(two), staged.path(one)).unwrap();
    fs::rename(staged.path("aside"), staged.path(two)).unwrap();
    let report = Asked::of(&staged).check().await;
    assert_eq!(report.findings.len(), 2);
    assert!(report.findings.contains(&tile(one, "tile/1/000", 1792, 2047)), "{report:?}");
    assert!(report.findings.contains(&tile(two, "tile/1/000", 2048, 2303)), "{report:?}");
}

#[tokio::test]
async fn a_tile_that_was_filled_since_is_cut() {
    let (staged, larger) = (Staged::new(300), Staged::new(600));
    for (from, to) in [("tile/0/001", "tile/0/001"), ("tile/1/000.p/2", "tile/1/000.p/2")] {
        fs::copy(larger.path(from), staged.path(to)).unwrap();
    }
    fs::remove_file(staged.path("tile/0/001.p/44")).unwrap();
    fs::remove_file(staged.path("tile/1/000.p/1")).unwrap();
    // The upper one is not full, so the lower one alone may stand in.
    only(&Asked::of(&staged).check().await, &missing("tile/1/000.p/1"));
    fs::copy(Staged::new(300).path("tile/1/000.p/1"), staged.path("tile/1/000.p/1")).unwrap();
    assert_eq!(Asked::of(&staged).check().await.verdict(), Verdict::Good);
}

#[tokio::test]
async fn a_rollback_is_told_from_a_fork() {
    let staged = Staged::new(300);
    let resigned = |head: Head| tlog::sign(LOG, head, std::slice::from_ref(&staged.key)).unwrap();
    let mut longer = staged.entries.clone();
    longer.push("one more".to_owned());
    let longer = Staged { key: SigningKey::parse(&staged.key.to_text()).unwrap(), ..Staged::of(longer) };
    only(&with_old(&staged, longer.checkpoint(301)).await, &Finding::Rollback { old: 301, new: 300 });

    let mut other = staged.entries.clone();
    other[7] = canonical(&arrival(PLACE, "something else"));
    let other = Staged::of(other);
    for old in [8, 255, 256, 257, 299, 300] {
        let report = with_old(&staged, resigned(other.head(old))).await;
        only(&report, &Finding::Fork { old, new: 300 });
    }
    // Before the entry that differs the two are one.
    assert_eq!(with_old(&staged, resigned(other.head(PLACE))).await.verdict(), Verdict::Good);
    // Nothing leads from an empty tree, but its root is known.
    assert_eq!(with_old(&staged, resigned(Head::EMPTY)).await.verdict(), Verdict::Good);
    let false_empty = Head { size: 0, ..other.head(1) };
    only(&with_old(&staged, resigned(false_empty)).await, &Finding::Fork { old: 0, new: 300 });
}

#[tokio::test]
async fn an_old_checkpoint_must_itself_be_good() {
    let staged = Staged::new(300);
    let strange = SigningKey::generate(LOG).unwrap();
    let unsigned = tlog::sign(LOG, staged.head(9), &[strange]).unwrap();
    only(
        &with_old(&staged, unsigned).await,
        &Finding::Checkpoint { which: Which::Old, fault: Fault::Unsigned },
    );
    let changed = staged.checkpoint(9).replacen("\n9\n", "\n8\n", 1);
    let fault = Fault::FalseSignature(LOG.to_owned());
    only(&with_old(&staged, changed).await, &Finding::Checkpoint { which: Which::Old, fault });
    let elsewhere = SigningKey::generate("another.example").unwrap();
    let of_another = tlog::sign("another.example", staged.head(9), std::slice::from_ref(&elsewhere)).unwrap();
    let mut asked = Asked { old: Some(of_another), ..Asked::of(&staged) };
    asked.trust.logs.push(elsewhere.verifier());
    let (old, new) = ("another.example".to_owned(), LOG.to_owned());
    only(&asked.check().await, &Finding::OtherLog { old, new });
    for none in [String::new(), "\n\n".to_owned(), "x".repeat(70_000), staged.checkpoint(9)[..30].to_owned()]
    {
        let report = with_old(&staged, none).await;
        assert_eq!(report.verdict(), Verdict::Unchecked, "{report:?}");
    }
}

#[tokio::test]
async fn a_false_tile_makes_no_fork() {
    let staged = Staged::new(600);
    let mut bytes = fs::read(staged.path("tile/0/000")).unwrap();
    bytes[40] ^= 1;
    staged.write("tile/0/000", &bytes);
    let report = with_old(&staged, staged.checkpoint(5)).await;
    only(&report, &tile("tile/0/000", "tile/1/000.p/2", 0, 255));
    assert!(report.grown_from.is_none() && report.unchecked.len() == 1, "{report:?}");
}

#[tokio::test]
async fn the_checkpoint_must_be_signed_by_who_is_trusted() {
    let staged = Staged::new(20);
    let with = async |trust: Trust| Asked { trust, ..Asked::of(&staged) }.check().await;
    let strange = SigningKey::generate(LOG).unwrap().verifier();
    let served = |fault| Finding::Checkpoint { which: Which::Served, fault };
    only(&with(Trust { logs: vec![strange], ..Trust::default() }).await, &served(Fault::Unsigned));
    let another = SigningKey::generate("another.example").unwrap().verifier();
    let report = with(Trust { logs: vec![another], ..Trust::default() }).await;
    only(&report, &served(Fault::UnknownOrigin(LOG.to_owned())));
    assert!(report.now.is_none());

    only(&with(staged.trust(1)).await, &Finding::FewWitnesses { count: 0, needed: 1 });
    let witnesses: Vec<&CosignerKey> = staged.witnesses.iter().take(2).collect();
    let cosigned = cosigned(&staged.checkpoint(20), &witnesses);
    staged.write("checkpoint", cosigned.as_bytes());
    assert_eq!(with(staged.trust(2)).await.verdict(), Verdict::Good);
    only(&with(staged.trust(3)).await, &Finding::FewWitnesses { count: 2, needed: 3 });

    for place in 0..cosigned.len() {
        let mut changed = cosigned.clone().into_bytes();
        changed[place] ^= 1;
        staged.write("checkpoint", &changed);
        let report = with(staged.trust(2)).await;
        assert_ne!(report.verdict(), Verdict::Good, "byte {place}");
    }
}

#[tokio::test]
async fn a_checkpoint_that_promises_too_much_is_found_out() {
    let staged = Staged::new(20);
    let sign = |head| tlog::sign(LOG, head, std::slice::from_ref(&staged.key)).unwrap();
    let Head { root, .. } = staged.head(20);
    staged.write("checkpoint", sign(Head { size: 21, root }).as_bytes());
    only(&Asked::of(&staged).check().await, &missing("tile/0/000.p/21"));
    staged.write("checkpoint", sign(Head { size: 0, root }).as_bytes());
    only(&Asked::of(&staged).check().await, &Finding::Root { size: 0, paths: vec![] });
    staged.write("checkpoint", sign(Head { size: 19, root }).as_bytes());
    only(&Asked::of(&staged).check().await, &missing("tile/0/000.p/19"));
    staged.write("checkpoint", sign(Head { size: u64::MAX, root }).as_bytes());
    assert_ne!(Asked::of(&staged).check().await.verdict(), Verdict::Good);
    staged.write("checkpoint", sign(Head { size: 1 << 48, root }).as_bytes());
    assert_eq!(Asked::of(&staged).check().await.verdict(), Verdict::Tampered);
}

#[tokio::test]
async fn an_auditor_sees_which_entry_was_changed() {
    let staged = Staged::new(600);
    let entries = || Asked { entries: true, ..Asked::of(&staged) };
    let path = "tile/entries/001";
    let good = fs::read(staged.path(path)).unwrap();
    let text = String::from_utf8_lossy(&good).into_owned();
    assert!(text.contains(&canonical(&arrival(300, &words(300)))), "entry 300 stands in the second bundle");
    let mut changed = good.clone();
    let place = good.windows(7).position(|seen| seen == b"13:05:0").unwrap();
    changed[place + 6] ^= 1;
    staged.write(path, &changed);
    let report = entries().check().await;
    only(&report, &Finding::Entry { number: 300 });
    for (what, finding) in [
        (good[..good.len() - 1].to_vec(), Finding::Bundle { path: path.to_owned() }),
        (Vec::new(), Finding::Bundle { path: path.to_owned() }),
        (vec![0; LONGER], Finding::Length { path: path.to_owned() }),
    ] {
        staged.write(path, &what);
        only(&entries().check().await, &finding);
    }
    staged.write(path, &[good.as_slice(), &[0, 0]].concat());
    only(&entries().check().await, &Finding::Bundle { path: path.to_owned() });
    fs::remove_file(staged.path(path)).unwrap();
    only(&entries().check().await, &missing(path));
    // Nobody asked for them.
    assert_eq!(Asked::of(&staged).check().await.verdict(), Verdict::Good);
}

/// More than any bundle has.
const LONGER: usize = 256 * (2 + 65_535) + 1;

/// A server of the files, which shows entries to auditors alone.
fn files(staged: &Staged) -> impl Fn(&str, Option<&str>) -> (u16, Vec<u8>) + Send + Sync + 'static {
    let folder = staged.folder.path().to_owned();
    move |path, token| match fs::read(folder.join(path)) {
        Ok(_) if path.contains("entries") && token != Some("of an auditor") => (401, Vec::new()),
        Ok(bytes) => (200, bytes),
        Err(_) => (404, b"not here".to_vec()),
    }
}

#[tokio::test]
async fn a_log_is_read_over_http() {
    let staged = Staged::new(600);
    let prefix = serve(Arc::new(files(&staged)));
    let asked = Asked { old: Some(staged.checkpoint(300)), ..Asked::of(&staged) };
    for prefix in [prefix.clone(), format!("{prefix}/")] {
        let report = asked.check_at(&prefix, None).await;
        assert_eq!((report.verdict(), report.tiles), (Verdict::Good, 4), "{report:?}");
    }
    let asked = Asked { entries: true, ..asked };
    let report = asked.check_at(&prefix, Some("of an auditor")).await;
    assert_eq!((report.verdict(), report.entries), (Verdict::Good, 600), "{report:?}");
    for token in [None, Some("of somebody")] {
        let report = asked.check_at(&prefix, token).await;
        assert_eq!((report.verdict(), report.unchecked.len()), (Verdict::Unchecked, 1), "{report:?}");
        assert!(report.grown_from.is_some());
    }
    fs::remove_file(staged.path("tile/0/001")).unwrap();
    only(&Asked::of(&staged).check_at(&prefix, None).await, &missing("tile/0/001"));
}

#[tokio::test]
async fn a_server_in_trouble_is_no_tampered_log() {
    let staged = Staged::new(600);
    let asked = Asked::of(&staged);
    let unchecked = async |place: &str| {
        let report = asked.check_at(place, None).await;
        assert_eq!(report.verdict(), Verdict::Unchecked, "{report:?}");
    };
    unchecked("http://127.0.0.1:1/v1/log").await;
    unchecked(&serve(Arc::new(|_, _| (404, Vec::new())))).await;
    unchecked(&serve(Arc::new(|_, _| (500, Vec::new())))).await;
    let some = files(&staged);
    let broken = move |path: &str, token: Option<&str>| {
        if path == "tile/0/001" { (500, Vec::new()) } else { some(path, token) }
    };
    unchecked(&serve(Arc::new(broken))).await;
    // One that is busy is asked again.
    let (some, asked_for) = (files(&staged), AtomicU32::new(0));
    let busy = move |path: &str, token: Option<&str>| {
        if asked_for.fetch_add(1, Ordering::Relaxed) % 3 == 0 { (503, Vec::new()) } else { some(path, token) }
    };
    let report = asked.check_at(&serve(Arc::new(busy)), None).await;
    assert_eq!(report.verdict(), Verdict::Good, "{report:?}");
    // One that never stops is stopped.
    let some = files(&staged);
    let endless = move |path: &str, token: Option<&str>| {
        if path == "tile/0/001" { (200, vec![7; 50_000_000]) } else { some(path, token) }
    };
    let report = asked.check_at(&serve(Arc::new(endless)), None).await;
    only(&report, &Finding::Length { path: "tile/0/001".to_owned() });
    let report = asked.check_at(&serve(Arc::new(|_, _| (200, vec![b'x'; 50_000_000]))), None).await;
    assert_ne!(report.verdict(), Verdict::Good);
}

#[test]
fn each_finding_is_one_sentence() {
    let path = || "tile/0/000".to_owned();
    for finding in [
        Finding::Checkpoint { which: Which::Served, fault: Fault::Unsigned },
        Finding::Checkpoint { which: Which::Old, fault: Fault::Unsigned },
        Finding::OtherLog { old: "a".to_owned(), new: "b".to_owned() },
        Finding::Rollback { old: 2, new: 1 },
        Finding::Fork { old: 1, new: 1 },
        Finding::Fork { old: 1, new: 2 },
        Finding::FewWitnesses { count: 1, needed: 2 },
        missing("tile/0/000"),
        Finding::Length { path: path() },
        Finding::Root { size: 0, paths: vec![] },
        Finding::Root { size: 1, paths: vec![path()] },
        tile("tile/0/000", "tile/1/000", 0, 255),
        Finding::Entry { number: 7 },
        Finding::Bundle { path: path() },
    ] {
        let said = finding.to_string();
        assert!(said.len() > 20 && !said.contains('\n'), "{said}");
    }
}
