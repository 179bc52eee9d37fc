//! The files in setup/ bring the same packages everywhere, and are read by those they are written for.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use support::{not_run, program};

const SETUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../setup");

fn read(name: &str) -> String {
    fs::read_to_string(format!("{SETUP}/{name}")).unwrap()
}

/// The names of setup/packages, without those that may be left out.
fn packages() -> BTreeSet<String> {
    let text = read("packages");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.contains("(may be left out)"));
    lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn cloud_init_brings_the_packages_of_the_list() {
    let text = read("cloud-init.yaml");
    let list = text.split_once("\npackages:\n").unwrap().1;
    let named: BTreeSet<String> =
        list.lines().map_while(|line| line.strip_prefix("  - ")).map(str::to_owned).collect();
    assert_eq!(named, packages());
}

#[test]
fn lima_brings_the_packages_of_the_list() {
    let text = read("lima.yaml");
    let line = text.lines().find(|line| line.contains("apt-get install")).unwrap();
    let words = line.split_once("--no-install-recommends").unwrap().1.split_whitespace();
    let mut named: BTreeSet<String> = words.map(str::to_owned).collect();
    named.remove("qemu-system-x86");
    assert_eq!(named, packages());
}

#[test]
fn cloud_init_accepts_its_user_data() {
    if program("cloud-init").is_none() {
        return not_run("cloud-init is missing: apt-get install cloud-init, or tests/run --may-change-host");
    }
    let check = |file: &str| {
        let output = Command::new("cloud-init").args(["schema", "--config-file", file]).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (well, said) = check(&format!("{SETUP}/cloud-init.yaml"));
    assert!(well, "{said}");
    // What is no user-data is told from what is.
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.yaml");
    fs::write(&wrong, read("cloud-init.yaml").replace("packages:\n", "packages: 7\nother:\n")).unwrap();
    assert!(!check(wrong.to_str().unwrap()).0);
}

#[test]
fn the_dev_container_is_json_with_comments() {
    let text = fs::read_to_string(format!("{SETUP}/../.devcontainer/devcontainer.json")).unwrap();
    let json: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(value["onCreateCommand"].as_str().unwrap().contains("setup/install"));
}
