//! `pull`, `images` and `rmi` as a user types them, also as an ordinary user.

use std::process::Output;

use support::command;

use crate::kit::have;
use crate::kit::real::{Registry, layout};

/// Runs step07 with a store of its own.
fn step07(root: &std::path::Path, words: &[&str]) -> Output {
    let mut step07 = command(env!("CARGO_BIN_EXE_step07"));
    step07.arg("--root").arg(root.join("store")).args(words);
    step07.env("DOCKER_CONFIG", root).output().unwrap()
}

#[track_caller]
fn printed(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn pull_tells_what_it_does_in_dockers_words() {
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    registry.push(&format!("oci:{}", layout(folder.path())), "box:1", &[]);
    let name = format!("{}/box:1", registry.host);

    let (code, stdout, stderr) = printed(&step07(folder.path(), &["pull", &name]));

    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    insta::with_settings!({filters => vec![
        (r"[0-9a-f]{64}", "[digest]"), (r"\b[0-9a-f]{12}\b", "[layer]"), (r"127\.0\.0\.1:\d+", "[registry]"),
        // Two layers come at the same time.
        (r"(?m)^\[layer\]: (Pulling fs layer|Download complete)\n", ""),
    ]}, {
        insta::assert_snapshot!(stdout, @r"
        1: Pulling from box
        [layer]: Pull complete
        [layer]: Pull complete
        Digest: sha256:[digest]
        Status: Downloaded newer image for [registry]/box:1
        [registry]/box:1
        ");
    });
    let (_, stdout, _) = printed(&step07(folder.path(), &["pull", &name]));
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[1].starts_with("Digest: sha256:"), "{stdout}");
    assert_eq!(lines[2..], [&format!("Status: Image is up to date for {name}"), &name]);
    assert_eq!(
        printed(&step07(folder.path(), &["pull", "--quiet", &name])),
        (Some(0), format!("{name}\n"), String::new())
    );
}

#[test]
fn pull_draws_bars_on_a_terminal_that_can() {
    if !have(&[("script", "bsdutils")]) {
        return;
    }
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    registry.push(&format!("oci:{}", layout(folder.path())), "box:1", &[]);
    let pulled = |store: &str, term: &str| {
        let program = env!("CARGO_BIN_EXE_step07");
        let words =
            format!("{program} --root {}/{store} pull {}/box:1", folder.path().display(), registry.host);
        let mut script = command(support::program("script").unwrap());
        script
            .args(["--quiet", "--return", "--command", &words, "/dev/null"])
            .env("DOCKER_CONFIG", folder.path())
            .env("TERM", term);
        let (code, stdout, _) = printed(&script.output().unwrap());
        assert_eq!(code, Some(0), "{stdout}");
        assert_eq!(stdout.matches(": Pull complete\r\n").count(), 2, "{stdout:?}");
        stdout
    };
    let drawn = pulled("drawn", "xterm");
    assert!(drawn.contains("░") && drawn.contains("MiB"), "{drawn:?}");
    let told = pulled("told", "dumb");
    assert!(!told.contains("░") && told.contains(": Pulling fs layer\r\n"), "{told:?}");
}

#[test]
fn all_tags_are_pulled_by_one_command() {
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}", layout(folder.path()));
    for tag in ["1", "2", "latest"] {
        registry.push(&layout, &format!("box:{tag}"), &[]);
    }
    let name = format!("{}/box", registry.host);
    let (code, stdout, stderr) = printed(&step07(folder.path(), &["pull", "--all-tags", &name]));
    assert_eq!((code, stdout.lines().last()), (Some(0), Some(&*name)), "{stderr}");
    let (_, images, _) = printed(&step07(folder.path(), &["images"]));
    for tag in ["1", "2", "latest"] {
        assert!(stdout.contains(&format!("{tag}: Pulling from box\n")), "{stdout}");
        assert!(images.contains(&format!("{name}   {tag} ")), "{images}");
    }
    let (_, stdout, _) = printed(&step07(folder.path(), &["pull", &name]));
    assert!(stdout.starts_with("Using default tag: latest\n"), "{stdout}");
}

#[test]
fn i2_all_tags_of_one_tag_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let digest = format!("x@sha256:{}", "0".repeat(64));
    for name in ["x:tag", "localhost:1/x:tag", &digest] {
        let (code, stdout, stderr) = printed(&step07(folder.path(), &["pull", "-a", name]));
        let expected = "step07: tag can't be used with --all-tags/-a\n";
        assert_eq!((code, &*stdout, &*stderr), (Some(1), "", expected), "{name}");
    }
}

#[test]
fn i2_pull_of_what_is_no_name_is_an_error_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["UPPER", "a:b:c", "", " x", "x@sha256:123"] {
        let (code, stdout, stderr) = printed(&step07(folder.path(), &["pull", name]));
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{stderr}");
        assert!(stderr.contains("invalid reference format"), "{stderr}");
        let (code, ..) = printed(&step07(folder.path(), &["run", name]));
        assert_eq!(code, Some(125), "run {name}");
    }
}

#[test]
fn i2_pull_of_what_is_not_there_is_an_error_of_one_line() {
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}/none", registry.host);
    let (code, stdout, stderr) = printed(&step07(folder.path(), &["pull", "--quiet", &name]));
    let expected = format!(
        "step07: cannot get manifest latest of {name}: 404 Not Found: manifest unknown: manifest unknown\n"
    );
    assert_eq!((code, stdout, stderr), (Some(1), String::new(), expected));
}

#[test]
fn rmi_says_what_it_removed_and_leaves_nothing() {
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    registry.push(&format!("oci:{}", layout(folder.path())), "box:1", &[]);
    let name = format!("{}/box:1", registry.host);
    step07(folder.path(), &["pull", "--quiet", &name]);
    let (_, id, _) = printed(&step07(folder.path(), &["images", "--quiet", "--no-trunc"]));

    let (code, stdout, stderr) = printed(&step07(folder.path(), &["rmi", &name]));

    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with(&format!("Untagged: {name}\n")), "{stdout}");
    assert!(stdout.contains(&format!("\nDeleted: {id}")), "{stdout}");
    for place in ["blobs/sha256", "layers", "tmp"] {
        let left = std::fs::read_dir(folder.path().join("store").join(place)).unwrap().count();
        assert_eq!(left, 0, "{place}");
    }
    let (code, _, stderr) = printed(&step07(folder.path(), &["rmi", &name]));
    assert_eq!((code, stderr.contains(&format!("No such image: {name}"))), (Some(1), true), "{stderr}");
}
