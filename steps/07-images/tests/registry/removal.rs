//! Removing images: what goes, what stays, and who waits.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use step07_images::manifest::Image;
use step07_images::store::{Use, remove_tree};

use crate::kit::image::two;
use crate::kit::{Here, as_root};

/// Removes what a word names, and returns what was done in Docker's words.
pub fn remove(here: &Here, text: &str, force: bool, uses: &[Use]) -> Result<Vec<String>, String> {
    let removed = here.store.writer().unwrap().remove(text, force, &|| Ok(uses.to_vec()));
    let lines = removed.map(|removed| removed.lines()).map_err(|error| format!("{error:#}"))?;
    Ok(lines.lines().map(str::to_owned).collect())
}

/// A container that stands on an image.
pub fn container(image: &Image, running: bool) -> Use {
    Use { container: "c".repeat(64), running, image: image.config_digest, layers: image.chain_ids() }
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

    let own = first.layers[1].chain_id;
    let untagged =
        [format!("Untagged: {a}"), format!("Untagged: {}@{}", a.trim_end_matches(":1"), first.digest)];
    assert_eq!(done[..2], untagged);
    assert_eq!(done[2..], [format!("Deleted: {}", first.config_digest), format!("Deleted: {own}")]);
    assert_eq!((trees(&here, &first), trees(&here, &second)), (vec![true, false], vec![true, true]));
    assert_eq!(here.store.find(&b).unwrap(), Some(second));
    remove(&here, &b, false, &[]).unwrap();
    assert!(here.below("layers").is_empty() && here.below("blobs/sha256").is_empty());
}

#[test]
fn layers_under_a_container_stay_when_their_image_goes_by_force() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    let image = here.pull(&name).unwrap();
    let stopped = [container(&image, false)];
    let (id, short) = (image.config_digest.to_string(), &image.config_digest.hex()[..12]);
    assert_eq!(
        remove(&here, &name, false, &stopped).unwrap_err(),
        format!(
            "conflict: unable to remove repository reference \"{name}\" (must force) - container cccccccccccc is \
             using its referenced image {short}"
        )
    );
    assert_eq!(
        remove(&here, short, false, &stopped).unwrap_err(),
        format!(
            "conflict: unable to delete {short} (must be forced) - image is being used by stopped container \
             cccccccccccc"
        )
    );
    let done = remove(&here, &name, true, &stopped).unwrap();
    assert_eq!(done.last(), Some(&format!("Deleted: {id}")));
    assert_eq!(trees(&here, &image), [true, true]);
    assert!(here.below("blobs/sha256").is_empty());
    // With the container the layers go.
    here.store.writer().unwrap().tidy(&|| Ok(Vec::new())).unwrap();
    assert_eq!(trees(&here, &image), [false, false]);
}

#[test]
fn image_under_a_running_container_only_loses_its_name() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    let image = here.pull(&name).unwrap();
    let running = [container(&image, true)];
    let short = &image.config_digest.hex()[..12];
    let untagged = [format!("Untagged: {name}"), format!("Untagged: {}/x@{}", a.host, image.digest)];
    assert_eq!(remove(&here, &name, true, &running).unwrap(), untagged);
    let names: Vec<_> = here.store.images().unwrap().into_iter().map(|named| named.name).collect();
    assert_eq!((names, here.store.is_whole(&image)), (vec![None], true));
    for force in [false, true] {
        assert_eq!(
            remove(&here, short, force, &running).unwrap_err(),
            format!(
                "conflict: unable to delete {short} (cannot be forced) - image is being used by running container \
                 cccccccccccc"
            )
        );
    }
    assert_eq!(remove(&here, short, false, &[]).unwrap().len(), 3);
}

#[test]
fn an_id_with_several_names_goes_by_force_only() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    let image = here.pull(&name).unwrap();
    let writer = here.store.writer().unwrap();
    let descriptor = here.store.images().unwrap().remove(0).descriptor;
    for other in ["box:1", "box:2"] {
        writer.tag(&other.parse().unwrap(), &descriptor).unwrap();
    }
    drop(writer);
    let id = image.config_digest.to_string();
    let error = remove(&here, &id, false, &[]).unwrap_err();
    assert!(error.ends_with("(must be forced) - image is referenced in multiple repositories"), "{error}");
    // A name that is not the last one goes also if a container needs the image.
    assert_eq!(remove(&here, "box:1", false, &[container(&image, true)]).unwrap(), ["Untagged: box:1"]);
    let done = remove(&here, &id, true, &[]).unwrap();
    assert_eq!(done.iter().filter(|line| line.starts_with("Untagged: ")).count(), 4, "{done:?}");
    assert!(here.below("layers").is_empty() && here.below("blobs/sha256").is_empty());
}

#[test]
fn digest_goes_with_the_last_tag_of_its_repository() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    let image = here.pull(&name).unwrap();
    let by_digest = format!("{}/x@{}", a.host, image.digest);
    here.pull(&by_digest).unwrap();
    // Both are one name of one repository.
    let done = remove(&here, &name, false, &[]).unwrap();
    assert_eq!(done[..2], [format!("Untagged: {name}"), format!("Untagged: {by_digest}")]);
    assert!(here.below("blobs/sha256").is_empty());
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

#[test]
fn what_other_tools_put_into_the_layout_is_spared() {
    if !as_root() {
        return;
    }
    let (here, (a, _)) = (Here::new(), two());
    let name = format!("{}/x:1", a.host);
    here.pull(&name).unwrap();
    let writer = here.store.writer().unwrap();
    // A chart, which is no image: its manifest leads to a config and a layer.
    let [config, chart] =
        ["{}", "a chart"].map(|text| writer.add("application/x", &mut text.as_bytes()).unwrap());
    let manifest = serde_json::json!({
        "schemaVersion": 2, "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json",
        "digest": config.digest, "size": 2}, "layers": [{"mediaType": "x", "digest": chart.digest, "size": 7}],
    });
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = writer.add(kind, &mut manifest.to_string().as_bytes()).unwrap();
    writer.tag(&"chart:1".parse().unwrap(), &manifest).unwrap();
    // A blob that somebody is about to name, and one that nobody named for two days.
    let [young, old] = ["young", "old"].map(|text| writer.add("x", &mut text.as_bytes()).unwrap());
    drop(writer);
    let days_ago = std::time::SystemTime::now() - Duration::from_secs(48 * 3600);
    let file = fs::File::options().append(true).open(here.store.blob(&old.digest)).unwrap();
    file.set_modified(days_ago).unwrap();

    remove(&here, &name, false, &[]).unwrap();
    for blob in [&config, &chart, &manifest, &young, &old] {
        assert!(here.store.has_blob(blob), "{blob:?}");
    }
    let removed = here.store.writer().unwrap().prune(&|_| true, &|| Ok(Vec::new())).unwrap();
    assert_eq!((removed.names.len(), removed.digests.len(), removed.bytes), (0, 0, 3));
    for blob in [&config, &chart, &manifest, &young] {
        assert!(here.store.has_blob(blob), "{blob:?}");
    }
    assert!(!here.store.has_blob(&old));
}
