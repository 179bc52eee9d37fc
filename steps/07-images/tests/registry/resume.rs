//! What a pull has left when it was cut, and what the next one makes of it: R6 of the attacks.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::kit::image::{Content, noise, ranged, tar};
use crate::kit::server::{Reply, Server};
use crate::kit::{Here, as_root};

/// Where the first pull is cut, in bytes.
const CUT: usize = 100_000;

fn large() -> Content {
    Content::of(&[tar(&[("noise", &noise(300_000))])])
}

/// A registry that cuts its layer off in the middle, and gives nothing more in the first pull. In the next one it is
/// honest, but for what `change` makes of its answers.
fn cut_once(content: &Content, change: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> Server {
    let (served, path, count) = (content.served(), content.layer_path(0), AtomicUsize::new(0));
    Server::start(move |ask| {
        let honest = served.answer(ask);
        if ask.path != path {
            return honest;
        }
        let honest = honest.with("ETag", "\"a\"");
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => honest.cut_at(CUT),
            1 => Reply::error(403, "DENIED", "no"),
            _ => change(ranged(ask, honest)),
        }
    })
}

/// Which parts of the layer were asked for, in the order of the requests.
fn ranges(server: &Server, content: &Content) -> Vec<Option<String>> {
    let asked = server.asked().into_iter().filter(|ask| ask.path == content.layer_path(0));
    asked.map(|ask| ask.header("range").map(str::to_owned)).collect()
}

fn rest() -> Option<String> {
    Some(format!("bytes={CUT}-"))
}

/// The file that the first pull has left.
fn left(here: &Here, content: &Content) -> PathBuf {
    let name = content.layer_path(0).replace("/v2/x/blobs/sha256:", "partial-");
    here.store.root().join("tmp").join(name)
}

#[test]
fn r6_the_next_pull_goes_on_where_the_last_was_cut() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let server = cut_once(&content, |reply| reply);
    let name = format!("{}/x:1", server.host);
    here.broken_off(&name);
    assert_eq!(fs::metadata(left(&here, &content)).unwrap().len(), CUT as u64);

    here.pull(&name).unwrap();

    assert_eq!(ranges(&server, &content), [None, rest(), rest()]);
    assert!(here.below("tmp").is_empty());
}

#[test]
fn r6_another_registry_can_go_on_if_it_calls_the_content_the_same() {
    if !as_root() {
        return;
    }
    for (etag, expected) in [("\"a\"", vec![rest()]), ("\"b\"", vec![rest(), None])] {
        let (here, content) = (Here::new(), large());
        here.broken_off(&format!("{}/x:1", cut_once(&content, |reply| reply).host));
        let served = content.served();
        let other = Server::start(move |ask| ranged(ask, served.answer(ask).with("ETag", etag)));

        here.pull(&format!("{}/x:1", other.host)).unwrap();

        assert_eq!(ranges(&other, &content), expected, "{etag}");
    }
}

#[test]
fn r6_of_what_was_left_the_digest_decides() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let server = cut_once(&content, |reply| reply);
    let name = format!("{}/x:1", server.host);
    here.broken_off(&name);
    fs::write(left(&here, &content), vec![7; CUT]).unwrap();

    here.pull(&name).unwrap();

    assert_eq!(ranges(&server, &content), [None, rest(), rest(), None]);
}

#[test]
fn r6_what_was_left_whole_is_not_asked_for() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let server = cut_once(&content, |reply| reply);
    let name = format!("{}/x:1", server.host);
    here.broken_off(&name);
    fs::write(left(&here, &content), &content.layers[0]).unwrap();

    here.pull(&name).unwrap();

    assert_eq!(ranges(&server, &content), [None, rest()]);
}

