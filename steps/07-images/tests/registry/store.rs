//! The store: what stays, what goes, and what others put there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use step07_images::digest::Digest;
use step07_images::store::Store;

use crate::kit::image::{Content, tar, two};
use crate::kit::server::Server;
use crate::kit::{Here, as_root};
use crate::removal::remove;

fn index(here: &Here) -> Value {
    serde_json::from_slice(&fs::read(here.store.root().join("index.json")).unwrap()).unwrap()
}

#[test]
fn a_name_that_moves_leaves_the_old_image_without_one() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let [old, new] = ["old", "new"].map(|name| Content::of(&[tar(&[(name, b"")])]));
    let which = std::sync::Arc::new(std::sync::Mutex::new(old.served()));
    let serving = which.clone();
    let server = Server::start(move |ask| serving.lock().unwrap().answer(ask));
    let name = format!("{}/x:1", server.host);
    let first = here.pull(&name).unwrap();
    *which.lock().unwrap() = new.served();

    let second = here.pull(&name).unwrap();

    assert_eq!(here.store.find(&name).unwrap(), Some(second));
    let names: Vec<_> = here.store.images().unwrap().into_iter().map(|named| named.name).collect();
    assert_eq!(names, [None, Some(name)]);
    let id = &first.config_digest.hex()[..12];
    assert_eq!(here.store.find(id).unwrap(), Some(first.clone()));
    let chain_id = first.layers[0].chain_id;
    let deleted = [format!("Deleted: {}", first.config_digest), format!("Deleted: {chain_id}")];
    assert_eq!(remove(&here, id, false, &[]).unwrap(), deleted);
}

#[test]
fn an_image_is_found_by_every_name_it_has() {
    if !as_root() {
        return;
    }
    let (here, (a, b)) = (Here::new(), two());
    let image = here.pull(&format!("{}/x:1", a.host)).unwrap();
    here.pull(&format!("{}/x:1", b.host)).unwrap();
    let id = image.config_digest.to_string();
    let digest = image.digest.to_string();
    let name = format!("{}/x@{digest}", a.host);
    for text in [&id, &id[..19], &id[7..], &id[7..15], &digest, &digest[7..], &name] {
        assert_eq!(here.store.find(text).unwrap().as_ref(), Some(&image), "{text}");
    }
    for text in ["nobody", "sha256:", "", "zzz", "host-tools", "UPPER", "../x"] {
        assert_eq!(here.store.find(text).unwrap(), None, "{text}");
    }
    assert_eq!(remove(&here, "nobody", false, &[]).unwrap_err(), "No such image: nobody:latest");
}

#[test]
fn i3_a_beginning_that_two_ids_have_is_ambiguous() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    // Of seventeen ids, two begin with the same digit.
    for number in 0..17 {
        let served = Content::of(&[tar(&[(&number.to_string(), b"")])]).served();
        let server = Server::start(move |ask| served.answer(ask));
        here.pull(&format!("{}/x:1", server.host)).unwrap();
    }
    let errors: Vec<String> = (0..16)
        .filter_map(|digit| here.store.find(&format!("{digit:x}")).err())
        .map(|error| format!("{error:#}"))
        .collect();
    assert!(errors.iter().any(|error| error.starts_with("multiple IDs found with provided prefix: ")));
}

#[test]
fn what_other_tools_put_into_the_index_stays() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let blob = here.store.writer().unwrap().add("text/plain", &mut &b"{}"[..]).unwrap();
    let mut foreign = index(&here);
    foreign["annotations"] = json!({"who": "somebody"});
    foreign["manifests"] = json!([
        {"mediaType": "text/plain", "digest": blob.digest, "size": 2, "data": "e30=", "annotations": {"a": "b"}},
        {"mediaType": "x", "digest": "md5:d41d8cd98f00b204e9800998ecf8427e", "size": 1},
        "not even a descriptor",
    ]);
    fs::write(here.store.root().join("index.json"), foreign.to_string()).unwrap();

    let name = format!("{}/x:1", a.host);
    here.pull(&name).unwrap();
    remove(&here, &name, false, &[]).unwrap();

    assert_eq!(index(&here), foreign);
    assert!(here.store.has_blob(&blob));
}

