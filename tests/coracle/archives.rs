//! `save` and `load`: images in one file, from and for other people's tools.
//!
//! The archives in `archives/` were written by Docker 20.10 and podman 4.3: the same image of one small file, and with
//! Docker a second one upon it, whose archive has a link instead of the layer that both share.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use support::program;

use crate::kit::{Boat, Image, Layer, Ran, Screen, have, tool};

const BASE: &str = "sha256:cc1c91ae5f2ad55877805cbeabc572c708cdfc74ee10b3a17feec5dbd7420373";
const DERIVED: &str = "sha256:2e2651bdc3f2961ac40c08d664acd301ade87329e3c773d355a52f77325a4f44";

fn fixture(name: &str) -> String {
    format!("{}/tests/coracle/archives/{name}.tar.gz", env!("CARGO_MANIFEST_DIR"))
}

fn list(boat: &Boat) -> Vec<String> {
    let words = ["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"];
    let mut lines: Vec<String> = Ran::of(&mut boat.command(words)).ok().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn archives_of_docker_and_podman_are_loaded() {
    let boat = Boat::empty();
    let said = boat.coracle(&format!("load --input {}", fixture("docker-20.10"))).ok();
    let names = ["base:1", "derived:1", "127.0.0.1:5000/ada/derived:2"];
    for name in names {
        assert!(said.contains(&format!("Loaded image: {name}")), "{said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
    let expected = [
        format!("127.0.0.1:5000/ada/derived:2 {DERIVED}"),
        format!("base:1 {BASE}"),
        format!("derived:1 {DERIVED}"),
    ];
    assert_eq!(list(&boat), expected);
    let inspect = ["inspect", "--format", "{{.Config.Env}} {{index .Config.Labels \"who\"}}", "derived:1"];
    assert_eq!(Ran::of(&mut boat.command(inspect)).ok(), "[A=b] ada");
    for podman in ["podman-4.3-docker", "podman-4.3-oci"] {
        let said = boat.coracle(&format!("load --quiet --input {}", fixture(podman))).ok();
        assert!(said.ends_with("Loaded image: base:2"), "{said}");
        let [base] =
            &list(&boat).into_iter().filter(|line| line.starts_with("base:2")).collect::<Vec<_>>()[..]
        else {
            panic!("{:?}", list(&boat))
        };
        // In the other kind of archive podman writes the config anew.
        assert_eq!(base.ends_with(BASE), podman == "podman-4.3-docker", "{base}");
    }
}

#[test]
fn saved_images_are_the_same_elsewhere() {
    let Some(image) = Image::busybox(json!({"Cmd": ["cat", "/second"]})) else { return };
    let (here, there) = (Boat::holding(&image.layer(Layer::new().file("second", "hello"))), Boat::empty());
    here.coracle("tag box:1 127.0.0.1:5000/ada/box:2").ok();
    here.coracle("tag box:1 box:3").ok();
    let archive = here.path("saved.tar");
    let path = archive.to_str().unwrap();
    assert_eq!(here.coracle(&format!("save --output {path} box:1 127.0.0.1:5000/ada/box:2")).ok(), "");
    let said = there.coracle(&format!("load -i {path}")).ok();
    assert_eq!(said, "Loaded image: box:1\nLoaded image: 127.0.0.1:5000/ada/box:2");
    let all = list(&here);
    assert_eq!(
        list(&there),
        all.iter().filter(|line| !line.starts_with("box:3")).cloned().collect::<Vec<_>>()
    );
    let run =
        there.command(["run", "--rm", "--network=none", "--pull=never", "127.0.0.1:5000/ada/box:2"]).output();
    assert_eq!(Ran::from(run.unwrap()).ok(), "hello");

    // Through a pipe; a name without a tag is all of its tags, an id is none.
    let piped = |words: &str| {
        let (to, from) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut save = here.command(words.split(' '));
        let mut save = save.stdout(Stdio::from(std::os::fd::OwnedFd::from(to))).spawn().unwrap();
        let mut load = Boat::empty();
        load.image.clear();
        let said = Ran::of(load.command(["load"]).stdin(Stdio::from(std::os::fd::OwnedFd::from(from)))).ok();
        assert!(save.wait().unwrap().success());
        said
    };
    assert_eq!(piped("save box"), "Loaded image: box:1\nLoaded image: box:3");
    let id = here.coracle("images --quiet --no-trunc box:1").ok();
    assert_eq!(piped(&format!("save {id}")), format!("Loaded image ID: {id}"));
}

#[test]
fn other_tools_read_what_was_saved() {
    let Some(image) = Image::busybox(json!({"Env": ["A=b"]})) else { return };
    if !have(&[("skopeo", "skopeo"), ("umoci", "umoci")]) {
        return;
    }
    let boat = Boat::holding(&image);
    let archive = boat.path("saved.tar");
    boat.coracle(&format!("save -o {} box:1", archive.display())).ok();
    let id = boat.coracle("images -q --no-trunc").ok();
    let copy = |source: &str, to: &str| {
        let from =
            format!("{source}:{}:{}", archive.display(), if source == "oci-archive" { "1" } else { "box:1" });
        tool(&["skopeo", "copy", "--insecure-policy", "--quiet", &from, to]);
    };
    let [layout, folder] = ["layout", "folder"].map(|name| boat.path(name).to_str().unwrap().to_owned());
    copy("oci-archive", &format!("oci:{layout}:copy"));
    assert!(Path::new(&layout).join("blobs/sha256").join(&id[7..]).exists(), "the config is another one");
    let stat = tool(&["umoci", "stat", "--json", "--image", &format!("{layout}:copy")]);
    assert!(stat.contains("history"), "{stat}");
    copy("docker-archive", &format!("dir:{folder}"));
    assert!(Path::new(&folder).join(&id[7..]).exists(), "the config is another one");
    // And back.
    copy("oci-archive", &format!("oci:{}:docker.io/library/back:1", boat.root().display()));
    assert_eq!(boat.coracle("images -q --no-trunc back:1").ok(), id);
    let run = ["run", "--rm", "--network=none", "--pull=never", "back:1", "sh", "-c", "echo $A"];
    assert_eq!(Ran::of(&mut boat.command(run)).ok(), "b");
}

#[test]
fn archive_appears_whole_or_not_at_all() {
    let boat = Boat::holding(&Image::small(json!({})));
    let archive = boat.path("saved.tar");
    fs::write(&archive, "precious").unwrap();
    let save = |words: &str| boat.coracle(&format!("save -o {} {words}", archive.display()));
    save("nope").failed(1, "No such image: nope:latest");
    save("box:1 nope").failed(1, "No such image: nope:latest");
    assert_eq!(fs::read_to_string(&archive).unwrap(), "precious");
    let layer = fs::read_dir(boat.root().join("blobs/sha256")).unwrap().flatten();
    let layer = layer.max_by_key(|entry| entry.metadata().unwrap().len()).unwrap().path();
    let content = fs::read(&layer).unwrap();
    fs::write(&layer, vec![b'x'; content.len()]).unwrap();
    save("box:1").failed(1, "is damaged: pull the image again");
    assert_eq!(fs::read_to_string(&archive).unwrap(), "precious");
    assert_eq!(crate::kit::names(archive.parent().unwrap()), ["saved.tar", "state"]);
    fs::write(&layer, content).unwrap();
    save("box:1").ok();
    assert!(fs::metadata(&archive).unwrap().len() > 2048);

    boat.coracle("save -o /nowhere/x box:1").failed(1, "cannot write /nowhere/x: ENOENT");
    boat.coracle("save").failed(1, "Run 'coracle save --help'");
    boat.coracle("load -i /nowhere/x").failed(1, "cannot read /nowhere/x: ENOENT");
    boat.coracle("load -i /").failed(1, "it is a folder, not an archive");
    boat.coracle("load").failed(1, "cannot load the standard input: it is no archive of images");
    let device = boat.coracle("save -o /dev/null box:1");
    assert_eq!((device.code, Path::new("/dev/null").is_file()), (0, false), "{device:?}");
}

#[test]
fn terminal_gets_no_archive_and_has_none_to_give() {
    let boat = Boat::holding(&Image::small(json!({})));
    let Some(mut screen) = Screen::of(&boat.command(["save", "box:1"]), (24, 80)) else { return };
    screen.shows("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    assert_eq!(screen.end(), 1);
    let Some(mut screen) = Screen::of(&boat.command(["load"]), (24, 80)) else { return };
    screen.shows("requested load from stdin, but stdin is empty");
    assert_eq!(screen.end(), 1);
}

/// The readers of podman are skopeo's, which are asked above; Docker's own are asked where there is time and a daemon.
#[test]
fn docker_and_podman_run_what_was_saved() {
    if !std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all") || !nix::unistd::geteuid().is_root()
    {
        return;
    }
    if !have(&[
        ("docker", "docker.io"),
        ("dockerd", "docker.io"),
        ("containerd", "containerd"),
        ("podman", "podman"),
    ]) {
        return;
    }
    let Some(image) = Image::busybox(json!({"Cmd": ["cat", "/second"]})) else { return };
    let boat = Boat::holding(&image.layer(Layer::new().file("second", "hello")));
    let archive = boat.path("saved.tar");
    let archive = archive.to_str().unwrap();
    boat.coracle(&format!("save -o {archive} box:1")).ok();
    let (root, run) = (boat.path("podman"), boat.path("podman-run"));
    let (root, run) = (root.to_str().unwrap(), run.to_str().unwrap());
    let podman = ["podman", "--root", root, "--runroot", run, "--storage-driver", "vfs"];
    let loaded = tool(&[&podman[..], &["load", "--quiet", "--input", archive]].concat());
    assert!(loaded.contains("Loaded image"), "{loaded}");

    let own = tempfile::tempdir().unwrap();
    let place = |name: &str| own.path().join(name).to_str().unwrap().to_owned();
    let host = format!("unix://{}", place("sock"));
    let mut daemon = Command::new(program("dockerd").unwrap());
    daemon.args(["--host", &host, "--data-root", &place("data"), "--exec-root", &place("exec")]);
    daemon.args(["--pidfile", &place("pid"), "--bridge=none", "--iptables=false", "--ip6tables=false"]);
    let mut daemon = daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..200 {
        if own.path().join("sock").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let docker = ["docker", "--host", &host];
    let loaded = tool(&[&docker[..], &["load", "--input", archive]].concat());
    let ran = tool(&[&docker[..], &["run", "--rm", "--network=none", "box:1"]].concat());
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(daemon.id().cast_signed()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    daemon.wait().unwrap();
    assert_eq!((loaded.trim(), &*ran), ("Loaded image: box:1", "hello"));
}

#[test]
fn l25_image_of_127_layers_is_saved_loaded_and_run() {
    let Some(image) = Image::busybox(json!({"Cmd": ["sh", "-c", "ls /layers | wc -l"]})) else { return };
    let image =
        (0..126).fold(image, |image, number| image.layer(Layer::new().file(&format!("layers/{number}"), "")));
    let (here, there) = (Boat::holding(&image), Boat::empty());
    let archive = here.path("saved.tar");
    here.coracle(&format!("save -o {} box:1", archive.display())).ok();
    there.coracle(&format!("load -i {}", archive.display())).ok();
    let run = ["run", "--rm", "--network=none", "--pull=never", "box:1"];
    assert_eq!(Ran::of(&mut there.command(run)).ok(), "126");
    assert_eq!(there.coracle("history --quiet box:1").ok().lines().count(), 127);
}
