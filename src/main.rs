//! The program `temwen`: reads its command line and runs one command. No logic.

use std::process::ExitCode;

use clap::Parser as _;
use temwen::commands;
use temwen::config::Cli;

fn main() -> ExitCode {
    commands::run(Cli::parse())
}
