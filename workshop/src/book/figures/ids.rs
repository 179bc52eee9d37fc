//! An id map, as `/proc/PID/uid_map` prints it: first inside, first outside, how many.

use super::drawing::{Drawing, Pen};
use super::{Printed, list, shown};

/// Draws the last map that is printed: a pair of frames for each line.
pub fn draw(printed: &[Printed]) -> Result<Drawing, String> {
    let lines = printed.iter().rev().find_map(|printed| {
        let lines = printed.lines.iter().map(|line| line.split_whitespace().map(shown).collect::<Vec<_>>());
        lines.map(<[String; 3]>::try_from).collect::<Result<Vec<_>, _>>().ok()
    });
    let lines = lines.ok_or("no id map: three columns are wanted")?;
    let mut drawing = Drawing::new("An id map");
    drawing.word((4, 14), 120, "inside");
    drawing.word((222, 14), 120, "outside");
    let mut said = Vec::new();
    let mut y = 24;
    for [inside, outside, count] in &lines {
        let height = if count == "1" { 24 } else { 62 };
        for (x, first) in [(4, inside), (222, outside)] {
            drawing.frame((x, y), (134, height), Pen::Thick, "");
            drawing.word((x + 6, y + 16), 124, first);
            if count != "1" {
                drawing.word((x + 6, y + 34), 124, "⋮");
                drawing.word((x + 6, y + 54), 124, &last(first, count));
                drawing.path(&format!("M138 {}H222", y + height - 10), Pen::Thin);
            }
        }
        drawing.path(&format!("M138 {}H222", y + 12), Pen::Thin);
        drawing.word((144, y + 8), 76, &format!("{inside} {outside} {count}"));
        said.push(match count.as_str() {
            "1" => format!("{inside} inside is {outside} outside"),
            _ => format!(
                "{inside} to {} inside are {outside} to {} outside",
                last(inside, count),
                last(outside, count)
            ),
        });
        y += height + 14;
    }
    // Whoever has no line is shown as nobody (/proc/sys/kernel/overflowuid).
    drawing.frame((4, y), (134, 24), Pen::Broken, "65534: nobody");
    drawing.frame((222, y), (134, 24), Pen::Thin, "all others");
    drawing.path(&format!("M138 {}H222", y + 12), Pen::Broken);
    drawing.word((156, y + 8), 60, "no line");
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    drawing.say(format!("Each line of the map joins ids inside with as many outside: {}.", list(&said)));
    drawing.say(
        "All others have no line: inside they are shown as 65534, nobody, and nobody inside can act as them.",
    );
    Ok(drawing)
}

/// The last of `count` ids: a number, or a sum where the numbers vary.
fn last(first: &str, count: &str) -> String {
    match (first.parse::<u32>(), count.parse::<u32>()) {
        (Ok(first), Ok(count)) => (first + count - 1).to_string(),
        (Ok(1), _) => count.into(),
        _ => format!("{first} + {count} − 1"),
    }
}
