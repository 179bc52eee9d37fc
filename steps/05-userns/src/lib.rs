//! Step 05: root in here, nobody out there.
//!
//! A user namespace gives ids another meaning: a process is uid 0 inside and somebody ordinary
//! outside. It owns the namespaces that are made in it, and so every user can have a container.

mod causes;
mod map;
mod rights;
mod user;
mod write;

pub use causes::{HELPERS, ID_MAP, NESTED};
pub use map::{IdMap, Range, subordinate};
pub use rights::{is_root, unused};
pub use user::{User, UserArgs};
