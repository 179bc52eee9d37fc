//! Signals to a container, by the names that people use.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use step03_pid::send_signal;

use crate::records::Record;

/// A signal: `KILL`, `SIGKILL`, `9`, `RTMIN+3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named(pub i32);

/// The first signal that the C library leaves to programs (`man 7 signal`).
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

impl FromStr for Named {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(number) = text.parse::<i32>() {
            return match number {
                1..=RTMAX => Ok(Self(number)),
                0 => bail!("Invalid signal: {text}"),
                _ => bail!("Linux does not support signal {number}"),
            };
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        // An image may name any number: only a small one can be added.
        let offset =
            |rest: &str| if rest.is_empty() { Some(0) } else { rest[1..].parse::<u8>().ok().map(i32::from) };
        let real_time = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
            (Some(rest), _) if rest.is_empty() || rest.starts_with('+') => offset(rest).map(|n| RTMIN + n),
            (_, Some(rest)) if rest.is_empty() || rest.starts_with('-') => offset(rest).map(|n| RTMAX - n),
            _ => None,
        };
        match real_time {
            Some(number @ RTMIN..=RTMAX) => return Ok(Self(number)),
            Some(_) => bail!("Invalid signal: {}", text.escape_debug()),
            None => {}
        }
        match format!("SIG{name}").parse::<Signal>() {
            Ok(signal) => Ok(Self(signal as i32)),
            Err(_) => bail!("Invalid signal: {}", text.escape_debug()),
        }
    }
}

// ANCHOR: send
/// Sends a signal to a container's first process. False if there is none any more: the number alone
/// could be anybody's by now, so it is looked at after the process has been taken hold of.
///
/// # Errors
/// EPERM: the container belongs to somebody else.
pub fn send(record: &Record, signal: Named) -> Result<bool> {
    let Some(process) = record.state.process()? else { return Ok(false) };
    match send_signal(process, signal.0) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(errno) => Err(errno).with_context(|| format!("cannot signal container {}", record.name)),
    }
}
// ANCHOR_END: send

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i7_signals_have_all_their_names() {
        let number =
            |text: &str| text.parse::<Named>().map(|signal| signal.0).map_err(|error| error.to_string());
        for name in ["KILL", "SIGKILL", "9", "sigkill"] {
            assert_eq!(number(name), Ok(9), "{name}");
        }
        assert_eq!((number("RTMIN"), number("rtmin+3"), number("SIGRTMAX-1")), (Ok(34), Ok(37), Ok(63)));
        for name in ["BOGUS", "0", "RTMIN+99", "RTMIN+2147483647", "RTMAX--9", "RTMIN-1", "RTMINx"] {
            assert!(number(name).unwrap_err().starts_with("Invalid signal: "), "{name}");
        }
        assert!(number("65").unwrap_err().contains("does not support signal 65"));
    }
}
