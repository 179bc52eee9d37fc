//! Containers that are kept, listed and removed.

use insta::assert_snapshot;
use nix::sys::signal::Signal;
use support::{is_alive, wait_until};

use crate::kit::{Boat, LIMIT, names};

#[test]
fn kept_containers_are_listed_with_dockers_columns() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name well", &["true"]).ok();
    assert_eq!(boat.run("--name badly", &["sh", "-c", "exit 3"]).code, 3);
    assert_eq!(
        boat.run("--name not-at-all", &["a-rather-long-name", "and \x1b[31mcolours\nand more"]).code,
        127
    );
    let mut runs = boat.start("--name runs", "read line; sleep 1000");
    insta::with_settings!({filters => vec![
        (r"127\.0\.0\.1:\d+/box\d+", "127.0.0.1:PORT/box"),
        (r"(?m)^[0-9a-f]{12}", "<ID>"),
        (r"(Less than a|\d+) seconds?( ago)?", "<TIME>"),
        (" +", " "),
    ]}, {
        assert_snapshot!(boat.coracle("ps --all").ok(), @r#"
        CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES
        <ID> 127.0.0.1:PORT/box:1 "sh -c 'echo started…" <TIME> Up <TIME> runs
        <ID> 127.0.0.1:PORT/box:1 "a-rather-long-name …" <TIME> Created not-at-all
        <ID> 127.0.0.1:PORT/box:1 "sh -c 'exit 3'" <TIME> Exited (3) <TIME> badly
        <ID> 127.0.0.1:PORT/box:1 "true" <TIME> Exited (0) <TIME> well
        "#);
        assert_snapshot!(boat.coracle("ps").ok(), @r#"
        CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES
        <ID> 127.0.0.1:PORT/box:1 "sh -c 'echo started…" <TIME> Up <TIME> runs
        "#);
    });
    let whole = boat.coracle("ps --all --no-trunc").ok();
    assert!(whole.contains(r#""a-rather-long-name 'and \u{1b}[31mcolours\nand more'""#), "{whole}");
    assert_eq!(boat.coracle("ps --quiet").ok().len(), 12);
    assert_eq!(boat.coracle("ps --quiet --no-trunc").ok().len(), 64);
    runs.signal(Signal::SIGKILL);
    runs.end();
}

#[test]
fn empty_table_has_dockers_columns() {
    let Some(boat) = Boat::new() else { return };
    assert_eq!(
        boat.coracle("ps --all").ok(),
        "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES"
    );
    assert_eq!(boat.coracle("images").ok(), "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE");
}

#[test]
fn container_with_rm_leaves_nothing() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--rm", &["sh", "-c", "mkdir -p /a/b; echo x >/a/b/c; rm /greeting; chmod 0 /a"]).ok();
    boat.assert_no_container();
    assert_eq!(boat.run("--rm", &["sh", "-c", "exit 7"]).code, 7);
    assert_eq!(boat.run("--rm", &["not-there"]).code, 127);
    let mut runs = boat.start("--rm", "trap 'exit 3' TERM; echo ready; sleep 1000 & wait");
    // Process 1 does not get a signal that it has no handler for yet.
    assert_eq!(runs.line(), "ready");
    runs.signal(Signal::SIGTERM);
    assert_eq!(runs.end().code, 3);
    boat.assert_no_container();
}

#[test]
fn kept_container_keeps_its_changes_and_the_image_none() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name kept", &["sh", "-c", "echo changed >/greeting"]).ok();
    let id = boat.coracle("ps --all --quiet --no-trunc").ok();
    let upper = boat.root().join("containers").join(id).join("upper/greeting");
    assert_eq!(std::fs::read_to_string(upper).unwrap(), "changed\n");
    assert_eq!(boat.run("--rm", &["cat", "/greeting"]).ok(), "hello from above");
    assert_eq!(boat.coracle("rm kept").ok(), "kept");
    boat.assert_no_container();
}

#[test]
fn running_container_is_removed_only_by_force() {
    let Some(boat) = Boat::new() else { return };
    let mut runs = boat.start("--name runs", "sleep 1000");
    boat.coracle("rm runs")
        .failed(1, "container is running: stop the container before removing or force remove");
    assert!(runs.lives());
    assert_eq!(boat.coracle("rm --force runs").ok(), "runs");
    assert!(!is_alive(runs.container));
    assert_eq!(runs.end().code, 137);
    boat.assert_no_container();

    // With --rm, its own `run` may be faster.
    let mut runs = boat.start("--rm --name runs", "sleep 1000");
    assert_eq!(boat.coracle("rm --force runs").ok(), "runs");
    assert_eq!(runs.end().code, 137);
    boat.assert_no_container();
}

#[test]
fn several_are_removed_and_each_that_cannot_be_is_named() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name one", &["true"]).ok();
    boat.run("--name two", &["true"]).ok();
    let ran = boat.coracle("rm one nobody two");
    assert_eq!((ran.code, &*ran.out), (1, "one\ntwo\n"), "{ran:?}");
    assert!(ran.err.contains("No such container: nobody"), "{ran:?}");
    boat.assert_no_container();
}

