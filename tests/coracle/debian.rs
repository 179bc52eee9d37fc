//! A real image: Debian, made by `mmdebstrap`, pushed to a real registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use support::{Role, command, not_run, program};

use crate::kit::{Boat, Image, Ran, Screen};

/// The archive of a root file system, made once and kept: it takes half a minute and a network. Nothing where that
/// cannot be, or at the level `quick`; it is said.
fn archive() -> Option<Vec<u8>> {
    if std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "quick") {
        not_run("a real Debian is tried at the levels ci and all: tests/run ci");
        return None;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian.tar");
    if let Ok(archive) = fs::read(&kept) {
        return Some(archive);
    }
    let Some(mmdebstrap) = program("mmdebstrap") else {
        not_run("mmdebstrap is missing: apt-get install mmdebstrap");
        return None;
    };
    if Role::here() == Role::RootInUserNamespace {
        not_run("with one id mmdebstrap cannot build Debian: run the tests as root or as a user before");
        return None;
    }
    let made = made_by(&mmdebstrap)?;
    // Only who owns the folder can keep it for the others.
    if let Ok(mut half) = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")) {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;
        half.write_all(&made).unwrap();
        half.as_file().set_permissions(fs::Permissions::from_mode(0o644)).unwrap();
        half.persist(kept).unwrap();
    }
    Some(made)
}

fn made_by(mmdebstrap: &PathBuf) -> Option<Vec<u8>> {
    let mut command = command(mmdebstrap);
    command.args([
        "--variant=minbase",
        "--quiet",
        "--format=tar",
        "stable",
        "-",
        "http://deb.debian.org/debian",
    ]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        not_run(&format!("mmdebstrap failed: {}", said.lines().last().unwrap_or_default()));
        return None;
    }
    Some(output.stdout)
}

#[test]
fn debian_is_pulled_and_run() {
    let Some(archive) = archive() else { return };
    let settings = json!({"Cmd": ["bash"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]});
    let Some(boat) = Boat::on_disk(&Image::of_archive(settings, archive)) else { return };
    let pull = boat.coracle(&format!("pull {}", boat.image));
    if Role::here() == Role::RootInUserNamespace {
        // It has files of several owners.
        assert!(pull.code == 1 && pull.err.contains("only 1 id is mapped here"), "{pull:?}");
        return;
    }
    assert_eq!(pull.code, 0, "{pull:?}");
    // The nodes in its /dev are only root's to make.
    assert_eq!(pull.out.matches("warning: ").count(), usize::from(Role::here() == Role::User), "{pull:?}");

    let release = boat.sh("", ". /etc/os-release; echo $ID").ok();
    assert_eq!(release, "debian");
    // Owners and modes that mean something.
    let modes = boat.sh("", "stat -c '%U:%G %a %n' /etc/shadow /tmp /usr/bin/passwd /var/mail").ok();
    assert_eq!(
        modes,
        "root:shadow 640 /etc/shadow\nroot:root 1777 /tmp\nroot:root 4755 /usr/bin/passwd\nroot:mail 2775 /var/mail"
    );
    // Its package manager drops its rights, makes files of others, and is content.
    let apt = boat.sh("", "dpkg --audit && apt-get check && dpkg -L bash | wc -l && ls -ld /var/lib/apt/lists/partial | cut -d' ' -f3");
    assert!(apt.code == 0 && apt.out.ends_with("_apt\n"), "{apt:?}");
    assert_eq!(boat.sh("-u nobody", "id -un; touch /x 2>/dev/null || echo no").ok(), "nobody\nno");
    // A user made inside, who becomes another by a setuid program.
    let script = "useradd -m ada && su ada -c 'id -un; cd; touch made' && stat -c %U /home/ada/made";
    assert_eq!(boat.sh("", script).ok(), "ada\nada");

    let Some(mut screen) = Screen::of(&boat.run_command("--rm -it", &[]), (24, 80)) else { return };
    screen.shows("# ");
    screen.types("tty; exit 3\r");
    screen.shows("/dev/pts/0");
    assert_eq!(screen.end(), 3);
    boat.assert_no_container();

    let list = boat.coracle("images").ok();
    let size: f64 = list
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().last()?.strip_suffix("MB")?.parse().ok())
        .unwrap();
    assert!((60.0..400.0).contains(&size), "{list}");
    assert_eq!(Ran::of(&mut boat.command(["rmi", &boat.image])).code, 0);
}
