//! The whole service, over HTTP, against a real Postgres. One binary, one database per test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]
#![expect(missing_docs, unreachable_pub, reason = "nobody depends on tests")]

mod complaints;
mod fixtures;
mod harness;
mod import;
