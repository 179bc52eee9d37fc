//! Forwarding: whether the host passes on what is not for itself, and how it is put back.
//!
//! Where the host forwards already (Docker, a router, a virtual machine's network) nothing is
//! changed. Where it does not, the first container switches it on, and the last one off.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

// ANCHOR: forwarding
const CONF: &str = "/proc/sys/net/ipv4/conf";
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// To the kernel every number but 0 means "on". Everybody else writes 1: if that is there later,
/// somebody has come to need it too, and it is not ours to switch off any more.
const ON_FOR_US: &str = "2";

/// How forwarding was before us, as one line of text, which is kept where the kernel keeps it
/// for us: in the alias of the bridge.
pub(crate) fn remember() -> Result<String> {
    if is_on(FORWARD) {
        return Ok("forwarding was on".to_owned());
    }
    let redirects = fs::read_to_string(redirects()).unwrap_or_default();
    // Single links may forward although the host as a whole does not. An alias has room for 255
    // bytes.
    let single = links().into_iter().filter(|link| is_on(&switch(link))).take(10);
    let single = single.collect::<Vec<_>>().join(",");
    Ok(format!("forwarding was off, accept_redirects {}, but for: {single}", redirects.trim()))
}

/// Switches it on, if it is not.
pub(crate) fn switch_on() -> Result<()> {
    if is_on(FORWARD) {
        return Ok(());
    }
    fs::write(FORWARD, ON_FOR_US).with_context(|| format!("cannot write {ON_FOR_US} to {FORWARD}"))
}

/// The links between which nothing would be forwarded without us: a laptop does not become a router for all whom it meets.
pub(crate) fn only_for_us(remembered: &str) -> Vec<String> {
    let Some((_, single)) = as_it_was(remembered).filter(|_| is_for_us()) else { return Vec::new() };
    let is_ours = |link: &str| link.starts_with("coracle");
    let is_plain =
        |link: &str| link.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    let all = links().into_iter().filter(|link| !["all", "default", "lo"].contains(&&**link));
    all.filter(|link| !is_ours(link) && is_plain(link) && !single.split(',').any(|one| one == link)).collect()
}

/// Puts back what [`remember`] has found, unless somebody else has changed it meanwhile.
pub(crate) fn put_back(remembered: &str) -> Result<()> {
    let Some((accept, single)) = as_it_was(remembered).filter(|_| is_for_us()) else { return Ok(()) };
    fs::write(FORWARD, "0").with_context(|| format!("cannot write 0 to {FORWARD}"))?;
    // The kernel changes this one along with forwarding.
    fs::write(redirects(), accept).with_context(|| format!("cannot write {accept} to {}", redirects()))?;
    for link in single.split(',').filter(|link| !link.is_empty()) {
        // The link may be gone.
        let _ = fs::write(switch(link), "1");
    }
    Ok(())
}
// ANCHOR_END: forwarding

// ANCHOR: switches
/// Of what [`remember`] says, where it was off: the one switch, and the links. Where there is nothing to split at, all is
/// the first half.
fn as_it_was(remembered: &str) -> Option<(&str, &str)> {
    let words = remembered.strip_prefix("forwarding was off, accept_redirects ")?;
    let (words, _) = words.split_once(';').unwrap_or((words, ""));
    Some(words.split_once(", but for: ").unwrap_or((words, "")))
}

/// Whether it is on, and for nobody else.
fn is_for_us() -> bool {
    fs::read_to_string(FORWARD).is_ok_and(|text| text.trim() == ON_FOR_US)
}

fn is_on(file: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.trim() != "0")
}

fn redirects() -> String {
    format!("{CONF}/all/accept_redirects")
}

fn switch(link: &str) -> String {
    format!("{CONF}/{link}/forwarding")
}

fn links() -> Vec<String> {
    let entries = fs::read_dir(Path::new(CONF)).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
// ANCHOR_END: switches
