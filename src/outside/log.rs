//! A whole log, read from outside: its checkpoint, every tile, how it grew, and, for auditors, its entries.
//!
//! From the signed root downwards: the tiles on the tree's right border give the root; each hash in a tile is the root of a
//! tile one level below. So every tile is judged by what has been judged before, a false one is named, and no more than a
//! few tiles are in memory at once.

use futures_util::future::join_all;

use super::Verdict;
use super::finding::{Finding, Which};
use super::source::{Miss, Source};
use super::trust::Trust;
use crate::progress::{Counted, Progress};
use crate::tlog::{
    Checkpoint, Cosigned, Edge, Fault, HASH_BYTES, Hash, Head, LARGEST_TREE, LONGEST_NOTE, TILE_WIDTH,
    TileId, Tiles, check_consistency, needed_for_consistency, node_hash, open, partial, path, record_hash,
};

/// How many tiles are asked for at once.
const AT_ONCE: usize = 16;
/// Bytes of a full tile.
const FULL_TILE: usize = TILE_WIDTH as usize * HASH_BYTES;
/// The most bytes of a bundle of entries: 256 of the longest that its format can hold.
const LONGEST_BUNDLE: usize = TILE_WIDTH as usize * (2 + u16::MAX as usize);
/// How many findings are told one by one.
const MOST_FINDINGS: usize = 1000;

/// What is to be checked.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where the log is read from.
    pub source: &'a Source,
    /// Whom the caller trusts.
    pub trust: &'a Trust,
    /// A checkpoint that the caller kept.
    pub old: Option<&'a str>,
    /// Whether the entries are read too.
    pub entries: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// The log's checkpoint, if its signature is good.
    pub now: Option<Checkpoint>,
    /// The trusted witnesses who signed it.
    pub witnesses: Vec<Cosigned>,
    /// The head that the log was proved to have grown from.
    pub grown_from: Option<Head>,
    /// How many tiles were read.
    pub tiles: u64,
    /// How many entries were read.
    pub entries: u64,
    /// What is wrong, as far as it is told one by one.
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub more_findings: u64,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
}

