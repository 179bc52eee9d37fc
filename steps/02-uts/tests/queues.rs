//! Message queues that were made outside are not seen inside.
//!
//! The outside is a pair of namespaces of the test's own, so that no queue is left on the host.

use support::{command, not_run, program};

/// What the script prints. `$0` is `step02`; `$1` an empty folder.
fn outside(script: &str) -> Option<String> {
    let (Some(unshare), Some(_)) = (program("unshare"), program("ipcmk")) else {
        not_run("unshare or ipcmk is missing: apt-get install util-linux");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut unshare = command(unshare);
    unshare.args(["--map-root-user", "--ipc", "--mount", "sh", "-ec", script, env!("CARGO_BIN_EXE_step02")]);
    let output = unshare.arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn system_v_queues_are_not_seen_inside() {
    let script = r#"
        ipcmk --queue >"$1/made"
        grep -c . /proc/sysvipc/msg
        "$0" --map-root-user grep -c . /proc/sysvipc/msg
        "$0" --map-root-user sh -c 'ipcmk --queue; ipcmk --queue' >"$1/made"
        grep -c . /proc/sysvipc/msg
    "#;
    let Some(said) = outside(script) else { return };
    // The first line is a heading. What is made inside does not show outside either.
    assert_eq!(said, "2\n1\n2\n");
}

#[test]
fn posix_queues_are_not_seen_inside() {
    let script = r#"
        mkdir "$1/outside" "$1/inside"
        mount -t mqueue queues "$1/outside"
        touch "$1/outside/letters"
        ls "$1/outside"
        "$0" --map-root-user unshare --mount sh -ec '
            mount -t mqueue queues "$0"
            touch "$0/parcels"
            ls "$0"' "$1/inside"
        ls "$1/outside"
    "#;
    let Some(said) = outside(script) else { return };
    assert_eq!(said, "letters\nparcels\nletters\n");
}
