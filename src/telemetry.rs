//! What is said about a running program: log lines to standard error, and metrics.
//!
//! Belongs here: where both go, in which form, and what libraries may say. What a line or a metric holds is decided where
//! it is made; it is never a name, a text, an address, a code or an IP.

use std::io::{self, IsTerminal as _};
use std::panic;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// Libraries that pass on what people entrust to us: at finer levels they write statements with their parameters, or
/// requests with their headers. No setting lets them say more than warnings.
const DISCREET: [&str; 14] = [
    "actix_http",
    "actix_server",
    "actix_tls",
    "actix_web",
    "deadpool",
    "diesel",
    "diesel_async",
    "hyper",
    "hyper_util",
    "mio",
    "reqwest",
    "rustls",
    "tokio_postgres",
    "utoipa_swagger_ui",
];
/// Upper bounds of the buckets of every histogram, in seconds: from a query in memory to a request that waits for a
/// connection.
const BUCKETS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Starts the log, with `filter` as `tracing-subscriber` reads it. To be called once.
pub fn start_log(filter: &str, format: Option<LogFormat>) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let discreet = Targets::new().with_default(Level::TRACE);
    let discreet =
        DISCREET.iter().fold(discreet, |targets, library| targets.with_target(*library, Level::WARN));
    let on_terminal = io::stderr().is_terminal();
    let json = format.map_or(!on_terminal, |format| format == LogFormat::Json);
    let registry = tracing_subscriber::registry().with(filter).with(discreet);
    // A second start, in a test say, leaves the first as it is.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let _ = if json {
        registry
            .with(lines.json().flatten_event(true).with_current_span(true).with_span_list(false))
            .try_init()
    } else {
        registry.with(lines.with_ansi(on_terminal)).try_init()
    };
    Ok(())
}

/// From now on a panic is logged once, by where it happened. What it says is left out: it may quote a value.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name().unwrap_or("unnamed"), "panicked");
    }));
}

/// Starts counting and timing; the handle writes it all out, and wants [`PrometheusHandle::run_upkeep`] every few seconds.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    metrics::describe_counter!("temwen_requests_total", "Requests answered, by method, route and status.");
    metrics::describe_histogram!("temwen_request_seconds", "How long requests took, by route.");
    metrics::describe_counter!("temwen_writes_total", "Transactions that write, by operation and outcome.");
    metrics::describe_histogram!("temwen_write_seconds", "How long those took, by operation.");
    metrics::describe_counter!(
        "temwen_deadlines_missed_total",
        "Rungs climbed by missed deadlines, by what was due."
    );
    metrics::describe_counter!("temwen_work_asked_total", "Requests that were asked for a proof of work.");
    metrics::describe_counter!("temwen_work_proofs_total", "Proofs of work that came, by outcome.");
    metrics::describe_counter!(
        "temwen_background_failures_total",
        "Steps of the background that failed, by step."
    );
    metrics::describe_counter!(
        "temwen_log_witness_failures_total",
        "Answers of a witness that were none or no use, by witness."
    );
    metrics::describe_counter!(
        "temwen_log_witness_disagreements_total",
        "Answers of a witness that holds another log than this one, by witness."
    );
    metrics::describe_gauge!(
        "temwen_log_witness_lag",
        "Entries under the newest checkpoint that a witness has not cosigned, by witness."
    );
    Ok(handle)
}
