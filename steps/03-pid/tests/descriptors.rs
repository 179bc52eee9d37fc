//! What the host had open stays with the host.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use common::{Host, LIMIT, end, step03};
use nix::unistd::Pid;
use support::{NotApplicable, Role, children, not_applicable, not_run, wait_until};

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

/// Perl's own way to a system call that nothing else has a command for; it wants its words in variables.
fn perl(line: &str) -> String {
    format!("my ($type, $name, $value) = ('user', 'coracle-test', 'secret'); {line}")
}

#[test]
fn keys_of_the_caller_stay_outside() {
    let Some(perl_is) = support::program("perl") else {
        return not_run("perl is missing: apt-get install perl-base");
    };
    let (keyctl, add_key) = (libc::SYS_keyctl, libc::SYS_add_key);
    // -3 is the session keyring; 1 joins a new one, 10 searches.
    let search = perl(&format!("print syscall({keyctl}, 10, -3, $type, $name, 0) > 0 ? 'found' : 'none'"));
    let with_a_key = |command: &std::process::Command| {
        let add = perl(&format!(
            "syscall({keyctl}, 1, 0); syscall({add_key}, $type, $name, $value, 6, -3) > 0 or exit 99; exec @ARGV"
        ));
        let mut caller = support::command(&perl_is);
        caller.args(["-e", &add]).arg(command.get_program()).args(command.get_args());
        end(&mut caller)
    };
    let mut plain = support::command(&perl_is);
    let seen = with_a_key(plain.args(["-e", &search]));
    if seen.code == 99 {
        return not_run("there are no keys here: a container of Docker's forbids them");
    }
    assert_eq!(seen.stdout, "found");
    for options in [&[][..], &["--init"]] {
        let words = [options, &["perl", "-e", &search][..]].concat();
        let seen = with_a_key(&step03(&words));
        assert_eq!((seen.code, &*seen.stdout, &*seen.stderr), (0, "none", ""), "{options:?}");
    }
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
