//! Proxies, by the environment: `HTTPS_PROXY`, `HTTP_PROXY`, and `NO_PROXY` for whom we reach ourselves.
//!
//! Each in small letters too. The rules are those of Docker, which has them from the Go package
//! `golang.org/x/net/http/httpproxy`. This machine itself is never reached by a proxy.

use std::env;
use std::net::IpAddr;

use anyhow::{Context, Result};
use ureq::Proxy;
use ureq::http::Uri;

use super::is_loopback;

/// The proxy for addresses with this scheme, if there is one.
pub(super) fn of_scheme(scheme: &str) -> Result<Option<Proxy>> {
    let name = format!("{scheme}_proxy").to_uppercase();
    let Some(address) = variable(&name) else { return Ok(None) };
    // It may have a password.
    Proxy::new(&address).map(Some).ok().with_context(|| format!("{name} is not the address of a proxy"))
}

/// Whether an address is reached without a proxy.
pub(super) fn is_direct(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().to_lowercase();
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    is_loopback(&host) || variable("NO_PROXY").is_some_and(|list| is_listed(&host, port, &list))
}

/// Words, separated by commas: `*`, an address, a range of addresses, a name with all names below it (without itself,
/// if it begins with a dot); a name or an address with a port means this port alone.
fn is_listed(host: &str, port: u16, list: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).any(|word| {
        let word = word.to_lowercase();
        if word == "*" || in_range(bare, &word) {
            return true;
        }
        let (name, wanted) = match word.rsplit_once(':') {
            Some((name, wanted)) if !name.contains(':') || name.ends_with(']') => (name, wanted.parse().ok()),
            _ => (&*word, None),
        };
        if wanted.is_some_and(|wanted: u16| wanted != port) {
            return false;
        }
        let name = name.trim_start_matches('[').trim_end_matches(']').trim_start_matches('*');
        match name.strip_prefix('.') {
            Some(_) => bare.ends_with(name),
            None => bare == name || bare.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
        }
    })
}

/// Whether an address is in a range such as `10.0.0.0/8`.
pub(super) fn in_range(address: &str, range: &str) -> bool {
    let bits = |text: &str| -> Option<(u128, u32)> {
        Some(match text.parse().ok()? {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        })
    };
    let contains = || {
        let (first, length) = range.split_once('/')?;
        let (first, wanted, length) = (bits(first)?, bits(address)?, length.parse::<u32>().ok()?);
        if first.1 != wanted.1 || length > first.1 {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        Some(first.0 & mask == wanted.0 & mask)
    };
    contains().unwrap_or(false)
}

fn variable(name: &str) -> Option<String> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    set(name).or_else(|| set(&name.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r12_no_proxy_has_the_rules_of_go() {
        for (host, list, expected) in [
            ("a.example", "*", true),
            ("a.example", "example", true),
            ("example", ".example", false),
            ("a.example", ".example, b", true),
            ("an-example", "example", false),
            ("a.example", "a.example:443", true),
            ("a.example", "a.example:5000", false),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("11.1.2.3", "10.0.0.0/8", false),
            ("10.1.2.3", "0.0.0.0/0", true),
            ("[fe80::1]", "fe80::/10", true),
            ("[fe80::1]", "fe80::1", true),
            ("10.1.2.3", "fe80::/0,10.0.0.0/99,/8,10.0.0.0/", false),
            ("a.example", "", false),
        ] {
            assert_eq!(is_listed(host, 443, list), expected, "{host} in {list}");
        }
    }
}
