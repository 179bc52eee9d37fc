//! Kinds, modes, extended attributes.

use crate::archive::{Archive, Head};
use crate::bench::{Bench, can_chown};
use crate::user_namespace::once_more;
use support::{NotApplicable, Role, not_applicable};

#[test]
fn l11_device_nodes_are_placed_by_root() {
    let Some(mut bench) = Bench::new() else { return };
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let archive = Archive::new()
        .head(&Head::new(b'3', "null").device(1, 3).mode(0o666), b"")
        .head(&Head::new(b'4', "disk").device(8, 17).mode(0o600).owner(0, 6), b"")
        .end();
    bench.layer(archive);
    let tree = bench.tree();
    assert_eq!(tree["null"], "c0666 0:0 1600000000.000000000 1:3");
    assert_eq!(tree["disk"], "b0600 0:6 1600000000.000000000 8:17");
}

#[test]
fn l11_device_nodes_are_left_out_with_one_word_where_nobody_may_make_them() {
    let Some(mut bench) = Bench::new() else { return };
    if Role::here() == Role::Root {
        return once_more(&["--user", "--map-root-user"]);
    }
    bench.layer(Archive::new().file("dev/disk", "of a lower layer").end());
    let archive = Archive::new()
        .head(&Head::new(b'3', "dev/null").device(1, 3), b"")
        .head(&Head::new(b'4', "dev/disk").device(8, 17), b"")
        .head(&Head::new(b'6', "dev/fifo").mode(0o620), b"")
        .end();
    let left_out = bench.try_layer(archive).unwrap();
    let expected = "device nodes are left out, only root may make them (the first is dev/null)";
    assert_eq!((bench.names(), left_out), (vec!["dev".into(), "dev/fifo".into()], vec![expected.into()]));
    assert!(bench.tree()["dev/fifo"].starts_with("p0620 "));
}

#[test]
fn l12_set_user_id_survives_the_change_of_owner() {
    let Some(mut bench) = Bench::new() else { return };
    let id = if can_chown() { 7 } else { 0 };
    let archive = Archive::new()
        .file_like(Head::new(b'0', "su").mode(0o6755).owner(id, id), "#!")
        .head(&Head::new(b'5', "shared").mode(0o3777).owner(id, id), b"")
        .file_like(Head::new(b'0', "secret").mode(0), "#!")
        .end();
    bench.layer(archive);
    let tree = bench.tree();
    assert!(tree["su"].starts_with(&format!("-6755 {id}:{id} ")), "{}", tree["su"]);
    assert!(tree["shared"].starts_with(&format!("d3777 {id}:{id} ")), "{}", tree["shared"]);
    assert!(tree["secret"].starts_with("-0000 0:0 "), "{}", tree["secret"]);
}

#[test]
fn l13_file_capabilities_and_user_attributes_are_kept() {
    let Some(mut bench) = Bench::new() else { return };
    // cap_net_raw=ep, as `getcap` shows it (linux/capability.h, VFS_CAP_REVISION_2).
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let id = if can_chown() { 7 } else { 0 };
    let archive = Archive::new()
        .pax(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.user.any", b"line\nwith = and \0"),
            ("SCHILY.xattr.user.empty", b""),
        ])
        .file_like(Head::new(b'0', "ping").mode(0o755).owner(id, id), "#!")
        .end();
    bench.layer(archive);
    let ping = bench.tree()["ping"].clone();
    let (_, xattrs) = ping.split_once(" security.capability=").unwrap();
    assert_eq!(
        xattrs,
        r"\x01\x00\x00\x02\x00 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00 user.any=line\nwith = and \x00 user.empty="
    );
}

#[test]
fn l13_attributes_that_are_the_hosts_business_are_dropped_and_said_once() {
    let Some(mut bench) = Bench::new() else { return };
    let mut archive = Archive::new();
    for name in ["security.selinux", "security.ima", "system.posix_acl_access", "trusted.x", "unknown"] {
        archive = archive.pax(&[(&format!("SCHILY.xattr.{name}"), b"value")]).file(name, "");
    }
    let left_out = bench.try_layer(archive.end()).unwrap();
    assert_eq!(left_out, ["some extended attributes are left out (the first is security.selinux)"]);
    assert!(bench.tree().values().all(|entry| !entry.contains('=')));
}

#[test]
fn l13_attributes_of_no_sense_are_one_error() {
    let Some(mut bench) = Bench::new() else { return };
    let with = |name: &str, value: &[u8]| {
        Archive::new().pax(&[(&format!("SCHILY.xattr.{name}"), value)]).file("x", "").end()
    };
    for (name, value) in [("", &b"v"[..]), ("user.", b"v"), ("user.big", &[b'v'; (64 << 10) + 1])] {
        let error = bench.refused(with(name, value));
        assert!(
            error.contains(&format!("cannot place x: cannot set the extended attribute \"{name}\": E")),
            "{error}"
        );
    }
    let error = bench.refused(with(&format!("user.{}", "n".repeat(300)), b"v"));
    assert!(error.contains("ERANGE"), "{error}");
    let error = bench.refused(with("user.a\0b", b"v"));
    assert!(error.contains(r#""user.a\x00b": E"#), "{error}");

    let many: Vec<(String, &[u8])> =
        (0..10_000).map(|n| (format!("SCHILY.xattr.user.{n}"), &[b'v'; 16][..])).collect();
    let records: Vec<(&str, &[u8])> = many.iter().map(|(key, value)| (&**key, *value)).collect();
    match bench.try_layer(Archive::new().pax(&records).file("x", "").end()) {
        Ok(left_out) => assert_eq!(left_out, [""; 0]), // Some file systems have room for them.
        Err(error) => assert!(error.contains("cannot set the extended attribute \"user."), "{error}"),
    }
}

#[test]
fn l13_a_directory_described_anew_has_only_its_new_attributes() {
    let Some(mut bench) = Bench::new() else { return };
    let directory = |archive: Archive, name: &str| {
        archive.pax(&[(&format!("SCHILY.xattr.user.{name}"), b"v")]).directory("d")
    };
    bench.layer(directory(Archive::new(), "below").end());
    bench.layer(directory(directory(Archive::new().file("d/x", ""), "first"), "second").end());
    assert!(bench.tree()["d"].ends_with("0 user.second=v"), "{}", bench.tree()["d"]);
}
