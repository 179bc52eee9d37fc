//! One image.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::moment::rfc3339;
use crate::names::{Reference, Version};
use crate::sizes;
use crate::store::{Named, Store};

/// Docker's document of the image that `name` means, with what has a meaning here. Its lists are never null.
pub(super) fn document(store: &Store, name: &str) -> Result<Option<Value>> {
    let Some(image) = store.find(name)? else { return Ok(None) };
    let names = store.images()?;
    let names = names.iter().filter(|named| named.image.config_digest == image.config_digest);
    let config = fs::read(store.blob(&image.config_digest)).context("cannot read the image's config")?;
    let config: Value = serde_json::from_slice(&config).context("cannot understand the image's config")?;
    let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let layers = image.chain_ids().iter().map(|layer| store.layer(layer)).collect::<Vec<_>>();
    let places = layers.into_iter().map(|layer| layer.to_string_lossy().into_owned());
    let places: Vec<String> = places.collect();
    let size = sizes::of_image(store, &image)?;
    // An image that has several tags of one repository has its digest there once.
    let digests: BTreeSet<String> = names.clone().filter_map(digest).collect();
    let last = config["history"].as_array().and_then(|history| history.last());
    let comment = last.and_then(|last| last["comment"].as_str()).unwrap_or_default();
    Ok(Some(json!({
        "Id": image.config_digest.to_string(),
        "RepoTags": names.filter_map(tag).collect::<Vec<_>>(),
        "RepoDigests": digests,
        "Parent": "",
        "Comment": comment,
        "Created": image.created.clone().unwrap_or_else(|| rfc3339(None)),
        "Container": text("container"),
        "DockerVersion": text("docker_version"),
        "Author": text("author"),
        "Config": settings(&image.settings, &config["config"]),
        "Architecture": text("architecture"),
        "Variant": text("variant"),
        "Os": text("os"),
        "Size": size,
        "VirtualSize": size,
        "GraphDriver": {
            "Data": {
                "LowerDir": places.iter().rev().skip(1).cloned().collect::<Vec<_>>().join(":"),
                "UpperDir": places.last().cloned().unwrap_or_default(),
            },
            "Name": "overlay2",
        },
        "RootFS": {
            "Type": "layers",
            "Layers": image.layers.iter().map(|layer| layer.diff_id.to_string()).collect::<Vec<_>>(),
        },
        "Metadata": {"LastTagTime": rfc3339(None)},
    })))
}

fn settings(settings: &crate::manifest::Settings, config: &Value) -> Value {
    let mut shown = json!({
        "Hostname": "",
        "Domainname": "",
        "User": settings.user,
        "AttachStdin": false,
        "AttachStdout": false,
        "AttachStderr": false,
        "ExposedPorts": settings.exposed_ports,
        "Tty": false,
        "OpenStdin": false,
        "StdinOnce": false,
        "Env": settings.env,
        "Cmd": settings.cmd,
        "Image": "",
        "Volumes": settings.volumes,
        "WorkingDir": settings.working_dir,
        "Entrypoint": settings.entrypoint,
        "OnBuild": [],
        "Labels": settings.labels,
        "StopSignal": settings.stop_signal,
    });
    // What we do not use is shown as the builder wrote it.
    for key in ["Healthcheck", "Shell", "OnBuild"] {
        if let Some(value) = config.get(key).filter(|value| !value.is_null()) {
            shown[key] = value.clone();
        }
    }
    shown
}

fn tag(named: &Named) -> Option<String> {
    let reference: Reference = named.name.as_deref()?.parse().ok()?;
    matches!(reference.version, Version::Tag(_)).then(|| reference.familiar())
}

fn digest(named: &Named) -> Option<String> {
    let reference: Reference = named.name.as_deref()?.parse().ok()?;
    Some(format!("{}@{}", reference.familiar_name(), named.pulled?))
}
