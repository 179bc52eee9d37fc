//! The options of `run` about the command and its surroundings. Each test fails if the option's value is dropped.

use std::fs;

use serde_json::json;
use support::{NotApplicable, Role, not_applicable};

use crate::kit::{Boat, Image, Layer, Ran};

/// With an image that needs no registry.
fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

#[test]
fn i6_variables_come_from_files_and_then_from_words() {
    let Some(boat) = boat() else { return };
    let (one, two) = (boat.path("one"), boat.path("two"));
    fs::write(&one, "\u{feff}A=of one\n# B=comment\n  C='quoted'\nPASSED\nMISSING\nGREETING=of one\n")
        .unwrap();
    fs::write(&two, "A=of two\nD=\n").unwrap();
    let options =
        format!("--rm --env-file {} --env-file {} -e GREETING=of-word", one.display(), two.display());
    let script = "echo \"$A|${B-unset}|$C|$PASSED|${MISSING-unset}|${D-unset}|$GREETING\"";
    let mut command = boat.run_command(&options, &["sh", "-c", script]);
    let seen = Ran::of(command.env("PASSED", "on").env_remove("MISSING")).ok();
    assert_eq!(seen, "of two|unset|'quoted'|on|unset||of-word");
}

#[test]
fn i6_wrong_files_are_named() {
    let Some(boat) = boat() else { return };
    let file = boat.path("file");
    for (content, text) in [
        (&b"=bad\n"[..], "no variable name on line '=bad'"),
        (b"A B=1\n", "variable 'A B' contains whitespaces"),
        (b"A=\xff\n", "invalid utf8 bytes at line 1"),
        (&[b'x'; 70_000], "token too long"),
    ] {
        fs::write(&file, content).unwrap();
        boat.sh(&format!("--env-file {}", file.display()), "true").failed(125, text);
    }
    boat.sh("--env-file /not/there", "true").failed(125, "open /not/there: no such file or directory");
    boat.sh("--label-file /not/there", "true").failed(125, "open /not/there: no such file or directory");
    boat.sh("-e =x", "true").failed(125, "invalid environment variable: =x");
    boat.assert_no_container();
}

#[test]
fn a_variable_without_a_value_here_takes_the_images_one_away() {
    let Some(boat) = boat() else { return };
    let mut command = boat.run_command("--rm -e GREETING", &["sh", "-c", "echo ${GREETING-unset}"]);
    assert_eq!(Ran::of(command.env_remove("GREETING")).ok(), "unset");
}

#[test]
fn labels_are_the_images_and_ones_own() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image.set("Labels", json!({"of": "image", "kept": "yes"})));
    let file = boat.path("labels");
    fs::write(&file, "from=file\nboth=file\n").unwrap();
    let options = format!("--name kept -l of=word --label both=word -l bare --label-file {}", file.display());
    boat.run(&options, &["true"]).ok();
    let seen = boat.command(["inspect", "--format", "{{json .Config.Labels}}", "kept"]).output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen, json!({"of": "word", "kept": "yes", "from": "file", "both": "word", "bare": ""}));
    boat.sh("-l =x", "true").failed(125, "invalid label '=x': empty name");
}

#[test]
fn limits_of_one_process_are_set() {
    let Some(boat) = boat() else { return };
    let options = "--ulimit nofile=60:70 --ulimit core=0 --ulimit stack=1048576";
    let seen = boat.sh(options, "ulimit -n; ulimit -H -n; ulimit -c; ulimit -s").ok();
    assert_eq!(seen, "60\n70\n0\n1024");
    boat.sh("--ulimit nofile=2:1", "true")
        .failed(125, "soft limit must be less than or equal to hard limit: 2 > 1");
    boat.sh("--ulimit nofile=1099511627776", "true").failed(125, "cannot set the limit nofile=1099511627776");
    boat.assert_no_container();
}

#[test]
fn a_limit_of_few_files_does_not_keep_the_user_from_being_found() {
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoSecondId);
    }
    let Some(boat) = boat() else { return };
    let seen = boat.run("--rm --ulimit nofile=3 -u ada", &["id", "-u"]).ok();
    assert_eq!(seen, "1000");
}

