//! Blobs: much content, over lines that break.

use std::io::{ErrorKind, Read};

use anyhow::{Result, anyhow};

use super::Registry;
use super::http::{Response, Trouble, header};
use crate::manifest::Descriptor;
use crate::store::Incoming;

/// So many new bytes are worth a fresh start of the tries.
const PROGRESS: u64 = 1 << 20;

impl Registry {
    /// Gets a blob. After a cut it goes on where it was, if the registry can, also after one of an earlier pull;
    /// `progress` is told how many bytes are here, and may stop it. The caller verifies the whole by
    /// [`crate::store::Writer::keep`].
    // ANCHOR: resume
    pub fn blob(
        &self,
        blob: &Descriptor,
        into: &mut Incoming,
        progress: &dyn Fn(u64) -> Result<()>,
    ) -> Result<()> {
        if self.of_mirrors(|mirror| mirror.blob(blob, into, progress)).is_some() {
            return Ok(());
        }
        let mut gained = into.position();
        self.patiently(&format!("blob {}", blob.digest), |tries| {
            progress(into.position())?;
            if into.is_right() {
                return Ok(());
            }
            if into.is_complete() {
                into.restart()?;
            }
            if into.position() >= gained + PROGRESS {
                tries.start_over();
                gained = into.position();
            }
            let response = self.get(&format!("blobs/{}", blob.digest), &["*/*"], into.position())?;
            let etag = header(&response.headers, "etag");
            if into.position() > 0 {
                let before = into.etag();
                let is_the_same = before.is_none() || before.as_deref() == etag;
                if !(is_the_same && goes_on(&response, into.position())) {
                    into.restart()?;
                    gained = 0;
                    if response.status != 200 {
                        return Err(Trouble::Passing(anyhow!("the registry went on somewhere else")));
                    }
                }
            }
            if into.position() == 0 {
                into.set_etag(etag);
            }
            receive(response, into, progress)?;
            if into.is_inherited() && !into.is_right() {
                into.restart()?;
                return Err(Trouble::Passing(anyhow!("what an earlier pull had left was damaged")));
            }
            Ok(())
        })
    }
    // ANCHOR_END: resume
}

/// Whether this is the rest that was asked for (RFC 9110, section 14.4). Everything from the start is 200.
fn goes_on(response: &Response, position: u64) -> bool {
    let range = header(&response.headers, "content-range").unwrap_or("");
    let first = range.strip_prefix("bytes ").and_then(|range| range.split('-').next());
    response.status == 206 && first.and_then(|first| first.parse().ok()) == Some(position)
}

/// Reads until the end, or until there is one byte too many: what the headers say of the length is not asked.
fn receive(
    mut response: Response,
    into: &mut Incoming,
    progress: &dyn Fn(u64) -> Result<()>,
) -> Result<(), Trouble> {
    let mut piece = vec![0; 64 << 10];
    loop {
        match response.body.read(&mut piece) {
            Ok(0) if into.is_complete() => return Ok(()),
            Ok(0) => return Err(Trouble::Passing(anyhow!("it ended after {} bytes", into.position()))),
            Ok(count) => into.write(&piece[..count])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // All is here, and only the end of the answer is not: the digest will tell.
            Err(_) if into.is_complete() => return Ok(()),
            Err(error) => {
                let place = into.position();
                return Err(Trouble::Passing(anyhow!("it broke off after {place} bytes: {error}")));
            }
        }
        progress(into.position())?;
    }
}
