//! Work that needs threads, or the rights of a user namespace, done in a child process.
//!
//! A process with threads must not clone, so whatever starts some (a pull, an unpacking) runs
//! in a process of its own. As an ordinary user that process is root of a user namespace: only
//! there may the files of an image be given to other ids, and be removed again.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, Write};

use anyhow::{Context, Error, Result};
use nix::sys::signal::Signal;
use rustix::fs::{MemfdFlags, memfd_create};
use step03_pid::{Container, Failed, Isolation, Last, launch};
use step05_userns::{User, is_root};

// ANCHOR: task
/// A container whose only wall is a user namespace, or that has none as root, and whose work
/// is one function.
///
/// # Errors
/// Those of the work, as text.
pub fn in_child(work: impl Fn() -> Result<()> + 'static) -> Result<()> {
    let mut container = Container::new();
    if !is_root() {
        container = container.with(User::new(None)?);
    }
    inside(container, work)
}

/// The same, with more walls around the work.
///
/// # Errors
/// Those of the work, as text.
pub fn inside(container: Container, work: impl Fn() -> Result<()> + 'static) -> Result<()> {
    let container = container.with_process(Task(Box::new(work)));
    match launch(container, Last::Return, |_| Ok(())).map_err(as_text)? {
        0 => Ok(()),
        // It had no time to say anything: a terminal's ^C reaches both sides, and the child may be the first.
        code => Err(Failed { code, text: ended(code) }.into()),
    }
}
// ANCHOR_END: task

/// The same, for work that has an answer. It is kept in memory of the kernel's (`man 2 memfd_create`): a pipe would
/// have to be emptied by somebody, and this process waits.
///
/// # Errors
/// Those of the work, as text.
pub fn ask_child(work: impl Fn() -> Result<Vec<u8>> + 'static) -> Result<Vec<u8>> {
    let memory = memfd_create("answer", MemfdFlags::CLOEXEC).context("cannot make a file in memory")?;
    let mut answer = File::from(memory);
    let childs = answer.try_clone().context("cannot duplicate a descriptor")?;
    in_child(move || (&childs).write_all(&work()?).context("cannot keep the answer"))?;
    let mut bytes = Vec::new();
    answer.rewind().and_then(|()| answer.read_to_end(&mut bytes)).context("cannot read the answer")?;
    Ok(bytes)
}

struct Task(Box<dyn Fn() -> Result<()>>);

impl Isolation for Task {
    fn in_container(&self) -> Result<()> {
        (self.0)()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

/// Who interrupts knows why it has ended; who does not, wants to know.
fn ended(code: u8) -> String {
    match Signal::try_from(i32::from(code) - 128) {
        Ok(Signal::SIGINT | Signal::SIGTERM | Signal::SIGHUP | Signal::SIGQUIT) => String::new(),
        Ok(signal) => format!("the process that does the work was killed by {signal}"),
        Err(_) => format!("the process that does the work has ended with code {code}"),
    }
}

/// The child's exit code says that it failed, which is the caller's to translate; one of a
/// signal stays.
fn as_text(error: Error) -> Error {
    match error.downcast::<Failed>() {
        Ok(failed) if failed.code <= 128 => Error::msg(failed.text),
        Ok(failed) => failed.into(),
        Err(error) => error,
    }
}
