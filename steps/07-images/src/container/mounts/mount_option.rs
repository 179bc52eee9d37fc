//! `--mount type=bind,source=…,target=…`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use step04_mount::Tmpfs;

use super::csv::{fields, quote};
use super::volume_option::absolute;
use super::{Mount, Propagation, Source, check_target, check_volume_name};
use crate::human::bytes;

/// What the fields say, before it is known what fits the type.
#[derive(Default)]
struct Asked {
    kind: Option<String>,
    source: String,
    target: String,
    read_only: bool,
    propagation: String,
    create: bool,
    nocopy: bool,
    labels: Vec<(String, String)>,
    tmpfs: Tmpfs,
    /// The prefixes of the keys that belong to one type only: `bind`, `volume`, `tmpfs`.
    prefixes: Vec<String>,
}

// ANCHOR: mount_option
/// Reads one `--mount`. The texts of the errors are Docker's.
///
/// # Errors
/// It makes no sense.
pub fn mount_option(text: &str) -> Result<Mount> {
    ensure!(!text.is_empty(), "EOF");
    let mut asked = Asked::default();
    for field in fields(text)? {
        asked.take(&field)?;
    }
    let kind = asked.kind.as_deref().unwrap_or("volume");
    ensure!(["bind", "volume", "tmpfs"].contains(&kind), "mount type unknown: \"{kind}\"");
    ensure!(!asked.target.is_empty(), "target is required");
    if let Some(other) = asked.prefixes.iter().find(|prefix| *prefix != kind) {
        bail!("cannot mix '{other}-*' options with mount type '{kind}'");
    }
    let source = match kind {
        "bind" => asked.bind()?,
        "volume" => asked.volume()?,
        _ => {
            let invalid = "invalid mount config for type \"tmpfs\"";
            ensure!(asked.source.is_empty(), "{invalid}: field Source must not be specified");
            Source::Tmpfs(asked.tmpfs)
        }
    };
    let target = check_target(text, Path::new(&asked.target))
        .with_context(|| format!("invalid mount config for type \"{kind}\""))?;
    Ok(Mount { source, target, read_only: asked.read_only, mode: String::new(), asked: text.to_owned() })
}
// ANCHOR_END: mount_option

impl Asked {
    fn take(&mut self, field: &str) -> Result<()> {
        let (key, value) = field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)));
        let key = key.to_lowercase();
        for prefix in ["bind", "volume", "tmpfs"] {
            if key.starts_with(&format!("{prefix}-")) {
                self.prefixes.push(prefix.to_owned());
            }
        }
        let invalid = || format!("invalid value for {key}: {}", value.unwrap_or_default());
        // These alone may stand without a value.
        let yes = || match value {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => bail!(invalid()),
        };
        match &*key {
            "readonly" | "ro" => self.read_only = yes()?,
            "volume-nocopy" => self.nocopy = yes()?,
            "bind-create-src" => self.create = yes()?,
            "bind-nonrecursive" => {
                ensure!(!yes()?, "bind-nonrecursive is not there: what is mounted below comes along")
            }
            _ => {
                let value =
                    value.with_context(|| format!("invalid field '{field}' must be a key=value pair"))?;
                match &*key {
                    "type" => self.kind = Some(value.to_lowercase()),
                    "source" | "src" => self.source = value.to_owned(),
                    "target" | "destination" | "dst" => self.target = value.to_owned(),
                    // About caches of other systems.
                    "consistency" => {}
                    "bind-propagation" => self.propagation = value.to_lowercase(),
                    "bind-recursive" => {
                        ensure!(
                            ["enabled", "readonly"].contains(&value),
                            "{}: only enabled and readonly are there",
                            invalid()
                        );
                    }
                    "volume-label" => {
                        let (name, text) = value.split_once('=').unwrap_or((value, ""));
                        self.labels.push((name.to_owned(), text.to_owned()));
                    }
                    "volume-driver" => ensure!(
                        value == "local",
                        "error looking up volume plugin {value}: plugin \"{value}\" not found"
                    ),
                    "volume-opt" | "volume-subpath" => {
                        bail!("{key} is not there: a volume is a directory of ours, as a whole")
                    }
                    "tmpfs-size" => {
                        self.tmpfs.size = Some(bytes(value).map_err(|_| anyhow::anyhow!(invalid()))?)
                    }
                    "tmpfs-mode" => {
                        self.tmpfs.mode = u32::from_str_radix(value, 8)
                            .ok()
                            .filter(|mode| *mode <= 0o7777)
                            .with_context(invalid)?
                    }
                    _ => bail!("unexpected key '{key}' in '{field}'"),
                }
            }
        }
        Ok(())
    }

    fn bind(&self) -> Result<Source> {
        let invalid = "invalid mount config for type \"bind\"";
        ensure!(!self.source.is_empty(), "{invalid}: field Source must not be empty");
        ensure!(
            self.source.starts_with(['/', '.']),
            "{invalid}: invalid mount path: '{}' mount path must be absolute",
            self.source
        );
        let propagation = match &*self.propagation {
            "" | "private" | "rprivate" => Propagation::Private,
            "slave" | "rslave" => Propagation::Slave,
            "shared" | "rshared" => {
                bail!("{invalid}: no mount of a container is shared with the host here; rslave is there")
            }
            other => bail!("{invalid}: invalid propagation mode: {other}"),
        };
        Ok(Source::Bind { path: PathBuf::from(&self.source), create: self.create, propagation })
    }

    fn volume(&self) -> Result<Source> {
        let name = (!self.source.is_empty()).then(|| self.source.clone());
        name.as_deref().map_or(Ok(()), check_volume_name)?;
        Ok(Source::Volume { name, fill: !self.nocopy, labels: self.labels.clone() })
    }
}

