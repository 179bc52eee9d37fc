//! Out of a chroot, the way it has always been done (`man 2 chroot`).
//!
//! `breakout --chroot DIRECTORY` first locks itself up there; without it, whatever root it has
//! is the one to leave. It needs CAP_SYS_CHROOT, as root has it.

use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use step01_unshare::{answer, refused};
use step03_pid::report;

// ANCHOR: main
fn main() -> ExitCode {
    report(run())
}

fn run() -> Result<u8> {
    let words: Vec<_> = env::args().skip(1).collect();
    match &words[..] {
        [] => {}
        [option, directory] if option == "--chroot" => {
            chroot(directory)?;
            env::set_current_dir("/")?;
        }
        _ => bail!("these words mean nothing here\nUsage: breakout [--chroot DIRECTORY]"),
    }
    answer(format!("before: {}\n", names()?))?;
    break_out()?;
    answer(format!("after:  {}\n", names()?))?;
    Ok(0)
}
// ANCHOR_END: main

// ANCHOR: breakout
fn break_out() -> Result<()> {
    fs::create_dir_all("cell").context("cannot make the directory cell")?;
    // The root moves below us. Our working directory stays where it is: outside of the root.
    chroot("cell")?;
    // And `..` stops only at the root, which it does not come across any more.
    for _ in 0..100 {
        env::set_current_dir("..")?;
    }
    chroot(".")
}
// ANCHOR_END: breakout

// ANCHOR: names
/// Moves the root of this process, and not its working directory.
fn chroot(directory: &str) -> Result<()> {
    nix::unistd::chroot(directory).map_err(|errno| {
        let why =
            "only root may do this (CAP_SYS_CHROOT)\nunshare --map-root-user breakout, which any user may";
        let why = (errno == Errno::EPERM).then(|| why.to_owned());
        refused(&format!("cannot chroot to {directory}"), errno, why)
    })
}

/// What is in `/`.
fn names() -> Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir("/").context("cannot read /")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" "))
}
// ANCHOR_END: names
