//! The verdict on a machine, on machines that are really broken in the way that is to be told.

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use support::{NotApplicable, Role, not_applicable, not_run, program};

fn doctor(arguments: &[&str]) -> Command {
    let mut command = support::command(env!("CARGO_BIN_EXE_workshop"));
    command.arg("doctor").args(arguments);
    command
}

/// The doctor in a new user namespace, after the shell command that breaks something.
fn broken_by(breaks: &str) -> Output {
    let script = format!("{breaks} && exec \"$@\"");
    let mut command = support::command("unshare");
    command.args([
        "-Urmpf",
        "--mount-proc",
        "sh",
        "-ec",
        &script,
        "sh",
        env!("CARGO_BIN_EXE_workshop"),
        "doctor",
    ]);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn line(output: &Output, step: &str) -> String {
    text(output)
        .lines()
        .find(|line| line.starts_with(step))
        .unwrap_or_else(|| panic!("{output:?}"))
        .to_owned()
}

#[test]
fn each_step_has_one_line() {
    let output = doctor(&[]).output().unwrap();
    let numbers: Vec<String> = text(&output).lines().skip(1).map(|line| line[..2].to_owned()).collect();
    assert_eq!(numbers, ["01", "02", "03", "04", "05", "06", "07", "cg"], "{output:?}");
}

#[test]
fn json_says_the_same() {
    let output = doctor(&["--json"]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = answer["steps"].as_array().unwrap();
    let lines = text(&doctor(&[]).output().unwrap());
    for (step, line) in steps.iter().zip(lines.lines().skip(1)) {
        let words = match step["verdict"].as_str().unwrap() {
            "runs" => "  runs",
            "partly" => "  runs with",
            _ => "  does not run",
        };
        assert!(
            line.starts_with(step["step"].as_str().unwrap()) && line.contains(words),
            "{step} and {line}"
        );
    }
    assert_eq!(answer["root"], Role::here() == Role::Root);
}

#[test]
fn no_user_namespaces_are_told_with_the_switch_that_forbids_them() {
    let output = broken_by("echo 0 > /proc/sys/user/max_user_namespaces");
    assert!(!output.status.success());
    let expected = "01 unshare  does not run: user.max_user_namespaces is 0: ";
    assert!(
        line(&output, "01").starts_with(expected)
            && line(&output, "01").ends_with("(sudo sysctl -w user.max_user_namespaces=15000)")
    );
    assert_eq!(line(&output, "02"), "02 uts      does not run, for the same reason");
}

#[test]
fn a_masked_proc_is_told_by_the_mount_that_masks_it() {
    let output = broken_by("mount -t tmpfs none /proc/sys");
    assert_eq!(line(&output, "03"), "03 pid      runs", "{output:?}");
    assert!(
        line(&output, "04").starts_with("04 mount    does not run: /proc/sys is mounted over, "),
        "{output:?}"
    );
}

#[test]
fn one_id_is_told_in_a_user_namespace() {
    let output = broken_by("true");
    assert!(
        line(&output, "05").starts_with("05 userns   runs with one id: this is a user namespace already"),
        "{output:?}"
    );
}

#[test]
fn missing_programs_are_told_with_their_packages() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sh", "unshare", "mount", "true", "sleep", "mkdir", "newuidmap", "newgidmap"] {
        let Some(path) = program(name) else { return not_run(&format!("{name} is missing")) };
        symlink(path, folder.path().join(name)).unwrap();
    }
    if std::path::Path::new("/usr/sbin/pasta").exists() {
        return not_run("pasta cannot be hidden here: it is in /usr/sbin");
    }
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    let output = doctor(&[]).env("PATH", folder.path()).output().unwrap();
    assert_eq!(
        line(&output, "06"),
        "06 net      runs without a network of its own: pasta is missing (sudo apt install passt)"
    );
}

#[test]
fn a_full_disk_is_told_with_what_is_left() {
    let output = broken_by("mount -t tmpfs -o size=20m tmpfs /mnt; export XDG_DATA_HOME=/mnt");
    let expected = "07 images   runs with little room: 20 MB are free in /mnt (coracle system prune, or --root DIR on another disk)";
    assert_eq!(line(&output, "07"), expected);
    let output = broken_by("mount -t tmpfs -o size=2g tmpfs /mnt; export XDG_DATA_HOME=/mnt");
    assert_eq!(line(&output, "07"), "07 images   runs");
}

#[test]
fn an_overlay_below_is_told() {
    let folders = "mount -t tmpfs tmpfs /mnt; cd /mnt; mkdir l u w m";
    let mount = "mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr m";
    let output = broken_by(&format!("{folders}; {mount}; cd /; export XDG_DATA_HOME=/mnt/m"));
    let told = line(&output, "07");
    assert!(told.starts_with("07 images   does not run: no overlay on the overlay of /mnt/m: "), "{told}");
    assert!(
        told.ends_with("(overlay cannot lie on overlay: use --root DIR on a volume or a tmpfs)"),
        "{told}"
    );
}

#[test]
fn dev_net_tun_that_is_missing_is_told() {
    if program("pasta").is_none() {
        return not_run("pasta is missing: apt-get install passt");
    }
    let output = broken_by("mount -t tmpfs tmpfs /dev; touch /dev/null");
    let expected = "06 net      runs without a network of its own: /dev/net/tun cannot be opened: ";
    assert!(line(&output, "06").starts_with(expected), "{output:?}");
    assert!(line(&output, "06").ends_with("(sudo modprobe tun; in a container: --device /dev/net/tun)"));
}

