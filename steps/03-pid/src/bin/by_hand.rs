//! The riddle at the start of step 03: two commands after one `unshare`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use step01_unshare::{MapRootArgs, Namespaces};
use step03_pid::report;

// ANCHOR: by_hand
fn main() -> ExitCode {
    report(run())
}

fn run() -> Result<u8> {
    MapRootArgs { map_root_user: true }.unshare(Namespaces::PID)?;
    for text in ["the first command is process $$", "the second command is process $$"] {
        Command::new("sh")
            .args(["-c", &format!("echo {text}")])
            .status()
            .context("cannot start a command")?;
    }
    Ok(0)
}
// ANCHOR_END: by_hand
