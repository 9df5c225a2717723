//! A number of clients, each with one connection kept alive, asking one after the other for a while.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a measurement came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    pub requests: u64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub bytes: usize,
}

/// Writes the request number `n` of a client.
pub type Write = Rc<dyn Fn(usize, u64, &mut Vec<u8>)>;

/// A request without a body.
pub fn get(out: &mut Vec<u8>, path: &str, token: &str) {
    out.extend_from_slice(
        format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n").as_bytes(),
    );
}

/// A request with a JSON body.
pub fn post(out: &mut Vec<u8>, path: &str, body: &str) {
    let length = body.len();
    out.extend_from_slice(
        format!("POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
    );
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads its whole answer: the status, and where the body begins in the buffer.
    async fn ask(&mut self, request: &[u8]) -> std::io::Result<(u16, usize)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut whole = None;
        loop {
            if whole.is_none()
                && let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let head = std::str::from_utf8(&self.buffer[..end]).unwrap();
                let length = head
                    .lines()
                    .find_map(|line| {
                        line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                    })
                    .map_or(0, |(_, value)| value.trim().parse::<usize>().unwrap());
                whole = Some((head[9..12].parse().unwrap(), end + 4, end + 4 + length));
            }
            match whole {
                Some((status, body, end)) if self.buffer.len() >= end => return Ok((status, body)),
                _ => {}
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Asks once.
pub async fn once(address: SocketAddr, request: &[u8]) -> std::io::Result<(u16, Value)> {
    let mut connection = Connection::open(address).await?;
    let (status, body) = connection.ask(request).await?;
    Ok((status, serde_json::from_slice(&connection.buffer[body..]).unwrap_or(Value::Null)))
}

/// Asks one question after the other on one connection; how many milliseconds each took.
pub async fn times(address: SocketAddr, requests: &[Vec<u8>], expected: u16) -> Vec<f64> {
    let mut connection = Connection::open(address).await.unwrap();
    let mut taken = Vec::with_capacity(requests.len());
    for request in requests {
        let sent = Instant::now();
        let (status, body) = connection.ask(request).await.unwrap();
        taken.push(sent.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&connection.buffer[body..]));
    }
    taken
}

/// Lets `clients` ask for as long as `time`; every answer must have the status `expected`.
pub async fn run(
    address: SocketAddr,
    clients: usize,
    time: Duration,
    expected: u16,
    write: &Write,
) -> Measured {
    let taken = Rc::new(RefCell::new(Vec::<u32>::with_capacity(1 << 18)));
    let begun = Instant::now();
    let until = begun + time;
    let all = (0..clients).map(|client| {
        let (taken, write) = (Rc::clone(&taken), Rc::clone(write));
        actix_web::rt::spawn(async move {
            let mut connection = Connection::open(address).await.unwrap();
            let mut request = Vec::with_capacity(4096);
            let mut bytes = 0;
            for n in 0.. {
                let sent = Instant::now();
                if sent >= until {
                    break;
                }
                request.clear();
                write(client, n, &mut request);
                let (status, body) = connection.ask(&request).await.unwrap();
                assert_eq!(status, expected, "{}", String::from_utf8_lossy(&connection.buffer[body..]));
                bytes = connection.buffer.len() - body;
                taken.borrow_mut().push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            bytes
        })
    });
    let bytes =
        futures_util::future::join_all(all).await.into_iter().map(|each| each.unwrap()).max().unwrap_or(0);
    let seconds = begun.elapsed().as_secs_f64();
    let mut taken = taken.borrow_mut();
    taken.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index below the length"
        )]
        let index = (taken.len().saturating_sub(1) as f64 * part) as usize;
        f64::from(taken.get(index).copied().unwrap_or(0)) / 1000.0
    };
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let per_second = taken.len() as f64 / seconds;
    Measured { requests: taken.len() as u64, per_second, p50_ms: at(0.5), p99_ms: at(0.99), bytes }
}