/// The same words with what depends on the current directory written out.
pub fn settle_mount(text: &str) -> Result<String> {
    let is_source = |key: &str| ["source", "src"].contains(&&*key.to_lowercase());
    let settled = fields(text)?.into_iter().map(|field| match field.split_once('=') {
        Some((key, path)) if is_source(key) && path.starts_with('.') => {
            Ok(quote(&format!("{key}={}", absolute(path)?)))
        }
        _ => Ok(quote(&field)),
    });
    Ok(settled.collect::<Result<Vec<_>>>()?.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i5_wrong_mounts_get_dockers_texts() {
        for (asked, text) in [
            ("", "EOF"),
            ("foo", "invalid field 'foo' must be a key=value pair"),
            ("type=foo,target=/x", "mount type unknown: \"foo\""),
            ("type=bind,source=/x", "target is required"),
            ("type=bind,target=/x", "invalid mount config for type \"bind\": field Source must not be empty"),
            ("type=bind,src=rel,dst=/x", "'rel' mount path must be absolute"),
            ("type=bind,src=/x,dst=rel", "'rel' mount path must be absolute"),
            ("type=bind,src=/x,dst=/", "destination can't be '/'"),
            ("type=bind,src=/x,dst=/y,bogus=1", "unexpected key 'bogus' in 'bogus=1'"),
            ("type=bind,src=/x,dst=/y,ro=maybe", "invalid value for ro: maybe"),
            ("type=bind,src=/x,dst=/y,bind-propagation=nope", "invalid propagation mode: nope"),
            ("type=tmpfs,dst=/y,tmpfs-size=abc", "invalid value for tmpfs-size: abc"),
            ("type=tmpfs,dst=/y,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
            ("type=tmpfs,dst=/y,src=/x", "field Source must not be specified"),
            ("type=tmpfs,dst=/y,volume-nocopy=true", "cannot mix 'volume-*' options with mount type 'tmpfs'"),
            (
                "type=volume,dst=/y,bind-propagation=rslave",
                "cannot mix 'bind-*' options with mount type 'volume'",
            ),
            ("src=a/b,dst=/y", "includes invalid characters for a local volume name"),
        ] {
            let error = format!("{:#}", mount_option(asked).unwrap_err());
            assert!(error.contains(text), "{asked}: {error}");
        }
    }

    #[test]
    fn each_key_counts() {
        let mount = mount_option("type=tmpfs,destination=/y,tmpfs-size=64k,tmpfs-mode=700,readonly").unwrap();
        let tmpfs = Tmpfs { size: Some(65536), mode: 0o700, ..Tmpfs::default() };
        assert_eq!((mount.source, mount.read_only), (Source::Tmpfs(tmpfs), true));
        let mount = mount_option("src=vol,dst=/y,volume-nocopy,volume-label=a=b").unwrap();
        let labels = vec![("a".to_owned(), "b".to_owned())];
        assert_eq!(mount.source, Source::Volume { name: Some("vol".into()), fill: false, labels });
        let mount = mount_option(r#"type=bind,"src=/a,b",dst=/y,bind-propagation=rslave,ro=false"#).unwrap();
        let source = Source::Bind { path: "/a,b".into(), create: false, propagation: Propagation::Slave };
        assert_eq!((mount.source, mount.read_only), (source, false));
    }

    #[test]
    fn what_is_settled_can_be_read_again() {
        let here = std::env::current_dir().unwrap();
        for key in ["src", "source", "SRC"] {
            let settled = settle_mount(&format!("type=bind,{key}=./x,dst=/y")).unwrap();
            assert_eq!(settled, format!("type=bind,{key}={}/x,dst=/y", here.display()));
        }
        assert_eq!(settle_mount(r#""src=/a,b",dst=/y"#).unwrap(), r#""src=/a,b",dst=/y"#);
    }
}
