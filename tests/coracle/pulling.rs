//! While an image is on its way: who waits, what stays, and what is left of a pull that ends before its time.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::{Background, children, is_alive, wait_until};

use crate::kit::{Boat, Image, LIMIT, Layer, Ran, Slow, names, noise};

/// A small layer, and one that stops in the middle.
fn large() -> Image {
    Image::small(json!({"Cmd": ["large"]})).layer(Layer::new().file("noise", noise(400_000)))
}

struct Pull(Background);

impl Pull {
    fn begin(boat: &Boat, name: &str) -> Self {
        let mut command = boat.command(["pull", "--quiet", name]);
        Self(Background::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap())
    }

    fn runs(&mut self) -> bool {
        self.0.child().try_wait().unwrap().is_none()
    }

    /// The process that does the work.
    fn worker(&self) -> Pid {
        children(self.0.pid())[0]
    }

    fn end(mut self) -> Ran {
        wait_until("the pull ends", LIMIT, || !self.runs());
        let read = |mut stream: Box<dyn std::io::Read>| {
            let mut text = Vec::new();
            stream.read_to_end(&mut text).unwrap();
            text
        };
        let stdout = read(Box::new(self.0.child().stdout.take().unwrap()));
        let stderr = read(Box::new(self.0.child().stderr.take().unwrap()));
        std::process::Output { status: self.0.child().wait().unwrap(), stdout, stderr }.into()
    }

    /// It ends by a signal to all of it.
    fn interrupt(self, signal: Signal) -> Ran {
        let worker = self.worker();
        kill(self.0.pid(), signal).unwrap();
        let ran = self.end();
        wait_until("its child is gone", LIMIT, || !is_alive(worker));
        ran
    }
}

/// What `system df` says of images: all, and how much of it can go.
fn room(boat: &Boat) -> (String, String) {
    let lines = boat.coracle("system df --format json").ok();
    let images: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let reclaimable = images["Reclaimable"].as_str().unwrap().split(' ').next().unwrap().to_owned();
    (images["Size"].as_str().unwrap().to_owned(), reclaimable)
}

#[test]
fn h5_who_wants_something_else_does_not_wait_for_a_pull() {
    let slow = Slow::with(&[("large:1", &large())]);
    let quick = Slow::with(&[("quick:1", &Image::small(json!({"Cmd": ["quick"]})))]);
    let boat = Boat::holding(&Image::small(json!({})));
    let name = format!("{}/large:1", slow.host);
    let mut pull = Pull::begin(&boat, &name);
    slow.wait_until_stopped(1);
    for words in [
        "images",
        "tag box:1 other:1",
        "rmi other:1",
        "system df",
        "history box:1",
        &format!("pull --quiet {}/quick:1", quick.host),
        &format!("rmi {}/quick:1", quick.host),
    ] {
        boat.coracle(words).ok();
        assert!(pull.runs(), "{words} has waited for a pull");
    }
    slow.go_on();
    assert_eq!(pull.end().ok(), name);
    assert_eq!(slow.downloads(), 1);
}

#[test]
fn h5_who_wants_the_same_waits_and_downloads_nothing() {
    // The same image under two names, and another one with the same large layer.
    let other = large().set("Cmd", json!(["other"]));
    let slow = Slow::with(&[("large:1", &large()), ("large:2", &large()), ("other:1", &other)]);
    let boat = Boat::empty();
    let first = Pull::begin(&boat, &format!("{}/large:1", slow.host));
    slow.wait_until_stopped(1);
    let same = ["large:1", "large:2", "other:1"];
    let mut others = same.map(|name| Pull::begin(&boat, &format!("{}/{name}", slow.host)));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(others.iter_mut().all(|pull| pull.runs()));
    slow.go_on();
    assert_eq!(first.end().code, 0);
    for (pull, name) in others.into_iter().zip(same) {
        let ran = pull.end();
        assert_eq!((ran.code, ran.out.trim()), (0, &*format!("{}/{name}", slow.host)), "{ran:?}");
    }
    assert_eq!(slow.downloads(), 1);
    assert_eq!(boat.coracle("images --quiet").ok().lines().count(), 3);
    assert_eq!(names(&boat.root().join("tmp")), Vec::<String>::new());
    assert_eq!(names(&boat.root().join("pulls")), Vec::<String>::new());
}

