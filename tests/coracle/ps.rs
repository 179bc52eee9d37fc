//! `ps`: Docker's list of containers, with all of its options.

use serde_json::{Value, json};

use crate::kit::{Boat, Image, Ran};

/// Three containers: one that has ended well, one with code 3, and one that runs.
fn boat() -> Option<(Boat, crate::kit::Started)> {
    let image = Image::busybox(json!({"Cmd": ["true"], "Labels": {"from": "image"}}))?;
    let boat = Boat::holding(&image);
    Image::small(json!({})).write(&boat.root(), "docker.io/library/other:1");
    boat.run("--name first --label a=1 --label b", &["true"]).ok();
    let volume = boat.path("volume");
    std::fs::create_dir(&volume).unwrap();
    let options = format!("--name second --label a=2 -v {}:/data", volume.display());
    assert_eq!(boat.run(&options, &["sh", "-c", "echo 12345 > /written; exit 3"]).code, 3);
    let third = boat.start("--name third", "sleep 100");
    Some((boat, third))
}

fn list(boat: &Boat, options: &str) -> String {
    let words = ["ps"].into_iter().chain(options.split_whitespace()).chain(["--format", "{{.Names}}"]);
    Ran::of(&mut boat.command(words)).ok().replace('\n', " ")
}

#[test]
fn ps_has_dockers_columns_and_options() {
    let Some((boat, _running)) = boat() else { return };
    assert_eq!(list(&boat, ""), "third");
    assert_eq!(list(&boat, "--all"), "third second first");
    assert_eq!(list(&boat, "-n 2"), "third second");
    assert_eq!(list(&boat, "--last 1"), "third");
    assert_eq!(list(&boat, "-n -1"), "third");
    assert_eq!(list(&boat, "--latest"), "third");

    let table = boat.coracle("ps --all").ok();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("CONTAINER ID   IMAGE     COMMAND"), "{table}");
    assert!(
        lines[0].ends_with("CREATED         STATUS                     PORTS     NAMES")
            || lines[0].ends_with("NAMES")
    );
    assert!(lines[2].contains("\"sh -c 'echo 12345 >…\"") && lines[2].contains("Exited (3) "), "{table}");
    let whole = boat.coracle("ps --all --no-trunc").ok();
    assert!(whole.contains("\"sh -c 'echo 12345 > /written; exit 3'\""), "{whole}");
    let ids = boat.coracle("ps --all --quiet --no-trunc").ok();
    assert!(ids.lines().count() == 3 && ids.lines().all(|id| id.len() == 64 && whole.contains(id)), "{ids}");
    assert!(boat.coracle("ps -aq").ok().lines().zip(ids.lines()).all(|(short, id)| short == &id[..12]));

    let sizes = boat.coracle("ps --all --size").ok();
    assert!(sizes.lines().next().unwrap().ends_with("NAMES     SIZE"), "{sizes}");
    let size = sizes.lines().nth(2).unwrap();
    assert!(size.contains("6B (virtual ") && size.ends_with("MB)"), "{sizes}");
}

#[test]
fn ps_formats_have_dockers_names() {
    let Some((boat, _running)) = boat() else { return };
    let second: Value =
        serde_json::from_str(&boat.coracle("ps -a --filter name=second --format json").ok()).unwrap();
    let names: Vec<&String> = second.as_object().unwrap().keys().collect();
    let docker = [
        "Command",
        "CreatedAt",
        "ID",
        "Image",
        "Labels",
        "LocalVolumes",
        "Mounts",
        "Names",
        "Networks",
        "Ports",
        "RunningFor",
        "Size",
        "State",
        "Status",
    ];
    assert_eq!(names, docker);
    assert_eq!(
        (&second["Image"], &second["State"], &second["Networks"]),
        (&json!("box:1"), &json!("exited"), &json!("none"))
    );
    assert_eq!((&second["Labels"], &second["LocalVolumes"]), (&json!("a=2,from=image"), &json!("0")));
    assert!(second["Mounts"].as_str().unwrap().ends_with('…'), "{second}");
    let format = |format: &str| Ran::of(&mut boat.command(["ps", "-a", "--format", format])).ok();
    let table = format("table {{.Names}}\\t{{.Label \"a\"}}\\t{{.State}}");
    assert_eq!(
        table,
        "NAMES     a         STATE\nthird               running\nsecond    2         exited\nfirst     1         exited"
    );
    assert_eq!(
        format("{{range $i, $x := split .Names \"i\"}}{{$i}}{{$x}} {{end}}"),
        "0th 1rd \n0second \n0f 1rst"
    );
    let ids = boat.coracle("ps --quiet --format {{.Names}}");
    assert_eq!(ids.err, "WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
    assert_eq!((ids.code, ids.out.len()), (0, 13));
}

#[test]
fn ps_filters_leave_what_they_name() {
    let Some((boat, _running)) = boat() else { return };
    let volume = boat.path("volume").display().to_string();
    let third = boat.coracle("ps --quiet").ok();
    for (options, names) in [
        ("-a -f name=ir", "third first"),
        ("-a -f name=^third$", "third"),
        ("-a -f name=^/third$", "third"),
        ("-a -f name=first -f name=second", "second first"),
        ("-f name=first", ""),
        (&format!("-a -f id={third}"), "third"),
        ("-a -f label=a", "second first"),
        ("-a -f label=a=1 -f label=b", "first"),
        ("-a -f label=a=2 -f label=b", ""),
        ("-a -f label=from=image", "third second first"),
        ("-f status=exited", "second first"),
        ("-f status=created -f status=running", "third"),
        ("-a -f exited=3", "second"),
        ("-a -f exited=0 -f exited=3", "second first"),
        ("-a -f ancestor=box:1", "third second first"),
        ("-a -f ancestor=other:1", ""),
        ("-a -f ancestor=nope", ""),
        ("-a -f before=third", "second first"),
        ("-a -f since=first", "third second"),
        ("-a -f volume=/data", "second"),
        (&format!("-a -f volume={volume}"), "second"),
        ("-a -f network=none", "third second first"),
        ("-a -f network=bridge", ""),
        ("-a -f publish=80", ""),
        ("-a -f expose=80/tcp", ""),
        ("-a -f health=none", "third second first"),
        ("-a -f is-task=true", ""),
    ] {
        assert_eq!(list(&boat, options), names, "{options}");
    }
}

#[test]
fn i1_wrong_words_of_ps_have_dockers_codes() {
    let boat = Boat::empty();
    boat.coracle("ps --filter foo").failed(125, "bad format of filter (expected name=value)");
    boat.coracle("ps --filter foo=bar").failed(1, "Invalid filter 'foo'");
    boat.coracle("ps --filter status=bogus").failed(1, "Invalid filter 'status=bogus'");
    boat.coracle("ps --filter exited=x").failed(1, "Invalid filter 'exited'");
    boat.coracle("ps --filter name=[").failed(1, "Invalid filter 'name'");
    boat.coracle("ps --filter since=nope").failed(1, "No such container: nope");
    boat.coracle("ps --format {{").failed(1, "template parsing error: template: :1: unclosed action");
    boat.coracle("ps --format {{.Foo}}").failed(1, "\"Foo\"");
    boat.coracle("ps -n x").failed(125, "invalid value 'x'");
}
