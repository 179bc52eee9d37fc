//! Archives of images: what is refused, and that nothing of it stays.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use step07_images::archive::{Wanted, load, open, save};
use step07_images::digest::Digest;
use step07_images::names::Reference;
use tar::{Builder, EntryType, Header};

use crate::kit::image::{Content, gzip, tar};
use crate::kit::{Here, as_root};

/// The files of an archive with one image, and its names; all may be changed before they are packed.
struct Files(Vec<(String, Vec<u8>)>);

impl Files {
    /// As a layout.
    fn layout(content: &Content) -> Self {
        let mut files = Self::blobs(content);
        let manifest = content.text();
        let descriptor = json!({
            "mediaType": content.manifest_type, "digest": Digest::of(&manifest), "size": manifest.len(),
            "annotations": {"io.containerd.image.name": "docker.io/library/x:1"},
        });
        files.0.push((blob(&manifest), manifest));
        files.set("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        files
            .set("index.json", json!({"schemaVersion": 2, "manifests": [descriptor]}).to_string().as_bytes());
        files
    }

    /// As Docker wrote it.
    fn docker(content: &Content) -> Self {
        let mut files = Self::blobs(content);
        let config = blob(&serde_json::to_vec(&content.config).unwrap());
        let layers: Vec<String> = content.layers.iter().map(|layer| blob(layer)).collect();
        let table = json!([{"Config": config, "RepoTags": ["x:1"], "Layers": layers}]);
        files.set("manifest.json", table.to_string().as_bytes());
        files
    }

    fn blobs(content: &Content) -> Self {
        let config = serde_json::to_vec(&content.config).unwrap();
        let all = content.layers.iter().cloned().chain([config]);
        Self(all.map(|content| (blob(&content), content)).collect())
    }

    fn set(&mut self, name: &str, content: &[u8]) {
        self.0.retain(|(old, _)| old != name);
        self.0.push((name.to_owned(), content.to_vec()));
    }

    /// Changes one of its documents.
    fn edit(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        let (_, text) = self.0.iter().find(|(old, _)| old == name).unwrap();
        let mut document = serde_json::from_slice(text).unwrap();
        change(&mut document);
        self.set(name, document.to_string().as_bytes());
    }

    fn pack(&self) -> Vec<u8> {
        self.pack_as(|_| (EntryType::Regular, String::new()))
    }

    /// `kind` says what an entry claims to be, and where it leads.
    fn pack_as(&self, kind: impl Fn(&str) -> (EntryType, String)) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, content) in &self.0 {
            let (kind, target) = kind(name);
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o644);
            let content = if kind == EntryType::Regular { &content[..] } else { &[] };
            header.set_size(content.len() as u64);
            // As it stands: the library would refuse `..`.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_cksum();
            builder.append(&header, content).unwrap();
        }
        builder.into_inner().unwrap()
    }
}

fn blob(content: &[u8]) -> String {
    format!("blobs/sha256/{}", Digest::of(content).hex())
}

fn loaded(here: &Here, archive: &[u8]) -> Result<Vec<String>, String> {
    load(&here.store, &mut &*archive, None).map_err(|error| format!("{error:#}"))
}

/// It is refused, in one line, and nothing of it is there.
#[track_caller]
fn refused(archive: &[u8], why: &str) {
    let here = Here::new();
    let before = fs::read(here.store.root().join("index.json")).unwrap();
    let error = loaded(&here, archive).expect_err("was not refused");
    assert!(error.contains(why) && error.lines().count() == 1, "{error}");
    assert!(!error.chars().any(char::is_control) && error.len() < 1000, "{error:?}");
    for folder in ["tmp", "blobs/sha256", "layers"] {
        assert!(here.below(folder).is_empty(), "{error}: {:?}", here.below(folder));
    }
    assert_eq!(fs::read(here.store.root().join("index.json")).unwrap(), before);
}

