//! H1 to H3 for images: commands that are killed, disks that are full, files that a power cut has shortened.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::{NotApplicable, Role, not_applicable};

use crate::kit::{Boat, Image, Layer, Ran, names, tool};

/// A store with an image that has run, and an archive of it.
fn boat() -> Option<(Boat, PathBuf)> {
    let image = Image::busybox(json!({"Cmd": ["cat", "/second"]}))?;
    let boat = Boat::holding(&image.layer(Layer::new().file("second", "hello")));
    let archive = boat.path("saved.tar");
    boat.coracle(&format!("save -o {} box:1", archive.display())).ok();
    run(&boat);
    boat.coracle("images").ok();
    Some((boat, archive))
}

fn run(boat: &Boat) {
    let run = ["run", "--rm", "--network=none", "--pull=never", "box:1"];
    assert_eq!(Ran::of(&mut boat.command(run)).ok(), "hello");
}

fn load(boat: &Boat, archive: &Path) -> Ran {
    boat.coracle(&format!("load -i {}", archive.display()))
}

#[test]
fn h3_files_that_a_power_cut_has_shortened_are_named_and_replaced() {
    let Some((boat, archive)) = boat() else { return };
    let mut files = vec![boat.root().join("index.json"), boat.root().join("oci-layout")];
    for folder in ["blobs/sha256", "sizes"] {
        files.extend(names(&boat.root().join(folder)).iter().map(|name| boat.root().join(folder).join(name)));
    }
    assert!(files.len() >= 7, "{files:?}");
    for file in &files {
        let whole = fs::read(file).unwrap();
        for length in [0, whole.len() / 2] {
            fs::write(file, &whole[..length]).unwrap();
            let said = boat.coracle("images");
            assert_eq!(
                (said.code, said.err.contains("panicked")),
                (0, false),
                "{}: {said:?}",
                file.display()
            );
            let name = file.file_name().unwrap().to_str().unwrap();
            let warning = match name {
                "index.json" | "oci-layout" => {
                    "was damaged or lost, and with it the names of the images: 1 without a name"
                }
                _ if file.parent().unwrap().ends_with("sizes") => "",
                _ => "warning: the image docker.io/library/box:1 is damaged: pull or load it again\n",
            };
            assert!(
                said.err.contains(warning) && said.err.is_empty() == warning.is_empty(),
                "{name}: {said:?}"
            );
            load(&boat, &archive).ok();
            run(&boat);
            assert_eq!(boat.coracle("images --quiet box:1").ok().len(), 12);
            let dangling = boat.coracle("images --quiet --filter dangling=true").ok();
            assert_eq!(dangling, "", "{name}: an image is there twice");
        }
    }
    fs::remove_file(boat.root().join("index.json")).unwrap();
    assert!(boat.coracle("images").out.contains("<none>"));
    load(&boat, &archive).ok();
    run(&boat);
}

#[test]
fn h3_container_whose_layers_a_power_cut_has_damaged_starts_on_whole_ones() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name cut", &["cat", "/greeting"]).ok();
    boat.run("--detach --name runs", &["sleep", "1000"]).ok();
    boat.coracle("stop --time 0 runs").ok();
    // The marks of trees that were not on the disk yet are of another boot, and the trees are not what they were.
    let fresh = boat.root().join("fresh");
    fs::create_dir_all(&fresh).unwrap();
    let mut damaged = 0;
    for layer in names(&boat.root().join("layers")) {
        fs::write(fresh.join(&layer), "another boot\n").unwrap();
        let file = boat.root().join("layers").join(layer).join("greeting");
        if file.exists() {
            fs::write(file, "what the power cut has left\n").unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 2);
    assert_eq!(boat.coracle("start --attach cut").ok(), "hello from above");
    boat.coracle("start runs").ok();
    assert_eq!(boat.coracle("exec runs cat /greeting").ok(), "hello from above");
    boat.coracle("rm --force runs").ok();
}

