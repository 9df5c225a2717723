//! How a witness is reached: <https://c2sp.org/tlog-witness>, in plain text.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, ContentType};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, Resource, Responder};

use super::{Refusal, Witness};
use crate::temwen::Clock;
use crate::tlog::LONGEST_NOTE;

/// The media type of a size, in answer to who starts from another one.
const SIZE: &str = "text/x.tlog.size";

/// How many threads answer: each request is short.
const WORKERS: usize = 2;
/// How long requests that run may take to end once the witness stops, in seconds.
const LAST_ANSWERS: u64 = 5;
/// How long a client may take to send the head of a request.
const REQUEST_HEAD: Duration = Duration::from_secs(15);
/// How long a connection without a request is kept: logs come back every few seconds.
const IDLE: Duration = Duration::from_secs(75);

/// Answers on `listener` until told to stop, by Ctrl-C or SIGTERM.
pub(super) fn serve(listener: TcpListener, witness: Witness) -> io::Result<Server> {
    let witness = Data::new(witness);
    let application = move || App::new().configure(addresses(witness.clone(), Clock::system()));
    let server = HttpServer::new(application)
        .workers(WORKERS)
        .shutdown_timeout(LAST_ANSWERS)
        .client_request_timeout(REQUEST_HEAD)
        .keep_alive(IDLE)
        .listen(listener)?;
    Ok(server.run())
}

/// The addresses of a witness.
pub fn addresses(witness: Data<Witness>, clock: Clock) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(witness)
            .app_data(Data::new(clock))
            .app_data(PayloadConfig::new(LONGEST_NOTE))
            .service(only(&Method::POST, web::resource("/add-checkpoint").post(add_checkpoint)))
            .service(only(&Method::GET, web::resource("/key").get(key)))
            .service(only(&Method::GET, web::resource("/evidence").get(evidence)))
            .service(only(&Method::GET, web::resource("/{origin_hash}/checkpoint").get(checkpoint)))
            .default_service(web::to(async || plain(StatusCode::NOT_FOUND, "there is nothing here\n")));
    }
}

/// The resource, which tells other methods that it has this one.
fn only(method: &Method, resource: Resource) -> Resource {
    let allowed = method.to_string();
    resource.default_service(web::to(move || {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "this address does not have that method\n");
        if let Ok(allowed) = allowed.parse() {
            answer.headers_mut().insert(ALLOW, allowed);
        }
        async { answer }
    }))
}

async fn add_checkpoint(
    body: Result<Bytes, actix_web::Error>,
    witness: Data<Witness>,
    clock: Data<Clock>,
) -> HttpResponse {
    let body = match body {
        Ok(body) => body,
        Err(error) => return unread(&error),
    };
    let now = u64::try_from(clock.now().timestamp()).unwrap_or(0);
    // It waits for the disk.
    match web::block(move || witness.add_checkpoint(&body, now)).await {
        Ok(Ok(line)) => plain(StatusCode::OK, line),
        Ok(Err(refusal)) => refused(&refusal),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side\n"),
    }
}

fn refused(refusal: &Refusal) -> HttpResponse {
    let status = match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::UnknownLog(_) => StatusCode::NOT_FOUND,
        Refusal::Untrusted(_) => StatusCode::FORBIDDEN,
        Refusal::Elsewhere(size) => {
            return HttpResponse::Conflict().content_type(SIZE).body(format!("{size}\n"));
        }
        Refusal::Inconsistent(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Unsaved(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    plain(status, format!("{refusal}\n"))
}

fn unread(error: &actix_web::Error) -> HttpResponse {
    match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is longer than 65536 bytes\n")
        }
        _ => plain(StatusCode::BAD_REQUEST, "the request could not be read\n"),
    }
}

async fn checkpoint(origin_hash: web::Path<String>, witness: Data<Witness>) -> HttpResponse {
    match witness.latest(&origin_hash) {
        Some(note) => plain(StatusCode::OK, note),
        None => plain(StatusCode::NOT_FOUND, "no checkpoint of that log has been cosigned\n"),
    }
}

async fn key(witness: Data<Witness>) -> impl Responder {
    plain(StatusCode::OK, format!("{}\n", witness.verifier()))
}

async fn evidence(witness: Data<Witness>) -> HttpResponse {
    match web::block(move || witness.evidence()).await {
        Ok(Ok(lines)) => plain(StatusCode::OK, lines),
        Ok(Err(_)) | Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the evidence cannot be read\n"),
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CACHE_CONTROL, "no-cache")).content_type(ContentType::plaintext()).body(text.into())
}
