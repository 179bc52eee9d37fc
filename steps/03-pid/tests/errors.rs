//! The dialogue when a part fails: each side's error reaches the host, and nothing is left.

mod common;

use common::{end, step03, told, walls};
use support::{command, not_run, program};

#[test]
fn an_error_on_the_host_is_told() {
    insta::assert_snapshot!(told(&mut walls(&["host:error", "--", "echo", "hello"])), @"
    step03-walls: the wall fell over (host)
    => 125
    ");
}

#[test]
fn a_part_that_no_wall_has_is_told() {
    insta::assert_snapshot!(told(&mut walls(&["insde:panic", "--", "echo", "hello"])), @r#"
    step03-walls: a wall has no part "insde"
    => 125
    "#);
}

#[test]
fn an_error_in_the_container_is_told_by_the_host() {
    insta::assert_snapshot!(told(&mut walls(&["inside:error", "--", "echo", "hello"])), @"
    step03-walls: the wall fell over (inside)
    => 125
    ");
}

#[test]
fn an_error_just_before_the_command_is_told_by_the_host() {
    insta::assert_snapshot!(told(&mut walls(&["process:error", "--", "echo", "hello"])), @"
    step03-walls: the wall fell over (process)
    => 125
    ");
    insta::assert_snapshot!(told(&mut walls(&["init", "process:error", "--", "echo", "hello"])), @"
    step03-walls: the wall fell over (process)
    => 125
    ");
    insta::assert_snapshot!(told(&mut walls(&["process-host:error", "--", "echo", "hello"])), @"
    step03-walls: the wall fell over (process-host)
    => 125
    ");
}

#[test]
fn an_error_between_the_gates_is_told() {
    insta::assert_snapshot!(told(&mut walls(&["ready:error", "--", "sleep", "1000"])), @"
    step03-walls: the wall fell over (ready)
    => 125
    ");
}

#[test]
fn an_error_keeps_its_context_and_its_errno() {
    insta::assert_snapshot!(told(&mut walls(&["inside:ioerror"])), @"
    step03-walls: cannot read /nonexistent: ENOENT: No such file or directory
    => 125
    ");
    insta::assert_snapshot!(told(&mut walls(&["host:ioerror"])), @"
    step03-walls: cannot read /nonexistent: ENOENT: No such file or directory
    => 125
    ");
}

#[test]
fn an_error_of_any_length_arrives() {
    let said = end(&mut walls(&["inside:long-error"]));
    assert_eq!(said.code, 125);
    assert!(said.stderr.starts_with("step03-walls: xxxx") && said.stderr.len() > 10_000);
}

#[test]
fn a_panic_in_the_container_is_an_error_like_any_other() {
    for part in ["inside:panic", "process:panic"] {
        // With it, a backtrace would be printed by whoever panics.
        let said = end(walls(&[part, "--", "echo", "hello"]).env("RUST_BACKTRACE", "1"));
        assert_eq!(said.code, 125, "{said:?}");
        assert_eq!(said.stdout, "");
        let now = part.split(':').next().unwrap();
        let [first, second] = said.stderr.lines().collect::<Vec<_>>()[..] else { panic!("{said:?}") };
        assert!(
            first.starts_with("step03-walls: the container's side panicked at steps/03-pid/tests/"),
            "{first}"
        );
        assert_eq!(second, format!("the wall fell on its builder ({now})"));
    }
}

#[test]
fn walls_after_a_failed_one_are_not_built() {
    insta::assert_snapshot!(told(&mut walls(&["each:one", "host:error", "each:two"])), @"
    host one
    drop one, the container is gone
    step03-walls: the wall fell over (host)
    => 125
    ");
    insta::assert_snapshot!(told(&mut walls(&["each:one", "inside:error", "inside:panic"])), @"
    host one
    inside one
    drop one, the container is gone
    step03-walls: the wall fell over (inside)
    => 125
    ");
}

#[test]
fn a_filter_that_forbids_clone3_is_named() {
    let Some(strace) = program("strace") else {
        return not_run("strace is missing: apt-get install strace");
    };
    let step03 = step03(&["true"]);
    let mut filtered = command(strace);
    filtered.args(["-qq", "-o", "/dev/null", "-e", "inject=clone3:error=ENOSYS"]);
    filtered.arg(step03.get_program()).args(step03.get_args());
    insta::assert_snapshot!(told(&mut filtered), @"
    step03: cannot clone a process into new namespaces (uts, ipc, pid): ENOSYS: Function not implemented: a filter of system calls (seccomp) hides it
    inside of a container: start that one with --security-opt seccomp=unconfined
    => 125
    ");
}