#[test]
fn h1_commands_that_are_killed_leave_a_store_that_tells_the_truth() {
    let Some((boat, archive)) = boat() else { return };
    let all = std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all");
    let delays: Vec<u64> =
        if all { (0..60).map(|round| 700 * round).collect() } else { vec![2_000, 9_000, 25_000] };
    let load = format!("load -i {}", archive.display());
    for words in [&*load, "tag box:1 other:1", "rmi --force box:1", "image prune --all --force"] {
        for delay in &delays {
            let mut command = boat.command(words.split(' '));
            let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(*delay));
            child.kill().unwrap();
            child.wait().unwrap();
            // What is listed is whole.
            let said = boat.coracle("images --quiet box");
            assert_eq!((said.code, &*said.err), (0, ""), "{words} after {delay} µs: {said:?}");
            if !said.out.is_empty() {
                run(&boat);
            }
            self::load(&boat, &archive).ok();
        }
        run(&boat);
        boat.assert_no_container();
    }
    boat.coracle("image prune --all --force").ok();
    for folder in ["layers", "tmp", "sizes"] {
        assert_eq!(names(&boat.root().join(folder)), Vec::<String>::new(), "in {folder}");
    }
}

#[test]
fn h2_full_disk_leaves_the_store_as_it_was() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let Some((boat, archive)) = boat() else { return };
    let place = boat.path("small");
    fs::create_dir(&place).unwrap();
    // The archive needs its room twice: as it comes, and unpacked.
    let size = fs::metadata(&archive).unwrap().len() * 3 / 2;
    let line = format!(
        "mount -t tmpfs -o size={size} small {place} && mkdir {place}/state && cd {place} && \
         $CORACLE load -i {archive}; echo $?; $CORACLE images --quiet; ls state/tmp state/layers state/blobs/sha256; \
         df --output=used . | tail -1; $CORACLE load -i {archive} 2>/dev/null; mount -o remount,size=99m .; \
         $CORACLE load -i {archive}",
        place = place.display(),
        archive = archive.display(),
    );
    let coracle = format!("{} --root {}/state", env!("CARGO_BIN_EXE_coracle"), place.display());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &line]).env("CORACLE", coracle).env_remove("RUST_BACKTRACE");
    let ran = Ran::of(&mut command);
    assert!(ran.err.contains("ENOSPC") && ran.err.lines().count() == 2, "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "1", "{ran:?}");
    // Nothing but the names of the folders.
    let rest: Vec<&&str> =
        lines[1..].iter().filter(|line| !line.is_empty() && !line.ends_with(':')).collect();
    let used: u64 = rest[0].trim().parse().unwrap_or_else(|_| panic!("{ran:?}"));
    assert!(used < 64, "{used} KiB are still used: {ran:?}");
    assert_eq!(rest[1..], [&"Loaded image: box:1"], "{ran:?}");
}

#[test]
fn h3_repaired_store_is_still_everybodys() {
    let Some((boat, _)) = boat() else { return };
    if !crate::kit::have(&[("skopeo", "skopeo"), ("umoci", "umoci")]) {
        return;
    }
    fs::write(boat.root().join("index.json"), "{\"manifests\": [").unwrap();
    fs::write(boat.root().join("oci-layout"), "").unwrap();
    boat.coracle("images").failed(0, "index.json.damaged");
    let id = boat.coracle("images --quiet").ok();
    boat.coracle(&format!("tag {id} box:1")).ok();
    let root = boat.root().display().to_string();
    assert_eq!(tool(&["umoci", "ls", "--layout", &root]).trim(), "docker.io/library/box:1");
    let from = format!("oci:{root}:docker.io/library/box:1");
    tool(&[
        "skopeo",
        "copy",
        "--insecure-policy",
        "--quiet",
        &from,
        &format!("dir:{}", boat.path("copy").display()),
    ]);
    run(&boat);
}
