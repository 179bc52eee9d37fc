//! Step 05: `step05 --rootfs R --hostname box -- sh`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Parser;
use step01_unshare::{observe, parse, tell};
use step02_uts::Uts;
use step03_pid::{Container, PidArgs, environment, launch, report};
use step04_mount::MountArgs;
use step05_userns::UserArgs;

/// Run a command as root of its own
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    user: UserArgs,
    #[command(flatten)]
    uts: Uts,
    #[command(flatten)]
    pid: PidArgs,
    #[command(flatten)]
    mount: MountArgs,
    /// Show first which namespaces are new
    #[arg(long)]
    observe: bool,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    report(parse().and_then(run))
}

// ANCHOR: run
fn run(cli: Cli) -> Result<u8> {
    let mut command = Command::new(&cli.command[0]);
    environment(command.args(&cli.command[1..]));

    let container = cli.pid.add_to(Container::new().with(cli.user.user()?).with(cli.uts));
    let container = cli.mount.add_to(container)?;
    launch(container, cli.pid.last(command), |pid| {
        if cli.observe {
            tell(observe::observe(pid)?);
        }
        Ok(())
    })
}
// ANCHOR_END: run