#[test]
fn record_is_there_before_the_process_and_true_afterwards() {
    let Some(boat) = Boat::new() else { return };
    let mut runs = boat.start("--name runs", "read line; sleep 1000");
    let folder = boat.root().join("containers");
    let state = folder.join(&names(&folder)[0]).join("state.json");
    let read = || -> serde_json::Value { serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap() };
    assert_eq!((&read()["status"], &read()["pid"]), (&"running".into(), &runs.container.as_raw().into()));
    // The pid alone could be anybody's by now.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", runs.container)).unwrap();
    let started: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    assert_eq!(read()["start_time"], started);
    support::command("kill").args(["-KILL", &runs.container.to_string()]).status().unwrap();
    assert_eq!(runs.end().code, 137);
    wait_until("the end is written down", LIMIT, || read()["status"] == "exited");
    assert_eq!((&read()["pid"], &read()["exit_code"]), (&serde_json::Value::Null, &137.into()));
}

#[test]
fn garbage_among_the_containers_is_no_container() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name kept", &["true"]).ok();
    let folder = boat.root().join("containers");
    // Half-made by somebody who was killed; cut by a power failure.
    std::fs::create_dir(folder.join("0123")).unwrap();
    std::fs::write(folder.join("0123/config.json"), "{\"id\": \"012").unwrap();
    assert_eq!(boat.coracle("ps --all --quiet").ok().len(), 12);
    assert_eq!(names(&folder).len(), 1, "the half-made one is swept");
}

#[test]
fn h3_container_whose_state_a_power_cut_has_emptied_keeps_its_files() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name kept", &["sh", "-c", "cat /work 2>/dev/null || echo mine >/work"]).ok();
    let folder = boat.root().join("containers");
    let kept = folder.join(&names(&folder)[0]);
    for damage in ["", "{\"status\": \"exi"] {
        std::fs::write(kept.join("state.json"), damage).unwrap();
        for _ in 0..2 {
            let seen = boat.coracle("ps --all --format {{.Names}}:{{.Status}}").ok();
            assert!(seen.starts_with("kept:Exited (137)"), "{seen}");
        }
        assert_eq!(boat.coracle("start --attach kept").ok(), "mine");
    }
    std::fs::remove_file(kept.join("state.json")).unwrap();
    boat.coracle("rm kept").ok();
    boat.assert_no_container();
}

#[test]
fn h3_container_whose_record_a_power_cut_has_cut_is_named_before_it_goes() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name kept", &["true"]).ok();
    let folder = boat.root().join("containers");
    let kept = folder.join(&names(&folder)[0]);
    std::fs::write(kept.join("config.json"), "{\"id\": \"012").unwrap();
    assert_eq!(boat.coracle("ps --all --quiet").ok(), "");
    boat.coracle("ps --all --quiet").failed(0, "warning: a damaged container is removed: cannot understand");
    boat.assert_no_container();
}

#[test]
fn container_that_cannot_be_read_just_now_is_not_removed() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name kept", &["true"]).ok();
    let folder = boat.root().join("containers");
    let config = folder.join(&names(&folder)[0]).join("config.json");
    let aside = boat.path("aside");
    std::fs::rename(&config, &aside).unwrap();
    // Reading it is EISDIR, for root too; on a bad disk it would be EIO.
    std::fs::create_dir(&config).unwrap();
    for _ in 0..2 {
        assert_eq!(boat.coracle("ps --all --quiet").ok(), "");
    }
    std::fs::remove_dir(&config).unwrap();
    std::fs::rename(&aside, &config).unwrap();
    assert_eq!(boat.coracle("ps --all --format {{.Names}}").ok(), "kept");
}
