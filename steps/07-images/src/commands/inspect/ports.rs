//! The ports of a container: where it says that it listens, and what was asked for.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::said::Said;
use crate::commands::Expose;
use crate::manifest::Settings;

/// `80/tcp` of all that the image, `--expose` and `--publish` name.
pub(super) fn exposed(said: &Said, settings: &Settings) -> BTreeSet<String> {
    let ports = said.all("expose").into_iter().chain(settings.exposed_ports.keys().map(|port| &**port));
    let ports = ports.filter_map(|text| text.parse::<Expose>().ok());
    let ports = ports.flat_map(|expose| expose.ports.map(move |port| format!("{port}/{}", expose.protocol)));
    ports.chain(bindings(said).keys().cloned()).collect()
}

/// What was asked for, unlike what came of it, which is in NetworkSettings.
pub(super) fn bindings(said: &Said) -> Map<String, Value> {
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

/// What came of it: the places of the host that lead to each port. One to which none leads has nothing.
pub(super) fn published(exposed: &BTreeSet<String>, published: &[String]) -> Value {
    let mut ports: Map<String, Value> = exposed.iter().map(|port| (port.clone(), Value::Null)).collect();
    for port in published {
        let Some((host, inside)) = port.split_once("->") else { continue };
        let Some((ip, number)) = host.rsplit_once(':') else { continue };
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        let places = ports.entry(inside).or_insert_with(|| json!([]));
        if places.is_null() {
            *places = json!([]);
        }
        if let Some(places) = places.as_array_mut() {
            places.push(json!({"HostIp": ip, "HostPort": number}));
        }
    }
    Value::Object(ports)
}
