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
fn wrong_user_data_is_told_from_right_without_a_boot() {
    if program("cloud-init").is_none() {
        return not_run("cloud-init is missing: apt-get install cloud-init, or tests/run --may-change-host");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("user-data");
    let judge = |text: &str| {
        fs::write(&file, text).unwrap();
        let output = Command::new(format!("{SETUP}/../tests/kernel/user-data")).arg(&file).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let right = read("cloud-init.yaml");
    let wrong = |changes: &[(&str, &str)]| {
        changes.iter().fold(right.clone(), |text, (part, instead)| {
            assert!(text.contains(part), "{part}");
            text.replacen(part, instead, 1)
        })
    };
    let (code, said) = judge(&right);
    assert_eq!(code, Some(0), "{said}");
    let knows_packages = !said.contains("NOT RUN");

    for (part, instead, fault) in [
        ("#cloud-config\n", "# cloud config\n", "its first line is not #cloud-config"),
        ("packages:\n", "packages: [\n", "not valid yaml"),
        ("packages:\n", "packages: 7\nother:\n", "packages: 7 is not of type 'array'"),
    ] {
        let (code, said) = judge(&wrong(&[(part, instead)]));
        assert!(code == Some(1) && said.lines().count() == 1 && said.contains(fault), "{instead}: {said}");
    }
    let (code, said) =
        judge(&wrong(&[("  - gcc\n", "  - gcc-of-nobody\n"), ("name: boat\n", "name: boot\n")]));
    let faults = said.lines().filter(|line| !line.starts_with("NOT RUN")).count();
    assert!(code == Some(1) && said.contains("nobody is called boat"), "{said}");
    assert!(said.contains("is about boat, whom users does not make"), "{said}");
    let (code, powerless) = judge(&wrong(&[("NOPASSWD:ALL", "ALL")]));
    assert!(code == Some(1) && powerless.contains("boat may not become root"), "{powerless}");
    if !knows_packages {
        return not_run("apt knows no packages here: apt-get update");
    }
    assert!(said.contains("apt knows no gcc-of-nobody") && faults == 4, "{said}");
}

#[test]
fn the_dev_container_is_json_with_comments() {
    let text = fs::read_to_string(format!("{SETUP}/../.devcontainer/devcontainer.json")).unwrap();
    let json: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(value["onCreateCommand"].as_str().unwrap().contains("setup/install"));
}
