//! I2: what is a name of an image, and what is none. The texts are those of Docker's own command (28.2.2).

use step07_images::names::Reference;

fn parse(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|error: anyhow::Error| format!("{error:#}"))
}

/// The whole name and the familiar one.
#[track_caller]
fn means(text: &str, whole: &str, familiar: &str) {
    let reference = parse(text).unwrap();
    assert_eq!((reference.to_string().as_str(), reference.familiar().as_str()), (whole, familiar), "{text}");
    assert_eq!(parse(whole).unwrap(), reference, "{text}: the whole name is read back as the same");
    assert_eq!(parse(familiar).unwrap(), reference, "{text}: the familiar name is read back as the same");
}

#[test]
fn i2_short_names_are_dockers() {
    means("alpine", "docker.io/library/alpine:latest", "alpine:latest");
    means("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20");
    means("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest");
    means("index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest");
    means("someone/tool", "docker.io/someone/tool:latest", "someone/tool:latest");
    means("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest");
    means("host-tools", "docker.io/library/host-tools:latest", "host-tools:latest");
}

/// Docker shows the first as `host.example/box`: under the name of another registry's image.
#[test]
fn i2_what_another_registry_is_called_like_keeps_the_name_of_its_own() {
    for name in
        ["docker.io/host.example/box:latest", "docker.io/localhost/box:1", "docker.io/index.docker.io/box:1"]
    {
        means(name, name, name);
    }
    means("docker.io/library/host.example", "docker.io/library/host.example:latest", "host.example:latest");
}

#[test]
fn i2_a_registry_has_a_dot_a_port_or_a_capital_or_is_localhost() {
    for registry in
        ["localhost", "localhost:5000", "host:5000", "a.b", "127.0.0.1:5000", "[::1]:5000", "Host"]
    {
        let whole = format!("{registry}/x:latest");
        means(&format!("{registry}/x"), &whole, &whole);
        assert_eq!(parse(&format!("{registry}/x")).unwrap().registry, registry);
    }
    assert_eq!(parse("host/x").unwrap().registry, "docker.io");
    // One word before the tag is always a name, even if it looks like a host.
    means("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000");
}

#[test]
fn i2_a_digest_makes_a_tag_meaningless() {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let whole = format!("docker.io/library/x@{digest}");
    means(&format!("x@{digest}"), &whole, &format!("x@{digest}"));
    means(&format!("x:tag@{digest}"), &whole, &format!("x@{digest}"));
}

#[test]
fn i2_capitals_are_refused_by_name() {
    let error = "invalid reference format: repository name (library/UPPER) must be lowercase";
    assert_eq!(parse("UPPER").unwrap_err(), error);
    assert_eq!(parse("UPPER:tag").unwrap_err(), error);
    let error = "invalid reference format: repository name (a/B) must be lowercase";
    assert_eq!(parse("host:5000/a/B").unwrap_err(), error);
    // A tag may have them.
    means("x:Tag_1.0-rc", "docker.io/library/x:Tag_1.0-rc", "x:Tag_1.0-rc");
}

#[test]
fn i2_what_is_no_reference() {
    let long_tag = format!("x:{}", "t".repeat(129));
    let bad = [
        "a:b:c",
        "",
        " ",
        " x",
        "x ",
        "x@sha256:123",
        "x:",
        ":tag",
        "x@",
        "@sha256:",
        "/x",
        "x/",
        "a//b",
        "-x",
        "x-",
        "x..y",
        "x___y",
        "x/.y",
        "a/-b",
        "x:-tag",
        "x:.tag",
        "host:port/x",
        "host:/x",
        ":5000/x",
        "[::1/x",
        "[]:1/x",
        "[::g]:1/x",
        "a_b.c/x",
        "-a.b/x",
        "x\n",
        "x\0",
        "é",
        "x:é",
        "../x",
        "./x",
        "http://host/x",
        &long_tag,
    ];
    for text in bad {
        assert_eq!(parse(text).unwrap_err(), "invalid reference format", "{text:?}");
    }
    for text in ["a.b_c__d---e", "0", &format!("x:{}", "t".repeat(128)), "x:_"] {
        assert!(parse(text).is_ok(), "{text:?}");
    }
}

#[test]
fn i2_an_id_is_no_name() {
    let id = "0123456789abcdef".repeat(4);
    let error = format!("invalid repository name ({id}), cannot specify 64-byte hexadecimal strings");
    assert_eq!(parse(&id).unwrap_err(), error);
    assert!(parse(&id[1..]).is_ok());
}

#[test]
fn i2_a_long_name_is_refused() {
    let error = "repository name must not be more than 255 characters";
    assert_eq!(parse(&format!("a.b/{}", "x".repeat(256))).unwrap_err(), error);
    assert!(parse(&format!("a.b/{}", "x".repeat(255))).is_ok());
}

#[test]
fn l23_digests_that_docker_would_take_are_refused_if_we_cannot_check_them() {
    for digest in [
        format!("sha512:{}", "0".repeat(128)),
        format!("sha256:{}", "A".repeat(64)),
        format!("md5:{}", "0".repeat(32)),
    ] {
        let error = parse(&format!("x@{digest}")).unwrap_err();
        assert!(error.contains("digest") && error.lines().count() == 1, "{error}");
    }
}
