//! `monitor`, once its container has ended: what is written down, and whether there is a next start.

use std::fs;
use std::os::fd::{OwnedFd, RawFd};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use step03_pid::inherited;

use super::{Asking, Place, RunArgs, tidy};
use crate::monitor::SOCKET;
use crate::records::{Held, Recipe, Status, now};

// ANCHOR: comes_back
/// Writes the end down, and waits until it is time for the next start. False: it stays down.
pub(super) fn comes_back(place: &Place, held: &mut Held, code: u8, clients: &[RawFd]) -> Result<bool> {
    let clients: Vec<OwnedFd> = clients.iter().filter_map(|number| inherited(*number).ok()).collect();
    wait_for_helpers();
    let _ = fs::remove_file(held.directory.join(SOCKET));
    let state = &mut held.record.state;
    let ran = Duration::try_from_secs_f64(now() - state.started.unwrap_or_default()).unwrap_or_default();
    state.end(code, "");
    let run = Recipe::read(&held.directory).and_then(|recipe| Ok(Asking::<RunArgs>::read(&recipe.words)?));
    let policy = run.map(|run| run.life.restart).unwrap_or_default();
    let last = Duration::try_from_secs_f64(held.record.state.wait).unwrap_or_default();
    let wait = policy.after(code, held.record.state.restarts, last, ran).filter(|_| !held.is_stopped());
    let Some(wait) = wait else {
        // Whoever waits hears of it when all is done, by the end of this process.
        std::mem::forget(clients);
        return Ok(false);
    };
    held.record.state.status = Status::Restarting;
    held.record.state.wait = wait.as_secs_f64();
    held.write_state()?;
    drop(clients);
    let _ = place.containers();
    let start = Instant::now();
    while start.elapsed() < wait {
        if held.is_stopped() {
            held.record.state.status = Status::Exited;
            held.write_state()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20).min(wait));
    }
    held.record.state.restarts += 1;
    Ok(true)
}
// ANCHOR_END: comes_back

/// The last act: what was asked for with `--rm`, unless somebody has begun a `restart`, and what the walls' helpers have
/// left.
pub(super) fn finish(place: &Place, mut held: Held) -> Result<u8> {
    let code = held.record.state.exit_code.unwrap_or(125);
    if held.is_kept() {
        held.record.state.waits = true;
        held.write_state()?;
    } else if held.record.remove {
        let image = held.record.image_id;
        held.remove()?;
        tidy(place, &image)?;
    } else {
        held.write_state()?;
    }
    let _ = step06_net::sweep();
    Ok(code)
}

/// Until the helpers of the walls have gone, or for a second: what they leave is swept by name.
fn wait_for_helpers() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
