//! `tag`, `rmi`, `history`, `image …`: what is done with images that are here.

use serde_json::json;

use crate::kit::{Boat, Image, Layer, Ran};

fn boat() -> Boat {
    Boat::holding(&Image::small(json!({})))
}

fn list(boat: &Boat) -> String {
    let words = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
    Ran::of(&mut boat.command(words)).ok().replace('\n', " ")
}

#[test]
fn tag_gives_one_more_name_or_takes_one_away() {
    let boat = boat();
    let id = boat.coracle("images --quiet").ok();
    assert_eq!(boat.coracle("tag box:1 127.0.0.1:5000/ada/engine").ok(), "");
    assert_eq!(boat.coracle(&format!("tag {id} second:2")).ok(), "");
    assert_eq!(list(&boat), "box:1 127.0.0.1:5000/ada/engine:latest second:2");
    // Of another image.
    Image::small(json!({"Cmd": ["x"]})).write(&boat.root(), "docker.io/library/other:1");
    let other = boat.coracle("images --quiet other").ok();
    boat.coracle("tag other:1 second:2").ok();
    assert_eq!(boat.coracle("images --quiet second").ok(), other);
    assert_eq!(boat.coracle("images --quiet box").ok(), id);
    // Of an image that had no other.
    boat.coracle("tag box:1 other:1").ok();
    boat.coracle("tag box:1 second:2").ok();
    assert!(list(&boat).contains("<none>:<none>"), "{}", list(&boat));
    assert_eq!(boat.coracle("images --quiet --filter dangling=true").ok(), other);
}

#[test]
fn i2_tag_takes_no_nonsense() {
    let boat = boat();
    boat.coracle("tag box:1 UPPER").failed(
        1,
        "Error parsing reference: \"UPPER\" is not a valid repository/tag: invalid reference format: repository \
         name (library/UPPER) must be lowercase",
    );
    let digest = format!("tag box:1 x@sha256:{}", "0".repeat(64));
    boat.coracle(&digest).failed(1, "refusing to create a tag with a digest reference");
    boat.coracle("tag nope x:1").failed(1, "No such image: nope:latest");
    boat.coracle("tag box:1").failed(1, "Run 'coracle tag --help'");
    assert_eq!(list(&boat), "box:1");
}

#[test]
fn rmi_says_what_went_and_needs_force_for_several_names() {
    let boat = boat();
    let id = boat.coracle("images --quiet").ok();
    boat.coracle("tag box:1 a:1").ok();
    boat.coracle("tag box:1 c:1").ok();
    assert_eq!(boat.coracle("rmi a:1").ok(), "Untagged: a:1");
    boat.coracle(&format!("rmi {id}")).failed(
        1,
        &format!(
            "conflict: unable to delete {id} (must be forced) - image is referenced in multiple repositories"
        ),
    );
    let done = boat.coracle(&format!("rmi --force --no-prune {id}")).ok();
    assert!(done.starts_with("Untagged: box:1\nUntagged: c:1\nDeleted: sha256:"), "{done}");
    // Several words: each is tried, each says what is wrong.
    boat.coracle("rmi nope neither").failed(1, "No such image: nope:latest\nNo such image: neither:latest");
    boat.coracle("rmi UPPER").failed(1, "No such image");
    boat.coracle("rmi").failed(1, "Run 'coracle rmi --help'");
}

#[test]
fn digest_of_an_image_with_two_tags_is_shown_once() {
    let Some(boat) = Boat::new() else { return };
    boat.coracle(&format!("pull --quiet {}", boat.image)).ok();
    let repository = boat.image.strip_suffix(":1").unwrap();
    boat.coracle(&format!("tag {} {repository}:2", boat.image)).ok();
    let shown = boat.coracle(&format!("image inspect {}", boat.image)).ok();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown[0]["RepoTags"], json!([format!("{repository}:1"), format!("{repository}:2")]));
    let digests = shown[0]["RepoDigests"].as_array().unwrap();
    assert_eq!(digests.len(), 1, "{digests:?}");
    assert!(digests[0].as_str().unwrap().starts_with(&format!("{repository}@sha256:")));
}

