//! Options of Docker's that are not there yet, or never will be: named, with the reason, instead of "unexpected".

use anyhow::{Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::human::bytes;

/// The options among them that were given, with their values.
#[derive(Debug, Clone, Default)]
pub struct LaterArgs(Vec<(&'static str, String)>);

/// The smallest limit that Docker takes, in bytes.
const LEAST_MEMORY: u64 = 6 << 20;

const LIMITS: &str = "limits come with step 08, control groups";
pub(super) const RIGHTS: &str = "rights come with step 09, hardening";
const NETWORKS: &str = "there is one network for all";
const STORAGE: &str = "storage is a directory of this machine";
const RUNTIME: &str = "there is one way to run here";
const TRUST: &str = "an image is trusted by its digest: NAME@sha256:…";
const CHECKS: &str = "checks of a container's health need somebody who is always there";

// ANCHOR: later
/// The name, the letter, whether there is a value, and what is to be said.
const LATER: [(&str, Option<char>, bool, &str); 57] = [
    ("memory", Some('m'), true, LIMITS),
    ("memory-reservation", None, true, LIMITS),
    ("memory-swap", None, true, LIMITS),
    ("memory-swappiness", None, true, LIMITS),
    ("kernel-memory", None, true, LIMITS),
    ("cpus", None, true, LIMITS),
    ("cpu-shares", Some('c'), true, LIMITS),
    ("cpu-count", None, true, LIMITS),
    ("cpu-percent", None, true, LIMITS),
    ("cpu-period", None, true, LIMITS),
    ("cpu-quota", None, true, LIMITS),
    ("cpu-rt-period", None, true, LIMITS),
    ("cpu-rt-runtime", None, true, LIMITS),
    ("cpuset-cpus", None, true, LIMITS),
    ("cpuset-mems", None, true, LIMITS),
    ("pids-limit", None, true, LIMITS),
    ("blkio-weight", None, true, LIMITS),
    ("blkio-weight-device", None, true, LIMITS),
    ("device-read-bps", None, true, LIMITS),
    ("device-read-iops", None, true, LIMITS),
    ("device-write-bps", None, true, LIMITS),
    ("device-write-iops", None, true, LIMITS),
    ("io-maxbandwidth", None, true, LIMITS),
    ("io-maxiops", None, true, LIMITS),
    ("oom-kill-disable", None, false, LIMITS),
    ("oom-score-adj", None, true, LIMITS),
    ("cgroup-parent", None, true, LIMITS),
    ("cgroupns", None, true, LIMITS),
    ("device-cgroup-rule", None, true, LIMITS),
    ("cap-add", None, true, RIGHTS),
    ("cap-drop", None, true, RIGHTS),
    ("privileged", None, false, RIGHTS),
    ("security-opt", None, true, RIGHTS),
    ("userns", None, true, RIGHTS),
    ("device", None, true, RIGHTS),
    ("gpus", None, true, RIGHTS),
    ("ip", None, true, NETWORKS),
    ("ip6", None, true, NETWORKS),
    ("link", None, true, NETWORKS),
    ("link-local-ip", None, true, NETWORKS),
    ("mac-address", None, true, NETWORKS),
    ("network-alias", None, true, NETWORKS),
    ("net-alias", None, true, NETWORKS),
    ("storage-opt", None, true, STORAGE),
    ("volume-driver", None, true, STORAGE),
    ("runtime", None, true, RUNTIME),
    ("isolation", None, true, RUNTIME),
    ("annotation", None, true, RUNTIME),
    ("use-api-socket", None, false, RUNTIME),
    ("disable-content-trust", None, false, TRUST),
    ("health-cmd", None, true, CHECKS),
    ("health-interval", None, true, CHECKS),
    ("health-retries", None, true, CHECKS),
    ("health-start-interval", None, true, CHECKS),
    ("health-start-period", None, true, CHECKS),
    ("health-timeout", None, true, CHECKS),
    ("no-healthcheck", None, false, ""),
];
// ANCHOR_END: later

impl LaterArgs {
    /// Whether `--no-healthcheck` was said, which is what happens anyway.
    pub fn wants_no_health(&self) -> bool {
        self.0.iter().any(|(name, _)| *name == "no-healthcheck")
    }

    /// Says what is not there.
    ///
    /// # Errors
    /// One was given.
    pub fn refuse(&self) -> Result<()> {
        for (name, value) in &self.0 {
            check(name, value)?;
            if let Some((_, _, _, why)) =
                LATER.iter().find(|(known, _, _, why)| known == name && !why.is_empty())
            {
                bail!(not_here(&format!("--{name}"), why));
            }
        }
        Ok(())
    }
}

/// That an option is not there yet, or never will be.
pub(super) fn not_here(option: &str, why: &str) -> String {
    match why {
        LIMITS | RIGHTS => format!("{option} is not there yet: {why}"),
        _ => format!("{option} is not part of Coracle\n{why}"),
    }
}

/// What makes no sense is said first, in Docker's words.
fn check(name: &str, value: &str) -> Result<()> {
    let size = |least: u64| match bytes(value) {
        Ok(size) if size < least && size != 0 => bail!("Minimum memory limit allowed is 6MB"),
        Ok(_) => Ok(()),
        Err(text) => bail!(text),
    };
    match name {
        "memory" => size(LEAST_MEMORY),
        "memory-swap" if value == "-1" => Ok(()),
        "memory-swap" | "memory-reservation" | "kernel-memory" => size(0),
        "cpus" => {
            let there = std::thread::available_parallelism().map_or(1, usize::from);
            match value.parse::<f64>() {
                Ok(number) if number < 0.01 || number > there as f64 => bail!(
                    "range of CPUs is from 0.01 to {there}.00, as there are only {there} CPUs available"
                ),
                Ok(_) => Ok(()),
                Err(_) => bail!("failed to parse {value} as a rational number"),
            }
        }
        _ => Ok(()),
    }
}

impl FromArgMatches for LaterArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |name: &&(&'static str, Option<char>, bool, &str)| {
            matches.value_source(name.0) == Some(clap::parser::ValueSource::CommandLine)
        };
        let mut all = Vec::new();
        for (name, _, has_value, _) in LATER.iter().filter(given) {
            match has_value {
                true => all.extend(
                    matches
                        .get_many::<String>(name)
                        .into_iter()
                        .flatten()
                        .map(|value| (*name, value.clone())),
                ),
                // Docker's default is not to ask whom one can trust; to be asked to do so is another matter.
                false if matches.get_flag(name) == (*name != "disable-content-trust") => {
                    all.push((*name, String::new()));
                }
                false => {}
            }
        }
        Ok(Self(all))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for LaterArgs {
    fn augment_args(command: Command) -> Command {
        LATER.iter().fold(command, |command, (name, letter, has_value, _)| {
            let action = if *has_value { ArgAction::Append } else { ArgAction::SetTrue };
            let arg = Arg::new(*name).long(*name).action(action).hide(true);
            let arg = if *has_value { arg.allow_hyphen_values(true) } else { arg };
            command.arg(match letter {
                Some(letter) => arg.short(*letter),
                None => arg,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
