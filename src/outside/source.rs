//! Where a log is read from: over HTTP, or from a folder that holds a copy of what it serves.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::trust;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a request that a busy server refused is made in all, and how long is waited before each but the first.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Where a log is read from.
pub struct Source(Place);

enum Place {
    Web { client: Client, prefix: String, token: Option<SecretString> },
    Folder(PathBuf),
}

/// Why something was not had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// The log says that there is no such thing.
    #[error("is not there")]
    Absent,
    /// It is longer than it can rightly be.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// The server wants to know who asks.
    #[error("is not shown without an auditor's token (HTTP {0})")]
    Withheld(u16),
    /// Anything else, which says nothing about the log.
    #[error("could not be fetched: {0}")]
    Unreachable(String),
}

impl Source {
    /// A log's prefix: a URL that begins with http:// or https://, or a folder. `token` is shown to the server where only
    /// auditors may read.
    ///
    /// The error is a sentence for whoever gave it.
    pub fn of(place: &str, token: Option<SecretString>) -> Result<Self, String> {
        if !place.contains("://") {
            let folder = PathBuf::from(place);
            return if folder.is_dir() {
                Ok(Self(Place::Folder(folder)))
            } else {
                Err(format!("{place:?} is neither a URL nor a folder"))
            };
        }
        let url = Url::parse(place).map_err(|error| format!("{place:?} is no URL: {error}"))?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("a log is read by http or https, not {other}")),
        };
        if !encrypted && token.is_some() && !is_here(&url) {
            return Err("a token is not sent over http to another machine: use https".to_owned());
        }
        let mut client = Client::builder()
            .timeout(PATIENCE)
            .redirect(Policy::limited(3))
            .user_agent(concat!("temwen/", env!("CARGO_PKG_VERSION")));
        if !encrypted {
            // A machine without root certificates can still read a log by http.
            client = client.tls_certs_only([]);
        }
        if is_here(&url) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| format!("no client can be made: {}", causes(&error)))?;
        Ok(Self(Place::Web { client, prefix: place.trim_end_matches('/').to_owned(), token }))
    }

    /// What stands at a path below the prefix, at most so many bytes of it.
    pub async fn get(&self, path: &str, limit: usize) -> Result<Vec<u8>, Miss> {
        self.fetch(path, limit, None).await
    }

    /// The same of what only auditors may read.
    pub async fn get_as_auditor(&self, path: &str, limit: usize) -> Result<Vec<u8>, Miss> {
        let token = match &self.0 {
            Place::Web { token, .. } => token.as_ref(),
            Place::Folder(_) => None,
        };
        self.fetch(path, limit, token).await
    }

    async fn fetch(&self, path: &str, limit: usize, token: Option<&SecretString>) -> Result<Vec<u8>, Miss> {
        let (client, prefix) = match &self.0 {
            Place::Web { client, prefix, .. } => (client, prefix),
            Place::Folder(folder) => {
                return trust::read(&folder.join(path), limit).map_err(|error| match error.kind() {
                    ErrorKind::NotFound => Miss::Absent,
                    ErrorKind::FileTooLarge => Miss::TooLong(limit),
                    _ => Miss::Unreachable(error.to_string()),
                });
            }
        };
        let mut tried = 1;
        loop {
            let mut request = client.get(format!("{prefix}/{path}"));
            if let Some(token) = token {
                request = request.bearer_auth(token.expose_secret());
            }
            let answer = request.send().await.map_err(unreachable)?;
            match answer.status() {
                StatusCode::OK => return body(answer, limit).await,
                StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Miss::Absent),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(Miss::Withheld(answer.status().as_u16()));
                }
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if tried < TRIES => {
                    tokio::time::sleep(PAUSE * tried).await;
                    tried += 1;
                }
                other => return Err(Miss::Unreachable(format!("HTTP {}", other.as_u16()))),
            }
        }
    }
}

async fn body(mut answer: reqwest::Response, limit: usize) -> Result<Vec<u8>, Miss> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > limit {
            return Err(Miss::TooLong(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn unreachable(error: reqwest::Error) -> Miss {
    // The caller names the path; the whole address may hold more than a message should.
    Miss::Unreachable(causes(&error.without_url()))
}

/// An error with all that led to it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    said
}

/// Whether a URL names this machine, which no proxy leads to.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Web { .. } => f.write_str("Source(web)"),
            Place::Folder(_) => f.write_str("Source(folder)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_or_a_folder() {
        for good in ["http://127.0.0.1:1/v1/log/", "http://[::1]:1", "http://log.example/v1/log", "."] {
            assert!(Source::of(good, None).is_ok(), "{good}");
        }
        for bad in ["ftp://log.example", "http://", "/nowhere/at/all", "log.example"] {
            assert!(Source::of(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_leaves_this_machine_only_encrypted() {
        let token = || Some(SecretString::from("secret"));
        assert!(Source::of("http://log.example/v1/log", token()).unwrap_err().contains("https"));
        assert!(Source::of("http://127.0.0.1:1/v1/log", token()).is_ok());
        assert!(Source::of("http://localhost:1/v1/log", token()).is_ok());
    }
}
