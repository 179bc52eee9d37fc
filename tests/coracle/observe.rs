//! `--observe`: the host's namespaces beside the container's, drawn before the command runs.

use insta::assert_snapshot;
use support::Role;

use crate::kit::Boat;

#[test]
fn table_shows_what_is_new() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let ran = boat.sh("--observe --hostname box", "echo out");
    // The command's own output stays clean.
    assert_eq!((ran.code, &*ran.out), (0, "out\n"), "{ran:?}");
    insta::with_settings!({filters => vec![
        (r"\d{10}", "<INODE>"),
        (r"\d+ mounts", "<N> mounts"),
        (r"pid 1 is \d+", "pid 1 is <PID>"),
        (r"uid 0 is \d+ outside(, \d+ uids from 1 are those from \d+ outside)?", "uid 0 is <UID> outside"),
        (" +", " "),
    ]}, {
        match Role::here() {
            Role::Root => assert_snapshot!(ran.err, @r"
            namespace outside inside
            user <INODE> <INODE> shared
            mnt <INODE> <INODE> new <N> mounts, / is overlay
            uts <INODE> <INODE> new host name box
            ipc <INODE> <INODE> new 0 message queues, 0 shared memory segments
            net <INODE> <INODE> new links: lo
            pid <INODE> <INODE> new pid 1 is <PID> outside
            cgroup <INODE> <INODE> shared
            time <INODE> <INODE> shared
            "),
            _ => assert_snapshot!(ran.err, @r"
            namespace outside inside
            user <INODE> <INODE> new uid 0 is <UID> outside
            mnt <INODE> <INODE> new <N> mounts, / is overlay
            uts <INODE> <INODE> new host name box
            ipc <INODE> <INODE> new 0 message queues, 0 shared memory segments
            net <INODE> <INODE> new links: lo
            pid <INODE> <INODE> new pid 1 is <PID> outside
            cgroup <INODE> <INODE> shared
            time <INODE> <INODE> shared
            "),
        }
    });
}

#[test]
fn table_is_drawn_for_a_command_that_is_over_at_once() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for inside in ["/bin/true", "/not/there"] {
        let ran = boat.run("--rm --observe", &[inside]);
        assert_eq!(
            ran.err.lines().filter(|line| line.contains(" new ")).count(),
            if Role::here() == Role::Root { 5 } else { 6 },
            "{ran:?}"
        );
    }
}
