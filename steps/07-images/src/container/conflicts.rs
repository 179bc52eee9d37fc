//! Options that contradict each other, in Docker's words.

use anyhow::{Result, bail};
use step06_net::Network;

use crate::commands::{Connection, RunArgs, Sharing};

/// The kernel keeps no longer name (`man 2 sethostname`), in bytes.
const LONGEST_NAME: usize = 64;

// ANCHOR: conflicts
/// # Errors
/// Two options cannot both be, or a name is too long.
pub(super) fn check(run: &RunArgs) -> Result<()> {
    let network = &run.network;
    if let Some(Connection::Container(_)) = network.network {
        let refused = [
            (run.hostname.is_some(), "hostname and the network mode"),
            (!network.names.dns.is_empty(), "dns and the network mode"),
            (!network.names.add_host.is_empty(), "custom host-to-IP mapping and the network mode"),
            (
                !network.publish.is_empty() || network.publish_all,
                "port publishing and the container type network mode",
            ),
            (!network.expose.is_empty(), "port exposing and the container type network mode"),
        ];
        if let Some((_, what)) = refused.iter().find(|(given, _)| *given) {
            bail!("conflicting options: {what}");
        }
    }
    if run.sharing.uts == Some(Sharing::Host) && (run.hostname.is_some() || network.domainname.is_some()) {
        bail!("conflicting options: hostname and the UTS mode");
    }
    for (what, name) in [("hostname", &run.hostname), ("domainname", &network.domainname)] {
        if let Some(name) =
            name.as_ref().filter(|name| name.len() > LONGEST_NAME || name.contains(['\0', '\n']))
        {
            bail!("invalid {what}: it has {} bytes, and at most {LONGEST_NAME} are allowed", name.len());
        }
    }
    for sysctl in &run.sysctl {
        let name = sysctl.name.replace('/', ".");
        if sysctl.is_of_net() && network.network == Some(Connection::Own(Some(Network::Host))) {
            bail!("sysctl \"{name}\" not allowed in host network namespace");
        }
        if sysctl.is_of_ipc() && run.sharing.ipc == Some(Sharing::Host) {
            bail!("sysctl \"{name}\" is not allowed in the hosts ipc namespace");
        }
    }
    Ok(())
}
// ANCHOR_END: conflicts
