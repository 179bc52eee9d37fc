//! Names of images on the command line (I2).

use crate::kit::{Boat, Ran};

#[test]
fn i2_names_that_make_no_sense_are_refused_before_anything_is_asked() {
    let Some(boat) = Boat::new() else { return };
    let long = format!("box:{}", "t".repeat(129));
    let hex = "a".repeat(64);
    let cases = [
        ("UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"),
        ("a:b:c", "invalid reference format"),
        ("", "invalid reference format"),
        (" x", "invalid reference format"),
        ("x@sha256:123", "invalid reference format"),
        ("x/../y", "invalid reference format"),
        ("../x", "invalid reference format"),
        ("/x", "invalid reference format"),
        ("x:", "invalid reference format"),
        ("\u{1b}[31m", "invalid reference format"),
        (&*long, "invalid reference format"),
        (&*hex, "cannot specify 64-byte hexadecimal strings"),
    ];
    for (name, text) in cases {
        Ran::of(&mut boat.command(["pull", name])).failed(1, text);
        Ran::of(&mut boat.command(["run", "--rm", name])).failed(125, text);
    }
    boat.assert_no_container();
}

#[test]
fn i2_image_is_found_by_every_way_to_name_it() {
    let Some(boat) = Boat::new() else { return };
    assert_eq!(boat.coracle(&format!("pull -q {}", boat.image)).code, 0);
    let id = boat.coracle("images --quiet --no-trunc").ok();
    let hex = id.strip_prefix("sha256:").unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(boat.root().join("index.json")).unwrap()).unwrap();
    let digest = manifest["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let repository = boat.image.strip_suffix(":1").unwrap();
    for name in [&*boat.image, &id, hex, &hex[..12], &hex[..5], &format!("{repository}@{digest}")] {
        let words = ["run", "--rm", "--network=none", "--pull=never", name, "echo", "found"];
        assert_eq!(Ran::of(&mut boat.command(words)).ok(), "found", "{name}");
    }
    // Without a tag it is `latest`, which nobody has pushed.
    Ran::of(&mut boat.command(["run", "--rm", "--pull=never", repository])).failed(125, "No such image");
}

#[test]
fn short_names_are_dockers() {
    let Some(boat) = Boat::new() else { return };
    for (short, long) in [
        ("nowhere", "nowhere:latest"),
        ("some/nowhere:1", "some/nowhere:1"),
        ("docker.io/library/x", "x:latest"),
    ] {
        let error = Ran::of(&mut boat.command(["run", "--rm", "--pull=never", short]));
        error.failed(125, &format!("No such image: {long}"));
    }
}
