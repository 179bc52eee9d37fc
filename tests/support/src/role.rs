//! Who runs the tests.

use std::fs;

use nix::unistd::geteuid;

use crate::outside::status;

/// The three kinds of people who run containers. Every test runs as each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Root of the host: the identity map of ids, CAP_SYS_ADMIN and CAP_NET_ADMIN.
    Root,
    /// An ordinary user.
    User,
    /// Uid 0 anywhere else: in `unshare -Ur`, in a container.
    RootInUserNamespace,
}

impl Role {
    /// Who we are.
    pub fn here() -> Self {
        if !geteuid().is_root() {
            Self::User
        } else if has_identity_map() && has_capabilities() {
            Self::Root
        } else {
            Self::RootInUserNamespace
        }
    }
}

/// The initial user namespace maps every id to itself (`man 7 user_namespaces`).
fn has_identity_map() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn has_capabilities() -> bool {
    const NET_ADMIN: u64 = 1 << 12;
    const SYS_ADMIN: u64 = 1 << 21;
    let effective = status(nix::unistd::getpid())
        .ok()
        .and_then(|fields| u64::from_str_radix(fields.get("CapEff")?, 16).ok())
        .unwrap_or(0);
    effective & (NET_ADMIN | SYS_ADMIN) == NET_ADMIN | SYS_ADMIN
}
