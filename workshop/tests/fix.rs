//! `--fix` writes what appeared, and keeps what the author wrote for what varies.

mod book;

use std::fs;

use book::Book;

#[test]
fn output_is_written_and_a_second_time_nothing_changes() {
    let page = "Text.\n\n```console\nhost$ echo one; echo two\nhost$ true\nwrong\nother$ echo three\n```\n\n1. List\n\n   ```console\n   host$ printf 'a\\n\\nb\\n'\n   ```\nEnd.\n";
    let book = Book::new(page);
    let answer = book.run(&["--fix"]);
    answer.is_well();
    assert!(answer.out.starts_with("src/page.md:5: rewritten\n"), "{answer:?}");
    let fixed = "Text.\n\n```console\nhost$ echo one; echo two\none\ntwo\nhost$ true\nother$ echo three\nthree\n```\n\n1. List\n\n   ```console\n   host$ printf 'a\\n\\nb\\n'\n   a\n\n   b\n   ```\nEnd.\n";
    assert_eq!(book.text(), fixed);
    book.run(&["--fix"]).is_well();
    assert_eq!(book.text(), fixed);
    book.check().is_well();
}

#[test]
fn wildcards_that_still_match_are_kept() {
    let session =
        |output: &str| format!("```console\nhost$ echo pid $$; seq 1 9; echo end; echo new\n{output}\n```\n");
    let book = Book::new(&session("pid [pid]\n1\n...\n9\nend\nold"));
    book.run(&["--fix"]).is_well();
    assert_eq!(book.text(), session("pid [pid]\n1\n...\n9\nend\nnew"));
}

#[test]
fn wildcards_that_match_everything_give_way() {
    let book = Book::new("```console\nhost$ echo one; echo two\n...\n```\n");
    book.run(&["--fix"]).is_well();
    assert_eq!(book.text(), "```console\nhost$ echo one; echo two\none\ntwo\n```\n");
}

#[test]
fn what_a_page_cannot_print_is_told_and_not_written() {
    for (command, why) in [
        ("echo 'host$ id'", "has a line that looks like a prompt: host$ id"),
        ("echo '```'", "has a line that would end the block"),
        ("echo '> x'", "starts like a continued command, with `>`"),
    ] {
        let book = Book::session(&format!("host$ {command}"));
        let before = book.text();
        book.run(&["--fix"]).is_one_line(&format!("src/page.md:2: the output of `{command}` {why}"));
        assert_eq!(book.text(), before);
    }
}

#[test]
fn differences_between_steps_are_generated() {
    let book = Book::new("```diff,step=2\n```\n");
    for (step, text) in [
        ("01-unshare", "fn main() {\n    one();\n}\n"),
        ("02-uts", "fn main() {\n    // ANCHOR: x\n    one();\n    two();\n}\n"),
    ] {
        let folder = book.folder().join("steps").join(step).join("src");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("main.rs"), text).unwrap();
    }
    fs::write(book.folder().join("Cargo.toml"), "").unwrap();
    let stale = "src/page.md:1: this difference is not that of the steps any more: cargo workshop book --fix writes it";
    book.check().is_one_line(stale);
    book.run(&["--fix"]).is_well();
    let difference = "--- steps/01-unshare/src/main.rs\n+++ steps/02-uts/src/main.rs\n@@ -1,3 +1,4 @@\n fn main() {\n     one();\n+    two();\n }\n";
    assert_eq!(book.text(), format!("```diff,step=2\n{difference}```\n"));
    book.check().is_well();
    let printed = support::command(env!("CARGO_BIN_EXE_workshop"))
        .args(["diff", "2"])
        .current_dir(book.folder())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&printed.stdout), difference);
}
