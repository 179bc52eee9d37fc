//! Addresses: each container has the lowest that is free.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};

use crate::folder::{self, Folder};

// ANCHOR: subnet
/// A range of addresses: those that share the first `prefix` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet {
    /// Its first address.
    pub(crate) network: Ipv4Addr,
    /// How many bits are shared: 0 to 32.
    pub(crate) prefix: u8,
}

impl Subnet {
    /// The host's own address in it, to which containers send everything.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() + 1)
    }

    /// Whether an address is in both.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        let shared = u32::from(self.prefix.min(other.prefix));
        let mask = u32::MAX.checked_shl(32 - shared).unwrap_or(0);
        self.network.to_bits() & mask == other.network.to_bits() & mask
    }

    /// What containers may have: not the network itself, not the gateway, not the broadcast.
    pub(crate) fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        let size = 1_u32 << (32 - self.prefix);
        (2..size - 1).map(move |number| Ipv4Addr::from_bits(self.network.to_bits() + number))
    }
}

/// A hardware address made from an IP address: unique where that is. The first byte says that
/// no manufacturer has given it out.
pub(crate) fn hardware(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x63, a, b, c, d]
}
// ANCHOR_END: subnet

// ANCHOR: lease
/// The addresses of one network namespace of the host. While a value of this type is there, no
/// other command takes or frees one, nor makes or removes the bridge.
#[derive(Debug)]
pub(crate) struct Addresses {
    folder: PathBuf,
    _lock: Flock<File>,
}

impl Addresses {
    /// Waits until nobody else is at it.
    pub(crate) fn lock() -> Result<Self> {
        let folder = folder::base()?.join(of_this_host()?);
        let lock = folder::lock(&folder, FlockArg::LockExclusive)?;
        let lock = lock.with_context(|| format!("cannot lock {}", folder.display()))?;
        Ok(Self { folder, _lock: lock })
    }

    /// Whether there is anything to lock.
    pub(crate) fn are_there() -> Result<bool> {
        Ok(folder::base_path().join(of_this_host()?).exists())
    }

    /// Those of other network namespaces, whose owners may all have died with the namespace.
    /// Only those that nobody is at.
    pub(crate) fn of_others() -> Result<Vec<Self>> {
        let this = of_this_host()?;
        let mut others = Vec::new();
        for entry in fs::read_dir(folder::base_path()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(POOL)
                && *name != *this
                && let Some(lock) = folder::lock(&entry.path(), FlockArg::LockExclusiveNonblock)?
            {
                others.push(Self { folder: entry.path(), _lock: lock });
            }
        }
        Ok(others)
    }

    /// Takes the lowest address that is free. It is ours as long as the folder is, in which is
    /// what belongs to the container.
    pub(crate) fn lease(&self, subnet: Subnet) -> Result<(Ipv4Addr, Folder)> {
        for address in subnet.hosts() {
            if let Some(folder) = Folder::take(self.folder.join(address.to_string()))? {
                return Ok((address, folder));
            }
        }
        bail!("cannot find a free address in {}/{}", subnet.network, subnet.prefix)
    }

    /// Frees what dead owners have left, and tells whether any owner lives.
    pub(crate) fn in_use(&self) -> Result<bool> {
        let say = || format!("cannot list {}", self.folder.display());
        let mut in_use = false;
        for entry in fs::read_dir(&self.folder).with_context(say)? {
            in_use |= Folder::take(entry.with_context(say)?.path())?.is_none();
        }
        Ok(in_use)
    }

    /// Removes the folder that nobody needs.
    pub(crate) fn remove(self) {
        let _ = fs::remove_dir(&self.folder);
        folder::remove_base();
    }
}
// ANCHOR_END: lease

// ANCHOR: of_this_host
/// The host is a network namespace too, and the bridge is in it. Another one on the same machine
/// has a bridge and addresses of its own.
fn of_this_host() -> Result<String> {
    let here = "/proc/self/ns/net";
    let inode = fs::metadata(here).with_context(|| format!("cannot look at {here}"))?.ino();
    Ok(format!("{POOL}{inode}"))
}

const POOL: &str = "net-";
// ANCHOR_END: of_this_host

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(network: [u8; 4], prefix: u8) -> Subnet {
        Subnet { network: network.into(), prefix }
    }

    #[test]
    fn overlap_is_what_either_contains_of_the_other() {
        let ours = subnet([10, 200, 0, 0], 16);
        assert!(ours.overlaps(subnet([10, 0, 0, 0], 8)));
        assert!(ours.overlaps(subnet([10, 200, 7, 1], 32)));
        assert!(ours.overlaps(subnet([0, 0, 0, 0], 0)));
        assert!(!ours.overlaps(subnet([10, 201, 0, 0], 16)));
        assert!(!ours.overlaps(subnet([128, 0, 0, 0], 1)));
    }

    #[test]
    fn hosts_leave_out_network_gateway_and_broadcast() {
        let hosts: Vec<_> = subnet([192, 168, 200, 0], 29).hosts().map(|host| host.octets()[3]).collect();
        assert_eq!(hosts, [2, 3, 4, 5, 6]);
    }
}
