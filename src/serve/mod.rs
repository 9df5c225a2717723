//! `temwen serve`: the register over HTTP, from the first check to the last transaction.
//!
//! Belongs here: the order in which things start and stop, and who listens where. Does not belong here: what is
//! answered; see [`crate::http`]. In the end clients come first: no new connections, then the last answers, then the
//! background, then the private PostgreSQL.

mod background;
mod signals;
mod started;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use rustls::ServerConfig;
use tokio::sync::Mutex as AsyncMutex;

use self::signals::Stop;
use crate::commands::opened::{Opened, Use, blocking, given};
use crate::commands::{Failed, say};
use crate::config::Serve;
use crate::db::embedded::lock_for_serving;
use crate::log::guard::Guard;
use crate::log::sequencer::Sequencer;
use crate::log::witnesses::Witnesses;
use crate::temwen::{Front, Temwen};
use crate::{demo, http, telemetry};

/// How long requests that run may take to end once the server stops.
const LAST_ANSWERS: u64 = 10;
/// How long a client may take to send the head of a request.
const REQUEST_HEAD: Duration = Duration::from_secs(15);
/// How long a connection without a request is kept: longer than the proxies in use keep theirs.
const IDLE: Duration = Duration::from_secs(75);
/// Connections of the background's own pool, so that no flood of requests holds up a clock.
const FOR_BACKGROUND: usize = 4;

/// Serves until told to stop.
pub async fn run(settings: Serve) -> Result<(), Failed> {
    let stop =
        signals::listen().map_err(|error| Failed::because("the signals to stop cannot be heard", &error))?;
    // Before anything is opened: a certificate that does not fit should be said at once.
    let tls = settings.tls_cert.as_deref().zip(settings.tls_key.as_deref());
    let tls = tls.map(|(certificate, key)| tls::read(certificate, key)).transpose()?;
    // A given database may have many servers; a data directory has one.
    let _lock = if given(&settings.database)?.is_some() {
        None
    } else {
        let data_dir = settings.database.data_dir.clone();
        Some(blocking(move || lock_for_serving(&data_dir)).await?)
    };
    let front = listen(settings.listen, "--listen, TEMWEN_LISTEN")?;
    let metrics = match settings.metrics_listen {
        Some(address) => Some(listen(address, "--metrics-listen, TEMWEN_METRICS_LISTEN")?),
        None => None,
    };
    let workers =
        settings.workers.map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from);
    let connections = usize::from(settings.database_connections);
    let purpose = Use::Serve {
        connections: workers * connections + FOR_BACKGROUND,
        front: Front {
            trusted_proxies: usize::from(settings.trusted_proxies),
            work_above: settings.work_above,
            work_bits: settings.work_bits,
        },
        witnesses: settings.witnesses.as_deref(),
    };
    let opened = Opened::open(&settings.database, purpose).await?;
    let served = if stop.is_set() {
        Ok(())
    } else {
        serve(&opened, &settings, Doors { front, tls, metrics, workers, connections }, stop).await
    };
    opened.close().await?;
    tracing::info!("stopped");
    served
}

/// Where callers come in, and how many at once get through.
struct Doors {
    front: TcpListener,
    tls: Option<ServerConfig>,
    metrics: Option<TcpListener>,
    workers: usize,
    connections: usize,
}

