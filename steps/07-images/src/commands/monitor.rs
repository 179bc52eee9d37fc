//! `monitor`: what `run` and `start` leave behind. Nobody types this; see [`crate::monitor`].

use std::convert::Infallible;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use nix::unistd::{chdir, dup2_stdin, dup2_stdout, setsid};
use step01_unshare::{message, observe};
use step03_pid::{Container, Failed, hear_all_signals};

use super::monitor_ended::{comes_back, finish};
use super::{Asking, Place, RunArgs, with_code};
use crate::container::{Asked, console, streams};
use crate::monitor::client::{Client, bind};
use crate::monitor::frames::{Kind, frame, resize};
use crate::monitor::log::Log;
use crate::monitor::terminal::size_option;
use crate::monitor::{SOCKET, Settings, close_all_at_exec, log, program};
use crate::records::{Held, Recipe, State, Status};
use crate::sealed;
use crate::text::tell;
use crate::waiting::other_end_has_gone;

/// The words that `run`, and the monitor itself, write.
#[derive(Debug, Args)]
pub struct Monitor {
    /// Whose container
    id: String,
    /// Rows and columns of the terminal
    #[arg(long, value_delimiter = ',')]
    size: Vec<u8>,
    /// Show the host's namespaces beside the container's
    #[arg(long)]
    observe: bool,
    /// It has ended, with this exit code
    #[arg(long)]
    ended: Option<u8>,
    /// Descriptors of those who wait until all is done
    #[arg(long)]
    client: Vec<RawFd>,
}

