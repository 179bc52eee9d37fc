//! How each command of a page ends, read off the page alone.
//!
//! The next thing that is done at the same terminal tells it: a deeper prompt means that the command started a
//! shell, a shallower one that it ended one, a key or a bare prompt that the command goes on meanwhile.

use std::path::Path;

use super::session::{Act, Event};
use crate::problem::Problem;

/// What a terminal does after an event, before the next event is its turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum After {
    /// The prompt of this depth comes back.
    Prompt(usize),
    /// A shell inside starts, and its prompt has this depth.
    Opens(usize),
    /// The command goes on, or ended already; its output so far is what is printed.
    Foreground(usize),
    /// The terminal's own shell ends.
    Ends,
}

/// Says for each event what comes after it.
pub fn plan(file: &Path, events: &[Event]) -> Result<Vec<After>, Problem> {
    events.iter().enumerate().map(|(index, event)| after(file, events, index, event)).collect()
}

fn after(file: &Path, events: &[Event], index: usize, event: &Event) -> Result<After, Problem> {
    let earlier = events[..index].iter().rev().find(|other| other.seat == event.seat);
    let later = events[index + 1..].iter().find(|other| other.seat == event.seat);
    let depth = event.depth;
    if earlier.is_none() && depth > 0 {
        return Err(wrong(file, event, "no command in this terminal has started a shell yet"));
    }
    if let Some(earlier) = earlier
        && earlier.depth == depth
        && earlier.prompt != event.prompt
    {
        return Err(wrong(
            file,
            event,
            &format!("this terminal is at {} since line {}", earlier.prompt, earlier.line),
        ));
    }
    let leaves =
        matches!(&event.act, Act::Type(lines) if lines[0] == "exit" || lines[0].starts_with("exit "));
    let Some(next) = later else {
        return match depth {
            0 if leaves => Ok(After::Ends),
            0 => Ok(After::Prompt(0)),
            1 if leaves => Ok(After::Prompt(0)),
            _ => Err(wrong(file, event, "the page ends while this shell still runs: leave it by `exit`")),
        };
    };
    match (next.depth, &next.act) {
        (below, _) if below > depth + 1 => {
            Err(wrong(file, next, "a shell inside a shell that has no prompt of its own here"))
        }
        (below, _) if below == depth + 1 => match inside(&next.prompt, &event.prompt) {
            true => Ok(After::Opens(below)),
            false => Err(wrong(
                file,
                next,
                &format!("this terminal is at {} since line {}", event.prompt, event.line),
            )),
        },
        (same, Act::Type(_)) if same == depth && leaves && depth == 0 => {
            Err(wrong(file, next, &format!("this terminal was closed by the `exit` of line {}", event.line)))
        }
        (same, Act::Type(_)) if same == depth => Ok(After::Prompt(depth)),
        (same, _) if same == depth && event.act == Act::Wait => Ok(After::Prompt(depth)),
        (same, _) if same == depth => Ok(After::Foreground(depth)),
        (_, Act::Wait) if !leaves && event.act != Act::Wait => Ok(After::Foreground(depth)),
        (above, _) if above + 1 == depth => Ok(After::Prompt(above)),
        _ => Err(wrong(
            file,
            next,
            &format!("{} ends one shell, and this prompt is further out", event.shown()),
        )),
    }
}

/// Whether `host/box#` is a prompt inside `host$`.
fn inside(inner: &str, outer: &str) -> bool {
    let parent = outer.trim_end_matches(['$', '#']);
    inner.rsplit_once('/').is_some_and(|(before, _)| before == parent)
}

fn wrong(file: &Path, event: &Event, text: &str) -> Problem {
    Problem::new(file, event.line, format!("{} {text}", event.prompt))
}