#[test]
fn groups_are_added_by_name_and_number() {
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoSecondId);
    }
    let Some(boat) = boat() else { return };
    assert_eq!(boat.run("--rm -u 5:6 --group-add audio --group-add 77", &["id", "-G"]).ok(), "6 29 77");
    assert_eq!(boat.run("--rm -u ada --group-add 77", &["id", "-G"]).ok(), "1001 29 77");
    let error = boat.run("--rm --group-add nope", &["true"]);
    error.failed(125, "unable to find group nope: no matching entries in group file");
    boat.assert_no_container();
}

#[test]
fn c8_sysctls_of_ones_own_namespaces_are_set_and_no_others() {
    let Some(boat) = boat() else { return };
    let options =
        "--sysctl net.ipv4.ip_default_ttl=33 --sysctl kernel.shmmax=123456 --sysctl fs.mqueue.msg_max=9";
    let script = "cd /proc/sys; cat net/ipv4/ip_default_ttl kernel/shmmax fs/mqueue/msg_max; echo 1 >net/ipv4/ip_forward";
    let outside = fs::read_to_string("/proc/sys/kernel/shmmax").unwrap();
    let seen = boat.sh(options, script);
    assert_eq!(seen.out, "33\n123456\n9\n");
    assert!(seen.err.contains("Read-only file system"), "{seen:?}");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/shmmax").unwrap(), outside);
    for wrong in
        ["kernel.core_pattern=x", "kernel.x=1", "net/../kernel/panic=1", "vm.swappiness=1", "net.ipv4"]
    {
        let error = boat.sh(&format!("--sysctl {wrong}"), "true");
        error.failed(125, &format!("sysctl '{wrong}' is not allowed"));
    }
    boat.sh("--sysctl net.nope=1", "true").failed(125, "cannot set the sysctl net/nope to 1: ENOENT");
    let host = boat.command([
        "run",
        "--rm",
        "--network=host",
        "--sysctl=net.ipv4.ip_forward=1",
        &boat.image,
        "true",
    ]);
    Ran::from(output(host)).failed(125, "not allowed in host network namespace");
    boat.sh("--ipc host --sysctl kernel.shmmax=1", "true")
        .failed(125, "not allowed in the hosts ipc namespace");
    boat.assert_no_container();
}

fn output(mut command: std::process::Command) -> std::process::Output {
    command.output().unwrap()
}

#[test]
fn memory_to_share_has_the_size_that_was_asked_for() {
    let Some(boat) = boat() else { return };
    let size = "df -k /dev/shm | awk 'NR == 2 {print $2}'";
    assert_eq!(boat.sh("", size).ok(), "65536");
    assert_eq!(boat.sh("--shm-size 2m", size).ok(), "2048");
    boat.sh("--shm-size abc", "true").failed(125, "invalid size: 'abc'");
    boat.sh("--shm-size -1", "true").failed(125, "invalid size: '-1'");
}

#[test]
fn i10_names_are_the_containers_and_have_bounds() {
    let Some(boat) = boat() else { return };
    let names = "hostname; cat /proc/sys/kernel/domainname /etc/hostname; echo $HOSTNAME";
    assert_eq!(boat.sh("-h box --domainname example", names).ok(), "box\nexample\nbox\nbox");
    let longest = "x".repeat(64);
    assert_eq!(boat.sh(&format!("--hostname {longest}"), "hostname").ok(), longest);
    boat.sh(&format!("--hostname {longest}x"), "true")
        .failed(125, "it has 65 bytes, and at most 64 are allowed");
    boat.sh(&format!("--domainname {longest}x"), "true").failed(125, "it has 65 bytes");
    // Docker takes it, too.
    assert_eq!(boat.run_with("--hostname", "a b", "hostname").ok(), "a b");
    boat.assert_no_container();
}

#[test]
fn i10_values_that_make_no_sense_are_125() {
    let Some(boat) = boat() else { return };
    for (options, text) in [
        ("--pull maybe", "invalid pull option: 'maybe': must be one of \"always\", \"missing\" or \"never\""),
        ("--network nope", "network nope not found"),
        ("--network container:", "container:<name|id> needs a name or an id"),
        ("--network container:nobody", "No such container: nobody"),
        ("--pid foo", "--pid: invalid PID mode"),
        ("--pid container:", "--pid: invalid PID mode"),
        ("--ipc foo", "invalid IPC mode: foo"),
        ("--uts foo", "--uts: invalid UTS mode"),
        ("--dns notanip", "IP address is not correctly formatted: notanip"),
        ("--add-host foo", "bad format for add-host: \"foo\""),
        ("--expose abc", "invalid range format for --expose: abc"),
        ("--platform nonsense", "nonsense"),
        ("-w rel", "the working directory 'rel' is invalid, it needs to be an absolute path"),
        ("--tmpfs rel", "mount path must be absolute"),
        ("--volumes-from nobody", "No such container: nobody"),
    ] {
        boat.sh(options, "true").failed(125, text);
    }
    boat.assert_no_container();
}