async fn serve(opened: &Opened, settings: &Serve, doors: Doors, mut stop: Stop) -> Result<(), Failed> {
    let backstage = opened.temwen(FOR_BACKGROUND)?;
    started::remember(&backstage, settings).await?;
    let guard = Guard::open(&settings.database.key_dir(), &backstage.keys.known_log_verifiers())
        .map_err(|error| Failed::because("what was signed last is not known", &error))?;
    let sequencer = Arc::new(AsyncMutex::new(Sequencer::new(guard)));
    let witnesses = Witnesses::new(&backstage)
        .map_err(|error| Failed::because("the log's witnesses cannot be reached from here", &error))?;
    let demo = if settings.demo { Some(demo::prepare(&backstage).await?) } else { None };

    let address = doors
        .front
        .local_addr()
        .map_err(|error| Failed::because("the listening address is unknown", &error))?;
    let counted = match doors.metrics {
        Some(listener) => Some(serve_metrics(listener)?),
        None => None,
    };
    let scheme = if doors.tls.is_some() { "https" } else { "http" };
    let front = (doors.front, doors.tls);
    let mut server = application_server(opened, &backstage, front, doors.workers, doors.connections)?;
    let handle = server.handle();
    let postgres = opened.private.as_ref().map(|private| Arc::clone(&private.postgres));
    let background = background::start(
        &backstage,
        &sequencer,
        witnesses,
        postgres,
        counted.as_ref().map(|counted| counted.numbers.clone()),
        &stop,
    );

    if let Some(demo) = &demo {
        say(&demo.accounts())?;
    }
    say(&format!("Temwen listens on {scheme}://{address}"))?;
    if let Some(counted) = &counted {
        say(&format!("Metrics are at http://{}/metrics", counted.address))?;
    }
    if let Some(demo) = &demo {
        say(&demo.tour(address))?;
    }
    tracing::info!(workers = doors.workers, connections = doors.connections, "listening");

    let ended = tokio::select! {
        () = stop.wait() => {
            tracing::info!("stopping: no new connections; requests that run may end");
            // The server does its part of the stopping only while it is polled.
            let (ended, ()) = tokio::join!(&mut server, handle.stop(true));
            ended
        }
        ended = &mut server => ended,
    };
    if let Some(counted) = counted {
        counted.handle.stop(false).await;
    }
    background.end().await;
    // The last entries get their places: whoever looks at the log now sees that the server stopped in good order.
    let last = async {
        started::remember_end(&backstage).await?;
        sequencer.lock().await.step(&backstage).await
    };
    if let Err(error) = last.await {
        tracing::warn!(error = %error, "the end is not on record");
    }
    ended.map_err(|error| Failed::because("the server ended by itself", &error))
}

fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).map_err(|error| {
        Failed::because(
            format!("cannot listen on {address}: stop what does, or choose another address ({flag})"),
            &error,
        )
    })
}

/// The server of the register. Each of its threads has a pool of its own: a connection never changes threads, which would
/// cost more than some queries do.
fn application_server(
    opened: &Opened,
    spare: &Temwen,
    (listener, tls): (TcpListener, Option<ServerConfig>),
    workers: usize,
    connections: usize,
) -> Result<Server, Failed> {
    let each = (0..workers).map(|_| opened.temwen(connections)).collect::<Result<Vec<_>, _>>()?;
    let each = Arc::new(Mutex::new(each));
    let spare = spare.clone();
    let application = move || {
        // A thread that had to be started again shares the background's pool.
        let own = each.lock().unwrap_or_else(PoisonError::into_inner).pop();
        http::application(own.unwrap_or_else(|| spare.clone()))
    };
    let server = HttpServer::new(application)
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(LAST_ANSWERS)
        .client_request_timeout(REQUEST_HEAD)
        .keep_alive(KeepAlive::Timeout(IDLE))
        .tls_handshake_timeout(REQUEST_HEAD);
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls),
        None => server.listen(listener),
    };
    let server = server.map_err(|error| Failed::because("the server could not be started", &error))?;
    Ok(server.run())
}

/// The listener of the metrics, at work.
struct Counted {
    address: SocketAddr,
    handle: ServerHandle,
    numbers: PrometheusHandle,
}

/// Counts from now on, and answers `GET /metrics` on a listener of its own.
fn serve_metrics(listener: TcpListener) -> Result<Counted, Failed> {
    let could_not = "the metrics could not be started";
    let address = listener.local_addr().map_err(|error| Failed::because(could_not, &error))?;
    let numbers = telemetry::start_metrics().map_err(|error| Failed::because(could_not, &error))?;
    let shown = numbers.clone();
    let application = move || {
        let shown = shown.clone();
        let answer = move || {
            let text = shown.render();
            async move { HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text) }
        };
        let nothing =
            async || HttpResponse::NotFound().content_type(ContentType::plaintext()).body("see /metrics\n");
        App::new().route("/metrics", web::get().to(answer)).default_service(web::to(nothing))
    };
    let server = HttpServer::new(application)
        .workers(1)
        .disable_signals()
        .client_request_timeout(REQUEST_HEAD)
        .listen(listener)
        .map_err(|error| Failed::because(could_not, &error))?
        .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(Counted { address, handle, numbers })
}
