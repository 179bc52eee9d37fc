//! Step 03: a process tree of our own, and the engine that all later steps use.
//!
//! In reading order: what a container is made of ([`Isolation`], [`Container`]), the dialogue
//! between its two sides (`engine`), one more process in walls that stand (`join`), a helper of the host's (`companion`), signals, becoming the command (`exec`) and why not (`causes`), PID 1 (`init`), and
//! the isolations of this step. `kernel` holds the system calls that need `unsafe`.

mod causes;
mod channel;
mod companion;
mod container;
mod engine;
mod exec;
mod init;
mod isolations;
mod join;
mod kernel;
mod report;
mod running;
mod signals;
mod time;

pub use causes::{CLONE, EXEC};
pub use companion::Companion;
pub use container::{Container, Isolation, Last, launch};
pub use engine::Created;
pub use exec::environment;
pub use isolations::{PidArgs, Pids};
pub use kernel::{hear_all_signals, ignore_nothing, inherited, send_signal};
pub use report::{Failed, report};
pub use running::{Running, Serve};
pub use signals::{Caught, Insisting, Signals};
pub use time::Time;
