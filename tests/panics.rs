//! A handler that panics, in a process of its own: what is logged of a panic is decided once per process.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where it stands, and this one is about panics"
)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
use actix_web::{App, HttpResponse, web};
use serde_json::Value;
use temwen::{http, telemetry};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn stumble() -> HttpResponse {
    panic!("over SECRET");
}

#[actix_web::test]
async fn a_panic_answers_a_problem_and_is_logged_once_without_what_it_said() {
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || lines.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    telemetry::log_panics();
    let app = App::new()
        .route("/stumble", web::get().to(stumble))
        .route("/walk", web::get().to(HttpResponse::Ok))
        .wrap(from_fn(http::middleware::around));
    let app = init_service(app).await;

    for _ in 0..3 {
        log.0.lock().unwrap().clear();
        let request = TestRequest::get()
            .uri("/stumble?SECRET")
            .insert_header(("X-Request-Id", "0199c0de-0000-7000-8000-0000000000ab"))
            .to_request();
        let response = match actix_web::dev::Service::call(&app, request).await {
            Ok(response) => HttpResponse::from(response.map_into_boxed_body()),
            Err(error) => error.error_response(),
        };
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers().get("content-type").unwrap(), http::problem::MEDIA_TYPE);
        assert_eq!(response.headers().get("x-request-id").unwrap(), "0199c0de-0000-7000-8000-0000000000ab");
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&body["type"], &body["status"], &body["request_id"]),
            (&"/problems/internal".into(), &500.into(), &"0199c0de-0000-7000-8000-0000000000ab".into())
        );

        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let errors: Vec<&Value> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
        assert_eq!(errors.len(), 1, "{text}");
        assert!(errors[0]["fields"]["place"].as_str().unwrap().contains("panics.rs"), "{text}");
        assert_eq!(errors[0]["span"]["request.id"], "0199c0de-0000-7000-8000-0000000000ab");
        assert_eq!(lines.iter().filter(|line| line["fields"]["http.status"] == 500).count(), 1, "{text}");
        assert!(!text.contains("SECRET"), "{text}");
    }
    let walked = call_service(&app, TestRequest::get().uri("/walk").to_request()).await;
    assert_eq!(walked.status(), 200);
    let lost: Value =
        read_body_json(call_service(&app, TestRequest::get().uri("/lost").to_request()).await).await;
    assert_eq!(lost["type"], "/problems/not-found");
}
