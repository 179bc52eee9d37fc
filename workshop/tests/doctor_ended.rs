//! What the doctor makes on the disk goes with him, however he ends.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Background, NotApplicable, Role, copy_program, is_alive, not_applicable, program, wait_until};

fn doctor(store: &Path) -> Command {
    let mut command = support::command(env!("CARGO_BIN_EXE_workshop"));
    command.arg("doctor").env("XDG_DATA_HOME", store);
    command
}

/// A doctor who will be stuck: a program in the place of `mount` never comes back from an overlay.
fn stuck(folder: &Path) -> Background {
    let mount = program("mount").expect("util-linux has it");
    let script = format!(
        "#!/bin/sh\ncase $* in *lowerdir*) echo $$ >{0}/new; mv {0}/new {0}/pid; exec sleep 60;; esac\nexec {1} \"$@\"\n",
        folder.display(),
        mount.display()
    );
    fs::create_dir(folder.join("bin")).unwrap();
    fs::write(folder.join("script"), script).unwrap();
    fs::set_permissions(folder.join("script"), Permissions::from_mode(0o755)).unwrap();
    copy_program(&folder.join("script"), &folder.join("bin/mount")).unwrap();
    fs::create_dir(folder.join("store")).unwrap();
    let path = format!("{}/bin:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = doctor(&folder.join("store"));
    let running = Background::spawn(command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until("the overlay is mounted", Duration::from_secs(30), || folder.join("pid").exists());
    running.unwrap()
}

/// Sends a signal to a doctor who is stuck: how he ended, and the process that he had started last.
fn ended_by(signal: Signal, folder: &Path) -> (ExitStatus, Pid) {
    let mut doctor = stuck(folder);
    let mount = fs::read_to_string(folder.join("pid")).unwrap();
    kill(doctor.pid(), signal).unwrap();
    (doctor.child().wait().unwrap(), Pid::from_raw(mount.trim().parse().unwrap()))
}

fn left_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder.join("store")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_doctor_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("store")).unwrap();
    // The kernel makes a folder for its overlay that its own user may not look into.
    doctor(&folder.path().join("store")).output().unwrap();
    assert_eq!(left_in(folder.path()), [""; 0]);
}

#[test]
fn an_interrupted_doctor_leaves_nothing() {
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let folder = tempfile::tempdir().unwrap();
        let (status, mount) = ended_by(signal, folder.path());
        assert_eq!(status.code(), Some(1), "{signal}: {status}");
        assert_eq!(left_in(folder.path()), [""; 0], "{signal}");
        wait_until("what he had started is gone", Duration::from_secs(5), || !is_alive(mount));
    }
}

#[test]
fn what_a_killed_doctor_has_left_is_removed_by_the_next_one() {
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    let folder = tempfile::tempdir().unwrap();
    let (status, mount) = ended_by(Signal::SIGKILL, folder.path());
    assert_eq!(status.code(), None, "{status}");
    kill(mount, Signal::SIGKILL).unwrap();
    let left = left_in(folder.path());
    assert_eq!(left.len(), 1, "{left:?}");
    // The kernel makes this one in the folder of a real overlay, and nobody may look into it.
    let work = folder.path().join("store").join(&left[0]).join("w/work");
    DirBuilder::new().mode(0o000).create(work).unwrap();
    // Somebody else's folder of another name stays.
    fs::create_dir(folder.path().join("store/coracle")).unwrap();
    doctor(&folder.path().join("store")).output().unwrap();
    assert_eq!(left_in(folder.path()), ["coracle"]);
}

#[test]
fn a_doctor_leaves_the_folder_of_another_one_alone() {
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut first = stuck(folder.path());
    doctor(&folder.path().join("store")).output().unwrap();
    assert_eq!(left_in(folder.path()).len(), 1);
    kill(first.pid(), Signal::SIGINT).unwrap();
    first.child().wait().unwrap();
}
