//! The list of a repository's tags, page by page.

use std::collections::HashSet;
use std::io::Read;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;

use super::Registry;
use super::http::{Trouble, header, origin, parse};
use crate::names::is_tag;
use crate::text::printable;

/// The longest page, in bytes.
const LONGEST: u64 = 4 << 20;

/// No list is longer, in pages: whoever sends more does not want to end.
const MOST_PAGES: usize = 1000;

/// Nor has any repository so many tags: a page alone has room for a million of them.
const MOST_TAGS: usize = 100_000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

impl Registry {
    /// All tags (OCI distribution specification, section "Listing Tags").
    pub fn tags(&self) -> Result<Vec<String>> {
        let repository = self.repository.as_deref().unwrap_or_default();
        let mut tags = Vec::new();
        let mut next = Some(format!("{}/v2/{repository}/tags/list", self.address));
        let mut seen = HashSet::new();
        while let Some(url) = next {
            ensure!(seen.insert(url.clone()), "the list of tags leads in a circle");
            ensure!(seen.len() <= MOST_PAGES, "the list of tags has more than {MOST_PAGES} pages");
            let (page, link) = self.patiently("the tags", |_| self.page(&url))?;
            tags.extend(page.tags.unwrap_or_default());
            ensure!(tags.len() <= MOST_TAGS, "the list of tags has more than {MOST_TAGS} of them");
            next = link.map(|link| self.resolve(&url, &link)).transpose()?;
        }
        if let Some(bad) = tags.iter().find(|tag| !is_tag(tag)) {
            return Err(anyhow!("the list of tags has one that is none: \"{}\"", printable(bad)));
        }
        Ok(tags)
    }

    fn page(&self, url: &str) -> Result<(Page, Option<String>), Trouble> {
        let (response, _) = self.request(url, &["application/json"], 0)?;
        let link = header(&response.headers, "link").and_then(next_of).map(str::to_owned);
        let mut text = Vec::new();
        let read = response.body.take(LONGEST + 1).read_to_end(&mut text);
        read.map_err(|error| Trouble::Passing(error.into()))?;
        if text.len() as u64 > LONGEST {
            return Err(anyhow!("a page is longer than {LONGEST} bytes").into());
        }
        Ok((serde_json::from_slice(&text).context("it is not the JSON that is expected")?, link))
    }

    /// The next page is on the same server, or nowhere: our authorization goes along.
    fn resolve(&self, here: &str, link: &str) -> Result<String> {
        let here = origin(&parse(here)?);
        let url = match link.starts_with('/') && !link.starts_with("//") {
            true => format!("{here}{link}"),
            false => link.to_owned(),
        };
        let there = origin(&parse(&url)?);
        ensure!(there == here, "the list of tags goes on at another server: {}", printable(&there));
        Ok(url)
    }
}

/// `</v2/x/tags/list?last=b>; rel="next"` (RFC 8288).
pub(super) fn next_of(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then_some(target)
}
