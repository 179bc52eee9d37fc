//! A token server for the real registry: asks for a password, signs JSON web tokens with openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use support::program;

use super::run;
use super::server::{Ask, Reply, Server};

/// `ada:lovelace`, whom it knows.
pub const LOGIN: &str = "Basic YWRhOmxvdmVsYWNl";

/// Starts one. `password`: only for whom it knows; `lifetime` of its tokens in seconds.
pub fn server(folder: &Path, password: bool, lifetime: i64) -> Server {
    let (key, certificate) = key_pair(folder, "token");
    let der = run(&["openssl", "x509", "-in", path(&certificate), "-outform", "PEM"]);
    let der: String = der.lines().filter(|line| !line.starts_with("---")).collect();
    Server::start(move |ask: &Ask| {
        if password && ask.header("authorization") != Some(LOGIN) {
            return Reply::error(401, "UNAUTHORIZED", "who are you?");
        }
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [der]});
        let token = sign(&key, &header.to_string(), &claims(ask, lifetime).to_string());
        // The name by which the specification wants old clients to be served, and newer ones too.
        Reply::ok(json!({"access_token": token}).to_string().into_bytes())
    })
}

/// The part of docker-registry's configuration that sends its clients there.
pub fn config(server: &Server, folder: &Path) -> String {
    format!(
        "auth:\n  token:\n    realm: http://{}/token\n    service: test registry\n    issuer: tests\n    \
         rootcertbundle: {}\n",
        server.host,
        folder.join("token.crt").display()
    )
}

/// Makes a key, and a certificate that it signed itself, for 127.0.0.1.
pub fn key_pair(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (key, certificate) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.crt")));
    let words =
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"];
    let more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path(&key), "-out", path(&certificate)];
    run(&[&words[..], &more].concat());
    (key, certificate)
}

fn claims(ask: &Ask, lifetime: i64) -> serde_json::Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let query = ask.query.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
    let scope = query.split('&').find_map(|part| part.strip_prefix("scope=")).unwrap_or("");
    let access = match scope.split(':').collect::<Vec<_>>()[..] {
        [kind, name, actions] => {
            let actions: Vec<&str> = actions.split(',').collect();
            json!([{"type": kind, "name": name, "actions": actions}])
        }
        _ => json!([]),
    };
    json!({
        "iss": "tests", "sub": "ada", "aud": "test registry", "access": access,
        "iat": now, "nbf": now - 100, "exp": now + lifetime, "jti": "1",
    })
}

fn sign(key: &Path, header: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let file = key.with_extension(format!("{:?}", std::thread::current().id()));
    fs::write(&file, &text).unwrap();
    let mut openssl = Command::new(program("openssl").unwrap());
    let output = openssl.args(["dgst", "-sha256", "-sign"]).arg(key).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(output.stdout))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Docker's file with a login for a host.
pub fn docker_config(host: &str, user_and_password: &str) -> String {
    json!({"auths": {host: {"auth": STANDARD.encode(user_and_password)}}}).to_string()
}
