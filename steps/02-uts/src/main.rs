//! Step 02: `step02 --hostname box -- sh`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Parser;
use step01_unshare::observe::Inodes;
use step01_unshare::{MapRootArgs, exec, exit_code, message, parse, tell};
use step02_uts::Uts;

/// Run a command with a host name and with message queues of its own
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    root: MapRootArgs,
    #[command(flatten)]
    uts: Uts,
    /// Show first which namespaces are new
    #[arg(long)]
    observe: bool,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    match parse().and_then(run) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(format_args!("step02: {}\n", message(&error)));
            ExitCode::from(exit_code(&error))
        }
    }
}

// ANCHOR: run
fn run(cli: Cli) -> Result<u8> {
    let outside = cli.observe.then(Inodes::here).transpose()?;
    cli.root.unshare(step02_uts::namespaces())?;
    cli.uts.set_names()?;
    if let Some(outside) = outside {
        tell(outside.beside_now()?);
    }
    Err(exec(Command::new(&cli.command[0]).args(&cli.command[1..])))
}
// ANCHOR_END: run
