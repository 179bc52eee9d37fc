//! Which id inside is which id outside, read from outside.

mod common;

use common::{Place, Sleeper, own_ids, range};
use support::{NotApplicable, Role, gid_map, not_applicable, not_run, program, uid_map};

#[test]
fn one_id_needs_no_helper() {
    let Some(place) = Place::new() else { return };
    let (uid, gid) = own_ids();
    let sleeper = Sleeper::start(
        place.run("env").args(["PATH=/nowhere", &place.program(), "--map", "one", "--rootfs"]).args([
            place.root().to_str().unwrap(),
            "--",
            "sleep",
            "60",
        ]),
    );
    assert_eq!(uid_map(sleeper.pid).unwrap(), [[0, uid, 1]]);
    assert_eq!(gid_map(sleeper.pid).unwrap(), [[0, gid, 1]]);
    assert_eq!(sleeper.read("setgroups"), "deny");
}

#[test]
fn a_range_is_mapped_by_the_helpers() {
    let Some((first, length)) = range() else { return no_range() };
    let Some(place) = Place::new() else { return };
    let (uid, gid) = own_ids();
    for option in [&["--map", "range"][..], &[]] {
        let words = [option, &["--", "sleep", "60"]].concat();
        let sleeper = Sleeper::start(&mut place.step05(&words));
        assert_eq!(uid_map(sleeper.pid).unwrap(), [[0, uid, 1], [1, first, length]]);
        let gids = gid_map(sleeper.pid).unwrap();
        assert_eq!((gids.len(), gids[0]), (2, [0, gid, 1]));
        assert_eq!(sleeper.read("setgroups"), "allow");
    }
}

fn no_range() {
    match Role::here() {
        Role::RootInUserNamespace => not_applicable(NotApplicable::NoSecondId),
        _ => not_run("this user has no range in /etc/subuid: usermod --add-subuids"),
    }
}

#[test]
fn root_writes_a_range_itself() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let Some(place) = Place::new() else { return };
    place.subordinate("root:800000:500\n");
    let cover = "mount --bind subuid /etc/subuid; mount --bind subuid /etc/subgid";
    let words = ["--rootfs", "root", "--", "sleep", "60"];
    let mut step05 = place.unshare(cover);
    let sleeper = Sleeper::start(step05.arg(place.program()).args(words).env("PATH", "/bin"));
    assert_eq!(uid_map(sleeper.pid).unwrap(), [[0, 0, 1], [1, 800_000, 500]]);
    assert_eq!(gid_map(sleeper.pid).unwrap(), [[0, 0, 1], [1, 800_000, 500]]);
}

#[test]
fn setgroups_is_denied_with_one_id_to_root_too() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let Some(place) = Place::new() else { return };
    let words = ["--map", "one", "--rootfs", "root", "--", "sleep", "60"];
    let sleeper = Sleeper::start(place.unshare("true").arg(place.program()).args(words));
    assert_eq!(sleeper.read("setgroups"), "deny");
}

#[test]
fn a_user_namespace_can_be_nested() {
    let Some(place) = Place::new() else { return };
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    let mut nested = place.run(unshare.to_str().unwrap());
    nested.args(["--user", "--map-root-user", &place.program(), "--rootfs"]).arg(place.root());
    let sleeper = Sleeper::start(nested.args(["--", "sleep", "60"]));
    // Read from out here the ids are ours, through both maps.
    assert_eq!(uid_map(sleeper.pid).unwrap(), [[0, own_ids().0, 1]]);
    assert_eq!(sleeper.status("NSpid").split_whitespace().next_back(), Some("1"));
}
