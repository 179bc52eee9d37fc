//! A process and those above it, `NAME PARENT OUTSIDE [INSIDE]` a line: their numbers on the host, and in the pid
//! namespace if they are in it.

use super::drawing::{Drawing, Pen, WIDTH};
use super::{Printed, list, shown};

/// Draws the tree, the namespace as a thick frame in it.
pub fn draw(printed: &[Printed]) -> Result<Drawing, String> {
    let mut processes = Vec::new();
    for line in printed.iter().flat_map(|printed| &printed.lines) {
        let words: Vec<String> = line.split_whitespace().map(shown).collect();
        match &words[..] {
            [name, parent, outside] => processes.push((name.clone(), parent.clone(), outside.clone(), None)),
            [name, parent, outside, inside] => {
                processes.push((name.clone(), parent.clone(), outside.clone(), Some(inside.clone())));
            }
            _ => return Err(format!("{line:?} is no name, parent, number and number inside")),
        }
    }
    let above = |process: &(String, String, String, Option<String>)| {
        processes.iter().position(|(_, _, number, _)| *number == process.1)
    };
    let depth = |mut at: usize| {
        // A broken list could be a ring.
        (0..processes.len() as u32)
            .find(|_| above(&processes[at]).map(|next| at = next).is_none())
            .unwrap_or(0)
    };
    let mut order: Vec<usize> = (0..processes.len()).collect();
    // Who has neither parent nor child here stands first: no line passes it.
    let is_alone = |at: usize| {
        above(&processes[at]).is_none() && !processes.iter().any(|other| other.1 == processes[at].2)
    };
    order.sort_by_key(|at| (processes[*at].3.is_some(), !is_alone(*at), depth(*at)));
    let mut drawing = Drawing::new("One tree of processes, two ways to count");
    drawing.say("A large frame is the host's pid namespace, a thick one within it the new one.");
    drawing.word((12, 20), 200, "the host's pid namespace");
    let (mut y, mut places) = (30, vec![(0, 0); processes.len()]);
    let mut frame = None;
    for at in order {
        let (name, _, outside, inside) = &processes[at];
        let name = if name == "…" { "a shell" } else { name };
        if inside.is_some() && frame.is_none() {
            frame = Some(y);
            drawing.word((76, y + 16), 200, "a new one");
            y += 24;
        }
        let x = 16 + depth(at) * 34;
        places[at] = (x, y);
        drawing.frame((x, y), (112, 20), Pen::Thin, &format!("{name}: {outside}"));
        if let Some(above) = above(&processes[at]) {
            let (left, top) = places[above];
            drawing.path(&format!("M{} {}V{}H{x}", left + 14, top + 20, y + 10), Pen::Thin);
        }
        let number = inside.as_deref().unwrap_or("none");
        drawing.word((234, y + 14), 110, &format!("inside: {number}"));
        drawing.say(format!("Outside {name} is {outside}, inside: {number}."));
        y += 30;
    }
    let top = frame.ok_or("no process has a number inside")?;
    drawing.frame((68, top), (WIDTH - 78, y - top), Pen::Thick, "");
    drawing.frame((4, 4), (WIDTH - 8, y + 6), Pen::Thin, "");
    let children: Vec<String> = processes
        .iter()
        .filter_map(|process| Some(format!("{} of {}", process.2, processes[above(process)?].2)))
        .collect();
    let children: Vec<&str> = children.iter().map(String::as_str).collect();
    drawing.say(format!("Children: {}.", list(&children)));
    Ok(drawing)
}
