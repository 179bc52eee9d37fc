//! Names that lead elsewhere: by dots, by links, by hard links.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use crate::archive::{Archive, Head};
use crate::bench::Bench;
use crate::tree;

#[test]
fn l1_names_stay_inside_the_tree() {
    let Some(mut bench) = Bench::new() else { return };
    let archive = Archive::new()
        .directory("./")
        .file("../../up", "")
        .file("/absolute", "")
        .file("a/../../sideways", "")
        .file("./dotted", "")
        .file("deep/../../../../../../../../../../tmp/deep", "")
        .end();
    bench.layer(archive);
    assert_eq!(bench.names(), ["absolute", "dotted", "sideways", "tmp", "tmp/deep", "up"]);
}

#[test]
fn l1_the_root_is_a_directory_and_stays_one() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    for name in [".", "/", "", "..", "a/.."] {
        for kind in *b"0126" {
            let error = bench.refused(Archive::new().head(&Head::new(kind, name).link(&outside), b"").end());
            assert!(error.ends_with("cannot place /: the root can only be a directory"), "{error}");
        }
    }
    bench.layer(Archive::new().head(&Head::new(b'5', "").mode(0o750), b"").end());
    assert!(bench.tree()["."].starts_with("d0750"));
}

#[test]
fn l2_links_are_followed_inside_the_tree_only() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    let inside = outside.trim_start_matches('/').to_owned();
    let archive = Archive::new()
        .symlink("absolute", &outside)
        .file("absolute/marker", "of the layer")
        .symlink("root", "/")
        .file("root/through-root", "")
        .symlink("climbing", "../../../../../../..")
        .file("climbing/climbed", "")
        .directory("a")
        .symlink("a/b", "../c/./../d")
        .file("a/b/x", "")
        .end();
    bench.layer(archive);
    assert_eq!(bench.read(&format!("{inside}/marker")), "of the layer");
    for name in ["through-root", "climbed", "d/x", "a/b"] {
        assert!(bench.names().contains(&name.into()), "{name}: {:?}", bench.names());
    }
}

#[test]
fn l2_links_of_earlier_layers_are_followed_through_the_stack() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    let inside = outside.trim_start_matches('/').to_owned();
    bench.layer(
        Archive::new()
            .directory("run")
            .directory("var")
            .symlink("var/run", "/run")
            .symlink("d", &outside)
            .end(),
    );
    bench.layer(Archive::new().file("var/run/x", "").end());
    bench.layer(Archive::new().file("d/marker", "of the layer").end());
    assert_eq!(bench.merged(|root| fs::read_link(root.join("var/run")).unwrap()).as_os_str(), "/run");
    assert!(bench.names().contains(&"run/x".into()), "{:?}", bench.names());
    assert_eq!(bench.read(&format!("{inside}/marker")), "of the layer");
}

#[test]
fn l2_a_link_that_a_layer_between_has_deleted_is_not_followed() {
    let Some(mut bench) = Bench::new() else { return };
    bench.layer(Archive::new().symlink("d", "/elsewhere").symlink("opaque/d", "/elsewhere").end());
    bench.layer(Archive::new().file(".wh.d", "").file("opaque/.wh..wh..opq", "").end());
    bench.layer(Archive::new().file("d/x", "").file("opaque/d/x", "").end());
    assert_eq!(bench.names(), ["d", "d/x", "opaque", "opaque/d", "opaque/d/x"]);
}

#[test]
fn l2_a_link_swapped_between_two_entries_is_looked_at_anew() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    let archive = Archive::new()
        .directory("d")
        .file("d/first", "")
        .symlink("d", &outside)
        .file("d/marker", "of the layer")
        .symlink("d", "/e")
        .file("d/second", "")
        .end();
    bench.layer(archive);
    let names = bench.names();
    assert!(names.contains(&"e/second".into()) && !names.contains(&"d/first".into()), "{names:?}");
}

#[test]
fn l2_links_in_a_circle_end() {
    let Some(mut bench) = Bench::new() else { return };
    let error = bench.refused(Archive::new().symlink("a", "b").symlink("b", "a").file("a/x", "").end());
    assert!(error.ends_with("cannot place a/x: too many links in a"), "{error}");
    let error = bench.refused(Archive::new().file("a", "").file("a/x", "").end());
    assert!(error.ends_with("cannot place a/x: a is no directory"), "{error}");
}

