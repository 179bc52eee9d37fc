//! Names of images: the reference grammar.
//!
//! `alpine` is short for `docker.io/library/alpine:latest`. What is short and what is an error is Docker's choice, and
//! everybody's habit: the rules are those of the Go package `github.com/distribution/reference`, with its own texts.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};

use crate::digest::Digest;

/// The registry of names that name none.
pub const DEFAULT_REGISTRY: &str = "docker.io";

/// The full name of an image: `registry/repository:tag`, or `registry/repository@digest`.
///
/// Written with `{}` it is the whole normalised reference, as it stands in the store's `index.json`.
// ANCHOR: reference
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The host, with its port if one was given: `docker.io`, `localhost:5000`, `[::1]:5000`.
    pub registry: String,
    /// The path below the registry: `library/alpine`.
    pub repository: String,
    /// Which image of the repository.
    pub version: Version,
}

/// A name that can move, or content that cannot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// A tag; `latest` where none was given.
    Tag(String),
    /// The digest of the manifest. A tag beside it is dropped, as Docker does: the digest already decides.
    Digest(Digest),
}
// ANCHOR_END: reference

impl Reference {
    /// The name as Docker shows it: without `docker.io/` and `library/`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.version)
    }

    /// The familiar name without tag or digest: the column REPOSITORY of `images`.
    pub fn familiar_name(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return format!("{}/{}", self.registry, self.repository);
        }
        let short = match self.repository.strip_prefix("library/") {
            Some(name) if !name.contains('/') => name,
            _ => &self.repository,
        };
        // `docker.io/host.example/box` is not what `host.example/box` means.
        match split_registry(short) == (DEFAULT_REGISTRY, self.repository.clone()) {
            true => short.to_owned(),
            false => format!("{}/{}", self.registry, self.repository),
        }
    }
}

// ANCHOR: parse
impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if is_id(text) {
            bail!("invalid repository name ({text}), cannot specify 64-byte hexadecimal strings");
        }
        let (registry, rest) = split_registry(text);
        let (name, digest) = match rest.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (&*rest, None),
        };
        let (repository, tag) = match name.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (name, None),
        };
        if repository.chars().any(char::is_uppercase) {
            bail!(
                "invalid reference format: repository name ({}) must be lowercase",
                repository.escape_debug()
            );
        }
        let well_formed = is_registry(registry)
            && repository.split('/').all(is_path_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(looks_like_a_digest);
        ensure!(well_formed, "invalid reference format");
        ensure!(repository.len() <= 255, "repository name must not be more than 255 characters");
        let version = match digest {
            Some(digest) => Version::Digest(digest.parse()?),
            None => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), version })
    }
}
// ANCHOR_END: parse

/// The registry that a word of `login` means: a host, with a port perhaps, or its address.
pub fn registry(text: &str) -> Result<String> {
    let address = text.trim_start_matches("https://").trim_start_matches("http://");
    let host = address.split('/').next().unwrap_or_default();
    ensure!(is_registry(host), "invalid registry: \"{}\"", crate::text::printable(text));
    Ok(match host {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY.to_owned(),
        host => host.to_owned(),
    })
}

// ANCHOR: split_registry
/// What stands before the first slash is a registry only if it cannot be the first part of a path: it has a dot, a
/// port or a capital letter, or it is `localhost`.
fn split_registry(text: &str) -> (&str, String) {
    let (registry, repository) = match text.split_once('/') {
        Some(("index.docker.io", rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        _ => (DEFAULT_REGISTRY, text),
    };
    if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        return (registry, format!("library/{repository}"));
    }
    (registry, repository.to_owned())
}
// ANCHOR_END: split_registry

/// 64 hexadecimal digits are the id of an image, never its name.
pub fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_registry(text: &str) -> bool {
    // The colons of an IPv6 address stand in brackets, so that the last one outside of them begins the port.
    let host_end = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match text[host_end..].split_once(':') {
        Some((host, port)) => (&text[..host_end + host.len()], Some(port)),
        None => (text, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(ipv6) => !ipv6.is_empty() && ipv6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => host.split('.').all(is_domain_component),
    };
    is_host && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_domain_component(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Lower-case letters and digits, joined by one dot, one or two underscores, or any number of dashes.
fn is_path_component(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let begins_and_ends_well =
        text.bytes().next().is_some_and(is_word) && text.bytes().last().is_some_and(is_word);
    begins_and_ends_well
        && text
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .filter(|separator| !separator.is_empty())
            .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

pub(crate) fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

/// Docker's grammar of digests is wider than ours: what it takes for a digest gets the more exact error of [`Digest`].
fn looks_like_a_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, digits)| {
        algorithm.split(['-', '_', '+', '.']).all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()))
            && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_+.".contains(&b))
            && digits.len() >= 32
            && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}{}", self.registry, self.repository, self.version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(formatter, ":{tag}"),
            Self::Digest(digest) => write!(formatter, "@{digest}"),
        }
    }
}
