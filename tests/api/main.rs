//! The whole service, over HTTP, against a real Postgres. One binary, one database per test.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(unreachable_pub, reason = "nobody depends on tests")]

mod architecture;
mod bad_input;
mod bodies;
mod break_glass;
mod cases;
mod cast;
mod catalogue;
mod channel;
mod complaints;
mod concurrency;
mod conflicts;
mod consent;
mod erasure;
mod evidence;
mod evidence_bad;
mod evidence_kept;
mod files;
mod fixtures;
mod harness;
mod idempotency;
mod import;
mod log;
mod log_kills;
mod log_laundering;
mod log_tamper;
mod log_tamper_ways;
mod log_verify;
mod log_witnesses;
mod matching;
mod openapi;
mod outages;
mod ownership;
mod parties;
mod permissions;
mod problems;
mod record;
mod redaction;
mod retention;
mod schema;
mod search;
mod sign_in;
mod tokens;
mod users;
mod vault;
mod wall;
mod wall_stage;
mod wire;
mod witness_stand;