#[test]
fn history_shows_the_steps_of_the_builder_from_the_last_to_the_first() {
    let mut image = Image::small(json!({})).layer(Layer::new().file("second", "x".repeat(1500)));
    let long = "RUN /bin/sh -c echo a very long command that does not fit into the column";
    image.history = vec![
        json!({"created": "2025-01-01T00:00:00Z", "created_by": long}),
        json!({"created": "2025-01-02T00:00:00Z", "created_by": "ENV A=b", "empty_layer": true, "comment": "why"}),
        json!({"created": "2025-01-03T00:00:00Z", "created_by": "COPY\tx \u{1b}[31m"}),
    ];
    let boat = Boat::holding(&image);
    let id = boat.coracle("images --quiet").ok();
    let lines = boat.coracle("history box:1").ok();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines[0].starts_with("IMAGE          CREATED"), "{lines:?}");
    assert!(lines[0].contains("CREATED BY") && lines[0].contains("SIZE") && lines[0].ends_with("COMMENT"));
    assert!(lines[1].starts_with(&id) && lines[1].contains("COPY x \\u{1b}[31m"), "{lines:?}");
    assert!(lines[2].starts_with("<missing>") && lines[2].ends_with("0B        why"), "{lines:?}");
    assert!(lines[3].contains("RUN /bin/sh -c echo a very long command that…"), "{lines:?}");

    let column = |words: &[&str]| Ran::of(&mut boat.command([&["history"], words, &["box:1"]].concat())).ok();
    assert_eq!(column(&["--quiet"]), format!("{id}\n<missing>\n<missing>"));
    assert!(column(&["--quiet", "--no-trunc"]).starts_with("sha256:"));
    assert!(column(&["--no-trunc"]).contains(long));
    let sizes = ["--format", "{{.CreatedAt}} {{.Size}}", "--human=false"];
    let sizes: Vec<u64> =
        column(&sizes).lines().map(|line| line.split_once(' ').unwrap().1.parse().unwrap()).collect();
    // Nobody has unpacked it: the blobs' sizes count.
    assert!(sizes[0] > 1500 && sizes[1] == 0 && sizes[2] > 0, "{sizes:?}");
    assert!(column(&["-H=false"]).contains("2025-01-02T00:00:00Z"));
    assert!(!column(&["--human"]).contains("2025-01-02T00:00:00Z"));
    boat.coracle("history nope").failed(1, "No such image: nope:latest");
}

#[test]
fn image_is_a_group_of_the_same_commands() {
    let boat = boat();
    let id = boat.coracle("images --quiet").ok();
    assert_eq!(boat.coracle("image ls --quiet").ok(), id);
    assert_eq!(boat.coracle("image list --quiet").ok(), id);
    boat.coracle("image tag box:1 a:1").ok();
    assert_eq!(boat.coracle("image history --quiet a:1").ok(), id);
    let inspected =
        boat.command(["image", "inspect", "--format", "{{slice .Id 7 19}} {{.RepoTags}}", "a:1"]).output();
    assert_eq!(Ran::from(inspected.unwrap()).ok(), format!("{id} [box:1 a:1]"));
    boat.coracle("image inspect nope").failed(1, "No such image: nope");
    assert_eq!(boat.coracle("image rm a:1").ok(), "Untagged: a:1");
    boat.coracle("image remove nope").failed(1, "No such image: nope:latest");
    boat.coracle("image pull 127.0.0.1:1/x").failed(1, "127.0.0.1:1");
    let help = boat.coracle("image");
    assert!(help.code == 0 && help.out.contains("prune"), "{help:?}");
    boat.coracle("image nonsense").failed(1, "nonsense");
}
