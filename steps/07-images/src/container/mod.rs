//! From an image to a container: what was asked for, and the walls that follow from it.

mod asked;
mod console;
mod overlay;
mod process;
mod users;

pub use asked::{Asked, hostname_of};
pub use console::{Console, Terminal, console};
pub use overlay::Overlay;
pub(crate) use overlay::prepare as prepare_overlay;
pub use process::{Identity, NoInput, WorkDirectory};
