//! How Docker reads options: a switch may be said with its value, and of what is said twice the last counts.

use std::any::TypeId;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

// ANCHOR: switches
/// The same command line, read as Docker reads it: all options of all commands, in this one place.
pub(super) fn as_docker(command: Command) -> Command {
    command.args_override_self(true).mut_args(option).mut_subcommands(as_docker)
}

fn option(arg: Arg) -> Arg {
    match arg.get_action() {
        _ if arg.is_positional() => arg,
        // `--rm` is `--rm=true`, and `-d=false` is as good as nothing. A word behind a blank is not its value.
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("BOOL")
            .default_value("false")
            .default_missing_value("true")
            .value_parser(truth),
        ArgAction::Set if arg.get_value_parser().type_id() == TypeId::of::<bool>() => arg.value_parser(truth),
        // The word behind an option is its value, also one that begins with a hyphen: `--user -1`.
        action if action.takes_values() => arg.allow_hyphen_values(true),
        _ => arg,
    }
}
// ANCHOR_END: switches

/// What may stand before the command. Docker's client says more with two of them: here all is said in any case.
pub(super) fn with_global(command: Command) -> Command {
    let config = Arg::new("config").long("config").value_name("DIR").value_parser(value_parser!(PathBuf));
    let debug = Arg::new("debug").short('D').long("debug").action(ArgAction::SetTrue);
    let level = Arg::new("log-level").short('l').long("log-level").value_parser(level);
    command.args([config, debug, level].map(|arg| arg.hide(true)))
}

fn level(text: &str) -> Result<(), String> {
    let known = ["panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"];
    match known.contains(&&*text.to_ascii_lowercase()) {
        true => Ok(()),
        false => Err(format!("Unable to parse logging level: {}", text.escape_debug())),
    }
}

/// The words of Go's `strconv.ParseBool`, and its error.
fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!("strconv.ParseBool: parsing \"{}\": invalid syntax", other.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(bool, bool, bool), clap::Error> {
        let switch = |(name, letter)| Arg::new(name).short(letter).action(ArgAction::SetTrue);
        let switches = [("a", 'a'), ("b", 'b'), ("c", 'c')].map(switch);
        let command = Command::new("run").no_binary_name(true).args(switches);
        let matches = as_docker(command).try_get_matches_from(words)?;
        Ok((matches.get_flag("a"), matches.get_flag("b"), matches.get_flag("c")))
    }

    #[test]
    fn switches_have_values_and_can_be_said_together() {
        for (words, expected) in [
            (&["-a", "-c"][..], (true, false, true)),
            (&["-abc"], (true, true, true)),
            (&["-abc=false"], (true, true, false)),
            (&["-a=0", "-b=T", "-c=FALSE"], (false, true, false)),
            (&["-a", "-a=false"], (false, false, false)),
            (&["-a=false", "-a", "-a"], (true, false, false)),
        ] {
            assert_eq!(read(words).unwrap(), expected, "{words:?}");
        }
        for wrong in ["-a=maybe", "-a=", "-a=yes", "-a=-1"] {
            let error = read(&[wrong]).unwrap_err().to_string();
            assert!(error.contains("strconv.ParseBool") || error.contains("value is required"), "{error}");
        }
        assert!(read(&["-a", "false"]).is_err(), "a word of its own is no value");
    }
}
