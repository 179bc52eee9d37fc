//! What the tests of all steps share: a reader that looks at containers from outside, snapshots of
//! the host, and an honest word for a test that cannot run here.
//!
//! A test that cannot do its work says so and returns; it never passes in silence:
//!
//! ```no_run
//! # use support::{NotApplicable, Role, not_applicable, not_run, program};
//! # fn test() {
//! if Role::here() != Role::Root {
//!     return not_applicable(NotApplicable::NeedsRoot);
//! }
//! let Some(nft) = program("nft") else {
//!     return not_run("nft is missing: apt-get install nftables");
//! };
//! # let _ = nft;
//! # }
//! ```

mod skip;
pub use skip::{NotApplicable, not_applicable, not_run};

mod role;
pub use role::Role;

mod outside;
pub use outside::{
    Mount, children, command_name, descendants, gid_map, is_alive, mounts, namespaces, processes, status,
    uid_map,
};

mod programs;
pub use programs::{Background, binary, busybox_root, command, copy_program, program};

mod alone;
pub use alone::alone;

mod snapshot;
pub use snapshot::Host;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Asks `done` every few milliseconds until it says yes.
///
/// # Panics
/// After `limit`, with `what` was waited for: a test that hangs says nothing.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        sleep(Duration::from_millis(3));
    }
}
