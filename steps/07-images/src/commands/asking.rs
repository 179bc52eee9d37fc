//! The words of `run`, kept: whoever starts the container again reads them again.

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// Options, and the words that said so.
#[derive(Debug, Clone)]
pub struct Asking<R> {
    /// The options.
    pub args: R,
    options: Vec<(String, OsString)>,
    rest: Vec<OsString>,
}

// ANCHOR: words
impl<R: Args> Asking<R> {
    /// The words from which the same options can be read again. Those of the options in
    /// `settled` are replaced: what depended on this moment (a variable's value, the current
    /// directory) is written down as it is now.
    pub fn words(&self, settled: &[(&str, Vec<OsString>)]) -> Vec<OsString> {
        let is_settled = |id: &str| settled.iter().any(|(name, _)| *name == id);
        let kept = self.options.iter().filter(|(id, _)| !is_settled(id)).map(|(_, word)| word.clone());
        let command = R::augment_args(Command::new("run"));
        let long = |id: &str| command.get_arguments().find(|arg| arg.get_id() == id)?.get_long();
        let replaced = settled
            .iter()
            .flat_map(|(id, values)| values.iter().filter_map(|value| Some(option(long(id)?, Some(value)))));
        kept.chain(replaced).chain(self.rest.iter().cloned()).collect()
    }

    /// Reads words again.
    ///
    /// # Errors
    /// They were written by another version, which had other options.
    pub fn read(words: &[OsString]) -> Result<R, clap::Error> {
        let command = R::augment_args(Command::new("run").no_binary_name(true));
        R::from_arg_matches(&command.try_get_matches_from(words)?)
    }
}
// ANCHOR_END: words

/// `--name`, or `--name=value`: in one word, since a value may begin with a dash.
fn option(long: &str, value: Option<&OsStr>) -> OsString {
    let mut word = OsString::from(format!("--{long}"));
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    word
}

impl<R: Args> FromArgMatches for Asking<R> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let args = R::from_arg_matches(matches)?;
        let command = R::augment_args(Command::new("run"));
        let was_given =
            |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
        let (mut options, mut rest) = (Vec::new(), Vec::new());
        for arg in command.get_arguments().filter(was_given) {
            let id = arg.get_id().as_str();
            let values = || matches.get_raw(id).into_iter().flatten();
            match arg.get_long() {
                None => rest.extend(values().map(OsStr::to_owned)),
                // A switch that was said to be off is as if nothing had been said.
                Some(long) if !arg.get_action().takes_values() => {
                    let is_on = matches.try_get_one(id).ok().flatten() == Some(&true);
                    options.extend(is_on.then(|| (id.to_owned(), option(long, None))));
                }
                Some(long) => {
                    options.extend(values().map(|value| (id.to_owned(), option(long, Some(value)))));
                }
            }
        }
        Ok(Self { args, options, rest })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<R: Args> Args for Asking<R> {
    fn augment_args(command: Command) -> Command {
        R::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        R::augment_args_for_update(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::RunArgs;
    use crate::commands::switches::as_docker;

    fn parse(words: &[&str]) -> Asking<RunArgs> {
        let command = as_docker(RunArgs::augment_args(Command::new("run").no_binary_name(true)));
        Asking::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap()
    }

    #[test]
    fn words_can_be_read_again() {
        let words = ["--rm", "-e", "A=1", "-eB", "--name=-x-", "-p80", "image", "--", "sh", "-c", "--rm"];
        let asking = parse(&words);
        let again = Asking::<RunArgs>::read(&asking.words(&[])).unwrap();
        assert_eq!(format!("{again:?}"), format!("{:?}", asking.args));
        assert_eq!(again.command(), ["sh", "-c", "--rm"]);
    }

    #[test]
    fn switches_that_are_off_are_not_among_the_words() {
        let asking =
            parse(&["--rm=false", "--tty=1", "-i", "-i=f", "--privileged=false", "--init=true", "image"]);
        let words = asking.words(&[]);
        assert_eq!(words, ["--tty", "--init", "image"]);
        let again = Asking::<RunArgs>::read(&words).unwrap();
        assert_eq!(format!("{again:?}"), format!("{:?}", asking.args));
        assert!(again.tty && again.init && !again.remove && !again.interactive);
    }

    #[test]
    fn what_is_settled_replaces_what_was_said() {
        let asking = parse(&["-e", "A", "-e", "B", "image"]);
        let words = asking.words(&[("env", vec!["A=1".into()])]);
        assert_eq!(Asking::<RunArgs>::read(&words).unwrap().env, ["A=1"]);
    }
}
