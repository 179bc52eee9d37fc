//! Images come, are listed, are read by others, and go.

use insta::assert_snapshot;
use serde_json::json;
use support::{binary, command};

use crate::kit::{Boat, Image, Layer, Ran, have, names, push_as, tool};

#[test]
fn pulled_image_is_listed_with_dockers_columns() {
    let Some(boat) = Boat::new() else { return };
    let pull = boat.coracle(&format!("pull {}", boat.image));
    assert_eq!((pull.code, pull.out.lines().last()), (0, Some(&*boat.image)), "{pull:?}");
    assert!(pull.out.contains("Pull complete") && pull.out.contains("Downloaded newer image"), "{pull:?}");

    insta::with_settings!({filters => vec![
        (r"127\.0\.0\.1:\d+/box\d+", "127.0.0.1:PORT/box"),
        (r"[0-9a-f]{12}", "<ID>"), (r"\d+ months ago", "<TIME>"), (r"[\d.]+MB", "<SIZE>"), (" +", " "),
    ]}, {
        assert_snapshot!(boat.coracle("images").ok(), @r"
        REPOSITORY TAG IMAGE ID CREATED SIZE
        127.0.0.1:PORT/box 1 <ID> <TIME> <SIZE>
        ");
    });
    let id = boat.coracle("images --quiet").ok();
    let whole = boat.coracle("images --quiet --no-trunc").ok();
    assert!(
        id.len() == 12 && whole.len() == 71 && whole.starts_with(&format!("sha256:{id}")),
        "{id} {whole}"
    );
}

#[test]
fn second_pull_says_that_nothing_is_newer() {
    let Some(boat) = Boat::new() else { return };
    assert_eq!(boat.coracle(&format!("pull {}", boat.image)).code, 0);
    let again = boat.coracle(&format!("pull {}", boat.image));
    assert!(again.out.contains("Image is up to date"), "{again:?}");
    assert_eq!(boat.coracle(&format!("pull --quiet {}", boat.image)).ok(), boat.image);
}

#[test]
fn size_is_that_of_the_unpacked_files_as_in_docker() {
    let Some(image) = Image::busybox(json!({})) else { return };
    let more = Layer::new().file("zeros", vec![0; 5_000_000]).file("etc/passwd", "x".repeat(1000));
    let Some(boat) = Boat::with(&image.layer(more)) else { return };
    assert_eq!(boat.coracle(&format!("pull --quiet {}", boat.image)).code, 0);
    let line = boat.coracle("images").ok().lines().nth(1).unwrap().to_owned();
    // Compressed, zeros are next to nothing.
    let size: f64 = line.split_whitespace().last().unwrap().trim_end_matches("MB").parse().unwrap();
    let busybox = support::program("busybox").unwrap().metadata().unwrap().len() as f64 / 1e6;
    assert!((size - busybox - 5.0).abs() < 0.1, "{line}");
}

#[test]
fn layers_are_put_together_without_what_was_deleted() {
    let Some(boat) = Boat::new() else { return };
    let seen = boat.sh("", "cat greeting; ls hidden; test -e deleted || echo gone").ok();
    assert_eq!(seen, "hello from above\nabove\ngone");
}

#[test]
fn run_pulls_what_is_missing_and_only_that() {
    let Some(boat) = Boat::new() else { return };
    let words = ["run", "--rm", "--network=none", &boat.image, "true"];
    let first = Ran::of(&mut boat.command(words));
    assert!(first.err.starts_with(&format!("Unable to find image '{}' locally\n", boat.image)), "{first:?}");
    assert_eq!(Ran::of(&mut boat.command(words)).ok(), "");
}

#[test]
fn pull_never_does_not_pull_and_always_does() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("--pull never", "true").failed(125, &format!("No such image: {}", boat.image));
    boat.sh("--pull always", "true").ok();
    boat.sh("--pull never", "true").ok();

    // The tag moves: `missing` keeps what is here, `always` sees the new one.
    let other = Image::usual().unwrap().layer(Layer::new().file("greeting", "newer\n"));
    let folder = boat.path("other");
    other.write(&folder, "image");
    let moved = boat.image.split_once('/').unwrap().1;
    let Some(own) = Boat::with(&Image::usual().unwrap().set("Labels", json!({"of": "this test"}))) else {
        return;
    };
    let name = own.image.split_once('/').unwrap().1;
    assert_ne!(name, moved, "that one belongs to all tests");
    assert_eq!(own.sh("", "cat greeting").ok(), "hello from above");
    push_as(&format!("oci:{}:image", folder.display()), name).unwrap();
    assert_eq!(own.sh("--pull missing", "cat greeting").ok(), "hello from above");
    assert_eq!(own.sh("--pull always", "cat greeting").ok(), "newer");
    // The one that lost its name is still there, and can go.
    let list = own.coracle("images").ok();
    assert!(list.lines().any(|line| line.starts_with("<none>")), "{list}");
}

