//! What the host had open stays with the host.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use common::{Host, LIMIT, end, step03};
use nix::unistd::Pid;
use support::{NotApplicable, Role, children, not_applicable, wait_until};

/// The same words through a shell that opens a folder of the host as number 9.
fn with_a_folder_open(words: &[&str]) -> std::process::Command {
    let step03 = step03(words);
    let mut shell = support::command("sh");
    shell.args(["-c", "exec 9</; exec \"$@\"", "sh"]).arg(step03.get_program()).args(step03.get_args());
    shell
}

/// What a process has open, as numbers: read from outside.
fn open_in(pid: Pid) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_command_has_no_descriptor_of_the_host() {
    let mut host = Host::start(&mut with_a_folder_open(&["sh", "-c", "echo runs; read line"]));
    host.says("runs");
    assert!(open_in(host.pid()).contains(&"9".to_owned()), "the host itself has it");
    assert_eq!(open_in(host.container()), ["0", "1", "2"]);
}

/// A container whose process 1 is init, from a host that has number 9 open.
fn with_init() -> Host {
    let mut host = Host::start(&mut with_a_folder_open(&["--init", "sh", "-c", "echo runs; read line"]));
    host.says("runs");
    host
}

#[test]
fn the_command_under_init_has_no_descriptor_of_the_host() {
    let host = with_init();
    let [command] = children(host.container())[..] else { panic!("init has one child") };
    assert_eq!(open_in(command), ["0", "1", "2"]);
}

#[test]
fn init_has_no_descriptor_of_the_host() {
    if Role::here() == Role::User {
        // Not even its owner may look into a process that is not dumpable.
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let host = with_init();
    let init = host.container();
    // Init alone keeps one: the signals that it reads like data. The command may run before it has got so far.
    wait_until("init has closed all others", LIMIT, || {
        let numbers = open_in(init).into_iter().filter(|number| number.parse::<u32>().unwrap() > 2);
        let links: Vec<_> =
            numbers.filter_map(|number| fs::read_link(format!("/proc/{init}/fd/{number}")).ok()).collect();
        links == [PathBuf::from("anon_inode:[signalfd]")]
    });
}

#[test]
fn the_command_itself_cannot_be_reached_through_a_descriptor_of_the_host() {
    let words = ["/proc/self/fd/9/bin/sh", "-c", "echo I come from outside"];
    let end = end(&mut with_a_folder_open(&words));
    assert_eq!((end.code, end.stdout.as_str()), (127, ""));
    assert_eq!(end.stderr, "step03: cannot run /proc/self/fd/9/bin/sh: there is no such file\n");
}

#[test]
fn a_closed_standard_descriptor_is_not_taken_by_another_file() {
    let step03 = step03(&["sh", "-c", "stat -L -c %t:%T /proc/self/fd/0 /proc/self/fd/2"]);
    let mut shell = support::command("sh");
    shell.args(["-c", "exec \"$@\" <&- 2>&-", "sh"]).arg(step03.get_program()).args(step03.get_args());
    let end = end(&mut shell);
    let null = fs::metadata("/dev/null").unwrap().rdev();
    let null = format!("{:x}:{:x}\n", nix::sys::stat::major(null), nix::sys::stat::minor(null));
    assert_eq!((end.code, end.stdout), (0, null.repeat(2)));
}
