//! `login`: a password is tried, and only then kept.

use std::io::{IsTerminal, Read, stdin};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::password::{read_line, read_password};
use crate::credentials::{Kept, Login, docker_file, login, save};
use crate::names::{self, DEFAULT_REGISTRY};
use crate::registry::{Options, Registry};
use crate::text::{answer, printable, tell};

/// The longest password that is read from a pipe, in bytes.
const LONGEST: u64 = 1 << 20;

/// Log in to a registry.
#[derive(Debug, Args)]
pub struct LogIn {
    /// The user
    #[arg(short, long)]
    username: Option<String>,
    /// The password; everybody can see it in the list of processes
    #[arg(short, long)]
    password: Option<String>,
    /// Take the password from the standard input
    #[arg(long)]
    password_stdin: bool,
    /// Whether to insist on https and on certificates that are in order
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    tls_verify: bool,
    /// Say whom the password is sent to
    #[arg(short, long)]
    verbose: bool,
    /// The registry; Docker's own if none is given
    #[arg(default_value = DEFAULT_REGISTRY)]
    server: String,
}

impl LogIn {
    // ANCHOR: login
    pub(super) fn execute(&self) -> Result<u8> {
        let registry = names::registry(&self.server)?;
        let file = docker_file().context("cannot tell where logins are kept: you have no home directory")?;
        let wanted = self.login(&file, &registry)?;
        let options = Options { tls_verify: self.tls_verify, verbose: self.verbose, ..Options::default() };
        let login = Registry::log_in(&registry, wanted, &options)?;
        if save(&file, &registry, &login)? == Kept::InTheOpen {
            tell(format_args!("WARNING! Your credentials are stored unencrypted in '{}'.", file.display()));
            tell("Configure a credential helper to remove this warning. See");
            tell("https://docs.docker.com/go/credential-store/\n");
        }
        answer("Login Succeeded\n")?;
        Ok(0)
    }
    // ANCHOR_END: login

    /// What is not on the command line is asked for.
    fn login(&self, file: &Path, registry: &str) -> Result<Login> {
        ensure!(
            self.password.is_none() || !self.password_stdin,
            "conflicting options: cannot specify both --password and --password-stdin"
        );
        ensure!(
            self.username.is_some() || !self.password_stdin,
            "the --password-stdin option requires --username to be set"
        );
        if self.password.is_some() {
            tell("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
        }
        let given = match self.password_stdin {
            true => Some(from_pipe()?),
            false => self.password.clone(),
        }
        .filter(|password| !password.is_empty());
        if let (Some(user), Some(password)) = (&self.username, &given) {
            return Ok(Login { user: user.clone(), password: password.clone(), identity_token: None });
        }
        let known = login(file, registry, "")?;
        if let (Some(known), None, None) = (&known, &self.username, &given) {
            tell(format_args!(
                "Authenticating with existing credentials... [Username: {}]",
                printable(&known.user)
            ));
            return Ok(known.clone());
        }
        if !stdin().is_terminal() {
            bail!("Cannot perform an interactive login from a non TTY device");
        }
        let user = match &self.username {
            Some(user) => user.clone(),
            None => read_line("Username: ")?,
        };
        ensure!(!user.is_empty(), "username is required");
        let password = given.map_or_else(|| read_password("Password: "), Ok)?;
        ensure!(!password.is_empty(), "password is required");
        Ok(Login { user, password, identity_token: None })
    }
}

/// All of it, without the end of the line that `echo` adds.
fn from_pipe() -> Result<String> {
    let mut text = String::new();
    let read = stdin().lock().take(LONGEST + 1).read_to_string(&mut text);
    // The library's own text could show a piece of it.
    read.ok().context("cannot read the password: it is not UTF-8")?;
    ensure!(text.len() as u64 <= LONGEST, "the password is too long");
    Ok(text.strip_suffix('\n').map_or(&*text, |text| text.trim_end_matches('\r')).to_owned())
}
