//! Connections to Postgres: made as the role that owns nothing, reused while they live.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::managed::{self, Metrics, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts};
use diesel_async::AsyncPgConnection;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Error, Result};

/// How long a request waits for a free connection before it is told to come back.
const WAIT: Duration = Duration::from_secs(5);
/// How many requests may wait for each connection; more are told to come back at once.
const WAITING_PER_CONNECTION: usize = 32;

/// Which Postgres.
#[derive(Clone)]
pub enum Server {
    /// A private one, by the directory of its socket.
    Private(PathBuf),
    /// A given one, by its URL.
    Given(SecretString),
}

/// How to reach a database, and as whom.
#[derive(Clone)]
pub struct Connect {
    /// Which server.
    pub server: Server,
    /// The database there; a given URL names its own.
    pub database: String,
    /// Whether to act as the owner (migrations) rather than as the server's role.
    pub as_owner: bool,
}

impl Connect {
    /// The connection's settings.
    pub fn config(&self) -> Result<tokio_postgres::Config, tokio_postgres::Error> {
        let mut config = match &self.server {
            Server::Private(socket) => {
                let mut config = tokio_postgres::Config::new();
                config.host_path(socket).port(5432).dbname(&self.database);
                config.user(if self.as_owner { "postgres" } else { "temwen_server" });
                config
            }
            Server::Given(url) => url.expose_secret().parse::<tokio_postgres::Config>()?,
        };
        config.application_name("temwen").connect_timeout(Duration::from_secs(5));
        if !self.as_owner {
            // A role given at connection time is the one that RESET ROLE returns to. Plans: planning a list under row
            // security costs more than running it, so each statement is planned once. A statement that hangs is ended. Moments in what rows look like are told in UTC, and bytes in digits.
            let role = if matches!(self.server, Server::Given(_)) { "-c role=temwen_server " } else { "" };
            config.options(format!(
                "{role}-c plan_cache_mode=force_generic_plan -c statement_timeout=30s -c lock_timeout=10s \
                 -c idle_in_transaction_session_timeout=60s -c jit=off -c timezone=UTC -c bytea_output=hex"
            ));
        }
        Ok(config)
    }

    /// Opens one connection.
    pub async fn open(&self) -> Result<AsyncPgConnection> {
        Ok(self.connect().await?.conn)
    }

    async fn connect(&self) -> Result<Live> {
        let config = self.config().map_err(Error::internal)?;
        let (client, connection) = config
            .connect(tokio_postgres::NoTls)
            .await
            .map_err(|error| Error::unavailable(2).because(error))?;
        let closed = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&closed);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a database connection ended");
            }
            ended.store(true, Ordering::Release);
        });
        let conn = AsyncPgConnection::try_from(client)
            .await
            .map_err(|error| Error::unavailable(2).because(error))?;
        Ok(Live { conn, closed })
    }
}

/// A connection, and whether its other end is gone.
pub(super) struct Live {
    pub(super) conn: AsyncPgConnection,
    closed: Arc<AtomicBool>,
}

/// Makes connections, and throws away those whose other end is gone without asking it.
pub(super) struct Connector(Connect);

impl managed::Manager for Connector {
    type Type = Live;
    type Error = Error;

    async fn create(&self) -> Result<Live, Error> {
        self.0.connect().await
    }

    async fn recycle(&self, live: &mut Live, _: &Metrics) -> RecycleResult<Error> {
        if live.closed.load(Ordering::Acquire) { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

pub(super) type Pool = managed::Pool<Connector>;
pub(super) type Conn = managed::Object<Connector>;

pub(super) fn build(connect: Connect, size: usize) -> Result<Pool> {
    Pool::builder(Connector(connect))
        .max_size(size)
        // The connection used last is the warmest.
        .queue_mode(QueueMode::Lifo)
        .runtime(deadpool::Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: None })
        .build()
        .map_err(Error::internal)
}

pub(super) async fn take(pool: &Pool) -> Result<Conn> {
    let status = pool.status();
    if status.waiting > status.max_size * WAITING_PER_CONNECTION {
        return Err(Error::unavailable(1).because("too many requests wait for the database"));
    }
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(_) => Error::unavailable(1).because("no connection became free in time"),
        other => Error::unavailable(2).because(other),
    })
}
