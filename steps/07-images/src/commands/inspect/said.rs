//! What was said to `run`, as its record keeps it: `--name=value` and `--name`, then the image.

use std::ffi::OsString;

/// The words of a container's recipe.
#[derive(Debug, Default)]
pub(super) struct Said(Vec<(String, String)>);

impl Said {
    /// Only options: they end where the image is named, which never begins with a dash.
    pub fn of(words: &[OsString]) -> Self {
        let words = words.iter().map(|word| word.to_string_lossy().into_owned());
        let options = words.map_while(|word| word.strip_prefix("--").map(str::to_owned));
        let pair = |option: String| match option.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (option, String::new()),
        };
        Self(options.map(pair).collect())
    }

    /// Each value of an option that may be given several times.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(option, _)| option == name).map(|(_, value)| &**value).collect()
    }

    /// The value of an option; the last one counts.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.all(name).pop()
    }

    /// Whether an option without a value was given.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_end_at_the_image() {
        let words = ["--rm", "--env=A=1=2", "--env=B=", "image", "--tty"].map(OsString::from);
        let said = Said::of(&words);
        assert!(said.flag("rm") && !said.flag("tty"));
        assert_eq!(said.all("env"), ["A=1=2", "B="]);
        assert_eq!(said.value("name"), None);
    }
}
