//! What hangs or stays is told and ended, and the host is as it was before.

mod book;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use book::Book;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Background, NotApplicable, Role, not_applicable, wait_until};

/// Whether a process with these words in its command line lives.
fn lives(words: &str) -> bool {
    let command = |pid: Pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let lines = support::processes().into_iter().map(|(pid, _)| command(pid));
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).any(|line| line.contains(words))
}

/// The folder that the page's sessions ran in, as the page wrote it down outside.
fn folder_of(book: &Book) -> String {
    fs::read_to_string(book.folder().join("bin/where")).unwrap().trim().to_owned()
}

/// A book whose sessions may write into its folder `bin`.
fn telling(session: &str) -> Book {
    let book = Book::session("host$ true");
    let shared = book.folder().join("bin");
    support_open(book.folder());
    support_open(&shared);
    let page = format!("```console\nhost$ pwd > {}/where\n{session}\n```\n", shared.display());
    fs::write(book.page(), page).unwrap();
    book
}

fn support_open(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn a_command_that_hangs_is_told_and_ended() {
    let book = telling("host$ true");
    let page = fs::read_to_string(book.page()).unwrap();
    let page =
        page.replace("console", "console,limit=2").replace("host$ true", "host$ echo first; sleep 40001");
    fs::write(book.page(), page).unwrap();
    let start = Instant::now();
    let answer = book.check();
    answer.is_one_line("src/page.md:3: `echo first; sleep 40001`: did not end within 2 s; it printed: first; the page was not run any further");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(!lives("sleep 40001") && !Path::new(&folder_of(&book)).exists());
}

#[test]
fn a_process_that_stays_is_told_with_its_command_and_ended() {
    // A session of its own, ignoring every polite signal, an orphan: all the ways to get away.
    let book = telling(
        "host$ (trap '' HUP TERM INT; setsid sh -c \"trap '' HUP TERM; sleep 40002\" &)\nhost$ echo more\nmore",
    );
    let answer = book.check();
    assert!(!answer.well && !lives("sleep 40002"), "{answer:?}");
    let told = |line: &str| {
        line.starts_with("src/page.md:3: left a process behind: ") && line.contains("sleep 40002")
    };
    assert!(answer.problems.lines().all(told) && !answer.problems.is_empty(), "{answer:?}");
    assert!(!Path::new(&folder_of(&book)).exists());
}

#[test]
fn a_process_that_ends_soon_by_itself_is_fine() {
    Book::session("host$ (sleep 1 &)").check().is_well();
}

#[test]
fn a_mount_that_stays_is_told_and_undone_and_never_on_the_host() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let treasure = tempfile::tempdir().unwrap();
    fs::write(treasure.path().join("gold"), "").unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let page = format!(
        "```console,root\nhost# mkdir m\nhost# mount --bind {} m\nhost# ls m\ngold\n```\n",
        treasure.path().display()
    );
    let answer = Book::new(&page).check();
    let expected = answer
        .problems
        .strip_prefix("src/page.md:3: left a mount behind: /")
        .is_some_and(|rest| rest.ends_with("/page/m\n"));
    assert!(!answer.well && expected, "{answer:?}");
    assert!(treasure.path().join("gold").exists(), "the folder was removed through the mount");
    assert_eq!(mounts, fs::read_to_string("/proc/self/mountinfo").unwrap());
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let book = telling("host$ (setsid sleep 40003 &)\nhost$ sleep 40004");
        let mut run = Background::spawn(&mut book.command(&["--check"])).unwrap();
        wait_until("the page's last command runs", Duration::from_secs(20), || lives("sleep 40004"));
        kill(run.pid(), signal).unwrap();
        wait_until("the run ends", Duration::from_secs(10), || run.child().try_wait().unwrap().is_some());
        assert!(!lives("sleep 40003") && !lives("sleep 40004"));
        assert!(!Path::new(&folder_of(&book)).exists());
    }
}

#[test]
fn files_of_other_owners_and_closed_folders_go_too() {
    let book = telling("host$ mkdir -p a/b; touch a/b/c; chmod 0 a/b; chmod 500 a");
    book.check().is_well();
    assert!(!Path::new(&folder_of(&book)).exists());
}
