//! Ids and times that are none.

use crate::archive::{Archive, Head, base256, octal};
use crate::bench::{Bench, can_chown};
use crate::user_namespace::once_more;
use support::{NotApplicable, Role, not_applicable};

#[test]
fn l16_what_is_no_id_is_refused() {
    let Some(mut bench) = Bench::new() else { return };
    for (field, number) in [
        (base256(4_294_967_295, 8), "4294967295"),
        (base256(4_294_967_296, 8), "4294967296"),
        (vec![0xff; 8], "-1"),
        (vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], "-4294967296"),
    ] {
        let user = Head { uid: field.clone(), ..Head::new(b'0', "x") };
        let error = bench.refused(Archive::new().head(&user, b"").end());
        assert!(error.ends_with(&format!("x: it belongs to user {number}, which is no id")), "{error}");
        let group = Head { gid: field, ..Head::new(b'0', "x") };
        let error = bench.refused(Archive::new().head(&group, b"").end());
        assert!(error.ends_with(&format!("x: it belongs to group {number}, which is no id")), "{error}");
    }
    let error = bench.refused(Archive::new().pax(&[("uid", b"4294967295")]).file("x", "").end());
    assert!(error.ends_with("x: it belongs to user 4294967295, which is no id"), "{error}");
    for bad in ["-1", "x", "18446744073709551616"] {
        let error = bench.refused(Archive::new().pax(&[("uid", bad.as_bytes())]).file("x", "").end());
        assert!(error.ends_with("bad tar header at byte 0: its uid is no number"), "{error}");
    }
}

#[test]
fn l16_an_id_outside_of_the_map_is_named_with_the_way_out() {
    let Some(mut bench) = Bench::new() else { return };
    if Role::here() == Role::Root {
        return once_more(&["--user", "--map-root-user"]);
    }
    let id = if can_chown() { 2_000_000 } else { 42 };
    for head in [Head::new(b'0', "etc/shadow").owner(0, id), Head::new(b'5', "etc/shadow").owner(id, 0)] {
        let error = bench.try_layer(Archive::new().head(&head, b"").end()).unwrap_err();
        let (first, second) = error.split_once('\n').unwrap();
        assert!(first.starts_with("layer 1: cannot place etc/shadow: it belongs to "), "{error}");
        assert!(first.contains(&format!(" {id}, and only ")), "{error}");
        assert!(second.starts_with("add subordinate ids: usermod --add-subuids "), "{error}");
        let range = second.split_whitespace().nth(5).unwrap();
        let (start, end) = range.split_once('-').unwrap();
        assert!(end.parse::<u64>().unwrap() - start.parse::<u64>().unwrap() >= id.max(65535), "{error}");
    }
}

#[test]
fn l16_times_of_any_age_are_set_and_others_refused() {
    let Some(mut bench) = Bench::new() else { return };
    let archive = Archive::new()
        .pax(&[("mtime", b"-1.25")])
        .file("before", "")
        .pax(&[("mtime", b"1700000000.123456789")])
        .file("fraction", "")
        .head(&Head { time: vec![0xff; 12], ..Head::new(b'0', "second-before") }, b"")
        .end();
    bench.layer(archive);
    let tree = bench.tree();
    assert!(tree["before"].contains(" -2.750000000 "), "{}", tree["before"]);
    assert!(tree["fraction"].contains(" 1700000000.123456789 "), "{}", tree["fraction"]);
    assert!(tree["second-before"].contains(" -1.000000000 "), "{}", tree["second-before"]);

    // The file system takes what comes nearest.
    let far = Archive::new().pax(&[("mtime", b"9223372036854775807")]).file("far", "").end();
    bench.layer(far);

    for bad in ["9223372036854775808", "NaN", "inf", "1e9", "--1"] {
        let error = bench.refused(Archive::new().pax(&[("mtime", bad.as_bytes())]).file("x", "").end());
        assert!(error.ends_with("bad tar header at byte 0: its time is no number"), "{error}");
    }
    let mut beyond = vec![0; 12];
    (beyond[0], beyond[4]) = (0x80, 0x80);
    let error = bench.refused(Archive::new().head(&Head { time: beyond, ..Head::new(b'0', "x") }, b"").end());
    assert!(error.ends_with("bad tar header at byte 0: its time is no number"), "{error}");
}

#[test]
fn l16_ids_above_the_octal_digits_are_placed() {
    let Some(mut bench) = Bench::new() else { return };
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let head = Head { uid: base256(3_000_000_000, 8), gid: octal(0, 8), ..Head::new(b'0', "x") };
    bench.layer(Archive::new().head(&head, b"").pax(&[("gid", b"4294967294")]).file("y", "").end());
    let tree = bench.tree();
    assert!(
        tree["x"].starts_with("-0644 3000000000:0 ") && tree["y"].starts_with("-0644 0:4294967294 "),
        "{tree:?}"
    );
}
