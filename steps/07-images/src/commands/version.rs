//! `version` and `info`: what this is, and where.

use std::env::consts::{ARCH, OS};
use std::path::Path;

use anyhow::Result;
use clap::Args;
use rustix::system::uname;
use serde_json::{Value, json};
use step03_pid::Failed;
use step05_userns::is_root;

use super::Place;
use crate::records::Status;
use crate::template::Template;
use crate::text::{answer, visible};

/// What both have.
#[derive(Debug, Clone, Args)]
pub struct Version {
    /// Only this of it, as a Go template, or json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Version {
    pub(super) fn version(&self) -> Result<u8> {
        let version = env!("CARGO_PKG_VERSION");
        let this = json!({
            "Platform": {"Name": ""},
            "Version": version,
            "Os": OS,
            "Arch": architecture(),
            "KernelVersion": kernel(),
        });
        // There is no server: who asks for one, as many scripts do, means this program.
        self.print(&json!({"Client": this, "Server": this}), || {
            format!(
                "Client:\n Version:           {version}\n OS/Arch:           {OS}/{}\n Kernel:            {}\n\
                 \nServer: none, and none is needed\n",
                architecture(),
                kernel()
            )
        })
    }

    pub(super) fn info(&self, place: &Place) -> Result<u8> {
        let (containers, store) = (place.containers()?.all()?, place.store()?);
        let running = containers.iter().filter(|record| record.state.status == Status::Running).count();
        let info = json!({
            "Containers": containers.len(),
            "ContainersRunning": running,
            "ContainersPaused": 0,
            "ContainersStopped": containers.len() - running,
            "Images": store.images()?.len(),
            "Driver": "overlay2",
            "LoggingDriver": "json-file",
            "CgroupDriver": "none",
            "KernelVersion": kernel(),
            "OperatingSystem": system(),
            "OSType": OS,
            "Architecture": ARCH,
            "NCPU": std::thread::available_parallelism().map_or(1, usize::from),
            "MemTotal": memory(),
            "DockerRootDir": store.root(),
            "Name": visible(uname().nodename().to_bytes()),
            "ServerVersion": env!("CARGO_PKG_VERSION"),
            "SecurityOptions": if is_root() { json!([]) } else { json!(["name=rootless"]) },
            "Warnings": ["No memory limit support", "No cpu limit support"],
            "CgroupVersion": if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "2" } else { "1" },
            "DefaultRuntime": "coracle",
            "IndexServerAddress": "https://index.docker.io/v1/",
            "ExperimentalBuild": false,
            "Debug": false,
            "MemoryLimit": false,
            "SwapLimit": false,
            "PidsLimit": false,
            "Swarm": {"LocalNodeState": "inactive", "ControlAvailable": false, "NodeID": ""},
        });
        self.print(&info, || {
            let line = |(key, name): &(&str, &str)| {
                let value = &info[*key];
                format!("{name}: {}\n", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            };
            LINES.iter().map(line).collect()
        })
    }

    fn print(&self, value: &Value, usual: impl Fn() -> String) -> Result<u8> {
        let text = match self.format.as_deref() {
            None | Some("") => usual(),
            Some("json") => format!("{value}\n"),
            Some(source) => {
                let wrong = |error| Failed { code: 64, text: format!("template parsing error: {error}") };
                Template::parse(source).map_err(wrong)?.render(value)? + "\n"
            }
        };
        answer(text)?;
        Ok(0)
    }
}

/// The lines of `info`: Docker's names for them, as far as they have a meaning here.
const LINES: [(&str, &str); 14] = [
    ("Containers", "Containers"),
    ("ContainersRunning", " Running"),
    ("ContainersStopped", " Stopped"),
    ("Images", "Images"),
    ("ServerVersion", "Server Version"),
    ("Driver", "Storage Driver"),
    ("LoggingDriver", "Logging Driver"),
    ("KernelVersion", "Kernel Version"),
    ("OperatingSystem", "Operating System"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("NCPU", "CPUs"),
    ("Name", "Name"),
    ("DockerRootDir", "Docker Root Dir"),
];

/// As images name it.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn kernel() -> String {
    visible(uname().release().to_bytes())
}

/// `man 5 os-release`
fn system() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    visible(name.unwrap_or("Linux").trim_matches('"').as_bytes())
}

/// In bytes.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
