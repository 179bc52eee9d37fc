//! The options by which a container gets other names than the host has.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Args;

use crate::resolv::Files;

// ANCHOR: names
/// Who is who, beyond what the host says.
#[derive(Debug, Clone, Default, Args)]
pub struct NamesArgs {
    /// Ask this name server, and none of the host's
    #[arg(long, value_name = "IP", value_parser = server)]
    pub dns: Vec<IpAddr>,
    /// Look for short names in this domain, and in none of the host's; `.` for none at all
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    pub dns_search: Vec<String>,
    /// Set an option of the resolver: man 5 resolv.conf
    #[arg(long, alias = "dns-opt", value_name = "OPTION", value_parser = option)]
    pub dns_option: Vec<String>,
    /// Add a line to /etc/hosts; the IP `host-gateway` is the host
    #[arg(long, value_name = "NAME:IP")]
    pub add_host: Vec<AddHost>,
}

/// One `--add-host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddHost {
    name: String,
    /// None means the host itself, as the container reaches it.
    ip: Option<IpAddr>,
}

impl NamesArgs {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.dns.is_empty()
            && self.dns_search.is_empty()
            && self.dns_option.is_empty()
            && self.add_host.is_empty()
    }

    /// Writes it into the files. `gateway` is where the container reaches the host.
    pub(crate) fn change(&self, mut files: Files, gateway: Option<Ipv4Addr>) -> Result<Files> {
        let servers: Vec<_> = self.dns.iter().map(|server| format!("nameserver {server}")).collect();
        replace(&mut files.resolv_conf, &["nameserver"], &servers);
        if !self.dns_search.is_empty() {
            let domains: Vec<_> = self.dns_search.iter().map(|domain| &**domain).collect();
            let line =
                if domains == ["."] { Vec::new() } else { vec![format!("search {}", domains.join(" "))] };
            drop_lines(&mut files.resolv_conf, &["search", "domain"]);
            replace(&mut files.resolv_conf, &[], &line);
        }
        if !self.dns_option.is_empty() {
            replace(
                &mut files.resolv_conf,
                &["options"],
                &[format!("options {}", self.dns_option.join(" "))],
            );
        }
        for AddHost { name, ip } in &self.add_host {
            let ip = match (ip, gateway) {
                (Some(ip), _) => *ip,
                (None, Some(gateway)) => gateway.into(),
                (None, None) => {
                    bail!("cannot add the host {name}: there is no host-gateway with this network")
                }
            };
            files.hosts += &format!("{ip}\t{name}\n");
        }
        Ok(files)
    }
}
// ANCHOR_END: names

// ANCHOR: parse
/// Puts lines in the place of those that begin with one of these words. No lines, no change.
fn replace(text: &mut String, words: &[&str], lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    drop_lines(text, words);
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
}

fn drop_lines(text: &mut String, words: &[&str]) {
    let first = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    let kept = text.lines().filter(|line| !words.contains(&&*first(line)));
    *text = kept.map(|line| format!("{line}\n")).collect();
}

fn server(text: &str) -> Result<IpAddr, String> {
    text.trim().parse().map_err(|_| format!("IP address is not correctly formatted: {text}"))
}

fn domain(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match text.trim() {
        domain if !domain.is_empty() && domain.len() < 255 && domain.bytes().all(is_allowed) => {
            Ok(domain.to_owned())
        }
        _ => Err(format!("{text} is not a valid domain")),
    }
}

fn option(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text} is not a valid option of the resolver")),
    }
}

impl FromStr for AddHost {
    type Err = String;

    /// The texts of the errors are Docker's.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("bad format for add-host: \"{text}\"");
        let (name, ip) = text.split_once(['=', ':']).ok_or_else(bad)?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !is_name || ip.is_empty() {
            return Err(bad());
        }
        if ip == "host-gateway" {
            return Ok(Self { name: name.to_owned(), ip: None });
        }
        let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
        let ip = bare.parse().map_err(|_| format!("invalid IP address in add-host: \"{ip}\""))?;
        Ok(Self { name: name.to_owned(), ip: Some(ip) })
    }
}
// ANCHOR_END: parse

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_replaces_what_the_host_says() {
        let asked = NamesArgs {
            dns: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            dns_search: vec!["example.org".into()],
            dns_option: vec!["ndots:3".into()],
            add_host: vec!["one:192.0.2.9".parse().unwrap(), "host=host-gateway".parse().unwrap()],
        };
        let of_host = "search lan\ndomain lan\noptions edns0\nnameserver 192.0.2.53\n".to_owned();
        let files = asked.change(Files::new("box", of_host), Some([10, 0, 0, 1].into())).unwrap();
        let expected = "nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch example.org\noptions ndots:3\n";
        assert_eq!(files.resolv_conf, expected);
        assert!(files.hosts.ends_with("192.0.2.9\tone\n10.0.0.1\thost\n"), "{}", files.hosts);
    }

    #[test]
    fn a_dot_means_no_domain_at_all() {
        let asked = NamesArgs { dns_search: vec![".".into()], ..NamesArgs::default() };
        let files =
            asked.change(Files::new("box", "search lan\nnameserver 192.0.2.53\n".into()), None).unwrap();
        assert_eq!(files.resolv_conf, "nameserver 192.0.2.53\n");
    }

    #[test]
    fn i10_wrong_names_get_dockers_texts() {
        let error = |text: &str| text.parse::<AddHost>().unwrap_err();
        assert_eq!(error("foo"), "bad format for add-host: \"foo\"");
        assert_eq!(error("foo:bar"), "invalid IP address in add-host: \"bar\"");
        assert_eq!(error("a\nb:192.0.2.1"), "bad format for add-host: \"a\nb:192.0.2.1\"");
        assert_eq!(server("notanip").unwrap_err(), "IP address is not correctly formatted: notanip");
        assert_eq!(domain("a b").unwrap_err(), "a b is not a valid domain");
        assert!(
            "six:[2001:db8::1]".parse::<AddHost>().is_ok() && "six:2001:db8::1".parse::<AddHost>().is_ok()
        );
    }
}
