//! The trees of an overlay, `TREE NAME KIND` a line: first what is seen, then the layers from the top down. The kinds
//! are those of `find -printf %y`: f, d, and c for a whiteout.

use super::drawing::{Drawing, Pen, WIDTH};
use super::{Printed, list};

/// Draws a row for each tree and a column for each name.
pub fn draw(printed: &[Printed]) -> Result<Drawing, String> {
    let mut found = Vec::new();
    let (mut trees, mut names): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for line in printed.iter().flat_map(|printed| &printed.lines) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [tree, name, kind @ ("f" | "d" | "c")] = words[..] else {
            return Err(format!("{line:?} is no tree, name and kind"));
        };
        found.push((tree, name, kind));
        if !trees.contains(&tree) {
            trees.push(tree);
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if trees.len() < 2 {
        return Err("an overlay has two trees at least: what is seen, and a layer".into());
    }
    names.sort_unstable();
    let kind = |tree: &str, name: &str| {
        found.iter().find(|(a, b, _)| *a == tree && *b == name).map(|(.., kind)| *kind)
    };
    let mut drawing = Drawing::new("One tree out of several");
    let (column, height) = ((WIDTH - 66) / names.len() as u32, 62);
    let top = |row: usize| 4 + row as u32 * height;
    for (row, tree) in trees.iter().enumerate() {
        drawing.word((4, top(row) + 26), 56, tree);
        let (y, bottom) = (top(row), top(row) + 44);
        drawing.path(&format!("M62 {y}H{}V{bottom}H62Z", WIDTH - 2), Pen::Broken);
        let in_it: Vec<String> =
            names.iter().filter_map(|name| Some(format!("{name}{}", meaning(kind(tree, name)?)))).collect();
        let in_it: Vec<&str> = in_it.iter().map(String::as_str).collect();
        drawing.say(format!("In {tree}: {}.", list(&in_it)));
    }
    for (index, name) in (0..).zip(&names) {
        let x = 68 + index * column;
        let (width, middle) = (column - 10, x + (column - 10) / 2);
        let layers: Vec<usize> = (1..trees.len()).filter(|row| kind(trees[*row], name).is_some()).collect();
        let uppermost = layers.first().copied();
        for row in (0..trees.len()).filter(|row| kind(trees[*row], name).is_some()) {
            // What is in the upper layer, or comes from it, is new.
            let is_new = row == 1 || row == 0 && uppermost == Some(1);
            let pen = if is_new { Pen::Thick } else { Pen::Thin };
            let text = match kind(trees[row], name) {
                Some("c") => "0, 0".to_owned(),
                Some("d") => format!("{name}/"),
                _ => (*name).to_owned(),
            };
            drawing.frame((x, top(row) + 10), (width, 24), pen, &text);
        }
        // Lines go up from each layer to what is above it: to a file there, or to what is seen.
        for (at, row) in layers.iter().enumerate() {
            let above = if at > 0 { layers[at - 1] } else { 0 };
            let (from, to) = (top(*row) + 10, top(above) + 34);
            if at > 0 || kind(trees[0], name).is_some() {
                drawing.path(&format!("M{middle} {from}V{to}"), Pen::Thin);
            }
            if above == 0 && kind(trees[0], name).is_some() {
                drawing.path(
                    &format!("M{} {}L{middle} {to}L{} {}", middle - 4, to + 7, middle + 4, to + 7),
                    Pen::Thin,
                );
            }
        }
        let seen = match (uppermost, kind(trees[0], name)) {
            (Some(row), None) => format!("{name} is hidden by the whiteout in {}.", trees[row]),
            (Some(row), Some("d")) if layers.len() > 1 => {
                format!("{name} joins all of its layers, {} first.", trees[row])
            }
            (Some(row), _) => format!("{name} is seen as {} has it.", trees[row]),
            (None, _) => return Err(format!("{name} is seen and is in no layer")),
        };
        drawing.say(seen);
    }
    Ok(drawing)
}

fn meaning(kind: &str) -> &'static str {
    match kind {
        "c" => " (a whiteout)",
        "d" => " (a directory)",
        _ => "",
    }
}
