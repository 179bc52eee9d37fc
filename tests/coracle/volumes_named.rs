//! Volumes that we keep: made, filled, shared, listed, removed.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{NotApplicable, Role, not_applicable, wait_until};

use crate::kit::{Boat, Image, LIMIT, Layer, Ran, names};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

fn data(boat: &Boat, name: &str) -> PathBuf {
    boat.root().join("volumes").join(name).join("_data")
}

/// An image that has files at the places of its volumes.
fn with_files() -> Option<Boat> {
    let layer = Layer::new()
        .file("data/file", "of the image\n")
        .folder("data/folder")
        .program("data/folder/program", "#!/bin/sh\n")
        .link("data/link", "file")
        .fifo("data/fifo");
    Some(Boat::holding(&Image::usual()?.layer(layer).set("Volumes", json!({"/data": {}}))))
}

#[test]
fn a_volume_outlives_its_containers() {
    let Some(boat) = boat() else { return };
    boat.sh("-v notes:/notes", "echo first >/notes/file").ok();
    boat.sh("--mount src=notes,dst=/elsewhere", "echo second >>/elsewhere/file").ok();
    assert_eq!(boat.sh("-v notes:/notes:ro", "cat /notes/file").ok(), "first\nsecond");
    let ran = boat.sh("-v notes:/notes:ro", "echo x >/notes/file");
    assert!(ran.err.contains("Read-only file system"), "{ran:?}");
    assert_eq!(boat.coracle("volume ls --quiet").ok(), "notes");
}

#[test]
fn an_empty_volume_is_filled_once_with_what_the_image_has() {
    let Some(boat) = with_files() else { return };
    let script = "cd /data; cat file link; stat -c '%n %a %F' * folder/program";
    let seen = boat.sh("-v vol:/data", script).ok();
    let expected = "of the image\nof the image\nfifo 644 fifo\nfile 644 regular file\nfolder 755 directory\n\
                    link 777 symbolic link\nfolder/program 755 regular file";
    assert_eq!(seen, expected);
    boat.sh("-v vol:/data", "rm -r /data/folder; echo mine >/data/file").ok();
    assert_eq!(boat.sh("-v vol:/data", "cat /data/file; ls /data").ok(), "mine\nfifo\nfile\nlink");
    // Where nobody wants that, and where there is nothing.
    assert_eq!(boat.sh("-v bare:/data:nocopy", "ls -A /data").ok(), "");
    assert_eq!(boat.sh("--mount src=other,dst=/data,volume-nocopy", "ls -A /data").ok(), "");
    assert_eq!(boat.sh("-v empty:/not/there", "ls -A /not/there").ok(), "");
    // A path of the host is not filled.
    let folder = boat.path("folder");
    assert_eq!(boat.sh(&format!("-v {}:/data", folder.display()), "ls -A /data").ok(), "");
}

#[test]
fn owners_and_modes_come_along() {
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoSecondId);
    }
    let Some(boat) = boat() else { return };
    // Who fills it is the next one: this one makes an image's place by hand.
    let script = "mkdir -p /v/below; touch /v/below/file; chown -R 1000:1001 /v; chmod 2770 /v; chmod 600 /v/below/file; \
                  stat -c '%u:%g %a' /v /v/below/file";
    let seen = boat.sh("-v owned:/v", script).ok();
    assert_eq!(
        boat.run("--rm -u ada -v owned:/v", &["stat", "-c", "%u:%g %a", "/v", "/v/below/file"]).ok(),
        seen
    );
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image.layer(Layer::new().owned_file("data/file", 1000, 1001, 0o4750, "x")));
    assert_eq!(boat.sh("-v vol:/data", "stat -c '%u:%g %a' /data/file").ok(), "1000:1001 4750");
    assert_eq!(boat.coracle("volume rm vol").ok(), "vol");
}

#[test]
fn a_fill_that_was_killed_begins_anew() {
    let Some(boat) = with_files() else { return };
    boat.coracle("volume create vol").ok();
    let place = boat.root().join("volumes/vol");
    fs::write(place.join("filling"), "").unwrap();
    fs::write(place.join("_data/half"), "a part").unwrap();
    assert_eq!(boat.sh("-v vol:/data", "ls /data").ok(), "fifo\nfile\nfolder\nlink");
    assert_eq!(names(&place), ["_data", "volume.json"]);
}

/// Whoever was killed had begun to fill it from one image; the next ones have nothing for it, or do not want that.
#[test]
fn what_was_written_after_a_killed_fill_stays() {
    let Some(boat) = with_files() else { return };
    for options in ["-v vol:/elsewhere", "-v vol:/data:nocopy"] {
        boat.coracle("volume create vol").ok();
        let place = boat.root().join("volumes/vol");
        fs::write(place.join("filling"), "").unwrap();
        fs::write(place.join("_data/half"), "a part").unwrap();
        let target = options.split(':').nth(1).unwrap();
        assert_eq!(boat.sh(options, &format!("ls {target}; echo work > {target}/precious")).ok(), "");
        assert_eq!(
            boat.sh("-v vol:/data", "ls /data; cat /data/precious").ok(),
            "precious\nwork",
            "{options}"
        );
        boat.coracle("volume rm vol").ok();
    }
}

