//! Removing images: what goes, what stays, and who waits.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use step07_images::digest::Digest;
use step07_images::manifest::Image;
use step07_images::store::remove_tree;

use crate::kit::image::two;
use crate::kit::{Here, as_root};

pub fn remove(here: &Here, text: &str, force: bool, in_use: &[Digest]) -> Result<Vec<String>, String> {
    let in_use: HashSet<Digest> = in_use.iter().copied().collect();
    here.store
        .writer()
        .unwrap()
        .remove(text, force, &|| Ok(in_use.clone()))
        .map_err(|error| format!("{error:#}"))
}

fn trees(here: &Here, image: &Image) -> Vec<bool> {
    image.layers.iter().map(|layer| here.store.layer(&layer.chain_id).exists()).collect()
}

#[test]
fn removing_an_image_leaves_what_another_needs() {
    if !as_root() {
        return;
    }
    let (here, (a, b)) = (Here::new(), two());
    let (a, b) = (format!("{}/x:1", a.host), format!("{}/x:1", b.host));
    let (first, second) = (here.pull(&a).unwrap(), here.pull(&b).unwrap());
    assert_eq!(here.below("layers").len(), 3);

    let done = remove(&here, &a, false, &[]).unwrap();

    assert_eq!(done, [format!("Untagged: {a}"), format!("Deleted: {}", first.config_digest)]);
    assert_eq!((trees(&here, &first), trees(&here, &second)), (vec![true, false], vec![true, true]));
    assert_eq!(here.store.find(&b).unwrap(), Some(second));
    remove(&here, &b, false, &[]).unwrap();
    assert!(here.below("layers").is_empty() && here.below("blobs/sha256").is_empty());
}

#[test]
fn layers_under_a_container_stay_when_their_image_goes() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    let image = here.pull(&name).unwrap();
    remove(&here, &name, false, &image.chain_ids()).unwrap();
    assert_eq!(trees(&here, &image), [true, true]);
    assert!(here.below("blobs/sha256").is_empty());
}

#[test]
fn an_id_with_several_names_goes_by_force_only() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let image = here.pull(&format!("{}/x:1", a.host)).unwrap();
    let by_digest = format!("{}/x@{}", a.host, image.digest);
    here.pull(&by_digest).unwrap();
    let id = image.config_digest.to_string();
    let error = remove(&here, &id, false, &[]).unwrap_err();
    assert!(error.ends_with("(must be forced) - image is referenced in multiple repositories"), "{error}");
    assert_eq!(remove(&here, &by_digest, false, &[]).unwrap(), [format!("Untagged: {by_digest}")]);
    assert_eq!(remove(&here, &id, true, &[]).unwrap().len(), 2);
}

#[test]
fn removal_waits_for_those_who_read() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    let image = here.pull(&name).unwrap();
    let reading = here.store.reading().unwrap();
    thread::scope(|scope| {
        let removal = scope.spawn(|| remove(&here, &name, false, &[]).unwrap());
        thread::sleep(Duration::from_millis(200));
        assert!(!removal.is_finished());
        assert_eq!(trees(&here, &image), [true, true]);
        drop(reading);
        removal.join().unwrap();
    });
    assert_eq!(trees(&here, &image), [false, false]);
}

#[test]
fn what_the_dead_left_unfinished_is_swept() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let tmp = here.store.root().join("tmp");
    fs::create_dir_all(tmp.join("layer-x/a/b")).unwrap();
    fs::write(tmp.join("layer-x/a/file"), "x").unwrap();
    fs::set_permissions(tmp.join("layer-x/a/b"), fs::Permissions::from_mode(0o000)).unwrap();
    symlink("/etc", tmp.join("link")).unwrap();
    drop(here.store.writer().unwrap());
    assert!(here.below("tmp").is_empty() && Path::new("/etc/passwd").exists());
}

#[test]
fn l18_ten_thousand_nested_folders_can_be_removed() {
    // In memory: the subject is depth, and not a disk.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    fs::create_dir(folder.path().join("deep")).unwrap();
    let mut here = fs::File::open(folder.path().join("deep")).unwrap();
    for _ in 0..10_000 {
        rustix::fs::mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = rustix::fs::openat(&here, "d", OFlags::RDONLY, Mode::empty()).unwrap().into();
    }
    // Held open, the last folder would keep the whole chain of them in the kernel's memory.
    drop(here);
    remove_tree(&folder.path().join("deep")).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
