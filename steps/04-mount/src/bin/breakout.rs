//! Out of a chroot, the way it has always been done (`man 2 chroot`).
//!
//! `breakout --chroot DIRECTORY` first locks itself up there; without it, whatever root it has
//! is the one to leave. It needs CAP_SYS_CHROOT, as root has it.

use std::io::Result;
use std::os::unix::fs::chroot;
use std::{env, fs};

// ANCHOR: main
fn main() -> Result<()> {
    let words: Vec<_> = env::args().skip(1).collect();
    if let [option, directory] = &words[..]
        && option == "--chroot"
    {
        chroot(directory)?;
        env::set_current_dir("/")?;
    }
    println!("before: {}", names()?);
    break_out()?;
    println!("after:  {}", names()?);
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: breakout
fn break_out() -> Result<()> {
    fs::create_dir_all("cell")?;
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
/// What is in `/`.
fn names() -> Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir("/")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" "))
}
// ANCHOR_END: names
