//! The formats of the transparency log, alone.

#[path = "../../src/tlog/mod.rs"]
pub mod tlog;

/// A log's public key, whose signature the inputs may carry; the example of <https://c2sp.org/signed-note>.
pub const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
