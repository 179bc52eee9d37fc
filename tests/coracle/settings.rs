//! What the image and the command line say about the command.

use serde_json::json;

use crate::kit::{Boat, Image};

#[test]
fn command_of_the_image_runs_unless_another_is_named() {
    let Some(boat) = Boat::new() else { return };
    assert_eq!(boat.run("--rm", &[]).ok(), "hello from above");
    assert_eq!(boat.run("--rm", &["echo", "a b", "", "--rm", "-x"]).ok(), "a b  --rm -x");
}

#[test]
fn entrypoint_takes_the_command_as_its_words() {
    let Some(image) = Image::busybox(json!({"Entrypoint": ["echo", "entry"], "Cmd": ["of", "image"]})) else {
        return;
    };
    let Some(boat) = Boat::with(&image) else { return };
    assert_eq!(boat.run("--rm", &[]).ok(), "entry of image");
    assert_eq!(boat.run("--rm", &["mine"]).ok(), "entry mine");
    // One of one's own drops the image's command too.
    assert_eq!(boat.run("--rm --entrypoint /bin/echo", &[]).ok(), "");
    assert_eq!(boat.run("--rm --entrypoint /bin/echo", &["mine"]).ok(), "mine");
    assert_eq!(boat.run("--rm --entrypoint=", &["echo", "bare"]).ok(), "bare");
}

#[test]
fn environment_is_built_from_nothing() {
    let Some(boat) = Boat::new() else { return };
    let mut command = boat.run_command("--rm --hostname box", &["/bin/busybox", "env"]);
    command.env("SECRET", "of the host").env("TERM", "of-the-host");
    let seen = crate::kit::Ran::of(&mut command).ok();
    let mut seen: Vec<_> = seen.lines().collect();
    seen.sort();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(seen, ["GREETING=hello", "HOME=/root", "HOSTNAME=box", path]);
}

#[test]
fn variables_are_set_replaced_emptied_and_passed_on() {
    let Some(boat) = Boat::new() else { return };
    let script = "echo $GREETING-$A-${B-unset}-${C-unset}-$PASSED-${MISSING-unset}";
    let options = "--rm -e GREETING=mine -e A=1 -e A=2=3 --env=B= -e PASSED -e MISSING";
    let mut command = boat.run_command(options, &["sh", "-c", script]);
    let seen = crate::kit::Ran::of(command.env("PASSED", "on").env_remove("MISSING")).ok();
    assert_eq!(seen, "mine-2=3--unset-on-unset");
    boat.run("--rm -e =x", &["true"]).failed(125, "invalid environment variable: =x");
}

#[test]
fn path_of_the_image_is_where_the_command_is_looked_for() {
    let Some(image) = Image::busybox(json!({"Env": ["PATH=/nowhere:/bin"]})) else { return };
    let Some(boat) = Boat::with(&image) else { return };
    assert_eq!(boat.sh("", "echo $PATH").ok(), "/nowhere:/bin");
    boat.run("--rm -e PATH=/nowhere", &["true"]).failed(127, "not found in PATH (/nowhere)");
    boat.run("--rm -e PATH=/nowhere", &["/bin/true"]).ok();
}

#[test]
fn work_directory_is_the_images_or_the_one_asked_for() {
    let Some(image) = Image::busybox(json!({"WorkingDir": "/tmp"})) else { return };
    let Some(boat) = Boat::with(&image) else { return };
    assert_eq!(boat.sh("", "pwd").ok(), "/tmp");
    // It is made where there is none, as in Docker.
    assert_eq!(
        boat.sh("-w /made/for/this", "pwd; ls -ld /made/for | cut -c 1-10").ok(),
        "/made/for/this\ndrwxr-xr-x"
    );
    boat.sh("-w /etc/passwd", "pwd").failed(125, "/etc/passwd: ENOTDIR: Not a directory");
    boat.sh("-w relative", "pwd").failed(125, "needs to be an absolute path");
}

#[test]
fn words_that_are_no_text_arrive_as_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let Some(boat) = Boat::new() else { return };
    let mut command = boat.run_command("--rm", &["printf", "%s"]);
    let output = command.arg(OsStr::from_bytes(b"\xff\x01\n")).output().unwrap();
    assert_eq!(output.stdout, b"\xff\x01\n", "{output:?}");
}

#[test]
fn everything_after_the_image_belongs_to_the_command() {
    let Some(boat) = Boat::new() else { return };
    assert_eq!(boat.run("--rm", &["echo", "--name", "x", "--", "-it"]).ok(), "--name x -- -it");
    // Before the command it may stand as in the other steps; Docker would look for a program of that name.
    assert_eq!(boat.run("--rm", &["--", "echo", "x"]).ok(), "x");
}
