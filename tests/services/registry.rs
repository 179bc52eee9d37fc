//! The images, as `tests/services/images` has built them, in a registry that only reads.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use support::{Role, command, not_run, program, wait_until};

use crate::kit::{LIMIT, have};

struct Registry {
    /// `127.0.0.1:PORT`
    host: String,
    _leash: Child,
}

/// Nobody drops what is static. But the pipe is closed when this process ends, in whatever way.
const LEASH: &str = r#""$@" & read -r _; kill $!; wait"#;

/// The name of an image. Nothing where it cannot be; it is said.
pub fn image(service: &str) -> Option<String> {
    static REGISTRY: OnceLock<Option<Registry>> = OnceLock::new();
    if !have(&[("docker-registry", "docker-registry")]) {
        return None;
    }
    let registry = REGISTRY.get_or_init(|| storage().map(|storage| start(&storage)));
    if registry.is_none() {
        not_run("there are no images of services: tests/services/images builds them, as root");
    }
    Some(format!("{}/{service}:1", registry.as_ref()?.host))
}

/// Built by whoever may, for all.
fn storage() -> Option<PathBuf> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let storage = tree.join("target/services/registry");
    let needed = [("mmdebstrap", "mmdebstrap"), ("umoci", "umoci"), ("skopeo", "skopeo")];
    if !storage.exists() && Role::here() == Role::Root && have(&needed) {
        let built = command(tree.join("tests/services/images")).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "tests/services/images: {said}");
    }
    storage.exists().then_some(storage)
}

fn start(storage: &Path) -> Registry {
    // Bound and given back: nobody else takes it so soon.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: {host}}}\n\
         storage: {{filesystem: {{rootdirectory: {}}}, maintenance: {{readonly: {{enabled: true}}}}}}\n",
        storage.display()
    );
    let file = env::temp_dir().join(format!("coracle-services-{port}.yml"));
    fs::write(&file, config).unwrap();
    let mut leash = Command::new("sh");
    leash.args(["-c", LEASH, "sh"]).arg(program("docker-registry").unwrap()).arg("serve").arg(&file);
    leash.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let leash = leash.spawn().unwrap();
    wait_until("docker-registry listens", LIMIT, || TcpStream::connect(&host).is_ok());
    fs::remove_file(file).unwrap();
    Registry { host, _leash: leash }
}
