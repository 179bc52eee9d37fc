//! The monitor: the process that stays with a container when everybody else has left.
//!
//! ```text
//!   coracle run -d                   coracle monitor ID               coracle-monitor
//!    │  record, lock                  │                                │
//!    ├──── spawn: lock, socket ──────>│  builds the walls, clones      │
//!    │                                │  the container, starts it      │
//!    │<──────── started ──────────────┤                                │
//!    prints the id                    ├──────────── exec ─────────────>│  log, terminal, attach
//!                                     │                                │  … for days …
//!                                     │<─── exec, with the exit code ──┤  the container has ended
//!                                     │  record, sweep; again, if the policy says so
//! ```
//! It is one process all the time. Exec changes neither its id nor its children nor what it has
//! open, so the container keeps its parent, the lock stays held, and the pipes that keep the
//! helpers of the network alive stay open. While nothing happens, a program is in memory that
//! knows nothing of images, JSON and command lines, and so is small.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

pub mod client;
mod clients;
pub mod detach;
pub mod frames;
mod keep;
pub mod log;
pub mod restart;
mod served;
mod settings;
pub mod terminal;

pub(crate) use keep::close_all_at_exec;
pub use keep::main;
pub(crate) use settings::Settings;

use crate::sealed;

/// The small program: beside this one, and called like it with `-monitor` behind; or else this
/// one, which then does the same and needs more memory.
pub(crate) fn program() -> Command {
    let mut name = sealed::path().into_os_string();
    name.push(NAME);
    let beside = PathBuf::from(&name);
    let mut command = Command::new(if beside.exists() { beside } else { "/proc/self/exe".into() });
    command.arg0(name);
    command
}

/// In the small program: the path of the large one.
fn large() -> OsString {
    let name = std::env::args_os().next().unwrap_or_default();
    let large = name.as_bytes().strip_suffix(NAME.as_bytes()).unwrap_or(b"coracle");
    OsStr::from_bytes(large).to_owned()
}

/// Whether this process was started as the small program.
pub(crate) fn is_asked_for() -> bool {
    std::env::args_os().next().is_some_and(|name| name.as_encoded_bytes().ends_with(NAME.as_bytes()))
}

const NAME: &str = "-monitor";

/// The socket for those who attach, in the container's directory.
pub(crate) const SOCKET: &str = "attach";

/// Says that somebody wants the container to stay down, in the container's directory.
pub(crate) const STOPPED: &str = "stopped";

/// Says that somebody will start the container again, so that its `--rm` has to wait.
pub(crate) const KEPT: &str = "kept";
