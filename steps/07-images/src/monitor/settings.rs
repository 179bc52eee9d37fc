//! What the monitor is told when it becomes the small program, on its command line.

use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::log::Limits;

/// Numbers of descriptors that stay open, and what to do with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The container's id: whoever lists processes should see whose this is.
    pub id: String,
    /// The container's first process.
    pub pid: i32,
    /// The state directory.
    pub root: PathBuf,
    /// Held as long as the container is up; for a mere command in a container there is none,
    pub lock: Option<RawFd>,
    /// and nothing to become again at the end: else this program.
    pub coracle: Option<RawFd>,
    /// The socket for those who attach.
    pub listener: Option<RawFd>,
    /// Who asked for the start, and may want to stay.
    pub client: Option<RawFd>,
    /// The container's terminal, if it has one.
    pub terminal: Option<RawFd>,
    /// Else the pipe to its standard input, if it has one,
    pub input: Option<RawFd>,
    /// from its standard output
    pub output: Option<RawFd>,
    /// and from its standard error.
    pub error: Option<RawFd>,
    /// Whether the input ends with the first who says so.
    pub input_once: bool,
    /// The log, if one is kept.
    pub log: Option<Limits>,
}

impl Settings {
    /// For a command that was run in a container, and for whose end nobody waits.
    pub fn of_exec(id: &str, pid: i32) -> Self {
        Self {
            id: id.to_owned(),
            pid,
            root: PathBuf::new(),
            lock: None,
            coracle: None,
            listener: None,
            client: None,
            terminal: None,
            input: None,
            output: None,
            error: None,
            input_once: false,
            log: None,
        }
    }

    /// As words.
    pub fn words(&self) -> Vec<OsString> {
        let numbers = [
            ("pid", Some(self.pid)),
            ("lock", self.lock),
            ("coracle", self.coracle),
            ("listener", self.listener),
            ("client", self.client),
            ("terminal", self.terminal),
            ("input", self.input),
            ("output", self.output),
            ("error", self.error),
            ("input-once", Some(self.input_once.into())),
        ];
        let numbers = numbers.into_iter().filter_map(|(name, number)| Some(format!("{name}={}", number?)));
        let log = self.log.map(|limits| format!("log={},{}", limits.size, limits.files));
        let root: OsString = [OsStr::new("root="), self.root.as_os_str()].into_iter().collect();
        let words = [self.id.clone()].into_iter().chain(numbers).chain(log).map(OsString::from);
        words.chain([root]).collect()
    }

    /// Reads the words again.
    ///
    /// # Errors
    /// They were written by somebody else.
    pub fn read(words: impl Iterator<Item = OsString>) -> Result<Self> {
        let words: Vec<_> = words.collect();
        let (id, words) = words.split_first().context("this program is started by coracle alone")?;
        let value = |name: &str| {
            let mut pairs = words.iter().filter_map(|word| {
                let at = word.as_bytes().iter().position(|byte| *byte == b'=')?;
                Some((&word.as_bytes()[..at], &word.as_bytes()[at + 1..]))
            });
            pairs.find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
        };
        let number = |name: &str| std::str::from_utf8(value(name)?).ok()?.parse::<i32>().ok();
        let log = value("log").and_then(|text| {
            let (size, files) = std::str::from_utf8(text).ok()?.split_once(',')?;
            Some(Limits { size: size.parse().ok()?, files: files.parse().ok()? })
        });
        Ok(Self {
            id: id.to_string_lossy().into_owned(),
            pid: number("pid").context("pid= is missing")?,
            root: OsString::from_vec(value("root").context("root= is missing")?.to_vec()).into(),
            lock: number("lock"),
            coracle: number("coracle"),
            listener: number("listener"),
            client: number("client"),
            terminal: number("terminal"),
            input: number("input"),
            output: number("output"),
            error: number("error"),
            input_once: number("input-once") == Some(1),
            log,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_can_be_read_again() {
        let settings = Settings {
            id: "0123".into(),
            pid: 77,
            root: OsString::from_vec(b"/a b=c/\xff".to_vec()).into(),
            lock: Some(3),
            coracle: Some(4),
            listener: Some(5),
            client: None,
            terminal: Some(6),
            input: None,
            output: Some(8),
            error: Some(9),
            input_once: true,
            log: Some(Limits { size: 10_000_000_000, files: 3 }),
        };
        assert_eq!(Settings::read(settings.words().into_iter()).unwrap(), settings);
        Settings::read(["id".into()].into_iter()).unwrap_err();
    }
}
