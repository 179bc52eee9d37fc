//! Step 04: a file system of our own.
//!
//! In reading order: what is mounted, as a list of data ([`MountArgs`]); the wall ([`Root`])
//! that goes through the list and then leaves the host's root behind; and the few system calls
//! by which mounts are made and attached.

mod attach;
mod causes;
mod contained;
mod dev;
mod explain;
mod masks;
mod options;
mod others;
mod root;
mod sysctls;
mod table;

pub use attach::read_only_copy;
pub use causes::{MAY_NOT_MOUNT, PIVOT_ROOT, PROC, PROPAGATION, ROOT};
pub use contained::Contained;
pub use masks::{HIDDEN, READ_ONLY};
pub use options::{MountArgs, Volume};
pub use root::{MountNamespace, Root};
pub use sysctls::Sysctls;
pub use table::{Entry, Tmpfs, What, check_target, standard};
