//! What cannot be had is told, with the line that helps.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::Place;
use step05_userns::subordinate;
use support::{NotApplicable, Role, command, copy_program, not_applicable, not_run, program};

/// The tester, who is root's to play.
fn tester() -> Option<Place> {
    if Role::here() != Role::Root {
        not_applicable(NotApplicable::NeedsRoot);
        return None;
    }
    Place::new()
}

#[test]
fn no_range_names_the_line_to_add() {
    let Some(place) = tester() else { return };
    place.subordinate("somebody:100000:65536\nelse:165536:1000\n");
    insta::assert_snapshot!(place.told(&mut place.step05(&["--map", "range", "--", "true"])), @"
    step05: cannot map a range of ids: /etc/subuid has no range for tester
    sudo usermod --add-subuids 166536-232071 --add-subgids 166536-232071 tester
    => 125
    ");
    // Not asked for, a container of one id is better than none.
    insta::assert_snapshot!(place.told(&mut place.step05(&["--", "id", "-u"])), @"
    0
    only root has a meaning inside: /etc/subuid has no range for tester
    sudo usermod --add-subuids 166536-232071 --add-subgids 166536-232071 tester
    => 0
    ");
    insta::assert_snapshot!(place.told(&mut place.step05(&["--map", "one", "--", "id", "-u"])), @"
    0
    => 0
    ");
}

#[test]
fn a_missing_helper_names_its_package() {
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoSecondId);
    }
    let Some(place) = Place::new() else { return };
    let with = |map: &str| {
        let mut env = place.run("env");
        env.args(["PATH=/nowhere", &place.program(), "--map", map, "--rootfs"]).arg(place.root());
        place.told(env.args(["--", "id", "-u"]))
    };
    insta::assert_snapshot!(with("range"), @"
    step05: cannot map a range of ids: newuidmap or newgidmap is missing
    sudo apt install uidmap
    => 125
    ");
    insta::assert_snapshot!(with("one"), @"
    0
    => 0
    ");
}

#[test]
fn a_helper_without_rights_is_explained() {
    let Some(mut place) = tester() else { return };
    let (Some(newuidmap), Some(newgidmap)) = (program("newuidmap"), program("newgidmap")) else {
        return not_run("newuidmap is missing: apt-get install uidmap");
    };
    copy_program(&newuidmap, &place.at("newuidmap")).unwrap();
    fs::set_permissions(place.at("newuidmap"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(newgidmap, place.at("newgidmap")).unwrap();
    let mut env = place.run("env");
    env.arg(format!("PATH={}", place.at("").display())).args([&place.program(), "--rootfs", "root"]);
    insta::assert_snapshot!(place.told(env.args(["--", "true"])), @"
    step05: cannot map the ids: newuidmap: write to uid_map failed: Operation not permitted: it has no setuid bit
    sudo chmod u+s [PLACE]/newuidmap
    => 125
    ");
    if let Some(strace) = program("strace") {
        let mut strace = place.run(&strace.display().to_string());
        strace.args(["-f", "-qq", "-o", "/dev/null", &place.program(), "--rootfs", "root", "--", "true"]);
        insta::assert_snapshot!(place.told(&mut strace), @"
        step05: cannot map the ids: newuidmap: write to uid_map failed: Operation not permitted: a setuid program has no effect where an ordinary user traces who starts it, as by strace
        let root trace it, or map one id only
        => 125
        ");
    }
    place.setpriv(&["--clear-groups", "--no-new-privs"]);
    insta::assert_snapshot!(place.told(&mut place.step05(&["--", "true"])), @"
    step05: cannot map the ids: newuidmap: write to uid_map failed: Operation not permitted: a setuid program has no effect here (NoNewPrivs)
    start it from a shell of your own, not from a confined service
    => 125
    ");
}

#[test]
fn a_helper_needs_dev_null() {
    let Some(place) = tester() else { return };
    let mut without = place.unshare("mount -t tmpfs tmpfs /dev");
    let step05 = place.step05(&["--map", "range", "--", "true"]);
    insta::assert_snapshot!(place.told(without.arg(step05.get_program()).args(step05.get_args())), @"
    step05: cannot run newuidmap: ENOENT: No such file or directory: /dev/null is missing, which every helper has for its input
    mknod -m 666 /dev/null c 1 3, or bind the host's
    => 125
    ");
}

#[test]
fn a_range_that_cannot_be_is_refused() {
    let Some(place) = tester() else { return };
    let with = |lines: &str| {
        place.subordinate(lines);
        place.told(&mut place.step05(&["--map", "range", "--", "true"]))
    };
    insta::assert_snapshot!(with("tester:54000:1000\n"), @"
    step05: cannot map a range of ids: the range of tester in /etc/subuid holds the id 54321, which is root inside already
    => 125
    ");
    insta::assert_snapshot!(with("tester:many:1000\n"), @"
    step05: cannot map a range of ids: cannot understand the line `tester:many:1000` in /etc/subuid
    => 125
    ");
    insta::assert_snapshot!(with("tester:100000\n"), @"
    step05: cannot map a range of ids: cannot understand the line `tester:100000` in /etc/subuid
    => 125
    ");
}

#[test]
fn a_user_namespace_has_no_range_to_give() {
    let Some(place) = Place::new() else { return };
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    let with = |options: &[&str]| {
        let mut nested = place.run(unshare.to_str().unwrap());
        nested.args(options).args([&place.program(), "--map", "range", "--rootfs"]).arg(place.root());
        place.told(nested.args(["--", "true"]))
    };
    insta::assert_snapshot!(with(&["--user", "--map-root-user"]), @"
    step05: cannot map a range of ids: /etc/subuid speaks of the ids of the whole machine, and this is a user namespace already
    => 125
    ");
    insta::assert_snapshot!(with(&["--user"]), @"
    step05: cannot make a user namespace: our own id 65534 has no meaning in the user namespace that we are in
    who made that one must write its map: unshare --map-root-user
    => 125
    ");
}

#[test]
fn etc_subuid_is_read_as_its_manual_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("subuid");
    let name = file.to_str().unwrap();
    let uid = nix::unistd::Uid::from_raw(0);
    assert_eq!(subordinate(name, uid).unwrap(), None, "no file");
    let with = |text: &str| {
        fs::write(&file, text).unwrap();
        subordinate(name, uid).map_err(|error| error.to_string().replace(name, "FILE"))
    };
    assert_eq!(with(""), Ok(None));
    assert_eq!(with("other:100000:65536\nroot:1:2\nroot:3:4\n"), Ok(Some((1, 2))), "the first one");
    assert_eq!(with("0:5:6\n"), Ok(Some((5, 6))), "by number");
    assert_eq!(with("# root:1:2\nrooty:1:2\n\nnonsense\n"), Ok(None));
    for line in ["root:x:2", "root:1", "root:", "root:1:0", "root:4294967295:1", "root:-1:5", "root:1:2:3"] {
        assert_eq!(with(line), Err(format!("cannot understand the line `{line}` in FILE")));
    }
}

#[test]
fn a_root_file_system_in_a_closed_folder_names_the_folder() {
    let Some(place) = tester() else { return };
    // Root of the container has no power over a file whose owner has no number in there.
    let home = place.at("home");
    fs::create_dir(&home).unwrap();
    fs::rename(place.root(), home.join("mine")).unwrap();
    std::os::unix::fs::chown(&home, Some(common::TESTER), Some(common::TESTER)).unwrap();
    let with = |mode: u32| {
        fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
        let mut step05 = command(place.program());
        place.told(step05.arg("--rootfs").arg(home.join("mine")).args(["--", "true"]))
    };
    insta::assert_snapshot!(with(0o700), @"
    step05: cannot mount the root file system [PLACE]/home/mine: EACCES: Permission denied: [PLACE]/home may not be entered by root of the container, who is somebody else outside
    chmod o+x [PLACE]/home, or keep the root file system elsewhere, such as in /tmp
    => 125
    ");
    insta::assert_snapshot!(with(0o711), @"=> 0");
}
