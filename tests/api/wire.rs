//! The server on a real socket: what only bytes on a wire can show.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use temwen::http;

use crate::fixtures::complaint;
use crate::harness::{Made, TestApp};

/// A server in threads of its own, with a pool of its own.
struct Wire {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Wire {
    fn serve(app: &TestApp) -> Self {
        let temwen = app.again(4);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = HttpServer::new(move || http::application(temwen.clone()))
            .workers(1)
            .disable_signals()
            .shutdown_timeout(1)
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { address, handle }
    }

    /// Talks to the server on a thread where waiting holds up nobody.
    async fn talk<T: Send + 'static>(&self, talk: impl FnOnce(TcpStream) -> T + Send + 'static) -> T {
        let address = self.address;
        let talk = move || {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
            talk(stream)
        };
        tokio::task::spawn_blocking(talk).await.unwrap()
    }

    /// Sends these bytes, as far as the server takes them, and reads all that it answers.
    async fn say(&self, bytes: Vec<u8>) -> String {
        self.talk(move |mut stream| {
            let mut sending = stream.try_clone().unwrap();
            // A server that has heard enough does not read the rest.
            let sender = std::thread::spawn(move || sending.write_all(&bytes));
            let mut answer = Vec::new();
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut part) {
                answer.extend_from_slice(&part[..length]);
                if String::from_utf8_lossy(&answer).contains("\"request_id\"") {
                    break;
                }
            }
            drop(stream);
            let _ = sender.join().unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        })
        .await
    }
}

fn head(more: &str) -> String {
    format!("POST /v1/complaints HTTP/1.1\r\nHost: temwen\r\nContent-Type: application/json\r\n{more}\r\n")
}

fn is_problem(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:?}");
    assert!(answer.contains("application/problem+json") && answer.contains("\"request_id\""), "{answer:?}");
}

#[actix_web::test]
async fn ten_megabytes_are_refused_on_the_wire_announced_or_in_chunks() {
    let app = TestApp::start().await;
    let wire = Wire::serve(&app);
    let body = "a".repeat(10 << 20);
    let announced = head(&format!("Content-Length: {}\r\n", body.len())) + &body;
    is_problem(&wire.say(announced.into_bytes()).await, 413);
    let mut chunked = head("Transfer-Encoding: chunked\r\n");
    for part in body.as_bytes().chunks(64 << 10) {
        write!(chunked, "{:x}\r\n{}\r\n", part.len(), std::str::from_utf8(part).unwrap()).unwrap();
    }
    chunked += "0\r\n\r\n";
    is_problem(&wire.say(chunked.into_bytes()).await, 413);
    // Announced and never sent: refused at once, not waited for.
    is_problem(&wire.say(head("Content-Length: 10737418240\r\n").into_bytes()).await, 413);
    wire.handle.stop(false).await;
}

#[actix_web::test]
async fn a_client_that_hangs_up_in_mid_request_disturbs_nobody() {
    let app = TestApp::start_with(Made { connections: 2, ..Made::default() }).await;
    let wire = Wire::serve(&app);
    let body = complaint().to_string();
    let whole = head(&format!("Content-Length: {}\r\n", body.len())) + &body;
    // Some leave before the end of the head, some before the end of the body, some before the answer.
    let mut sent = 0_i64;
    for cut in (1..whole.len()).step_by(whole.len() / 20).chain([whole.len(); 20]) {
        sent += i64::from(cut == whole.len());
        let part = whole.as_bytes()[..cut].to_vec();
        wire.talk(move |mut stream| stream.write_all(&part).unwrap()).await;
    }
    let closing = head(&format!("Connection: close\r\nContent-Length: {}\r\n", body.len())) + &body;
    let answer = wire
        .talk(move |mut stream| {
            stream.write_all(closing.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
        .await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let open = "select from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()";
    for _ in 0..1000 {
        if app.count(open).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(app.count(open).await, 0);
    // Whatever was stored is stored whole: a complaint, its words and its entry.
    let stored = app.count("select from complaints").await;
    assert!((1..=sent + 1).contains(&stored), "{stored}");
    assert_eq!(app.count("select from submissions").await, stored);
    assert_eq!(app.count("select from audit_entries where action = 'complaint.received'").await, stored);
    wire.handle.stop(false).await;
}

#[actix_web::test]
async fn what_is_not_http_is_answered_and_the_server_goes_on() {
    let app = TestApp::start().await;
    let wire = Wire::serve(&app);
    for bytes in [
        &b"SECRET\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/complaints HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/complaints HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let bytes = bytes.to_vec();
        let answer = wire
            .talk(move |mut stream| {
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer);
                String::from_utf8_lossy(&answer).into_owned()
            })
            .await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("SECRET"), "{answer}");
    }
    let large = format!("GET /health HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "a".repeat(1 << 20));
    let answer = wire.say(large.into_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let answer = wire
        .talk(|mut stream| {
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    wire.handle.stop(false).await;
}
