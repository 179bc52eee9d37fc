//! The built-in image: made of this machine, for who has no registry.

use std::fs;

use support::Role;

use crate::kit::{Boat, Ran, Screen, have, names, tool};

/// A boat without any other image. Making this one takes time, so each test makes the most of it.
fn boat() -> Boat {
    Boat::empty()
}

fn run(boat: &Boat, options: &str, inside: &[&str]) -> std::process::Command {
    let words = ["run", "--rm", "--network=none"].into_iter().chain(options.split_whitespace());
    boat.command(words.chain(["host-tools"]).chain(inside.iter().copied()))
}

#[test]
fn first_command_of_the_readme_needs_no_registry() {
    let boat = boat();
    let mut command = boat.command(["run", "--rm", "host-tools", "sh", "-c", "echo $$; hostname; id -u"]);
    if Role::here() == Role::Root {
        // As it stands there it has a bridge, which is the host's.
        command = run(&boat, "", &["sh", "-c", "echo $$; hostname; id -u"]);
    }
    let ran = Ran::of(&mut command);
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(ran.code == 0 && lines.len() == 3, "{ran:?}");
    assert_eq!((lines[0], lines[1].len(), lines[2]), ("1", 12, "0"), "{ran:?}");
    boat.assert_no_container();

    // The second time it is there.
    let layers = names(&boat.root().join("layers"));
    assert_eq!(Ran::of(&mut run(&boat, "", &["sh", "-c", "exit 3"])).code, 3);
    assert_eq!(names(&boat.root().join("layers")), layers);

    // At a terminal, the command of the image.
    let Some(mut screen) = Screen::of(&run(&boat, "-it", &[]), (24, 80)) else { return };
    screen.types("echo $((6 * 7)); exit 4\r");
    screen.shows("42\r\n");
    assert_eq!(screen.end(), 4);
    screen.assert_restored();
}

#[test]
fn it_is_an_image_like_any_other() {
    if !have(&[("skopeo", "skopeo"), ("umoci", "umoci")]) {
        return;
    }
    let boat = boat();
    Ran::of(&mut run(&boat, "", &["true"])).ok();
    let list = boat.coracle("images").ok();
    assert!(list.contains("host-tools") && list.contains("latest"), "{list}");
    // Nobody says when it was built.
    let created = boat.command(["images", "--format", "{{.CreatedSince}}"]).output().unwrap();
    assert_eq!(Ran::from(created).ok(), "N/A");
    let from = format!("oci:{}:docker.io/library/host-tools:latest", boat.root().display());
    let copy = boat.path("copy");
    tool(&["skopeo", "copy", "--insecure-policy", &from, &format!("dir:{}", copy.display())]);
    assert_eq!(names(&copy).len(), 4, "{:?}", names(&copy));
    tool(&["umoci", "stat", "--image", from.strip_prefix("oci:").unwrap()]);

    assert_eq!(boat.coracle("rmi host-tools").code, 0);
    assert_eq!(names(&boat.root().join("layers")), Vec::<String>::new());
    assert_eq!(boat.coracle("images --quiet").ok(), "");
}

#[test]
fn it_is_made_again_when_a_part_is_missing() {
    let boat = boat();
    let print = || Ran::of(&mut run(&boat, "", &["echo", "ran"])).ok();
    assert_eq!(print(), "ran");
    let blobs = boat.root().join("blobs/sha256");
    let before = names(&blobs);
    let index = fs::read(boat.root().join("index.json")).unwrap();
    for blob in &before {
        fs::remove_file(blobs.join(blob)).unwrap();
        assert_eq!(print(), "ran", "without {blob}");
        // The same machine makes the same image.
        assert_eq!(names(&blobs), before);
    }
    let name = |index: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(index).unwrap()["manifests"][0]["digest"].clone()
    };
    assert_eq!(name(&fs::read(boat.root().join("index.json")).unwrap()), name(&index));
}

#[test]
fn it_is_made_again_when_its_blob_is_damaged() {
    let boat = boat();
    let print =
        |image: &str| Ran::of(&mut boat.command(["run", "--rm", "--network=none", image, "echo", "ran"]));
    assert_eq!(print("host-tools").ok(), "ran");
    boat.coracle("tag host-tools mine").ok();
    let blobs = boat.root().join("blobs/sha256");
    let size = |name: &String| fs::metadata(blobs.join(name)).unwrap().len();
    let layer = names(&blobs).into_iter().max_by_key(size).unwrap();
    let mut content = fs::read(blobs.join(&layer)).unwrap();
    content[2_000_000] ^= 1;
    fs::write(blobs.join(&layer), content).unwrap();
    // Without its tree the blob is asked.
    fs::rename(boat.root().join("layers"), boat.path("gone")).unwrap();
    fs::create_dir(boat.root().join("layers")).unwrap();
    print("mine").failed(125, "layer 1: the uncompressed content has the digest sha256:");
    assert_eq!(print("host-tools").ok(), "ran");
    // Of one digest there is one blob, so the other name has it whole again.
    assert_eq!(print("mine").ok(), "ran");
}

#[test]
fn nothing_of_the_machine_can_be_changed_through_it() {
    let boat = boat();
    let sh = fs::canonicalize("/bin/sh").unwrap();
    let before = fs::read(&sh).unwrap();
    let script = "for file in /bin/sh /bin/ls /etc/passwd; do rm $file; echo broken >$file; done; echo done";
    assert_eq!(Ran::of(&mut run(&boat, "", &["sh", "-c", script])).ok(), "done");
    assert_eq!(fs::read(&sh).unwrap(), before);
    assert_eq!(Ran::of(&mut run(&boat, "", &["cat", "/etc/hostname"])).code, 0);
}
