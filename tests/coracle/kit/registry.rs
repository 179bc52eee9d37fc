//! Debian's docker-registry on a free port of loopback: one for all tests of this process, with which it ends.

use std::collections::HashMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use support::{program, wait_until};

use super::{Image, LIMIT, digest, have, tool};

struct Registry {
    /// `127.0.0.1:PORT`
    host: String,
    /// The names of the images that are there, by their content: pushing takes time.
    pushed: Mutex<HashMap<String, String>>,
    _leash: Child,
}

/// Nobody drops what is static. But the pipe is closed when this process ends, in whatever way. (A test that is alone
/// ends with all of its processes, and with its own /dev/shm.)
const LEASH: &str = r#"folder=$1; shift; "$@" & read -r _; kill $!; wait; rm -rf "$folder""#;

/// Pushes an image, and returns its name.
pub fn push(image: &Image) -> Option<String> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    image.write(folder.path(), "image");
    let registry = registry()?;
    let content = digest(&fs::read(folder.path().join("index.json")).unwrap());
    if let Some(name) = registry.pushed.lock().unwrap().get(&content) {
        return Some(name.clone());
    }
    let name = format!("box{}:1", NUMBER.fetch_add(1, Ordering::Relaxed));
    push_as(&format!("oci:{}:image", folder.path().display()), &name)?;
    let name = format!("{}/{name}", registry.host);
    registry.pushed.lock().unwrap().insert(content, name.clone());
    Some(name)
}

/// Pushes what skopeo understands as `source` under this name.
pub fn push_as(source: &str, name: &str) -> Option<()> {
    let target = format!("docker://{}/{name}", registry()?.host);
    tool(&["skopeo", "copy", "--all", "--insecure-policy", "--dest-tls-verify=false", source, &target]);
    Some(())
}

fn registry() -> Option<&'static Registry> {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    if !have(&[("docker-registry", "docker-registry"), ("skopeo", "skopeo")]) {
        return None;
    }
    Some(REGISTRY.get_or_init(start))
}

fn start() -> Registry {
    let folder =
        tempfile::Builder::new().prefix("coracle-registry-").tempdir_in(super::place()).unwrap().keep();
    // Bound and given back: nobody else takes it so soon.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {host}}}\n",
        folder.join("data").display()
    );
    let file = folder.join("config.yml");
    fs::write(&file, config).unwrap();
    let mut leash = Command::new("sh");
    leash
        .args(["-c", LEASH, "sh"])
        .arg(&folder)
        .arg(program("docker-registry").unwrap())
        .arg("serve")
        .arg(file);
    leash.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let leash = leash.spawn().unwrap();
    wait_until("docker-registry listens", LIMIT, || TcpStream::connect(&host).is_ok());
    Registry { host, pushed: Mutex::default(), _leash: leash }
}
