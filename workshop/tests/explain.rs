//! `explain` as it is asked, and the page that is made from the same table.

mod book;

use std::fs;
use std::path::Path;

use book::Book;

const BEGIN: &str = "<!-- what `cargo workshop explain` knows -->\n";
const END: &str = "\n<!-- end -->";

/// What `explain` prints, and says on stderr.
fn explain(words: &[&str]) -> (String, String) {
    let output =
        support::command(env!("CARGO_BIN_EXE_workshop")).arg("explain").args(words).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.success(), output.stderr.is_empty(), "{output:?}");
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn alone_it_lists_what_it_knows() {
    let (listed, _) = explain(&[]);
    for line in ["pivot_root EINVAL: 6 causes", "exec ENOENT: 4 causes", "uid_map, gid_map EPERM: 4 causes"] {
        assert!(listed.lines().any(|other| other == line), "{line}: {listed}");
    }
}

#[test]
fn a_call_an_errno_or_both_choose() {
    let titles = |words: &[&str]| {
        let (said, _) = explain(words);
        let titles = said.lines().filter(|line| !line.starts_with(' ') && !line.starts_with("To have"));
        titles.filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(titles(&["pivot_root"]), ["pivot_root EINVAL", "pivot_root EBUSY"]);
    assert_eq!(titles(&["pivot_root", "einval"]), ["pivot_root EINVAL"]);
    assert_eq!(titles(&["ENOSYS"]), ["clone3 ENOSYS"]);
    let maps = ["uid_map, gid_map EPERM", "newuidmap, newgidmap, uid_map EPERM, for a range of ids"];
    assert_eq!(titles(&["uid_map", "EPERM"]), maps);
}

#[test]
fn what_is_not_known_is_said_in_one_line_with_a_way_out() {
    let (_, said) = explain(&["fnord"]);
    let expected =
        "cargo workshop: nothing is known of `fnord`\n`cargo workshop explain` alone lists what is\n";
    assert_eq!(said, expected);
    let (_, said) = explain(&["exec", "EIO\x1b"]);
    let expected = "cargo workshop: nothing is known of exec with `EIO\\u{1b}`\n\
        what is known: ENOENT, EACCES, ENOEXEC, E2BIG, ENOTDIR\n";
    assert_eq!(said, expected);
}

#[test]
fn what_it_was_about_is_asked_for_where_it_is_missing() {
    let (said, _) = explain(&["exec", "ENOENT"]);
    assert!(
        said.ends_with("\nTo have all looked at: cargo workshop explain exec ENOENT PROGRAM\n"),
        "{said}"
    );
    let (said, _) = explain(&["exec", "ENOENT", "/no/such/program"]);
    assert_eq!(said.lines().nth(1), Some("  holds    there is no such file"));
    assert_eq!(said.lines().last(), Some("  no       the file is there, but /dev/null is not"));
}

/// The part of a page that is made from the table.
fn made(page: &str) -> &str {
    page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).expect("it has both marks").0
}

#[test]
fn the_page_of_troubleshooting_is_the_table() {
    let book = Book::new(&format!("# Page\n\n{BEGIN}<!-- end -->\n"));
    let stale = "this part is not what the steps' tables say any more: cargo workshop book --fix writes it";
    book.check().is_one_line(&format!("src/page.md:3: {stale}"));
    book.run(&["--fix"]).is_well();
    book.check().is_well();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(folder.join("book/src/troubleshooting.md")).unwrap();
    assert_eq!(made(&page), made(&book.text()));
    // All that is listed has its section.
    let (listed, _) = explain(&[]);
    let sections = made(&page).lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(listed.lines().take_while(|line| !line.is_empty()).count(), sections);
}

#[test]
fn a_page_that_says_something_else_is_told() {
    let book = Book::new(&format!("# Page\n\n{BEGIN}<!-- end -->\n"));
    book.run(&["--fix"]).is_well();
    let right = book.text();
    for (word, other) in [("uname", "arch"), ("| there is no such file |", "| there is a file |")] {
        assert!(right.contains(word));
        fs::write(book.page(), right.replacen(word, other, 1)).unwrap();
        assert!(!book.check().well, "{word}");
        book.run(&["--fix"]).is_well();
        assert_eq!(book.text(), right);
    }
    fs::write(book.page(), right.replace("<!-- end -->", "")).unwrap();
    book.check().is_one_line("src/page.md:3: below this mark stands no <!-- end -->");
}

#[test]
fn that_nobody_reads_it_is_no_error() {
    for words in [&["explain"][..], &["explain", "EPERM"], &["doctor"], &["diff", "3"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut workshop = support::command(env!("CARGO_BIN_EXE_workshop"));
        let output = workshop.args(words).stdout(writer).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert_ne!(output.status.code(), Some(101), "{words:?}");
    }
}
