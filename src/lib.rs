//! Temwen (Haitian Creole: *witness*): the register of misconduct complaints and cases of an international security mission.
//!
//! A request comes in through [`http`], is checked against the one page of [`auth::policy`], runs as one operation of a
//! feature (`users`, `complaints`, `cases`, …) inside one transaction of [`db`], which commits nothing that [`audit`] does
//! not remember. The promises P1 to P8 of `README.md` are what all of it is for.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod audit;
pub mod auth;
pub mod cases;
pub mod coa;
pub mod commands;
pub mod complaints;
pub mod config;
pub mod db;
pub mod deadlines;
pub mod demo;
pub mod error;
pub mod evidence;
pub mod http;
pub mod import;
pub mod log;
pub mod outside;
pub mod parties;
pub mod personnel;
pub mod progress;
pub mod retention;
pub mod serve;
pub mod telemetry;
pub mod temwen;
pub mod tlog;
pub mod users;
pub mod values;
pub mod vault;
pub mod witness;
pub mod words;

pub use crate::error::{Error, Result};
pub use crate::temwen::{Clock, Temwen};
