//! How a witness is spoken to: one request of <https://c2sp.org/tlog-witness>, and what may come back.
//!
//! Whoever answers may be down, slow or hostile: it gets five seconds and 64 KiB, and is followed nowhere.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use tokio::sync::oneshot;

use crate::tlog::{AddCheckpoint, held_size};

/// How long a witness may take, from the first byte to the last.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many bytes of an answer are read.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How long a connection is kept: a register that is quiet sends a checkpoint now and then.
const IDLE: Duration = Duration::from_mins(1);

/// What a witness answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// Signature lines, of which nothing is verified.
    Lines(String),
    /// It last cosigned a tree of this size, another than was said.
    Holds(u64),
    /// To it, the checkpoint does not continue what it last cosigned.
    Refuses,
}

/// Why there is no answer, or none of use. It names no address: that may hold a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum Useless {
    /// Nothing came, or it broke off.
    #[error("it cannot be reached, or broke off")]
    Nothing(#[source] reqwest::Error),
    /// It took too long.
    #[error("it did not answer in time")]
    Late,
    /// It has no cosignature for this log.
    #[error("it answered with status {0}")]
    Status(u16),
    /// More than anybody needs.
    #[error("its answer is longer than 64 KiB")]
    Long,
    /// Not what the protocol has.
    #[error("its answer is not one of the protocol")]
    Garbage,
}

/// Who speaks to witnesses. It takes no proxy from the environment and follows nobody elsewhere.
pub(super) fn client(encrypted: bool) -> reqwest::Result<Client> {
    let client = Client::builder()
        .user_agent(concat!("temwen/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .pool_idle_timeout(IDLE)
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(OwnThread));
    // Without https, a machine without certificates will do.
    if encrypted { client.build() } else { client.tls_certs_only([]).build() }
}

/// The address that takes checkpoints below a witness's submission prefix, or what is wrong with that.
pub(super) fn address(prefix: &[u8]) -> Result<Url, &'static str> {
    let not_one = "its address is not a URL";
    let mut url = std::str::from_utf8(prefix).ok().and_then(|url| Url::parse(url).ok()).ok_or(not_one)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("its address does not begin with https:// or http:// and a host");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("its address has a query or a fragment, to which nothing can be added");
    }
    url.path_segments_mut().map_err(|()| not_one)?.pop_if_empty().push("add-checkpoint");
    Ok(url)
}

/// Asks the witness at that address to cosign.
pub(super) async fn ask(client: &Client, address: &Url, request: &AddCheckpoint) -> Result<Answer, Useless> {
    let exchange = async {
        let sent = client.post(address.clone()).body(request.to_text()).send().await;
        let mut response = sent.map_err(useless)?;
        let status = response.status();
        if !matches!(status, StatusCode::OK | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) {
            return Err(Useless::Status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(useless)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Useless::Long);
            }
            body.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::CONFLICT => held_size(&body).map(Answer::Holds).map_err(|_| Useless::Garbage),
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Refuses),
            _ => String::from_utf8(body).map(Answer::Lines).map_err(|_| Useless::Garbage),
        }
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(Useless::Late))
}

fn useless(error: reqwest::Error) -> Useless {
    if error.is_timeout() { Useless::Late } else { Useless::Nothing(error.without_url()) }
}

/// Looks names up on a thread of its own, which nobody waits for when the program ends.
struct OwnThread;

impl Resolve for OwnThread {
    fn resolve(&self, name: Name) -> Resolving {
        let (answer, answered) = oneshot::channel();
        let host = name.as_str().to_owned();
        let started = thread::Builder::new().name("names".to_owned()).spawn(move || {
            let found = (host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
            // Whoever asked may have gone.
            let _ = answer.send(found);
        });
        Box::pin(async move {
            started?;
            let found: Addrs = Box::new(answered.await??.into_iter());
            Ok(found)
        })
    }
}
