//! A printed session, read as what is typed and what must appear.
//!
//! ```text
//! host$ step02 --hostname box sh     typed in the terminal `host`; it starts a shell of its own
//! host/box# hostname                 typed in that shell, in the same terminal
//! box                                what must appear
//! other$ hostname                    typed in a second terminal
//! ```

use std::path::Path;
use std::time::Duration;

use super::blocks::Block;
use crate::problem::Problem;

/// How long a command may take unless its block says `limit=SECONDS`.
const LIMIT: Duration = Duration::from_secs(20);

/// What is done at a terminal.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// A command, with the lines that continue it.
    Type(Vec<String>),
    /// A control key, as its upper-case letter: `C` for `^C`.
    Key(char),
    /// A prompt and nothing behind it: wait until the terminal is back at it.
    Wait,
}

/// Which terminal: its name, and whether root sits in front of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    pub name: String,
    pub root: bool,
}

/// One thing done at a terminal, and what must appear there afterwards.
#[derive(Debug, Clone)]
pub struct Event {
    /// The line of the prompt, from 1.
    pub line: usize,
    pub seat: Seat,
    /// The prompt as printed, such as `host/box#`.
    pub prompt: String,
    /// How many shells are inside one another: 0 for `host$`, 1 for `host/box#`.
    pub depth: usize,
    pub act: Act,
    pub expected: Vec<String>,
    /// The line behind the last one of the input: here the output starts.
    pub output: usize,
    pub limit: Duration,
}

impl Event {
    /// What was done, for messages.
    pub fn shown(&self) -> String {
        match &self.act {
            Act::Type(lines) => format!("`{}`", lines[0]),
            Act::Key(key) => format!("^{key}"),
            Act::Wait => format!("waiting for {}", self.prompt),
        }
    }
}

/// A prompt at the head of a line.
pub struct Prompt {
    pub text: String,
    pub names: Vec<String>,
    pub sign: char,
}

/// Reads the prompt of a line, and what stands behind it. `None`: the line is output.
pub fn prompt(line: &str) -> Option<(Prompt, &str)> {
    let end = line.find(['$', '#'])?;
    let (names, rest) = (&line[..end], &line[end + 1..]);
    let names: Vec<String> = names.split('/').map(str::to_owned).collect();
    let is_name = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let ends = rest.is_empty() || rest.starts_with(' ');
    let sign = char::from(line.as_bytes()[end]);
    (names.iter().all(is_name) && ends)
        .then(|| (Prompt { text: line[..=end].to_owned(), names, sign }, rest.trim()))
}

/// Cuts a `console` block into its events.
pub fn read(file: &Path, block: &Block) -> Result<Vec<Event>, Problem> {
    let limit = match block.value("limit").map(str::parse) {
        None => LIMIT,
        Some(Ok(seconds)) if (1..=600).contains(&seconds) => Duration::from_secs(seconds),
        Some(_) => {
            return Err(Problem::new(file, block.line, "`limit` is a number of seconds from 1 to 600"));
        }
    };
    let mut events: Vec<Event> = Vec::new();
    for (index, line) in block.content.iter().enumerate() {
        let number = block.line + 1 + index;
        if let Some((prompt, typed)) = prompt(line) {
            events.push(event(file, block, number, &prompt, typed, limit)?);
            continue;
        }
        let Some(last) = events.last_mut() else {
            return Err(Problem::new(file, number, "a session starts with a prompt, such as `host$ `"));
        };
        match (&mut last.act, last.expected.is_empty(), key(line)) {
            (_, _, Some(key)) => {
                let again = Event {
                    line: number,
                    act: Act::Key(key),
                    expected: Vec::new(),
                    output: number + 1,
                    ..last.clone()
                };
                events.push(again);
            }
            (Act::Type(lines), true, _) if line == ">" || line.starts_with("> ") => {
                lines.push(line[1..].strip_prefix(' ').unwrap_or_default().to_owned());
                last.output = number + 1;
            }
            _ => last.expected.push(line.clone()),
        }
    }
    if events.is_empty() {
        return Err(Problem::new(file, block.line, "this session is empty"));
    }
    Ok(events)
}

fn event(
    file: &Path,
    block: &Block,
    line: usize,
    prompt: &Prompt,
    typed: &str,
    limit: Duration,
) -> Result<Event, Problem> {
    let root = block.has("root");
    if prompt.names.len() == 1 && (prompt.sign == '#') != root {
        let text = if root {
            format!(
                "{} is an ordinary user's prompt in a block that root runs: write {}#",
                prompt.text, prompt.names[0]
            )
        } else {
            format!("{} is root's prompt: the block must say ```console,root", prompt.text)
        };
        return Err(Problem::new(file, line, text));
    }
    let act = match key(typed) {
        Some(key) => Act::Key(key),
        None if typed.is_empty() => Act::Wait,
        None => Act::Type(vec![typed.to_owned()]),
    };
    Ok(Event {
        line,
        seat: Seat { name: prompt.names[0].clone(), root },
        prompt: prompt.text.clone(),
        depth: prompt.names.len() - 1,
        act,
        expected: Vec::new(),
        output: line + 1,
        limit,
    })
}

/// `^C`, `^D`, `^Z` and `^\`, alone.
fn key(text: &str) -> Option<char> {
    ["^C", "^D", "^Z", "^\\"].contains(&text.trim()).then(|| text.trim().chars().nth(1))?
}
