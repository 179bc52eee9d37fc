//! What hangs or stays is told and ended, and the host is as it was before.

mod book;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use book::Book;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Background, NotApplicable, Role, not_applicable, not_run, wait_until};

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
    open_to_all(book.folder());
    open_to_all(&shared);
    let page = format!("```console\nhost$ pwd > {}/where\n{session}\n```\n", shared.display());
    fs::write(book.page(), page).unwrap();
    book
}

fn open_to_all(folder: &Path) {
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
fn on_a_slow_machine_a_command_may_take_longer() {
    let book = Book::new("```console,limit=1\nhost$ sleep 1.5; echo at last\nat last\n```\n");
    let hurried = book.check();
    assert!(hurried.problems.contains("did not end within 1 s"), "{hurried:?}");
    book.run(&["--check", "--patience", "4"]).is_well();
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
        let mut run = Background::spawn(book.command(&["--check"]).stderr(Stdio::null())).unwrap();
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

#[test]
fn files_of_subordinate_ids_go_too() {
    match Role::here() {
        Role::Root => return not_applicable(NotApplicable::NeedsUser),
        Role::RootInUserNamespace => return not_applicable(NotApplicable::NoSecondId),
        Role::User => {}
    }
    let range = "unshare --user --map-auto --map-root-user";
    let works = support::command("sh").args(["-c", &format!("{range} true")]).output().unwrap();
    if !works.status.success() {
        return not_run(
            "no range of subordinate ids: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME",
        );
    }
    let book = telling(&format!("host$ {range} sh -c 'mkdir d; touch d/x; chown 5:5 d d/x; chmod 700 d'"));
    book.check().is_well();
    assert!(!Path::new(&folder_of(&book)).exists());
}

#[test]
fn a_command_that_prints_without_end_is_told_and_ended() {
    let answer = Book::session("host$ yes 40005").check();
    answer.is_one_line("src/page.md:2: `yes 40005`: prints without end; the page was not run any further");
    assert!(!lives("yes 40005"));
}

#[test]
fn another_host_name_is_told_and_taken_back() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    // In a UTS namespace of its own: other tests run on this host too.
    let book = Book::new("```console,root\nhost# hostname box\n```\n");
    let check = book.command(&["--check"]);
    let mut inside = support::command("unshare");
    inside
        .arg("--uts")
        .args(["sh", "-c", "hostname before; \"$@\"; hostname", "sh"])
        .arg(check.get_program());
    let output = inside.args(check.get_args()).current_dir(book.folder()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "src/page.md:2: left the host with the name box\n");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\nbefore\n"), "{output:?}");
}
