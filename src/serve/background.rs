//! What happens by itself while the server runs: one step each, again and again, until it stops.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;

use super::signals::Stop;
use crate::audit::{Event, What};
use crate::cases::{self, people};
use crate::commands::opened::blocking;
use crate::complaints;
use crate::complaints::persons;
use crate::db::embedded::PrivatePostgres;
use crate::db::{Caller, Tx, first_answers, master_keys};
use crate::deadlines;
use crate::error::{Error, Kind, Result};
use crate::evidence::upkeep;
use crate::log::sequencer::Sequencer;
use crate::log::verify;
use crate::log::witnesses::Witnesses;
use crate::personnel;
use crate::temwen::Temwen;
use crate::words::Later;

/// A checkpoint is at most a second behind: half of that is for writing and signing it.
const OFTEN: Duration = Duration::from_millis(250);
const EVERY_SECOND: Duration = Duration::from_secs(1);
const EVERY_TWO_SECONDS: Duration = Duration::from_secs(2);
const EVERY_FIVE_SECONDS: Duration = Duration::from_secs(5);
const EVERY_MINUTE: Duration = Duration::from_mins(1);
const EVERY_HOUR: Duration = Duration::from_hours(1);
/// How long the steps may take to end once the server has stopped; what they were doing is then undone.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// All of it, at work.
pub(super) struct Background(Vec<JoinHandle<()>>);

/// Begins.
pub(super) fn start(
    temwen: &Temwen,
    sequencer: &Arc<Mutex<Sequencer>>,
    witnesses: Option<Witnesses>,
    postgres: Option<Arc<PrivatePostgres>>,
    numbers: Option<PrometheusHandle>,
    stop: &Stop,
) -> Background {
    let mut all = Vec::new();
    if let Some(postgres) = postgres {
        all.push(again("postgres.watch", EVERY_SECOND, stop, move || {
            let postgres = Arc::clone(&postgres);
            blocking(move || postgres.ensure_running())
        }));
    }
    let of = (temwen.clone(), Arc::clone(sequencer));
    all.push(again("log.sequence", OFTEN, stop, move || {
        let (temwen, sequencer) = of.clone();
        async move { sequencer.lock().await.step(&temwen).await }
    }));
    if let Some(witnesses) = witnesses {
        // Each on its own: one that is slow, or down, is waited for by nobody.
        for witness in witnesses.all() {
            let (witness, temwen) = (Arc::clone(witness), temwen.clone());
            all.push(until_stop(stop, async move { witness.attend(&temwen).await }));
        }
        let of = (temwen.clone(), Arc::new(witnesses));
        all.push(again("log.witnesses", OFTEN, stop, move || {
            let (temwen, witnesses) = of.clone();
            async move { witnesses.choose(&temwen).await }
        }));
    }
    let of = (temwen.clone(), Arc::new(Mutex::new(verify::Progress::default())));
    all.push(again("log.verify", EVERY_SECOND, stop, move || {
        let (temwen, progress) = of.clone();
        async move { verify::step(&temwen, &mut *progress.lock().await).await }
    }));
    let of = temwen.clone();
    all.push(again("deadlines.escalate", EVERY_FIVE_SECONDS, stop, move || {
        let temwen = of.clone();
        async move { deadlines::escalate(&temwen).await }
    }));
    let of = temwen.clone();
    all.push(again("cases.return_to_desk", EVERY_MINUTE, stop, move || {
        let temwen = of.clone();
        async move { people::return_to_desks(&temwen).await }
    }));
    let of = temwen.clone();
    all.push(again("vault.follow_keyring", EVERY_TWO_SECONDS, stop, move || {
        let temwen = of.clone();
        async move { master_keys::follow_keyring(&temwen.db).await }
    }));
    let of = temwen.clone();
    all.push(again("personnel.follow_up", EVERY_MINUTE, stop, move || {
        let temwen = of.clone();
        async move { personnel::follow_up(&temwen).await }
    }));
    let of = temwen.clone();
    all.push(until_stop(stop, async move { take_over_persons(&of).await }));
    let of = temwen.clone();
    all.push(again("evidence.upkeep", EVERY_MINUTE, stop, move || {
        let temwen = of.clone();
        async move { upkeep::step(&temwen).await }
    }));
    let of = temwen.clone();
    all.push(again("first_answers.forget", EVERY_HOUR, stop, move || {
        let temwen = of.clone();
        async move { forget(&temwen).await }
    }));
    let of = (temwen.clone(), Arc::new(Mutex::new(<[Later; 2]>::default())));
    all.push(again("words.index", EVERY_MINUTE, stop, move || {
        let (temwen, places) = of.clone();
        async move {
            let [complaints, cases] = &mut *places.lock().await;
            complaints::indexing::index(&temwen, complaints).await?;
            cases::indexing::index(&temwen, cases).await
        }
    }));
    if let Some(numbers) = numbers {
        all.push(again("metrics.upkeep", EVERY_FIVE_SECONDS, stop, move || {
            numbers.run_upkeep();
            std::future::ready(Ok::<_, Error>(()))
        }));
    }
    Background(all)
}

impl Background {
    /// Waits until every step has ended, though not for ever.
    pub(super) async fn end(self) {
        for mut task in self.0 {
            if timeout(LAST_STEPS, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

/// Does `work` until the server stops: then at once no more.
fn until_stop(stop: &Stop, work: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    let mut stop = stop.clone();
    actix_web::rt::spawn(async move {
        tokio::select! {
            () = stop.wait() => {}
            () = work => {}
        }
    })
}

/// Takes the step `name` again and again, with a `pause` after each. One that fails is taken again like the others.
fn again<F, T, E>(
    name: &'static str,
    pause: Duration,
    stop: &Stop,
    take: impl Fn() -> F + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = std::result::Result<T, E>>,
    E: StdError + 'static,
{
    let mut stop = stop.clone();
    actix_web::rt::spawn(async move {
        while !stop.is_set() {
            let span = tracing::info_span!("background", step = name);
            if let Err(error) = take().instrument(span.clone()).await {
                metrics::counter!("temwen_background_failures_total", "step" => name).increment(1);
                let error: &(dyn StdError + 'static) = &error;
                span.in_scope(|| tracing::warn!(error, "a step failed; it will be taken again"));
            }
            tokio::select! {
                () = stop.wait() => {}
                () = sleep(pause) => {}
            }
        }
    })
}

/// Takes over the persons of complaints of before they had a table of their own, until none is left.
async fn take_over_persons(temwen: &Temwen) {
    loop {
        match persons::take_over(temwen).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                let error: &(dyn StdError + 'static) = &error;
                tracing::warn!(error, "persons were not taken over; it will be tried again");
                sleep(EVERY_MINUTE).await;
            }
        }
    }
}

/// Forgets first answers past their day; how many.
async fn forget(temwen: &Temwen) -> Result<usize> {
    let forget = async |tx: &mut Tx| match first_answers::forget(tx).await? {
        // Nothing happened, so nothing is to be recorded: undone, rather than committed.
        0 => Err(Error::new(Kind::NotFound, "there is nothing to forget")),
        forgotten => {
            tx.record(
                Event::register(What::KeysForgotten)
                    .with("count", i64::try_from(forgotten).unwrap_or(i64::MAX)),
            );
            Ok(forgotten)
        }
    };
    match temwen.db.write(&Caller::system("first_answers"), "first_answers.forget", forget).await {
        Err(error) if error.kind() == Kind::NotFound => Ok(0),
        done => done,
    }
}