impl Report {
    /// What came of it all.
    pub fn verdict(&self) -> Verdict {
        if !self.findings.is_empty() {
            Verdict::Tampered
        } else if !self.unchecked.is_empty() {
            Verdict::Unchecked
        } else {
            Verdict::Good
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }

    /// Notes that something was not had. False if there is no use in asking for more.
    fn miss(&mut self, path: String, miss: &Miss) -> bool {
        match miss {
            Miss::Absent => self.find(Finding::Missing { path }),
            Miss::TooLong(_) => self.find(Finding::Length { path }),
            Miss::Withheld(_) | Miss::Unreachable(_) => {
                self.unchecked.push(format!("{path} {miss}; what comes after it was not read"));
                return false;
            }
        }
        true
    }
}

/// Checks a log.
pub async fn verify(request: &Request<'_>, progress: &mut Progress) -> Report {
    let mut report = Report::default();
    let Some(now) = checkpoint(request, &mut report).await else { return report };
    let head = now.head;
    if head.size > LARGEST_TREE {
        report.unchecked.push(Fault::TooLarge(head.size).to_string());
        return report;
    }
    report.now = Some(now.clone());
    read_tree(request, head, &mut report, progress).await;
    progress.end();
    if let Some(old) = request.old {
        grown(request, old, &now, &mut report).await;
    }
    report
}

async fn checkpoint(request: &Request<'_>, report: &mut Report) -> Option<Checkpoint> {
    let bytes = match request.source.get("checkpoint", LONGEST_NOTE).await {
        Ok(bytes) => bytes,
        Err(miss) => {
            // Most often the address is not that of a log.
            report.unchecked.push(format!("the log's checkpoint {miss}"));
            return None;
        }
    };
    let which = Which::Served;
    let text = String::from_utf8(bytes).map_err(|_| Fault::Note("it is not text"));
    let now = match text.and_then(|text| open(&text, &request.trust.logs)) {
        Ok(now) => now,
        Err(fault) => {
            report.find(Finding::Checkpoint { which, fault });
            return None;
        }
    };
    match request.trust.witnesses_of(&now.text) {
        Ok(signed) => {
            let (missing, needed) = (request.trust.missing(&signed), request.trust.needed);
            if missing > 0 {
                report.find(Finding::FewWitnesses { count: needed - missing, needed });
            }
            report.witnesses = signed;
        }
        Err(fault) => report.find(Finding::Checkpoint { which, fault }),
    }
    Some(now)
}

/// A tile that is to be read, and the root that it must have, by the tile above.
#[derive(Debug, Clone, Copy)]
struct Due {
    id: TileId,
    root: Hash,
}

async fn read_tree(request: &Request<'_>, head: Head, report: &mut Report, progress: &mut Progress) {
    let size = head.size;
    if size == 0 && head != Head::EMPTY {
        report.find(Finding::Root { size, paths: Vec::new() });
    }
    let mut entries = request.entries;
    // What is still to be read, the next one last.
    let mut due: Vec<Due> = Vec::new();
    let mut border = Tiles::default();
    let needed = Edge::needed(size);
    for &id in &needed {
        match tile(request.source, id, size).await {
            Ok(bytes) => {
                due.extend(below(id, &bytes).into_iter().rev());
                border.0.insert(id, bytes);
            }
            Err(miss) if report.miss(id.path(size), &miss) => {}
            Err(_) => return,
        }
        report.tiles += 1;
    }
    if border.0.len() == needed.len() && size > 0 && border.root(size) != Ok(head.root) {
        report.find(Finding::Root { size, paths: needed.iter().map(|id| id.path(size)).collect() });
    }
    let all: u64 = (0..6_u32).map(|level| (size >> (8 * level)).div_ceil(u64::from(TILE_WIDTH))).sum();
    while !due.is_empty() {
        let batch = due.split_off(due.len().saturating_sub(AT_ONCE));
        let fetched = join_all(batch.iter().map(|due| tile(request.source, due.id, size))).await;
        for (Due { id, root }, fetched) in batch.into_iter().zip(fetched) {
            report.tiles += 1;
            match fetched {
                Ok(bytes) if root_of(&bytes) == Some(root) => {
                    due.extend(below(id, &bytes).into_iter().rev());
                    if entries && id.level == 0 {
                        entries = read_entries(request.source, id, size, &bytes, report).await;
                    }
                }
                Ok(_) => report.find(not_fitting(id, size)),
                Err(miss) if report.miss(id.path(size), &miss) => {}
                Err(_) => return,
            }
        }
        let done = report.tiles;
        progress.show(
            Counted::Things,
            (done, all),
            || "tiles".to_owned(),
            || format!("tiles: {done} of {all}"),
        );
    }
    if entries {
        for (&id, bytes) in border.0.iter().filter(|(id, _)| id.level == 0) {
            read_entries(request.source, id, size, bytes, report).await;
        }
    }
}

/// The tile as the tree of that size asks for it. One that has become wider since is cut.
async fn tile(source: &Source, id: TileId, size: u64) -> Result<Vec<u8>, Miss> {
    let width = id.width(size);
    let bytes = source.get(&path(id.level, id.index, width), FULL_TILE).await;
    let bytes = match bytes {
        Err(Miss::Absent) if width < TILE_WIDTH => {
            let full = source.get(&path(id.level, id.index, TILE_WIDTH), FULL_TILE).await?;
            if full.len() != FULL_TILE {
                return Err(Miss::TooLong(FULL_TILE));
            }
            partial(&full, width).map(<[u8]>::to_vec).ok_or(Miss::Absent)?
        }
        other => other?,
    };
    let must = width as usize * HASH_BYTES;
    if bytes.len() == must { Ok(bytes) } else { Err(Miss::TooLong(must)) }
}

/// The tiles whose roots a tile consists of, from left to right.
fn below(id: TileId, bytes: &[u8]) -> Vec<Due> {
    let Some(level) = id.level.checked_sub(1) else { return Vec::new() };
    let first = id.index * u64::from(TILE_WIDTH);
    (first..).zip(hashes(bytes)).map(|(index, root)| Due { id: TileId { level, index }, root }).collect()
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks_exact(HASH_BYTES).filter_map(|hash| hash.try_into().ok().map(Hash)).collect()
}

/// The root over a full tile.
fn root_of(bytes: &[u8]) -> Option<Hash> {
    let mut hashes = hashes(bytes);
    while hashes.len() > 1 {
        hashes = hashes
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Some(node_hash(*left, *right)),
                _ => None,
            })
            .collect::<Option<_>>()?;
    }
    hashes.first().copied()
}

