//! Digests: how content is named by its hash.
//!
//! Whoever knows the digest of a thing can fetch the thing from anybody and check it: that is the whole security of
//! an image store. The grammar is that of the OCI image specification, descriptor.md, section "Digests".

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use anyhow::{Error, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use sha2::Sha256;

// ANCHOR: digest
/// The SHA-256 of some content, written `sha256:` and 64 lower-case hexadecimal digits.
///
/// It is a part of file names in the store, so nothing becomes a `Digest` that is not of exactly this form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of bytes that are already in memory.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// The 64 digits alone: the name of a file below `blobs/sha256/`.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
// ANCHOR_END: digest

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some(digits) = text.strip_prefix("sha256:") else {
            if text.starts_with("sha512:") {
                bail!("digest {} is not supported: only sha256 is", quoted(text));
            }
            bail!("invalid digest {}: it must be \"sha256:\" and 64 hexadecimal digits", quoted(text));
        };
        let mut bytes = [0; 32];
        let well_formed =
            digits.len() == 64 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if !well_formed {
            bail!("invalid digest {}: \"sha256:\" is followed by 64 digits of 0-9 and a-f", quoted(text));
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = value(pair[0]) << 4 | value(pair[1]);
        }
        Ok(Self(bytes))
    }
}

fn value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}

/// The text comes from a registry: it is printed escaped, and not at any length.
fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Hashes and counts what is given to it piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    sha256: Sha256,
    length: u64,
}

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.sha256.update(piece);
        self.length += piece.len() as u64;
    }

    /// How many bytes it was given so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest of all pieces so far.
    pub fn digest(&self) -> Digest {
        Digest(self.sha256.clone().finalize().into())
    }
}

/// Hashes and counts what passes through it while somebody else reads: content is checked while it streams, so that
/// it never needs to be in memory, or on disk under its name, before its digest is known.
pub struct HashingReader<R> {
    source: R,
    hasher: Hasher,
}

impl<R: Read> HashingReader<R> {
    /// Reads from `source`, a `Box<dyn Read>` or a `&mut dyn Read`.
    pub fn new(source: R) -> Self {
        Self { source, hasher: Hasher::default() }
    }

    /// How many bytes have passed.
    pub fn length(&self) -> u64 {
        self.hasher.length()
    }

    /// The digest of what has passed.
    pub fn digest(&self) -> Digest {
        self.hasher.digest()
    }
}

// ANCHOR: hashing_reader
impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
// ANCHOR_END: hashing_reader

#[cfg(test)]
mod tests {
    use super::*;

    const OF_NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_reads_back_as_it_is_written() {
        assert_eq!(Digest::of(b"").to_string(), OF_NOTHING);
        assert_eq!(OF_NOTHING.parse::<Digest>().unwrap(), Digest::of(b""));
        assert_eq!(serde_json::to_string(&Digest::of(b"")).unwrap(), format!("\"{OF_NOTHING}\""));
        assert_eq!(serde_json::from_str::<Digest>(&format!("\"{OF_NOTHING}\"")).unwrap(), Digest::of(b""));
    }

    #[test]
    fn l23_what_is_no_digest_is_refused_by_grammar() {
        let upper = OF_NOTHING.to_uppercase().replace("SHA256", "sha256");
        let short = &OF_NOTHING[..OF_NOTHING.len() - 1];
        let long = format!("{OF_NOTHING}0");
        let slash = format!("{short}/");
        let spaced = format!(" {OF_NOTHING}");
        let newline = format!("{OF_NOTHING}\n");
        let bad = [
            "",
            "sha256",
            "sha256:",
            "sha256:../../x",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            &OF_NOTHING[7..],
        ];
        for text in bad.into_iter().chain([&*upper, short, &long, &slash, &spaced, &newline]) {
            let error = text.parse::<Digest>().unwrap_err().to_string();
            assert!(error.starts_with("invalid digest "), "{text:?}: {error}");
            assert_eq!(error.lines().count(), 1, "{text:?}: {error}");
        }
    }

    #[test]
    fn l23_sha512_is_refused_by_name() {
        let error = format!("sha512:{}", "0".repeat(128)).parse::<Digest>().unwrap_err().to_string();
        assert!(error.ends_with("is not supported: only sha256 is"), "{error}");
    }

    #[test]
    fn a_reader_hashes_what_passes() {
        let mut reader = HashingReader::new(&b"some content"[..]);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!((reader.length(), reader.digest()), (12, Digest::of(b"some content")));
    }
}
