//! The riddle at the start of the step: after `unshare`, the second command cannot be started.

mod common;

use common::{end, told};
use support::{command, not_run, program};

#[test]
fn the_second_command_has_no_process_one_to_live_with() {
    insta::assert_snapshot!(told(&mut command(env!("CARGO_BIN_EXE_step03-by-hand"))), @"
    the first command is process 1
    step03-by-hand: cannot start a command: ENOMEM: Out of memory
    => 125
    ");
}

#[test]
fn the_stock_unshare_has_the_same_riddle() {
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    let script = "/bin/true; /bin/true; echo not reached";
    let said = end(command(unshare).args(["--map-root-user", "--pid", "sh", "-c", script]));
    assert!(said.stderr.contains("annot fork"), "{said:?}");
    assert_eq!(said.stdout, "");
}
