//! Step 01: `step01 unshare | lsns | nsenter | observe`.

mod verbs;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use step01_unshare::{exit_code, message, parse, tell};

// ANCHOR: main
/// Leave the host's namespaces, look at them, enter those of others
#[derive(Parser)]
#[command(version)]
enum Cli {
    /// Run a command in new namespaces
    Unshare(verbs::Unshare),
    /// List all namespaces and who lives in them
    Lsns(verbs::Lsns),
    /// Run a command in the namespaces of a process
    Nsenter(verbs::Nsenter),
    /// Show which namespaces a process shares with us, and what the others change
    Observe(verbs::Observe),
}

fn main() -> ExitCode {
    match parse().and_then(run) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(format_args!("step01: {}\n", message(&error)));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn run(cli: Cli) -> Result<u8> {
    match cli {
        Cli::Unshare(verb) => verb.run(),
        Cli::Lsns(verb) => verb.run(),
        Cli::Nsenter(verb) => verb.run(),
        Cli::Observe(verb) => verb.run(),
    }
}
// ANCHOR_END: main
