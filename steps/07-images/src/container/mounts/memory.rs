//! `--tmpfs TARGET[:OPTIONS]`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use step04_mount::Tmpfs;

use super::{Mount, Source, check_target};
use crate::human::bytes;

// ANCHOR: tmpfs
/// Reads one `--tmpfs`: a place, and options as `mount -o` has them (`man 5 tmpfs`).
///
/// # Errors
/// The place is not absolute or an option not known.
pub fn tmpfs_option(asked: &str) -> Result<Mount> {
    let (target, options) = asked.split_once(':').unwrap_or((asked, ""));
    let mut tmpfs = Tmpfs::default();
    let mut read_only = false;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let unknown = || format!("invalid tmpfs option \"{option}\"");
        match option.split_once('=') {
            None => match option {
                "ro" => read_only = true,
                "rw" => read_only = false,
                "exec" => tmpfs.exec = true,
                "noexec" => tmpfs.exec = false,
                "suid" => tmpfs.suid = true,
                "nosuid" => tmpfs.suid = false,
                "dev" => tmpfs.dev = true,
                "nodev" => tmpfs.dev = false,
                // What a file system in memory does anyway, or what nobody notices.
                "async" | "relatime" | "diratime" | "private" | "rprivate" | "defaults" => {}
                _ => bail!(unknown()),
            },
            // A share of the machine's memory is for tmpfs itself to count.
            Some(("size", size)) if size.ends_with('%') => tmpfs.others.push(("size".into(), size.into())),
            Some(("size", size)) => tmpfs.size = Some(bytes(size).ok().with_context(unknown)?),
            Some(("mode", mode)) => {
                let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777);
                tmpfs.mode = mode.with_context(unknown)?;
            }
            Some((name @ ("uid" | "gid" | "nr_inodes" | "nr_blocks" | "mpol"), value)) => {
                tmpfs.others.push((name.to_owned(), value.to_owned()));
            }
            Some(_) => bail!(unknown()),
        }
    }
    let target = check_target(asked, Path::new(target))?;
    Ok(Mount {
        source: Source::Tmpfs(tmpfs),
        target,
        read_only,
        mode: options.to_owned(),
        asked: asked.to_owned(),
    })
}
// ANCHOR_END: tmpfs

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_counts() {
        let mount = tmpfs_option("/run:size=64k,mode=700,exec,suid,dev,uid=5,nr_inodes=9,ro").unwrap();
        let others = vec![("uid".to_owned(), "5".to_owned()), ("nr_inodes".to_owned(), "9".to_owned())];
        let tmpfs = Tmpfs { mode: 0o700, size: Some(65536), others, exec: true, suid: true, dev: true };
        assert_eq!((mount.source, mount.read_only), (Source::Tmpfs(tmpfs), true));
    }

    #[test]
    fn i10_wrong_options_are_named() {
        for (asked, text) in [
            ("rel", "mount path must be absolute"),
            ("/", "destination can't be '/'"),
            ("/x:bogus", "invalid tmpfs option \"bogus\""),
            ("/x:size=abc", "invalid tmpfs option \"size=abc\""),
            ("/x:mode=99", "invalid tmpfs option \"mode=99\""),
            ("/x:context=y", "invalid tmpfs option \"context=y\""),
        ] {
            let error = format!("{:#}", tmpfs_option(asked).unwrap_err());
            assert!(error.contains(text), "{asked}: {error}");
        }
    }
}
