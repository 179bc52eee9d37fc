//! One errno of `execve`, several causes: each is made, and the error names it.

mod common;

use std::{env, fs};

use common::{Folder, step03, told};
use support::Role;

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