#[test]
fn skopeo_and_umoci_read_the_store() {
    let Some(boat) = Boat::new() else { return };
    if !have(&[("umoci", "umoci")]) {
        return;
    }
    boat.sh("", "true").ok();
    let store = boat.root();
    let store = store.to_str().unwrap();
    assert_eq!(tool(&["umoci", "ls", "--layout", store]).trim(), boat.image);
    let copy = boat.path("copy");
    let (from, to) = (format!("oci:{store}:{}", boat.image), format!("dir:{}", copy.display()));
    tool(&["skopeo", "copy", "--insecure-policy", &from, &to]);
    // Every byte is what its name says: skopeo checks that. Manifest, version, config and three layers.
    assert_eq!(names(&copy).len(), 6, "{:?}", names(&copy));
    let stat = tool(&["umoci", "stat", "--image", &format!("{store}:{}", boat.image)]);
    assert!(stat.starts_with("LAYER"), "{stat}");
}

#[test]
fn step07_and_coracle_share_their_images() {
    let Some(boat) = Boat::new() else { return };
    let Some(step07) = binary("step07") else {
        return support::not_run("step07 is not built: cargo build --workspace");
    };
    boat.sh("", "true").ok();
    let mut step07 = command(step07);
    step07.arg("--root").arg(boat.root());
    step07.args(["run", "--rm", "--pull=never", "--network=none", &boat.image]);
    assert_eq!(Ran::of(&mut step07).ok(), "hello from above");
}

#[test]
fn removed_image_leaves_nothing() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let id = boat.coracle("images --quiet --no-trunc").ok();
    let done = boat.coracle(&format!("rmi {}", boat.image)).ok();
    let start = format!("Untagged: {}\nUntagged: {}@sha256:", boat.image, boat.image.trim_end_matches(":1"));
    assert!(done.starts_with(&start) && done.contains(&format!("\nDeleted: {id}\n")), "{done}");
    assert_eq!(done.lines().count(), 6, "a name, its digest, the image, three layers: {done}");
    for folder in ["blobs/sha256", "layers", "tmp"] {
        assert_eq!(names(&boat.root().join(folder)), Vec::<String>::new(), "in {folder}");
    }
    boat.coracle(&format!("rmi {}", boat.image)).failed(1, &format!("No such image: {}", boat.image));
}

#[test]
fn image_of_a_container_is_not_removed_unless_forced() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name kept", &["touch", "/made"]).ok();
    let error = boat.coracle(&format!("rmi {}", boat.image)).failed(1, "conflict: unable to remove");
    let id = boat.coracle("ps --all --quiet").ok();
    assert!(error.contains(&format!("container {id} is using its referenced image")), "{error}");

    boat.coracle(&format!("rmi --force {}", boat.image)).ok();
    assert_eq!(boat.coracle("images --quiet").ok(), "");
    // The container still has its layers, until it goes.
    assert_eq!(names(&boat.root().join("layers")).len(), 3);
    boat.coracle("rm kept").ok();
    assert_eq!(names(&boat.root().join("layers")), Vec::<String>::new());
}

#[test]
fn image_for_another_machine_is_refused_by_name() {
    let Some(mut image) = Image::busybox(json!({})) else { return };
    image.architecture = "s390x";
    let Some(boat) = Boat::with(&image) else { return };
    boat.sh("--platform nonsense", "true").failed(125, "invalid platform \"nonsense\"");
    boat.sh("--platform linux/amd64", "true").failed(125, "no matching manifest for linux/amd64");
    assert_eq!(boat.coracle("images --quiet").ok(), "");
    boat.assert_no_container();
    // Asked for, it comes, whatever this machine can do with it.
    assert_eq!(boat.coracle(&format!("pull --quiet --platform linux/s390x {}", boat.image)).code, 0);
}

#[test]
fn registry_that_does_not_answer_is_named() {
    let Some(boat) = Boat::new() else { return };
    let host = boat.image.split('/').next().unwrap();
    let error = boat.coracle(&format!("pull {host}/not/there")).failed(1, "not/there");
    assert!(error.contains("manifest unknown") || error.contains("not found"), "{error}");
    let error = boat.coracle("run --rm 127.0.0.1:1/box").err;
    assert!(error.contains("127.0.0.1:1") && error.contains("refused"), "{error}");
    boat.assert_no_container();
}
