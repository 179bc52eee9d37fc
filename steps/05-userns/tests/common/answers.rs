//! The answers to the exercises of chapter 05 that are code, to be tried:
//!
//! ```text
//! step05-answers ranges /etc/subuid "$(id -un)"
//! step05-answers self id -u
//! ```

use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use nix::unistd::{Pid, getegid, geteuid};
use step01_unshare::Namespaces;
use step03_pid::{Container, Isolation, Last, environment, launch, report};
use step05_userns::Range;

fn main() -> ExitCode {
    report(run(std::env::args().skip(1).collect()))
}

fn run(words: Vec<String>) -> Result<u8> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["ranges", file, user] => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
            for range in ranges(&text, user) {
                println!("{range}");
            }
            Ok(0)
        }
        ["self", program, ref arguments @ ..] => {
            let mut command = Command::new(program);
            environment(command.args(arguments));
            launch(Container::new().with(Identity), Last::Exec(command), |_| Ok(()))
        }
        _ => bail!("this has two forms: ranges FILE USER, and: self COMMAND"),
    }
}

// ANCHOR: ranges
/// All that the text of /etc/subuid gives to this user, as the ids from 1 on, without a gap.
fn ranges(text: &str, user: &str) -> Vec<Range> {
    let mut inside = 1;
    let mut ranges = Vec::new();
    for line in text.lines() {
        let Some(range) = line.strip_prefix(user).and_then(|rest| rest.strip_prefix(':')) else { continue };
        let Some((first, length)) = range.split_once(':') else { continue };
        let (Ok(outside), Ok(length)) = (first.trim().parse(), length.trim().parse::<u32>()) else {
            continue;
        };
        ranges.push(Range { inside, outside, length });
        inside += length;
    }
    ranges
}
// ANCHOR_END: ranges

// ANCHOR: identity
/// A user namespace in which the caller is who he is outside.
#[derive(Debug)]
struct Identity;

impl Isolation for Identity {
    fn namespaces(&self) -> Namespaces {
        Namespaces::USER
    }

    fn on_host(&mut self, container: Pid) -> Result<()> {
        let (uid, gid) = (geteuid(), getegid());
        let files = [
            ("setgroups", "deny".to_owned()),
            ("uid_map", format!("{uid} {uid} 1")),
            ("gid_map", format!("{gid} {gid} 1")),
        ];
        for (name, text) in files {
            let file = format!("/proc/{container}/{name}");
            fs::write(&file, text).with_context(|| format!("cannot write {file}"))?;
        }
        Ok(())
    }
}
// ANCHOR_END: identity
