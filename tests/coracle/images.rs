//! `images`: Docker's list of images, with all of its options.

use serde_json::{Value, json};

use crate::kit::{Boat, Image};

/// Three images, of which one is older, one has two tags, and one has lost its name.
fn boat() -> Boat {
    let boat = Boat::holding(&Image::small(json!({"Labels": {"a": "1", "b": "two"}})));
    let old = Image::small(json!({"Cmd": ["old"]})).built("2020-01-01T00:00:00Z");
    old.write(&boat.root(), "docker.io/ada/engine:1.0");
    old.write(&boat.root(), "docker.io/ada/engine:latest");
    let index = boat.root().join("index.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    Image::small(json!({"Cmd": ["nameless"]}))
        .built("2010-01-01T00:00:00Z")
        .write(&boat.root(), "docker.io/library/x:1");
    let mut nameless: Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    let mut nameless = nameless["manifests"][3].take();
    nameless.as_object_mut().unwrap().remove("annotations");
    document["manifests"].as_array_mut().unwrap().push(nameless);
    std::fs::write(&index, document.to_string()).unwrap();
    boat
}

fn list(boat: &Boat, options: &str) -> String {
    let format = ["--format", "{{.Repository}}:{{.Tag}}"];
    let words = ["images"].into_iter().chain(options.split_whitespace()).chain(format);
    crate::kit::Ran::of(&mut boat.command(words)).ok().replace('\n', " ")
}

const ALL: &str = "box:1 ada/engine:1.0 ada/engine:latest <none>:<none>";

#[test]
fn images_have_dockers_columns_and_the_newest_comes_first() {
    let boat = boat();
    let lines = boat.coracle("images").ok();
    let lines: Vec<&str> = lines.lines().collect();
    let starts = |line: &str, texts: &[&str]| {
        let words: Vec<&str> = line.split("   ").map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!(words[..texts.len()], *texts, "{lines:?}");
        words[texts.len()..].iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    starts(lines[0], &["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    let rest = starts(lines[1], &["box", "1"]);
    assert!(rest[0].len() == 12 && rest[1].ends_with(" ago") && rest[2].ends_with('B'), "{rest:?}");
    starts(lines[3], &["ada/engine", "latest"]);
    starts(lines[4], &["<none>", "<none>"]);
    assert_eq!(lines.len(), 5);

    assert_eq!(list(&boat, ""), ALL);
    assert_eq!(list(&boat, "--all"), ALL);
    let digests = boat.coracle("images --digests").ok();
    assert!(digests.lines().next().unwrap().contains("TAG       DIGEST    IMAGE ID"), "{digests}");
}

#[test]
fn ids_are_short_or_whole() {
    let boat = boat();
    let whole = boat.coracle("images --quiet --no-trunc").ok();
    let whole: Vec<&str> = whole.lines().collect();
    let short = boat.coracle("images -q").ok();
    for (whole, short) in whole.iter().zip(short.lines()) {
        assert_eq!(whole.strip_prefix("sha256:").unwrap().get(..12), Some(short));
    }
    assert_eq!((whole.len(), whole[0].len()), (4, 71));
    assert!(boat.coracle("images --no-trunc").ok().contains(whole[0]));
}

#[test]
fn name_on_the_command_line_may_be_a_pattern() {
    let boat = boat();
    assert_eq!(list(&boat, "box"), "box:1");
    assert_eq!(list(&boat, "box:1"), "box:1");
    assert_eq!(list(&boat, "box:2"), "");
    assert_eq!(list(&boat, "ada/*"), "ada/engine:1.0 ada/engine:latest");
    assert_eq!(list(&boat, "ada/engine:l*"), "ada/engine:latest");
    assert_eq!(list(&boat, "UPPER"), "");
}

#[test]
fn filters_leave_what_they_name() {
    let boat = boat();
    assert_eq!(list(&boat, "--filter dangling=true"), "<none>:<none>");
    assert_eq!(list(&boat, "--filter dangling=false"), "box:1 ada/engine:1.0 ada/engine:latest");
    assert_eq!(list(&boat, "--filter label=a"), "box:1");
    assert_eq!(list(&boat, "--filter label=a=1 -f label=b=two"), "box:1");
    assert_eq!(list(&boat, "--filter label=a=1 -f label=b=three"), "");
    assert_eq!(list(&boat, "--filter reference=b* -f reference=*/*:1.0"), "box:1 ada/engine:1.0");
    assert_eq!(list(&boat, "--filter before=box:1"), "ada/engine:1.0 ada/engine:latest <none>:<none>");
    assert_eq!(list(&boat, "--filter since=ada/engine"), "box:1");
}

#[test]
fn i1_wrong_filters_and_templates_are_refused_with_dockers_codes() {
    let boat = boat();
    boat.coracle("images --filter foo").failed(125, "bad format of filter (expected name=value)");
    boat.coracle("images --filter foo=bar").failed(1, "Invalid filter 'foo'");
    boat.coracle("images --filter dangling=maybe").failed(1, "Invalid filter 'dangling=[maybe]'");
    boat.coracle("images --filter since=nope").failed(1, "No such image: nope:latest");
    boat.coracle("images --format {{").failed(1, "template parsing error: template: :1: unclosed action");
    boat.coracle("images --format {{.Foo}}").failed(1, "\"Foo\"");
    // Also where there is nothing to print.
    boat.coracle("images nothing --format {{.Foo}}").failed(1, "\"Foo\"");
}

#[test]
fn formats_are_templates_tables_and_json() {
    let boat = boat();
    let images =
        |format: &str| crate::kit::Ran::of(&mut boat.command(["images", "box", "--format", format])).ok();
    assert_eq!(images("{{.Repository}}\\t{{upper .Tag}}\\n"), "box\t1");
    assert_eq!(images("table {{.Repository}}\\t{{.Tag}}"), "REPOSITORY   TAG\nbox          1");
    let id = images("{{.ID}}");
    assert_eq!(images("table").lines().next().unwrap().split_whitespace().count(), 6);
    let parsed: Value = serde_json::from_str(&images("json")).unwrap();
    let names: Vec<&String> = parsed.as_object().unwrap().keys().collect();
    let docker = [
        "Containers",
        "CreatedAt",
        "CreatedSince",
        "Digest",
        "ID",
        "Repository",
        "SharedSize",
        "Size",
        "Tag",
        "UniqueSize",
        "VirtualSize",
    ];
    assert_eq!(names, docker);
    assert_eq!((&parsed["ID"], &parsed["CreatedAt"]), (&json!(id), &json!("2026-01-02 03:04:05 +0000 UTC")));
    assert_eq!(images("{{json .}}"), images("json"));
}
