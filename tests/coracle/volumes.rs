//! What of a container's files is not the image's: `-v`, `--mount`, `--tmpfs`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use serde_json::json;
use support::{Background, Role, alone, wait_until};

use crate::kit::{Boat, Image, LIMIT, Layer, Ran, names};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

#[test]
fn i5_a_missing_path_is_made_by_v_and_an_error_with_mount() {
    let Some(boat) = boat() else { return };
    let path = boat.path("not/yet/there");
    boat.sh(&format!("-v {}:/x", path.display()), "echo made >/x/file").ok();
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "made\n");
    let other = boat.path("nor/this");
    boat.sh(&format!("--mount type=bind,src={},dst=/x", other.display()), "true").failed(
        125,
        &format!(
            "invalid mount config for type \"bind\": bind source path does not exist: {}",
            other.display()
        ),
    );
    assert!(!other.exists());
    boat.assert_no_container();
}

#[test]
fn i5_a_path_that_begins_with_a_dot_is_looked_for_from_here() {
    let Some(boat) = boat() else { return };
    let here = boat.path("here");
    fs::create_dir(&here).unwrap();
    for options in ["-v ./one:/x", "-v .:/y -v ./one:/x:rw", "--mount type=bind,src=./one,dst=/x"] {
        let mut command = boat.run_command(&format!("--rm {options}"), &["sh", "-c", "echo hello >>/x/file"]);
        Ran::of(command.current_dir(&here)).ok();
    }
    assert_eq!(fs::read_to_string(here.join("one/file")).unwrap(), "hello\n".repeat(3));
}

#[test]
fn i5_wrong_volumes_are_125() {
    let Some(boat) = boat() else { return };
    let file = boat.path("file");
    fs::write(&file, "").unwrap();
    let on_directory = format!("-v {}:/tmp", file.display());
    for (options, text) in [
        ("-v a:b:c:d", "too many colons"),
        ("-v /a:/b:x", "invalid mode: x"),
        ("-v /tmp:/", "destination can't be '/'"),
        ("-v rel/path:/x", "\"rel/path\" includes invalid characters for a local volume name"),
        ("-v /tmp:/x -v /etc:/x", "Duplicate mount point: /x"),
        ("-v /tmp:/x --tmpfs /x/", "Duplicate mount point: /x"),
        ("-v /tmp:/x:rshared", "no mount of a container is shared with the host here"),
        ("--mount type=foo,dst=/x", "mount type unknown: \"foo\""),
        ("--mount type=bind,src=/tmp", "target is required"),
        ("-v /tmp:/proc", "it is inside /proc"),
        (&on_directory, "a file cannot be mounted on a directory"),
    ] {
        boat.sh(options, "true").failed(125, text);
    }
    boat.assert_no_container();
    assert_eq!(names(&boat.root().join("volumes")), Vec::<String>::new());
}

#[test]
fn each_key_of_mount_and_option_of_tmpfs_counts() {
    let Some(boat) = boat() else { return };
    let folder = boat.path("a,b");
    fs::create_dir(&folder).unwrap();
    let folder = folder.display();
    let bind = format!("--mount=type=bind,\"src={folder}\",dst=/x,readonly");
    let words = ["run", "--rm", "--network=none", &bind, &boat.image, "sh", "-c", "echo x >/x/file"];
    let ran = Ran::of(&mut boat.command(words));
    assert!(ran.code != 0 && ran.err.contains("Read-only file system"), "{ran:?}");

    let show = "grep -E ' (/one|/two|/three) ' /proc/mounts; stat -c %a /one /two /three";
    let options = "--tmpfs /one:size=64k,mode=750,exec,suid,dev --tmpfs /two:ro \
                   --mount type=tmpfs,dst=/three,tmpfs-size=1m,tmpfs-mode=700";
    let seen = boat.sh(options, show).ok();
    let lines: Vec<_> = seen.lines().collect();
    let options =
        |line: &str| line.split(' ').nth(3).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>();
    let has = |line: &str, wanted: &str| options(line).iter().any(|option| option == wanted);
    let one = lines.iter().find(|line| line.contains(" /one ")).unwrap();
    assert!(has(one, "rw") && has(one, "size=64k"), "{one}");
    assert!(!has(one, "noexec") && !has(one, "nosuid") && !has(one, "nodev"), "{one}");
    let two = lines.iter().find(|line| line.contains(" /two ")).unwrap();
    assert!(has(two, "ro") && has(two, "noexec") && has(two, "nosuid") && has(two, "nodev"), "{two}");
    assert!(has(lines.iter().find(|line| line.contains(" /three ")).unwrap(), "size=1024k"));
    assert_eq!(lines[lines.len() - 3..], ["750", "1777", "700"]);
    boat.sh("--tmpfs /x:bogus", "true").failed(125, "invalid tmpfs option \"bogus\"");
}

#[test]
fn one_below_another_is_mounted_after_it() {
    let Some(boat) = boat() else { return };
    let (low, high) = (boat.path("low"), boat.path("high"));
    for (folder, text) in [(&low, "low"), (&high, "high")] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("name"), text).unwrap();
    }
    let options = format!("-v {}:/x/below -v {}:/x", high.display(), low.display());
    assert_eq!(boat.sh(&options, "cat /x/name /x/below/name").ok(), "lowhigh");
}

#[test]
fn a_file_of_names_that_one_mounts_oneself_stays() {
    let Some(boat) = boat() else { return };
    let file = boat.path("hosts");
    fs::write(&file, "192.0.2.1 mine\n").unwrap();
    assert_eq!(
        boat.sh(&format!("-v {}:/etc/hosts", file.display()), "cat /etc/hosts").ok(),
        "192.0.2.1 mine"
    );
}

