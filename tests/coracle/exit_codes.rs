//! How a run ends: the command's own code, or Docker's 125, 126, 127 and 128 + n.

use serde_json::json;

use crate::kit::{Boat, Image, Layer};

#[test]
fn code_of_the_command_is_passed_on() {
    let Some(boat) = Boat::new() else { return };
    for code in [0, 1, 2, 42, 124, 125, 126, 127, 128, 129, 137, 200, 254, 255] {
        let ran = boat.sh("", &format!("exit {code}"));
        assert_eq!((ran.code, &*ran.err), (code, ""));
    }
}

#[test]
fn death_by_a_signal_is_128_and_the_signal() {
    let Some(boat) = Boat::new() else { return };
    // Process 1 is safe from its own signals; a child of it is not.
    assert_eq!(boat.sh("--init", "kill -KILL $$").code, 128 + 9);
    assert_eq!(boat.sh("--init", "kill -SEGV $$").code, 128 + 11);
    assert_eq!(boat.sh("", "sh -c 'kill -TERM $$'; exit $?").code, 128 + 15);
}

#[test]
fn i12_what_cannot_be_run_is_126_and_what_is_not_there_127() {
    let elf = {
        // A program for a machine that this is not: e_machine, 18 bytes after the start, is that of s390.
        let mut bytes = std::fs::read("/proc/self/exe").unwrap()[..4096].to_vec();
        bytes[18] = 22;
        bytes
    };
    let programs = Layer::new()
        .file("no-x", "#!/bin/sh\n")
        .program("other-machine", elf)
        .program("text", "echo not a program\n")
        .program("no-interpreter", "#!/not/there -x\n")
        .program("windows", "#!/bin/sh\r\necho\r\n")
        .program("empty", "")
        .link("dangling", "/not/there")
        .link("circle", "circle");
    let Some(image) = Image::busybox(json!({})) else { return };
    let Some(boat) = Boat::with(&image.layer(programs)) else { return };
    let cases = [
        (126, "/bin", "it is a directory"),
        (126, "/no-x", "EACCES: it has no x bit for this user"),
        (126, "/other-machine", "ENOEXEC: it is a program for another machine"),
        (126, "/text", "ENOEXEC: neither a program for this machine nor a script"),
        (126, "/empty", "ENOEXEC"),
        (126, "/circle", "ELOOP"),
        (127, "/no-interpreter", "its interpreter /not/there is not there"),
        (127, "/windows", r"its interpreter /bin/sh\r is not there"),
        (127, "/dangling", "there is no such file"),
        (127, "/not/there", "there is no such file"),
        (127, "/etc/passwd/x", "ENOTDIR"),
        (127, "not-there", "not found in PATH (/usr/local/sbin:"),
        (127, "", "the name is empty"),
    ];
    for (code, program, text) in cases {
        for init in ["", "--init"] {
            let error = boat.run(&format!("--rm {init}"), &[program, "x"]).failed(code, text);
            assert!(error.starts_with("coracle: cannot run ") || program.is_empty(), "{error}");
        }
    }
    boat.assert_no_container();
}

#[test]
fn i12_too_many_arguments_are_explained() {
    let Some(boat) = Boat::new() else { return };
    // More than a quarter of the stack's limit, and each below the limit of one word.
    let words: Vec<_> = std::iter::repeat_n("x".repeat(100_000), 15).collect();
    let mut inside: Vec<&str> = vec!["true"];
    inside.extend(words.iter().map(String::as_str));
    let mut command = boat.run_command("--rm", &inside);
    // The container's stack is as small as the shell's that starts it.
    let limited = |command: &std::process::Command| {
        let mut shell = support::command("sh");
        shell
            .args(["-c", "ulimit -s 4096; exec \"$@\"", "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        shell
    };
    let ran = crate::kit::Ran::of(&mut limited(&mut command));
    // Our own words and theirs need the same room, so the shell may say it first.
    assert_eq!(ran.code, 126, "{ran:?}");
}

#[test]
fn l32_without_a_command_there_is_nothing_to_run() {
    let Some(image) = Image::busybox(json!({})) else { return };
    let Some(boat) = Boat::with(&image) else { return };
    let error = boat.run("", &[]).failed(125, "no command specified");
    assert_eq!(error, "coracle: no command specified\n");
    boat.assert_no_container();
    boat.run("", &["true"]).ok();
}

#[test]
fn failing_before_the_command_is_125_with_one_line() {
    let Some(boat) = Boat::new() else { return };
    let missing = "--rm --mount type=bind,src=/not/there,dst=/x";
    boat.run(missing, &["true"]).failed(125, "bind source path does not exist: /not/there");
    boat.run("--rm -v /etc:/etc/passwd", &["true"]).failed(125, "a directory cannot be mounted on a file");
    boat.run("--rm --tmpfs /proc/x", &["true"]).failed(125, "/proc/x");
    boat.assert_no_container();
}
