//! The same image unpacked by us and by umoci: equal, entry by entry.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::json;
use step07_images::digest::Digest;
use support::{NotApplicable, Role, command, not_applicable, not_run, program};

use crate::archive::{Archive, Head};
use crate::bench::Bench;
use crate::tree::tree;

#[test]
fn an_image_unpacks_as_by_umoci() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let Some(umoci) = program("umoci") else { return not_run("umoci is missing: apt-get install umoci") };
    let Some(mut bench) = Bench::new() else { return };
    let layers = [base(), changes(), more_changes()];
    let folder = tempfile::tempdir().unwrap();
    write_image(&folder.path().join("image"), &layers);
    let unpacked = command(umoci)
        .args(["unpack", "--image", "image:latest", "bundle"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
    for layer in &layers {
        bench.layer(layer);
    }

    let theirs = tree(&folder.path().join("bundle/rootfs"));
    let ours = bench.tree();
    let different = |one: &str| ours.get(one) != theirs.get(one);
    let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names.into_iter().filter(|name| different(name)) {
        println!("{name}\n  ours   {:?}\n  theirs {:?}", ours.get(name), theirs.get(name));
    }
    assert_eq!(ours, theirs);
    // Both could be wrong: the tree is what the layers say.
    assert!(ours["tmp"].starts_with("d1777 ") && ours["usr/bin/su"].starts_with("-4755 "));
    assert_eq!(
        (ours["usr/bin/alias"].clone(), ours.contains_key("run/pid")),
        (ours["usr/bin/tool"].clone(), true)
    );
    assert!(
        !ours.contains_key("etc/old") && !ours.contains_key("opaque/old") && ours.contains_key("opaque/new")
    );
}

fn directory(name: &str) -> Head {
    Head::new(b'5', name).mode(0o755).time(1_500_000_000)
}

fn base() -> Vec<u8> {
    let long = format!("usr/share/{}/{}", "long-name-".repeat(20), "x".repeat(255));
    Archive::new()
        .head(&directory("./"), b"")
        .head(&directory("etc"), b"")
        .file("etc/old", "old")
        .file_like(Head::new(b'0', "etc/shadow").mode(0o640).owner(0, 42), "root:*")
        .head(&directory("tmp").mode(0o1777).owner(0, 0).time(1_400_000_000), b"")
        .head(&directory("run").time(1_300_000_000), b"")
        .head(&directory("var"), b"")
        .symlink("var/run", "/run")
        .head(&directory("usr"), b"")
        .head(&directory("usr/bin"), b"")
        .file_like(Head::new(b'0', "usr/bin/su").mode(0o4755), "#!/bin/sh")
        .file_like(Head::new(b'0', "usr/bin/wall").mode(0o2755).owner(0, 5), "#!/bin/sh")
        .pax(&[("mtime", b"1600000000.123456789"), ("SCHILY.xattr.user.tool", b"a\nb=\xff")])
        .file_like(Head::new(b'0', "usr/bin/tool").mode(0o711).owner(1, 2), vec![7; 100_000])
        .hard_link("usr/bin/same-layer", "usr/bin/tool")
        .pax(&[("SCHILY.xattr.user.directory", b"yes")])
        .head(&directory("opaque"), b"")
        .file("opaque/old", "old")
        .head(&directory("opaque/below"), b"")
        .file("opaque/below/old", "old")
        .head(&directory("replaced"), b"")
        .file("replaced/inside", "")
        .file("becomes-directory", "")
        .head(&directory("usr/share"), b"")
        .head(&directory(&format!("usr/share/{}", &"long-name-".repeat(20)[..80])), b"")
        .pax(&[("path", format!("usr/share/{}", "long-name-".repeat(20)).as_bytes())])
        .head(&directory("long"), b"")
        .pax(&[("path", long.as_bytes())])
        .file("long", "long")
        .symlink("dangling", "../nowhere")
        .head(&Head::new(b'6', "fifo").mode(0o622), b"")
        .head(&Head::new(b'3', "null").device(1, 3).mode(0o666), b"")
        .head(&Head::new(b'4', "disk").device(8, 1).mode(0o660).owner(0, 6), b"")
        .end()
}

fn changes() -> Vec<u8> {
    Archive::new()
        .file("tmp/without-an-entry-for-its-parent", "")
        .file("var/run/pid", "17")
        .hard_link("usr/bin/alias", "usr/bin/tool")
        .file("etc/.wh.old", "")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/new", "new")
        .file("replaced", "a file now")
        .head(&directory("becomes-directory").mode(0o700), b"")
        .file("becomes-directory/x", "")
        .file("null", "no device any more")
        .end()
}

fn more_changes() -> Vec<u8> {
    Archive::new()
        .file_like(Head::new(b'0', "usr/bin/su").mode(0o4755).owner(3, 3), "#!/bin/bash")
        .file("usr/bin/.wh.wall", "")
        .file("opaque/.wh.new", "")
        .file("opaque/new", "newer")
        .head(&directory("etc").mode(0o711).time(1_700_000_000), b"")
        .file(".wh.disk", "")
        .end()
}

/// An OCI image layout with one image (OCI image specification, image-layout.md).
fn write_image(folder: &Path, layers: &[Vec<u8>]) {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let blob = |media_type: &str, content: &[u8]| {
        let digest = Digest::of(content);
        fs::write(folder.join("blobs/sha256").join(digest.hex()), content).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    };
    let compressed: Vec<_> = layers
        .iter()
        .map(|layer| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(layer).unwrap();
            blob("application/vnd.oci.image.layer.v1.tar+gzip", &gzip.finish().unwrap())
        })
        .collect();
    let diff_ids: Vec<Digest> = layers.iter().map(Digest::of).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": compressed });
    let mut manifest = blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
    fs::write(folder.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string())
        .unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}
