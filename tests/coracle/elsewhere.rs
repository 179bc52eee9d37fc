//! Docker's variables, and what people have set in its file: obeyed, or answered.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use step07_images::digest::Digest;

use crate::kit::{Boat, Image, Ran, Screen};

/// With a file of settings.
fn boat(settings: Value) -> Option<Boat> {
    let boat = Boat::holding(&Image::usual()?);
    fs::create_dir(boat.path(".docker")).unwrap();
    fs::write(file(&boat), settings.to_string()).unwrap();
    Some(boat)
}

fn file(boat: &Boat) -> PathBuf {
    boat.path(".docker/config.json")
}

#[test]
fn another_machines_docker_is_not_this_one() {
    let Some(boat) = boat(json!({})) else { return };
    let ask = |name: &str, value: &str, words: &str| Ran::of(boat.command(words.split(' ')).env(name, value));
    for host in ["ssh://ada@prod", "tcp://10.0.0.1:2376"] {
        let said = format!("DOCKER_HOST means another machine, {host}");
        ask("DOCKER_HOST", host, "rm -f web").failed(1, &said);
        ask("DOCKER_HOST", host, "run --rm box:1 true").failed(125, &said);
        assert_eq!(ask("DOCKER_HOST", host, "completion bash").code, 0);
    }
    assert!(!boat.root().join("containers").exists());
    assert_eq!(ask("DOCKER_HOST", "unix:///run/user/1000/docker.sock", "ps -q").ok(), "");

    // What Docker knows of a context.
    let place = boat.path(".docker/contexts/meta");
    for (name, host) in [("prod", "ssh://prod"), ("rootless", "unix:///run/user/1000/docker.sock")] {
        let folder = place.join(Digest::of(name).hex());
        fs::create_dir_all(&folder).unwrap();
        let known = json!({"Name": name, "Endpoints": {"docker": {"Host": host}}});
        fs::write(folder.join("meta.json"), known.to_string()).unwrap();
    }
    ask("DOCKER_CONTEXT", "prod", "ps").failed(1, "the context prod means another machine, ssh://prod");
    for here in ["rootless", "default", "", "none-such"] {
        assert_eq!(ask("DOCKER_CONTEXT", here, "ps -q").ok(), "", "{here}");
    }
    fs::write(file(&boat), r#"{"currentContext": "prod"}"#).unwrap();
    boat.coracle("ps").failed(1, "the context prod means another machine, ssh://prod");
    assert_eq!(ask("DOCKER_CONTEXT", "default", "ps -q").ok(), "");
    fs::remove_file(file(&boat)).unwrap();
}

#[test]
fn platform_and_trust_of_the_variables_count() {
    let Some(boat) = boat(json!({})) else { return };
    let run = |name: &str, value: &str, options: &str| {
        Ran::of(boat.run_command(&format!("--rm --pull=never {options}"), &["echo", "here"]).env(name, value))
    };
    let ours = step07_images::manifest::Platform::of_this_machine().to_string();
    run("DOCKER_DEFAULT_PLATFORM", "linux/s390x", "").failed(125, "No such image: box:1");
    assert_eq!(run("DOCKER_DEFAULT_PLATFORM", &ours, "").ok(), "here");
    assert_eq!(run("DOCKER_DEFAULT_PLATFORM", "linux/s390x", &format!("--platform {ours}")).ok(), "here");
    run("DOCKER_DEFAULT_PLATFORM", "nonsense", "").failed(125, "DOCKER_DEFAULT_PLATFORM");

    run("DOCKER_CONTENT_TRUST", "1", "")
        .failed(125, "DOCKER_CONTENT_TRUST is set, and nobody here checks signatures");
    assert_eq!(run("DOCKER_CONTENT_TRUST", "0", "").ok(), "here");
    let pull = Ran::of(boat.command(["pull", "nowhere.invalid/x"]).env("DOCKER_CONTENT_TRUST", "true"));
    pull.failed(1, "nobody here checks signatures");
}

#[test]
fn settings_of_dockers_file_count() {
    let proxies = json!({"default": {"httpProxy": "http://proxy:3128", "noProxy": "localhost"}});
    let Some(boat) = boat(json!({
        "psFormat": "{{.Names}} is {{.State}}", "imagesFormat": "{{.Repository}}", "volumesFormat": "<{{.Name}}>",
        "detachKeys": "ctrl-e,e", "proxies": proxies,
    })) else {
        return;
    };
    let line = "env | grep -i proxy | sort";
    assert_eq!(
        boat.sh("-e http_proxy=mine", line).ok(),
        "HTTP_PROXY=http://proxy:3128\nNO_PROXY=localhost\nhttp_proxy=mine\nno_proxy=localhost"
    );
    boat.run("-dit --name box", &["sh"]).ok();
    assert_eq!(boat.coracle("ps").ok(), "box is running");
    assert_eq!(boat.coracle("ps --format {{.Image}}").ok(), "box:1");
    assert_eq!(boat.coracle("ps -q").ok().len(), 12);
    assert_eq!(boat.coracle("images").ok(), "box");
    boat.coracle("volume create data").ok();
    assert_eq!(boat.coracle("volume ls").ok(), "<data>");
    assert_eq!(boat.coracle("volume ls -q").ok(), "data");

    let Some(mut screen) = Screen::of(&boat.command(["attach", "box"]), (24, 80)) else { return };
    screen.types("echo hel''lo\r");
    screen.shows("hello");
    screen.types("\x05e");
    assert_eq!(screen.coracle.child().wait().unwrap().code(), Some(0));
    assert_eq!(boat.coracle("ps --format {{.State}}").ok(), "running");

    // One that makes no sense is said, and no reason to do nothing.
    fs::write(file(&boat), "{\"psFormat\": 5, \"auths\": \"secret\"").unwrap();
    let ran = boat.coracle("ps --all");
    assert!(ran.code == 0 && ran.out.contains("box"), "{ran:?}");
    assert!(
        ran.err.starts_with("WARNING: Error loading config file: ") && !ran.err.contains("secret"),
        "{ran:?}"
    );
}

#[test]
fn home_is_found_without_a_variable() {
    let Some(boat) = boat(json!({})) else { return };
    // Whoever may not write there is told of a place, and not of a variable.
    let mut command = support::command(env!("CARGO_BIN_EXE_coracle"));
    let ran = Ran::of(command.arg("version").env_remove("HOME"));
    assert_eq!(ran.code, 0);
    let logged_out = Ran::of(boat.command(["logout", "nowhere.invalid"]).env_remove("HOME"));
    assert!(!logged_out.err.contains("no home directory"), "{logged_out:?}");
}
