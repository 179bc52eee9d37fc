//! What of a container depends on the host that it runs on.

use serde_json::{Map, Value, json};
use step05_userns::is_root;

use super::ports;
use super::said::Said;
use crate::container::{Source, Ulimit, mount_option};
use crate::human::bytes;
use crate::records::Record;

/// Docker's document of it.
pub(super) fn document(record: &Record, said: &Said, mode: &str) -> Value {
    let restart = said.value("restart").unwrap_or("no");
    let (restart, tries) = restart.split_once(':').unwrap_or((restart, "0"));
    let tmpfs: Map<String, Value> = said
        .all("tmpfs")
        .iter()
        .map(|place| place.split_once(':').unwrap_or((place, "")))
        .map(|(place, options)| (place.to_owned(), options.into()))
        .collect();
    let mut config = json!({
        // Without a source it is a volume of the container's own, which stands in its Config.
        "Binds": said.all("volume").into_iter().filter(|text| text.contains(':')).collect::<Vec<_>>(),
        "ContainerIDFile": said.value("cidfile").unwrap_or_default(),
        "LogConfig": {"Type": said.value("log-driver").unwrap_or("json-file"), "Config": pairs(&said.all("log-opt"))},
        "NetworkMode": mode,
        "PortBindings": ports::bindings(said),
        "RestartPolicy": {"Name": restart, "MaximumRetryCount": tries.parse().unwrap_or(0)},
        "AutoRemove": record.remove,
        "VolumeDriver": "",
        "VolumesFrom": [],
        "CapAdd": said.all("cap-add"),
        "CapDrop": said.all("cap-drop"),
        "CgroupnsMode": "host",
        "Dns": said.all("dns"),
        "DnsOptions": said.all("dns-option"),
        "DnsSearch": said.all("dns-search"),
        "ExtraHosts": said.all("add-host"),
        "GroupAdd": said.all("group-add"),
        "IpcMode": said.value("ipc").unwrap_or("private"),
        "Cgroup": "",
        "Links": [],
        "OomScoreAdj": 0,
        "PidMode": said.value("pid").unwrap_or_default(),
        "Privileged": false,
        "PublishAllPorts": said.flag("publish-all"),
        "ReadonlyRootfs": said.flag("read-only"),
        "SecurityOpt": [],
        "UTSMode": said.value("uts").unwrap_or_default(),
        "UsernsMode": if is_root() { "" } else { "private" },
        "ShmSize": said.value("shm-size").and_then(|text| bytes(text).ok()).unwrap_or(64 << 20),
        "Runtime": "coracle",
        "Isolation": "",
        "Init": said.flag("init"),
        "Tmpfs": tmpfs,
        "Sysctls": pairs(&said.all("sysctl")),
        "Devices": [],
        "Ulimits": said.all("ulimit").iter().filter_map(|text| ulimit(text)).collect::<Vec<_>>(),
        "MaskedPaths": step04_mount::HIDDEN,
        "ReadonlyPaths": step04_mount::READ_ONLY,
    });
    let mounts: Vec<Value> = said.all("mount").into_iter().filter_map(mount).collect();
    if !mounts.is_empty() {
        config["Mounts"] = mounts.into();
    }
    // Nothing is limited yet: zero says so.
    let limits = [
        "CpuShares",
        "Memory",
        "NanoCpus",
        "CpuPeriod",
        "CpuQuota",
        "MemoryReservation",
        "MemorySwap",
        "PidsLimit",
    ];
    if let Some(config) = config.as_object_mut() {
        config.extend(limits.map(|limit| (limit.to_owned(), 0.into())));
    }
    config
}

fn pairs(words: &[&str]) -> Map<String, Value> {
    let pairs = words.iter().map(|word| word.split_once('=').unwrap_or((word, "")));
    pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// One `--mount`, key by key.
fn mount(text: &str) -> Option<Value> {
    let mount = mount_option(text).ok()?;
    let (kind, source) = match &mount.source {
        Source::Bind { path, .. } => ("bind", path.to_string_lossy().into_owned()),
        Source::Volume { name, .. } => ("volume", name.clone().unwrap_or_default()),
        Source::Tmpfs { .. } => ("tmpfs", String::new()),
    };
    let mut shown =
        json!({"Type": kind, "Source": source, "Target": mount.target, "ReadOnly": mount.read_only});
    // As in Docker's document, where what is empty is left out.
    if let Some(shown) = shown.as_object_mut() {
        shown.retain(|_, value| *value != json!("") && *value != json!(false));
    }
    Some(shown)
}

/// No limit is -1.
fn ulimit(text: &str) -> Option<Value> {
    let Ulimit { name, soft, hard } = text.parse().ok()?;
    let number = |limit: Option<u64>| limit.map_or(json!(-1), Value::from);
    Some(json!({"Name": name, "Hard": number(hard), "Soft": number(soft)}))
}
