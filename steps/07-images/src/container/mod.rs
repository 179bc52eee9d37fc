//! From an image to a container: what was asked for, and the walls that follow from it.

mod asked;
mod conflicts;
mod connection;
mod console;
mod environment;
mod labels;
mod limits;
mod mounts;
mod overlay;
mod prepared;
mod process;
mod relay;
mod sharing;
mod streams;
mod sysctl;
mod users;

pub use asked::Asked;
pub(crate) use connection::read_names as names_files;
pub use console::{Console, Opposite, console};
pub use environment::variable;
pub(crate) use environment::{lines_of, settled as settled_variables};
pub use labels::label;
pub(crate) use labels::settled as settled_labels;
pub use limits::Ulimit;
pub(crate) use limits::begin_here as begin_with_limits;
pub use mounts::{Mount, MountPoint, Source, check_volume_name, mount_option, tmpfs_option, volume_option};
pub(crate) use mounts::{settle_mount, settle_volume, target_of_image};
pub use overlay::Overlay;
pub(crate) use overlay::prepare as prepare_overlay;
pub use process::{Identity, NoInput, WorkDirectory};
pub use relay::{Relay, relay};
pub use sharing::{Names, Processes};
pub use streams::{Ends, Streams, streams};
pub use sysctl::Sysctl;
pub(crate) use users::resolve as resolve_user;
