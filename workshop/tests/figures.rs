//! Figures are drawn from what the sessions of their page print, and from nothing else.

mod book;

use book::Book;

/// A session that prints these lines, and a figure that is drawn from it.
fn page(kind: &str, printed: &str) -> String {
    let lines = printed;
    format!(
        "```console,name=it\nhost$ cat <<'END'\n{}> END\n{lines}```\n\n<figure data-draw=\"{kind}\" data-from=\"it\">\n<figcaption>Look.</figcaption>\n</figure>\n",
        lines.lines().map(|line| format!("> {line}\n")).collect::<String>()
    )
}

/// What is drawn from these lines.
fn drawn(kind: &str, printed: &str) -> String {
    let book = Book::new(&page(kind, printed));
    let answer = book.check();
    let stale = "this figure is not what its session prints any more: cargo workshop book --fix draws it";
    assert!(!answer.well && answer.problems.contains(stale), "{answer:?}");
    book.run(&["--fix"]).is_well();
    book.check().is_well();
    book.text().split_once("<figure").unwrap().1.to_owned()
}

const TREES: &str =
    "merged list f\nupper list f\nupper pin c\nimage big f\nimage list f\nimage pin f\nmerged big f\n";

#[test]
fn layers_are_drawn_from_their_files() {
    let figure = drawn("layers", TREES);
    for sentence in [
        "In upper: list and pin (a whiteout).",
        "big is seen as image has it.",
        "list is seen as upper has it.",
        "pin is hidden by the whiteout in upper.",
    ] {
        assert!(figure.contains(sentence), "{sentence}\n{figure}");
    }
    // Another tree is another picture.
    assert_ne!(figure, drawn("layers", &TREES.replace("upper pin c\n", "merged pin f\n")));
}

#[test]
fn a_session_that_prints_something_else_needs_another_figure() {
    let book = Book::new(&page("layers", TREES));
    book.run(&["--fix"]).is_well();
    let changed = book.text().replace("pin", "pan");
    let figure = book.text().split_once("<figure").unwrap().1.to_owned();
    let stale = format!("{}<figure{figure}", changed.split_once("<figure").unwrap().0);
    Book::new(&stale).check().is_one_line(
        "src/page.md:20: this figure is not what its session prints any more: cargo workshop book --fix draws it",
    );
}

#[test]
fn namespaces_are_drawn_from_the_table() {
    let figure = drawn(
        "namespaces",
        "namespace    outside      inside\nuts       4026531838  4026532176  new     host name <box>\nnet       4026531840  4026531840  shared\n",
    );
    assert!(figure.contains("one frame reaches across: net."), "{figure}");
    assert!(figure.contains("a frame of its own: uts (host name &lt;box&gt;)."), "{figure}");
    assert_eq!(figure.matches("<rect").count(), 3, "{figure}");
}

#[test]
fn mounts_ids_processes_and_packets_are_drawn() {
    let figure = drawn("mounts", "20 /\n21 /proc\n30 box\n31 box/proc\n");
    assert!(figure.contains("it: / is 20, /proc is 21, box is 30 and box/proc is 31."), "{figure}");
    let figure = drawn("ids", "0 1000 1\n1 100000 65536\n");
    assert!(figure.contains("1 to 65536 inside are 100000 to 165535 outside."), "{figure}");
    let figure = drawn("processes", "sh 40 41 1\nstep03 30 40\nbash 20 30\n");
    assert!(figure.contains("Children: 41 of 40 and 40 of 30."), "{figure}");
    let figure = drawn("packet", "ip daddr 127.0.0.1 tcp dport 8080 dnat to 10.0.0.2:80\n10.0.0.1\n");
    assert!(figure.contains("output: dnat: from 127.0.0.1 to 10.0.0.2:80, to changed."), "{figure}");
    assert!(figure.contains("the container: from 10.0.0.2:80 to 10.0.0.1."), "{figure}");
}

#[test]
fn images_are_drawn_from_their_documents() {
    let figure = drawn(
        "image",
        "{\"manifests\": [{\"digest\": \"sha256:a\", \"annotations\": {\"org.opencontainers.image.ref.name\": \"one\"}}], \
         \"config\": {\"digest\": \"sha256:b\"}, \"layers\": [{\"digest\": \"sha256:c\"}], \"rootfs\": {\"diff_ids\": [\"sha256:d\"]}}\n",
    );
    assert!(
        figure.contains("index.json has the name one and leads to the manifest by its digest a."),
        "{figure}"
    );
    assert!(figure.contains("its diff_id d."), "{figure}");
}

#[test]
fn what_cannot_be_drawn_is_told() {
    for (kind, printed, why) in [
        ("cake", "x\n", "what is known is namespaces, processes, mounts, ids, packet, image, layers"),
        ("namespaces", "x\n", "no table of `observe`"),
        ("processes", "x\n", "\"x\" is no name, parent, number and number inside"),
        ("processes", "sh 1 2\n", "no process has a number inside"),
        ("mounts", "x\n", "\"x\" is no number and path of a mount"),
        ("ids", "x\n", "no id map: three columns are wanted"),
        ("packet", "dnat\n", "no rule with `dnat to` is printed"),
        (
            "packet",
            "ip daddr 127.0.0.1 dnat to 10.0.0.2:80\n",
            "the rule has no dport: ip daddr 127.0.0.1 dnat to 10.0.0.2:80",
        ),
        ("image", "{}\n", "no document has /manifests/0/annotations/org.opencontainers.image.ref.name"),
        ("layers", "merged x f\n", "an overlay has two trees at least: what is seen, and a layer"),
        ("layers", "merged x f\nupper y f\n", "x is seen and is in no layer"),
    ] {
        let lines = printed.lines().count();
        let place = 6 + 2 * lines;
        Book::new(&page(kind, printed))
            .check()
            .is_one_line(&format!("src/page.md:{place}: cannot draw {kind}: {why}"));
    }
    let cases = [
        (
            "<svg viewBox=\"0 0 1 1\"></svg>\n",
            "this is drawn by hand: <figure data-draw=\"KIND\" data-from=\"SESSION\"> is drawn from what a session prints",
        ),
        (
            "<figure data-draw=\"ids\" data-from=\"it\">\n</figure>\n",
            "this figure has no <figcaption>, which says what to look at",
        ),
        (
            "<figure data-draw=\"ids\" data-from=\"it\">\n<figcaption>x</figcaption>\n</figure>\n",
            "cannot draw ids: the page has no session with name=it",
        ),
        (
            "<figure data-draw=\"ids\">\n<figcaption>x</figcaption>\n</figure>\n",
            "cannot draw ids: data-from names no session that prints something",
        ),
    ];
    for (page, why) in cases {
        Book::new(page).check().is_one_line(&format!("src/page.md:1: {why}"));
    }
    // What a block shows is text.
    Book::new("```text\n<svg>\n```\n").check().is_well();
}
