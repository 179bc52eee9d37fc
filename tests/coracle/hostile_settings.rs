//! Images whose settings are an attack: L31, L32. (L29 is in `users`.)

use std::fs;

use serde_json::{Value, json};
use support::command;

use crate::kit::{Boat, Image, Layer, Ran};

/// A boat with an image of these settings and this layer above busybox, and a folder beside it that nothing may
/// reach.
fn hostile(settings: Value, layer: Layer) -> Option<Boat> {
    let boat = Boat::holding(&Image::busybox(settings)?.layer(layer));
    fs::create_dir(boat.path("outside")).unwrap();
    fs::write(boat.path("outside/marker"), "untouched").unwrap();
    Some(boat)
}

/// Nothing outside has changed, nothing is left, and the image does no harm with better settings.
#[track_caller]
fn assert_harmless(boat: &Boat) {
    assert_eq!(crate::kit::names(&boat.path("outside")), ["marker"]);
    assert_eq!(fs::read_to_string(boat.path("outside/marker")).unwrap(), "untouched");
    boat.assert_no_container();
    boat.run("--rm -w / -u 0 --entrypoint /bin/busybox", &["true"]).ok();
}

#[test]
fn l31_work_directory_is_made_inside() {
    let cases = [
        ("relative/path", "/relative/path"),
        ("/missing/one", "/missing/one"),
        ("../../../../up", "/up"),
        ("/to-etc/new", "/etc/new"),
        ("/to-outside/new", "/nowhere/new"),
        ("/tmp/./x//y/..", "/tmp/x"),
        ("/", "/"),
        ("", "/"),
    ];
    for (directory, seen) in cases {
        let layer = Layer::new().link("to-etc", "etc").link("to-outside", "../../nowhere");
        let Some(boat) = hostile(json!({"WorkingDir": directory}), layer) else { return };
        assert_eq!(boat.sh("", "/bin/busybox pwd -P").ok(), seen, "{directory:?}");
        assert_harmless(&boat);
    }
}

#[test]
fn l31_work_directory_that_is_none_is_refused() {
    for directory in ["/file", "/file/below", "/circle", "/circle/x", "/pipe", &"/long".repeat(900), "/\0x"] {
        let layer = Layer::new().file("file", "").link("circle", "circle").fifo("pipe");
        let Some(boat) = hostile(json!({"WorkingDir": directory}), layer) else { return };
        boat.run("--rm", &["true"]).failed(125, "cannot change to the working directory");
        assert_harmless(&boat);
    }
}

#[test]
fn l31_descriptors_are_no_way_out() {
    // From 3 on there is what `coracle` has open, and 9 is what the caller has.
    let descriptors = (3..=12).map(|number| format!("/proc/self/fd/{number}"));
    let others = ["/proc/self/root", "/proc/self/cwd", "/proc/1/root", "/link"].map(str::to_owned);
    let Some(boat) = hostile(json!({}), Layer::new().link("link", "/proc/self/fd/9")) else { return };
    let outside = boat.path("outside");
    // Enough to get up to the root from anywhere.
    let up = "/..".repeat(12);
    for way in descriptors.chain(others) {
        for rest in
            [String::new(), format!("{up}{}", outside.display()), format!("{up}{}/made", outside.display())]
        {
            let directory = format!("{way}{rest}");
            let run = boat.run_command(&format!("--rm -w {directory}"), &["/bin/busybox", "pwd", "-P"]);
            let mut shell = command("sh");
            shell.args(["-c", "exec \"$@\" 9</", "sh"]).arg(run.get_program()).args(run.get_args());
            let ran = Ran::of(shell.env("HOME", boat.path("")));
            // What is no link at all, or leads to our own root, may be entered.
            match ran.code {
                0 => assert!(ran.out.starts_with('/'), "{directory}: {ran:?}"),
                _ => drop(ran.failed(125, "cannot change to the working directory")),
            }
            assert_eq!(crate::kit::names(&outside), ["marker"], "{directory}");
        }
    }
    assert_harmless(&boat);
}

