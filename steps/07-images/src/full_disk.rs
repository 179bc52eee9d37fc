//! A full disk: what is said of it, and what helps.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::Error;
use rustix::fs::{StatVfs, statvfs};
use step01_unshare::message;
use step03_pid::Failed;

use crate::human::size;

const ERRNOS: [&str; 2] = ["ENOSPC", "EDQUOT"];

/// With less room nearly everything fails, in bytes.
const NEXT_TO_NOTHING: u64 = 64 << 10;

/// Whether an error means that there is no room left on a disk.
pub fn is_why(error: &Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
    let is_one = |cause: &io::Error| kinds.contains(&cause.kind());
    error.chain().filter_map(|cause| cause.downcast_ref()).any(is_one) || names_it(&message(error))
}

fn names_it(text: &str) -> bool {
    ERRNOS.iter().any(|errno| text.contains(errno))
}

/// Names the file system of the state directory, and the way out, in such an error.
pub fn told(error: Error, state: &Path) -> Error {
    let code = error.downcast_ref::<Failed>().map(|failed| failed.code);
    let text = message(&error);
    let is_said = text.contains('\n');
    if is_said || !is_why(&error) {
        return error;
    }
    let room = statvfs(state).map(|there| {
        let [free, all] = [there.f_bavail, there.f_blocks].map(|blocks| size(blocks * there.f_frsize));
        format!(", which has {all} in all and {free} free now")
    });
    let text = format!(
        "{text}: there is not enough room in the file system of {}{}\nmake room by the command: system prune; or let \
         --root name a place that has more",
        state.display(),
        room.unwrap_or_default()
    );
    match code {
        Some(code) => Failed { code, text }.into(),
        None => Error::msg(text),
    }
}

/// The same for whoever does not know where there was no room. ENOSPC has other meanings too (user namespaces that are
/// used up), and other places (the file after `save --output`).
pub fn suspected(error: Error, state: &Path) -> Error {
    match is_about(&message(&error), state) {
        true => told(error, state),
        false => error,
    }
}

/// Whether it names something in the state directory, or there is no room in it.
fn is_about(text: &str, state: &Path) -> bool {
    let is_full = |there: StatVfs| {
        there.f_bavail * there.f_frsize < NEXT_TO_NOTHING || there.f_files > 0 && there.f_favail == 0
    };
    text.contains(&*state.to_string_lossy())
        || text.contains("the image store")
        || statvfs(state).is_ok_and(is_full)
}
