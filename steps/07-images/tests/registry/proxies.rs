//! Proxies, by the environment, and a real one: R12 of the attacks.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use support::{Background, command, program, wait_until};
use tempfile::TempDir;

use crate::kit::have;
use crate::kit::image::Content;
use crate::kit::server::Server;

/// Debian's tinyproxy, which lets ada through.
struct Proxy {
    host: String,
    log: std::path::PathBuf,
    _process: Background,
}

impl Proxy {
    fn start(folder: &Path) -> Option<Self> {
        if !have(&[("tinyproxy", "tinyproxy-bin")]) {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (host, log) = (format!("127.0.0.1:{port}"), folder.join("proxy.log"));
        let config = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogFile \"{}\"\nLogLevel Connect\n\
             BasicAuth ada s3cret\n",
            log.display()
        );
        let file = folder.join("proxy.conf");
        fs::write(&file, config).unwrap();
        let mut tinyproxy = Command::new(program("tinyproxy").unwrap());
        tinyproxy.args(["-d", "-c"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Background::spawn(&mut tinyproxy).unwrap();
        wait_until("tinyproxy listens", Duration::from_secs(10), || TcpStream::connect(&host).is_ok());
        Some(Self { host, log, _process: process })
    }

    /// How often it was asked to connect to a place.
    fn connected(&self, place: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.matches(&format!("CONNECT {place} ")).count()
    }
}

/// A registry under a name that is not this machine's to whom does not calculate: 127.1 is 127.0.0.1 (`man 3 inet_aton`).
fn elsewhere(registry: &Server) -> String {
    registry.host.replace("127.0.0.1", "127.1")
}

fn pull(folder: &TempDir, host: &str) -> Command {
    let mut step07 = command(env!("CARGO_BIN_EXE_step07"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"] {
        step07.env_remove(name);
    }
    let config = folder.path().join("docker");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("daemon.json"), json!({"insecure-registries": [host]}).to_string()).unwrap();
    step07.arg("--root").arg(folder.path().join("store")).args(["pull", "--quiet", &format!("{host}/x:1")]);
    step07.env("XDG_CONFIG_HOME", folder.path()).env("DOCKER_CONFIG", folder.path());
    step07
}

#[test]
fn r12_a_proxy_of_the_environment_is_used_and_no_proxy_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(proxy) = Proxy::start(folder.path()) else { return };
    let served = Content::tiny().served();
    let registry = Server::start(move |ask| served.answer(ask));
    let host = elsewhere(&registry);
    let address = format!("http://ada:s3cret@{}", proxy.host);

    // Nobody answers with https, so http is taken; each has a proxy of its own.
    let output = pull(&folder, &host).env("HTTP_PROXY", &address).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let by_http = proxy.connected(&host);
    assert!(by_http >= 1, "{}", fs::read_to_string(&proxy.log).unwrap());
    let output = pull(&folder, &host).env("https_proxy", &address).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(proxy.connected(&host), by_http + 1, "only the first try was with https");

    for no_proxy in ["127.1", "other, 127.1", "*"] {
        let mut pull = pull(&folder, &host);
        pull.env("HTTP_PROXY", &address).env("HTTPS_PROXY", &address).env("NO_PROXY", no_proxy);
        assert!(pull.status().unwrap().success());
    }
    // This machine is never reached by a proxy.
    assert!(pull(&folder, &registry.host).env("HTTP_PROXY", &address).status().unwrap().success());
    assert_eq!(proxy.connected(&host) + proxy.connected(&registry.host), by_http + 1);
}

#[test]
fn r12_a_proxy_that_refuses_is_said_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let Some(proxy) = Proxy::start(folder.path()) else { return };
    for address in [format!("http://ada:wrongs3cret@{}", proxy.host), "ftp://ada:wrongs3cret@x".to_owned()] {
        let output =
            pull(&folder, "192.0.2.1:5000").env("HTTP_PROXY", &address).env("HTTPS_PROXY", &address).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(said.to_lowercase().contains("proxy") && !said.contains("s3cret"), "{said}");
    }
}
