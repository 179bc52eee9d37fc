//! The table that `step01 observe` draws.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::sys::prctl;
use nix::unistd::getpid;
use step01_unshare::{Namespaces, ask};
use support::{Background, command, not_run, program};

fn step01(words: &[&str]) -> Command {
    let mut step01 = command(env!("CARGO_BIN_EXE_step01"));
    step01.args(words);
    step01
}

/// Takes out of a table what varies from run to run.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b\d{10}\b", "[inode]   ");
    settings.add_filter(r"\b\d+ outside", "[id] outside");
    settings.add_filter(r"\d+ mounts, / is \w+", "[number] mounts, / is [type]");
    settings.add_filter(r"host name \S+", "host name [name]");
    settings
}

#[test]
fn who_asks_in_there_cannot_be_traced_from_there() {
    let mut holds = Background::spawn(
        step01(&["unshare", "--map-root-user", "--uts", "sh", "-c", "echo there; exec sleep 1000"])
            .stdout(Stdio::piped()),
    )
    .unwrap();
    BufReader::new(holds.child().stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let asked = || Ok(format!("{} {:?}", prctl::get_dumpable()?, nix::unistd::gethostname()?));
    let answer = ask(holds.pid(), Namespaces::UTS, asked).unwrap();
    assert_eq!(answer, format!("false {:?}", nix::unistd::gethostname().unwrap()));
}

#[test]
fn new_namespaces_are_told_from_shared_ones() {
    let mut unshare =
        step01(&["unshare", "--map-root-user", "--uts", "--ipc", "--net", "--mount", "--observe"]);
    let output = unshare.arg("true").output().unwrap();
    let table = String::from_utf8(output.stderr).unwrap();
    settings().bind(|| {
        insta::assert_snapshot!(table, @"
    namespace    outside      inside
    user      [inode]     [inode]     new     uid 0 is [id] outside
    mnt       [inode]     [inode]     new     [number] mounts, / is [type]
    uts       [inode]     [inode]     new     host name [name]
    ipc       [inode]     [inode]     new     0 message queues, 0 shared memory segments
    net       [inode]     [inode]     new     links: lo
    pid       [inode]     [inode]     shared
    cgroup    [inode]     [inode]     shared
    time      [inode]     [inode]     shared
    ")
    });
}

#[test]
fn what_takes_only_children_says_so() {
    let mut unshare = step01(&["unshare", "--map-root-user", "--pid", "--time", "--cgroup", "--observe"]);
    let output = unshare.args(["--fork", "true"]).output().unwrap();
    let table = String::from_utf8(output.stderr).unwrap();
    settings().bind(|| {
        insta::assert_snapshot!(table, @"
    namespace    outside      inside
    user      [inode]     [inode]     new     uid 0 is [id] outside
    mnt       [inode]     [inode]     shared
    uts       [inode]     [inode]     shared
    ipc       [inode]     [inode]     shared
    net       [inode]     [inode]     shared
    pid       [inode]              -  new     for its children only
    cgroup    [inode]     [inode]     new     its own root
    time      [inode]     [inode]     new     for its children only
    ")
    });
}

#[test]
fn without_a_name_it_is_about_itself_beside_its_parent() {
    let table = step01(&["observe"]).output().unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    settings().bind(|| {
        insta::assert_snapshot!(table, @"
    namespace    outside      inside
    user      [inode]     [inode]     shared
    mnt       [inode]     [inode]     shared
    uts       [inode]     [inode]     shared
    ipc       [inode]     [inode]     shared
    net       [inode]     [inode]     shared
    pid       [inode]     [inode]     shared
    cgroup    [inode]     [inode]     shared
    time      [inode]     [inode]     shared
    ")
    });
}

#[test]
fn nobody_looks_out_of_a_user_namespace() {
    let mut inside = step01(&["unshare", "--map-root-user", env!("CARGO_BIN_EXE_step01"), "observe"]);
    let output = inside.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"/proc/\d+", "/proc/[pid]");
    settings.bind(|| {
        insta::assert_snapshot!(said, @"
    step01: cannot read /proc/[pid]/ns/user: EACCES: Permission denied
    only its owner and root may look, and nobody out of a user namespace
    ")
    });
    assert_eq!(output.status.code(), Some(1));
}

/// A process in namespaces that it has changed: a name, a queue.
fn fixture() -> Option<Background> {
    let Some(unshare) = program("unshare") else {
        not_run("unshare is missing: apt-get install util-linux");
        return None;
    };
    let mut unshare = command(unshare);
    unshare.args(["--map-root-user", "--uts", "--ipc", "--net", "--mount", "--cgroup"]);
    unshare.args(["sh", "-c", "hostname fixture; ipcmk -Q; read line; :"]);
    let mut fixture = Background::spawn(unshare.stdin(Stdio::piped()).stdout(Stdio::piped())).unwrap();
    let mut said = String::new();
    BufReader::new(fixture.child().stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("Message queue id:"), "{said}");
    Some(fixture)
}

#[test]
fn of_another_process_it_says_what_proc_says() {
    let Some(fixture) = fixture() else { return };
    let pid = fixture.pid();
    let output = step01(&["observe", &pid.to_string()]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();

    let (outside, inside) = (support::namespaces(getpid()).unwrap(), support::namespaces(pid).unwrap());
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 8, "{table}");
    for row in rows {
        let kind = row[0];
        let word = if outside[kind] == inside[kind] { "shared" } else { "new" };
        assert_eq!(
            row[1..4],
            [outside[kind].to_string(), inside[kind].to_string(), word.to_owned()],
            "{table}"
        );
    }

    let uid = support::uid_map(pid).unwrap()[0];
    let mounts = support::mounts(pid).unwrap().len();
    let links = command("cat").arg(format!("/proc/{pid}/net/dev")).output().unwrap().stdout;
    let links = String::from_utf8(links).unwrap();
    let links: Vec<&str> = links.lines().skip(2).map(|line| line.split(':').next().unwrap().trim()).collect();
    for expected in [
        format!("uid {} is {} outside", uid[0], uid[1]),
        format!("{mounts} mounts, / is "),
        format!("links: {}", links.join(", ")),
        "host name fixture".to_owned(),
        "1 message queues, 0 shared memory segments".to_owned(),
    ] {
        assert!(table.contains(&expected), "{expected} is not in\n{table}");
    }
}
