//! Root in here, nobody out there.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use common::{Place, Sleeper, own_ids, range};
use support::{NotApplicable, Role, not_applicable, not_run};

/// All four ids of a process: real, effective, saved, and that of the file system.
fn four(id: u32) -> String {
    [id; 4].map(|id| id.to_string()).join("\t")
}

#[test]
fn root_inside_is_us_outside() {
    let Some(place) = Place::new() else { return };
    let (uid, gid) = own_ids();
    let sleeper = Sleeper::start(&mut place.step05(&["--", "sleep", "60"]));
    assert_eq!(sleeper.status("Uid"), four(uid));
    assert_eq!(sleeper.status("Gid"), four(gid));
    assert_eq!(place.told(&mut place.step05(&["--", "sh", "-c", "id -u; id -g"])), "0\n0\n=> 0");
}

#[test]
fn what_root_writes_is_ours() {
    let Some(place) = Place::new() else { return };
    assert_eq!(place.told(&mut place.step05(&["--", "touch", "/tmp/file"])), "=> 0");
    let file = fs::metadata(place.root().join("tmp/file")).unwrap();
    assert_eq!((file.uid(), file.gid()), own_ids());
}

#[test]
fn other_ids_are_those_of_the_range() {
    let Some((first, _)) = range() else {
        return match Role::here() {
            Role::RootInUserNamespace => not_applicable(NotApplicable::NoSecondId),
            _ => not_run("this user has no range in /etc/subuid: usermod --add-subuids"),
        };
    };
    let Some(place) = Place::new() else { return };
    let script = "touch /tmp/file && chown 5:7 /tmp/file && ls -n /tmp/file | cut -c1-40; exec 3<>/dev/ptmx; stat -c %g /dev/pts/0";
    insta::assert_snapshot!(place.told(&mut place.step05(&["--", "sh", "-c", script])), @"
    -rw-r--r--    1 5        7              
    5
    => 0
    ");
    let file = fs::metadata(place.root().join("tmp/file")).unwrap();
    assert_eq!(file.uid(), first + 4);
}

#[test]
fn with_one_id_there_is_nobody_else() {
    let Some(place) = Place::new() else { return };
    let script = "touch /tmp/file && chown 5:7 /tmp/file; stat -c %u:%g /host";
    let words = ["--map", "one", "-v", "/:/host", "--", "sh", "-c", script];
    if Role::here() == Role::RootInUserNamespace && fs::metadata("/").unwrap().uid() == 0 {
        // Only where / is ours in the first place: a container with a root of its own.
        return not_run("/ belongs to us, and so to no other id");
    }
    insta::assert_snapshot!(place.told(&mut place.step05(&words)), @"
    65534:65534
    chown: /tmp/file: Invalid argument
    => 0
    ");
}

#[test]
fn a_group_that_denies_cannot_be_given_up_with_one_id() {
    let Some((place, secret)) = denied() else { return };
    let with = |words: &[&str]| {
        let words = [&["--map", "one", &secret, "--"], words].concat();
        place.told(&mut place.step05(&words))
    };
    insta::assert_snapshot!(with(&["cat", "/secret"]), @"
    cat: can't open '/secret': Permission denied
    => 1
    ");
    insta::assert_snapshot!(with(&["su", "root", "-c", "cat /secret"]), @"
    su: can't set groups: Operation not permitted
    => 1
    ");
    let sleeper = Sleeper::start(&mut place.step05(&["--map", "one", "--", "sleep", "60"]));
    assert_eq!(sleeper.status("Groups"), "60000");
}

/// Who gets a range from the administrator gets this right with it.
#[test]
fn with_a_range_the_hosts_groups_are_given_up() {
    let Some((place, secret)) = denied() else { return };
    let told = place.told(&mut place.step05(&["--map", "range", &secret, "--", "cat", "/secret"]));
    assert_eq!(told, "told\n=> 0");
    let sleeper = Sleeper::start(&mut place.step05(&["--map", "range", "--", "sleep", "60"]));
    assert_eq!(sleeper.status("Groups"), "");
}

/// A tester whose group 60000 may not read a file that everybody else may read, and the volume
/// that brings it in.
fn denied() -> Option<(Place, String)> {
    if Role::here() != Role::Root {
        not_applicable(NotApplicable::NeedsRoot);
        return None;
    }
    let mut place = Place::new()?;
    let secret = place.at("secret");
    fs::write(&secret, "told\n").unwrap();
    chown(&secret, Some(0), Some(60_000)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o604)).unwrap();
    place.setpriv(&["--groups", "60000"]);
    let outside = place.told(place.run("cat").arg(&secret));
    assert_eq!(outside, "cat: [PLACE]/secret: Permission denied\n=> 1");
    Some((place, format!("-v{}:/secret", secret.display())))
}

#[test]
fn root_inside_has_no_right_outside() {
    let Some(place) = Place::new() else { return };
    let script = "mknod /tmp/disk b 8 0; date -s @0 2>&1 >/dev/null; chroot / true && echo but this";
    let told = place.told(&mut place.step05(&["--", "sh", "-c", script]));
    insta::assert_snapshot!(told, @"
    date: can't set date: Operation not permitted
    but this
    mknod: /tmp/disk: Operation not permitted
    => 0
    ");
    // All capabilities, and in a user namespace that is not the host's.
    let sleeper = Sleeper::start(&mut place.step05(&["--", "sleep", "60"]));
    assert_eq!(u64::from_str_radix(&sleeper.status("CapEff"), 16).unwrap() & 1 << 21, 1 << 21);
    let ours = support::namespaces(nix::unistd::getpid()).unwrap();
    assert_ne!(support::namespaces(sleeper.pid).unwrap()["user"], ours["user"]);
}

#[test]
fn it_dies_with_its_host() {
    // The change of ids has disarmed the signal once: it must be armed again.
    let Some(place) = Place::new() else { return };
    Sleeper::start(&mut place.step05(&["--", "sleep", "60"])).kill();
    Sleeper::start(&mut place.step05(&["--map", "one", "--init", "--", "sleep", "60"])).kill();
}
