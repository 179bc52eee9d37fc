//! How a run ends: Docker's exit codes, and one line that says why (row I12 of the list of attacks
//! and bad inputs).

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, process};

use common::{end, step03, told, walls};
use support::Role;

/// A folder for the files of one test, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("coracle-exit-{}-{name}", process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// Makes a file that may be run, and tells what comes of it, with a fixed name for the folder.
    fn told(&self, name: &str, content: &[u8], mode: u32) -> String {
        let file = self.0.join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        self.told_of(&file)
    }

    fn told_of(&self, program: &Path) -> String {
        told(&mut step03(&[program])).replace(&*self.0.to_string_lossy(), "FOLDER")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_exit_code_is_the_commands_own() {
    for code in [0, 1, 7, 125, 126, 127, 255] {
        let script = format!("exit {code}");
        for words in [&["sh", "-c", &script][..], &["--init", "sh", "-c", &script]] {
            assert_eq!(told(&mut step03(words)), format!("=> {code}"));
        }
    }
}

#[test]
fn a_signal_is_128_and_its_number() {
    // Process 1 cannot be killed from inside: its child can.
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("34", 162), ("64", 192)] {
        let script = format!("kill -{signal} $$");
        assert_eq!(told(&mut step03(&["--init", "sh", "-c", &script])), format!("=> {code}"));
    }
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let folder = Folder::new("absent");
    insta::assert_snapshot!(told(&mut step03(&["no-such-command"])), @"
    step03: cannot run no-such-command: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    => 127
    ");
    insta::assert_snapshot!(folder.told_of(&folder.0.join("absent")), @"
    step03: cannot run FOLDER/absent: there is no such file
    => 127
    ");
    insta::assert_snapshot!(folder.told_of(Path::new("")), @"
    step03: cannot run : the name is empty
    => 127
    ");
    insta::assert_snapshot!(folder.told_of(Path::new("/etc/passwd/inside")), @"
    step03: cannot run /etc/passwd/inside: ENOTDIR: a part of its path is not a directory
    => 127
    ");
}

#[test]
fn a_directory_is_126() {
    insta::assert_snapshot!(told(&mut step03(&["/"])), @"
    step03: cannot run /: EACCES: it is a directory
    => 126
    ");
    let folder = Folder::new("directory");
    insta::assert_snapshot!(folder.told_of(&folder.0), @"
    step03: cannot run FOLDER: EACCES: it is a directory
    => 126
    ");
}

#[test]
fn a_file_without_an_x_bit_is_126() {
    let folder = Folder::new("no-x");
    insta::assert_snapshot!(folder.told("no-x", b"#!/bin/sh\n", 0o644), @"
    step03: cannot run FOLDER/no-x: EACCES: it has no x bit for this user
    chmod +x makes a file a program
    => 126
    ");
}

#[test]
fn a_file_on_a_mount_without_exec_is_126() {
    let folder = Folder::new("noexec");
    let step03 = step03(&[&folder.0.join("script")]);
    let mut unshare = support::command("unshare");
    if Role::here() == Role::User {
        unshare.arg("--map-root-user");
    }
    let script = "mount -t tmpfs -o noexec tmpfs \"$0\"; printf '#!/bin/sh\\n' >\"$0/script\"; \
        chmod +x \"$0/script\"; exec \"$@\"";
    unshare.args(["--mount", "sh", "-ec", script]).arg(&folder.0).arg(step03.get_program());
    let said = told(unshare.args(step03.get_args()));
    insta::assert_snapshot!(said.replace(&*folder.0.to_string_lossy(), "FOLDER"), @"
    step03: cannot run FOLDER/script: EACCES: it lies on a file system that is mounted noexec
    move it to another one, or: mount -o remount,exec
    => 126
    ");
}

#[test]
fn what_would_load_it_and_may_not_be_run_is_126() {
    let folder = Folder::new("closed");
    folder.told("interpreter", b"", 0o644);
    let script = format!("#!{}\n", folder.0.join("interpreter").display());
    insta::assert_snapshot!(folder.told("script", script.as_bytes(), 0o755), @"
    step03: cannot run FOLDER/script: EACCES: a directory above it, or what would load it, may not be entered or run
    namei -l shows the rights of each part of the path
    => 126
    ");
}

#[test]
fn a_file_in_path_that_may_not_be_run_is_passed_over() {
    let (one, two) = (Folder::new("path-one"), Folder::new("path-two"));
    one.told("tool", b"#!/bin/sh\n", 0o644);
    let path = |rest: &str| format!("path:{}:{rest}", one.0.display());
    // Remembered as the reason, unless a later one may be run.
    assert_eq!(end(&mut walls(&[&path("/bin"), "--", "tool"])).code, 126);
    two.told("tool", b"#!/bin/sh\necho from the second folder\n", 0o755);
    let found = told(&mut walls(&[&path(&two.0.to_string_lossy()), "--", "tool"]));
    assert_eq!(found, "from the second folder\n=> 0");
}

#[test]
fn another_machines_program_is_126() {
    let folder = Folder::new("machine");
    // An ELF header for a machine that nobody has (`man 5 elf`: e_machine is at 18).
    let mut elf = vec![0; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16] = 2;
    elf[18..20].copy_from_slice(&0x1234_u16.to_le_bytes());
    insta::assert_snapshot!(folder.told("wrong-machine", &elf, 0o755), @"
    step03: cannot run FOLDER/wrong-machine: ENOEXEC: it is a program for another machine
    take the one for this machine: uname -m
    => 126
    ");
    insta::assert_snapshot!(folder.told("no-program", b"hello\n", 0o755), @"
    step03: cannot run FOLDER/no-program: ENOEXEC: neither a program for this machine nor a script with #!
    => 126
    ");
    insta::assert_snapshot!(folder.told("empty", b"", 0o755), @"
    step03: cannot run FOLDER/empty: ENOEXEC: neither a program for this machine nor a script with #!
    => 126
    ");
}

#[test]
fn a_missing_interpreter_is_named() {
    let folder = Folder::new("interpreter");
    insta::assert_snapshot!(folder.told("script", b"#!/no/such/sh -e\necho hello\n", 0o755), @r"
    step03: cannot run FOLDER/script: its interpreter /no/such/sh is not there
    install it, or mend the line with #! (a \r at its end comes from Windows)
    => 127
    ");
    insta::assert_snapshot!(folder.told("spaces", b"#!  /no/such/sh\n", 0o755), @r"
    step03: cannot run FOLDER/spaces: its interpreter /no/such/sh is not there
    install it, or mend the line with #! (a \r at its end comes from Windows)
    => 127
    ");
    // An interpreter may be a script itself.
    folder.told("between", b"#!/no/such/sh\n", 0o755);
    let between = format!("#!{}\n", folder.0.join("between").display());
    assert_eq!(
        folder.told("twice", between.as_bytes(), 0o755),
        folder.told("script", b"#!/no/such/sh\n", 0o755).replace("script", "twice")
    );
    // A line that was written on Windows.
    insta::assert_snapshot!(folder.told("windows", b"#!/bin/sh\r\necho hello\r\n", 0o755), @r#"
    step03: cannot run FOLDER/windows: its interpreter /bin/sh\r is not there
    install it, or mend the line with #! (a \r at its end comes from Windows)
    => 127
    "#);
}

#[test]
fn a_missing_loader_is_named() {
    let folder = Folder::new("loader");
    // The smallest ELF file that names a loader (`man 5 elf`): a header and one PT_INTERP.
    let loader = b"/no/such/ld.so\0";
    let mut elf = vec![0; 64 + 56];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16] = 2;
    elf[18..20].copy_from_slice(&machine());
    elf[20] = 1;
    elf[32] = 64;
    elf[52] = 64;
    elf[54] = 56;
    elf[56] = 1;
    elf[64] = 3;
    elf[64 + 8] = 120;
    elf[64 + 32] = loader.len() as u8;
    elf.extend(loader);
    insta::assert_snapshot!(folder.told("no-loader", &elf, 0o755), @"
    step03: cannot run FOLDER/no-loader: its loader /no/such/ld.so is not there
    bring along what `ldd` lists, or link the program statically
    => 127
    ");
}

/// The number of this machine: that of a program which runs here.
fn machine() -> [u8; 2] {
    let own = fs::read(env::current_exe().unwrap()).unwrap();
    [own[18], own[19]]
}

#[test]
fn too_many_arguments_are_said_to_be_too_many() {
    insta::assert_snapshot!(told(&mut walls(&["many-words", "--", "/bin/true"])), @"
    step03-walls: cannot run /bin/true: E2BIG: the arguments and the environment are too long
    => 126
    ");
}

#[test]
fn words_after_two_dashes_are_the_commands() {
    insta::assert_snapshot!(told(&mut step03(&["--", "echo", "--init", "--", "-x"])), @"
    --init -- -x
    => 0
    ");
    insta::assert_snapshot!(told(&mut step03(&["echo", "--init", "--", "-x"])), @"
    --init -- -x
    => 0
    ");
}

#[test]
fn words_that_are_not_utf_8_stay_as_they_are() {
    let odd = OsStr::from_bytes(b"\xff\xfe|\n");
    let mut step03 = step03(&[OsStr::new("printf"), OsStr::new("%s"), odd]);
    assert_eq!(step03.output().unwrap().stdout, odd.as_bytes());
    insta::assert_snapshot!(told(&mut common::step03(&[OsStr::from_bytes(b"no\xff\x1b[31m")])), @r#"
    step03: cannot run no�\u{1b}[31m: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    => 127
    "#);
}

#[test]
fn a_wrong_command_line_is_125() {
    let step03 = |words: &[&str]| told(support::command(env!("CARGO_BIN_EXE_step03")).args(words));
    insta::assert_snapshot!(step03(&[]), @"
    step03: the following required arguments were not provided: <COMMAND>...
    Usage: step03 <COMMAND>...
    => 125
    ");
    insta::assert_snapshot!(step03(&["--ini", "sh"]), @"
    step03: unexpected argument '--ini' found
    tip: a similar argument exists: '--init'
    => 125
    ");
    insta::assert_snapshot!(step03(&["--uptime", "soon", "sh"]), @"
    step03: invalid value 'soon' for '--uptime <SECONDS>': invalid digit found in string
    see --help
    => 125
    ");
}

#[test]
fn an_error_that_nobody_reads_is_no_panic() {
    let step03 = step03(&["no-such-command"]);
    let mut shell = support::command("sh");
    shell.args(["-c", "exec 3>&1; { sleep 0.2; \"$@\" 2>&1; echo $? >&3; } | true", "sh"]);
    shell.arg(step03.get_program()).args(step03.get_args());
    assert_eq!(end(&mut shell).stdout, "127\n");
}
