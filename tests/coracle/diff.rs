//! `diff`: what a container has changed.

use std::path::Path;

use serde_json::json;

use crate::kit::{Boat, Image, Layer, Ran};

fn image() -> Option<Image> {
    let layer = Layer::new()
        .file("opened/a", "1")
        .file("opened/b/c", "2")
        .file("less/gone", "3")
        .file("became/a-file", "4")
        .file("some/where/deep", "5")
        .file("touched", "6")
        .file("moded", "7")
        .file("same", "8");
    // The same names again, so that more than one layer has a say in it.
    let above = Layer::new().file("opened/d", "9").file("some/.wh.nothing", "").file(".wh.same", "");
    Some(Image::busybox(json!({"Cmd": ["true"]}))?.layer(layer).layer(above))
}

#[test]
fn changes_are_listed_as_docker_lists_them() {
    let Some(image) = image() else { return };
    let boat = Boat::holding(&image);
    let changes = "
        rm -r /opened; mkdir /opened; echo n >/opened/new; echo x >/opened/d
        rm /less/gone; rm -r /became; echo x >/became
        mkdir -p /new/er; echo x >/new/er/file
        echo x >/some/where/else; touch /touched; chmod 600 /moded; echo x >/same
        mkfifo /fifo; ln -s /nowhere /link; rm /etc/passwd; mkdir /tmp/only; rmdir /tmp/only
        printf x >\"$(printf 'two\\nlines\\033')\"; printf '' >>/some/where/deep";
    boat.run("--name one", &["sh", "-ec", changes]).ok();
    let expected = [
        "C /became",
        "A /fifo",
        "C /etc",
        "D /etc/passwd",
        "C /less",
        "D /less/gone",
        "A /link",
        "C /moded",
        "A /new",
        "A /new/er",
        "A /new/er/file",
        "C /opened",
        "D /opened/a",
        "D /opened/b",
        "C /opened/d",
        "A /opened/new",
        "A /same",
        "C /some",
        "C /some/where",
        "A /some/where/else",
        "C /touched",
        "A /two\\nlines\\u{1b}",
    ];
    let mut shown: Vec<_> = boat.coracle("diff one").ok().lines().map(str::to_owned).collect();
    assert!(shown.is_sorted_by_key(|line| Path::new(&line[2..]).to_owned()), "{shown:?}");
    let mut expected: Vec<_> = expected.map(str::to_owned).to_vec();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);
}

#[test]
fn nothing_is_changed_by_running_alone() {
    let Some(image) = image() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["true"]).ok();
    assert_eq!(boat.coracle("diff one").ok(), "");
    // The places of our own mounts are made where the image has none.
    let Some(bare) = Image::bare_busybox(json!({"Cmd": ["true"]})) else { return };
    let boat = Boat::holding(&bare);
    boat.run("--name one", &["true"]).ok();
    assert_eq!(boat.coracle("diff one").ok(), "");
    boat.run("--name two --workdir /work --volume /tmp:/volume/deep", &["true"]).ok();
    assert_eq!(boat.coracle("diff two").ok(), "A /volume\nA /volume/deep\nA /work");
    boat.coracle("diff nobody").failed(1, "No such container: nobody");
    boat.coracle("diff").failed(1, "Run 'coracle diff --help'");
}

#[test]
fn running_container_is_read_and_no_link_in_it_is_followed() {
    let Some(image) = image() else { return };
    let boat = Boat::holding(&image);
    let line = "rm -r /some; ln -s / /some; ln -s /etc /opened/b/link; mkdir /deep; cd /deep; \
                for i in $(seq 200); do mkdir d; cd d; done; echo done; sleep 1000";
    let mut runs = boat.start("--name runs", line);
    assert_eq!(runs.line(), "done");
    let shown = boat.coracle("diff runs").ok();
    assert!(shown.lines().any(|line| line == "C /some"), "{shown}");
    assert!(shown.contains("A /opened/b/link\n") && !shown.contains("/some/"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.starts_with("A /deep")).count(), 201);
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();

    // Deeper than a path can be long: said, and nothing worse.
    let line = "cd /tmp; for i in $(seq 1500); do mkdir d123456789 && cd d123456789 || break; done; true";
    boat.run("--name deep", &["sh", "-c", line]);
    let ran = boat.coracle("diff deep");
    assert!(ran.code == 0 || ran.err.contains("ENAMETOOLONG") && ran.err.lines().count() == 1, "{ran:?}");
    Ran::of(&mut boat.command(["rm", "deep"])).ok();
}
