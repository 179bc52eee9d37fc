//! Words from the terminal, also such that nobody shall see.

use std::io::{BufRead, Read, stdin};

use anyhow::{Context, Result, bail, ensure};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use step03_pid::Failed;

use crate::text::{prompt, tell};

/// The longest line, in bytes.
const LONGEST: usize = 64 << 10;

/// Asks for a line.
pub(super) fn read_line(question: &str) -> Result<String> {
    prompt(question);
    let mut line = String::new();
    stdin().lock().take(LONGEST as u64).read_line(&mut line).context("cannot read from the terminal")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line, which is not shown.
///
/// The keys come one by one and as they are, ^C too: a signal would end us with a terminal that shows nothing any more.
// ANCHOR: password
pub(super) fn read_password(question: &str) -> Result<String> {
    prompt(question);
    let silence = Silence::begin()?;
    let mut line = Vec::new();
    let mut keys = stdin().lock().bytes();
    loop {
        match keys.next().transpose().context("cannot read from the terminal")? {
            Some(b'\r' | b'\n') => break,
            Some(3) => {
                drop(silence);
                tell("");
                return Err(Failed { code: 130, text: String::new() }.into());
            }
            None | Some(4) if line.is_empty() => bail!("the terminal was closed"),
            None | Some(4) => break,
            // Rubbed out; and, by ^U, all of it.
            Some(8 | 127) => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            Some(21) => line.clear(),
            Some(key) => line.push(key),
        }
        ensure!(line.len() <= LONGEST, "the password is too long");
    }
    drop(silence);
    tell("");
    String::from_utf8(line).ok().context("the password is not UTF-8")
}
// ANCHOR_END: password

/// A terminal that shows nothing, and makes no signals. Dropped, it is as before.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self> {
        let before = tcgetattr(stdin()).context("cannot ask the terminal for its modes")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(stdin(), OptionalActions::Flush, &silent).context("cannot silence the terminal")?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
    }
}