#[test]
fn what_a_pull_has_brought_stays_while_it_runs() {
    let slow = Slow::with(&[("large:1", &large())]);
    let boat = Boat::empty();
    let name = format!("{}/large:1", slow.host);
    let mut pull = Pull::begin(&boat, &name);
    slow.wait_until_stopped(1);
    let blobs = || names(&boat.root().join("blobs/sha256")).len();
    // The manifest, the config and the small layer.
    wait_until("the small layer is here", LIMIT, || blobs() == 3);
    assert_eq!(room(&boat).1, "0B");
    for words in ["image prune --all --force", "system prune --all --force"] {
        assert_eq!(boat.coracle(words).ok(), "Total reclaimed space: 0B", "{words}");
    }
    assert_eq!(blobs(), 3);
    assert!(pull.runs());
    slow.go_on();
    assert_eq!(pull.end().ok(), name);
    assert_eq!(slow.downloads(), 1);
    assert_eq!(room(&boat).0, room(&boat).1);
}

#[test]
fn h5_what_a_pull_has_found_here_stays_when_its_image_goes() {
    let slow = Slow::with(&[("large:1", &large())]);
    // Its only layer is the lower one of the other image.
    let boat = Boat::holding(&Image::small(json!({})));
    let pull = Pull::begin(&boat, &format!("{}/large:1", slow.host));
    slow.wait_until_stopped(1);
    assert!(boat.coracle("rmi box:1").ok().starts_with("Untagged: box:1\nDeleted: sha256:"));
    slow.go_on();
    let name = pull.end().ok();
    // A damaged image would be told.
    assert_eq!(boat.coracle("images --quiet").ok().lines().count(), 1);
    boat.coracle(&format!("save --output {} {name}", boat.path("archive").display())).ok();
}

#[test]
fn what_an_interrupted_pull_has_left_is_what_prune_frees() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        for prune in ["image prune --force", "system prune --all --force"] {
            let slow = Slow::with(&[("large:1", &large())]);
            let boat = Boat::empty();
            let name = format!("{}/large:1", slow.host);
            let pull = Pull::begin(&boat, &name);
            slow.wait_until_stopped(1);
            wait_until("the small layer is here", LIMIT, || {
                names(&boat.root().join("blobs/sha256")).len() == 3
            });
            let ran = pull.interrupt(signal);
            assert_eq!((ran.code, &*ran.out), (128 + signal as i32, ""), "{ran:?}");

            let (all, reclaimable) = room(&boat);
            assert!(all.ends_with("kB") && all == reclaimable, "{all} {reclaimable}");
            let done = boat.coracle(prune).ok();
            assert_eq!(done, format!("Total reclaimed space: {all}"), "{signal} {prune}");
            assert_eq!(room(&boat), ("0B".to_owned(), "0B".to_owned()));
            for folder in ["blobs/sha256", "layers", "pulls", "tmp"] {
                assert_eq!(names(&boat.root().join(folder)), Vec::<String>::new(), "in {folder}");
            }
        }
    }
}

#[test]
fn what_df_calls_reclaimable_is_what_prune_frees() {
    let boat = Boat::holding(&Image::small(json!({})));
    let quick = Slow::with(&[("quick:1", &Image::small(json!({"Cmd": ["quick"]})))]);
    boat.coracle(&format!("pull --quiet {}/quick:1", quick.host)).ok();
    boat.coracle("create --network none box:1 true").ok();
    let (all, reclaimable) = room(&boat);
    assert!(all != reclaimable && reclaimable != "0B", "{all} {reclaimable}");
    let done = boat.coracle("image prune --all --force").ok();
    assert!(done.ends_with(&format!("Total reclaimed space: {reclaimable}")), "{done} {reclaimable}");
    assert_eq!(room(&boat).1, "0B");
}

#[test]
fn pull_whose_child_was_interrupted_prints_no_name() {
    for (signal, says) in [(Signal::SIGINT, ""), (Signal::SIGKILL, "was killed by SIGKILL")] {
        let slow = Slow::with(&[("large:1", &large())]);
        let boat = Boat::empty();
        let pull = Pull::begin(&boat, &format!("{}/large:1", slow.host));
        slow.wait_until_stopped(1);
        // As by ^C, which reaches both; but the child is always the first.
        kill(pull.worker(), signal).unwrap();
        let ran = pull.end();
        assert_eq!((ran.code, &*ran.out), (128 + signal as i32, ""), "{ran:?}");
        assert!(ran.err.contains(says) && ran.err.is_empty() == says.is_empty(), "{ran:?}");
        boat.coracle("image prune --force").ok();
    }
}
