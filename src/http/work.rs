//! Proof of work over HTTP: asked for when too many come at once, instead of turning anybody away for their address.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest, web};

use super::extract::single;
use crate::auth::credentials::work::Use;
use crate::error::{Error, Result};
use crate::temwen::Temwen;

/// The header of a proof: the challenge, a dot, and a nonce.
const NAME: HeaderName = HeaderName::from_static("x-proof-of-work");

/// Somebody who may hand in a complaint now: with a token, with a proof of work, or because not too many came before.
#[derive(Debug, Clone, Copy)]
pub struct Admitted;

impl FromRequest for Admitted {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit(request).map(|()| Self))
    }
}

fn temwen(request: &HttpRequest) -> Result<&Temwen> {
    request
        .app_data::<web::Data<Temwen>>()
        .map(|data| &***data)
        .ok_or_else(|| Error::internal("no application state"))
}

fn admit(request: &HttpRequest) -> Result<()> {
    // Whether the token is good is for whoever reads it; an officer is asked for no work.
    if request.headers().contains_key(header::AUTHORIZATION) {
        return Ok(());
    }
    let temwen = temwen(request)?;
    let proof = Proof::of(request, temwen, Use::Submit)?;
    if proof.is_good() {
        return Ok(());
    }
    match temwen.flood.admit(temwen.clock.now()) {
        Ok(()) => Ok(()),
        Err(seconds) => Err(proof.ask(temwen, Use::Submit, seconds)),
    }
}

/// The proof of work that came with a request, judged.
#[derive(Debug, Clone)]
pub struct Proof(Option<std::result::Result<(), String>>);

impl Proof {
    /// The proof that came with `request` for this use. A good one is used up by that.
    pub fn of(request: &HttpRequest, temwen: &Temwen, to: Use) -> Result<Self> {
        let given = single(request, &NAME)?;
        let now = temwen.clock.now();
        let judged = given
            .map(|proof| temwen.flood.prove(&temwen.keys, to, &proof, now).map_err(|why| why.to_string()));
        let outcome = match &judged {
            None => return Ok(Self(None)),
            Some(Ok(())) => "good",
            Some(Err(_)) => "bad",
        };
        metrics::counter!("temwen_work_proofs_total", "outcome" => outcome).increment(1);
        Ok(Self(judged))
    }

    /// Whether there was one, and it was good.
    pub fn is_good(&self) -> bool {
        matches!(self.0, Some(Ok(())))
    }

    /// Asks for a proof; without one there may be room after `seconds`.
    pub fn ask(&self, temwen: &Temwen, to: Use, seconds: u32) -> Error {
        metrics::counter!("temwen_work_asked_total").increment(1);
        let why = match &self.0 {
            Some(Err(why)) => why.as_str(),
            _ => "many come at this moment; do the work and come in at once, or wait and come again",
        };
        match temwen.flood.ask(&temwen.keys, to, seconds, temwen.clock.now()) {
            Ok(asked) => Error::work_required(why, asked),
            Err(error) => Error::internal(error),
        }
    }
}
