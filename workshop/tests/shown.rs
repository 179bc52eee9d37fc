//! Whatever a chapter leaves out of its step's code, or prints a second time, is told.

mod book;

use std::fs;

use book::Book;

const CODE: &str = "\
//! A head.

use std::fs::{
    self, File,
};
mod part;

// ANCHOR: one
fn one() {
    // ANCHOR: inner
    two();
    // ANCHOR_END: inner
}
// ANCHOR_END: one

fn left_out() {
    let a = 1;

    let b = 2;
}
// ANCHOR: three
fn three() {}
// ANCHOR_END: three

#[cfg(test)]
mod tests {
    fn four() {}
}
";

/// A chapter that prints these anchors of its step's only file, or links what else is said.
fn chapter(number: u8, code: &str, anchors: &[&str], text: &str) -> Book {
    let mut page = "```console\nhost$ true\n```\n".to_owned();
    for anchor in anchors {
        page +=
            &format!("```rust,ignore\n{{{{#include ../steps/{number:02}-x/src/lib.rs:{anchor}}}}}\n```\n");
    }
    let book = Book::named(&format!("{number:02}-x.md"), &(page + text));
    let source = book.folder().join(format!("steps/{number:02}-x/src"));
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("lib.rs"), code).unwrap();
    book
}

#[test]
fn what_no_page_shows_is_told_with_its_lines() {
    let book = chapter(2, CODE, &["one", "three"], "");
    book.check().is_one_line("steps/02-x/src/lib.rs:16: no page shows the lines from here to 19");
    let answer = book.run(&["--unshown"]);
    assert!(!answer.well, "{answer:?}");
}

#[test]
fn what_is_shown_twice_is_told() {
    let code = CODE.replace("fn left_out() {\n    let a = 1;\n\n    let b = 2;\n}\n", "");
    chapter(2, &code, &["one", "three"], "").check().is_well();
    let book = chapter(2, &code, &["one", "inner", "three"], "");
    book.check().is_one_line("src/02-x.md:8: line 11 of lib.rs is shown again: 02-x.md:5 shows it too");
}

#[test]
fn of_step_07_a_link_is_enough() {
    let problem = "steps/07-x/src/lib.rs:1: no page shows or links this file";
    let book = chapter(7, CODE, &[], "");
    book.check().is_one_line(problem);
    let listed = book.run(&["--unshown"]).out;
    assert!(listed.contains(&format!("{problem}\n")), "{listed}");
    chapter(7, CODE, &[], "[all of it](../steps/07-x/src/lib.rs)\n").check().is_well();
}
