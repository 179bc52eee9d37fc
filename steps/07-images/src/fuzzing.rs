//! What comes from strangers, as functions that take any bytes: none may panic, hang, or break its promise. `fuzz/`
//! feeds them at random; the test below feeds them what was found worth keeping, and all of its beginnings.

use std::path::{Component, Path};

use crate::layers::{Kind, Meaning, Walk, meaning};
use crate::manifest::{self, ACCEPTED, Document, Image, Manifest};
use crate::names::Reference;
use crate::{digest::Digest, registry};

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
        length += std::io::copy(&mut walk, &mut std::io::sink()).unwrap_or(0);
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

/// The headers of a registry that we take apart: who may come in, and where the list goes on.
pub fn headers(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        registry::take_apart(text);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn what_was_kept_is_survived_whole_and_cut_off() {
        replay("reference", super::reference);
        replay("layer", super::layer);
        replay("document", super::document);
        replay("headers", super::headers);
    }

    fn replay(name: &str, target: fn(&[u8])) {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
        let files: Vec<_> = fs::read_dir(format!("{corpus}/{name}")).unwrap().collect();
        assert!(files.len() > 2, "{name}");
        for file in files {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            // Archives are long, and consist of blocks of 512 bytes.
            let step = if bytes.len() > 4096 { 257 } else { 1 };
            for length in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
                target(&bytes[..length]);
            }
        }
    }
}
