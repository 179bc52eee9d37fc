//! A host of the test's own, and a network around it.
//!
//! ```text
//!    container ── coracle0 ── the host ── 192.0.2.1 ────── 192.0.2.2 ── outside
//! ```
//!
//! The host is the network namespace that `support::alone` has made for the test. Outside is one
//! more, from which others connect. Nothing here reaches the machine's own network.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;
use support::{
    Background, NotApplicable, Role, alone, busybox_root, children, command, is_alive, not_applicable,
    not_run, program, wait_until,
};
use tempfile::TempDir;

/// What takes longer has failed. The guest is slow, and others work beside it.
pub const LIMIT: Duration = Duration::from_secs(60);

pub struct Lab {
    folder: TempDir,
    outside: Option<Background>,
}

impl Lab {
    /// For tests of the bridge. Nothing if it cannot run here, which has then been said, or if
    /// the test runs once more alone.
    pub fn of_root() -> Option<Self> {
        if Role::here() != Role::Root {
            not_applicable(NotApplicable::NoBridge);
            return None;
        }
        if program("nft").is_none() {
            not_run("nft is missing: apt-get install nftables");
            return None;
        }
        if !alone() {
            return None;
        }
        let mut lab = Self::new()?;
        lab.connect()?;
        Some(lab)
    }

    /// A root file system, and whatever network there is.
    pub fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        if !busybox_root(&root).unwrap() {
            not_run("busybox is missing: apt-get install busybox-static");
            return None;
        }
        Some(Self { folder, outside: None })
    }

    /// Makes the outside, with a cable to it, by the usual tools.
    pub fn connect(&mut self) -> Option<()> {
        let (Some(ip), Some(unshare)) = (program("ip"), program("unshare")) else {
            not_run("ip or unshare is missing: apt-get install iproute2 util-linux");
            return None;
        };
        // Our own state is not the machine's.
        let mounted = command("mount").args(["-t", "tmpfs", "tmpfs", "/run"]).status().unwrap();
        assert!(mounted.success());
        let outside = Background::spawn(command(unshare).args(["--net", "sleep", "600"])).unwrap();
        let pid = outside.pid();
        wait_until("outside has a network of its own", LIMIT, || {
            fs::read_link(format!("/proc/{pid}/ns/net")).ok() != fs::read_link("/proc/self/ns/net").ok()
        });
        let ip = |words: &str| {
            let status = command(&ip).args(words.split(' ')).status().unwrap();
            assert!(status.success(), "ip {words}");
        };
        ip(&format!("link add uplink type veth peer name uplink netns {pid}"));
        // Its IPv6 address would come of itself, at some moment of the test.
        ip("link set uplink addrgenmode none");
        ip("address add 192.0.2.1/24 dev uplink");
        ip("link set uplink up");
        ip("route add default via 192.0.2.2");
        let nsenter = |words: &str| {
            let mut nsenter = command("nsenter");
            nsenter.args(["--net", "--target", &pid.to_string(), "ip"]);
            assert!(nsenter.args(words.split(' ')).status().unwrap().success(), "outside: ip {words}");
        };
        nsenter("address add 192.0.2.2/24 dev uplink");
        nsenter("link set uplink up");
        nsenter("link set lo up");
        wait_until("the cable carries", LIMIT, || {
            output_of("ip", "-o link show uplink").contains("state UP")
        });
        self.outside = Some(outside);
        Some(())
    }

    pub fn outside(&self) -> Pid {
        self.outside.as_ref().unwrap().pid()
    }

    /// `step06 --rootfs R OPTIONS -- COMMAND`, both given as one text.
    pub fn step06(&self, options: &str, shell: &str) -> Command {
        let mut step06 = command(env!("CARGO_BIN_EXE_step06"));
        step06.arg("--rootfs").arg(self.root()).args(options.split_whitespace());
        step06.args(["--", "sh", "-c", shell]);
        step06
    }

    pub fn run(&self, options: &str, shell: &str) -> Output {
        self.step06(options, shell).output().unwrap()
    }

    /// Starts it and waits until the command runs.
    pub fn start(&self, options: &str, shell: &str) -> Started {
        // It says so itself, on its standard output.
        let mut step06 = self.step06(options, &format!("echo runs; {shell}"));
        let mut host = Background::spawn(step06.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
        let mut said = [0; 5];
        if host.child().stdout.as_mut().unwrap().read_exact(&mut said).is_err() {
            let mut error = String::new();
            host.child().stderr.as_mut().unwrap().read_to_string(&mut error).unwrap();
            panic!("step06 {options}: {error}");
        }
        // Our helpers are in the host's network.
        let container = children(host.pid()).into_iter().find(|child| !is_same_network(*child));
        Started { container: container.unwrap(), host }
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }
}

pub struct Started {
    /// The command, by the host's number.
    pub container: Pid,
    pub host: Background,
}

/// Answers every connection with a line.
pub const SERVE: &str = "while true; do echo served | nc -l -p 80; done";

/// Runs something in the network of a process: a socket stays in the one where it was made.
pub fn in_network_of<T: Send>(process: Pid, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let network = File::open(format!("/proc/{process}/ns/net")).unwrap();
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        inside.join().unwrap()
    })
}

fn is_same_network(process: Pid) -> bool {
    fs::read_link(format!("/proc/{process}/ns/net")).ok() == fs::read_link("/proc/self/ns/net").ok()
}

/// What is answered at this address, if anything is.
pub fn answer(address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // busybox's nc ends when both sides have.
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// The same, with patience: the server needs a moment between two connections.
pub fn answer_soon(address: &str) -> Option<String> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        if let Some(text) = answer(address) {
            return Some(text);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}

/// Who connects, if anybody does.
pub fn accept_soon(listener: &TcpListener) -> Option<SocketAddr> {
    listener.set_nonblocking(true).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        if let Ok((_, from)) = listener.accept() {
            return Some(from);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// What a tool prints.
pub fn output_of(tool: &str, words: &str) -> String {
    let tool = program(tool).unwrap_or_else(|| panic!("{tool} is missing"));
    let output = command(tool).args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The links of the host's side, by name.
pub fn links() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/net/dev").unwrap();
    text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

pub fn bridge_is_there() -> bool {
    links().iter().any(|link| link == "coracle0")
}

pub fn write_file(path: &str, text: &str) {
    File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn ends(process: Pid) {
    wait_until("the process ends", LIMIT, || !is_alive(process));
}
