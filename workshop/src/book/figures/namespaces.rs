//! The table of `observe`: what is shared by both sides, and what each has for itself.

use step01_unshare::KINDS;

use super::drawing::{Drawing, Pen};
use super::{Printed, list, shown};

/// Draws the last table that is printed.
pub fn draw(printed: &[Printed]) -> Result<Drawing, String> {
    let lines: Vec<&str> = printed.iter().flat_map(|printed| &printed.lines).map(String::as_str).collect();
    let header =
        lines.iter().rposition(|line| line.starts_with("namespace ")).ok_or("no table of `observe`")?;
    let mut drawing = Drawing::new("Which namespaces are shared");
    let (mut shared, mut own) = (Vec::new(), Vec::new());
    drawing.word((52, 14), 150, "outside");
    drawing.word((206, 14), 150, "inside");
    for (row, line) in (0..).zip(&lines[header + 1..]) {
        let mut words = line.split_whitespace();
        let name = words.next();
        let Some(kind) = KINDS.iter().find(|kind| Some(kind.name) == name) else { break };
        let (outside, inside) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // Of a list the first part has room.
        let first = |text: &str| text.split(',').next().unwrap_or_default().to_owned();
        let y = 24 + row * 24;
        drawing.word((4, y + 13), 46, kind.name);
        if outside == inside {
            drawing.frame((52, y), (304, 18), Pen::Thin, &first(kind.isolates));
            shared.push(kind.name);
        } else {
            let seen = shown(&words.skip(1).collect::<Vec<_>>().join(" "));
            drawing.frame((52, y), (148, 18), Pen::Thin, &first(kind.isolates));
            drawing.frame((206, y), (150, 18), Pen::Thick, &first(&seen));
            own.push(format!("{} ({seen})", kind.name));
        }
    }
    if shared.len() + own.len() == 0 {
        return Err("the table has no rows".into());
    }
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    drawing.say("One row for each kind of namespace.");
    drawing
        .say(format!("Where both sides are in the same one, one frame reaches across: {}.", list(&shared)));
    drawing.say(format!("Where inside is a new one, it has a frame of its own: {}.", list(&own)));
    Ok(drawing)
}
