//! The order of the dialogue: walls as they were added, on both sides; taken down in reverse, and
//! only after the container is gone.

mod common;

use std::thread::sleep;
use std::time::Duration;

use common::{Host, end, told, walls};
use support::{command_name, is_alive};

#[test]
fn walls_are_built_in_order_and_taken_down_in_reverse_after_the_container() {
    insta::assert_snapshot!(told(&mut walls(&["each:one", "each:two", "--", "echo", "the command runs"])), @"
    host one
    host two
    inside one
    inside two
    the command runs
    drop two, the container is gone
    drop one, the container is gone
    => 0
    ");
}

#[test]
fn all_of_the_hosts_part_comes_before_all_of_the_containers() {
    // `process` walls come last on each side, wherever they were added.
    let said = told(&mut walls(&["process-host:panic", "host:error"]));
    assert!(said.contains("the wall fell over (host)"), "{said}");
}

#[test]
fn walls_are_taken_down_after_an_error_too() {
    insta::assert_snapshot!(told(&mut walls(&["each:one", "process:error"])), @"
    host one
    inside one
    drop one, the container is gone
    step03-walls: the wall fell over (process)
    => 125
    ");
    insta::assert_snapshot!(told(&mut walls(&["each:one", "--", "no-such-command"])), @"
    host one
    inside one
    drop one, the container is gone
    step03-walls: cannot run no-such-command: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    => 127
    ");
}

#[test]
fn nothing_runs_before_the_second_go() {
    let mut host = Host::start(&mut walls(&["ready:pause", "--", "echo", "the command runs"]));
    host.says("ready paused");
    // For long it is complete, and still our own program.
    let container = host.container();
    sleep(Duration::from_millis(200));
    assert_eq!(command_name(container).as_deref(), Some("step03-walls"));
    assert!(is_alive(container));
    host.go_on();
    assert_eq!(host.end().stdout, "the command runs\n");
}

#[test]
fn a_container_without_a_command_is_its_walls() {
    insta::assert_snapshot!(told(&mut walls(&["return", "each:one", "--", "echo", "not run"])), @"
    host one
    inside one
    drop one, the container is gone
    => 0
    ");
}

#[test]
fn what_a_wall_prints_is_printed_once() {
    for words in
        [&["inside:print"][..], &["process:print"], &["process:print", "return"], &["inside:print", "init"]]
    {
        let words = [words, &["--", "true"]].concat();
        let said = end(&mut walls(&words)).stdout;
        assert_eq!(said.matches("printed without a newline").count(), 1, "{words:?}: {said}");
    }
}

#[test]
fn the_answer_to_the_exercise_makes_the_command_nice() {
    insta::assert_snapshot!(told(&mut walls(&["nice:19", "--", "nice"])), @"
    19
    => 0
    ");
}
