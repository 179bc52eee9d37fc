//! Progress: what a pull says while it works, in Docker's words.
//!
//! A terminal gets a bar for each layer. Anything else (a file, a pipe, CI) gets a line for each change, since there
//! nothing can be overwritten.

use std::io::{IsTerminal, stderr, stdout};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::manifest::Descriptor;
use crate::text::{answer, tell};

/// Where a pull's words go.
#[derive(Clone, Debug)]
pub struct Progress {
    quiet: bool,
    to_stdout: bool,
    /// No thread redraws them: a bar moves when bytes come.
    bars: Option<MultiProgress>,
}

/// The words of one layer.
#[derive(Clone, Debug)]
pub struct LayerProgress {
    progress: Progress,
    name: String,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `quiet`: nothing is said at all; `to_stdout`: not on stderr.
    pub fn new(quiet: bool, to_stdout: bool) -> Self {
        let (is_terminal, target) = match to_stdout {
            true => (stdout().is_terminal(), ProgressDrawTarget::stdout()),
            false => (stderr().is_terminal(), ProgressDrawTarget::stderr()),
        };
        // A terminal that can only print, as TERM=dumb says, gets lines too.
        let can_draw = is_terminal && !target.is_hidden();
        let bars = (!quiet && can_draw).then(|| MultiProgress::with_draw_target(target));
        Self { quiet, to_stdout, bars }
    }

    /// Says a line that stays.
    pub fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| self.write(line)),
            None if self.quiet => {}
            None => self.write(line),
        }
    }

    /// A full disk behind stdout is found out by whoever writes the last line.
    fn write(&self, line: &str) {
        match self.to_stdout {
            true => drop(answer(format_args!("{line}\n"))),
            false => tell(line),
        }
    }

    /// Begins to tell about a layer.
    pub fn layer(&self, blob: &Descriptor) -> LayerProgress {
        // Docker names a layer by the first twelve digits.
        let name = blob.digest.hex()[..12].to_owned();
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(blob.size).with_prefix(name.clone()));
            bar.with_style(style("{prefix}: {msg:16} [{bar:30}] {bytes}/{total_bytes}"))
        });
        LayerProgress { progress: self.clone(), name, bar }
    }
}

impl LayerProgress {
    /// What is being done: `Pulling fs layer`, `Download complete`.
    pub fn state(&self, state: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(state.to_owned()),
            None => self.progress.say(&format!("{}: {state}", self.name)),
        }
    }

    /// How many bytes are here.
    pub fn bytes(&self, count: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(count);
        }
    }

    /// The last word: `Pull complete`, `Already exists`. It stays, above the bars of those that still come.
    pub fn end(&self, state: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.say(&format!("{}: {state}", self.name));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
