//! Removing trees that others have made.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::{fs, io};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chmod, fstat, openat, statat, unlinkat};

/// A folder on the way down: its name, its number, and which of its folders are still to be removed.
struct Level {
    name: CString,
    number: (u64, u64),
    folders: Vec<CString>,
}

/// Removes a file, or a folder with all that is in it. No link is followed.
///
/// Ten thousand folders may be nested: so there is one descriptor, which walks down and, by `..`, up again, and neither
/// a path nor the stack grows with the depth. Somebody may be left who moves folders meanwhile, and from one that was
/// moved `..` leads elsewhere: before anything is removed there, it must be the folder that we came from.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return fs::remove_file(path);
    }
    let top = CString::new(path.as_os_str().as_encoded_bytes())?;
    let mut here = enter(CWD, &top)?;
    let mut levels = vec![Level { name: top, number: number(&here)?, folders: remove_files(&here)? }];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.folders.pop() {
            here = enter(here.as_fd(), &name)?;
            levels.push(Level { name, number: number(&here)?, folders: remove_files(&here)? });
            continue;
        }
        if let (Some(Level { name, .. }), Some(above)) = (levels.pop(), levels.last()) {
            here = leave(&here, above.number)?;
            unlinkat(&here, &name, AtFlags::REMOVEDIR)?;
        }
    }
    fs::remove_dir(path)
}

/// Whoever made the folder may have made it unreadable for its own owner. What has its name by now may be a link to a
/// folder of the host's: it is opened first, and its rights are changed by the descriptor.
fn enter(parent: BorrowedFd, name: &CString) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(parent, name, flags | OFlags::NOFOLLOW | OFlags::PATH, Mode::empty())?;
    if !Mode::from_raw_mode(fstat(&folder)?.st_mode).contains(Mode::RWXU) {
        chmod(format!("/proc/self/fd/{}", folder.as_raw_fd()), Mode::RWXU)?;
    }
    Ok(openat(&folder, c".", flags | OFlags::RDONLY, Mode::empty())?)
}

/// The folder above, if that is still the one that we came from.
fn leave(folder: &OwnedFd, came_from: (u64, u64)) -> io::Result<OwnedFd> {
    let above = openat(folder, c"..", OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if number(&above)? != came_from {
        return Err(io::Error::other("somebody moves what is in it"));
    }
    Ok(above)
}

fn number(folder: &OwnedFd) -> io::Result<(u64, u64)> {
    let found = fstat(folder)?;
    Ok((found.st_dev, found.st_ino))
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

#[cfg(test)]
mod tests {
    use std::fs::{File, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn folder_that_has_become_a_link_keeps_the_rights_of_where_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, Permissions::from_mode(0o755)).unwrap();
        symlink(&outside, folder.path().join("listed-as-a-folder")).unwrap();
        let parent = File::open(folder.path()).unwrap();
        enter(parent.as_fd(), &c"listed-as-a-folder".to_owned()).unwrap_err();
        assert_eq!(fs::metadata(&outside).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn folder_that_its_owner_cannot_enter_goes() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("closed/below")).unwrap();
        fs::set_permissions(tree.join("closed"), Permissions::from_mode(0o000)).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }

    /// Whoever moves the folder that we are in makes `..` another one, and so ours seem to be elsewhere.
    #[test]
    fn folder_that_is_moved_up_does_not_lead_out_of_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        let (above, deep) = (folder.path().join("tree/a"), folder.path().join("tree/a/b"));
        fs::create_dir_all(&deep).unwrap();
        let came_from = number(&File::open(&above).unwrap().into()).unwrap();
        let here = OwnedFd::from(File::open(&deep).unwrap());
        assert_eq!(number(&leave(&here, came_from).unwrap()).unwrap(), came_from);
        fs::rename(&deep, folder.path().join("b")).unwrap();
        leave(&here, came_from).unwrap_err();
    }
}
