//! `completion` and `man`: for shells and for readers, written by clap from the commands themselves.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use super::with_groups;
use crate::text::answer;

/// The option of `completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// For which shell
    #[arg(value_enum)]
    shell: Kind,
}

/// The shells that Docker has completions for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// To be put into /etc/bash_completion.d
    Bash,
    /// To be put into a directory of fpath, as _coracle
    Zsh,
    /// To be put into ~/.config/fish/completions, as coracle.fish
    Fish,
}

impl Completion {
    /// Prints what the shell is to read.
    pub(super) fn print(&self, command: Command) -> Result<u8> {
        let (mut command, mut script) = (with_groups(command), Vec::new());
        let name = command.get_name().to_owned();
        let shell = match self.shell {
            Kind::Bash => Shell::Bash,
            Kind::Zsh => Shell::Zsh,
            Kind::Fish => Shell::Fish,
        };
        clap_complete::generate(shell, &mut command, name, &mut script);
        answer(String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

/// The option of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Where the pages go
    directory: PathBuf,
}

impl Man {
    /// Writes a page for each command: `coracle.1`, `coracle-run.1` and so on.
    pub(super) fn write(&self, command: Command) -> Result<u8> {
        let command = with_groups(command).disable_help_subcommand(true);
        std::fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make {}", self.directory.display()))?;
        let name = command.get_name().to_owned();
        write(&self.directory, &name, command)?;
        Ok(0)
    }
}

fn write(directory: &Path, name: &str, command: Command) -> Result<()> {
    let path = directory.join(OsString::from(format!("{name}.1")));
    let mut page = Vec::new();
    let shown: &'static str = name.to_owned().leak();
    clap_mangen::Man::new(command.clone().name(shown))
        .manual("Coracle")
        .render(&mut page)
        .and_then(|()| std::fs::write(&path, page))
        .with_context(|| format!("cannot write {}", path.display()))?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write(directory, &format!("{name}-{}", verb.get_name()), verb.clone())?;
    }
    Ok(())
}
