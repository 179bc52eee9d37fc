//! Debian's docker-registry, on a free port of loopback.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Background, program, wait_until};
use tempfile::TempDir;

use super::{have, run};

/// What the tests need of the machine.
pub const NEEDED: [(&str, &str); 3] =
    [("docker-registry", "docker-registry"), ("skopeo", "skopeo"), ("umoci", "umoci")];

/// A registry that serves until it is dropped.
pub struct Registry {
    /// `127.0.0.1:PORT`
    pub host: String,
    pub folder: TempDir,
    _process: Background,
}

impl Registry {
    /// Open to all. `None` where it is not installed; that is said.
    pub fn start() -> Option<Self> {
        Self::start_with("", "")
    }

    /// With more of its configuration file, as YAML: below `http:`, and at the top.
    pub fn start_with(http: &str, top: &str) -> Option<Self> {
        if !have(&NEEDED) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Bound and given back: nobody else takes it so soon.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let data = folder.path().join("data");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http:\n  addr: {host}\n{http}\n{top}\n",
            data.display()
        );
        let file = folder.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new(program("docker-registry").unwrap());
        command.arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Background::spawn(&mut command).unwrap();
        wait_until("docker-registry listens", Duration::from_secs(20), || TcpStream::connect(&host).is_ok());
        Some(Self { host, folder, _process: process })
    }

    /// Pushes an image of a layout; `more` are skopeo's options.
    pub fn push(&self, layout: &str, name: &str, more: &[&str]) {
        let target = format!("docker://{}/{name}", self.host);
        let mut words = vec!["skopeo", "copy", "--dest-tls-verify=false", "--insecure-policy"];
        words.extend(more);
        words.extend([layout, &target]);
        run(&words);
    }
}

/// Makes a layout with the image `box`: busybox below, one small file above. Returns its name for skopeo and umoci.
pub fn layout(folder: &Path) -> String {
    let text = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (layout, root) = (text("layout"), text("root"));
    fs::create_dir(&root).unwrap();
    assert!(support::busybox_root(Path::new(&root)).unwrap(), "busybox is not static");
    fs::create_dir(text("more")).unwrap();
    fs::write(text("more/greeting"), "hello\n").unwrap();
    let image = format!("{layout}:box");
    run(&["umoci", "init", "--layout", &layout]);
    run(&["umoci", "new", "--image", &image]);
    for name in ["root", "more"] {
        let archive = text(&format!("{name}.tar"));
        run(&[
            "tar",
            "--create",
            "--file",
            &archive,
            "--owner=0",
            "--group=0",
            "--directory",
            &text(name),
            ".",
        ]);
        run(&["umoci", "raw", "add-layer", "--image", &image, &archive]);
    }
    run(&["umoci", "config", "--image", &image, "--config.cmd", "/bin/sh", "--config.env", "GREETING=hello"]);
    image
}
