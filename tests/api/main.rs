//! The whole service, over HTTP, against a real Postgres. One binary, one database per test.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(unreachable_pub, reason = "nobody depends on tests")]

mod architecture;
mod cases;
mod complaints;
mod fixtures;
mod harness;
mod import;
mod openapi;