#[test]
fn both_kinds_of_archives_are_loaded_however_they_are_compressed() {
    if !as_root() {
        return;
    }
    let content = Content::of(&[tar(&[("a", b"1")]), tar(&[("b", b"2")])]);
    let id = Digest::of(serde_json::to_vec(&content.config).unwrap());
    for files in [Files::layout(&content), Files::docker(&content)] {
        let archive = files.pack();
        for packed in [archive.clone(), gzip(&archive), zstd::encode_all(&*archive, 1).unwrap()] {
            let here = Here::new();
            assert_eq!(loaded(&here, &packed).unwrap(), ["Loaded image: x:1"]);
            let image = here.store.find("x:1").unwrap().unwrap();
            assert_eq!((image.config_digest, here.store.is_unpacked(&image)), (id, true));
            // Once more, and it is what it was.
            assert_eq!(loaded(&here, &packed).unwrap(), ["Loaded image: x:1"]);
            assert_eq!(here.store.images().unwrap().len(), 1);
        }
    }
}

#[test]
fn image_without_a_name_is_told_by_its_id() {
    if !as_root() {
        return;
    }
    let content = Content::tiny();
    let mut files = Files::docker(&content);
    files.edit("manifest.json", |table| table[0]["RepoTags"] = Value::Null);
    let here = Here::new();
    let said = loaded(&here, &files.pack()).unwrap();
    let id = Digest::of(serde_json::to_vec(&content.config).unwrap());
    assert_eq!(said, [format!("Loaded image ID: {id}")]);
    let [named] = &here.store.images().unwrap()[..] else { panic!() };
    assert_eq!((&named.name, named.image.config_digest), (&None, id));
    // And with a name later, it has one entry.
    loaded(&here, &Files::docker(&content).pack()).unwrap();
    assert_eq!(here.store.images().unwrap().len(), 1);
}

#[test]
fn name_that_another_image_had_is_taken_over_and_said() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let (old, new) = (Content::tiny(), Content::of(&[tar(&[("new", b"")])]));
    loaded(&here, &Files::layout(&old).pack()).unwrap();
    let id = here.store.find("x:1").unwrap().unwrap().config_digest;
    let said = loaded(&here, &Files::layout(&new).pack()).unwrap();
    let expected = format!("The image x:1 already exists, renaming the old one with ID {id} to empty string");
    assert_eq!(said, [expected, "Loaded image: x:1".to_owned()]);
}

#[test]
fn l23_links_lead_nowhere_but_to_other_files_of_the_archive() {
    if !as_root() {
        return;
    }
    let content = Content::tiny();
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), &content.layers[0]).unwrap();
    let layer = blob(&content.layers[0]);
    for files in [Files::layout(&content), Files::docker(&content)] {
        for target in [secret.path().to_str().unwrap(), "../../../../../etc/passwd", "/etc/passwd", ""] {
            for kind in [EntryType::Symlink, EntryType::Link] {
                let is_link = |name: &str| match name == layer {
                    true => (kind, target.to_owned()),
                    false => (EntryType::Regular, String::new()),
                };
                refused(&files.pack_as(is_link), "is missing");
            }
        }
        for kind in [EntryType::Fifo, EntryType::Directory] {
            let special = |name: &str| match name == layer {
                true => (kind, String::new()),
                false => (EntryType::Regular, String::new()),
            };
            refused(&files.pack_as(special), "is not a regular file");
        }
        // To itself.
        let round = |name: &str| match name == layer {
            true => (EntryType::Symlink, layer.rsplit('/').next().unwrap().to_owned()),
            false => (EntryType::Regular, String::new()),
        };
        refused(&files.pack_as(round), "is a link without an end");
    }
    let document = |kind| {
        move |name: &str| match name == "index.json" {
            true => (kind, "/etc/passwd".to_owned()),
            false => (EntryType::Regular, String::new()),
        }
    };
    refused(&Files::layout(&content).pack_as(document(EntryType::Symlink)), "index.json is missing");
    refused(&Files::layout(&content).pack_as(document(EntryType::Fifo)), "index.json is not a regular file");
}

