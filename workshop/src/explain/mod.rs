//! `cargo workshop explain [CALL] [ERRNO]`: the causes of an error, and which of them holds now.
//!
//! The steps own the tables, as their own errors are made from them. Here they are gathered.

mod elsewhere;
pub mod page;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use step01_unshare::{Cause, Look, Trouble, answer};

/// What `cargo workshop explain` is asked for.
#[derive(Args)]
pub struct ExplainArgs {
    /// What failed, such as pivot_root: without it, all that is known is listed.
    call: Option<String>,
    /// What it answered, such as EINVAL.
    errno: Option<String>,
    /// What the call was about, which is then looked at too: for exec the program.
    about: Vec<PathBuf>,
}

/// All that is known, in the order of the steps.
pub fn troubles() -> impl Iterator<Item = &'static Trouble> {
    let tables = [
        step01_unshare::UNSHARE,
        step01_unshare::USER_NAMESPACE,
        step01_unshare::SETNS,
        step05_userns::NESTED,
        step05_userns::ID_MAP,
        step05_userns::HELPERS,
        step03_pid::CLONE,
        step03_pid::EXEC,
        step04_mount::PROPAGATION,
        step04_mount::ROOT,
        step04_mount::PIVOT_ROOT,
        step04_mount::PROC,
        elsewhere::ELSEWHERE,
    ];
    tables.into_iter().flatten()
}

/// Returns whether something is known of what was asked for.
pub fn run(args: &ExplainArgs) -> Result<bool> {
    let Some(call) = &args.call else {
        answer(list())?;
        return Ok(true);
    };
    let of_call: Vec<_> = troubles().filter(|trouble| is_named(trouble, call)).collect();
    if of_call.is_empty() {
        bail!("nothing is known of `{}`\n`cargo workshop explain` alone lists what is", call.escape_debug());
    }
    let asked = |trouble: &&&Trouble| {
        args.errno.as_ref().is_none_or(|errno| trouble.errno.eq_ignore_ascii_case(errno))
    };
    let chosen: Vec<_> = of_call.iter().filter(asked).collect();
    if let (true, Some(errno)) = (chosen.is_empty(), &args.errno) {
        let mut known: Vec<_> = of_call.iter().map(|trouble| trouble.errno).collect();
        known.dedup();
        bail!(
            "nothing is known of {call} with `{}`\nwhat is known: {}",
            errno.escape_debug(),
            known.join(", ")
        );
    }
    let about: Vec<&Path> = args.about.iter().map(PathBuf::as_path).collect();
    let told: Vec<_> = chosen.into_iter().map(|trouble| verdicts(trouble, &about)).collect();
    answer(told.join("\n"))?;
    Ok(true)
}

/// The call, or one of several that answer alike; or the errno alone.
fn is_named(trouble: &Trouble, word: &str) -> bool {
    let calls = || trouble.call.split(", ");
    calls().any(|call| call == word || call.split(' ').next() == Some(word))
        || trouble.errno.eq_ignore_ascii_case(word)
}

fn list() -> String {
    let line = |trouble: &Trouble| {
        let causes = if trouble.causes.len() == 1 { "cause" } else { "causes" };
        format!("{}: {} {causes}\n", title(trouble), trouble.causes.len())
    };
    let lines: String = troubles().map(line).collect();
    lines + "\nWhich one holds now? cargo workshop explain CALL ERRNO\n"
}

/// The call, the errno, and in which case.
pub fn title(trouble: &Trouble) -> String {
    let when = if trouble.when.is_empty() { String::new() } else { format!(", {}", trouble.when) };
    format!("{} {}{when}", trouble.call, trouble.errno)
}

fn verdicts(trouble: &Trouble, about: &[&Path]) -> String {
    let mut text = title(trouble) + "\n";
    let looks: Vec<Look> = trouble.causes.iter().map(|cause| (cause.look)(about)).collect();
    let held = looks.iter().any(|look| matches!(look, Look::Holds(_)));
    let unseen = looks.iter().filter(|look| **look == Look::Unseen).count();
    for (cause, look) in trouble.causes.iter().zip(&looks) {
        text += &match look {
            Look::Holds(found) => lines("holds", &cause.told(found)),
            Look::Not => lines("no", &unfound(cause.says)),
            // What remains is it, as in the errors of the steps.
            Look::Unseen if !held && unseen == 1 => lines("remains", &told_unfound(cause)),
            Look::Unseen => lines("unseen", &told_unfound(cause)),
        };
    }
    if about.len() < trouble.about.len() {
        let call = trouble.call.split([',', ' ']).next().unwrap_or_default();
        let words = trouble.about.join(" ");
        text += &format!("To have all looked at: cargo workshop explain {call} {} {words}\n", trouble.errno);
    }
    text
}

fn lines(verdict: &str, text: &str) -> String {
    let verdicts = [verdict].into_iter().chain(std::iter::repeat(""));
    text.lines().zip(verdicts).map(|(line, verdict)| format!("  {verdict:<8} {line}\n")).collect()
}

fn told_unfound(cause: &Cause) -> String {
    unfound(&cause.told("{}"))
}

/// A cause's text where nothing was found that could stand in it.
pub fn unfound(text: &str) -> String {
    text.replace("{}", "…")
}
