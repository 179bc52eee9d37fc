//! The options of this step.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use nix::unistd::gethostname;
use step05_userns::is_root;

use crate::helper::program;
use crate::{NamesArgs, Net, Prepared, Publish, firewall, pasta, say, sweep};

// ANCHOR: args
/// What is the container's own about its network.
#[derive(Debug, Clone, Default, Args)]
pub struct NetArgs {
    /// How the container is connected: by a bridge for root, by pasta for others
    #[arg(long, value_name = "HOW")]
    pub network: Option<Network>,
    /// Let others reach a port of the container: [IP:][HOSTPORT:]PORT[/PROTOCOL]
    #[arg(short, long, value_name = "PORTS")]
    pub publish: Vec<Publish>,
    #[command(flatten)]
    /// What it finds under which name
    pub names: NamesArgs,
}

/// The ways to connect a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// Not at all: only its own loopback
    None,
    /// No network of its own: it has the host's
    Host,
    /// A cable into a bridge of the host's, for root
    Bridge,
    /// A helper that speaks for it with sockets of the user
    Pasta,
}
// ANCHOR_END: args

// ANCHOR: net
impl NetArgs {
    /// The wall of this step. `name` is the container's host name, for /etc/hosts; without one
    /// of its own it has the host's.
    ///
    /// # Errors
    /// What was asked for cannot be had. What was not asked for, and cannot be had, is said in
    /// one line, and the container has its loopback.
    pub fn net(&self, name: Option<&str>) -> Result<Net> {
        self.net_in(name, None)
    }

    /// The same, where pasta is to connect a network that is there already.
    ///
    /// # Errors
    /// The same.
    pub fn net_in(&self, name: Option<&str>, prepared: Option<Prepared>) -> Result<Net> {
        sweep()?;
        let of_host = gethostname().unwrap_or_default();
        let name = name.unwrap_or(of_host.to_str().unwrap_or_default());
        let way = self.network.unwrap_or(if is_root() { Network::Bridge } else { Network::Pasta });
        let connected = match way {
            Network::None | Network::Host => {
                if !self.publish.is_empty() {
                    say("published ports are discarded without a network of the container's own");
                }
                return if way == Network::Host {
                    Net::host(name, &self.names)
                } else {
                    Net::loopback(name, &self.names)
                };
            }
            Network::Bridge if !is_root() => {
                bail!("only root may make a bridge\nwithout --network, pasta connects the container")
            }
            Network::Pasta if is_root() => {
                bail!("pasta connects the containers of ordinary users\nwithout --network, root has a bridge")
            }
            Network::Bridge => find("nft", firewall::PACKAGE)
                .and_then(|nft| Net::bridge(&nft, name, &self.publish, &self.names)),
            Network::Pasta => find("pasta", pasta::PACKAGE)
                .and_then(|pasta| pasta::can_open_tun().map(|()| pasta))
                .and_then(|pasta| Net::pasta(pasta, name, self, prepared)),
        };
        match connected {
            Err(error) if !self.is_asked_for() => {
                say(&format!("only the loopback is connected: {}", step01_unshare::message(&error)));
                Net::loopback(name, &self.names)
            }
            Ok(net) => {
                self.tell_chosen_ports(&net);
                Ok(net)
            }
            other => other,
        }
    }

    /// Which port was free is known only now.
    fn tell_chosen_ports(&self, net: &Net) {
        let is_chosen = |publish: &Publish| {
            publish.host.as_ref().is_none_or(|ports| ports.len() != publish.container.len())
        };
        if self.publish.iter().any(is_chosen) {
            for published in net.published() {
                say(&published.to_string());
            }
        }
    }

    pub(crate) fn is_asked_for(&self) -> bool {
        self.network.is_some() || !self.publish.is_empty()
    }
}

fn find(name: &str, package: &str) -> Result<std::path::PathBuf> {
    program(name).with_context(|| format!("{name} is missing\nsudo apt install {package}"))
}
// ANCHOR_END: net
