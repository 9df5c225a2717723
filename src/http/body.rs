//! Bodies: how they come in and how large they may be. What is in them is read by [`super::json`].

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use super::extract::single;
use super::json::read_json;
use crate::error::{Error, Kind, Result};

/// The most bytes of a request's body. A text of 64 KiB may be six times as long when every character is escaped.
pub const BODY_LIMIT: usize = 512 * 1024;

/// A JSON body, with every structural fault named at once.
#[derive(Debug)]
pub struct Body<T> {
    /// The value.
    pub value: T,
    /// The bytes that it came in.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let length = single(request, &header::CONTENT_LENGTH)
            .map(|text| text.and_then(|text| text.parse::<u64>().ok()));
        let media = single(request, &header::CONTENT_TYPE);
        let mut payload = payload.take();
        Box::pin(async move {
            let is_json = media?.is_some_and(|media| {
                let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                essence == "application/json"
                    || (essence.starts_with("application/") && essence.ends_with("+json"))
            });
            if length?.is_some_and(|length| length > BODY_LIMIT as u64) {
                return Err(too_large());
            }
            if !is_json {
                return Err(Error::new(Kind::UnsupportedMedia, "the body must be application/json"));
            }
            let mut bytes = web::BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| Error::new(Kind::Malformed, "the body broke off"))?;
                if bytes.len() + chunk.len() > BODY_LIMIT {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            let bytes = bytes.freeze();
            Ok(Self { value: read_json(&bytes)?, bytes })
        })
    }
}

fn too_large() -> Error {
    Error::new(Kind::TooLarge, "the body must be at most 524288 bytes")
}
