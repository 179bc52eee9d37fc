//! `cargo workshop doctor`: which steps run on this machine, for the one who asks, and what to do where they do not.
//!
//! Every verdict is a try: a namespace is unshared, a file system mounted, a range of ids mapped. Files of /proc are
//! read only to say why a try failed.

mod attempt;
pub mod reason;
mod steps;

use anyhow::Result;
use clap::Args;
use nix::sys::utsname::uname;
use nix::unistd::{User, getuid};
use serde_json::json;

use crate::book::person::is_real_root;

/// What `cargo workshop doctor` is asked for.
#[derive(Args)]
pub struct DoctorArgs {
    /// Print JSON, for a teacher who collects the answers of a class.
    #[arg(long)]
    json: bool,
}

/// Who asks: each has other means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    /// Root of the machine: no user namespace is needed.
    Root,
    /// An ordinary user, or uid 0 of a user namespace: everything starts with a user namespace.
    User,
}

/// What became of the tries of a step.
#[derive(Debug)]
pub enum Verdict {
    Runs,
    /// It runs, without something: what, and how to get it.
    Partly(Advice),
    /// It does not.
    No(Advice),
}

/// What is wrong, in a few words, and the command or change that helps.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    pub problem: String,
    pub fix: String,
}

/// Returns whether every step runs, be it partly.
pub fn run(args: &DoctorArgs) -> Result<bool> {
    let role = if is_real_root() { Role::Root } else { Role::User };
    let name = User::from_uid(getuid()).ok().flatten().map_or_else(|| getuid().to_string(), |user| user.name);
    let verdicts = steps::verdicts(role, &name)?;
    if args.json {
        print_json(role, &name, &verdicts)?;
    } else {
        print_lines(role, &name, &verdicts)?;
    }
    Ok(verdicts.iter().all(|(_, verdict)| !matches!(verdict, Verdict::No(_))))
}

fn print_lines(role: Role, name: &str, verdicts: &[(&str, Verdict)]) -> Result<()> {
    let machine = uname()?;
    let release = machine.release().to_string_lossy();
    let who = if role == Role::Root { format!("{name}, root of this machine") } else { name.to_owned() };
    println!("Linux {release}, {}, {}; as {who}", machine.machine().to_string_lossy(), reason::cgroups());
    let mut told = None;
    for (step, verdict) in verdicts {
        match verdict {
            Verdict::No(advice) if told.is_some_and(|told| told == advice) => {
                println!("{step:<10}  does not run, for the same reason");
            }
            Verdict::Runs => println!("{step:<10}  runs"),
            Verdict::Partly(advice) => println!("{step:<10}  runs {} ({})", advice.problem, advice.fix),
            Verdict::No(advice) => {
                println!("{step:<10}  does not run: {} ({})", advice.problem, advice.fix);
                told = Some(advice);
            }
        }
    }
    Ok(())
}

fn print_json(role: Role, name: &str, verdicts: &[(&str, Verdict)]) -> Result<()> {
    let machine = uname()?;
    let steps: Vec<_> = verdicts
        .iter()
        .map(|(step, verdict)| {
            let (word, advice) = match verdict {
                Verdict::Runs => ("runs", None),
                Verdict::Partly(advice) => ("partly", Some(advice)),
                Verdict::No(advice) => ("no", Some(advice)),
            };
            let (problem, fix) = (advice.map(|advice| &advice.problem), advice.map(|advice| &advice.fix));
            json!({ "step": step, "verdict": word, "problem": problem, "fix": fix })
        })
        .collect();
    let answer = json!({
        "kernel": machine.release().to_string_lossy(),
        "machine": machine.machine().to_string_lossy(),
        "cgroups": reason::cgroups(),
        "user": name,
        "root": role == Role::Root,
        "steps": steps,
    });
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(())
}
