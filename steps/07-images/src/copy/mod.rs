//! Copying between the host and a container, which may be a hostile one (`man 7 path_resolution`).
//!
//! ```text
//!   inside     a container's root, as its processes see it
//!   words      `C:path`, what its end says, what is missing in it
//!   tree       a side: the host's files, or those below a container's root and nothing else
//!   target     which place is meant: Docker's rules about directories, links and a trailing `/.`
//!   files      from one open directory into another, name by name
//!   archive    from an open directory into a tar archive, and back
//! ```
//! While we copy, the container may swap a directory for a link to the host's /etc. So no path is looked up twice, and
//! none by us: the kernel resolves it once, below the container's root, and hands out a descriptor. From there on there
//! are only names without a slash, and links are copied and never followed. None of the container's programs is run.

mod archive;
mod data;
mod entries;
mod files;
mod inside;
mod target;
mod tree;
mod words;

pub use archive::{pack, unpack};
pub use files::{Copier, Owner};
pub use inside::with_files;
pub use target::{Source, Target, existing_directory, source, target};
pub use tree::Tree;
pub use words::{End, Words};