#[test]
fn a_damaged_image_is_not_found_and_pulled_again() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    let image = here.pull(&name).unwrap();
    for digest in [image.digest, image.config_digest, image.layers[0].blob.digest] {
        fs::remove_file(here.store.blob(&digest)).unwrap();
        assert_eq!(here.store.find(&name).unwrap(), None);
        assert_eq!(here.pull(&name).unwrap(), image);
        assert!(here.store.is_whole(&image));
    }
    // The right size, other content, and no tree that was unpacked before.
    let layer = &image.layers[1];
    fs::write(here.store.blob(&layer.blob.digest), vec![0; layer.blob.size as usize]).unwrap();
    fs::remove_dir_all(here.store.layer(&layer.chain_id)).unwrap();
    assert_eq!(here.pull(&name).unwrap(), image);
    assert!(here.store.is_unpacked(&image));
}

#[test]
fn h5_the_same_pull_twice_is_one_download() {
    if !as_root() {
        return;
    }
    let content = Content::of(&[tar(&[("a", &[7; 100_000])])]);
    let (path, served) = (content.layer_path(0), content.served());
    let slow = path.clone();
    let server = Server::start(move |ask| {
        if ask.path == slow {
            thread::sleep(Duration::from_millis(300));
        }
        served.answer(ask)
    });
    let (here, name) = (Here::new(), format!("{}/x:1", server.host));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| here.pull(&name).unwrap());
        }
    });
    assert_eq!(server.count(&path), 1);
}

#[test]
fn h5_a_store_that_many_begin_at_once_is_one() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let root = here.path().join("fresh");
    let name = format!("{}/x:1", a.host);
    thread::scope(|scope| {
        for number in 0..20 {
            let (root, name) = (&root, format!("{name}{number}"));
            scope.spawn(move || {
                let writer = Store::open(root).unwrap().writer().unwrap();
                let blob = writer.add("text/plain", &mut &b"{}"[..]).unwrap();
                writer.tag(&name.parse().unwrap(), &blob).unwrap();
            });
        }
    });
    let text = fs::read_to_string(root.join("index.json")).unwrap();
    assert_eq!(text.matches(&name).count(), 20, "{text}");
}

#[test]
fn h1_a_store_that_was_not_finished_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["blobs", "tmp", "containers"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    assert!(store.images().unwrap().is_empty());
}

#[test]
fn h4_a_folder_that_is_no_store_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis"), "").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let error = format!("{:#}", Store::open(folder.path()).unwrap_err());
    assert!(error.ends_with("it is not empty, and it is no image layout"), "{error}");
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let file = folder.path().join("thesis");
    assert!(Store::open(&file).is_err());
}

#[test]
fn l23_blobs_and_index_are_regular_files_only() {
    let here = Here::new();
    let root = here.store.root();
    let secret = here.path().join("secret");
    fs::write(&secret, "{}").unwrap();
    let digest = Digest::of("{}");
    symlink(&secret, here.store.blob(&digest)).unwrap();
    assert!(here.store.open_blob(&digest).is_err());
    fs::remove_file(here.store.blob(&digest)).unwrap();
    nix::unistd::mkfifo(&here.store.blob(&digest), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(here.store.open_blob(&digest).is_err());

    fs::rename(root.join("index.json"), here.path().join("moved")).unwrap();
    symlink(here.path().join("moved"), root.join("index.json")).unwrap();
    assert!(here.store.images().is_err());
    fs::rename(root.join("layers"), here.path().join("layers")).unwrap();
    symlink(here.path().join("layers"), root.join("layers")).unwrap();
    assert!(format!("{:#}", Store::open(root).unwrap_err()).ends_with("layers is not a folder"));
}