#[test]
fn l23_names_that_lead_out_of_the_archive_stay_within() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), Content::tiny());
    let mut files = Files::layout(&content);
    for name in ["../../../../../../outside", "/outside", "blobs/../../outside", "index.json/below", "."] {
        files.0.insert(0, (name.to_owned(), b"x".to_vec()));
    }
    let outside = here.path().join("outside");
    symlink("/etc", here.path().join("link")).unwrap();
    // The file in the way of `.` is no concern of the image.
    assert_eq!(loaded(&here, &files.pack()).unwrap(), ["Loaded image: x:1"]);
    assert!(!outside.exists() && !std::path::Path::new("/outside").exists());
    assert!(here.below("tmp").is_empty());
}

#[test]
fn l22_wrong_digests_and_sizes_are_refused() {
    if !as_root() {
        return;
    }
    let content = Content::of(&[tar(&[("a", b"1")]), tar(&[("b", b"2")])]);
    let layer = blob(&content.layers[1]);
    let other = gzip(&tar(&[("b", b"3")]));
    for mut files in [Files::layout(&content), Files::docker(&content)] {
        files.set(&layer, &other);
        refused(&files.pack(), "has other content");
        files.0.retain(|(name, _)| *name != layer);
        refused(&files.pack(), "is missing");
    }
    // By a name that is no digest, the content of the layer decides.
    let mut files = Files::docker(&content);
    files.set("layer.tar", &other);
    files.edit("manifest.json", |table| table[0]["Layers"][1] = "layer.tar".into());
    refused(&files.pack(), "layer 2: the uncompressed content has the digest");
    files.edit("manifest.json", |table| drop(table[0]["Layers"].as_array_mut().unwrap().pop()));
    refused(&files.pack(), "has 1 layers, but its config has 2 diff_ids");

    let mut files = Files::layout(&content);
    files.edit("index.json", |index| index["manifests"][0]["size"] = 1.into());
    refused(&files.pack(), "but its descriptor tells 1");
    for digest in ["sha256:../../x", "md5:d41d8cd98f00b204e9800998ecf8427e", ""] {
        files.edit("index.json", |index| index["manifests"][0]["digest"] = digest.into());
        refused(&files.pack(), "invalid digest");
    }
}

#[test]
fn l22_layer_whose_tree_is_here_already_is_checked_all_the_same() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), Content::of(&[tar(&[("a", b"1")]), tar(&[("b", b"2")])]));
    let mut files = Files::docker(&content);
    loaded(&here, &files.pack()).unwrap();
    let before = here.below("blobs/sha256");
    files.set("layer.tar", &gzip(&tar(&[("b", b"3")])));
    files.edit("manifest.json", |table| table[0]["Layers"][1] = "layer.tar".into());
    let error = loaded(&here, &files.pack()).unwrap_err();
    assert!(error.starts_with("layer 2: the uncompressed content has the digest"), "{error}");
    assert_eq!((here.below("blobs/sha256"), here.below("tmp")), (before, Vec::new()));
}

