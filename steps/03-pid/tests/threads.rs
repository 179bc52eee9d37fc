//! A process with threads must not clone: a lock that another thread holds would stay locked.

mod common;

use common::{told, walls};

#[test]
fn a_process_with_threads_is_refused() {
    insta::assert_snapshot!(told(&mut walls(&["thread", "--", "echo", "hello"])), @"
    step03-walls: cannot clone a process that has 2 threads
    => 125
    ");
}

#[test]
fn a_thread_that_was_joined_is_no_obstacle() {
    // The kernel may still list it for a moment: one try in three failed without the wait.
    for _ in 0..50 {
        assert_eq!(told(&mut walls(&["joined-thread", "--", "echo", "hello"])), "hello\n=> 0");
    }
}
