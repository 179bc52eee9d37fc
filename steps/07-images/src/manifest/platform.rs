//! Platforms: which of an index's manifests this machine can run.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::text::printable;

/// An operating system, an architecture, and which generation of it, in the words of Go: `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, `arm` …
    pub architecture: String,
    /// `v7` of arm, `v3` of amd64 …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// What this program was compiled for.
    pub fn of_this_machine() -> Self {
        Self::new("linux", std::env::consts::ARCH, None)
    }

    // ANCHOR: fits
    /// How well an image for `self` runs where `wanted` is asked for: the greatest wins, `None` does not run.
    ///
    /// Generations of a processor run what was built for those before them.
    pub fn fits(&self, wanted: &Self) -> Option<u32> {
        let (offered, wanted) = (self.normal(), wanted.normal());
        let same = offered.os == wanted.os && offered.architecture == wanted.architecture;
        let (offered, wanted) = (offered.generation()?, wanted.generation()?);
        (same && offered <= wanted).then_some(offered)
    }
    // ANCHOR_END: fits

    fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let platform = Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.filter(|v| !v.is_empty()).map(str::to_owned),
        };
        platform.normal()
    }

    /// Other people's names for the same thing, made Go's.
    fn normal(&self) -> Self {
        let (architecture, variant) = match &*self.architecture {
            "x86_64" | "x86-64" => ("amd64", None),
            "aarch64" => ("arm64", None),
            "x86" | "i386" | "i686" => ("386", None),
            "armhf" => ("arm", Some("v7")),
            "armel" => ("arm", Some("v6")),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Self {
            os: self.os.clone(),
            architecture: architecture.to_owned(),
            variant: self.variant.clone().or(variant.map(str::to_owned)),
        }
    }

    /// `v7` is 7; without a variant, what Go's tools take for granted. `None` where it is no number.
    fn generation(&self) -> Option<u32> {
        match (&*self.architecture, self.variant.as_deref().unwrap_or("")) {
            ("arm", "") => Some(7),
            ("arm64", "") => Some(8),
            (_, "") => Some(1),
            (_, variant) => variant.trim_start_matches('v').parse().ok(),
        }
    }
}

/// `os/arch` or `os/arch/variant`, as after `--platform`.
impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        ensure!(
            matches!(parts.len(), 2 | 3) && parts.iter().all(is_word),
            "invalid platform \"{}\": it must be os/architecture, as in linux/amd64 or linux/arm/v7",
            printable(text)
        );
        let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
        Ok(Self::new(&lower[0], &lower[1], lower.get(2).map(String::as_str)))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.variant.as_deref().filter(|v| !v.is_empty()) {
            Some(variant) => format!("{}/{}/{variant}", self.os, self.architecture),
            None => format!("{}/{}", self.os, self.architecture),
        };
        formatter.write_str(&printable(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(offered: &str, wanted: &str) -> Option<u32> {
        let [offered, wanted]: [Platform; 2] = [offered, wanted].map(|p| p.parse().unwrap());
        offered.fits(&wanted)
    }

    #[test]
    fn l27_a_newer_processor_takes_what_was_built_for_an_older_one() {
        assert!(fits("linux/arm/v7", "linux/arm/v7") > fits("linux/arm/v6", "linux/arm/v7"));
        assert!(fits("linux/arm/v6", "linux/arm/v7").is_some());
        assert_eq!(fits("linux/arm/v7", "linux/arm/v6"), None);
        assert_eq!(fits("linux/amd64/v3", "linux/amd64"), None);
        assert!(fits("linux/amd64", "linux/amd64/v3").is_some());
    }

    #[test]
    fn l27_names_of_one_architecture_are_the_same() {
        assert!(fits("linux/aarch64", "linux/arm64/v8").is_some());
        assert!(fits("linux/x86_64", "linux/amd64").is_some());
        assert_eq!(fits("windows/amd64", "linux/amd64"), None);
        assert_eq!(fits("unknown/unknown", "linux/amd64"), None);
    }

    #[test]
    fn i10_nonsense_is_no_platform() {
        for text in ["", "linux", "nonsense", "linux/", "a/b/c/d", "linux/a b"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
