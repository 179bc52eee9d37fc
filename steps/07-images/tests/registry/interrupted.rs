//! Pulls that end before their time: ^C, kill -9, a reader of the output that goes away.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use support::{Background, command, descendants, is_alive, wait_until};

use crate::kit::image::{Content, noise, ranged, tar};
use crate::kit::server::Server;

/// A registry that falls silent in the middle of its only layer, the first time.
fn silent_once() -> Server {
    let content = Content::of(&[tar(&[("noise", &noise(300_000))])]);
    let (served, path) = (content.served(), content.layer_path(0));
    let first = std::sync::atomic::AtomicBool::new(true);
    Server::start(move |ask| {
        match ask.path == path && first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            true => served.answer(ask).cut_at(150_000).then_silence(),
            false => ranged(ask, served.answer(ask)),
        }
    })
}

fn pull(folder: &Path, server: &Server) -> Command {
    let mut step07 = command(env!("CARGO_BIN_EXE_step07"));
    step07.arg("--root").arg(folder.join("store")).args(["pull", &format!("{}/x:1", server.host)]);
    step07.env("DOCKER_CONFIG", folder).stdout(Stdio::null()).stderr(Stdio::null());
    step07
}

/// Half of the layer is here.
fn wait_for_the_middle(folder: &Path) {
    let tmp = folder.join("store/tmp");
    wait_until("half a blob has come", Duration::from_secs(20), || {
        let files = fs::read_dir(&tmp).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).any(|file| file.len() == 150_000)
    });
}

/// After it has ended, the next pull asks for the rest only, succeeds and leaves nothing unfinished.
fn interrupted_by(signal: Signal) -> Duration {
    let (folder, server) = (tempfile::tempdir().unwrap(), silent_once());
    let mut first = Background::spawn(&mut pull(folder.path(), &server)).unwrap();
    wait_for_the_middle(folder.path());
    let children = descendants(first.pid());
    assert!(!children.is_empty(), "a pull works in a child");
    let start = Instant::now();
    kill(first.pid(), signal).unwrap();
    let status = first.child().wait().unwrap();
    let took = start.elapsed();
    assert!(!status.success());
    wait_until("its children are gone", Duration::from_secs(5), || {
        !children.iter().any(|pid| is_alive(*pid))
    });
    assert_eq!(fs::read_dir(folder.path().join("store/layers")).unwrap().count(), 0);

    assert!(pull(folder.path(), &server).status().unwrap().success());
    assert_eq!(fs::read_dir(folder.path().join("store/tmp")).unwrap().count(), 0);
    let asked = server.asked();
    let ranges: Vec<_> = asked.iter().filter_map(|ask| ask.header("range")).collect();
    assert_eq!(ranges, ["bytes=150000-"]);
    took
}

#[test]
fn r6_r7_a_pull_ends_at_once_by_ctrl_c_and_the_next_goes_on() {
    let took = interrupted_by(Signal::SIGINT);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn h1_r6_a_killed_pull_is_continued_by_the_next() {
    interrupted_by(Signal::SIGKILL);
}

#[test]
fn i11_nobody_needs_to_read_what_a_pull_says() {
    let content = Content::tiny().served();
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start(move |ask| content.answer(ask)));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = pull(folder.path(), &server).stderr(writer).status().unwrap();
    assert!(status.success(), "{status}");
}
