//! Manifests: short documents, which say what an image is made of.

use std::io::Read;

use anyhow::{Result, anyhow};

use super::Registry;
use super::http::{Trouble, header};
use crate::digest::Digest;
use crate::manifest::{ACCEPTED, LARGEST_DOCUMENT};
use crate::names::Version;
use crate::text::printable;

/// A manifest or an index, with its digest.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The hash of `text`: computed, never believed.
    pub digest: Digest,
    /// What the registry calls it.
    pub content_type: String,
    /// The document as it came.
    pub text: Vec<u8>,
}

impl Registry {
    /// Gets a manifest or an index, of at most 4 MiB, and computes its digest. Asked by digest, it must have that one;
    /// and if the registry tells a digest, that one too.
    pub fn manifest(&self, version: &Version) -> Result<Fetched> {
        if let Some(fetched) = self.of_mirrors(|mirror| mirror.manifest(version)) {
            return Ok(fetched);
        }
        let wanted = match version {
            Version::Tag(tag) => tag.clone(),
            Version::Digest(digest) => digest.to_string(),
        };
        let what = format!("manifest {wanted}");
        self.patiently(&what, |_| {
            let response = self.get(&format!("manifests/{wanted}"), &ACCEPTED, 0)?;
            let content_type = header(&response.headers, "content-type").unwrap_or("").to_owned();
            let told = header(&response.headers, "docker-content-digest").map(str::to_owned);
            let mut text = Vec::new();
            let read = response.body.take(LARGEST_DOCUMENT + 1).read_to_end(&mut text);
            read.map_err(|error| Trouble::Passing(error.into()))?;
            if text.len() as u64 > LARGEST_DOCUMENT {
                return Err(anyhow!("it is longer than {LARGEST_DOCUMENT} bytes").into());
            }
            let digest = Digest::of(&text);
            let asked = match version {
                Version::Digest(asked) => Some(asked.to_string()),
                Version::Tag(_) => None,
            };
            for expected in asked.into_iter().chain(told) {
                if expected != digest.to_string() {
                    let expected = printable(&expected);
                    return Err(
                        anyhow!("it has other content: expected {expected}, but it is {digest}").into()
                    );
                }
            }
            Ok(Fetched { digest, content_type, text })
        })
    }
}
