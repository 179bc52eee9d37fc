//! The tree as a layer: an archive that is the same whenever the files are.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

use super::tree::{Node, Tree};

/// Writes the archive: in the order of names, all of it root's and as old as 1970.
///
/// It is not compressed: what costs time at the first start is the time until the shell is there.
pub fn write(tree: &Tree) -> Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    append(&mut archive, Path::new("./"), &Node::Folder(0o755)).context("cannot write the archive")?;
    for (path, node) in &tree.nodes {
        let name = path.strip_prefix("/").unwrap_or(path);
        append(&mut archive, name, node).with_context(|| format!("cannot archive {}", path.display()))?;
    }
    archive.into_inner().context("cannot write the archive")
}

fn append(archive: &mut Builder<Vec<u8>>, name: &Path, node: &Node) -> std::io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    match node {
        Node::Folder(mode) => {
            header.set_mode(*mode);
            header.set_entry_type(EntryType::Directory);
            archive.append_data(&mut header, name, std::io::empty())
        }
        Node::Link(target) => {
            header.set_mode(0o777);
            header.set_entry_type(EntryType::Symlink);
            header.set_link_name_literal(target.as_os_str().as_bytes())?;
            archive.append_data(&mut header, name, std::io::empty())
        }
        Node::File { content, executable } => {
            header.set_mode(if *executable { 0o755 } else { 0o644 });
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, content.as_slice())
        }
    }
}
