//! A folder in which layers are unpacked one upon the other, with something outside that must stay as it is.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags};
use step07_images::digest::Digest;
use step07_images::layers;
use support::Role;

use crate::tree::{Tree, tree};
use crate::user_namespace::once_more_with_all_ids;

/// A stack of layers that grows.
pub struct Bench {
    folder: tempfile::TempDir,
    /// The bottom first.
    layers: Vec<PathBuf>,
    outside: Tree,
}

impl Bench {
    /// Nothing where this process is an ordinary user: then the same test has run as root of a user namespace.
    pub fn new() -> Option<Self> {
        if Role::here() == Role::User {
            once_more_with_all_ids();
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("marker"), "untouched").unwrap();
        fs::create_dir(outside.join("directory")).unwrap();
        Some(Self { outside: tree(&outside), folder, layers: Vec::new() })
    }

    /// A folder of the host's that no layer may reach.
    pub fn outside(&self) -> String {
        self.folder.path().join("outside").to_str().unwrap().to_owned()
    }

    /// Unpacks one more layer: what was left out, or the error as a user sees it.
    pub fn try_blob(&mut self, blob: &[u8], diff_id: &Digest) -> Result<Vec<String>, String> {
        let number = self.layers.len() + 1;
        let into = self.folder.path().join(format!("layer{number}"));
        fs::create_dir(&into).unwrap();
        let lower: Vec<PathBuf> = self.layers.iter().rev().cloned().collect();
        let before: Vec<Tree> = lower.iter().map(|layer| tree(layer)).collect();

        let result = layers::unpack(number, &mut &blob[..], diff_id, &lower, &into);

        assert_eq!(open_files(self.folder.path()), 0, "a descriptor was left open");
        assert_eq!(tree(&self.folder.path().join("outside")), self.outside, "something outside was changed");
        let after: Vec<Tree> = lower.iter().map(|layer| tree(layer)).collect();
        assert_eq!(after, before, "a lower layer was changed");
        match result {
            Ok(left_out) => {
                self.layers.push(into);
                Ok(left_out)
            }
            Err(error) => {
                fs::remove_dir_all(&into).unwrap();
                let text = format!("{error:#}");
                assert!(text.starts_with(&format!("layer {number}: ")), "{text}");
                assert!(text.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()), "{text:?}");
                assert!(text.len() < 600, "{text}");
                Err(text)
            }
        }
    }

    /// Unpacks one more layer, an archive without compression.
    pub fn try_layer(&mut self, archive: impl AsRef<[u8]>) -> Result<Vec<String>, String> {
        self.try_blob(archive.as_ref(), &Digest::of(archive.as_ref()))
    }

    /// Unpacks a layer that must unpack whole.
    pub fn layer(&mut self, archive: impl AsRef<[u8]>) -> &mut Self {
        assert_eq!(self.try_layer(archive).as_deref(), Ok([].as_slice()));
        self
    }

    /// A layer that must be refused, with the one line of the error. The layers below are good still.
    pub fn refused(&mut self, archive: impl AsRef<[u8]>) -> String {
        match self.try_layer(archive) {
            Ok(_) => panic!("not refused: {:?}", tree(&self.layers.pop().unwrap()).keys()),
            Err(error) => {
                assert_eq!(error.lines().count(), 1, "{error}");
                error
            }
        }
    }

    /// The directory of the layer that came last.
    pub fn top(&self) -> &Path {
        self.layers.last().unwrap()
    }

    /// All layers as a container sees them: mounted by the kernel, in a mount namespace that ends with a thread.
    pub fn merged<T: Send>(&self, read: impl FnOnce(&Path) -> T + Send) -> T {
        let [mount, empty] = ["merged", "empty"].map(|name| self.folder.path().join(name));
        for directory in [&mount, &empty] {
            fs::create_dir_all(directory).unwrap();
        }
        // One layer alone is no stack to the kernel.
        let layers = self.layers.iter().rev().chain([&empty]);
        let lower: Vec<&str> = layers.map(|layer| layer.to_str().unwrap()).collect();
        let options = std::ffi::CString::new(format!("lowerdir={},userxattr", lower.join(":"))).unwrap();
        std::thread::scope(|scope| {
            let view = scope.spawn(|| {
                nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
                let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
                rustix::mount::mount_change("/", private).unwrap();
                rustix::mount::mount("overlay", &mount, "overlay", MountFlags::RDONLY, &*options).unwrap();
                read(&mount)
            });
            view.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The merged tree, entry by entry.
    pub fn tree(&self) -> Tree {
        self.merged(tree)
    }

    /// The names of the merged tree.
    pub fn names(&self) -> Vec<String> {
        self.merged(crate::tree::names)
    }

    /// The content of a file of the merged tree.
    pub fn read(&self, path: &str) -> String {
        self.merged(|root| fs::read_to_string(root.join(path)).unwrap())
    }
}

/// Whether other ids than 0 can own files here.
pub fn can_chown() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.lines().any(|line| line.split_whitespace().nth(2) != Some("1"))
}

/// Which of this test's own files are open: other tests run beside it in the same process.
fn open_files(folder: &Path) -> usize {
    let links =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links.filter(|file| file.starts_with(folder)).count()
}
