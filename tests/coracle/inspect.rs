//! `inspect`: everything that is known, in Docker's shape.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::{Boat, Image, Layer, Ran, Started};

pub fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

pub fn inspect(boat: &Boat, words: &str) -> Value {
    let mut all: Value = serde_json::from_str(&boat.coracle(&format!("inspect {words}")).ok()).unwrap();
    all[0].take()
}

#[test]
fn container_is_shown_in_dockers_shape() {
    let Some(boat) = boat() else { return };
    let options = "--name ended --hostname host --env B=2 --volume /tmp:/volume:ro --tmpfs /t --read-only";
    assert_eq!(boat.run(options, &["sh", "-c", "exit 3"]).code, 3);
    let ended = inspect(&boat, "ended");
    for (pointer, expected) in [
        ("/Name", json!("/ended")),
        ("/Path", json!("sh")),
        ("/Args", json!(["-c", "exit 3"])),
        ("/State/Status", json!("exited")),
        ("/State/Running", json!(false)),
        ("/State/Pid", json!(0)),
        ("/State/ExitCode", json!(3)),
        ("/Config/Hostname", json!("host")),
        ("/Config/Env", json!(["B=2", "GREETING=hello"])),
        ("/Config/Cmd", json!(["sh", "-c", "exit 3"])),
        ("/Config/Entrypoint", json!([])),
        ("/Config/Image", json!("box:1")),
        ("/HostConfig/Binds", json!(["/tmp:/volume:ro"])),
        ("/HostConfig/NetworkMode", json!("none")),
        ("/HostConfig/ReadonlyRootfs", json!(true)),
        ("/HostConfig/AutoRemove", json!(false)),
        ("/HostConfig/Tmpfs", json!({"/t": ""})),
        ("/Mounts/0/Destination", json!("/volume")),
        ("/Mounts/0/RW", json!(false)),
        ("/NetworkSettings/Ports", json!({})),
    ] {
        assert_eq!(ended.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(ended["Id"].as_str().unwrap(), boat.coracle("ps --all --quiet --no-trunc").ok());
    for time in ["/Created", "/State/StartedAt", "/State/FinishedAt"] {
        let time = ended.pointer(time).and_then(Value::as_str).unwrap();
        assert!(time.len() == 30 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    // In the order in which things happened, and none of them is null.
    assert!(ended["Created"].as_str() <= ended["State"]["StartedAt"].as_str());
    assert!(ended["State"]["StartedAt"].as_str() < ended["State"]["FinishedAt"].as_str());
    assert!(!ended.to_string().contains("null"), "{ended}");
}

#[test]
fn container_has_every_key_of_dockers_that_has_a_meaning_here() {
    /// Of cgroup controllers, which step 08 brings, or of another operating system.
    const WITHOUT_MEANING: [&str; 8] = [
        "Blkio",
        "Cgroup",
        "Cpu",
        "Device",
        "IOMaximum",
        "KernelMemory",
        "MemorySwappiness",
        "OomKillDisable",
    ];
    let Some(boat) = boat() else { return };
    boat.run("--name one --volume /tmp:/volume --env A=1", &["sh", "-c", "exit 1"]);
    let mut ours = BTreeSet::new();
    keys(&inspect(&boat, "one"), "", &mut ours);
    let dockers = include_str!("../oracle/inspect.keys").lines().filter(|line| !line.starts_with('#'));
    let missing: Vec<_> = dockers.filter(|key| !ours.contains(*key)).collect();
    let unexpected = |key: &&&str| {
        let name = key.trim_start_matches("HostConfig.");
        !WITHOUT_MEANING.iter().any(|prefix| name.starts_with(prefix)) && !name.starts_with("ConsoleSize")
    };
    let missing: Vec<_> = missing.iter().filter(unexpected).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn keys(value: &Value, prefix: &str, all: &mut BTreeSet<String>) {
    let join = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (join(key), value)).collect(),
        Value::Array(list) => list.iter().map(|value| (join("[]"), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in children {
        keys(value, &key, all);
        all.insert(key);
    }
}

#[test]
fn running_container_has_its_process_and_its_address() {
    let Some(boat) = boat() else { return };
    let mut runs = boat.start("--name runs", "read line; sleep 1000");
    let state = &inspect(&boat, "runs")["State"];
    assert_eq!((&state["Status"], &state["Running"]), (&json!("running"), &json!(true)));
    assert_eq!(state["Pid"], runs.container.as_raw());
    assert_eq!(state["FinishedAt"], "0001-01-01T00:00:00Z");
    runs.signal(Signal::SIGKILL);
    runs.end();

    if support::Role::here() != support::Role::Root {
        return support::not_applicable(support::NotApplicable::NoBridge);
    }
    let mut words = vec!["run", "--name", "connected", "--publish", "127.0.0.1::80"];
    words.extend([
        &*boat.image,
        "sh",
        "-c",
        "echo started; ip -4 -o address show dev eth0; ip route; sleep 1000",
    ]);
    let mut runs = Started::of(&mut boat.command(words));
    // What the container says of itself, beside what is read from outside.
    let (address, route) = (runs.line(), runs.line());
    let network = &inspect(&boat, "connected")["NetworkSettings"];
    let said = |key: &str| network[key].as_str().unwrap().to_owned();
    assert!(
        address.contains(&format!(" {}/{} ", said("IPAddress"), network["IPPrefixLen"])),
        "{address} {network}"
    );
    assert!(route.starts_with(&format!("default via {} ", said("Gateway"))), "{route} {network}");
    assert_eq!(network["Networks"]["bridge"]["MacAddress"].as_str().unwrap().len(), 17);
    let place = &network["Ports"]["80/tcp"][0];
    let port = boat.coracle("port connected 80").ok();
    assert_eq!(port, format!("127.0.0.1:{}", place["HostPort"].as_str().unwrap()));
    boat.coracle("kill connected").ok();
    runs.end();
    assert_eq!(inspect(&boat, "connected")["NetworkSettings"]["IPAddress"], "");
}

#[test]
fn image_is_shown_in_dockers_shape() {
    let Some(boat) = boat() else { return };
    boat.run("--rm", &["true"]).ok();
    let image = inspect(&boat, "box:1");
    assert_eq!(image["RepoTags"], json!(["box:1"]));
    assert_eq!(image["Config"]["Cmd"], json!(["cat", "/greeting"]));
    assert_eq!(image["Config"]["Env"], json!(["GREETING=hello"]));
    assert_eq!((&image["Architecture"], &image["Os"]), (&json!("amd64"), &json!("linux")));
    assert_eq!(image["Created"], "2026-01-02T03:04:05Z");
    assert_eq!(image["RootFS"]["Layers"].as_array().unwrap().len(), 3);
    assert!(image["Size"].as_u64().unwrap() > 100_000);
    let id = image["Id"].as_str().unwrap();
    assert_eq!(inspect(&boat, &format!("--type image {}", &id[7..20])), image);
    assert!(!image.to_string().contains("null"), "{image}");
}

#[test]
fn i3_what_is_not_there_is_named_and_the_rest_is_shown() {
    let Some(boat) = boat() else { return };
    boat.run("--name one", &["true"]).ok();
    let none = boat.coracle("inspect nobody");
    assert_eq!((none.code, &*none.out), (1, "[]\n"), "{none:?}");
    assert!(none.err.contains("Error: No such object: nobody"), "{none:?}");
    let some = boat.coracle("inspect --format {{.Name}} nobody one other");
    assert_eq!((some.code, &*some.out), (1, "/one\n"), "{some:?}");
    assert_eq!(some.err.lines().count(), 2, "{some:?}");
    for (words, text) in [
        ("inspect --type container box:1", "No such container: box:1"),
        ("container inspect box:1", "No such container: box:1"),
        ("inspect --type image one", "No such image: one"),
        ("inspect --type nonsense one", "unknown type: \"nonsense\": must be one of"),
    ] {
        boat.coracle(words).failed(1, text);
    }
    Ran::of(&mut boat.command(["inspect", ""])).failed(1, "invalid container name or ID: value is empty");
    Ran::of(&mut boat.command(["inspect", "\x1b[2J"])).failed(1, "No such object: \\u{1b}[2J");
    boat.coracle("inspect").failed(1, "Run 'coracle inspect --help'");
}

#[test]
fn i1_templates_are_filled_in_or_refused_with_dockers_codes() {
    let Some(boat) = boat() else { return };
    boat.run("--name one", &["sh", "-c", "echo 12345 >/x"]).ok();
    for (format, expected) in [
        ("{{.Name}}: {{.State.Status}}", "/one: exited"),
        ("{{json .Config.Env}}", r#"["GREETING=hello"]"#),
        ("{{range .Args}}<{{.}}>{{end}}", "<-c><echo 12345 >/x>"),
        ("{{.Config.Labels.nothing}}", "<no value>"),
        ("{{len .Id}}", "64"),
    ] {
        assert_eq!(
            Ran::of(&mut boat.command(["inspect", "--format", format, "one"])).ok(),
            expected,
            "{format}"
        );
    }
    boat.coracle("inspect --format {{ one")
        .failed(64, "template parsing error: template: :1: unclosed action");
    boat.coracle("inspect --format {{.Foo}} one").failed(1, "map has no entry for key \"Foo\"");
    let compact = boat.coracle("inspect --format json one").ok();
    assert!(compact.starts_with("[{\"Id\":\"") && compact.lines().count() == 1, "{compact}");
    assert_eq!(boat.coracle("inspect --size --format {{.SizeRw}} one").ok(), "6");
    assert_eq!(boat.coracle("inspect --format {{.SizeRw}} one").ok(), "<nil>");
}

#[test]
fn c14_nothing_of_an_image_reaches_the_terminal_as_a_command() {
    let labels = json!({"label": "\u{1b}[2J\u{9b}2J\u{7f}\r\n"});
    let Some(image) = Image::bare_busybox(json!({"Cmd": ["\u{1b}c"], "Labels": labels})) else { return };
    let boat = Boat::holding(&image.layer(Layer::new().folder("etc")));
    boat.run("--name one", &["true"]).ok();
    for words in ["inspect one", "inspect box:1", "inspect --format json one"] {
        let shown = boat.coracle(words).ok();
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.contains(r"\u001b[2J\u009b2J\u007f\r\n"), "{shown}");
    }
}
