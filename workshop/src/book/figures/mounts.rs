//! Tables of mounts at some moments of one mount namespace: `NUMBER PATH` a line, sorted by path. Each session is a
//! moment, named by its block.

use super::drawing::{Drawing, Pen, WIDTH};
use super::{Printed, list, shown};

/// Draws the tables side by side. A mount keeps its number wherever it hangs; those that the first table
/// does not have are new.
pub fn draw(printed: &[Printed]) -> Result<Drawing, String> {
    let mut drawing = Drawing::new("The table of mounts, from moment to moment");
    let tables = printed.iter().map(rows).collect::<Result<Vec<_>, _>>()?;
    let old = &tables[0];
    let column = WIDTH / tables.len() as u32;
    drawing.say("Trees of mounts. Each mount has its number, which it keeps where it is moved.");
    for (index, (table, printed)) in (0..).zip(tables.iter().zip(printed)) {
        let x = 4 + index * column;
        drawing.word((x, 14), column - 8, &format!("{}. {}", index + 1, printed.block));
        let mut said = Vec::new();
        for (row, (number, path)) in (0..).zip(table) {
            let parent = parent(table, path);
            let depth = depth(table, path);
            let y = 24 + row * 28;
            let pen = if old.iter().any(|(known, _)| known == number) { Pen::Thin } else { Pen::Thick };
            let left = x + depth * 18;
            let name = match parent {
                Some(above) if above != "/" => path.strip_prefix(above).unwrap_or(path),
                _ => path,
            };
            drawing.frame(
                (left, y),
                (column - 10 - depth * 18, 20),
                pen,
                &format!("{name} ({})", shown(number)),
            );
            if let Some(above) = parent.and_then(|above| table.iter().position(|(_, path)| *path == above)) {
                let trunk = left - 18 + 8;
                drawing.path(&format!("M{trunk} {}V{}H{left}", 44 + above * 28, y + 10), Pen::Thin);
            }
            said.push(format!("{path} is {}", shown(number)));
        }
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        drawing.say(format!("{}: {}.", printed.block, list(&said)));
    }
    Ok(drawing)
}

fn rows(printed: &Printed) -> Result<Vec<(&str, &str)>, String> {
    let row = |line: &'_ String| line.split_once(' ').map(|_| ());
    match printed.lines.iter().find(|line| row(line).is_none()) {
        Some(line) => Err(format!("{line:?} is no number and path of a mount")),
        None => Ok(printed.lines.iter().filter_map(|line| line.split_once(' ')).collect()),
    }
}

/// The mount that this one hangs below: the longest path above it. What is written without its beginning is below the root.
fn parent<'a>(table: &[(&str, &'a str)], path: &str) -> Option<&'a str> {
    let above = |other: &&str| match *other {
        "/" => path != "/",
        other => path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/')),
    };
    table.iter().map(|(_, other)| *other).filter(above).max_by_key(|other| other.len())
}

fn depth(table: &[(&str, &str)], path: &str) -> u32 {
    parent(table, path).map_or(0, |above| 1 + depth(table, above))
}