#[test]
fn switches_of_the_kernel_are_named() {
    // Files of ours: a kernel may have neither, and then no setting can bring it to refuse.
    for (name, forbids) in [("unprivileged_userns_clone", 0), ("apparmor_restrict_unprivileged_userns", 1)] {
        let output = broken_by(&format!(
            "echo 0 >/proc/sys/user/max_user_namespaces; mount -t tmpfs tmpfs /proc/sys/user
            mount -t tmpfs tmpfs /proc/sys/kernel; echo {forbids} >/proc/sys/kernel/{name}"
        ));
        let told = line(&output, "01");
        assert!(
            told.starts_with(&format!("01 unshare  does not run: kernel.{name} is {forbids}: ")),
            "{told}"
        );
        assert!(told.ends_with(&format!("(sudo sysctl -w kernel.{name}={})", 1 - forbids)), "{told}");
    }
}

#[test]
fn control_groups_are_tried() {
    // What a container sees: its groups are there, and cannot be changed.
    let mount = "mount -t tmpfs tmpfs /mnt; mkdir /mnt/groups; mount -t tmpfs tmpfs /mnt/groups";
    let table = |kind: &str| {
        format!(
            "echo \"30 1 0:3 / /mnt/groups rw - {kind} cgroup rw\" >/mnt/table; echo 0::/ >/mnt/own
            mount --bind /mnt/table /proc/$$/mountinfo; mount --bind /mnt/own /proc/$$/cgroup"
        )
    };
    let told = |script: &str| line(&broken_by(&format!("{mount}; {script}")), "cgroups");
    let read_only = format!("mount -o remount,ro,bind /mnt/groups; {}", table("cgroup2"));
    let expected = "cgroups     no group can be made in /mnt/groups/: read-only filesystem or storage medium \
        (in a container: docker run --privileged --cgroupns=private); no step needs them yet";
    assert_eq!(told(&read_only), expected);
    let given = format!("echo cpu memory pids >/mnt/groups/cgroup.controllers; {}", table("cgroup2"));
    assert_eq!(told(&given), "cgroups     can be made, with cpu memory pids; no step needs them yet");
    let less = format!("echo cpu hugetlb >/mnt/groups/cgroup.controllers; {}", table("cgroup2"));
    assert!(told(&less).starts_with("cgroups     /mnt/groups/ lacks memory, pids (write "));
    assert!(told(&table("cgroup2")).starts_with("cgroups     /mnt/groups/ lacks cpu, memory, pids (write "));
    assert!(told(&table("cgroup")).starts_with("cgroups     no cgroup v2: cgroup v1 (boot with "));
}

#[test]
fn an_outer_container_is_told() {
    let first = |output: Output| text(&output).lines().next().unwrap().to_owned();
    let marked = "mount -t tmpfs tmpfs /run; mkdir /run/systemd; echo docker >/run/systemd/container";
    assert!(first(broken_by(marked)).contains(", in a container; as "));
}

#[test]
fn root_tells_what_an_ordinary_user_is_told() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let output = doctor(&["--json", "--user", "nobody"]).output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("cannot ask as nobody") {
        return not_run("nobody may not read this folder: the tree lies where only its owner may enter");
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let other = &answer["ordinary_user"];
    assert_eq!((&other["user"], &other["root"]), (&"nobody".into(), &false.into()), "{answer}");
    if program("newuidmap").is_some() {
        let problem = other["steps"][4]["problem"].as_str();
        assert_eq!(problem, Some("with one id: /etc/subuid has no range for nobody"), "{answer}");
        let fix = other["steps"][4]["fix"].as_str().unwrap();
        let first: u64 = fix.split(['-', ' ']).find_map(|word| word.parse().ok()).unwrap();
        let ends = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
        let end =
            |line: &str| line.split(':').skip(1).map(|number| number.parse::<u64>().unwrap()).sum::<u64>();
        assert!(
            ends.lines().all(|line| end(line) <= first),
            "{fix} gives away ids that somebody has: {ends}"
        );
    }
    let lines = text(&doctor(&["--user", "nobody"]).output().unwrap());
    assert_eq!(lines.matches("\n01 unshare  ").count(), 2, "{lines}");
    let output = doctor(&["--user", "no-such-user"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "cargo workshop: there is no user no-such-user\n");
}

#[test]
fn roots_nft_that_is_missing_is_told() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let Some(nft) = program("nft") else { return not_run("nft is missing: apt-get install nftables") };
    let script = "mount --bind /dev/null \"$0\"; exec \"$1\" doctor";
    let mut unshare = support::command("unshare");
    unshare.args(["--mount", "sh", "-ec", script]).arg(nft).arg(env!("CARGO_BIN_EXE_workshop"));
    let expected =
        "06 net      runs without a network to the outside: nft is missing (sudo apt install nftables)";
    assert_eq!(line(&unshare.output().unwrap(), "06"), expected);
}

#[test]
fn helpers_that_are_missing_are_told_with_their_package() {
    if Role::here() != Role::User {
        return not_applicable(NotApplicable::NeedsUser);
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["sh", "unshare", "mount", "true"] {
        let Some(path) = program(name) else { return not_run(&format!("{name} is missing")) };
        symlink(path, folder.path().join(name)).unwrap();
    }
    let output = doctor(&[]).env("PATH", folder.path()).output().unwrap();
    let expected = "05 userns   runs with one id: newuidmap is missing (sudo apt install uidmap)";
    assert_eq!(line(&output, "05"), expected);
}
