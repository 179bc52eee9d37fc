//! `cargo workshop doctor`: which steps run on this machine, for the one who asks, and what to do where they do not.
//!
//! Every verdict is a try: a namespace is unshared, a file system mounted, a range of ids mapped. Files of /proc are
//! read only to say why a try failed.

mod attempt;
mod folder;
pub mod reason;
mod steps;
mod surroundings;

use anyhow::Result;
use clap::Args;
use nix::sys::utsname::uname;
use nix::unistd::{User, getuid};
use serde_json::json;
use step01_unshare::answer;

use crate::book::person::is_real_root;

/// What `cargo workshop doctor` is asked for.
#[derive(Args)]
pub struct DoctorArgs {
    /// Print JSON, for a teacher who collects the answers of a class.
    #[arg(long)]
    json: bool,
    /// Asked by root, tell also what this ordinary user is told: who called sudo, if nobody is named.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
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
    let sudo = || std::env::var("SUDO_USER").ok().filter(|name| name != "root");
    let other = args.user.clone().or_else(sudo).filter(|_| role == Role::Root);
    let other = other.map(|name| surroundings::told_to(&name, args.json)).transpose()?;
    let groups = surroundings::cgroups();
    if args.json {
        answer(as_json((role, &name), &verdicts, &groups, other)?)?;
    } else {
        let groups = match groups {
            Ok(controllers) => format!("can be made, with {controllers}"),
            Err(advice) => format!("{} ({})", advice.problem, advice.fix),
        };
        let other = other.map(|told| format!("\n{told}")).unwrap_or_default();
        let steps = as_lines(role, &name, &verdicts)?;
        answer(format_args!("{steps}cgroups     {groups}; no step needs them yet\n{other}"))?;
    }
    Ok(verdicts.iter().all(|(_, verdict)| !matches!(verdict, Verdict::No(_))))
}

fn as_lines(role: Role, name: &str, verdicts: &[(&str, Verdict)]) -> Result<String> {
    let machine = uname()?;
    let release = machine.release().to_string_lossy();
    let who = if role == Role::Root { format!("{name}, root of this machine") } else { name.to_owned() };
    let outer = if surroundings::in_container() { ", in a container" } else { "" };
    let machine = machine.machine().to_string_lossy();
    let mut text = format!("Linux {release}, {machine}, {}{outer}; as {who}\n", reason::cgroups());
    let mut told = None;
    for (step, verdict) in verdicts {
        let verdict = match verdict {
            Verdict::No(advice) if told.is_some_and(|told| told == advice) => {
                "does not run, for the same reason".to_owned()
            }
            Verdict::Runs => "runs".to_owned(),
            Verdict::Partly(advice) => format!("runs {} ({})", advice.problem, advice.fix),
            Verdict::No(advice) => {
                told = Some(advice);
                format!("does not run: {} ({})", advice.problem, advice.fix)
            }
        };
        text += &format!("{step:<10}  {verdict}\n");
    }
    Ok(text)
}

fn as_json(
    (role, name): (Role, &str),
    verdicts: &[(&str, Verdict)],
    groups: &Result<String, Advice>,
    other: Option<String>,
) -> Result<String> {
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
    let other = other.map(|told| serde_json::from_str::<serde_json::Value>(&told)).transpose()?;
    let delegated = match groups {
        Ok(controllers) => json!({ "controllers": controllers.split(' ').collect::<Vec<_>>() }),
        Err(advice) => json!({ "problem": advice.problem, "fix": advice.fix }),
    };
    let said = json!({
        "kernel": machine.release().to_string_lossy(),
        "machine": machine.machine().to_string_lossy(),
        "cgroups": reason::cgroups(),
        "delegated": delegated,
        "container": surroundings::in_container(),
        "user": name,
        "root": role == Role::Root,
        "steps": steps,
        "ordinary_user": other,
    });
    Ok(serde_json::to_string_pretty(&said)? + "\n")
}
