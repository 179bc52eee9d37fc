//! The standard input, output and error of a container without a terminal.

use std::io::Write;
use std::process::Stdio;

use crate::kit::{Boat, Ran};

/// Runs it with this text as its standard input.
fn fed(boat: &Boat, options: &str, inside: &[&str], text: &[u8]) -> Ran {
    let mut command = boat.run_command(options, inside);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read it may have ended before.
    let _ = child.stdin.take().unwrap().write_all(text);
    child.wait_with_output().unwrap().into()
}

#[test]
fn with_i_the_input_is_passed_in() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    assert_eq!(fed(&boat, "--rm -i", &["cat"], b"one\ntwo\n").ok(), "one\ntwo");
    let large: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    assert_eq!(fed(&boat, "--rm -i", &["wc", "-c"], &large).ok(), "3000000");
    assert_eq!(fed(&boat, "--rm -i --init", &["cat"], b"one").ok(), "one");
}

#[test]
fn without_i_the_command_reads_end_of_file() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    assert_eq!(
        fed(&boat, "--rm", &["sh", "-c", "cat; echo end; readlink /proc/self/fd/0"], b"secret").ok(),
        "end\n/dev/null"
    );
}

#[test]
fn output_and_errors_stay_apart() {
    let Some(boat) = Boat::new() else { return };
    let ran = boat.sh("--pull never", "true");
    assert_eq!(ran.code, 125);
    boat.sh("", "true").ok();
    let ran = boat.sh("", "echo out; echo err >&2");
    assert_eq!((&*ran.out, &*ran.err), ("out\n", "err\n"));
}

#[test]
fn i11_output_that_nobody_reads_ends_the_command_and_nothing_else() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let mut command = boat.run_command("--rm", &["yes"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 10];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut some).unwrap();
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_ne!(ran.code, 0);
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    boat.assert_no_container();
}

#[test]
fn input_that_is_closed_is_no_file_of_ours() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for (closed, options) in [("<&-", "-i"), ("<&- >&-", "-i"), ("<&- >&- 2>&-", "-i"), ("<&-", "")] {
        let inside = ["sh", "-c", "(for n in 0 1 2; do readlink /proc/1/fd/$n; done) >/out/seen; true"];
        let out = boat.path("out");
        std::fs::create_dir_all(&out).unwrap();
        let command = boat.run_command(&format!("--rm {options} -v {}:/out", out.display()), &inside);
        let mut shell = support::command("sh");
        shell
            .args(["-c", &format!("exec \"$@\" {closed}"), "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        let status = shell.env("HOME", boat.path("")).status().unwrap();
        assert!(status.success(), "{closed}");
        let seen = std::fs::read_to_string(out.join("seen")).unwrap();
        let seen: Vec<_> = seen.lines().collect();
        assert!(seen.len() == 3, "{closed}: {seen:?}");
        assert!(
            seen.iter().all(|file| *file == "/dev/null" || file.starts_with("pipe:")),
            "{closed}: {seen:?}"
        );
        assert!(!seen.iter().any(|file| file.contains("state")), "{closed}: {seen:?}");
    }
}