#[test]
fn l32_strange_variables_are_dropped_and_the_last_one_counts() {
    let env = json!([
        "no-value",
        "=no-name",
        "A=1",
        "A=2",
        "B=with\nnewline",
        "C=nul\0nul",
        "",
        "D==",
        "E=\u{1b}[2J"
    ]);
    let Some(boat) = hostile(json!({"Env": env}), Layer::new()) else { return };
    let seen = boat.run("--rm", &["/bin/busybox", "env"]).ok();
    let lines: Vec<_> =
        seen.lines().filter(|line| !line.contains("PATH=") && !line.contains("HOSTNAME=")).collect();
    assert_eq!(lines, ["A=2", "B=with", "newline", "D==", "E=\u{1b}[2J", "HOME=/root"]);
    assert_harmless(&boat);
}

#[test]
fn l32_too_much_environment_is_explained() {
    let Some(boat) = hostile(json!({"Env": [format!("V={}", "x".repeat(2_000_000))]}), Layer::new()) else {
        return;
    };
    boat.run("--rm", &["true"]).failed(126, "E2BIG");
    boat.assert_no_container();
}

#[test]
fn l32_entrypoint_that_cannot_be_run_is_126_or_127() {
    for (entrypoint, code, text) in [
        (json!([""]), 127, "the name is empty"),
        (json!(["/etc"]), 126, "it is a directory"),
        (json!(["."]), 127, "not found in PATH"),
        (json!(["./"]), 126, "it is a directory"),
        (json!(["/bin/busybox\0true"]), 125, "NUL byte"),
        (json!(["\u{1b}[2J\nx"]), 127, "cannot run \\u{1b}[2J\\nx"),
        (json!(["../../../../../../bin/nowhere"]), 127, "there is no such file"),
    ] {
        let Some(boat) = hostile(json!({"Entrypoint": entrypoint}), Layer::new()) else { return };
        boat.run("--rm", &[]).failed(code, text);
        boat.assert_no_container();
    }
}

#[test]
fn l34_other_settings_are_data() {
    let settings = json!({
        "Cmd": ["echo", "ran"],
        "Labels": {"io.coracle.privileged": "true", "\u{1b}[2J": "x".repeat(10_000)},
        "StopSignal": "BOGUS", "ExposedPorts": {"99999/icmp": {}, "": {}},
        "Healthcheck": {"Test": ["CMD", "touch", "/healthy"]}, "OnBuild": ["RUN touch /built"],
        "Volumes": {"data": {}, "/a//b": null}, "Unknown": [1, {"x": null}],
    });
    let Some(boat) = hostile(settings, Layer::new()) else { return };
    assert_eq!(boat.run("--rm", &[]).ok(), "ran");
    assert_eq!(boat.run("--rm", &["/bin/busybox", "ls", "/"]).ok().matches("healthy").count(), 0);
    assert_harmless(&boat);
}

#[test]
fn l34_volumes_where_none_can_be_are_refused() {
    for place in
        ["/", "..", "", "/x/../..", "/proc", "/proc/sys", "/sys/kernel", "/dev", "/dev/shm/x", "/x\0y"]
    {
        let settings = json!({"Cmd": ["true"], "Volumes": {place: {}}});
        let Some(boat) = hostile(settings, Layer::new()) else { return };
        boat.run("--rm", &[]).failed(125, "the image asks for a volume at");
        boat.assert_no_container();
    }
}

#[test]
fn c14_what_an_image_calls_its_volumes_is_shown_and_not_obeyed() {
    for place in ["/file/\u{1b}[2J", "/file/\u{9b}31m\n\r"] {
        let layer = Layer::new().file("file", "");
        let Some(boat) = hostile(json!({"Volumes": {place: {}}}), layer) else { return };
        boat.run("--rm", &["true"]).failed(125, "cannot mount /file/");
        boat.assert_no_container();
    }
}
