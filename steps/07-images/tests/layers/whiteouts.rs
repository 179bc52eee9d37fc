//! What is deleted, and what is not.

use crate::archive::{Archive, Head};
use crate::bench::Bench;
use crate::tree;

/// A lower layer with a file, a directory and a link.
fn base(bench: &mut Bench) {
    bench.layer(
        Archive::new().file("f", "below").file("d/x", "below").file("d/y", "below").symlink("l", "d").end(),
    );
}

#[test]
fn l7_a_whiteout_hides_what_lower_layers_have() {
    let Some(mut bench) = Bench::new() else { return };
    base(&mut bench);
    bench.layer(Archive::new().file("d/.wh.x", "").end());
    assert_eq!(bench.names(), ["d", "d/y", "f", "l"]);
    bench.layer(Archive::new().file(".wh.f", "").file(".wh.d", "").file(".wh.l", "").end());
    assert_eq!(bench.names(), [""; 0]);
    bench.layer(Archive::new().directory("d").end());
    assert_eq!(bench.names(), ["d"]);
}

#[test]
fn l7_a_whiteout_leaves_what_its_own_layer_has_before_or_after_it() {
    let Some(mut bench) = Bench::new() else { return };
    base(&mut bench);
    bench.layer(Archive::new().file("f", "new").file(".wh.f", "").file("d/x", "new").file(".wh.d", "").end());
    assert_eq!(
        (bench.names(), bench.read("f")),
        (vec!["d".into(), "d/x".into(), "f".into(), "l".into()], "new".into())
    );

    let Some(mut bench) = Bench::new() else { return };
    base(&mut bench);
    bench.layer(Archive::new().file(".wh.f", "").file("f", "new").file(".wh.d", "").file("d/x", "new").end());
    assert_eq!(
        (bench.names(), bench.read("f")),
        (vec!["d".into(), "d/x".into(), "f".into(), "l".into()], "new".into())
    );
}

#[test]
fn l7_a_whiteout_of_nothing_is_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    bench.layer(Archive::new().file(".wh.x", "").file("a/b/.wh.x", "").file("c/.wh..wh..opq", "").end());
    assert_eq!((bench.names(), tree::names(bench.top())), (vec![], vec![]));
    base(&mut bench);
    bench.layer(Archive::new().file("d/.wh.x", "").file("d/.wh.x", "").file("d/.wh.z", "").end());
    bench.layer(Archive::new().file("d/.wh.x", "").end());
    assert_eq!(bench.names(), ["d", "d/y", "f", "l"]);
}

#[test]
fn l8_an_opaque_directory_hides_lower_content_wherever_the_mark_stands() {
    for marks in [0, 1, 2] {
        let Some(mut bench) = Bench::new() else { return };
        base(&mut bench);
        let mark =
            |archive: Archive, at| if at == marks { archive.file("d/.wh..wh..opq", "") } else { archive };
        let archive = mark(Archive::new(), 0);
        let archive = mark(archive.file("d/new", "").file("d/.wh.x", "").file("d/sub/.wh.z", ""), 1);
        bench.layer(mark(archive.file("d/newer", ""), 2).end());
        assert_eq!(bench.names(), ["d", "d/new", "d/newer", "f", "l"]);
    }
}

#[test]
fn l8_no_whiteout_shows_in_an_opaque_directory() {
    let Some(mut bench) = Bench::new() else { return };
    bench.layer(Archive::new().file("d/sub/x", "").file("d/y", "").end());
    bench.layer(Archive::new().file("d/sub/.wh.x", "").file("d/.wh.y", "").file("d/.wh..wh..opq", "").end());
    assert_eq!(bench.names(), ["d", "d/sub"]);
    assert_eq!(tree::names(bench.top()), ["d", "d/sub"]);
}

#[test]
fn l8_an_opaque_root_hides_everything_below() {
    let Some(mut bench) = Bench::new() else { return };
    base(&mut bench);
    bench.layer(
        Archive::new().file("d/new", "").file(".wh..wh..opq", "").file("new", "").directory("l").end(),
    );
    assert_eq!(bench.names(), ["d", "d/new", "l", "new"]);
}

#[test]
fn l8_whiteouts_with_other_names_are_skipped_or_refused() {
    let Some(mut bench) = Bench::new() else { return };
    base(&mut bench);
    bench.layer(
        Archive::new().file(".wh..wh.aufs", "").directory(".wh..wh.plnk").file(".wh..wh.plnk/1.2", "x").end(),
    );
    assert_eq!(bench.names(), ["d", "d/x", "d/y", "f", "l"]);
    for name in [".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh..", "d/.wh..."] {
        let error = bench.refused(Archive::new().file(name, "").end());
        assert!(error.ends_with(&format!("cannot place {name}: a whiteout without a name")), "{error}");
    }
    for name in [".wh.a/b", ".wh..wh..opq/b", "d/.wh.a/b/c"] {
        let error = bench.refused(Archive::new().file(name, "").end());
        assert!(error.ends_with(&format!("cannot place {name}: a whiteout holds nothing")), "{error}");
    }
}

#[test]
fn l9_a_whiteout_below_a_link_stays_inside_the_tree() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    base(&mut bench);
    bench.layer(Archive::new().symlink("out", &outside).symlink("root", "/").end());
    let archive = Archive::new()
        .file("out/.wh.marker", "")
        .file("out/directory/.wh..wh..opq", "")
        .file("l/.wh.x", "")
        .file("root/.wh.f", "")
        .file("../.wh.proc", "")
        .end();
    bench.layer(archive);
    assert_eq!(bench.names(), ["d", "d/y", "l", "out", "root"]);
    let error = bench.refused(Archive::new().file("d/y/.wh.z", "").end());
    assert!(error.ends_with("d/y is no directory"), "{error}");
}

#[test]
fn l10_what_overlayfs_would_obey_is_refused_or_dropped() {
    let Some(mut bench) = Bench::new() else { return };
    base(&mut bench);
    let error = bench.refused(Archive::new().head(&Head::new(b'3', "f"), b"").end());
    assert!(error.contains("cannot place f: a character device 0:0"), "{error}");
    for (major, minor) in [(4096, 0), (1 << 32, 0), (0, 1 << 20), (0, 1 << 32), (1 << 40, 1 << 40)] {
        let error = bench.refused(Archive::new().head(&Head::new(b'3', "f").device(major, minor), b"").end());
        assert!(error.ends_with(&format!("f: there is no device {major}:{minor}")), "{error}");
    }
    for name in
        ["user.overlay.opaque", "trusted.overlay.opaque", "user.overlay.redirect", "user.overlay.whiteout"]
    {
        let key = format!("SCHILY.xattr.{name}");
        let archive = Archive::new().pax(&[(&key, b"y")]).directory("d").end();
        let left_out = bench.try_layer(archive).unwrap();
        assert_eq!(left_out, [format!("some extended attributes are left out (the first is {name})")]);
        assert_eq!(bench.names(), ["d", "d/x", "d/y", "f", "l"]);
    }
}
