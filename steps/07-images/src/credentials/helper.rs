//! Helpers: programs that keep passwords.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use serde::{Deserialize, Serialize};

use super::Login;
use crate::text::printable;

/// A helper may ask its user to unlock something, but not for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer, in bytes.
const LONGEST: usize = 1 << 20;

/// The user of a secret that is an identity token.
const TOKEN: &str = "<token>";

/// What a helper is given, and what it gives back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Secret {
    #[serde(rename = "ServerURL")]
    server: String,
    username: String,
    secret: String,
}

/// Asks for the login of a server; `None` if the helper has none.
pub(super) fn get(name: &str, server: &str) -> Result<Option<Login>> {
    let Some(answer) = call(name, "get", server.as_bytes())? else { return Ok(None) };
    // What came may be half a password: nothing of it is shown.
    let understood =
        serde_json::from_slice(&answer).ok().filter(|secret: &Secret| !secret.username.is_empty());
    let Some(Secret { username, secret, .. }) = understood else {
        bail!("{}: its answer cannot be understood", program(name));
    };
    Ok(Some(match username == TOKEN {
        true => Login { identity_token: Some(secret), ..Login::default() },
        false => Login { user: username, password: secret, identity_token: None },
    }))
}

/// Gives a login to the helper.
pub(super) fn store(name: &str, server: &str, login: &Login) -> Result<()> {
    let (username, secret) = match &login.identity_token {
        Some(token) => (TOKEN, token),
        None => (&*login.user, &login.password),
    };
    let secret = Secret { server: server.to_owned(), username: username.to_owned(), secret: secret.clone() };
    call(name, "store", &serde_json::to_vec(&secret).context("cannot write the login")?).map(drop)
}

/// Lets the helper forget a login. It may have none.
pub(super) fn erase(name: &str, server: &str) -> Result<()> {
    call(name, "erase", server.as_bytes()).map(drop)
}

fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// Runs `docker-credential-NAME VERB`: the question on its standard input, JSON or an error text on its standard output.
/// `None` if it knows nothing of that server.
fn call(name: &str, verb: &str, question: &[u8]) -> Result<Option<Vec<u8>>> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    ensure!(
        !name.is_empty() && name.bytes().all(is_word),
        "invalid name of a credential helper: \"{}\"",
        printable(name)
    );
    let program = program(name);
    let mut command = Command::new(&program);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Err(error).with_context(|| format!("cannot run {program}")),
    };
    let end = Instant::now() + PATIENCE;
    let outcome =
        converse(&mut child, question, end).and_then(|answer| Ok((answer, ended(&mut child, end)?)));
    if outcome.is_err() {
        // Its answer is of no use any more. If it ended by itself, so much the better.
        let _ = child.kill();
        let _ = child.wait();
    }
    let (answer, status) = outcome.with_context(|| program.clone())?;
    if status.success() {
        return Ok(Some(answer));
    }
    let message = String::from_utf8_lossy(&answer);
    // This sentence is part of the protocol.
    if message.trim().starts_with("credentials not found") {
        return Ok(None);
    }
    bail!("{program}: {} ({status})", printable(message.trim()))
}

fn converse(child: &mut Child, question: &[u8], end: Instant) -> Result<Vec<u8>> {
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(question) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    let mut stdout = child.stdout.take().context("no standard output")?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let ready = nix::poll::poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], timeout);
        match ready {
            Err(nix::Error::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
            Ok(0) => bail!("no answer within {} seconds", PATIENCE.as_secs()),
            Ok(_) => {}
        }
        match stdout.read(&mut piece)? {
            0 => return Ok(answer),
            count => answer.extend_from_slice(&piece[..count]),
        }
        ensure!(answer.len() <= LONGEST, "its answer is too long");
    }
}

/// Its answer is complete: it has no reason to stay.
fn ended(child: &mut Child, end: Instant) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        ensure!(Instant::now() < end, "it answered, but does not end");
        sleep(Duration::from_millis(5));
    }
}
