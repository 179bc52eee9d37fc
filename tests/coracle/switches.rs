//! Switches with a value: `--rm=true`, `-d=false`.

use crate::kit::{Boat, Image, Ran};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

#[test]
fn a_switch_that_is_off_is_as_if_it_had_not_been_said() {
    let Some(boat) = boat() else { return };
    assert_eq!(boat.run("-d=false --rm=1 --init=false --tty=false", &["echo", "here"]).ok(), "here");
    boat.assert_no_container();
    assert_eq!(boat.run("--rm --rm=false --name kept", &["echo", "here"]).ok(), "here");
    assert_eq!(boat.coracle("ps --all=true --quiet=1 --latest=F").ok().len(), 12);
    assert_eq!(boat.coracle("ps --all=false --quiet").ok(), "");
    assert_eq!(boat.coracle("ps -aq=false --format {{.Names}}").ok(), "kept");
    assert_eq!(boat.coracle("rm --force=false kept").ok(), "kept");
    boat.assert_no_container();
}

#[test]
fn containers_begin_again_with_the_switches_that_they_were_made_with() {
    let Some(boat) = boat() else { return };
    boat.run(
        "--name one --init=true --read-only=true -t=false -i=0",
        &["sh", "-c", "touch /x 2>/dev/null || echo no"],
    );
    let shown = |format: &str| Ran::of(&mut boat.command(["inspect", "-f", format, "one"])).ok();
    assert_eq!(
        shown("{{.HostConfig.Init}} {{.HostConfig.ReadonlyRootfs}} {{.Config.Tty}} {{.Config.OpenStdin}}"),
        "true true false false"
    );
    let again = boat.coracle("start --attach=true one");
    assert!(again.code == 0 && again.out == "no\n", "{again:?}");
    // One that is not there yet is no matter, as long as nobody wants it.
    assert_eq!(boat.run("--rm --privileged=false --oom-kill-disable=f", &["echo", "here"]).ok(), "here");
    boat.run("--rm --privileged=true", &["true"]).failed(125, "--privileged is not there yet");
    assert_eq!(boat.run("--rm --disable-content-trust", &["echo", "here"]).ok(), "here");
    boat.run("--rm --disable-content-trust=false", &["true"])
        .failed(125, "an image is trusted by its digest");
    boat.coracle("pull --disable-content-trust=false x").failed(1, "an image is trusted by its digest");
}

#[test]
fn a_value_that_makes_no_sense_is_refused_with_dockers_words() {
    let Some(boat) = boat() else { return };
    for words in [
        "run --rm=maybe x",
        "ps -a=maybe",
        "volume rm -f=maybe x",
        "image prune --all=maybe",
        "system prune -f=maybe",
    ] {
        boat.coracle(words).failed(125, "strconv.ParseBool: parsing \"maybe\": invalid syntax");
    }
    // A word of its own is no value, but the image.
    boat.run("--rm", &["echo", "true"]).ok();
    boat.coracle("run --pull never --rm false echo").failed(125, "No such image: false");
}

#[test]
fn of_what_is_said_twice_the_last_counts() {
    let Some(boat) = boat() else { return };
    boat.run("--name one --name two", &["true"]).ok();
    assert_eq!(boat.coracle("ps -a -a --format {{.ID}} --format {{.Names}}").ok(), "two");
}
