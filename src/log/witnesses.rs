//! Outside witnesses: each new checkpoint is sent to them, and what they sign under it is kept.
//!
//! All of them are asked about the same checkpoint, the chosen one, since only cosignatures of one checkpoint count together.
//! It stays chosen until enough have signed it, though not for long; then the newest takes its place, and what came between
//! is never sent. Each witness is attended on its own: one that is down, slow or hostile is waited for by nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand;
use reqwest::{Client, Url};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::witnesses_post::{self as post, Answer, PATIENCE, Useless};
use super::{Checkpoint, store, witnesses_store};
use crate::audit::{Event, What};
use crate::db::{Caller, Tx};
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::tlog::{self, AddCheckpoint, Fault, NamedWitness, TrustPolicy, VerifierKey};

/// How long a checkpoint stays chosen at most: whoever was busy with the one before may still take all its time.
const CHOSEN: Duration = PATIENCE.saturating_mul(2);
/// How often in a row a witness may say that it holds another tree than it was taken to: nodes may race, not for ever.
const TRIES: usize = 3;
/// The first pause after a failure; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Who keeps cosignatures.
const NAME: &str = "log";

/// What keeps a policy from being used by the log that these keys sign for; empty if nothing does.
pub fn flaws(policy: &TrustPolicy, own: &[VerifierKey]) -> Vec<String> {
    let mut flaws = Vec::new();
    if !policy.logs().is_empty() && !policy.logs().iter().any(|log| own.contains(log)) {
        flaws.push("none of the logs that it names has the key that this log signs with".to_owned());
    }
    for NamedWitness { url, line, .. } in policy.witnesses() {
        if let Some(Err(flaw)) = url.as_deref().map(post::address) {
            flaws.push(format!("line {line}: {flaw}"));
        }
    }
    let reached = |key: &VerifierKey| {
        policy.witnesses().iter().any(|witness| witness.key == *key && witness.url.is_some())
    };
    if !policy.is_met(reached) {
        flaws.push("too few witnesses have an address to ever make its quorum".to_owned());
    }
    flaws
}

/// Of the sizes of cosigned trees, newest first, each with the keys that signed it, the one to show: the newest that is
/// witnessed well enough, or else the newest.
pub(super) fn preferred(policy: Option<&TrustPolicy>, cosigned: &[(u64, Vec<String>)]) -> Option<u64> {
    let enough = |(_, keys): &&(u64, Vec<String>)| {
        policy.is_some_and(|policy| policy.is_met(|key| keys.contains(&key.to_string())))
    };
    cosigned.iter().find(enough).or(cosigned.first()).map(|(size, _)| *size)
}

/// The checkpoint that is sent to all.
struct Chosen {
    checkpoint: Checkpoint,
    since: Instant,
}

impl Chosen {
    fn size(&self) -> u64 {
        self.checkpoint.head.size
    }
}

/// The witnesses of this log that can be reached.
pub struct Witnesses {
    policy: TrustPolicy,
    chosen: watch::Sender<Option<Arc<Chosen>>>,
    all: Vec<Arc<Witness>>,
}

/// One of them.
pub struct Witness {
    key: VerifierKey,
    client: Client,
    address: Url,
    chosen: watch::Receiver<Option<Arc<Chosen>>>,
    /// The size of the largest tree of which its cosignature is kept.
    kept: AtomicU64,
    /// Whether it is on record that it disagreed.
    disagreed: AtomicBool,
}

