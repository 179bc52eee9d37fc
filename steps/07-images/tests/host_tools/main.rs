//! The image that is made from this machine: whole, the same each time, and no different from others.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use step07_images::digest::Digest;
use step07_images::host_tools;
use step07_images::names::Reference;
use step07_images::store::Store;
use support::{Role, command, not_run, program};

#[path = "../layers/user_namespace.rs"]
mod user_namespace;

/// A store with the image, and the image's tree. Nothing for an ordinary user: then the same test has run as root of
/// a user namespace.
struct Made {
    folder: tempfile::TempDir,
    store: Store,
    digest: Digest,
    tree: PathBuf,
}

impl Made {
    fn new() -> Option<Self> {
        if Role::here() == Role::User {
            user_namespace::once_more_with_all_ids();
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        assert!(host_tools::current(&store).unwrap().is_none());
        let image = host_tools::ensure(&store).unwrap();
        let tree = store.layer(&image.layers[0].chain_id);
        Some(Self { folder, digest: image.digest, store, tree })
    }

    fn current(&self) -> Option<Digest> {
        host_tools::current(&self.store).unwrap().map(|image| image.digest)
    }

    /// Runs a program of the tree, with nothing but the tree around it.
    fn run(&self, words: &[&str]) -> Output {
        let mut chroot = command("chroot");
        chroot.arg(&self.tree).args(words).env_clear().stdin(Stdio::null());
        chroot.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        within_seconds(&mut chroot)
    }

    /// All programs, as paths inside the tree.
    fn programs(&self) -> Vec<String> {
        let names = ["usr/bin", "usr/sbin", "bin", "sbin"].into_iter().flat_map(|folder| {
            let entries = fs::read_dir(self.tree.join(folder)).into_iter().flatten();
            entries.map(move |entry| format!("/{folder}/{}", entry.unwrap().file_name().to_str().unwrap()))
        });
        names.collect()
    }
}

fn within_seconds(command: &mut Command) -> Output {
    let mut timeout = Command::new("timeout");
    timeout.arg("20").arg(command.get_program()).args(command.get_args()).env_clear().stdin(Stdio::null());
    timeout.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    timeout.output().unwrap()
}

#[test]
fn its_programs_find_all_their_libraries_inside() {
    let Some(made) = Made::new() else { return };
    let programs = made.programs();
    assert!(programs.len() > 60, "{programs:?}");
    for program in programs {
        // Busybox takes the word for the name of a tool.
        let word = if program.ends_with("/busybox") { "true" } else { "--version" };
        let run = made.run(&[&program, word]);
        let said = String::from_utf8_lossy(&run.stderr);
        // 126 and 127 are chroot's, when the kernel finds no loader; 127 is the loader's, when it finds no library.
        assert!(!matches!(run.status.code(), None | Some(124..=127)), "{program}: {run:?}");
        assert!(
            !said.contains("shared librar") && !said.contains("symbol lookup error"),
            "{program}: {said}"
        );
    }
}

#[test]
fn its_shell_and_tools_do_their_work() {
    let Some(made) = Made::new() else { return };
    let script = "cd /tmp && echo a line >file && ls -l file && whoami && id -u && cat file && rm file && pwd && ls /bin/sh";
    let run = made.run(&["sh", "-c", script]);
    let said = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert_eq!(lines, ["root", "0", "a line", "/tmp", "/bin/sh"], "{run:?}");
    assert!(said.starts_with("-rw-r--r-- 1 root root 7 "), "{said}");
    let nobody = made.run(&["sh", "-c", "getent passwd nobody 2>/dev/null || grep nobody /etc/passwd"]);
    assert_eq!(String::from_utf8_lossy(&nobody.stdout).split(':').nth(2), Some("65534"));
}

#[test]
fn all_of_it_is_roots_and_as_old_as_1970() {
    let Some(made) = Made::new() else { return };
    let mut ahead = vec![made.tree.clone()];
    let mut files = 0;
    while let Some(path) = ahead.pop() {
        let status = path.symlink_metadata().unwrap();
        let is = (status.uid(), status.gid(), status.mtime(), status.mtime_nsec());
        assert_eq!(is, (0, 0, 0, 0), "{}", path.display());
        let kind = status.file_type();
        assert!(!kind.is_char_device() && !kind.is_block_device(), "{}", path.display());
        assert_eq!(status.mode() & 0o6000, 0, "{} has a set-id bit", path.display());
        if status.is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        files += usize::from(status.is_file());
    }
    assert!(files > 60);
    let mode = |name: &str| made.tree.join(name).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(["tmp", "var/tmp", "root", "proc"].map(mode), [0o1777, 0o1777, 0o700, 0o755]);
}

#[test]
fn the_same_machine_makes_the_same_image() {
    let (Some(one), Some(two)) = (Made::new(), Made::new()) else { return };
    assert_eq!(one.digest, two.digest);
    // And makes it once.
    let index = |made: &Made| fs::metadata(made.folder.path().join("store/index.json")).unwrap().ino();
    let before = index(&one);
    assert_eq!(host_tools::ensure(&one.store).unwrap().digest, one.digest);
    assert_eq!((index(&one), one.current()), (before, Some(one.digest)));
}

#[test]
fn a_blob_that_is_gone_comes_back() {
    let Some(made) = Made::new() else { return };
    let blobs: Vec<PathBuf> = fs::read_dir(made.folder.path().join("store/blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(blobs.len(), 3, "a layer, a config, a manifest: {blobs:?}");
    for blob in &blobs {
        fs::remove_file(blob).unwrap();
        assert_eq!(made.current(), None);
        assert_eq!(host_tools::ensure(&made.store).unwrap().digest, made.digest);
        assert!(blob.is_file() && made.current() == Some(made.digest));
    }
    // So does the unpacked tree.
    fs::remove_dir_all(&made.tree).unwrap();
    host_tools::ensure(&made.store).unwrap();
    assert!(made.tree.join("usr/bin").is_dir());
}

#[test]
fn a_source_that_changed_makes_it_anew() {
    let Some(made) = Made::new() else { return };
    let record = made.folder.path().join("store/host-tools.json");
    let good = fs::read_to_string(&record).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&good).unwrap();
    let sources = value["sources"].as_object_mut().unwrap();
    for name in ["/usr/bin/ls", "/usr/bin/sh"] {
        assert!(sources.contains_key(name) || sources.contains_key(&name[4..]), "{name}");
    }
    let (_, stamp) = sources.iter_mut().find(|(_, stamp)| stamp.is_array()).unwrap();
    stamp[1] = 1.into();
    for text in [value.to_string(), good.replacen("sha256:", "sha256:0", 1), "{}".into(), String::new()] {
        fs::write(&record, text).unwrap();
        assert_eq!(made.current(), None);
        host_tools::ensure(&made.store).unwrap();
        assert_eq!(made.current(), Some(made.digest));
    }
    fs::remove_file(&record).unwrap();
    assert_eq!(made.current(), None);
}

#[test]
fn skopeo_copies_it_out_of_the_store() {
    let Some(made) = Made::new() else { return };
    let Some(skopeo) = program("skopeo") else { return not_run("skopeo is missing: apt-get install skopeo") };
    let from = format!("oci:{}:docker.io/library/host-tools:latest", made.store.root().display());
    let to = format!("dir:{}", made.folder.path().join("copy").display());
    let policy = "--insecure-policy";
    let copied = command(skopeo).args([policy, "copy", &from, &to]).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let manifest = fs::read(made.folder.path().join("copy/manifest.json")).unwrap();
    assert_eq!(Digest::of(manifest), made.digest);
}

#[test]
fn only_its_own_name_means_it() {
    let is_it = |text: &str| host_tools::is_it(&text.parse::<Reference>().unwrap());
    for name in ["host-tools", "host-tools:latest", "docker.io/library/host-tools", "library/host-tools"] {
        assert!(is_it(name), "{name}");
    }
    for name in ["host-tools:1", "localhost/host-tools", "me/host-tools", "host-toolsx"] {
        assert!(!is_it(name), "{name}");
    }
}
