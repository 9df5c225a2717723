//! Files: how fast one comes in and goes out again, beside a plain copy on the same disk that makes the same hash.
//!
//! One client over loopback, one file in one request. The copy reads a file, makes its SHA-256, writes it and waits until the
//! disk has it: what somebody would do without a register. Rounds of the two alternate.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::time::Instant;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Settings;
use crate::ground::{Ground, Running};

const MIB: usize = 1024 * 1024;

/// Sends a request whose body may be long, and reads its whole answer: its head, and how long its body is.
async fn ask(server: &Running, head: &str, body: &[u8]) -> (String, usize, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let length =
        if head.starts_with("GET") { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{head}host: bench\r\nconnection: close\r\n{length}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let (mut start, mut buffer, mut total) = (Vec::new(), vec![0; MIB], 0);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => {
                total += read;
                if start.len() < 64 * 1024 {
                    start.extend_from_slice(&buffer[..read]);
                }
            }
        }
    }
    let end = start.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer") + 4;
    let body = start.split_off(end);
    (String::from_utf8(start).unwrap(), total - end, body)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(each, _)| each.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// A case to give files to.
async fn case(server: &Running, token: &str) -> String {
    let post = |path: &str, more: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n{more}"
        )
    };
    let complaint = json!({"channel": "web_form", "language": "en", "narrative": "A patrol was rude.",
        "reported_category": "minor_misconduct"});
    let (head, _, body) = ask(server, &post("/v1/complaints", ""), complaint.to_string().as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let receipt: Value = serde_json::from_slice(&body).unwrap();
    let path = format!("/v1/complaints/{}/assessment", receipt["id"].as_str().unwrap());
    let decision = json!({"decision": "open_case", "category": "minor_misconduct", "priority": "routine", "reason": "It can be."});
    let request = post(&path, "if-match: \"1\"\r\n");
    let (head, _, body) = ask(server, &request, decision.to_string().as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let case: Value = serde_json::from_slice(&body).unwrap();
    case["id"].as_str().unwrap().to_owned()
}

/// Copies a file and makes its hash; the seconds it took.
fn copy(from: &std::path::Path, to: &std::path::Path) -> f64 {
    let begun = Instant::now();
    let (mut source, mut target) = (File::open(from).unwrap(), File::create(to).unwrap());
    let (mut context, mut buffer) = (Context::new(&SHA256), vec![0; MIB]);
    loop {
        match source.read(&mut buffer).unwrap() {
            0 => break,
            read => {
                context.update(&buffer[..read]);
                target.write_all(&buffer[..read]).unwrap();
            }
        }
    }
    target.sync_all().unwrap();
    assert_eq!(context.finish().as_ref().len(), 32);
    begun.elapsed().as_secs_f64()
}

/// Measures files of one size; prints and returns megabytes per second and their ratios.
pub async fn measure(settings: &Settings, ground: &Ground, server: &Running) -> Value {
    let size = if settings.quick { 64 * MIB } else { 512 * MIB };
    let rounds = if settings.quick { 3 } else { 5 };
    let token = server.token("triage_officer").await;
    let at = format!("/v1/cases/{}/evidence", case(server, &token).await);
    // Bytes that no disk makes smaller.
    let mut bytes = vec![0; size];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    let (from, to) = (ground.folder.join("a-file"), ground.folder.join("its-copy"));
    std::fs::write(&from, &bytes).unwrap();
    let signed = |method: &str, path: &str, more: &str| {
        format!("{method} {path} HTTP/1.1\r\nauthorization: Bearer {token}\r\ntus-resumable: 1.0.0\r\n{more}")
    };
    let (mut up, mut down, mut copied) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let begin = signed("POST", &format!("{at}/uploads"), &format!("upload-length: {size}\r\n"));
        let (head, ..) = ask(server, &begin, b"").await;
        let upload = header(&head, "location").to_owned();
        let media = "upload-offset: 0\r\ncontent-type: application/offset+octet-stream\r\n";
        let begun = Instant::now();
        let (head, ..) = ask(server, &signed("PATCH", &upload, media), &bytes).await;
        assert!(head.starts_with("HTTP/1.1 204"), "{head}");
        let came = begun.elapsed().as_secs_f64();
        let path = upload.replace("/uploads", "") + "/content";
        let begun = Instant::now();
        let (head, length, _) = ask(server, &signed("GET", &path, ""), b"").await;
        assert!(head.starts_with("HTTP/1.1 200") && length == size, "{head} {length}");
        let went = begun.elapsed().as_secs_f64();
        let plain = copy(&from, &to);
        // The first round warms everything up.
        if round > 0 {
            up.push(came);
            down.push(went);
            copied.push(plain);
        }
    }
    let per_second = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "a size of some hundred megabytes")]
        let megabytes = size as f64 / 1e6;
        megabytes / times[times.len() / 2]
    };
    let (up, down, copied) = (per_second(up), per_second(down), per_second(copied));
    println!(
        "\na file of {} MiB: upload {up:.0} MB/s, download {down:.0} MB/s; copied with its SHA-256 {copied:.0} MB/s \
         (upload {:.2} of it, download {:.2})",
        size / MIB,
        up / copied,
        down / copied
    );
    json!({ "bytes": size, "upload_mb_s": up, "download_mb_s": down, "copy_mb_s": copied,
        "upload_ratio": up / copied, "download_ratio": down / copied })
}