#[test]
fn two_that_start_at_once_find_it_whole() {
    let Some(boat) = with_files() else { return };
    boat.run("--rm", &["true"]).ok();
    let mut all: Vec<_> = (0..6)
        .map(|_| {
            let mut command = boat.run_command("--rm -v vol:/data", &["sh", "-c", "ls /data | wc -l"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in all.drain(..) {
        assert_eq!(Ran::from(child.wait_with_output().unwrap()).ok(), "4");
    }
}

#[test]
fn volumes_of_the_image_go_with_the_container_if_that_is_asked_for() {
    let Some(boat) = with_files() else { return };
    let volumes = || names(&boat.root().join("volumes"));
    assert_eq!(boat.sh("", "cat /data/file").ok(), "of the image");
    assert_eq!(volumes(), Vec::<String>::new(), "--rm takes it along");
    boat.sh("-v named:/data -v /more", "touch /more/x").ok();
    assert_eq!(volumes(), ["named"], "what has a name stays");

    boat.run("--name one", &["true"]).ok();
    boat.run("--name two", &["true"]).ok();
    assert_eq!(volumes().len(), 3);
    boat.coracle("rm one").ok();
    assert_eq!(volumes().len(), 3, "without -v it stays");
    boat.coracle("rm -v two").ok();
    assert_eq!(volumes().len(), 2);
    let left = boat.coracle("volume ls -q --filter label=com.docker.volume.anonymous").ok();
    assert_eq!(left.len(), 64);
    let pruned = boat.coracle("volume prune --force").ok();
    assert_eq!(pruned, format!("Deleted Volumes:\n{left}\n\nTotal reclaimed space: 23B"));
    assert_eq!(volumes(), ["named"]);
}

#[test]
fn a_killed_run_takes_its_volumes_along_with_the_next_command() {
    let Some(boat) = with_files() else { return };
    let mut runs = boat.start("--rm", "exec sleep 1000");
    assert_eq!(names(&boat.root().join("volumes")).len(), 1);
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
    wait_until("it is removed", LIMIT, || {
        boat.coracle("ps").ok();
        names(&boat.root().join("volumes")).is_empty()
    });
}

#[test]
fn volumes_from_another_container_are_mounted_where_it_has_them() {
    let Some(boat) = with_files() else { return };
    let folder = boat.path("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "of the host\n").unwrap();
    boat.run(
        &format!("--name donor -v named:/named -v {}:/host", folder.display()),
        &["sh", "-c", "echo x >/named/x; echo changed >/data/file"],
    )
    .ok();
    assert_eq!(
        boat.sh("--volumes-from donor", "cat /host/file /named/x /data/file").ok(),
        "of the host\nx\nchanged"
    );
    let ran = boat.sh("--volumes-from donor:ro", "echo y >/named/x");
    assert!(ran.err.contains("Read-only file system"), "{ran:?}");
    assert_eq!(boat.sh("--volumes-from donor -v mine:/named", "ls -A /named").ok(), "");
    boat.sh("--volumes-from donor:bogus", "true")
        .failed(125, "invalid volumes-from specification: donor:bogus");
    // Whoever came for a visit has not taken them along.
    assert_eq!(boat.run("--rm --volumes-from donor", &["cat", "/data/file"]).ok(), "changed");
    boat.coracle("rm -v donor").ok();
}

#[test]
fn a_volume_in_use_is_not_removed() {
    let Some(boat) = boat() else { return };
    boat.run("--name user -v vol:/v", &["true"]).ok();
    let id = boat.coracle("ps -aq --no-trunc").ok();
    let error = boat.coracle("volume rm vol").failed(1, "");
    assert!(error.ends_with(&format!("remove vol: volume is in use - [{id}]\n")), "{error}");
    assert_eq!(boat.coracle("volume prune --all --force").ok(), "Total reclaimed space: 0B");
    assert_eq!(boat.coracle("volume ls -q --filter dangling=true").ok(), "");
    assert_eq!(boat.coracle("volume ls -q --filter dangling=false").ok(), "vol");
    boat.coracle("rm user").ok();
    assert_eq!(boat.coracle("volume rm vol").ok(), "vol");
    boat.coracle("volume rm vol").failed(1, "get vol: no such volume");
    assert_eq!(boat.coracle("volume rm --force vol").ok(), "vol");
}

#[test]
fn volumes_are_made_listed_and_inspected_as_dockers_are() {
    let boat = Boat::empty();
    assert_eq!(boat.coracle("volume create --label of=one --label bare first").ok(), "first");
    assert_eq!(boat.coracle("volume create second").ok(), "second");
    assert_eq!(boat.coracle("volume create second").ok(), "second", "it is there already");
    assert_eq!(boat.coracle("volume create").ok().len(), 64);
    assert_eq!(
        boat.coracle("volume ls --filter name=s --filter driver=local").ok(),
        "DRIVER    VOLUME NAME\nlocal     first\nlocal     second"
    );
    assert_eq!(boat.coracle("volume list -q --filter label=of=one").ok(), "first");
    assert_eq!(boat.coracle("volume ls -q --filter label=of=two").ok(), "");
    let seen = Ran::of(&mut boat.command([
        "volume",
        "ls",
        "--filter=name=first",
        "--format={{.Name}} {{.Driver}} {{.Label \"of\"}} {{.Scope}}",
    ]));
    assert_eq!(seen.ok(), "first local one local");
    boat.coracle("volume ls --filter foo=bar").failed(1, "Invalid filter 'foo'");
    let seen: Value = serde_json::from_str(&boat.coracle("volume inspect first").ok()).unwrap();
    let time = seen[0]["CreatedAt"].as_str().unwrap().to_owned();
    assert_eq!(
        seen,
        json!([{
            "CreatedAt": time, "Driver": "local", "Labels": {"of": "one", "bare": ""}, "Mountpoint": data(&boat, "first"),
            "Name": "first", "Options": {}, "Scope": "local",
        }])
    );
    let seen =
        Ran::of(&mut boat.command(["volume", "inspect", "--format", "{{.Mountpoint}}", "second", "nope"]));
    assert_eq!((seen.code, seen.out.trim_end()), (1, data(&boat, "second").to_str().unwrap()));
    assert_eq!(seen.err, "coracle: get nope: no such volume\n");
    for (words, text) in [
        ("volume create a/b", "includes invalid characters for a local volume name"),
        ("volume create ..", "includes invalid characters for a local volume name"),
        ("volume create x", "volume name is too short"),
        ("volume create --driver nfs vol", "error looking up volume plugin nfs"),
        ("volume create --opt type=tmpfs vol", "invalid option: \"type=tmpfs\""),
        ("volume rm ../containers", "no such volume"),
        ("volume inspect ../containers", "no such volume"),
    ] {
        boat.coracle(words).failed(1, text);
    }
    // Without an answer nothing goes.
    let asked = boat.coracle("volume prune --all");
    assert_eq!((asked.code, asked.out.lines().count()), (0, 2), "{asked:?}");
    let pruned = boat.coracle("volume prune --all --force --filter label!=of").ok();
    assert!(pruned.contains("\nsecond\n") && !pruned.contains("first"), "{pruned}");
    assert_eq!(boat.coracle("volume ls -q").ok(), "first");
}

#[test]
fn labels_of_mount_are_those_of_the_new_volume() {
    let Some(boat) = boat() else { return };
    boat.sh("--mount type=volume,src=vol,dst=/v,volume-label=a=b", "true").ok();
    assert_eq!(boat.coracle("volume ls -q --filter label=a=b").ok(), "vol");
}

#[test]
fn what_was_said_holds_when_it_is_started_again_elsewhere() {
    let Some(boat) = boat() else { return };
    let (here, there) = (boat.path("here"), boat.path("there"));
    fs::create_dir_all(here.join("folder")).unwrap();
    fs::create_dir_all(&there).unwrap();
    fs::write(here.join("folder/file"), "of the host\n").unwrap();
    fs::write(here.join("variables"), "FILED=then\n").unwrap();
    let script = "echo $PASSED $FILED; cat /x/file; echo once >>/own/file; cat /own/file";
    let words =
        ["create", "--name=again", "--network=none", "-v", "./folder:/x", "-v", "/own", "-e", "PASSED"];
    let mut create = boat.command(words);
    create.args(["--env-file", "variables", &boat.image, "sh", "-c", script]);
    let id = Ran::of(create.current_dir(&here).env("PASSED", "then"));
    assert_eq!(id.code, 0, "{id:?}");
    fs::remove_file(here.join("variables")).unwrap();
    for times in 1..=2 {
        let mut start = boat.command(["start", "--attach", "again"]);
        let seen = Ran::of(start.current_dir(&there).env("PASSED", "now")).ok();
        assert_eq!(seen, format!("then then\nof the host\n{}", ["once"; 2][..times].join("\n")));
    }
    assert_eq!(names(&boat.root().join("volumes")).len(), 1);
    boat.coracle("rm -v again").ok();
    assert_eq!(names(&boat.root().join("volumes")), Vec::<String>::new());
}

#[test]
fn a_container_that_could_not_be_made_leaves_no_volume() {
    let Some(boat) = with_files() else { return };
    let file = boat.path("cid");
    fs::write(&file, "").unwrap();
    let options = format!("--cidfile {}", file.display());
    boat.run(&options, &["true"]).failed(125, "container ID file found");
    boat.assert_no_container();
    assert_eq!(names(&boat.root().join("volumes")), Vec::<String>::new());
}
