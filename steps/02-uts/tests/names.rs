//! The names: whose they are, and that the outside keeps its own.
//!
//! The outside is a namespace of each test's own, so that no mistake can rename the machine.

use support::{Role, command, not_run, program};

/// What the script prints in a namespace whose names are `outside` and `land`. `$0` is `step02`.
fn outside(script: &str) -> Option<String> {
    let (Some(unshare), Some(_), Some(_)) = (program("unshare"), program("hostname"), program("domainname"))
    else {
        not_run("unshare, hostname or domainname is missing: apt-get install util-linux hostname");
        return None;
    };
    let mut unshare = command(unshare);
    if Role::here() == Role::User {
        unshare.arg("--map-root-user");
    }
    let script = format!(
        "hostname outside
        domainname land
        names() {{ cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname; }}
        {script}"
    );
    let output =
        unshare.args(["--uts", "sh", "-ec", &script, env!("CARGO_BIN_EXE_step02")]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_command_sees_the_names_that_were_asked_for() {
    let both = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname";
    let Some(said) = outside(&format!(r#""$0" --hostname box --domainname sea {both}"#)) else { return };
    assert_eq!(said, "box\nsea\n");
    assert_eq!(outside(r#""$0" --hostname box uname -n"#).unwrap(), "box\n");
    assert_eq!(outside(&format!(r#""$0" --map-root-user --hostname box {both}"#)).unwrap(), "box\nland\n");
    assert_eq!(outside(&format!(r#""$0" {both}"#)).unwrap(), "outside\nland\n");
}

#[test]
fn the_longest_name_is_whole() {
    let longest = "x".repeat(64);
    let Some(said) = outside(&format!(r#""$0" --hostname {longest} uname -n"#)) else { return };
    assert_eq!(said, format!("{longest}\n"));
}

#[test]
fn the_outside_keeps_its_names() {
    let script = r#"
        "$0" --hostname box --domainname sea true
        names
        "$0" --hostname box sh -c 'hostname changed; uname -n'
        names
    "#;
    let Some(said) = outside(script) else { return };
    assert_eq!(said, "outside\nland\nchanged\noutside\nland\n");
}
