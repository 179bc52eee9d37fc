//! Which namespaces a container shares with others: the options of `run`.

use clap::Args;

// ANCHOR: sharing
/// Whose namespaces they are.
#[derive(Debug, Clone, Default, Args)]
pub struct SharingArgs {
    /// Whose processes it sees: host, or container:NAME
    #[arg(long, value_name = "WHOSE", value_parser = pid)]
    pub pid: Option<Sharing>,
    /// Whose System V and POSIX names: private, shareable, none (no /dev/shm), host, or container:NAME
    #[arg(long, value_name = "WHOSE", value_parser = ipc)]
    pub ipc: Option<Sharing>,
    /// Whose host name: host
    #[arg(long, value_name = "WHOSE", value_parser = uts)]
    pub uts: Option<Sharing>,
}

/// Whose namespace it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// Its own; others may come into it.
    Own,
    /// Its own, and no memory to share.
    Nothing,
    /// The host's.
    Host,
    /// That of another container, by its name or id.
    Container(String),
}
// ANCHOR_END: sharing

fn sharing(text: &str) -> Option<Sharing> {
    match text.strip_prefix("container:") {
        Some("") => None,
        Some(other) => Some(Sharing::Container(other.to_owned())),
        None if text == "host" => Some(Sharing::Host),
        None => text.is_empty().then_some(Sharing::Own),
    }
}

fn pid(text: &str) -> Result<Sharing, String> {
    sharing(text).ok_or_else(|| "--pid: invalid PID mode".to_owned())
}

fn ipc(text: &str) -> Result<Sharing, String> {
    match text {
        "private" | "shareable" => Ok(Sharing::Own),
        "none" => Ok(Sharing::Nothing),
        _ => sharing(text).ok_or_else(|| format!("invalid IPC mode: {text}")),
    }
}

fn uts(text: &str) -> Result<Sharing, String> {
    match sharing(text) {
        Some(known @ (Sharing::Own | Sharing::Host)) => Ok(known),
        _ => Err("--uts: invalid UTS mode".to_owned()),
    }
}
