//! Step 01: leave the host's namespaces, look at them, enter others.
//!
//! *A container is an organised collection of namespaces.* This step is about the word
//! "namespaces": what they are ([`Namespaces`]), how a process leaves the ones it was born in
//! ([`unshare`]), how to see who lives in which ([`lsns`], [`observe`]), and how to enter those
//! of somebody else ([`join`]). What the kernel refuses is explained by a table ([`Trouble`]).

mod args;
mod causes;
mod exec;
mod join;
pub mod lsns;
mod namespaces;
pub mod observe;
mod trouble;
mod unshare;

pub use args::{NamespaceArgs, parse};
pub use causes::{APPARMOR, SETNS, UNSHARE, USER_NAMESPACE, holds_if, why_no_namespaces};
pub use exec::{answer, exec, exit_code, message, tell};
pub use join::{Question, ask, join, join_as_root};
pub use namespaces::{KINDS, Kind, Namespaces, all_kinds, inode, inode_for_children};
pub(crate) use namespaces::{is_missing, process_folder};
pub use trouble::{Cause, Look, Trouble, refused, why};
pub use unshare::{MapRootArgs, run, unshare};
