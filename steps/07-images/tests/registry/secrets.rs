//! Whom a password may reach: R1 and R2 of the attacks.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::kit::image::Content;
use crate::kit::server::{Reply, Server, bearer, guarded, token_server, unauthorized};
use crate::kit::token::{LOGIN, docker_config, key_pair};
use crate::kit::{Here, as_root, have};
use support::{Background, program, wait_until};

#[test]
fn r1_a_password_goes_to_the_token_server_only_if_the_user_logged_in_here() {
    if !as_root() {
        return;
    }
    let (here, tokens) = (Here::new(), token_server());
    let realm = format!("http://{}/token", tokens.host);
    let registry = guarded(Content::tiny().served(), &bearer(&realm), "Bearer good");
    let name = format!("{}/x:1", registry.host);

    here.log_in(&docker_config("elsewhere.example", "ada:lovelace"));
    here.pull(&name).unwrap();
    assert_eq!(tokens.asked()[0].header("authorization"), None);

    here.log_in(&docker_config(&registry.host, "ada:lovelace"));
    here.pull(&name).unwrap();
    assert_eq!(tokens.asked()[1].header("authorization"), Some(LOGIN));
}

#[test]
fn r1_a_token_server_without_https_is_only_asked_on_this_machine() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    for realm in ["http://192.0.2.1/token", "http://127.0.0.1.example/", "http://user@127.0.0.1/"] {
        let registry = guarded(Content::tiny().served(), &bearer(realm), "Bearer good");
        here.log_in(&docker_config(&registry.host, "ada:lovelace"));
        let error = here.refused(&format!("{}/x:1", registry.host));
        assert!(error.contains("names a token server that is not trusted"), "{error}");
    }
}

#[test]
fn r1_a_token_server_is_an_http_address() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    for realm in ["file:///etc/passwd", "unix:/run/docker.sock", "/token", "http://", ""] {
        let registry = guarded(Content::tiny().served(), &bearer(realm), "Bearer good");
        let error = here.refused(&format!("{}/x:1", registry.host));
        assert!(error.contains("not an http address"), "{realm}: {error}");
    }
}

#[test]
fn r1_r2_a_registry_with_https_cannot_lead_to_http() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let mut here = Here::new();
    here.options.registry.tls_verify = false;
    let plain = Server::start(|_| Reply::ok(br#"{"token": "good"}"#.to_vec()));
    let (key, certificate) = key_pair(here.path(), "tls");
    let folder = here.path().join("v2/x/manifests");
    fs::create_dir_all(&folder).unwrap();
    let challenge = bearer(&format!("http://{}/token", plain.host));
    let answers = [
        ("realm", format!("HTTP/1.0 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n")),
        (
            "redirect",
            format!("HTTP/1.0 307 No\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", plain.host),
        ),
    ];
    for (tag, answer) in answers {
        fs::write(folder.join(tag), answer).unwrap();
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let mut openssl = Command::new(program("openssl").unwrap());
    openssl
        .args(["s_server", "-quiet", "-HTTP", "-accept", &host, "-key"])
        .arg(key)
        .arg("-cert")
        .arg(certificate);
    openssl.current_dir(here.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Background::spawn(&mut openssl).unwrap();
    wait_until("openssl listens", Duration::from_secs(10), || std::net::TcpStream::connect(&host).is_ok());
    here.log_in(&docker_config(&host, "ada:lovelace"));

    let error = here.refused(&format!("{host}/x:realm"));
    assert!(error.contains("does not speak https"), "{error}");
    let error = here.refused(&format!("{host}/x:redirect"));
    assert!(error.contains("redirected from https to http://127.0.0.1"), "{error}");
    assert!(plain.asked().is_empty(), "{:?}", plain.asked());
}

#[test]
fn r2_a_redirect_to_another_port_loses_the_authorization() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let content = Content::tiny();
    let layer = content.layers[0].clone();
    let storage = Server::start(move |_| Reply::ok(layer.clone()));
    let mut served = content.served();
    let away = Reply::status(307).with("Location", &format!("http://{}/blob?signature=1", storage.host));
    served.0.insert(content.layer_path(0), away);
    let registry = guarded(served, "Basic realm=\"x\"", LOGIN);
    here.log_in(&docker_config(&registry.host, "ada:lovelace"));

    here.pull(&format!("{}/x:1", registry.host)).unwrap();

    assert_eq!(storage.asked()[0].header("authorization"), None);
    assert_eq!(storage.asked()[0].query, "signature=1");
}

#[test]
fn r2_a_redirect_on_the_same_server_keeps_the_authorization() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let content = Content::tiny();
    let mut served = content.served();
    served.0.insert(content.layer_path(0), Reply::status(302).with("Location", "/elsewhere"));
    served.0.insert("/elsewhere".to_owned(), Reply::ok(content.layers[0].clone()));
    let registry = guarded(served, "Basic realm=\"x\"", LOGIN);
    here.log_in(&docker_config(&registry.host, "ada:lovelace"));

    here.pull(&format!("{}/x:1", registry.host)).unwrap();
}

#[test]
fn r2_redirects_end() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let registry = Server::start(|ask| Reply::status(302).with("Location", &ask.path));
    let error = here.refused(&format!("{}/x:1", registry.host));
    assert!(error.contains("redirected more than 10 times"), "{error}");
    assert_eq!(registry.count("/v2/x/manifests/1"), 11);
}

#[test]
fn r2_another_servers_challenge_is_not_answered() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let thief = Server::start(|_| unauthorized("Basic realm=\"x\""));
    let away = Reply::status(307).with("Location", &format!("http://{}/steal", thief.host));
    let registry = Server::start(move |_| away.clone());
    here.log_in(&docker_config(&registry.host, "ada:lovelace"));

    let error = here.refused(&format!("{}/x:1", registry.host));

    assert!(error.contains("unauthorized"), "{error}");
    assert!(thief.asked().iter().all(|ask| ask.header("authorization").is_none()));
}
