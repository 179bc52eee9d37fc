//! C1: a container must not get hold of the program that starts it (CVE-2019-5736).

use std::fs;

use crate::kit::{Boat, Ran, digest};

#[test]
fn c1_program_that_starts_a_container_cannot_be_run_in_it() {
    let Some(boat) = Boat::new() else { return };
    let program = || digest(&fs::read(env!("CARGO_BIN_EXE_coracle")).unwrap());
    let before = program();
    let make = "printf '#!/proc/self/exe\\n' >/one; printf '#! /one x\\n' >/two; chmod +x /one /two;
        ln -s /proc/self/exe /link; ln -s /proc/thread-self/exe /bin/named; exec sleep 1000";
    boat.run("-d --name box", &["sh", "-c", make]).ok();
    support::wait_until("all is made", crate::kit::LIMIT, || {
        boat.coracle("exec box test -L /bin/named").code == 0
    });
    let tricks = [
        "/proc/self/exe",
        "/proc/thread-self/exe",
        "/proc/self/root/proc/self/exe",
        "/link",
        "named",
        "/one",
        "/two",
    ];
    for trick in tricks {
        for options in ["", "-i", "-t", "-d"] {
            let words = ["exec", options, "box", trick, "--version"];
            let ran = Ran::of(&mut boat.command(words.into_iter().filter(|word| !word.is_empty())));
            assert_eq!(ran.code, 126, "{trick} {options}: {ran:?}");
            assert!(ran.err.contains("it leads to the program of the host"), "{trick} {options}: {ran:?}");
        }
    }
    for options in ["--rm", "--rm --init", "-d", "-t --rm"] {
        let ran = boat.run(options, &["/proc/self/exe", "--version"]);
        ran.failed(126, "it leads to the program of the host");
    }
    assert_eq!(program(), before);
    // The same file by a path that somebody has given it is a container in a container.
    let volume = format!("{}:/coracle:ro", env!("CARGO_BIN_EXE_coracle"));
    let ran = boat.sh(&format!("-v {volume}"), "exec /coracle --version");
    assert!(!ran.err.contains("it leads to"), "{ran:?}");
}
