//! One container.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};
use step05_userns::is_root;

use super::network;
use super::said::Said;
use crate::manifest::Settings;
use crate::moment::rfc3339;
use crate::records::{Recipe, Record, Status};
use crate::sizes;
use crate::store::Store;

/// Docker's document, with what has a meaning here. Its lists are never null, unlike some of Docker's.
pub(super) fn document(store: &Store, record: &Record, with_size: bool) -> Result<Value> {
    let directory = store.root().join("containers").join(&record.id);
    // A record that was cut still has its name and its state.
    let recipe = Recipe::read(&directory).ok();
    let said = recipe.as_ref().map(|recipe| Said::of(&recipe.words)).unwrap_or_default();
    let settings = recipe.map(|recipe| recipe.image.settings).unwrap_or_default();
    let mode = if record.network.is_empty() { "default" } else { &record.network };
    let mut document = json!({
        "Id": record.id,
        "Created": rfc3339(Some(record.created)),
        "Path": record.command.first().cloned().unwrap_or_default(),
        "Args": record.command.get(1..).unwrap_or_default(),
        "State": state(record),
        "Image": record.image_id.to_string(),
        "ResolvConfPath": "",
        "HostnamePath": "",
        "HostsPath": "",
        "LogPath": present(&directory, &format!("{}-json.log", record.id)),
        "Name": format!("/{}", record.name),
        "RestartCount": record.state.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": [],
        "HostConfig": host_config(record, &said, mode),
        "GraphDriver": graph_driver(store, record, &directory),
        "Mounts": record.mounts,
        "Config": config(record, &said, &settings),
        "NetworkSettings": network::settings(record, mode),
    });
    if with_size {
        add_sizes(&mut document, store, record, &directory)?;
    }
    Ok(document)
}

// ANCHOR: state
fn state(record: &Record) -> Value {
    let state = &record.state;
    let status = match state.status {
        Status::Created => "created",
        Status::Running => "running",
        Status::Restarting => "restarting",
        Status::Exited => "exited",
    };
    json!({
        "Status": status,
        "Running": state.status == Status::Running,
        "Paused": false,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": false,
        "Dead": false,
        "Pid": state.running_pid().unwrap_or(0),
        "ExitCode": state.exit_code.unwrap_or(0),
        "Error": state.error,
        "StartedAt": rfc3339(state.started),
        "FinishedAt": rfc3339(state.finished),
    })
}
// ANCHOR_END: state

fn config(record: &Record, said: &Said, settings: &Settings) -> Value {
    // What was asked for, then what the image has besides.
    let mut env = said.all("env").iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let asked: Vec<_> = env.iter().map(|line| name(line)).collect();
    env.extend(
        settings.env.iter().filter(|line| line.contains('=') && !asked.contains(&name(line))).cloned(),
    );
    let entrypoint = match said.value("entrypoint") {
        Some("") => Vec::new(),
        Some(word) => vec![word.to_owned()],
        None => settings.entrypoint.clone(),
    };
    let published = port_bindings(said);
    let exposed = settings.exposed_ports.keys().chain(published.keys());
    let exposed: Map<String, Value> = exposed.map(|port| (port.clone(), json!({}))).collect();
    let interactive = said.flag("interactive");
    let attached = !record.detached;
    json!({
        "Hostname": if record.hostname.is_empty() { &record.id[..12] } else { &record.hostname },
        "Domainname": said.value("domainname").unwrap_or_default(),
        "User": said.value("user").unwrap_or(&settings.user),
        "AttachStdin": interactive && attached,
        "AttachStdout": attached,
        "AttachStderr": attached,
        "ExposedPorts": exposed,
        "Tty": said.flag("tty"),
        "OpenStdin": interactive,
        "StdinOnce": interactive && attached,
        "Env": env,
        // The record has both in one list.
        "Cmd": record.command.get(entrypoint.len()..).unwrap_or_default(),
        "Image": record.image,
        "Volumes": settings.volumes,
        "WorkingDir": said.value("workdir").unwrap_or(&settings.working_dir),
        "Entrypoint": entrypoint,
        "OnBuild": [],
        "Labels": record.labels,
        "StopSignal": said.value("stop-signal").unwrap_or(&settings.stop_signal),
    })
}

fn host_config(record: &Record, said: &Said, mode: &str) -> Value {
    let restart = said.value("restart").unwrap_or("no");
    let (restart, tries) = restart.split_once(':').unwrap_or((restart, "0"));
    let tmpfs: Map<String, Value> = said
        .all("tmpfs")
        .iter()
        .map(|place| place.split_once(':').unwrap_or((place, "")))
        .map(|(place, options)| (place.to_owned(), options.into()))
        .collect();
    let mut config = json!({
        "Binds": said.all("volume"),
        "ContainerIDFile": said.value("cidfile").unwrap_or_default(),
        "LogConfig": {"Type": "json-file", "Config": pairs(&said.all("log-opt"))},
        "NetworkMode": mode,
        "PortBindings": port_bindings(said),
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
        "ShmSize": said.value("shm-size").and_then(bytes).unwrap_or(64 << 20),
        "Runtime": "coracle",
        "Isolation": "",
        "Init": said.flag("init"),
        "Tmpfs": tmpfs,
        "Sysctls": pairs(&said.all("sysctl")),
        "Devices": [],
        "Ulimits": said.all("ulimit"),
        "MaskedPaths": step04_mount::HIDDEN,
        "ReadonlyPaths": step04_mount::READ_ONLY,
    });
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

/// `64m`, in steps of 1024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.to_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let power = match text[digits..].trim().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(1 << (10 * power))
}

/// What was asked for, unlike what came of it, which is in NetworkSettings.
fn port_bindings(said: &Said) -> Map<String, Value> {
    let mut bindings: Map<String, Value> = Map::new();
    for publish in said.all("publish").iter().filter_map(|text| text.parse::<step06_net::Publish>().ok()) {
        for (index, port) in publish.container.clone().enumerate() {
            let host = publish.host.clone().and_then(|ports| ports.clone().nth(index));
            let ip = publish.ip.map(|ip| ip.to_string()).unwrap_or_default();
            let binding =
                json!({"HostIp": ip, "HostPort": host.map(|port| port.to_string()).unwrap_or_default()});
            let places = bindings.entry(format!("{port}/{}", publish.protocol)).or_insert_with(|| json!([]));
            if let Some(places) = places.as_array_mut() {
                places.push(binding);
            }
        }
    }
    bindings
}

fn graph_driver(store: &Store, record: &Record, directory: &Path) -> Value {
    let place = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let layers = record.layers.iter().rev().map(|layer| store.layer(layer).to_string_lossy().into_owned());
    json!({
        "Data": {
            "LowerDir": layers.collect::<Vec<_>>().join(":"),
            "MergedDir": place("merged"), "UpperDir": place("upper"), "WorkDir": place("work"),
        },
        "Name": "overlay2",
    })
}

fn present(directory: &Path, name: &str) -> String {
    let path = directory.join(name);
    if path.exists() { path.to_string_lossy().into_owned() } else { String::new() }
}

fn add_sizes(document: &mut Value, store: &Store, record: &Record, directory: &Path) -> Result<()> {
    let layers = record.layers.iter().map(|layer| store.layer(layer));
    let sizes = sizes::of(std::iter::once(directory.join("upper")).chain(layers).collect())?;
    document["SizeRw"] = sizes.first().copied().unwrap_or(0).into();
    document["SizeRootFs"] = sizes.iter().sum::<u64>().into();
    Ok(())
}
