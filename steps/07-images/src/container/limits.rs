//! What one process may have (`man 2 setrlimit`): what every container begins with, and `--ulimit`.

use std::str::FromStr;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// Its name, without RLIMIT_.
    pub name: String,
    /// What counts; the process may raise it to the hard one. `None` is no limit.
    pub soft: Option<u64>,
    /// The most that it can be raised to.
    pub hard: Option<u64>,
}

/// The names, and what they stand for.
const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

// ANCHOR: begin
/// How many files may be open: as many as `select` can name (`man 2 select`), and for whoever asks for more as many as
/// systemd allows to a service (`man 5 systemd-system.conf`, DefaultLimitNOFILE).
const FILES: (u64, u64) = (1024, 524_288);

/// Docker's containers have the limits of its daemon. Without a daemon they would be those of the shell in which
/// somebody happens to start one. So its soft limits do not count, and for root the hard ones neither, which nobody
/// else may raise. Where the stack lies and whether a crash leaves a core is still the caller's.
pub(super) fn begin() {
    for resource in [Resource::As, Resource::Cpu, Resource::Data, Resource::Fsize, Resource::Nproc] {
        raise(resource, Rlimit { current: None, maximum: None });
    }
    let most = getrlimit(Resource::Nofile).maximum.map_or(FILES.1, |hard| hard.max(FILES.1));
    raise(Resource::Nofile, Rlimit { current: Some(FILES.0), maximum: Some(most) });
}

/// The same for this program and its helpers, which have nothing to do with `select`.
pub(crate) fn begin_here() {
    for resource in [Resource::Nofile, Resource::Nproc] {
        let hard = getrlimit(resource).maximum;
        raise(resource, Rlimit { current: hard, maximum: hard });
    }
}

/// As far as it goes: a limit that cannot be had is no reason not to begin.
fn raise(resource: Resource, wanted: Rlimit) {
    let hard = getrlimit(resource).maximum;
    let allowed = match (wanted.current, hard) {
        (Some(wanted), Some(hard)) => Some(wanted.min(hard)),
        (None, hard) => hard,
        (wanted, None) => wanted,
    };
    let _ = setrlimit(resource, wanted)
        .or_else(|_| setrlimit(resource, Rlimit { current: allowed, maximum: hard }));
}
// ANCHOR_END: begin

impl Ulimit {
    // ANCHOR: set
    /// Sets it for this process, and what it runs.
    ///
    /// # Errors
    /// EPERM: only who has CAP_SYS_RESOURCE on the host may have more than the hard limit that is there.
    pub fn set(&self) -> Result<()> {
        let Some((_, resource)) = NAMES.iter().find(|(name, _)| *name == self.name) else { return Ok(()) };
        let wanted = Rlimit { current: self.soft, maximum: self.hard };
        setrlimit(*resource, wanted).with_context(|| {
            let most = shown(getrlimit(*resource).maximum);
            format!(
                "cannot set the limit {}={}:{}, here at most {most}",
                self.name,
                shown(self.soft),
                shown(self.hard)
            )
        })
    }
    // ANCHOR_END: set
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string())
}

impl FromStr for Ulimit {
    type Err = String;

    /// The texts of the errors are Docker's.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, values) =
            text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
        if !NAMES.iter().any(|(known, _)| *known == name) {
            return Err(format!("invalid ulimit type: {name}"));
        }
        let number = |value: &str| match value.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(number) if number >= 0 => Ok(Some(number.unsigned_abs())),
            _ => Err(format!("strconv.ParseInt: parsing \"{value}\": invalid syntax")),
        };
        let (soft, hard) = match values.split(':').collect::<Vec<_>>()[..] {
            [one] => (number(one)?, number(one)?),
            [soft, hard] => (number(soft)?, number(hard)?),
            _ => {
                let text = "too many limit value arguments";
                return Err(format!("{text} - {values}, can only have up to two, `soft[:hard]`"));
            }
        };
        let text = "ulimit soft limit must be less than or equal to hard limit";
        match (soft, hard) {
            (None, Some(hard)) => return Err(format!("{text}: soft: -1 (unlimited), hard: {hard}")),
            (Some(soft), Some(hard)) if soft > hard => return Err(format!("{text}: {soft} > {hard}")),
            _ => {}
        }
        Ok(Self { name: name.to_owned(), soft, hard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i9_wrong_limits_get_dockers_texts() {
        let error = |text: &str| text.parse::<Ulimit>().unwrap_err();
        assert_eq!(error("nofile"), "invalid ulimit argument: nofile");
        assert_eq!(error("bogus=1"), "invalid ulimit type: bogus");
        assert_eq!(error("nofile=2:1"), "ulimit soft limit must be less than or equal to hard limit: 2 > 1");
        assert!(error("nofile=-1:5").ends_with("soft: -1 (unlimited), hard: 5"));
        assert!(error("nofile=1:2:3").contains("too many limit value arguments - 1:2:3"));
        assert!(error("nofile=a").contains("parsing \"a\": invalid syntax"));
        assert!(error("nofile=-2").contains("invalid syntax"));
    }

    #[test]
    fn one_number_is_both_and_minus_one_is_no_limit() {
        let both = |text: &str| text.parse::<Ulimit>().map(|limit| (limit.soft, limit.hard));
        assert_eq!(both("nofile=5"), Ok((Some(5), Some(5))));
        assert_eq!(both("core=0:-1"), Ok((Some(0), None)));
    }
}
