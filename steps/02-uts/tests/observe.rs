//! `step02 --observe`: what is new, drawn before the command runs.

use support::command;

#[test]
fn the_names_are_new() {
    let mut step02 = command(env!("CARGO_BIN_EXE_step02"));
    let output = step02.args(["--map-root-user", "--hostname", "box", "--observe", "true"]).output().unwrap();
    let table = String::from_utf8(output.stderr).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b\d{10}\b", "[inode]   ");
    settings.add_filter(r"\b\d+ outside", "[id] outside");
    settings.bind(|| {
        insta::assert_snapshot!(table, @"
    namespace    outside      inside
    user      [inode]     [inode]     new     uid 0 is [id] outside
    mnt       [inode]     [inode]     shared
    uts       [inode]     [inode]     new     host name box
    ipc       [inode]     [inode]     new     0 message queues, 0 shared memory segments
    net       [inode]     [inode]     shared
    pid       [inode]     [inode]     shared
    cgroup    [inode]     [inode]     shared
    time      [inode]     [inode]     shared
    ")
    });
    assert_eq!(output.status.code(), Some(0));
}
