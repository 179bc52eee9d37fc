//! How a container is connected: the options of `run`, as Docker has them.

use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::Args;
use step06_net::{NamesArgs, Network, Protocol, Publish};

// ANCHOR: network
/// The network of a container.
#[derive(Debug, Clone, Default, Args)]
pub struct NetworkArgs {
    /// How the container is connected: none, host, bridge (for root), pasta (for others), container:NAME
    #[arg(long, alias = "net", value_name = "HOW")]
    pub network: Option<Connection>,
    /// Let others reach a port of the container: [IP:][HOSTPORT:]PORT[/PROTOCOL]
    #[arg(short, long, value_name = "PORTS")]
    pub publish: Vec<Publish>,
    /// Let others reach all ports that the image or --expose names, at any that are free
    #[arg(short = 'P', long)]
    pub publish_all: bool,
    /// Note that the container listens there: PORT[/PROTOCOL]
    #[arg(long, value_name = "PORTS")]
    pub expose: Vec<Expose>,
    /// The domain name inside
    #[arg(long, value_name = "NAME")]
    pub domainname: Option<String>,
    #[command(flatten)]
    /// What it finds under which name
    pub names: NamesArgs,
}

/// Whose network it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// As step 06 connects it; nothing means: as well as can be.
    Own(Option<Network>),
    /// That of another container, by its name or id.
    Container(String),
}
// ANCHOR_END: network

impl FromStr for Connection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(other) = text.strip_prefix("container:") {
            return match other {
                "" => Err("invalid network mode: container:<name|id> needs a name or an id".to_owned()),
                other => Ok(Self::Container(other.to_owned())),
            };
        }
        match text {
            "" | "default" => Ok(Self::Own(None)),
            "none" => Ok(Self::Own(Some(Network::None))),
            "host" => Ok(Self::Own(Some(Network::Host))),
            "bridge" => Ok(Self::Own(Some(Network::Bridge))),
            "pasta" => Ok(Self::Own(Some(Network::Pasta))),
            other => Err(format!("network {other} not found")),
        }
    }
}

/// One `--expose`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expose {
    /// One or several.
    pub ports: RangeInclusive<u16>,
    /// What is spoken there.
    pub protocol: Protocol,
}

impl Expose {
    /// As `-P` publishes them.
    pub fn publish(&self) -> Publish {
        Publish { ip: None, host: None, container: self.ports.clone(), protocol: self.protocol }
    }
}

impl FromStr for Expose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            return Err(format!("invalid port format for --expose: {text}"));
        }
        let publish: Publish = text
            .parse()
            .map_err(|error| format!("invalid range format for --expose: {text}, error: {error}"))?;
        Ok(Self { ports: publish.container, protocol: publish.protocol })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_wrong_networks_are_named() {
        let error = |text: &str| text.parse::<Connection>().unwrap_err();
        assert_eq!(error("nope"), "network nope not found");
        assert!(error("container:").contains("needs a name or an id"));
        let error = |text: &str| text.parse::<Expose>().unwrap_err();
        assert!(error("abc").starts_with("invalid range format for --expose: abc, error: "));
        assert!(
            error("9-8").contains("invalid range format") && error("80/icmp").contains("invalid proto: icmp")
        );
        assert_eq!(error("1:2"), "invalid port format for --expose: 1:2");
        assert_eq!("80-82/udp".parse::<Expose>().unwrap().ports, 80..=82);
    }
}