#[test]
fn i9_what_comes_with_later_steps_is_named() {
    let Some(boat) = boat() else { return };
    for (options, text) in [
        ("-m abc", "invalid size: 'abc'"),
        ("-m 1k", "Minimum memory limit allowed is 6MB"),
        ("-m 64m", "--memory is not there yet: limits come with step 08"),
        ("--memory-swap x", "invalid size: 'x'"),
        ("--cpus 9999", "range of CPUs is from 0.01 to"),
        ("--cpus abc", "failed to parse abc as a rational number"),
        ("--cpus 0.5", "--cpus is not there yet: limits come with step 08"),
        ("--cap-add NOPE", "--cap-add is not there yet: rights come with step 09"),
        ("--cap-drop ALL", "--cap-drop is not there yet"),
        ("--privileged", "--privileged is not there yet: rights come with step 09"),
        ("--security-opt no-new-privileges", "--security-opt is not there yet"),
        ("--device /dev/null", "--device is not there yet"),
        ("--health-cmd true", "--health-cmd is not part of Coracle\nchecks of a container's health need"),
        ("--ip 192.0.2.1", "--ip is not part of Coracle\nthere is one network for all"),
    ] {
        boat.sh(options, "true").failed(125, text);
    }
    boat.sh("--no-healthcheck", "true").ok();
    boat.assert_no_container();
}

#[test]
fn cidfile_has_the_id_and_one_that_exists_is_spared() {
    let Some(boat) = boat() else { return };
    let file = boat.path("cid");
    let options = format!("--name kept --cidfile {}", file.display());
    boat.run(&options, &["true"]).ok();
    let id = fs::read_to_string(&file).unwrap();
    assert_eq!(boat.coracle("ps --all --quiet --no-trunc").ok(), id);
    let options = format!("--rm --cidfile {}", file.display());
    boat.run(&options, &["true"])
        .failed(125, "container ID file found, make sure the other container isn't running");
    assert_eq!(fs::read_to_string(&file).unwrap(), id);
}

#[test]
fn l29_group_file_of_a_stranger_is_only_read_where_it_is_a_file() {
    let Some(image) = Image::bare_busybox(json!({"User": "0"})) else { return };
    let boat =
        Boat::holding(&image.layer(Layer::new().fifo("etc/passwd").link("etc/group", "/proc/self/environ")));
    boat.run("--rm --group-add root", &["true"]).failed(125, "unable to find group root");
    boat.assert_no_container();
}

#[test]
fn whoever_is_not_root_may_listen_at_a_low_port_in_a_network_of_its_own() {
    let Some(boat) = Boat::new() else { return };
    let start = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    assert_eq!(boat.sh("", start).ok(), "0");
    assert_eq!(boat.sh("--sysctl net.ipv4.ip_unprivileged_port_start=77", start).ok(), "77");
    let of_host = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    boat.run("-d --name box", &["sleep", "1000"]).ok();
    for options in ["--network host", "--network container:box --sysctl net.ipv4.ip_default_ttl=9"] {
        let wanted = if options.ends_with("host") { of_host.trim() } else { "0" };
        let words: Vec<&str> = ["run", "--rm"].into_iter().chain(options.split(' ')).collect();
        let ran = Ran::of(&mut boat.command([&words[..], &[&boat.image, "sh", "-c", start]].concat()));
        assert_eq!(ran.ok(), wanted, "{options}");
    }
    if Role::here() != Role::RootInUserNamespace {
        let line = "httpd -p 80 -h /tmp && echo listens";
        assert_eq!(boat.sh("-u ada", line).ok(), "listens");
        boat.sh("-u ada --sysctl net.ipv4.ip_unprivileged_port_start=1024", line)
            .failed(1, "Permission denied");
    }
    let group_range = boat.sh("", "cat /proc/sys/net/ipv4/ping_group_range").ok();
    assert!(Role::here() != Role::Root || group_range == "0\t2147483647", "{group_range}");
}