fn not_fitting(id: TileId, size: u64) -> Finding {
    let leaves = 1_u64 << (8 * u32::from(id.level) + 8);
    let above = TileId { level: id.level + 1, index: id.index / u64::from(TILE_WIDTH) };
    Finding::Tile {
        path: id.path(size),
        above: above.path(size),
        first: id.index * leaves,
        last: (id.index + 1) * leaves - 1,
    }
}

/// Compares the entries below a tile with its hashes. False if there is no use in asking for more.
async fn read_entries(source: &Source, id: TileId, size: u64, tile: &[u8], report: &mut Report) -> bool {
    let at = |width| path(0, id.index, width).replacen("tile/0/", "tile/entries/", 1);
    let width = id.width(size);
    let mut bundle = source.get_as_auditor(&at(width), LONGEST_BUNDLE).await;
    let wider = bundle == Err(Miss::Absent) && width < TILE_WIDTH;
    if wider {
        bundle = source.get_as_auditor(&at(TILE_WIDTH), LONGEST_BUNDLE).await;
    }
    let bundle = match bundle {
        Ok(bundle) => bundle,
        Err(miss) => return report.miss(at(width), &miss),
    };
    let mut rest = bundle.as_slice();
    for (number, hash) in (id.index * u64::from(TILE_WIDTH)..).zip(hashes(tile)) {
        let Some((entry, after)) = rest
            .split_first_chunk()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))))
        else {
            report.find(Finding::Bundle { path: at(width) });
            return true;
        };
        rest = after;
        report.entries += 1;
        if record_hash(entry) != hash {
            report.find(Finding::Entry { number });
        }
    }
    // A wider bundle is one that was filled since.
    if !rest.is_empty() && !wider {
        report.find(Finding::Bundle { path: at(width) });
    }
    true
}

/// Checks that the log holds all that it held at the old checkpoint.
async fn grown(request: &Request<'_>, old: &str, now: &Checkpoint, report: &mut Report) {
    let old = match open(old, &request.trust.logs) {
        Ok(old) => old,
        Err(fault @ (Fault::UnknownOrigin(_) | Fault::Unsigned | Fault::FalseSignature(_))) => {
            return report.find(Finding::Checkpoint { which: Which::Old, fault });
        }
        Err(fault) => return report.unchecked.push(format!("the old checkpoint cannot be read: {fault}")),
    };
    let (before, after) = (old.head, now.head);
    if old.origin != now.origin {
        return report.find(Finding::OtherLog { old: old.origin, new: now.origin.clone() });
    }
    if before.size > after.size {
        return report.find(Finding::Rollback { old: before.size, new: after.size });
    }
    if before.size == after.size && before.root != after.root {
        return report.find(Finding::Fork { old: before.size, new: after.size });
    }
    match prove_growth(request.source, before, after).await {
        Ok(proof) if check_consistency(&proof, before, after).is_ok() => report.grown_from = Some(before),
        Ok(_) => report.find(Finding::Fork { old: before.size, new: after.size }),
        Err(why) => report.unchecked.push(format!("how the log grew could not be checked: {why}")),
    }
}

/// The proof, made of tiles that lead to the new root: a false tile makes no fork.
async fn prove_growth(source: &Source, before: Head, after: Head) -> Result<Vec<Hash>, String> {
    let mut tiles = Tiles::default();
    for id in needed_for_consistency(before.size, after.size).map_err(|fault| fault.to_string())? {
        let bytes = tile(source, id, after.size).await;
        let bytes = bytes.map_err(|miss| match miss {
            Miss::TooLong(_) => format!("{} has the wrong length", id.path(after.size)),
            miss => format!("{} {miss}", id.path(after.size)),
        })?;
        tiles.0.insert(id, bytes);
    }
    tiles.checked(after).consistency(before.size).map_err(|fault| fault.to_string())
}
