//! Step 07: real images, from the registry to the running container.
//!
//! In reading order:

pub mod archive;
pub mod commands;
pub mod container;
mod copy;
pub mod credentials;
pub mod digest;
pub mod full_disk;
#[doc(hidden)]
pub mod fuzzing;
mod glob;
pub mod host_tools;
mod human;
pub mod layers;
pub mod manifest;
pub mod moment;
pub mod monitor;
pub mod names;
mod preferences;
pub mod progress;
pub mod pull;
pub mod records;
pub mod registry;
mod sealed;
mod sizes;
pub mod store;
pub mod task;
pub mod template;
pub mod text;
pub mod volumes;
mod waiting;
