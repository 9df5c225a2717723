//! TLS in the server itself: its certificate and its key, read once at start.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error, ServerConfig};
use zeroize::Zeroizing;

use crate::commands::Failed;

/// A chain of certificates, or a key, is much shorter.
const LONGEST: u64 = 256 * 1024;

/// What the server shows and signs with: TLS 1.3 and 1.2, with the algorithms that are thought safe today.
pub(super) fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, Failed> {
    let of_certificate =
        format!("the TLS certificate {} (--tls-cert, TEMWEN_TLS_CERT)", certificate.display());
    let of_key = format!("the TLS key {} (--tls-key, TEMWEN_TLS_KEY)", key.display());
    let chain = text(certificate, &of_certificate, 0)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|_| Failed::new(format!("{of_certificate} is not PEM")))?;
    if chain.is_empty() {
        return Err(Failed::new(format!("{of_certificate} holds no certificate in PEM")));
    }
    // Whoever reads it can pose as this server.
    let pem = text(key, &of_key, 0o077)?;
    let secret = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| Failed::new(format!("{of_key} holds no private key in PEM that is not encrypted")))?;
    let unusable = |error: &Error| match error {
        Error::InconsistentKeys(_) => Failed::new(format!("{of_key} is not the key of {of_certificate}")),
        _ => Failed::because(format!("{of_certificate} and {of_key} cannot be used"), error),
    };
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| unusable(&error))
}

/// What is in a file, unless others may do with it what `forbidden` says. The handle is asked, not the name, so the file cannot be
/// exchanged between the question and the reading.
fn text(path: &Path, what: &str, forbidden: u32) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let cannot = |error: &std::io::Error| Failed::because(format!("cannot read {what}"), error);
    let file = File::open(path).map_err(|error| cannot(&error))?;
    let metadata = file.metadata().map_err(|error| cannot(&error))?;
    if metadata.mode() & forbidden != 0 {
        return Err(Failed::new(format!(
            "{what} is open to others than its owner: run `chmod 600` on it, or replace it"
        )));
    }
    let mut text = Zeroizing::new(Vec::new());
    file.take(LONGEST).read_to_end(&mut text).map_err(|error| cannot(&error))?;
    Ok(text)
}
