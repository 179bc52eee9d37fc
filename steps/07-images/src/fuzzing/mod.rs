//! What comes from strangers, as functions that take any bytes: none may panic, hang, or break its promise. `fuzz/`
//! feeds them at random; the test below feeds them what was found worth keeping, and all of its beginnings.

mod local;

use std::io::{self, Read};
use std::path::{Component, Path};

use crate::commands::{Expose, signal::Named};
use crate::container;
use crate::digest::Digest;
use crate::human::{self, seconds_since_1970};
use crate::layers::{Kind, Meaning, Walk, by_magic, meaning};
use crate::manifest::{self, ACCEPTED, Descriptor, Document, Image, Manifest, Platform};
use crate::names::Reference;
use crate::registry;
use crate::store::Store;
pub use local::{frames, log, logins, options, record, template, users, variables};

/// A name of an image, which is the same name when it is written and read again.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(reference) = text.parse::<Reference>() else { return };
    let again = |text: String| text.parse::<Reference>().ok();
    assert_eq!(again(reference.to_string()).as_ref(), Some(&reference), "{text:?}");
    assert_eq!(again(reference.familiar()).as_ref(), Some(&reference), "{text:?}");
}

/// The archive of a layer: names stay inside the tree, and nothing is longer than it was.
pub fn layer(bytes: &[u8]) {
    let mut source = bytes;
    let mut walk = Walk::new(&mut source);
    let mut length = 0;
    while let Ok(Some(entry)) = walk.next_entry() {
        is_inside(&entry.path);
        if let Kind::HardLink(target) = &entry.kind {
            is_inside(target);
        }
        match meaning(&entry.path) {
            Ok(Meaning::Deleted(hidden)) => {
                is_inside(&hidden);
                assert!(hidden.file_name().is_some(), "a whiteout hides something that has a name");
            }
            Ok(Meaning::Opaque(folder)) => is_inside(&folder),
            _ => {}
        }
        length += io::copy(&mut walk, &mut io::sink()).unwrap_or(0);
    }
    assert!(length <= bytes.len() as u64);
}

fn is_inside(path: &Path) {
    assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{}", path.display());
}

/// A document of a registry: an index, a manifest, a config.
pub fn document(bytes: &[u8]) {
    for content_type in ACCEPTED.into_iter().chain([""]) {
        let _ = Document::parse(bytes, content_type);
    }
    let _ = manifest::to_oci(bytes);
    if let Ok(manifest) = manifest::parse::<Manifest>(bytes) {
        let _ = Image::new(Digest::of(bytes), &manifest, bytes);
    }
    let _ = manifest::chain_ids_of_config(bytes);
}

/// The config of an image, behind a manifest with as many layers: who built it chooses users, volumes, ports, signals.
pub fn config(bytes: &[u8]) {
    let Ok(chain_ids) = manifest::chain_ids_of_config(bytes) else { return };
    let blob = |content: &[u8]| Descriptor {
        media_type: String::new(),
        digest: Digest::of(content),
        size: u64::MAX,
        platform: None,
        annotations: Default::default(),
    };
    let manifest = Manifest { config: blob(bytes), layers: chain_ids.iter().map(|_| blob(b"")).collect() };
    let Ok(image) = Image::new(Digest::of(b""), &manifest, bytes) else { return };
    assert_eq!((image.chain_ids(), image.compressed_size() > 0), (chain_ids.clone(), !chain_ids.is_empty()));
    let _ = image.platform.fits(&Platform::of_this_machine());
    let _ = image.created.as_deref().and_then(seconds_since_1970).map(human::time);
    let settings = &image.settings;
    let _ = settings.stop_signal.parse::<Named>();
    settings.exposed_ports.keys().for_each(|port| drop(port.parse::<Expose>()));
    for target in settings.volumes.keys().filter_map(|path| container::target_of_image(path).ok()) {
        is_below_root(&target);
        assert!(["/proc", "/sys", "/dev"].iter().all(|place| !target.starts_with(place)));
    }
}

fn is_below_root(target: &Path) {
    let below = target.strip_prefix("/").unwrap_or(Path::new(".."));
    assert!(below.components().next().is_some(), "{}", target.display());
    is_inside(below);
}

/// The headers of a registry that we take apart: who may come in, where the list goes on, how long to wait. And what
/// comes behind them as JSON.
pub fn headers(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        registry::take_apart(text);
    }
    registry::take_apart_answer(bytes);
}

/// What is compressed: a layer, an archive for `load`.
pub fn compressed(bytes: &[u8]) {
    let mut source = bytes;
    if let Ok(content) = by_magic(&mut source) {
        // A few bytes can stand for very many.
        let _ = io::copy(&mut content.take(1 << 20), &mut io::sink());
    }
}

/// An archive for `load`, up to where its layers would be unpacked.
pub fn archive(bytes: &[u8]) {
    in_folder(|folder| {
        if let Ok(store) = Store::open(&folder.join("store")) {
            let _ = crate::archive::take_apart(&store, bytes);
        }
    });
}

thread_local! {
    /// One for all that a thread is fed with: to make it takes longer than all the rest.
    static FOLDER: Option<tempfile::TempDir> = tempfile::tempdir().ok();
}

fn in_folder(work: impl FnOnce(&Path)) {
    FOLDER.with(|folder| folder.as_ref().map(|folder| work(folder.path())));
}

#[cfg(test)]
mod tests {
    use std::fs;

    type Target = (&'static str, fn(&[u8]));

    /// Each has a file in `fuzz/fuzz_targets`, and a folder in `fuzz/corpus`.
    const TARGETS: [Target; 15] = [
        ("archive", super::archive),
        ("compressed", super::compressed),
        ("config", super::config),
        ("document", super::document),
        ("frames", super::frames),
        ("headers", super::headers),
        ("layer", super::layer),
        ("log", super::log),
        ("logins", super::logins),
        ("options", super::options),
        ("record", super::record),
        ("reference", super::reference),
        ("template", super::template),
        ("users", super::users),
        ("variables", super::variables),
    ];

    #[test]
    fn what_was_kept_is_survived_whole_and_cut_off() {
        for (name, target) in TARGETS {
            replay(name, target);
        }
    }

    #[test]
    fn each_target_can_be_fuzzed() {
        let fuzz = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");
        let manifest = fs::read_to_string(format!("{fuzz}/Cargo.toml")).unwrap();
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
            let program = fs::read_to_string(format!("{fuzz}/fuzz_targets/{name}.rs")).unwrap();
            assert!(program.contains(&format!("fuzzing::{name}(bytes)")), "{name}");
        }
        assert_eq!(fs::read_dir(format!("{fuzz}/fuzz_targets")).unwrap().count(), TARGETS.len());
    }

    fn replay(name: &str, target: fn(&[u8])) {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
        let files: Vec<_> = fs::read_dir(format!("{corpus}/{name}")).unwrap().collect();
        assert!(files.len() > 2, "{name}");
        for file in files {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            // Archives are long, and consist of blocks of 512 bytes.
            let step = match bytes.len() {
                0..256 => 1,
                256..4096 => 7,
                _ => 257,
            };
            for length in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
                target(&bytes[..length]);
            }
        }
    }
}
