//! JSON bodies: read whole, and every structural fault named at once.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use super::extract::single;
use crate::error::{Error, Kind, Result};
use crate::values::Faults;

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

/// How many structural faults are looked for in one body.
const MOST_FAULTS: usize = 32;

/// Reads JSON; a value that is not of the wanted shape is refused with all its faults.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Error::new(Kind::Malformed, "the body is not UTF-8"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let first = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(value) => match deserializer.end() {
            Ok(()) => return Ok(value),
            Err(_) => return Err(Error::new(Kind::Malformed, "something follows the JSON value")),
        },
        Err(error) => error,
    };
    // Where it is not JSON at all, the position says more than a pointer would.
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        let inner = first.inner();
        let what = if bytes.iter().all(u8::is_ascii_whitespace) {
            "the body is empty"
        } else {
            "the body is not JSON"
        };
        return Err(Error::new(
            Kind::Malformed,
            format!("{what} (line {}, column {})", inner.line(), inner.column()),
        ));
    };
    let mut faults = Faults::default();
    let mut error = first;
    for _ in 0..MOST_FAULTS {
        let (pointer, detail, mended) = mend(&mut value, &error);
        faults.add(pointer, detail);
        if !mended {
            break;
        }
        match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(_) => break,
            Err(next) => error = next,
        }
    }
    faults.check().and(Err(Error::new(Kind::Invalid, "the request has faults")))
}

/// Names one structural fault, and takes what is at fault out of `value`, so that the next can be found.
fn mend(
    value: &mut serde_json::Value,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> (String, String, bool) {
    use serde_path_to_error::Segment;
    let mut segments: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect();
    let text = error.inner().to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let pointer = |segments: &[String]| {
        segments
            .iter()
            .fold(String::new(), |all, each| all + "/" + &each.replace('~', "~0").replace('/', "~1"))
    };
    let named =
        |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.split('`').nth(1)).map(str::to_owned);
    if let Some(field) = named("missing field") {
        segments.push(field);
        return (pointer(&segments), "must be given".to_owned(), false);
    }
    if let Some(field) = named("duplicate field") {
        segments.push(field);
        return (pointer(&segments), "stands more than once".to_owned(), false);
    }
    if let Some(field) = named("unknown field") {
        // The path of an unknown field may or may not end in it already.
        if segments.last() != Some(&field) {
            segments.push(field);
        }
        let at = pointer(&segments);
        let last = segments.pop().unwrap_or_default();
        let gone = value
            .pointer_mut(&pointer(&segments))
            .and_then(|parent| parent.as_object_mut()?.remove(&last))
            .is_some();
        return (at, "is not a field of this request".to_owned(), gone);
    }
    let at = pointer(&segments);
    let mended =
        !segments.is_empty() && value.pointer_mut(&at).is_some_and(|place| !std::mem::take(place).is_null());
    (at, wording(text), mended)
}

/// serde's sentence, without the value that was sent: it may be somebody's name.
fn wording(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("unknown variant") {
        let known = rest.split_once("expected").map_or("", |(_, known)| known).replace('`', "");
        return format!("must be one of:{}", known.trim_start_matches(" one of"));
    }
    if let Some((_, expected)) = text.split_once(", expected ") {
        return format!("must be {expected}");
    }
    if text.contains("out of range") || text.contains("recursion") {
        return "is out of range".to_owned();
    }
    "is not a value that this field takes".to_owned()
}
