//! What Docker's structures have and its documents leave out.
//!
//! A template of Docker's is filled in twice at most: first from the structure in memory, in which `.State.Health` is
//! a pointer to nothing where no health is checked, so that `{{if .State.Health}}` is false; and if that fails, from the
//! document, which does not have what is empty, and has some fields by another name: `{{.ID}}` is `"Id"` there. So both
//! are understood. (docker/cli, `cli/command/inspect/inspector.go`; moby, `api/types/container/config.go` and
//! `hostconfig.go`.)

use serde_json::{Map, Value};

use Field::{As, List, Number, Pointer, Set, Switch, Text};

/// A field, as it is where nobody has set it.
enum Field {
    Pointer,
    Text,
    Switch,
    Number,
    List,
    Set,
    /// It is written, by this name.
    As(&'static str),
}

/// A field that tells the structure, and fields that may be missing.
const STRUCTURES: [(&str, &[(&str, Field)]); 8] = [
    (
        "HostConfig",
        &[
            ("ID", As("Id")),
            ("SizeRw", Pointer),
            ("SizeRootFs", Pointer),
            ("ImageManifestDescriptor", Pointer),
        ],
    ),
    ("OOMKilled", &[("Health", Pointer)]),
    (
        "OpenStdin",
        &[
            ("ArgsEscaped", Switch),
            ("ExposedPorts", Set),
            ("Healthcheck", Pointer),
            ("MacAddress", Text),
            ("NetworkDisabled", Switch),
            ("Shell", List),
            ("StopSignal", Text),
            ("StopTimeout", Pointer),
        ],
    ),
    ("NetworkMode", &LIMITS),
    ("NetworkID", &[("DNSNames", List), ("GwPriority", Number)]),
    (
        "RootFS",
        &[
            ("ID", As("Id")),
            ("ContainerConfig", Pointer),
            ("Descriptor", Pointer),
            ("Manifests", List),
            ("OsVersion", Text),
        ],
    ),
    ("Destination", &[("Driver", Text), ("Name", Text)]),
    ("Mountpoint", &[("ClusterVolume", Pointer), ("Status", Set), ("UsageData", Pointer)]),
];

/// Of the host's part of a container: most of it will mean something with step 08.
const LIMITS: [(&str, Field); 37] = [
    ("Annotations", Set),
    ("BlkioDeviceReadBps", List),
    ("BlkioDeviceReadIOps", List),
    ("BlkioDeviceWriteBps", List),
    ("BlkioDeviceWriteIOps", List),
    ("BlkioWeight", Number),
    ("BlkioWeightDevice", List),
    ("CPUCount", Number),
    ("CPUPercent", Number),
    ("CPUPeriod", As("CpuPeriod")),
    ("CPUQuota", As("CpuQuota")),
    ("CPURealtimePeriod", Number),
    ("CPURealtimeRuntime", Number),
    ("CPUShares", As("CpuShares")),
    ("CgroupParent", Text),
    ("CpuCount", Number),
    ("CpuPercent", Number),
    ("CpuRealtimePeriod", Number),
    ("CpuRealtimeRuntime", Number),
    ("CpusetCpus", Text),
    ("CpusetMems", Text),
    ("DNS", As("Dns")),
    ("DNSOptions", As("DnsOptions")),
    ("DNSSearch", As("DnsSearch")),
    ("DeviceCgroupRules", List),
    ("DeviceRequests", List),
    ("IOMaximumBandwidth", Number),
    ("IOMaximumIOps", Number),
    ("KernelMemory", Number),
    ("KernelMemoryTCP", Number),
    ("MemorySwappiness", Pointer),
    ("Mounts", List),
    ("NanoCPUs", As("NanoCpus")),
    ("OomKillDisable", Switch),
    ("StorageOpt", Set),
    ("Sysctls", Set),
    ("Tmpfs", Set),
];

/// The value of a field that is not written; nothing if the structure has no such field.
pub(super) fn absent(object: &Map<String, Value>, name: &str) -> Option<Value> {
    let (_, fields) = STRUCTURES.iter().find(|(mark, _)| object.contains_key(*mark))?;
    let (_, field) = fields.iter().find(|(field, _)| *field == name)?;
    Some(match field {
        Pointer => Value::Null,
        Text => "".into(),
        Switch => false.into(),
        Number => 0.into(),
        List => Value::Array(Vec::new()),
        Set => Value::Object(Map::new()),
        As(written) => object.get(*written)?.clone(),
    })
}
