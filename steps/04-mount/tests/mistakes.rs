//! Mistakes: one line that says what was wrong, and a second one where there is a way out.

mod common;

use std::fs;

use common::{Place, after};
use support::{Role, command};

#[test]
fn a_root_file_system_must_be_a_folder() {
    let Some(place) = Place::new() else { return };
    let with = |rootfs: &str| {
        let mut step04 = command(env!("CARGO_BIN_EXE_step04"));
        if Role::here() == Role::User {
            step04.arg("--map-root-user");
        }
        place.told(step04.arg("--rootfs").arg(place.at(rootfs)).args(["--", "true"]))
    };
    insta::assert_snapshot!(with("nothing"), @"
    step04: cannot use the root file system [PLACE]/nothing: ENOENT: No such file or directory
    => 125
    ");
    insta::assert_snapshot!(with("root/etc/passwd"), @"
    step04: cannot mount the root file system [PLACE]/root/etc/passwd: ENOTDIR: Not a directory
    => 125
    ");
    fs::create_dir(place.at("empty")).unwrap();
    insta::assert_snapshot!(with("empty"), @"
    step04: cannot run true: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    => 127
    ");
}

#[test]
fn a_volume_has_a_source_a_target_and_perhaps_a_mode() {
    let Some(place) = Place::new() else { return };
    let with = |volume: &str| place.told(&mut place.step04(&["-v", volume, "--", "true"]));
    let texts = ["/a", "/a:/b:ro:x", ":/b", "/a:", "/a:/b:rx", "/tmp:b", "/tmp:/", "/nothing:/b"];
    let told = texts.map(|text| format!("{text}\n{}", with(text))).join("\n\n");
    insta::assert_snapshot!(told, @"
    /a
    step04: invalid value '/a' for '--volume <HOST:CONTAINER[:ro]>': a volume is HOST:CONTAINER[:ro]
    see --help
    => 125

    /a:/b:ro:x
    step04: invalid value '/a:/b:ro:x' for '--volume <HOST:CONTAINER[:ro]>': invalid spec: /a:/b:ro:x: too many colons
    see --help
    => 125

    :/b
    step04: invalid value ':/b' for '--volume <HOST:CONTAINER[:ro]>': invalid spec: :/b: empty section between colons
    see --help
    => 125

    /a:
    step04: invalid value '/a:' for '--volume <HOST:CONTAINER[:ro]>': invalid spec: /a:: empty section between colons
    see --help
    => 125

    /a:/b:rx
    step04: invalid value '/a:/b:rx' for '--volume <HOST:CONTAINER[:ro]>': invalid mode: rx
    see --help
    => 125

    /tmp:b
    step04: invalid mount path: 'b' mount path must be absolute
    => 125

    /tmp:/
    step04: invalid volume specification: destination can't be '/'
    => 125

    /nothing:/b
    step04: cannot mount the volume /nothing: ENOENT: No such file or directory
    => 125
    ");
}

#[test]
fn a_folder_is_not_mounted_on_a_file_nor_a_file_on_a_folder() {
    let Some(place) = Place::new() else { return };
    let with = |volume: &str| place.told(&mut place.step04(&["-v", volume, "--", "true"]));
    insta::assert_snapshot!(with("/etc:/etc/passwd"), @"
    step04: cannot mount /etc/passwd: a directory cannot be mounted on a file
    => 125
    ");
    insta::assert_snapshot!(with("/etc/passwd:/etc"), @"
    step04: cannot mount /etc: a file cannot be mounted on a directory
    => 125
    ");
    insta::assert_snapshot!(with("/etc:/etc/passwd/below"), @"
    step04: cannot mount /etc/passwd/below: ENOTDIR: Not a directory
    => 125
    ");
    insta::assert_snapshot!(place.told(&mut place.step04(&["--tmpfs", "relative", "--", "true"])), @"
    step04: invalid mount path: 'relative' mount path must be absolute
    => 125
    ");
}

#[test]
fn a_proc_that_would_show_what_the_hosts_hides_is_refused_and_the_cover_is_named() {
    let Some(place) = Place::new() else { return };
    let mut step04 =
        place.step04_after("mount --bind /dev/null /proc/version", &["--map-root-user", "--", "true"]);
    insta::assert_snapshot!(place.told(&mut step04), @"
    step04: cannot mount /proc: EPERM: Operation not permitted: the kernel allows it only where all of /proc can be seen, and /proc/version is covered here
    is this a container? docker run --security-opt systempaths=unconfined shows all of it
    => 125
    ");
}

#[test]
fn a_root_that_cannot_be_swapped_is_explained() {
    let Some(place) = Place::new() else { return };
    // A chroot with what a program of the host needs to be loaded.
    let script = format!(
        "mkdir -p jail/tmp other; cp {} jail/step04; cd jail; \
         for name in lib lib64 usr proc sys dev; do [ ! -d /$name ] || {{ mkdir $name; mount --rbind /$name $name; }}; done; \
         cd ..;",
        env!("CARGO_BIN_EXE_step04"),
    );
    let step04 = ["chroot", "jail", "/step04", "--rootfs", "/tmp", "--", "true"];
    insta::assert_snapshot!(place.told(after(&script).args(step04).current_dir(place.at(""))), @"
    step04: cannot make the mounts private: EINVAL: Invalid argument: we are in a chroot whose root is no mount point
    mount --bind NEWROOT NEWROOT before the chroot makes it one
    => 125
    ");
    let script =
        format!("rm -rf --one-file-system jail; {script} mount --make-rshared /; mount --rbind jail other");
    let step04 = ["chroot", "other", "/step04", "--rootfs", "/tmp", "--", "true"];
    insta::assert_snapshot!(place.told(after(&script).args(step04).current_dir(place.at(""))), @"
    step04: cannot make it the root: EINVAL: Invalid argument: the mount above / is shared, as it can be in a chroot
    mount --make-rprivate / before the chroot helps
    => 125
    ");
}
