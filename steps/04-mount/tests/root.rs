//! The root: another one, and the host's is gone.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{Place, Sleeper, names};
use support::{Role, command, not_run, program};

#[test]
fn nothing_of_the_hosts_root_is_left() {
    let Some(place) = Place::new() else { return };
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sleep", "60"]));
    let inode = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).unwrap();
    assert_eq!(inode(&sleeper.path("/")), inode(&place.root()));

    let mut points: Vec<_> = sleeper.mounts().into_iter().map(|mount| mount.mount_point).collect();
    points.retain(|point| !["/proc/", "/sys/", "/dev/"].iter().any(|ours| point.starts_with(ours)));
    assert_eq!(points, ["/", "/proc", "/sys", "/dev"]);
    // A root that was changed by chroot alone shows no mount of its own, or those around it.
    let root = sleeper.mount("/");
    assert!(Path::new(&root.root).ends_with(place.root().strip_prefix("/").unwrap().file_name().unwrap()));
    assert_eq!(sleeper.names("/"), names(&place.root()));
}

#[test]
fn working_directory_is_inside() {
    let Some(place) = Place::new() else { return };
    let elsewhere = place.folder("elsewhere");
    let sleeper = Sleeper::start(place.step04(&["--", "sleep", "60"]).current_dir(&elsewhere));
    let cwd = format!("/proc/{}/cwd", sleeper.pid);
    assert_eq!(fs::read_link(&cwd).unwrap(), Path::new("/"));
    assert_eq!(fs::metadata(&cwd).unwrap().ino(), fs::metadata(place.root()).unwrap().ino());
    assert_eq!(place.told(place.step04(&["--", "pwd"]).current_dir(&elsewhere)), "/\n=> 0");
}

#[test]
fn umask_is_not_the_hosts() {
    let Some(place) = Place::new() else { return };
    fs::remove_dir(place.root().join("proc")).unwrap();
    let mut shell = command("sh");
    shell.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    let step04 = place.step04(&["--", "sh", "-c", "umask; touch /tmp/file"]);
    shell.arg(step04.get_program()).args(step04.get_args());
    assert_eq!(place.told(&mut shell), "0022\n=> 0");
    let mode = |name: &str| fs::metadata(place.root().join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("tmp/file"), mode("proc")), (0o644, 0o755));
}

#[test]
fn a_chroot_can_be_left_and_this_root_cannot() {
    let Some(place) = Place::new() else { return };
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    let breakout = env!("CARGO_BIN_EXE_breakout");
    let before = format!("before: {}\n", names(&place.root()).join(" "));

    let mut chroot = command(unshare);
    if Role::here() == Role::User {
        chroot.arg("--map-root-user");
    }
    let said = place.told(chroot.args([breakout, "--chroot"]).arg(place.root()));
    fs::remove_dir(place.root().join("cell")).unwrap();
    let outside = format!("after:  {}\n=> 0", names(Path::new("/")).join(" "));
    assert_eq!(said, before + &outside, "a chroot held it");

    // The program needs the libraries of the host, which are lent to the container.
    let mut lent = vec![format!("--volume={breakout}:/breakout")];
    for folder in ["/lib", "/lib64", "/usr/lib"] {
        if Path::new(folder).exists() {
            lent.push(format!("--volume={folder}:{folder}:ro"));
        }
    }
    lent.extend(["--", "/breakout"].map(str::to_owned));
    let said = place.told(&mut place.step04(&lent));
    let inside = names(&place.root());
    let without_cell: Vec<_> = inside.iter().filter(|name| *name != "cell").cloned().collect();
    assert_eq!(said, format!("before: {}\nafter:  {}\n=> 0", without_cell.join(" "), inside.join(" ")));
}

#[test]
fn who_cannot_break_out_is_told_why() {
    let Some(place) = Place::new() else { return };
    let Some(setpriv) = program("setpriv") else {
        return not_run("setpriv is missing: apt-get install util-linux");
    };
    let cage = place.folder("cage");
    let breakout = |words: &[&str]| {
        // Root without any capability may no more than anybody else.
        let mut powerless = command(&setpriv);
        powerless
            .args(["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_breakout")])
            .args(words);
        place.told(powerless.current_dir(&cage))
    };
    let way_out = "unshare --map-root-user breakout, which any user may";
    let refused = |folder: &str| {
        format!(
            "breakout: cannot chroot to {folder}: EPERM: Operation not permitted: only root may do this (CAP_SYS_CHROOT)\n{way_out}\n=> 125"
        )
    };
    assert_eq!(breakout(&["--chroot", "."]), refused("."));
    assert!(breakout(&[]).ends_with(&refused("cell")));
    let usage = "breakout: these words mean nothing here\nUsage: breakout [--chroot DIRECTORY]\n=> 125";
    assert_eq!(breakout(&["--help"]), usage);
}

#[test]
fn two_can_start_at_once_on_an_empty_root() {
    let Some(place) = Place::new() else { return };
    for round in 0..10 {
        for name in ["proc", "sys", "dev"] {
            fs::remove_dir(place.root().join(name)).unwrap();
        }
        let _ = fs::remove_dir_all(place.root().join("a"));
        let tmpfs = ["--tmpfs", "/a/b/c", "--", "true"];
        let all: Vec<_> = (0..4).map(|_| place.step04(&tmpfs).spawn().unwrap()).collect();
        for mut one in all {
            assert!(one.wait().unwrap().success(), "round {round}");
        }
    }
}

#[test]
fn a_root_may_have_any_name() {
    let Some(place) = Place::new() else { return };
    for name in ["with space", "comma,colon:equals=", "back\\slash", "new\nline", "-dash"] {
        fs::rename(place.root(), place.at(name)).unwrap();
        let mut step04 = command(env!("CARGO_BIN_EXE_step04"));
        if Role::here() == Role::User {
            step04.arg("--map-root-user");
        }
        step04.arg("--rootfs").arg(place.at(name)).args(["--", "cat", "/etc/group"]);
        assert_eq!(place.told(&mut step04), "root:x:0:\n=> 0", "{name:?}");
        fs::rename(place.at(name), place.root()).unwrap();
    }
}
