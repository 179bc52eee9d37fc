//! The commands: one file each, and what they share.

mod absent;
mod asking;
mod attach;
mod common;
mod completion;
mod container;
mod control;
mod cp;
mod create;
mod diff;
mod ending;
mod exec;
mod groups;
mod history;
mod image;
mod images;
mod inspect;
mod later;
pub mod life;
mod line;
mod listing;
mod load;
mod login;
mod logout;
mod logs;
mod logs_reader;
mod monitor;
mod monitor_ended;
mod network_options;
mod options;
mod password;
mod place;
mod platform;
mod port;
mod prune_filters;
mod ps;
mod ps_filters;
mod pull;
mod rename;
mod rm;
mod rmi;
mod run;
mod save;
mod settled;
mod sharing_options;
pub mod signal;
mod start;
mod stop;
mod storage_options;
mod switches;
mod system;
mod system_df;
mod tag;
mod top;
mod version;
mod volume;
mod volume_prune;

use anyhow::{Result, bail};
use step03_pid::Failed;

pub use asking::Asking;
pub use attach::Attach;
pub use common::Common;
pub use completion::{Completion, Man};
pub use container::ContainerVerb;
pub use control::NeedsControlGroup;
pub use cp::Cp;
pub use create::create_only;
pub use diff::Diff;
pub use exec::Exec;
pub use groups::with_groups;
pub use history::History;
pub use image::ImageVerb;
pub use images::Images;
pub use inspect::Inspect;
pub use line::main;
pub use listing::{Filter, Format};
pub use load::Load;
pub use login::LogIn;
pub use logout::LogOut;
pub use logs::Logs;
pub(crate) use logs::read_all as read_log;
pub use monitor::{Monitor, monitor};
pub use network_options::{Connection, Expose, NetworkArgs};
pub use options::{RunArgs, When};
pub use place::Place;
pub use port::Port;
pub use ps::Ps;
pub use pull::{Pull, PullArgs};
pub use rename::Rename;
pub use rm::Rm;
pub use rmi::Rmi;
pub use run::{Run, run};
pub use save::Save;
pub use sharing_options::{Sharing, SharingArgs};
pub use start::Start;
pub use stop::{Kill, Restart, Stop, Wait};
pub use storage_options::StorageArgs;
pub use system::SystemVerb;
pub use tag::Tag;
pub use top::Top;
pub use version::Version;
pub use volume::VolumeVerb;

use crate::digest::Digest;
use crate::records::Containers;
use crate::task;

/// An error that has no exit code yet gets this one.
pub(crate) fn with_code(error: anyhow::Error, code: u8) -> anyhow::Error {
    match error.downcast_ref::<Failed>() {
        Some(_) => error,
        None => Failed { code, text: step01_unshare::message(&error) }.into(),
    }
}

/// Whose image was removed by force, the last container that stood on it takes the layers along.
pub(crate) fn tidy(place: &Place, image: &Digest) -> Result<()> {
    let store = place.store()?;
    if store.blob(image).exists() {
        return Ok(());
    }
    let containers = Containers::open(store.root())?;
    task::in_child(move || store.writer()?.tidy(&|| containers.uses()))
}

/// Does the same for each of several words, and says of each what went wrong with it.
pub(crate) fn for_each(words: &[String], mut act: impl FnMut(&str) -> Result<()>) -> Result<u8> {
    let mut errors = Vec::new();
    for word in words {
        if let Err(error) = act(word) {
            errors.push(step01_unshare::message(&error));
        }
    }
    match errors.is_empty() {
        true => Ok(0),
        false => bail!(errors.join("\n")),
    }
}
