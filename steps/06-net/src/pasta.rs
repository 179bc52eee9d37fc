//! pasta: the network of an ordinary user, who may neither plug a cable into the host nor write
//! firewall rules (`man 1 pasta`).
//!
//! It makes a tap device in the container, reads from it what the container sends, and says the
//! same by ordinary sockets of the user.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;

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
const LEASH: &str = r#""$@" & exec >&- 2>&-; read -r _; kill -KILL $!; wait"#;

impl Pasta {
    /// Connects the container, and waits until all is in place.
    pub(crate) fn start(program: &Path, container: Pid, published: &[Published], log: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "sh"]).arg(program);
        command.args(["--foreground", "--quiet", "--config-net", "--ns-ifname", "eth0"]);
        // What listens on the host's loopback is none of the container's business.
        command.args(["--no-map-gw", "--tcp-ns", "none", "--udp-ns", "none"]);
        command.args(["--dns-forward", &RESOLVER.to_string()]);
        command.arg("--log-file").arg(log);
        for (option, protocol) in [("--tcp-ports", Protocol::Tcp), ("--udp-ports", Protocol::Udp)] {
            let ports = published.iter().filter(|published| published.protocol == protocol);
            let ports: Vec<_> = ports.map(specification).collect();
            if ports.is_empty() {
                command.args([option, "none"]);
            }
            command.args(ports.iter().flat_map(|port| [option, port]));
        }
        // The file is written when all else is done. It is the pipe that we read from.
        command.args(["--pid", "/proc/self/fd/1", &container.to_string()]);
        let mut helper = Helper::start(&mut command)?;
        let said = helper.hear(&|text| text.lines().any(is_number))?;
        if said.lines().any(is_number) {
            return Ok(Self(helper));
        }
        helper.end();
        bail!("cannot connect the container: pasta: {}", said.trim().replace('\n', "; "))
    }
}

impl Drop for Pasta {
    fn drop(&mut self) {
        self.0.end();
    }
}
// ANCHOR_END: pasta

// ANCHOR: words
fn is_number(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// `127.0.0.1/8080:80`
fn specification(published: &Published) -> String {
    let (ip, port) = (published.host.ip(), published.host.port());
    let address = if ip.is_unspecified() { String::new() } else { format!("{ip}/") };
    format!("{address}{port}:{}", published.container)
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
