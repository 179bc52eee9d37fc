//! How the container is connected, and what it is called.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::unistd::gethostname;
use step04_mount::{Root, Volume};
use step06_net::{Net, NetArgs, Network, Publish};

use super::Asked;
use super::sharing::Donor;
use crate::commands::{Connection, Expose, Sharing};
use crate::text::printable;

/// Where the container notes which files say who is who in its network: one who joins it gets the same.
const NAMES_FILE: &str = "names";

impl Asked {
    // ANCHOR: network
    /// The network, whose files in /etc are mounted over the image's.
    ///
    /// # Errors
    /// Those of [`NetArgs::net`]; or the other container does not run.
    pub fn network(&self, root: &mut Root) -> Result<Net> {
        let net = match &self.run.network.network {
            Some(Connection::Container(other)) => {
                let donor = Donor::find(self.state_directory(), other, "network")?;
                let files = read_names(&donor.directory)?;
                Net::joined(donor.process, files)
            }
            own => {
                let network = match own {
                    Some(Connection::Own(network)) => *network,
                    _ => None,
                };
                let args =
                    NetArgs { network, publish: self.asked_ports()?, names: self.run.network.names.clone() };
                let has_helper = !matches!(network, Some(Network::None | Network::Host));
                let donor = if has_helper { self.donor_of_user()? } else { None };
                let prepared = donor.map(|donor| donor.network()).transpose()?;
                args.net_in(Some(&self.hostname()), prepared)?
            }
        };
        for file in net.files() {
            // Whoever mounts something there himself means it.
            if self.mounts.iter().all(|mount| mount.target != file.target) {
                root.entries.push(file.entry()?);
            }
        }
        write_names(&self.directory, net.files())?;
        let ports = net.published().iter();
        let mut ports: Vec<String> =
            ports.map(|port| format!("{}->{}/{}", port.host, port.container, port.protocol)).collect();
        // An image may name all ports that there are: so each of them is not looked for among all others.
        let published: HashSet<&str> =
            ports.iter().filter_map(|port| Some(port.split_once("->")?.1)).collect();
        let noted = self.noted_ports().into_iter().map(|(number, protocol)| format!("{number}/{protocol}"));
        let noted: Vec<_> = noted.filter(|port| !published.contains(&**port)).collect();
        ports.extend(noted);
        *self.ports.borrow_mut() = ports;
        Ok(net)
    }
    // ANCHOR_END: network

    /// `-p`, and with `-P` what the image and `--expose` name.
    fn asked_ports(&self) -> Result<Vec<Publish>> {
        let network = &self.run.network;
        let mut all = network.publish.clone();
        if network.publish_all {
            let of_image = self.image.settings.exposed_ports.keys().map(|text| {
                let read = text.parse::<Expose>().map_err(anyhow::Error::msg);
                read.with_context(|| format!("the image says that it listens at \"{}\"", printable(text)))
            });
            let mut exposed = of_image.collect::<Result<Vec<_>>>()?;
            exposed.extend(network.expose.iter().cloned());
            for publish in exposed.iter().map(Expose::publish) {
                let is_asked = |other: &Publish| {
                    (&other.container, other.protocol) == (&publish.container, publish.protocol)
                };
                if !all.iter().any(is_asked) {
                    all.push(publish);
                }
            }
        }
        Ok(all)
    }

    /// Where it says that it listens, in a network of its own: `80/tcp`. A note of the image's that makes no sense is none.
    fn noted_ports(&self) -> BTreeSet<(u16, String)> {
        let network = &self.run.network;
        if !matches!(
            network.network,
            None | Some(Connection::Own(None | Some(Network::Bridge | Network::Pasta)))
        ) {
            return BTreeSet::new();
        }
        let of_image =
            self.image.settings.exposed_ports.keys().filter_map(|text| text.parse::<Expose>().ok());
        let all = of_image.chain(network.expose.iter().cloned());
        all.flat_map(|expose| expose.ports.map(move |port| (port, expose.protocol.to_string()))).collect()
    }

    /// How it is connected, in the words of `--network`.
    pub fn network_mode(&self) -> String {
        match &self.run.network.network {
            Some(Connection::Container(other)) => format!("container:{other}"),
            Some(Connection::Own(Some(network))) => match network {
                Network::None => "none".to_owned(),
                Network::Host => "host".to_owned(),
                Network::Bridge => "bridge".to_owned(),
                Network::Pasta => "pasta".to_owned(),
            },
            _ => "default".to_owned(),
        }
    }

    /// The host name: the one asked for; the host's own or another container's, with whose network it is; or else the
    /// beginning of its id.
    pub fn hostname(&self) -> String {
        let of_host = || gethostname().ok().and_then(|name| name.into_string().ok());
        let name = match (&self.run.hostname, &self.run.network.network) {
            (Some(name), _) if !name.is_empty() => Some(name.clone()),
            (_, Some(Connection::Container(other))) => hostname_of(self.state_directory(), other),
            (_, Some(Connection::Own(Some(Network::Host)))) => of_host(),
            _ if self.run.sharing.uts == Some(Sharing::Host) => of_host(),
            _ => None,
        };
        name.unwrap_or_else(|| self.id[..12].to_owned())
    }
}

/// What the record of another container says.
fn hostname_of(state: &Path, id: &str) -> Option<String> {
    let record = crate::records::Containers::open(state).ok()?.find(id).ok()?;
    Some(record.hostname).filter(|name| !name.is_empty())
}

fn write_names(directory: &Path, files: &[Volume]) -> Result<()> {
    let lines = files.iter().map(|file| format!("{}\t{}\n", file.target.display(), file.source.display()));
    let place = directory.join(NAMES_FILE);
    fs::write(&place, lines.collect::<String>()).with_context(|| format!("cannot write {}", place.display()))
}

/// Which files of the host's are mounted over /etc/resolv.conf and its like, as it was noted at the start.
pub(crate) fn read_names(directory: &Path) -> Result<Vec<Volume>> {
    let place = directory.join(NAMES_FILE);
    let text = fs::read_to_string(&place).with_context(|| format!("cannot read {}", place.display()))?;
    let files = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(files
        .map(|(target, source)| Volume {
            source: PathBuf::from(source),
            target: PathBuf::from(target),
            read_only: false,
        })
        .collect())
}
