//! A log in a folder, as a server would serve it, with receipts; and a server that serves it. For tests.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use super::trust::Trust;
use crate::tlog::{
    self, CosignerKey, Edge, Head, LogProof, SigningKey, Tiles, needed_for_inclusion, record_hash, with_lines,
};

pub(super) const LOG: &str = "log.example/v1/log";
pub(super) const SAID: &str = "Yo pran telefòn mwen nan baryè a.\nSe te yon sòlda.";
/// Its entry is the arrival of the complaint with [`SAID`].
pub(super) const PLACE: u64 = 7;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

pub(super) fn salt(number: u64) -> [u8; 32] {
    digest(&SHA256, format!("salt {number}").as_bytes()).as_ref().try_into().unwrap()
}

pub(super) fn words(number: u64) -> String {
    if number == PLACE { SAID.to_owned() } else { format!("what was said in complaint {number}") }
}

/// The leaf of a complaint's arrival, canonical.
pub(super) fn arrival(number: u64, said: &str) -> serde_json::Value {
    let words = digest(&SHA256, &[&salt(number), said.as_bytes()].concat());
    json!({
        "action": "complaint.received",
        "actor": {"id": Uuid::nil(), "kind": "public"},
        "at": format!("2026-11-22T13:{:02}:{:02}.000007Z", number / 60 % 60, number % 60),
        "changes": [],
        "detail": {"words": hex(words.as_ref())},
        "id": Uuid::from_u128(u128::from(number) + 1),
        "object": {"id": Uuid::from_u128(u128::from(number) + 1_000_000), "kind": "complaint"},
        "salt": &hex(&salt(number))[..32],
        "v": 1,
    })
}

pub(super) fn canonical(entry: &serde_json::Value) -> String {
    serde_json_canonicalizer::to_string(entry).unwrap()
}

/// A log and all that belongs to it.
pub(super) struct Staged {
    pub(super) folder: TempDir,
    pub(super) key: SigningKey,
    pub(super) witnesses: Vec<CosignerKey>,
    pub(super) entries: Vec<String>,
    pub(super) size: u64,
}

impl Staged {
    /// A log of so many entries, in files.
    pub(super) fn new(size: u64) -> Self {
        Self::of((0..size).map(|number| canonical(&arrival(number, &words(number)))).collect())
    }

    pub(super) fn of(entries: Vec<String>) -> Self {
        let staged = Self {
            folder: tempfile::tempdir().unwrap(),
            key: SigningKey::generate(LOG).unwrap(),
            witnesses: ["one", "two", "three"].map(|name| CosignerKey::generate(name).unwrap()).into(),
            size: entries.len() as u64,
            entries,
        };
        let edge = staged.edge(staged.size);
        for (id, bytes) in edge.changed() {
            staged.write(&id.path(staged.size), &bytes);
        }
        for (index, bundle) in staged.entries.chunks(256).enumerate() {
            let bundle: Vec<u8> = bundle
                .iter()
                .flat_map(|entry| {
                    let length = u16::try_from(entry.len()).unwrap().to_be_bytes();
                    [&length, entry.as_bytes()].concat()
                })
                .collect();
            let id = tlog::TileId { level: 0, index: index as u64 };
            staged.write(&id.path(staged.size).replacen("tile/0/", "tile/entries/", 1), &bundle);
        }
        staged.write("checkpoint", staged.checkpoint(staged.size).as_bytes());
        staged
    }

    pub(super) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn place(&self) -> String {
        self.folder.path().display().to_string()
    }

    fn edge(&self, size: u64) -> Edge {
        let mut edge = Edge::default();
        for entry in self.entries.iter().take(usize::try_from(size).unwrap()) {
            edge.push(record_hash(entry.as_bytes())).unwrap();
        }
        edge
    }

    pub(super) fn head(&self, size: u64) -> Head {
        Head { size, root: self.edge(size).root().unwrap() }
    }

    /// The checkpoint of the tree of that size.
    pub(super) fn checkpoint(&self, size: u64) -> String {
        tlog::sign(LOG, self.head(size), std::slice::from_ref(&self.key)).unwrap()
    }

    /// The proof that an entry is in the tree of that size.
    pub(super) fn proof(&self, number: u64, size: u64, checkpoint: String) -> LogProof {
        let edge = self.edge(size);
        let mut tiles = Tiles::default();
        tiles.0.extend(edge.changed());
        for id in needed_for_inclusion(size, number).unwrap() {
            assert!(tiles.0.contains_key(&id));
        }
        let hashes = tiles.inclusion(size, number).unwrap();
        let carried =
            json!({"entry": self.entries[usize::try_from(number).unwrap()], "salt": hex(&salt(number))});
        LogProof { extra: Some(carried.to_string().into_bytes()), index: number, hashes, checkpoint }
    }

    /// The receipt of an entry, in its two forms: `.tlog-proof` and JSON. The first two witnesses signed it.
    pub(super) fn receipt(&self, number: u64, size: u64) -> (String, String) {
        let checkpoint = cosigned(&self.checkpoint(size), &[&self.witnesses[0], &self.witnesses[1]]);
        forms(&self.proof(number, size, checkpoint))
    }

    /// Trust in the log's key and in all witnesses, of whom so many are needed.
    pub(super) fn trust(&self, needed: usize) -> Trust {
        let witnesses = self.witnesses.iter().map(CosignerKey::verifier).collect();
        Trust { logs: vec![self.key.verifier()], witnesses, needed }
    }
}

/// A checkpoint with the cosignatures of some witnesses.
pub(super) fn cosigned(checkpoint: &str, witnesses: &[&CosignerKey]) -> String {
    let body = tlog::read(checkpoint).unwrap().body().to_owned();
    let lines: Vec<String> =
        (1_795_355_228..).zip(witnesses).map(|(at, witness)| witness.cosign(&body, at).unwrap()).collect();
    with_lines(checkpoint, &lines).unwrap()
}

/// A receipt in its two forms.
pub(super) fn forms(proof: &LogProof) -> (String, String) {
    let mut json: serde_json::Value = serde_json::from_slice(proof.extra.as_ref().unwrap()).unwrap();
    let text = proof.to_text();
    json["proof"] = text.clone().into();
    (text, json.to_string())
}

/// The extra line of a receipt, for a test that changes it.
pub(super) fn extra(carried: &serde_json::Value) -> String {
    format!("extra {}", STANDARD.encode(carried.to_string()))
}

/// Answers each request for a path, with or without a token, with a status and a body.
pub(super) type Answer = dyn Fn(&str, Option<&str>) -> (u16, Vec<u8>) + Send + Sync;

/// Serves on a port of this machine until the test ends. Gives the log's prefix.
pub(super) fn serve(answer: Arc<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let prefix = format!("http://{}/v1/log", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || one(&stream.unwrap(), &*answer));
        }
    });
    prefix
}

fn one(stream: &TcpStream, answer: &Answer) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let token = headers.iter().find_map(|line| line.strip_prefix("authorization: Bearer "));
    let path = first.split(' ').nth(1).unwrap().strip_prefix("/v1/log/").unwrap();
    let (status, body) = answer(path, token);
    let head = format!("HTTP/1.1 {status} So\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let mut stream = stream;
    // Whoever does not want to hear all of it may hang up.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}