/// Why no cosignature of a witness is kept.
enum Trouble {
    /// It is on our side.
    Ours(Error),
    /// The witness gave no answer, or none of use.
    Useless(Useless),
    /// Its answer is another than it can be.
    Wrong(&'static str),
    /// It holds another log than ours: what it said that of a tree of this size.
    Disagrees(u64),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Witnesses {
    /// Those of the policy that have an address; `None` if there is nobody to reach.
    pub fn new(temwen: &Temwen) -> reqwest::Result<Option<Self>> {
        let Some(policy) = &temwen.witnesses else { return Ok(None) };
        let addressed = policy.witnesses().iter().filter_map(|witness| {
            let address = post::address(witness.url.as_deref()?).ok()?;
            Some((witness.key.clone(), address))
        });
        let addressed: Vec<(VerifierKey, Url)> = addressed.collect();
        if addressed.is_empty() {
            return Ok(None);
        }
        let client = post::client(addressed.iter().any(|(_, address)| address.scheme() == "https"))?;
        let (chosen, seen) = watch::channel(None);
        let attended = |(key, address)| {
            let (kept, disagreed) = (AtomicU64::new(0), AtomicBool::new(false));
            let witness =
                Witness { key, client: client.clone(), address, chosen: seen.clone(), kept, disagreed };
            Arc::new(witness)
        };
        Ok(Some(Self { policy: policy.clone(), chosen, all: addressed.into_iter().map(attended).collect() }))
    }

    /// Each of them, to be attended.
    pub fn all(&self) -> &[Arc<Witness>] {
        &self.all
    }

    /// Chooses the newest checkpoint, once enough witnesses have signed the one that was chosen before, or had their time.
    pub async fn choose(&self, temwen: &Temwen) -> Result<()> {
        let before = self.chosen.borrow().clone();
        let size = before.as_ref().map_or(0, |chosen| chosen.size());
        let read = async |conn: &_| {
            futures_util::try_join!(store::checkpoint(conn), witnesses_store::cosigners(conn, size))
        };
        let (newest, cosigners) = temwen.db.read(&Caller::system(NAME), read).await?;
        let Some(newest) = newest else { return Ok(()) };
        if before.is_none() {
            self.recall(temwen).await?;
        }
        for witness in &self.all {
            // Another node may have asked it.
            if cosigners.contains(&witness.key.to_string()) {
                witness.kept.fetch_max(size, Ordering::Relaxed);
            }
            let lag = newest.head.size.saturating_sub(witness.kept.load(Ordering::Relaxed));
            #[expect(clippy::cast_precision_loss, reason = "a number to look at")]
            metrics::gauge!("temwen_log_witness_lag", "witness" => witness.name()).set(lag as f64);
        }
        let stays = before.is_some_and(|before| {
            newest.note == before.checkpoint.note
                || (before.since.elapsed() < CHOSEN
                    && !self.policy.is_met(|key| cosigners.contains(&key.to_string())))
        });
        if !stays {
            let chosen = Chosen { checkpoint: newest, since: Instant::now() };
            self.chosen.send_replace(Some(Arc::new(chosen)));
        }
        Ok(())
    }

    /// Finds out where each of them was when the server stopped.
    async fn recall(&self, temwen: &Temwen) -> Result<()> {
        for witness in &self.all {
            let key = witness.key.to_string();
            let read = async |conn: &_| witnesses_store::last_cosigned(conn, &key).await;
            let last = temwen.db.read(&Caller::system(NAME), read).await?;
            witness.kept.store(last.unwrap_or(0), Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Witness {
    fn name(&self) -> String {
        self.key.name().to_owned()
    }

    /// Sends it whatever is chosen, for as long as anything may be.
    pub async fn attend(&self, temwen: &Temwen) {
        let mut chosen = self.chosen.clone();
        // The tree that it is taken to hold.
        let mut holds = None;
        let mut failures = 0_u32;
        loop {
            let wanted = |next: &Option<Arc<Chosen>>| {
                next.as_ref().is_some_and(|next| {
                    self.kept.load(Ordering::Relaxed) < next.size()
                        && holds.is_none_or(|size| size <= next.size())
                })
            };
            let next = match chosen.wait_for(wanted).await {
                Ok(next) => next.clone(),
                Err(_) => return,
            };
            let Some(next) = next else { continue };
            match self.send(temwen, &next.checkpoint, &mut holds).await {
                Ok(()) => failures = 0,
                Err(trouble) => {
                    self.tell(temwen, trouble).await;
                    failures = failures.saturating_add(1);
                    sleep(pause(failures)).await;
                }
            }
        }
    }

    /// Has the checkpoint cosigned, and keeps that. Also done when the witness is further on than this checkpoint.
    async fn send(
        &self,
        temwen: &Temwen,
        checkpoint: &Checkpoint,
        holds: &mut Option<u64>,
    ) -> Result<(), Trouble> {
        let caller = Caller::system(NAME);
        let size = checkpoint.head.size;
        let mut old = holds.unwrap_or_else(|| self.kept.load(Ordering::Relaxed));
        for _ in 0..TRIES {
            let proof = super::consistency(temwen, &caller, old, size).await?;
            let request = AddCheckpoint { old, proof, checkpoint: checkpoint.note.clone() };
            match post::ask(&self.client, &self.address, &request).await.map_err(Trouble::Useless)? {
                Answer::Lines(lines) => {
                    let line = self.verified(checkpoint, &lines)?;
                    self.keep(temwen, &caller, checkpoint, &line).await?;
                    *holds = Some(size);
                    self.kept.fetch_max(size, Ordering::Relaxed);
                    return Ok(());
                }
                Answer::Holds(told) if told == old => {
                    return Err(Trouble::Wrong("it refuses the very size that it says it holds"));
                }
                Answer::Holds(told) if told > size => {
                    // Another node may have been quicker with a newer checkpoint; nobody can with one that is not signed.
                    let newest = temwen.db.read(&caller, async |conn| store::signed_size(conn).await).await?;
                    *holds = (told <= newest).then_some(told);
                    return if told <= newest { Ok(()) } else { Err(Trouble::Disagrees(told)) };
                }
                Answer::Holds(told) => {
                    old = told;
                    *holds = Some(told);
                }
                Answer::Refuses => {
                    *holds = None;
                    return Err(Trouble::Disagrees(size));
                }
            }
        }
        Err(Trouble::Wrong("it holds another tree each time"))
    }

    /// Its own line among those that it answered with, once it is seen to be of this checkpoint.
    fn verified(&self, checkpoint: &Checkpoint, lines: &str) -> Result<String, Trouble> {
        let whole = lines.strip_suffix('\n').ok_or(Trouble::Wrong("its answer is not signature lines"))?;
        let lines: Vec<String> = whole.split('\n').map(str::to_owned).collect();
        let note = tlog::with_lines(&checkpoint.note, &lines)
            .map_err(|_| Trouble::Wrong("its answer is not signature lines"))?;
        match tlog::cosignatures(&note, std::slice::from_ref(&self.key)) {
            Ok(mut own) => match own.pop() {
                Some(own) => Ok(own.line),
                None => Err(Trouble::Wrong("no line of its answer is of its key")),
            },
            // It did sign with this key's number, but something else.
            Err(Fault::FalseSignature(_)) => Err(Trouble::Disagrees(checkpoint.head.size)),
            Err(_) => Err(Trouble::Wrong("its answer is not signature lines")),
        }
    }

    async fn keep(
        &self,
        temwen: &Temwen,
        caller: &Caller,
        checkpoint: &Checkpoint,
        line: &str,
    ) -> Result<()> {
        let (key, size) = (self.key.to_string(), checkpoint.head.size);
        let work = async |tx: &mut Tx| {
            // A database that was put back meanwhile may hold another tree of that size.
            let there = tx.ask(async |conn| store::checkpoint_of(conn, size).await).await?;
            Ok(there.filter(|there| there.note == checkpoint.note).map(|_| tx.now()))
        };
        let last = async |conn: &_, at: &_| witnesses_store::keep(conn, size, &key, line, *at).await;
        match temwen.db.write_log(caller, work, last).await? {
            Some(_) => Ok(()),
            None => Err(Error::internal("a checkpoint that was cosigned is not there any more")),
        }
    }

    /// Says why no cosignature is kept.
    async fn tell(&self, temwen: &Temwen, trouble: Trouble) {
        let failed = |why: &str, cause: Option<&(dyn std::error::Error + 'static)>| {
            metrics::counter!("temwen_log_witness_failures_total", "witness" => self.name()).increment(1);
            tracing::warn!(
                witness = self.key.name(),
                why,
                cause,
                "a witness did not cosign; it will be asked again"
            );
        };
        match trouble {
            Trouble::Ours(error) => {
                metrics::counter!("temwen_background_failures_total", "step" => "log.witness").increment(1);
                let cause: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(
                    error = cause,
                    witness = self.key.name(),
                    "a cosignature could not be asked for or kept"
                );
            }
            Trouble::Useless(useless) => failed(&useless.to_string(), std::error::Error::source(&useless)),
            Trouble::Wrong(why) => failed(why, None),
            Trouble::Disagrees(size) => {
                metrics::counter!("temwen_log_witness_disagreements_total", "witness" => self.name())
                    .increment(1);
                tracing::error!(
                    witness = self.key.name(),
                    size,
                    "a witness holds a larger or another log than this one: one of the two was put back or forked"
                );
                self.remember(temwen, size).await;
            }
        }
    }

    /// Puts it on record that it disagrees about the tree of this size, once.
    async fn remember(&self, temwen: &Temwen, size: u64) {
        if self.disagreed.load(Ordering::Relaxed) {
            return;
        }
        let event = Event::register(What::WitnessDisagreed)
            .with("witness", self.key.name())
            .with("key", format!("{:08x}", self.key.id()).as_str())
            .with("size", i64::try_from(size).unwrap_or(i64::MAX));
        match temwen.db.remember(&Caller::system(NAME), "log.remember", event).await {
            Ok(()) => self.disagreed.store(true, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "that a witness disagrees is not on record yet"),
        }
    }
}

/// How long nothing is sent after so many failures in a row: witnesses that went down together are not asked together.
fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    let mut chance = [0_u8];
    // Without randomness the pause is the longest of those that could be.
    let share = rand::fill(&mut chance).map_or(255, |()| u32::from(chance[0]));
    let longest = doubled.min(LONGEST_PAUSE);
    longest / 2 + longest / 2 * share / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_differ() {
        for (failures, longest) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (u32::MAX, 60)] {
            let longest = Duration::from_secs(longest);
            let pauses: Vec<Duration> = (0..32).map(|_| pause(failures)).collect();
            assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }

    #[test]
    fn the_newest_checkpoint_that_enough_have_signed_is_preferred() {
        let key = |name: &str| tlog::CosignerKey::generate(name).unwrap().verifier();
        let (a, b) = (key("a"), key("b"));
        let policy = TrustPolicy::parse(
            format!("witness a {a}\nwitness b {b}\ngroup both all a b\nquorum both\n").as_bytes(),
        );
        let policy = policy.ok().unwrap();
        let (a, b) = (a.to_string(), b.to_string());
        let of =
            |size, keys: &[&String]| (size, keys.iter().map(|key| (*key).clone()).collect::<Vec<String>>());
        let all = [of(9, &[&b]), of(7, &[&b, &a]), of(5, &[&a, &b])];
        assert_eq!(preferred(Some(&policy), &all), Some(7));
        assert_eq!(preferred(Some(&policy), &all[..1]), Some(9));
        assert_eq!(preferred(Some(&policy), &[]), None);
        assert_eq!(preferred(None, &all), Some(9));
    }
}
