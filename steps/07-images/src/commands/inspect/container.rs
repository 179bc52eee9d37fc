//! One container.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::said::Said;
use super::{host_config, network, ports};
use crate::container::names_files;
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
    let exposed = ports::exposed(&said, &settings);
    let mode = if record.network.is_empty() { "default" } else { &record.network };
    let mut document = json!({
        "Id": record.id,
        "Created": rfc3339(Some(record.created)),
        "Path": record.command.first().cloned().unwrap_or_default(),
        "Args": record.command.get(1..).unwrap_or_default(),
        "State": state(record),
        "Image": record.image_id.to_string(),
        "ResolvConfPath": name_file(&directory, "/etc/resolv.conf"),
        "HostnamePath": name_file(&directory, "/etc/hostname"),
        "HostsPath": name_file(&directory, "/etc/hosts"),
        "LogPath": present(&directory, &format!("{}-json.log", record.id)),
        "Name": format!("/{}", record.name),
        "RestartCount": record.state.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": [],
        "HostConfig": host_config::document(record, &said, mode),
        "GraphDriver": graph_driver(store, record, &directory),
        "Mounts": record.mounts,
        "Config": config(record, &said, &settings, &exposed),
        "NetworkSettings": network::settings(record, mode, &exposed),
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
        // Both are true, as in Docker, of one that is about to begin again.
        "Running": matches!(state.status, Status::Running | Status::Restarting),
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

fn config(record: &Record, said: &Said, settings: &Settings, exposed: &BTreeSet<String>) -> Value {
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
    let exposed: Map<String, Value> = exposed.iter().map(|port| (port.clone(), json!({}))).collect();
    let own = said.all("volume").into_iter().filter(|text| !text.contains(':')).map(str::to_owned);
    let volumes: Map<String, Value> =
        settings.volumes.keys().cloned().chain(own).map(|place| (place, json!({}))).collect();
    let interactive = said.flag("interactive");
    let attached = !record.detached;
    let mut config = json!({
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
        "Volumes": volumes,
        "WorkingDir": said.value("workdir").unwrap_or(&settings.working_dir),
        "Entrypoint": entrypoint,
        "OnBuild": [],
        "Labels": record.labels,
        "StopSignal": said.value("stop-signal").unwrap_or(&settings.stop_signal),
    });
    if let Some(seconds) = said.value("stop-timeout").and_then(|text| text.parse::<i64>().ok()) {
        config["StopTimeout"] = seconds.into();
    }
    config
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

/// What is mounted over a file of the image's, as long as it is there: the network's files go with the container's end.
fn name_file(directory: &Path, target: &str) -> String {
    let files = names_files(directory).unwrap_or_default();
    let file = files.iter().find(|file| file.target == Path::new(target) && file.source.exists());
    file.map(|file| file.source.to_string_lossy().into_owned()).unwrap_or_default()
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
