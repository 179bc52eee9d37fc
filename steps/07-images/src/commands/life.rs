//! The options of `run` and `create` about the life of the container.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::signal::Named;
use crate::monitor::log::Limits;
use crate::monitor::restart::Restart;

/// What is the container's own about its life.
#[derive(Debug, Clone, Args)]
pub struct LifeArgs {
    /// Start it again when it has ended: no, on-failure[:TIMES], always, unless-stopped; after a reboot nobody does
    #[arg(long, value_name = "POLICY", default_value = "no")]
    pub restart: Restart,
    /// The signal that asks it to end
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<Named>,
    /// How many seconds it may take to end before it is killed; -1: any time
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub stop_timeout: Option<i64>,
    /// What to attach to: stdin, stdout, stderr
    #[arg(short, long, value_enum, ignore_case = true, value_name = "STREAM")]
    pub attach: Vec<Stream>,
    /// How what is printed is kept
    #[arg(long, value_enum, value_name = "DRIVER", default_value = "json-file")]
    pub log_driver: LogDriver,
    /// max-size=SIZE and max-file=NUMBER, of the files of the log
    #[arg(long, value_name = "NAME=VALUE")]
    pub log_opt: Vec<String>,
}

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// What is typed.
    Stdin,
    /// What is printed.
    Stdout,
    /// What is complained.
    Stderr,
}

/// How what is printed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogDriver {
    /// A line of JSON for each line.
    JsonFile,
    /// Not at all.
    None,
}

/// What Docker's json-file driver knows as well.
const OTHERS: [&str; 8] =
    ["compress", "env", "env-regex", "labels", "labels-regex", "max-buffer-size", "mode", "tag"];

impl LifeArgs {
    /// What cannot be had together, or makes no sense. `remove`: that of `--rm`.
    ///
    /// # Errors
    /// In Docker's words, where it has any.
    pub fn check(&self, remove: bool) -> Result<()> {
        if remove && self.restart != Restart::No {
            bail!("Conflicting options: --restart and --rm");
        }
        self.log().map(drop)
    }

    /// The limits of the log; nothing if none is kept.
    ///
    /// # Errors
    /// An option that is not known, or no number.
    pub fn log(&self) -> Result<Option<Limits>> {
        let mut limits = Limits { size: 0, files: 1 };
        for option in &self.log_opt {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "max-size" => {
                    limits.size =
                        size(value).with_context(|| format!("invalid value for max-size: '{value}'"))?;
                }
                "max-file" => match value.parse() {
                    Ok(files) if files > 0 => limits.files = files,
                    _ => bail!("invalid value for max-file: '{value}': a number from 1 on"),
                },
                // What happens anyway.
                "compress" | "mode" if ["false", "blocking"].contains(&value) => {}
                other if OTHERS.contains(&other) => bail!(
                    "log opt '{other}' is not there\nfiles are kept as they are, by max-size and max-file"
                ),
                other => bail!("unknown log opt '{other}' for json-file log driver"),
            }
        }
        if limits.files > 1 && limits.size == 0 {
            bail!("max-file needs max-size: without it there is one file");
        }
        Ok((self.log_driver == LogDriver::JsonFile).then_some(limits))
    }
}

/// `10m`: a number of bytes in steps of 1024. -1 means any.
fn size(text: &str) -> Option<u64> {
    if text == "-1" {
        return Some(0);
    }
    let text = text.to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (number, unit) = match text.strip_suffix(['k', 'm', 'g']) {
        Some(number) => (number, 10 * (1 + "kmg".find(text.chars().last()?)?)),
        None => (text, 0),
    };
    number.parse::<u64>().ok()?.checked_mul(1 << unit).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_dockers() {
        let sizes = ["1", "10k", "2M", "1gb", "-1"].map(super::size);
        assert_eq!(sizes, [Some(1), Some(10 << 10), Some(2 << 20), Some(1 << 30), Some(0)]);
        assert_eq!(["", "x", "0", "-2", "1.5m", "99999999999999g"].map(super::size), [None; 6]);
    }
}