// ANCHOR: start_monitor
/// Starts the monitor of a container that we hold: it gets the lock, and one end of a line. The
/// other end is returned.
///
/// # Errors
/// This program cannot be started again.
pub(super) fn start_monitor(place: &Place, held: Held, observe: bool) -> Result<Client> {
    let (ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
    let (mut command, _open) = sealed::program()?;
    let root = place.directory()?.canonicalize().context("cannot find the state directory")?;
    command.arg("--root").arg(root).args(["monitor", &held.record.id]);
    command.args(size_option());
    if observe {
        command.arg("--observe");
    }
    command.stdin(OwnedFd::from(theirs)).stdout(held.lock()?);
    // Our caller may have more open than three files. Whoever waits for the end of one would wait for days.
    close_all_at_exec()?;
    command.spawn().context("cannot start the container's monitor")?;
    Ok(Client::new(ours))
}
// ANCHOR_END: start_monitor

// ANCHOR: monitor
/// Starts a container and stays with it; or comes back at its end.
///
/// # Errors
/// Before the start they are told to whoever waits for it. Afterwards nobody is there to read them.
pub fn monitor(place: &Place, args: &Monitor, walls: impl Fn(&Asked) -> Result<Container>) -> Result<u8> {
    let directory = place.directory()?.join("containers").join(&args.id);
    let (line, lock) = take_line_and_lock()?;
    // From here on neither the terminal of whoever started us nor what he ignores is our business, or our container's.
    let _ = setsid();
    hear_all_signals();
    chdir("/").context("cannot change to /")?;
    let mut held = Held::take_over(directory, lock)?;
    let mut line = Some(line);
    if let Some(code) = args.ended {
        line = None;
        if !comes_back(place, &mut held, code, &args.client)? {
            return finish(place, held);
        }
    }
    let Err(error) =
        begin(place, &mut held, args, line.as_ref(), &walls).map_err(|error| with_code(error, 125));
    let code = error.downcast_ref().map_or(125, |failed: &Failed| failed.code);
    held.record.state.end(code, &message(&error));
    let _ = fs::remove_file(held.directory.join(SOCKET));
    // Whoever waits should hear why, also if the end cannot be written down.
    let finished = finish(place, held);
    if let Some(line) = line {
        let told = [&[code], message(&error).as_bytes()].concat();
        let _ = std::io::Write::write_all(&mut &line, &frame(Kind::Failed, &told));
    }
    finished.map(|_| code)
}

/// From the recipe to the command that runs. On success this process has become the small program,
/// and nothing returns.
fn begin(
    place: &Place,
    held: &mut Held,
    args: &Monitor,
    line: Option<&UnixStream>,
    walls: impl Fn(&Asked) -> Result<Container>,
) -> Result<Infallible> {
    let recipe = Recipe::read(&held.directory)?;
    let run = Asking::<RunArgs>::read(&recipe.words).context("cannot understand the words of run")?;
    let asked = Asked::new(held.record.id.clone(), held.directory.clone(), recipe.image, run)?;
    let listener = listen(&held.directory)?;
    let coracle = File::open("/proc/self/exe").context("cannot open this program")?;
    let lock = held.lock()?;
    let mut settings = Settings {
        root: place.directory()?,
        coracle: Some(coracle.as_raw_fd()),
        listener: Some(listener.as_raw_fd()),
        client: line.map(AsRawFd::as_raw_fd),
        // As Docker: who runs it with -i and stays decides when the input ends.
        input_once: !held.record.detached,
        log: asked.run.life.log()?,
        lock: Some(lock.as_raw_fd()),
        ..Settings::of_exec(&held.record.id, 0)
    };

    if let Some(limits) = settings.log {
        // Whoever asks for it now finds it empty, and not absent.
        let path = log::path_in(&held.directory, &held.record.id);
        Log::open(&path, limits).with_context(|| format!("cannot write {}", path.display()))?;
    }

    let mut container = walls(&asked)?;
    let (mut opposite, mut pipes) = (None, None);
    if asked.run.tty {
        let (inside, outside) = console()?;
        container = container.with(inside);
        opposite = Some(outside);
    } else {
        let (inside, outside) = streams(asked.run.interactive, false)?;
        container = container.with_process(inside);
        pipes = Some(outside);
    }
    let created = container.create(asked.last()?)?;
    if args.observe {
        tell(observe::observe(created.pid())?.to_string().trim_end());
    }
    let restarts = held.record.state.restarts;
    let wait = held.record.state.wait;
    held.record.state = State::begin(created.pid().as_raw(), asked.ports.borrow().clone());
    (held.record.state.restarts, held.record.state.wait) = (restarts, wait);
    held.write_state()?;
    let terminal = opposite.map(|opposite| opposite.receive()).transpose()?;
    if let Some(terminal) = &terminal {
        resize(terminal, &args.size);
    }
    let started = match line {
        // By ^C, say. It would run, and nobody would know of it.
        Some(line) if other_end_has_gone(line) => Err(anyhow!("whoever asked for its start has gone")),
        _ => created.start(),
    };
    if started.is_err() {
        // It has not run after all.
        held.record.state.status = Status::Created;
    }
    let running = started?;
    settings.pid = running.pid().as_raw();
    settings.terminal = terminal.as_ref().map(AsRawFd::as_raw_fd);
    if let Some(pipes) = &pipes {
        settings.input = pipes.input.as_ref().map(AsRawFd::as_raw_fd);
        settings.output = Some(pipes.output.as_raw_fd());
        settings.error = pipes.error.as_ref().map(AsRawFd::as_raw_fd);
    }
    let mut small = program();
    small.args(settings.words());
    small.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Err(running.hand_over(&mut small))
}
// ANCHOR_END: monitor

/// The standard input is the line to whoever waits, the standard output is the lock: so both get
/// here without a number being passed.
fn take_line_and_lock() -> Result<(UnixStream, OwnedFd)> {
    let copy =
        |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().context("cannot duplicate a descriptor");
    let line = copy(std::io::stdin().as_fd())?;
    let lock = copy(std::io::stdout().as_fd())?;
    let null = File::options().read(true).write(true).open("/dev/null").context("cannot open /dev/null")?;
    dup2_stdin(&null).and_then(|()| dup2_stdout(&null)).context("cannot replace the standard input")?;
    Ok((line.into(), lock))
}

fn listen(directory: &Path) -> Result<UnixListener> {
    let _ = fs::remove_file(directory.join(SOCKET));
    bind(directory).context("cannot make the socket for those who attach")
}
