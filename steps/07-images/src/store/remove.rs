//! Removing trees that others have made.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::{fs, io};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, openat, statat, unlinkat};

/// A folder on the way down: its name, and which of its folders are still to be removed.
struct Level {
    name: CString,
    folders: Vec<CString>,
}

/// Removes a file, or a folder with all that is in it. No link is followed.
///
/// Ten thousand folders may be nested: so there is one descriptor, which walks down and, by `..`, up again, and neither
/// a path nor the stack grows with the depth. Nobody else may move folders of the tree meanwhile.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return fs::remove_file(path);
    }
    let top = CString::new(path.as_os_str().as_encoded_bytes())?;
    let mut here = enter(CWD, &top)?;
    let mut levels = vec![Level { name: top, folders: remove_files(&here)? }];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.folders.pop() {
            here = enter(here.as_fd(), &name)?;
            levels.push(Level { name, folders: remove_files(&here)? });
            continue;
        }
        if let Some(Level { name, .. }) = levels.pop()
            && !levels.is_empty()
        {
            here = openat(&here, c"..", OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            unlinkat(&here, &name, AtFlags::REMOVEDIR)?;
        }
    }
    fs::remove_dir(path)
}

/// Whoever made the folder may have made it unreadable for its own owner.
fn enter(parent: BorrowedFd, name: &CString) -> io::Result<OwnedFd> {
    chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// Removes what is no folder, and returns what is.
fn remove_files(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut folders = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every file system tells it here (man 3 readdir).
            FileType::Unknown => {
                FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            known => known,
        };
        match kind {
            FileType::Directory => folders.push(name.to_owned()),
            _ => unlinkat(folder, name, AtFlags::empty())?,
        }
    }
    Ok(folders)
}
