//! Printed sessions are executed: who types, where, and what is held against what.

mod book;

use book::Book;
use support::{NotApplicable, Role, not_applicable, not_run, program};

#[test]
fn sample_page_is_as_printed() {
    let book = Book::named("01-sample.md", include_str!("pages/sample.md"));
    let answer = book.check();
    answer.is_well();
    let [name, minutes, ..] = answer.out.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{answer:?}")
    };
    assert_eq!((name, minutes), ("01-sample.md", "15"));
}

#[test]
fn each_outer_prompt_has_a_tty_of_its_own() {
    Book::session("one$ tty\n/dev/pts/[number:a]\ntwo$ tty\n/dev/pts/[number:b]").check().is_well();
    let same = Book::session("one$ tty\n/dev/pts/[number:a]\ntwo$ tty\n/dev/pts/[number:a]").check();
    assert!(same.problems.starts_with("src/page.md:4: `tty` did not print what the page says:"), "{same:?}");
}

#[test]
fn a_shell_inside_keeps_the_tty_and_exit_leads_out() {
    let session = "host$ tty\n/dev/pts/[number:a]\nhost$ sh\nhost/in$ tty\n/dev/pts/[number:a]\nhost/in$ X=in\nhost/in$ exit\nhost$ echo x$X\nx";
    Book::session(session).check().is_well();
}

#[test]
fn shells_inside_may_have_a_pty_of_their_own_that_echoes() {
    for name in ["script", "busybox"] {
        if program(name).is_none() {
            return not_run(&format!("{name} is missing: apt install bsdutils busybox-static"));
        }
    }
    Book::new(include_str!("pages/own-pty.md")).check().is_well();
}

#[test]
fn what_differs_is_told_with_line_and_difference() {
    let answer = Book::session("host$ printf 'one\\ntwo\\nfour\\n'\none\ntwo\nthree").check();
    let expected = "src/page.md:2: `printf 'one\\ntwo\\nfour\\n'` did not print what the page says:\n      one\n      two\n    - three\n    + four";
    answer.is_one_line(expected);
}

#[test]
fn output_that_is_not_printed_is_a_difference() {
    let answer = Book::session("host$ true\nhost$ echo surprise").check();
    answer.is_one_line("src/page.md:3: `echo surprise` did not print what the page says:\n    + surprise");
}

#[test]
fn wildcards_stand_for_what_varies_and_for_nothing_else() {
    let cases = [
        ("echo pid 123 of 9", "pid [pid] of [number]", true),
        ("echo pid abc", "pid [pid]", false),
        ("echo sha256:0af9", "sha256:[hex]", true),
        ("echo sha256:xyz", "sha256:[hex]", false),
        ("echo at 2026-11-24T12:00:01Z, 1.25s", "at [time], [time]", true),
        ("echo at noon", "at [time]", false),
        ("echo a b c", "a [..] c", true),
        ("echo a c", "a [..]c", false),
        ("echo [pids]", "[pids]", true),
        ("printf 'a\\nx\\ny\\nb\\n'", "a\n...\nb", true),
        ("printf 'a\\nb\\n'", "a\n...\nb", true),
        ("printf 'a\\nx\\n'", "a\n...\nb", false),
        ("echo 5 5", "[number:a] [number:a]", true),
        ("echo 5 6", "[number:a] [number:a]", false),
        ("echo 5 6", "[number:a] [number:b]", true),
        ("echo 5 5", "[number:a] [number:b]", false),
    ];
    for (command, printed, same) in cases {
        let answer = Book::session(&format!("host$ {command}\n{printed}")).check();
        assert_eq!(answer.well, same, "{command} against {printed}: {answer:#?}");
    }
}

#[test]
fn wildcards_that_match_everything_are_refused() {
    for printed in ["...", "[..]", "...\n[..]", "[..] [..]"] {
        let answer = Book::session(&format!("host$ echo hello world\n{printed}")).check();
        answer.is_one_line(
            "src/page.md:2: the output of `echo hello world` is only wildcards that match everything: it can never be wrong",
        );
    }
}

#[test]
fn root_blocks_run_as_root_or_are_listed_as_not_run() {
    let book =
        Book::new("```console,root\nhost# id -u\n0\n```\n```console\nhost$ id -u | grep -cx 0\n0\n```\n");
    let strict = book.run(&["--check", "--strict"]);
    match Role::here() {
        Role::Root => strict.is_well(),
        Role::User | Role::RootInUserNamespace => {
            assert!(
                !strict.well && strict.out.contains("src/page.md:1: not run: this session needs root"),
                "{strict:?}"
            );
        }
    }
}

#[test]
fn what_a_machine_lacks_is_listed_as_not_run() {
    let book = Book::new(
        "```console,needs=sh\nhost$ echo here\nhere\n```\n```console,needs=sh+no-such-program\nhost$ false\nwrong\n```\n",
    );
    let answer = book.check();
    answer.is_well();
    assert!(answer.out.contains("src/page.md:5: not run: this session needs no-such-program"), "{answer:?}");
    assert!(!book.run(&["--check", "--strict"]).well);
    // Where the program is there, the session can be wrong.
    assert!(!Book::new("```console,needs=sh\nhost$ echo here\nthere\n```\n").check().well);
}

#[test]
fn sessions_of_root_run_as_the_named_user() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    Book::session("host$ whoami; stat -c %U . ~ $(tty)\nnobody\nnobody\nnobody\nnobody").check().is_well();
    let missing = Book::session("host$ whoami").run(&["--check", "--user", "no-such-user"]);
    missing.is_one_line(
        "cargo workshop: there is no user no-such-user to run the sessions as\nname one by --user NAME, or let one be made: --may-change-host",
    );
}

#[test]
fn a_shell_that_does_not_start_is_told_with_what_was_printed() {
    let answer = Book::session("host$ sh -c 'echo sorry; exit 3'\nhost/box# exit").check();
    answer.is_one_line("src/page.md:2: `sh -c 'echo sorry; exit 3'`: started no shell; it printed: sorry; the page was not run any further");
}

#[test]
fn an_unexpected_end_of_the_shell_inside_is_told() {
    let answer = Book::session("host$ sh\nhost/in$ exec true\nhost/in$ echo on\non\nhost/in$ exit").check();
    answer.is_one_line(
        "src/page.md:3: `exec true`: the shell inside has ended; the page was not run any further",
    );
}
