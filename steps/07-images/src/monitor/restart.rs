//! Whether a container that has ended is started again, and when.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Error, Result, bail};

/// The policy of `--restart`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// When the exit code is not 0, at most so often; 0 means any number of times.
    OnFailure(u32),
    /// Always, until somebody stops it.
    Always,
    /// The same: the difference shows when a daemon is started, and there is none.
    UnlessStopped,
}

impl FromStr for Restart {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
        match (name, count) {
            ("" | "no", None) => Ok(Self::No),
            ("always", None) => Ok(Self::Always),
            ("unless-stopped", None) => Ok(Self::UnlessStopped),
            ("on-failure", None) => Ok(Self::OnFailure(0)),
            ("on-failure", Some(count)) => match count.parse() {
                Ok(count) => Ok(Self::OnFailure(count)),
                Err(_) => bail!("maximum retry count must be an integer"),
            },
            ("no" | "always" | "unless-stopped", Some(_)) => {
                bail!("maximum retry count cannot be used with restart policy '{name}'")
            }
            _ => bail!("invalid restart policy '{text}'"),
        }
    }
}

// ANCHOR: restart
impl Restart {
    /// How long to wait before the next start of a container that ended with this exit code,
    /// was started again so often already, and ran so long; nothing if it stays down. Docker's
    /// numbers: a tenth of a second, twice as much each time, a minute at most, and from the
    /// beginning after ten good seconds.
    pub fn after(self, code: u8, restarts: u32, last_wait: Duration, ran: Duration) -> Option<Duration> {
        let again = match self {
            Self::No => false,
            Self::OnFailure(most) => code != 0 && (most == 0 || restarts < most),
            Self::Always | Self::UnlessStopped => true,
        };
        let first = Duration::from_millis(100);
        let wait = if ran >= Duration::from_secs(10) { first } else { (last_wait * 2).max(first) };
        again.then(|| wait.min(Duration::from_secs(60)))
    }
}
// ANCHOR_END: restart

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_docker_reads_them() {
        let read = |text: &str| text.parse::<Restart>().map_err(|error| error.to_string());
        assert_eq!(read("on-failure:3"), Ok(Restart::OnFailure(3)));
        assert_eq!(read("unless-stopped"), Ok(Restart::UnlessStopped));
        for wrong in ["sometimes", "always:3", "on-failure:x", "on-failure:-1"] {
            read(wrong).unwrap_err();
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let (none, minute) = (Duration::ZERO, Duration::from_secs(60));
        let after = |policy: Restart, code, restarts, last| policy.after(code, restarts, last, none);
        assert_eq!(after(Restart::No, 1, 0, none), None);
        assert_eq!(after(Restart::OnFailure(2), 0, 0, none), None);
        assert_eq!(after(Restart::OnFailure(2), 1, 1, none), Some(Duration::from_millis(100)));
        assert_eq!(after(Restart::OnFailure(2), 1, 2, none), None);
        assert_eq!(after(Restart::Always, 0, 99, Duration::from_secs(50)), Some(minute));
        assert_eq!(Restart::Always.after(0, 99, minute, minute), Some(Duration::from_millis(100)));
    }
}