#[test]
fn l3_hard_links_reach_nothing_outside() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    let marker = format!("{outside}/marker");
    for target in [&*marker, "/etc/passwd", "../outside/marker", "not-yet", "../x"] {
        let error = bench.refused(Archive::new().hard_link("x", target).file("not-yet", "").end());
        assert!(
            error.contains("cannot place x: cannot link it to ")
                && error.ends_with(": there is no such file")
        );
    }
    let through = Archive::new().symlink("d", &outside).hard_link("x", "d/marker").end();
    assert!(bench.refused(through).ends_with("cannot link it to d/marker: there is no such file"));
    let error = bench.refused(Archive::new().directory("d").hard_link("x", "d").end());
    assert!(error.ends_with("cannot link it to d: it is a directory"), "{error}");
    let error = bench.refused(Archive::new().hard_link("x", "/").end());
    assert!(error.ends_with("cannot link it to /: it is a directory"), "{error}");
    let error = bench.refused(Archive::new().file("x", "").hard_link("x", "./x").end());
    assert!(error.ends_with("cannot place x: cannot link it to itself"), "{error}");
    let error = bench.refused(Archive::new().file("d/x", "").hard_link("d", "d/x").end());
    assert!(error.contains("cannot place d: cannot link it to d/x"), "{error}");
}

#[test]
fn l3_a_hard_link_to_a_link_is_the_link_itself() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    bench.layer(Archive::new().symlink("l", format!("{outside}/marker")).hard_link("x", "l").end());
    bench.merged(|root| assert!(root.join("x").symlink_metadata().unwrap().is_symlink()));
}

#[test]
fn l3_a_hard_link_to_a_file_of_a_lower_layer_shares_its_inode() {
    let Some(mut bench) = Bench::new() else { return };
    let base = Archive::new()
        .directory("usr")
        .pax(&[("SCHILY.xattr.user.k", b"v")])
        .file_like(Head::new(b'0', "usr/old").mode(0o4751).time(1_234_567_890), "content")
        .symlink("link", "usr")
        .symlink("usr/symlink", "old")
        .end();
    bench.layer(base);
    bench.layer(Archive::new().file("between", "").end());
    bench.layer(Archive::new().hard_link("new", "link/old").hard_link("further", "usr/symlink").end());
    let tree = bench.tree();
    assert_eq!(tree["new"], tree["usr/old"]);
    assert!(
        tree["new"].starts_with("-4751 0:0 1234567890.000000000 7 ") && tree["new"].ends_with(" user.k=v")
    );
    assert!(tree["further"].ends_with(" -> old"), "{}", tree["further"]);
    bench.merged(|root| {
        let inode = |name: &str| root.join(name).symlink_metadata().unwrap().ino();
        assert_eq!(inode("new"), inode("usr/old"));
    });
    // What another layer has deleted is no target.
    bench.layer(Archive::new().file("usr/.wh.old", "").file(".wh.new", "").end());
    assert!(bench.refused(Archive::new().hard_link("x", "usr/old").end()).ends_with("there is no such file"));
}

#[test]
fn l15_a_path_through_many_directories_is_placed_or_refused() {
    let Some(mut bench) = Bench::new() else { return };
    let long = "d/".repeat(1100) + "x";
    bench.layer(Archive::new().pax(&[("path", long.as_bytes())]).file("short", "").end());
    let deeper = "d/".repeat(2047) + "xyz";
    let error = bench.refused(Archive::new().pax(&[("path", deeper.as_bytes())]).file("short", "").end());
    assert!(error.ends_with("…: it is too long for Linux"), "{error}");
    // The whole tree goes again, without a descriptor or a stack frame for each level.
    bench.layer(Archive::new().pax(&[("path", long.as_bytes())]).file("short", "").file("d", "").end());
    assert_eq!(tree::names(bench.top()), ["d"]);
}

#[test]
fn l24_names_are_bytes() {
    let Some(mut bench) = Bench::new() else { return };
    let names: [&[u8]; 6] = [b"caf\xe9", b"new\nline", b"\x1b[2J", b"a:b,c", b"lowerdir=\\,", "ü".as_bytes()];
    let archive = names.iter().fold(Archive::new(), |archive, name| archive.directory(name));
    bench.layer(archive.end());
    let placed = bench.merged(|root| -> Vec<Vec<u8>> {
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().as_bytes().to_vec()).collect()
    });
    for name in names {
        assert!(placed.iter().any(|placed| placed == name), "{}", name.escape_ascii());
        let inside = [name, b"/", &[b'n'; 255]].concat();
        let archive = Archive::new().file(name, "").pax(&[("path", &inside)]).file("x", "").end();
        let error = bench.refused(archive);
        assert!(error.ends_with(" is no directory"), "{error}");
    }
    let error = bench.refused(Archive::new().pax(&[("path", b"a\0b")]).file("x", "").end());
    assert!(error.contains(r"bad name a\0b: it contains a NUL byte"), "{error}");
    let error = bench.refused(Archive::new().symlink("empty", "").end());
    assert!(error.contains("cannot place empty: ENOENT"), "{error}");
}
