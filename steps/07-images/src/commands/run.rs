//! `run`: from a name to a running container.

use std::io::IsTerminal;

use anyhow::{Result, bail};
use clap::Args;
use step01_unshare::observe;
use step03_pid::{Container, Failed};

use super::create::create;
use super::life::Stream;
use super::monitor::start_monitor;
use super::{Asking, Place, RunArgs, tidy, with_code};
use crate::container::{Asked, relay};
use crate::monitor::client::{Attached, Outcome};
use crate::monitor::detach::DetachKeys;
use crate::monitor::restart::Restart;
use crate::preferences::detach_keys;
use crate::records::{Held, State, Status};
use crate::text::{answer, tell};

/// The words of `run`: what is the container's, and what is about this moment.
#[derive(Debug, Args)]
pub struct Run {
    /// Leave it running, and print its id
    #[arg(short, long)]
    pub detach: bool,
    /// Show the host's namespaces beside the container's
    #[arg(long)]
    pub observe: bool,
    /// The keys that leave it running: `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<DetachKeys>,
    /// Whether signals are passed on
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set)]
    pub sig_proxy: bool,
    /// What is the container's
    #[command(flatten)]
    pub asking: Asking<RunArgs>,
}

// ANCHOR: run
/// Runs a container. `walls` says what a container is.
///
/// # Errors
/// [`Failed`] with 125 for an error of our own, 126 and 127 for a command that cannot be run.
pub fn run(place: &Place, run: Run, walls: impl Fn(&Asked) -> Result<Container>) -> Result<u8> {
    let args = &run.asking.args;
    if args.tty && args.interactive && !run.detach && !std::io::stdin().is_terminal() {
        return Err(Failed { code: 1, text: "the input device is not a TTY".into() }.into());
    }
    if run.detach && !args.life.attach.is_empty() {
        bail!(Failed { code: 125, text: "Conflicting options: -a and -d".into() });
    }
    // Nobody will want its log or come back to it: then there is nothing that must outlive us.
    let is_alone = !run.detach && args.remove && !args.tty && args.life.restart == Restart::No;
    let attached = attached(&run).map_err(|error| with_code(error, 125))?;
    let (detach, observe) = (run.detach, run.observe);
    let created = create(place, run.asking, detach);
    let (mut held, asked) = created.map_err(|error| with_code(place.explained(error), 125))?;
    if is_alone {
        return run_here(place, held, &asked, (&attached, observe), walls);
    }
    held.record.state.restarts = 0;
    let id = held.record.id.clone();
    let not_started = |error| with_code(place.explained(error), 125);
    let mut client = start_monitor(place, held, observe).map_err(not_started)?;
    if detach {
        // As Docker, also if its command cannot be run: the container is there.
        answer(format_args!("{id}\n"))?;
    }
    client.hear_started().map_err(not_started)?;
    if detach {
        return Ok(0);
    }
    client.attach(&attached).map(Outcome::code)
}

/// Everything with a process, from its birth to its end, in this process.
fn run_here(
    place: &Place,
    mut held: Held,
    asked: &Asked,
    (attached, observe): (&Attached, bool),
    walls: impl Fn(&Asked) -> Result<Container>,
) -> Result<u8> {
    let outcome = launch(&mut held, asked, (attached, observe), walls);
    let outcome = outcome.map_err(|error| with_code(place.explained(error), 125));
    let image = held.record.image_id;
    let removed = held.remove().and_then(|()| tidy(place, &image));
    outcome.and_then(|code| removed.map(|()| code))
}

fn launch(
    held: &mut Held,
    asked: &Asked,
    (attached, observe): (&Attached, bool),
    walls: impl Fn(&Asked) -> Result<Container>,
) -> Result<u8> {
    let (inside, mut relay) = relay(attached.input, attached.output, attached.error)?;
    let created = walls(asked)?.with_process(inside).create(asked.last()?)?;
    if observe {
        tell(observe::observe(created.pid())?.to_string().trim_end());
    }
    held.record.state = State::begin(created.pid().as_raw(), asked.ports.borrow().clone());
    held.write_state()?;
    let started = created.start();
    if started.is_err() {
        // It has not run after all.
        held.record.state.status = Status::Created;
    }
    started?.wait_and_serve(Some(&mut relay))
}
// ANCHOR_END: run

fn attached(run: &Run) -> Result<Attached> {
    let args = &run.asking.args;
    let asked = &args.life.attach;
    let wanted = |stream| asked.is_empty() || asked.contains(&stream);
    Ok(Attached {
        input: args.interactive && wanted(Stream::Stdin),
        output: wanted(Stream::Stdout),
        error: wanted(Stream::Stderr),
        tty: args.tty,
        detach_keys: detach_keys(run.detach_keys.as_ref())?,
        signals: run.sig_proxy,
    })
}
