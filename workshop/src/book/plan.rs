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
    /// A shell inside starts and shows a prompt.
    Opens,
    /// The command goes on, or ended already; its output so far is what is printed.
    Foreground(usize),
    /// The terminal's own shell ends.
    Ends,
}

/// Says for each event what comes after it.
pub fn plan(file: &Path, events: &[Event]) -> Result<Vec<After>, Problem> {
    for (index, event) in events.iter().enumerate() {
        if !events[..index].iter().any(|other| other.seat == event.seat) {
            let terminal: Vec<&Event> = events.iter().filter(|other| other.seat == event.seat).collect();
            check_prompts(&terminal).map_err(|(event, text)| {
                Problem::new(file, event.line, format!("{} {text}", event.prompt))
            })?;
        }
    }
    let next = |index: usize| events[index + 1..].iter().find(|other| other.seat == events[index].seat);
    Ok(events.iter().enumerate().map(|(index, event)| after(event, next(index))).collect())
}

fn after(event: &Event, next: Option<&Event>) -> After {
    let Some(next) = next else {
        return match (leaves(event), event.depth) {
            (true, 0) => After::Ends,
            (true, depth) => After::Prompt(depth - 1),
            (false, depth) => After::Prompt(depth),
        };
    };
    let waited_for = matches!(next.act, Act::Type(_)) || event.act == Act::Wait;
    match next.depth {
        deeper if deeper > event.depth => After::Opens,
        same if same == event.depth && waited_for => After::Prompt(same),
        same if same == event.depth => After::Foreground(same),
        // The shell inside is ended from elsewhere, and the bare prompt waits for that.
        _ if next.act == Act::Wait && !leaves(event) && event.act != Act::Wait => {
            After::Foreground(event.depth)
        }
        outer => After::Prompt(outer),
    }
}

/// Whether the prompts of one terminal can follow one another.
fn check_prompts<'a>(terminal: &[&'a Event]) -> Result<(), (&'a Event, String)> {
    // The prompts of the shells that are open, outermost first.
    let mut open: Vec<&str> = Vec::new();
    let mut last = None::<&Event>;
    for event in terminal {
        let at = || {
            format!("it is at {} since line {}", open.last().unwrap_or(&""), last.map_or(0, |last| last.line))
        };
        let expected = open.get(event.depth).copied();
        let steps_out = open.len().saturating_sub(event.depth + 1);
        let wrong = match (expected, last) {
            (_, None) if event.depth > 0 => {
                Some("no command in this terminal has started a shell yet".to_owned())
            }
            (_, Some(last)) if last.depth == 0 && leaves(last) => {
                Some(format!("was closed by the `exit` of line {}", last.line))
            }
            (None, Some(_)) if event.depth > open.len() => {
                Some("is a shell inside a shell that has no prompt of its own here".into())
            }
            (None, Some(_)) if !inside(&event.prompt, open[event.depth - 1]) => {
                Some(format!("is not where this terminal is: {}", at()))
            }
            (Some(prompt), _) if prompt != event.prompt => {
                Some(format!("is not where this terminal is: {}", at()))
            }
            (_, Some(last)) if steps_out > 1 && event.act != Act::Wait => {
                Some(format!("is further out than one `exit` leads from {}", last.prompt))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err((event, wrong));
        }
        open.truncate(event.depth + 1);
        if open.len() == event.depth {
            open.push(&event.prompt);
        }
        last = Some(event);
    }
    match last {
        Some(last) if last.depth > 1 || last.depth == 1 && !leaves(last) => {
            Err((last, "is still open at the end of the page: leave it by `exit`".into()))
        }
        _ => Ok(()),
    }
}

fn leaves(event: &Event) -> bool {
    matches!(&event.act, Act::Type(lines) if lines[0] == "exit" || lines[0].starts_with("exit "))
}

/// Whether `host/box#` is a prompt inside `host$`.
fn inside(inner: &str, outer: &str) -> bool {
    let parent = outer.trim_end_matches(['$', '#']);
    inner.rsplit_once('/').is_some_and(|(before, _)| before == parent)
}
