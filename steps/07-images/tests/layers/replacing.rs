//! Entries at a place where something stands already.

use crate::archive::{Archive, Head};
use crate::bench::{Bench, can_chown};
use crate::tree::names;
use support::{NotApplicable, not_applicable};

#[test]
fn l4_directory_entry_over_a_symlink_replaces_it() {
    let Some(mut bench) = Bench::new() else { return };
    let target = format!("{}/directory", bench.outside());
    let directory = Head::new(b'5', "d").mode(0o777).time(1);
    let archive = Archive::new()
        .symlink("d", &target)
        .pax(&[("SCHILY.xattr.user.k", b"v")])
        .head(&directory, b"")
        .symlink("inside", "e")
        .directory("e")
        .head(&Head::new(b'5', "inside").mode(0o700), b"")
        .end();
    bench.layer(archive);
    let tree = bench.tree();
    assert_eq!(tree["d"], "d0777 0:0 1.000000000 user.k=v");
    assert!(tree["inside"].starts_with("d0700") && tree["e"].starts_with("d0755"), "{tree:?}");

    // The same where the link is in a lower layer.
    bench.layer(Archive::new().symlink("f", &target).end());
    bench.layer(Archive::new().head(&Head::new(b'5', "f").mode(0o777), b"").end());
    assert!(bench.tree()["f"].starts_with("d0777"));
}

#[test]
fn l5_the_last_entry_wins_whatever_stood_there() {
    let Some(mut bench) = Bench::new() else { return };
    let outside = bench.outside();
    type Add = fn(Archive, &str) -> Archive;
    let kinds: [(&str, Add); 5] = [
        ("-", |archive, _| archive.file("x", "content")),
        ("d", |archive, _| archive.directory("x").file("x/inside", "")),
        ("l", |archive, outside| archive.symlink("x", outside)),
        ("p", |archive, _| archive.head(&Head::new(b'6', "x"), b"")),
        ("-", |archive, _| archive.file("y", "").hard_link("x", "y")),
    ];
    for (_, first) in kinds {
        for (letter, second) in kinds {
            // In one layer, and in two.
            let both = second(first(Archive::new(), &outside), &outside);
            bench.layer(both.end());
            let one = bench.tree();
            bench.layer(Archive::new().file(".wh.x", "").end());
            bench.layer(first(Archive::new(), &outside).end());
            bench.layer(second(Archive::new(), &outside).end());
            let two = bench.tree();
            for tree in [&one, &two] {
                assert!(tree["x"].starts_with(letter), "{letter}: {tree:?}");
                assert_eq!(tree.contains_key("x/inside"), letter == "d", "{tree:?}");
            }
            bench.layer(Archive::new().file(".wh.x", "").file(".wh.y", "").end());
        }
    }
}

#[test]
fn l5_a_tree_that_was_replaced_does_not_come_back() {
    let Some(mut bench) = Bench::new() else { return };
    bench.layer(Archive::new().file("d/of-below", "").file("e/of-below", "").end());
    bench.layer(
        Archive::new().file("d", "").directory("d").file("e/new", "").symlink("e", "d").directory("e").end(),
    );
    assert_eq!(bench.names(), ["d", "e"]);
    // A directory described twice is one directory.
    bench.layer(Archive::new().file("f/of-below", "").end());
    bench.layer(Archive::new().directory("f").file("f/new", "").directory("f").end());
    assert_eq!(bench.names(), ["d", "e", "f", "f/new", "f/of-below"]);
}

#[test]
fn l5_times_of_directories_are_set_last() {
    let Some(mut bench) = Bench::new() else { return };
    let directory = |name: &str, time| Head::new(b'5', name).mode(0o755).time(time);
    let archive = Archive::new()
        .head(&directory("d", 1), b"")
        .head(&directory("d/e", 2), b"")
        .file("d/e/x", "")
        .file("d/y", "")
        .head(&directory("gone", 3), b"")
        .file("gone", "")
        .end();
    bench.layer(archive);
    let tree = bench.tree();
    assert_eq!((&*tree["d"], &*tree["d/e"]), ("d0755 0:0 1.000000000", "d0755 0:0 2.000000000"));
    assert!(tree["gone"].starts_with("-0644 0:0 1600000000."));
}

#[test]
fn l6_parents_without_an_entry_are_those_of_the_lower_layers() {
    let Some(mut bench) = Bench::new() else { return };
    let base = Archive::new()
        .head(&Head::new(b'5', ".").mode(0o711).time(5), b"")
        .directory("var")
        .pax(&[("SCHILY.xattr.user.k", b"v")])
        .head(&Head::new(b'5', "var/tmp").mode(0o1777).time(7), b"")
        .head(&Head::new(b'5', "private").mode(0o700).time(8), b"")
        .end();
    bench.layer(base);
    bench.layer(Archive::new().file("var/tmp/x", "").file("private/.wh.nothing", "").end());
    bench.layer(Archive::new().file("var/tmp/y", "").file("new/x", "").end());
    let tree = bench.tree();
    assert_eq!(tree["var/tmp"], "d1777 0:0 7.000000000 user.k=v");
    assert_eq!(tree["private"], "d0700 0:0 8.000000000");
    assert_eq!(tree["new"], "d0755 0:0 0.000000000");
    assert!(crate::tree::describe(bench.top()).starts_with("d0711 0:0 5."));
    assert_eq!(names(bench.top()), ["new", "new/x", "var", "var/tmp", "var/tmp/y"]);
}

#[test]
fn l6_parents_without_an_entry_keep_their_owner() {
    let Some(mut bench) = Bench::new() else { return };
    if !can_chown() {
        return not_applicable(NotApplicable::NoChown);
    }
    bench.layer(Archive::new().head(&Head::new(b'5', "home").mode(0o2750).owner(7, 8), b"").end());
    bench.layer(Archive::new().file("home/x", "").end());
    assert!(bench.tree()["home"].starts_with("d2750 7:8 "));
}
