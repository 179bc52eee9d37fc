//! The glossary of the book: in order, and each word is on the page that it is said to be on.

use std::fs;
use std::path::Path;

/// What is wrong with a glossary, whose pages are in `folder`.
fn wrong(glossary: &str, folder: &Path) -> Vec<String> {
    let entries: Vec<&str> = glossary.split("\n\n").filter(|entry| entry.starts_with("**")).collect();
    let mut wrong = Vec::new();
    let mut last = String::new();
    for entry in entries {
        let words = entry[2..].split(".**").next().unwrap().to_lowercase();
        if words < last {
            wrong.push(format!("{words} stands behind {last}"));
        }
        let Some(page) = entry.rsplit_once("](").and_then(|(_, rest)| rest.strip_suffix(')')) else {
            wrong.push(format!("{words}: it ends with no page"));
            continue;
        };
        let text = fs::read_to_string(folder.join(page)).unwrap_or_default().to_lowercase();
        for word in words.split(", ").filter(|word| !text.contains(word)) {
            wrong.push(format!("{word} is not on {page}"));
        }
        last = words;
    }
    wrong
}

#[test]
fn words_are_in_order_and_on_their_pages() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src");
    let glossary = fs::read_to_string(book.join("glossary.md")).unwrap();
    assert_eq!(wrong(glossary.trim_end(), &book), [""; 0]);
}

#[test]
fn a_wrong_glossary_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.md"), "A box, and a **cell**.").unwrap();
    let said = |text: &str| wrong(text, folder.path());
    assert_eq!(said("**Box.** A thing. [A](a.md)\n\n**Cell.** [A](a.md)"), [""; 0]);
    assert_eq!(said("**Cell.** [A](a.md)\n\n**Box.** [A](a.md)"), ["box stands behind cell"]);
    assert_eq!(said("**Box, lid.** [A](a.md)"), ["lid is not on a.md"]);
    assert_eq!(said("**Box.** A thing."), ["box: it ends with no page"]);
}