#[test]
fn l28_documents_that_make_no_sense_are_refused() {
    if !as_root() {
        return;
    }
    let content = Content::tiny();
    let deep = "[".repeat(10_000);
    let long = format!("\"{}\"", "x".repeat(5 << 20));
    for text in
        ["", "{}", "[]", "null", "\u{feff}{}", &deep, &long, r#"{"manifests": [{}], "manifests": []}"#]
    {
        for (mut files, name) in
            [(Files::layout(&content), "index.json"), (Files::docker(&content), "manifest.json")]
        {
            files.set(name, text.as_bytes());
            refused(&files.pack(), "");
        }
    }
    for name in ["UPPER:1", "", "x@sha256:123", "x\u{1b}[31m:1"] {
        let mut files = Files::docker(&content);
        files.edit("manifest.json", |table| table[0]["RepoTags"] = json!([name]));
        refused(&files.pack(), "cannot use the name");
    }
    refused(b"", "neither index.json nor manifest.json");
    refused(&[b'x'; 2000], "bad tar header at byte 0");
    refused(b"BZh91AY", "compressed by bzip2");
    refused(b"\xfd7zXZ\0", "compressed by xz");
    let mut only = Files(Vec::new());
    only.set("etc/passwd", b"root:x:0:0");
    refused(&only.pack(), "neither index.json nor manifest.json");
}

#[test]
fn l27_index_without_our_platform_names_those_that_are_there() {
    if !as_root() {
        return;
    }
    let content = Content::tiny();
    let mut files = Files::layout(&content);
    let manifest = content.text();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": content.manifest_type, "digest": Digest::of(&manifest), "size": manifest.len(),
        "platform": {"os": "linux", "architecture": "s390x"},
    }]});
    let index = index.to_string();
    files.set(&blob(index.as_bytes()), index.as_bytes());
    files.edit("index.json", |outer| {
        outer["manifests"][0]["digest"] = Digest::of(&index).to_string().into();
        outer["manifests"][0]["size"] = index.len().into();
        outer["manifests"][0]["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
    });
    refused(
        &files.pack(),
        "no matching manifest for linux/amd64 in the manifest list entries: there are linux/s390x",
    );
    // What says that it is about another is no image.
    files.edit("index.json", |outer| {
        outer["manifests"][0]["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    });
    refused(&files.pack(), "it has no image in it");
}

#[test]
fn l21_archive_that_was_cut_leaves_nothing() {
    if !as_root() {
        return;
    }
    let whole = Files::layout(&Content::tiny()).pack();
    // Behind the last file there are two blocks more, which need not be there: each content has its digest.
    let end = whole.len() - 3 * 512;
    for cut in (1..end).step_by(501) {
        refused(&whole[..cut], "");
    }
    let squeezed = gzip(&whole);
    for cut in (3..squeezed.len() - 100).step_by(61) {
        refused(&squeezed[..cut], "");
    }
}

#[test]
fn layers_that_old_tools_cannot_read_are_saved_without_their_compression() {
    if !as_root() {
        return;
    }
    let archives = [tar(&[("a", &[1; 5000])]), tar(&[("b", &[2; 5000])]), tar(&[("c", b"3")])];
    let mut content = Content::of(&archives);
    content.layers[1] = zstd::encode_all(&*archives[1], 1).unwrap();
    content.layers[2] = archives[2].clone();
    let here = Here::new();
    let mut files = Files::docker(&content);
    files.edit("manifest.json", |table| table[0]["RepoTags"] = json!(["x:1", "y:2"]));
    loaded(&here, &files.pack()).unwrap();
    let image = here.store.find("x:1").unwrap().unwrap();
    assert!(image.layers[1].blob.media_type.ends_with("+zstd"));

    let names: Vec<Reference> = ["x:1", "y:2"].map(|name| name.parse().unwrap()).into();
    let wanted = [Wanted { image: image.clone(), names }];
    let saved = || {
        let mut saved = Vec::new();
        save(&open(&here.store, &wanted).unwrap(), &mut saved).unwrap();
        saved
    };
    assert_eq!(saved(), saved());

    let there = Here::new();
    assert_eq!(loaded(&there, &saved()).unwrap(), ["Loaded image: x:1", "Loaded image: y:2"]);
    let again = there.store.find("y:2").unwrap().unwrap();
    assert_eq!((again.config_digest, again.chain_ids()), (image.config_digest, image.chain_ids()));
    let kinds: Vec<&str> =
        again.layers.iter().map(|l| l.blob.media_type.rsplit('.').next().unwrap()).collect();
    assert_eq!(kinds, ["tar+gzip", "tar", "tar"]);
    assert_eq!(again.layers[1].blob.digest, Digest::of(&archives[1]));
    assert_eq!(again.layers[0].blob.digest, image.layers[0].blob.digest);

    // What is damaged is not handed on.
    for layer in [0, 1] {
        let path = here.store.blob(&image.layers[layer].blob.digest);
        let good = fs::read(&path).unwrap();
        let mut file = fs::File::options().write(true).open(&path).unwrap();
        file.write_all(&good[..4]).unwrap();
        file.write_all(&[0; 20]).unwrap();
        let written = open(&here.store, &wanted).and_then(|opened| save(&opened, &mut Vec::new()));
        assert!(written.is_err(), "layer {layer}");
        fs::write(&path, good).unwrap();
    }
}