#[test]
fn r6_more_than_there_should_be_is_forgotten() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let server = cut_once(&content, |reply| reply);
    let name = format!("{}/x:1", server.host);
    here.broken_off(&name);
    fs::write(left(&here, &content), vec![0; content.layers[0].len() + 1]).unwrap();

    here.pull(&name).unwrap();

    assert_eq!(ranges(&server, &content), [None, rest(), None]);
}

#[test]
fn r6_a_registry_that_has_no_rest_is_asked_from_the_start() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let server = cut_once(&content, |reply| match reply.status {
        206 => Reply::status(416),
        _ => reply,
    });
    let name = format!("{}/x:1", server.host);
    here.broken_off(&name);

    here.pull(&name).unwrap();

    assert_eq!(ranges(&server, &content), [None, rest(), rest(), None]);
}

#[test]
fn r6_what_nobody_continues_is_collected_after_a_week() {
    let here = Here::new();
    let tmp = here.store.root().join("tmp");
    let day = Duration::from_secs(24 * 3600);
    for (name, days) in [("partial-old", 8), ("partial-old.etag", 8), ("partial-new", 6), ("layer-dead", 0)] {
        let file = File::create(tmp.join(name)).unwrap();
        file.set_modified(SystemTime::now() - days * day).unwrap();
    }
    fs::create_dir(tmp.join("partial-folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", tmp.join("partial-link")).unwrap();

    here.store.writer().unwrap();

    assert_eq!(here.below("tmp"), [tmp.join("partial-new")]);
}

#[test]
fn r6_what_was_left_is_never_followed_elsewhere() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let server = cut_once(&content, |reply| reply);
    let name = format!("{}/x:1", server.host);
    here.broken_off(&name);
    let (left, precious) = (left(&here, &content), here.path().join("precious"));
    fs::write(&precious, "precious").unwrap();
    fs::remove_file(&left).unwrap();
    std::os::unix::fs::symlink(&precious, &left).unwrap();

    here.pull(&name).unwrap();

    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

/// The boot ids beside the trees become those of another boot.
fn power_cut(here: &Here) {
    for mark in here.below("fresh") {
        fs::write(mark, "another boot\n").unwrap();
    }
}

#[test]
fn h3_a_tree_that_was_on_its_way_to_the_disk_at_a_power_cut_is_unpacked_again() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let served = content.served();
    let server = Server::start(move |ask| served.answer(ask));
    let name = format!("{}/x:1", server.host);
    let image = here.pull(&name).unwrap();
    let (chain_id, file) =
        (image.layers[0].chain_id, here.store.layer(&image.layers[0].chain_id).join("noise"));
    fs::write(&file, "what the power cut has left").unwrap();
    assert!(here.store.has_tree(&chain_id));
    power_cut(&here);

    assert!(!here.store.has_tree(&chain_id) && !here.store.is_unpacked(&image));
    let writer = here.store.writer().unwrap();
    step07_images::pull::unpack_image(&writer, &image).unwrap();

    assert!(here.store.is_unpacked(&image));
    assert_eq!(fs::metadata(&file).unwrap().len(), 300_000);
    assert_eq!(server.count(&content.layer_path(0)), 1);
    drop(writer);
    // The blob too may be what is damaged: another size is another blob.
    power_cut(&here);
    fs::write(here.store.blob(&image.layers[0].blob.digest), "").unwrap();
    assert_eq!(here.pull(&name).unwrap(), image);
    assert_eq!(server.count(&content.layer_path(0)), 2);
    assert!(here.store.is_unpacked(&image));
}

#[test]
fn h3_the_next_writer_takes_the_doubt_away() {
    if !as_root() {
        return;
    }
    let (here, served) = (Here::new(), Content::tiny().served());
    let server = Server::start(move |ask| served.answer(ask));
    let image = here.pull(&format!("{}/x:1", server.host)).unwrap();
    assert_eq!(here.below("fresh").len(), 1);
    drop(here.store.writer().unwrap());
    assert_eq!(here.below("fresh").len(), 0);
    assert!(here.store.is_unpacked(&image));
}
