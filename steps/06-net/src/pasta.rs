//! pasta: the network of an ordinary user, who may neither plug a cable into the host nor write
//! firewall rules (`man 1 pasta`).
//!
//! It makes a tap device in the container, reads from it what the container sends, and says the
//! same by ordinary sockets of the user.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;

use crate::addresses::Subnet;
use crate::bridge::free_subnet;
use crate::helper::Helper;
use crate::ports::{Protocol, Published};

// ANCHOR: pasta
/// The package that it comes from.
pub(crate) const PACKAGE: &str = "passt";

/// Where the container asks for names; pasta passes the questions on to the host's servers.
pub(crate) const RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

const TUN: &str = "/dev/net/tun";

/// A running pasta.
#[derive(Debug)]
pub(crate) struct Pasta(Helper);

/// pasta does not always notice that its container has gone. A shell beside it reads from a
/// pipe that we hold: when we end, in whatever way, it reads the end of file and kills pasta.
/// What the shell has as standard error, pasta has as standard input.
const LEASH: &str = r#""$@" <&2 2>&1 & exec >&- 2>&-; read -r _; kill -KILL $!; wait"#;

impl Pasta {
    /// Connects a network, and waits until all is in place.
    pub(crate) fn start(
        program: &Path,
        whose: Whose,
        own: Option<&Own>,
        published: &[Published],
        log: &Path,
    ) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "sh"]).arg(program);
        command.args(["--foreground", "--quiet", "--config-net", "--ns-ifname", "eth0"]);
        // What listens on the host's loopback is none of the container's business.
        command.args(["--no-map-gw", "--tcp-ns", "none", "--udp-ns", "none"]);
        command.args(["--dns-forward", &RESOLVER.to_string()]);
        command.args(own.iter().flat_map(|own| own.words()));
        command.arg("--log-file").arg(log);
        for (option, protocol) in [("--tcp-ports", Protocol::Tcp), ("--udp-ports", Protocol::Udp)] {
            let ports = published.iter().filter(|port| port.protocol == protocol && port.held.is_none());
            let ports: Vec<_> = ports.map(specification).collect();
            if ports.is_empty() {
                command.args([option, "none"]);
            }
            command.args(ports.iter().flat_map(|port| [option, port]));
        }
        // The file is written when all else is done. It is the pipe that we read from.
        command.args(["--pid", "/proc/self/fd/1"]);
        let network = whose.tell(&mut command)?;
        let mut helper = Helper::start(&mut command, network)?;
        let said = helper.hear(&|text| text.lines().any(is_number))?;
        if said.lines().any(is_number) {
            return Ok(Self(helper));
        }
        helper.end();
        let way_out = match said.contains("Too many open files") {
            true => "\nstart it from a shell that allows more of them: ulimit -H -n",
            false => "",
        };
        bail!("cannot connect the container: pasta: {}{way_out}", said.trim().replace('\n', "; "))
    }
}

impl Drop for Pasta {
    fn drop(&mut self) {
        self.0.end();
    }
}
// ANCHOR_END: pasta

// ANCHOR: whose
/// Whose network is connected.
pub(crate) enum Whose<'a> {
    /// That of a process, whose namespaces have paths.
    Process(Pid),
    /// One that was made before there is a process in it.
    Prepared(&'a Prepared),
}

/// A network namespace that is there before its container.
#[derive(Debug)]
pub struct Prepared {
    /// The namespace itself.
    pub network: OwnedFd,
    /// The path of the user namespace that owns it; none if we are in that one.
    pub user: Option<PathBuf>,
}

impl Whose<'_> {
    /// Says it in pasta's words. What is returned becomes pasta's standard input.
    fn tell(&self, command: &mut Command) -> Result<Option<OwnedFd>> {
        match self {
            Self::Process(pid) => {
                command.arg(pid.to_string());
                Ok(None)
            }
            Self::Prepared(Prepared { network, user }) => {
                command.args(user.iter().flat_map(|path| [OsStr::new("--userns"), path.as_os_str()]));
                command.args(["--netns", "/proc/self/fd/0", "--no-netns-quit"]);
                network.try_clone().map(Some).context("cannot duplicate a descriptor")
            }
        }
    }
}
// ANCHOR_END: whose

// ANCHOR: own
/// An address of the container's own. Left alone, pasta gives it the host's; and who has the
/// host's address meets himself where he looks for the host.
#[derive(Debug)]
pub(crate) struct Own {
    subnet: Subnet,
    address: Ipv4Addr,
    /// Where the container finds the host, and on it whatever does not listen on 127.0.0.1 alone.
    pub(crate) host: Ipv4Addr,
}

impl Own {
    /// Nothing where the host has no way out by IPv4, or no range of addresses is free.
    pub(crate) fn find() -> Option<Self> {
        let (subnet, host) = (free_subnet().ok()?, host()?);
        Some(Self { subnet, address: subnet.hosts().next()?, host })
    }

    fn words(&self) -> [String; 6] {
        let Self { subnet, address, .. } = self;
        let (prefix, gateway) = (subnet.prefix.to_string(), subnet.gateway().to_string());
        let option = |name: &str| name.to_owned();
        [option("--address"), address.to_string(), option("--netmask"), prefix, option("--gateway"), gateway]
    }
}

/// The address with which the host speaks to others. Nothing is sent: a socket for datagrams that
/// is connected has chosen its address (`man 7 ip`).
fn host() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(at) if !at.ip().is_loopback() => Some(*at.ip()),
        _ => None,
    }
}
// ANCHOR_END: own

// ANCHOR: words
fn is_number(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// `127.0.0.1/8080:80`
fn specification(published: &Published) -> String {
    format!("{}/{}:{}", published.host.ip(), published.host.port(), published.container)
}

/// Whether a user may make a tap device here: it is not open to all everywhere.
pub(crate) fn can_open_tun() -> Result<()> {
    match OpenOptions::new().read(true).write(true).open(TUN) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!("cannot open {TUN}: EACCES: it is closed to ordinary users\nsudo chmod 0666 {TUN}")
        }
        Err(error) => Err(error).with_context(|| format!("cannot open {TUN}")),
    }
}
// ANCHOR_END: words
