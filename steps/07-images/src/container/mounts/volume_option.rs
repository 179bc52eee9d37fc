//! `-v [SOURCE:]TARGET[:MODE]`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Mount, Propagation, Source, check_target, check_volume_name, clean};
use crate::text::visible;

// ANCHOR: volume
/// Reads one `-v`. A source that begins with `/` or `.` is a path of the host, any other one the name of a volume. The
/// texts of the errors are Docker's.
///
/// # Errors
/// It makes no sense.
pub fn volume_option(asked: &str) -> Result<Mount> {
    let (source, target, mode) = match asked.split(':').collect::<Vec<_>>()[..] {
        [""] => bail!("invalid empty volume spec"),
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => bail!("invalid spec: {asked}: too many colons"),
    };
    if asked.contains(':') && [source, target].contains(&"") || asked.ends_with(':') {
        bail!("invalid spec: {asked}: empty section between colons");
    }
    if mode.is_empty() && is_mode(target) && !target.starts_with('/') {
        // `-v /data:ro`: a mode where the target is missing.
        bail!("invalid volume specification: '{asked}'");
    }
    let mut fill = true;
    let mut propagation = Propagation::Private;
    if !is_mode(mode) {
        bail!("invalid mode: {mode}");
    }
    for word in mode.split(',') {
        match word {
            "nocopy" => fill = false,
            "slave" | "rslave" => propagation = Propagation::Slave,
            "shared" | "rshared" => {
                bail!(
                    "invalid mode: {mode}: no mount of a container is shared with the host here; rslave is there"
                )
            }
            _ => {}
        }
    }
    let is_path = source.starts_with(['/', '.']);
    let kind = if is_path { "bind" } else { "volume" };
    let target = check_target(asked, Path::new(target)).map_err(|error| match target.starts_with('/') {
        true => error,
        false => error.context(format!(
            "invalid volume specification: '{asked}': invalid mount config for type \"{kind}\""
        )),
    })?;
    let source = if is_path {
        Source::Bind { path: PathBuf::from(source), create: true, propagation }
    } else {
        let name = (!source.is_empty()).then(|| source.to_owned());
        name.as_deref().map_or(Ok(()), check_volume_name)?;
        Source::Volume { name, fill, labels: Vec::new() }
    };
    let read_only = mode.split(',').any(|word| word == "ro");
    Ok(Mount { source, target, read_only, mode: mode.to_owned(), asked: asked.to_owned() })
}
// ANCHOR_END: volume

/// Each of these at most once: who may write, for SELinux (which we leave alone), where mounts appear, whether a new
/// volume is filled; the last three words mean something on other systems.
fn is_mode(mode: &str) -> bool {
    const KINDS: [&[&str]; 5] = [
        &["rw", "ro"],
        &["z", "Z"],
        &["private", "rprivate", "slave", "rslave", "shared", "rshared"],
        &["nocopy"],
        &["consistent", "cached", "delegated"],
    ];
    let kind = |word: &str| KINDS.iter().position(|words| words.contains(&word));
    let kinds: Vec<_> = mode.split(',').map(kind).collect();
    mode.is_empty()
        || kinds.iter().enumerate().all(|(nth, kind)| kind.is_some() && !kinds[..nth].contains(kind))
}

/// The same words with what depends on the current directory written out.
///
/// # Errors
/// Those of [`absolute`].
pub fn settle_volume(asked: &str) -> Result<String> {
    match asked.split_once(':') {
        Some((source, rest)) if source.starts_with('.') => Ok(format!("{}:{rest}", absolute(source)?)),
        _ => Ok(asked.to_owned()),
    }
}

/// A path from the current directory on, written out. Of a name that is no text only something like it could be
/// written, and then that would be made and mounted.
///
/// # Errors
/// The current directory has gone, or its name is not UTF-8.
pub(super) fn absolute(path: &str) -> Result<String> {
    let path = std::path::absolute(path).context("cannot tell where we are")?;
    match clean(&path).into_os_string().into_string() {
        Ok(text) => Ok(text),
        Err(name) => bail!("cannot mount {}: its name is not UTF-8", visible(name.as_encoded_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(asked: &str) -> String {
        format!("{:#}", volume_option(asked).unwrap_err())
    }

    #[test]
    fn i5_wrong_volumes_get_dockers_texts() {
        for (asked, text) in [
            ("", "invalid empty volume spec"),
            ("a:b:c:d", "too many colons"),
            ("/a:/b:", "empty section between colons"),
            (":/b", "empty section between colons"),
            ("/a:/b:x", "invalid mode: x"),
            ("/a:/b:ro,rw", "invalid mode: ro,rw"),
            ("/a:/b:ro,ro", "invalid mode: ro,ro"),
            ("/a:ro", "invalid volume specification: '/a:ro'"),
            ("/a:/", "destination can't be '/'"),
            ("/a:/b/..", "destination can't be '/'"),
            ("vol:/", "destination can't be '/'"),
            ("/", "destination can't be '/'"),
            ("rel/path:/b", "includes invalid characters for a local volume name"),
            ("-x:/b", "includes invalid characters for a local volume name"),
            ("~/x:/b", "includes invalid characters for a local volume name"),
            ("v:/b", "volume name is too short"),
            ("/tmp:relative", "mount path must be absolute"),
            (
                "vol:relative",
                "for type \"volume\": invalid mount path: 'relative' mount path must be absolute",
            ),
        ] {
            assert!(error(asked).contains(text), "{asked}: {}", error(asked));
        }
    }

    #[test]
    fn i5_sources_are_told_apart() {
        let target = |asked| volume_option(asked).unwrap().target;
        let is_bind = |asked| matches!(volume_option(asked).unwrap().source, Source::Bind { .. });
        assert!(is_bind("/a:/b") && is_bind("./a:/b") && is_bind("..:/b"));
        assert!(!is_bind("vol:/b") && !is_bind("/b"));
        assert_eq!(target("/a:/b/../c/"), Path::new("/c"));
        assert!(volume_option("/a:/b:ro,z,rslave").unwrap().read_only);
        assert!(!volume_option("/a:/b:Z,cached").unwrap().read_only);
    }

    #[test]
    fn only_a_path_that_begins_with_a_dot_depends_on_where_we_are() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(settle_volume("./x:/b:ro").unwrap(), format!("{}/x:/b:ro", here.display()));
        assert_eq!(settle_volume("vol:/b").unwrap(), "vol:/b");
    }
}
