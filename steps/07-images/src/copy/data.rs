//! What is in a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::Result;
use rustix::fs;
use rustix::io::Errno;

use super::tree::Found;

/// Opens the very file that was found for reading, whatever has its name by now.
pub fn read(found: &Found) -> Result<File> {
    Ok(File::open(format!("/proc/self/fd/{}", found.inode.as_raw_fd()))?)
}

// ANCHOR: data
/// Copies what is in a file as long as it was when we looked: it may grow for ever. Holes stay holes, or a file of a
/// terabyte that takes no room would fill the disk.
pub(super) fn copy_data(found: &Found, to: &OwnedFd) -> Result<u64> {
    let (mut from, mut to) = (read(found)?, File::from(to.try_clone()?));
    let length = found.stat.st_size as u64;
    let mut at = 0;
    while at < length {
        let data = match fs::seek(&from, fs::SeekFrom::Data(at)) {
            Ok(data) => data,
            // Nothing but a hole is left.
            Err(Errno::NXIO) => break,
            Err(_) => at,
        };
        let hole = fs::seek(&from, fs::SeekFrom::Hole(data)).unwrap_or(length).min(length);
        if data >= hole {
            break;
        }
        from.seek(SeekFrom::Start(data)).and_then(|_| to.seek(SeekFrom::Start(data)))?;
        if io::copy(&mut (&from).take(hole - data), &mut to)? == 0 {
            break;
        }
        at = hole;
    }
    to.set_len(length)?;
    Ok(length)
}
// ANCHOR_END: data
