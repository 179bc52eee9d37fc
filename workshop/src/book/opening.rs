//! A shell starts at a terminal: it is given a prompt by which it is known from then on.
//!
//! ```text
//!   this program                                          the shell that starts
//!    ├<────── a banner, then a prompt like `# ` ─────────────┤     nothing more comes for a while
//!    ├─────── PS1=@@1f3a.2@@, unless PS1 is ours ───────────>┤     asked again if it does not answer
//!    ├<────── @@1f3a.2@@ ────────────────────────────────────┤     as often as it was asked
//!    ├─────── echo @@.2 ────────────────────────────────────>┤
//!    ├<────── @@.2  @@1f3a.2@@ ──────────────────────────────┤     what comes now belongs to the next command
//! ```
//! If no shell starts, the outer one reads the line; it has a prompt of ours and only shows it again.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::desk::{Desk, QUIET, Stuck};
use super::output;
use super::terminal::Level;

/// How often a shell inside is asked anew for its prompt: what is typed before it listens may get lost.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Desk {
    /// Gives the shell that is starting at this terminal a prompt of ours; returns what came before its own prompt.
    pub fn open(&mut self, at: usize, deadline: Instant) -> Result<Result<String, Stuck>> {
        let depth = self.seats[at].1.levels.len();
        self.prompts += 1;
        let number = self.prompts;
        let unique = format!("{:x}.{number}@@", std::process::id());
        // The two quotes keep the marker itself out of what a shell may echo.
        let (marker, quoted) = (format!("@@{unique}"), format!("@@''{unique}"));
        let ask = format!(
            " case $PS1 in @@*);; *) stty -echo; PS1={quoted} PS2=;unset HISTFILE;esac 2>/dev/null\n"
        );
        self.seats[at].1.levels.push(Level { marker, echoes: false });
        let started = Instant::now();
        let mut asked = None::<Instant>;
        let mut text = String::new();
        loop {
            let terminal = &mut self.seats[at].1;
            if let Some((found, before)) = terminal.take_prompt() {
                text += &before;
                if found == depth {
                    break;
                }
                // The line that asks may have reached the outer shell, which then answers by its own prompt.
                terminal.levels.pop();
                return Ok(Err(Stuck(format!("started no shell{}", output::quoted(&text)))));
            }
            if terminal.closed || Instant::now() > deadline {
                let shown = text + &terminal.take_all();
                return Ok(Err(Stuck(format!("no shell answers{}", output::quoted(&shown)))));
            }
            let quiet = terminal.last.max(started).elapsed() > QUIET / 2;
            if quiet && asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
                terminal.send(&ask);
                asked = Some(Instant::now());
            }
            self.listen()?;
        }
        // It may have been asked twice and answer twice: only what comes behind this word is the present.
        let word = format!("@@.{number}");
        self.seats[at].1.send(&format!(" echo @@''.{number}\n"));
        let mut synced = String::new();
        while !synced.contains(&word) {
            match self.until_prompt(at, depth, false, deadline)? {
                Ok(more) => synced += &more,
                Err(stuck) => return Ok(Err(stuck)),
            }
        }
        self.seats[at].1.levels[depth].echoes = synced.contains("echo @@");
        Ok(Ok(output::before_prompt(&text, &["case $PS1", &quoted])))
    }
}