#[test]
fn a_mount_of_the_host_appears_later_only_where_it_was_asked_for() {
    if Role::here() != Role::RootInUserNamespace && !alone() {
        return;
    }
    if Role::here() == Role::User || Role::here() == Role::RootInUserNamespace {
        // The host is not ours to mount something in.
        return support::not_applicable(support::NotApplicable::NeedsRoot);
    }
    let Some(boat) = boat() else { return };
    let folder = boat.path("shared");
    fs::create_dir_all(folder.join("later")).unwrap();
    let options = format!("-v {0}:/slave:rslave -v {0}:/private", folder.display());
    let mut runs = boat.start(
        &options,
        "until test -e /slave/later/file; do sleep 0.05; done; ls /private/later; mount -t tmpfs x /slave/later; echo done",
    );
    let place = folder.join("later");
    crate::kit::tool(&["mount", "-t", "tmpfs", "later", place.to_str().unwrap()]);
    fs::write(place.join("file"), "").unwrap();
    let ran = runs.end();
    assert_eq!((ran.code, &*ran.out), (0, "done\n"), "{ran:?}");
    // And nothing of the container's appears here.
    assert!(place.join("file").exists());
    crate::kit::tool(&["umount", place.to_str().unwrap()]);
}

#[test]
fn c4_a_target_that_is_swapped_meanwhile_is_never_outside() {
    let Some(boat) = boat() else { return };
    let (shared, source) = (boat.path("shared"), boat.path("the-source"));
    fs::create_dir_all(shared.join("dir")).unwrap();
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("marker"), "").unwrap();
    // One that has the volume swaps the directory and a link, as fast as it can. No directory is removed: that would
    // take away what others have mounted there.
    let swap = "cd /shared; n=0; while true; do
        n=$((n + 1)); mv dir away$n; ln -s /../../../../../etc dir; rm -f dir dir/etc; mv away$n dir
    done 2>/dev/null";
    let mut swapping =
        boat.run_command(&format!("--rm -v {}:/shared", shared.display()), &["sh", "-c", swap]);
    let mut swapping = Background::spawn(swapping.stdout(Stdio::null()).stderr(Stdio::null())).unwrap();
    wait_until("it swaps", LIMIT, || {
        !shared.join("dir").is_dir() || swapping.child().try_wait().unwrap().is_some()
    });

    let options = format!("-v {}:/shared -v {}:/shared/dir", shared.display(), source.display());
    let starts = if std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all") { 1000 } else { 40 };
    let (mut mounted, mut refused) = (0, 0);
    for _ in 0..starts {
        // A place that had been outside would be gone with the old root, and not be in this table.
        let ran = boat.sh(&options, "grep -c the-source /proc/self/mountinfo");
        match ran.code {
            0 => {
                assert_eq!(ran.out, "1\n");
                mounted += 1;
            }
            _ => {
                ran.failed(125, "/shared/dir");
                refused += 1;
            }
        }
        assert!(!std::path::Path::new("/etc/marker").exists());
    }
    assert_eq!(mounted + refused, starts);
    drop(swapping);
}

#[test]
fn volumes_are_in_the_record_as_docker_has_them() {
    let Some(boat) = boat() else { return };
    let folder = boat.path("folder");
    let options = format!("--name kept -v {}:/one:ro,z -v data:/two --tmpfs /three", folder.display());
    boat.run(&options, &["true"]).ok();
    let seen = Ran::of(&mut boat.command(["inspect", "--format", "{{json .Mounts}}", "kept"])).ok();
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(
        seen,
        json!([
            {"Type": "bind", "Source": folder, "Destination": "/one", "Mode": "ro,z", "RW": false, "Propagation": "rprivate"},
            {"Type": "volume", "Name": "data", "Source": boat.root().join("volumes/data/_data"), "Destination": "/two",
             "Driver": "local", "Mode": "", "RW": true, "Propagation": ""},
            {"Type": "tmpfs", "Source": "", "Destination": "/three", "Mode": "", "RW": true, "Propagation": ""},
        ])
    );
}

#[test]
fn a_volume_of_a_hostile_image_leads_nowhere_else() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let before = fs::metadata(outside.path()).unwrap();
    let Some(image) = Image::usual() else { return };
    let layer = Layer::new()
        .link("data", outside.path().to_str().unwrap())
        .link("deep/inner", "../../../../../../etc")
        .link("deep/file", "/etc/shadow");
    let boat = Boat::holding(&image.layer(layer).set("Volumes", json!({"/data": {}, "/deep": {}})));
    boat.run("--name kept", &["sh", "-c", "readlink /deep/inner; readlink /deep/file; echo x >/data/mine"])
        .ok();
    // Nothing was read from there, nothing written.
    assert_eq!(names(outside.path()), ["secret"]);
    assert_eq!(before.mtime(), fs::metadata(outside.path()).unwrap().mtime());
    for volume in names(&boat.root().join("volumes")) {
        let data = boat.root().join("volumes").join(volume).join("_data");
        assert!(!data.join("secret").exists() && !data.join("shadow").exists());
        // Links are links in it.
        assert!(!data.join("inner").exists() || data.join("inner").symlink_metadata().unwrap().is_symlink());
    }
    boat.coracle("rm -v kept").ok();
    assert_eq!(names(&boat.root().join("volumes")), Vec::<String>::new());
}
