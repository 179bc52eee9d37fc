//! All terminals of a page side by side: whoever waits for one of them listens to all.
//!
//! A pty that nobody reads is soon full, and then its command stands still; and a command in one terminal may well
//! wait for a command in another.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::compare;
use super::interrupt::Interrupt;
use super::left::Household;
use super::output;
use super::plan::After;
use super::session::{Act, Event, Seat};
use super::terminal::Terminal;
use super::wildcards::Bindings;

/// A command that is not waited for is at rest when nothing came for this long.
pub const QUIET: Duration = Duration::from_millis(300);
/// Without knowing what should come (`--fix`), wait this long.
const QUIET_UNKNOWN: Duration = Duration::from_secs(2);

/// The terminals, by the seats in front of them.
pub struct Desk {
    pub seats: Vec<(Seat, Terminal)>,
    /// How many prompts were made so far: each is another.
    pub prompts: u32,
    pub household: Household,
    interrupt: Interrupt,
    /// `--fix`: what is printed tells nothing about what should come.
    guess: bool,
}

/// Why the page cannot go on.
pub struct Stuck(pub String);

impl Desk {
    pub fn new(household: Household, interrupt: Interrupt, guess: bool) -> Self {
        Self { seats: Vec::new(), prompts: 0, household, interrupt, guess }
    }

    pub fn has(&self, seat: &Seat) -> bool {
        self.seats.iter().any(|(other, _)| other == seat)
    }

    /// Adds a terminal and waits for its first prompt.
    pub fn add(&mut self, seat: &Seat, terminal: Terminal) -> Result<Result<(), Stuck>> {
        self.household.shells.push(terminal.shell);
        self.seats.push((seat.clone(), terminal));
        let at = self.seats.len() - 1;
        Ok(self.open(at, Instant::now() + Duration::from_secs(20))?.map(|_| ()))
    }

    /// Does what the event says and returns the lines that appeared.
    pub fn perform(
        &mut self,
        event: &Event,
        after: After,
        bindings: &Bindings,
    ) -> Result<Result<Vec<String>, Stuck>> {
        let Some(at) = self.seats.iter().position(|(seat, _)| *seat == event.seat) else {
            bail!("no terminal {}", event.prompt);
        };
        let deadline = Instant::now() + event.limit;
        let terminal = &mut self.seats[at].1;
        match &event.act {
            Act::Type(lines) => terminal.send(&(lines.join("\n") + "\n")),
            Act::Key(key) => {
                // A prompt that is there already is not the one that the key brings.
                while terminal.take_prompt().is_some() {}
                terminal.send(&char::from(*key as u8 & 0x1f).to_string());
            }
            Act::Wait => {}
        }
        let echoed = match &event.act {
            Act::Type(lines) if terminal.levels.get(event.depth).is_some_and(|level| level.echoes) => {
                lines.len()
            }
            _ => 0,
        };
        let text = match after {
            After::Prompt(depth) => self.until_prompt(at, depth, event.act == Act::Wait, deadline)?,
            After::Opens => self.open(at, deadline)?,
            After::Foreground(depth) => self.until_settled(at, depth, event, bindings, deadline)?,
            After::Ends => self.until_over(at, deadline)?,
        };
        Ok(text.map(|text| output::lines(&text, echoed)))
    }

    /// Waits for the prompt of `depth`. With `patience` a prompt further in may come first.
    pub fn until_prompt(
        &mut self,
        at: usize,
        depth: usize,
        patience: bool,
        deadline: Instant,
    ) -> Result<Result<String, Stuck>> {
        let mut text = String::new();
        loop {
            let terminal = &mut self.seats[at].1;
            if let Some((found, before)) = terminal.take_prompt() {
                text += &before;
                if found == depth {
                    terminal.levels.truncate(depth + 1);
                    return Ok(Ok(text));
                }
                if found < depth {
                    return Ok(Err(Stuck(format!("the shell inside has ended{}", output::quoted(&text)))));
                }
                if !patience {
                    return Ok(Err(Stuck(format!(
                        "the shell inside has not ended{}",
                        output::quoted(&text)
                    ))));
                }
                continue;
            }
            if terminal.closed {
                return Ok(Err(Stuck(format!(
                    "the terminal's shell has ended{}",
                    output::quoted(&(text + &terminal.take_all()))
                ))));
            }
            if terminal.floods() {
                return Ok(Err(Stuck("prints without end".into())));
            }
            if Instant::now() > deadline {
                let shown = text + &terminal.take_all();
                return Ok(Err(Stuck(format!("did not end in time{}", output::quoted(&shown)))));
            }
            self.listen()?;
        }
    }

    fn until_settled(
        &mut self,
        at: usize,
        depth: usize,
        event: &Event,
        bindings: &Bindings,
        deadline: Instant,
    ) -> Result<Result<String, Stuck>> {
        let started = Instant::now();
        loop {
            let terminal = &mut self.seats[at].1;
            if let Some((found, text)) = terminal.take_prompt() {
                terminal.levels.truncate(found + 1);
                // The prompt is put back, for the key or the wait that comes next.
                let marker = terminal.levels[found].marker.clone();
                terminal.pending.splice(0..0, marker.into_bytes());
                return Ok(Ok(text));
            }
            if terminal.floods() {
                return Ok(Err(Stuck("prints without end".into())));
            }
            let quiet = terminal.last.max(started).elapsed();
            let running = depth > 0 || !terminal.shell_is_in_front();
            let text = String::from_utf8_lossy(&terminal.pending).into_owned();
            let lines = output::lines(&text, 0);
            let as_printed = || compare::compare(&event.expected, &lines, &mut bindings.clone()).same;
            // Nothing printed may mean that nothing should come, or that nobody has written it down yet.
            let known = !self.guess || !event.expected.is_empty();
            let settled =
                running && quiet > QUIET && (known && as_printed() || self.guess && quiet > QUIET_UNKNOWN);
            if settled || terminal.closed || Instant::now() > deadline {
                return Ok(Ok(terminal.take_all()));
            }
            self.listen()?;
        }
    }

    fn until_over(&mut self, at: usize, deadline: Instant) -> Result<Result<String, Stuck>> {
        while !self.seats[at].1.is_over() {
            if Instant::now() > deadline {
                return Ok(Err(Stuck("the shell did not end in time".into())));
            }
            self.listen()?;
        }
        Ok(Ok(self.seats[at].1.take_all()))
    }

    /// Waits a moment for any terminal, takes in what came, and buries the dead.
    pub fn listen(&mut self) -> Result<()> {
        let open = self.seats.iter().filter(|(_, terminal)| !terminal.closed);
        let mut fds: Vec<PollFd> =
            open.map(|(_, terminal)| PollFd::new(terminal.as_fd(), PollFlags::POLLIN)).collect();
        fds.push(PollFd::new(self.interrupt.as_fd(), PollFlags::POLLIN));
        // EINTR is no reason to stop: the loop comes again.
        let _ = poll(&mut fds, PollTimeout::from(20_u8));
        drop(fds);
        for (_, terminal) in &mut self.seats {
            if !terminal.closed {
                terminal.take_in();
            }
        }
        self.household.bury();
        self.interrupt.check()
    }
}
