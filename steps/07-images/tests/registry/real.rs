//! Pulling from a real registry, and reading back by other tools what was pulled.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::kit::real::{Registry, layout};
use crate::kit::{Here, as_root, have, run, token};

#[test]
fn an_image_is_pulled_without_a_login() {
    if !as_root() {
        return;
    }
    let Some(registry) = Registry::start() else { return };
    let here = Here::new();
    registry.push(&format!("oci:{}", layout(here.path())), "some/box:1", &[]);

    let image = here.pull(&format!("{}/some/box:1", registry.host)).unwrap();

    assert_eq!(image.settings.cmd, ["/bin/sh"]);
    assert!(image.settings.env.contains(&"GREETING=hello".to_owned()), "{:?}", image.settings.env);
    assert_eq!(image.layers.len(), 2);
    let top = here.store.layer(&image.layers[1].chain_id);
    assert_eq!(fs::read_to_string(top.join("greeting")).unwrap(), "hello\n");
    assert_eq!(fs::metadata(here.root()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(here.below("tmp").is_empty());
}

#[test]
fn skopeo_and_umoci_read_the_store() {
    if !as_root() {
        return;
    }
    let Some(registry) = Registry::start() else { return };
    let here = Here::new();
    let made = layout(here.path());
    registry.push(&format!("oci:{made}"), "box:1", &[]);
    let image = here.pull(&format!("{}/box:1", registry.host)).unwrap();

    let name = format!("{}:{}/box:1", here.root(), registry.host);
    let copy = format!("dir:{}", here.path().join("copy").display());
    run(&["skopeo", "copy", "--insecure-policy", &format!("oci:{name}"), &copy]);
    assert!(run(&["umoci", "stat", "--image", &name]).contains(&image.layers[0].blob.digest.to_string()));
    let raw = run(&["skopeo", "inspect", "--raw", &format!("oci:{made}")]);
    assert_eq!(raw, run(&["skopeo", "inspect", "--raw", &format!("oci:{name}")]));
    assert_eq!(run(&["umoci", "ls", "--layout", here.root()]).trim(), format!("{}/box:1", registry.host));
}

#[test]
fn an_image_with_dockers_media_types_is_pulled() {
    if !as_root() {
        return;
    }
    let Some(registry) = Registry::start() else { return };
    let here = Here::new();
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &["--format", "v2s2"]);

    let image = here.pull(&format!("{}/box:1", registry.host)).unwrap();

    // Other tools read layouts in OCI's words only, so the manifest was translated; the old digest still finds it.
    let name = format!("{}:{}/box:1", here.root(), registry.host);
    let copy = format!("dir:{}", here.path().join("copy").display());
    run(&["skopeo", "copy", "--insecure-policy", &format!("oci:{name}"), &copy]);
    run(&["umoci", "stat", "--image", &name]);
    let pulled = here.store.images().unwrap()[0].pulled.unwrap();
    assert_ne!(pulled, image.digest);
    assert_eq!(here.store.find(&pulled.to_string()).unwrap(), Some(image));
}

#[test]
fn an_image_is_pulled_by_digest_and_found_by_it() {
    if !as_root() {
        return;
    }
    let Some(registry) = Registry::start() else { return };
    let here = Here::new();
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &[]);
    let digest = here.pull(&format!("{}/box:1", registry.host)).unwrap().digest;

    let pinned = format!("{}/box@{digest}", registry.host);
    let image = here.pull(&pinned).unwrap();

    assert_eq!(image.digest, digest);
    assert_eq!(here.store.find(&pinned).unwrap(), Some(image));
}

#[test]
fn a_second_pull_fetches_nothing_again() {
    if !as_root() {
        return;
    }
    let Some(registry) = Registry::start() else { return };
    let here = Here::new();
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &[]);
    let name = format!("{}/box:1", registry.host);
    let first = here.pull(&name).unwrap();
    // Without its blobs, the registry can still answer for the manifest.
    for blob in first.layers.iter().map(|layer| &layer.blob) {
        let hex = blob.digest.hex();
        let folder = registry.folder.path().join("data/docker/registry/v2/blobs/sha256");
        fs::remove_file(folder.join(&hex[..2]).join(&hex).join("data")).unwrap();
    }

    assert_eq!(here.pull(&name).unwrap(), first);
}

#[test]
fn an_image_is_pulled_with_a_password() {
    if !as_root() || !have(&[("htpasswd", "apache2-utils")]) {
        return;
    }
    let here = Here::new();
    let passwords = here.path().join("htpasswd");
    fs::write(&passwords, run(&["htpasswd", "-Bbn", "ada", "lovelace"])).unwrap();
    let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", passwords.display());
    let Some(registry) = Registry::start_with("", &auth) else { return };
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &["--dest-creds", "ada:lovelace"]);
    let name = format!("{}/box:1", registry.host);

    let error = here.refused(&name);
    assert!(error.contains("unauthorized: authentication required"), "{error}");
    here.log_in(&token::docker_config(&registry.host, "ada:byron"));
    let error = here.refused(&name);
    assert!(error.contains("unauthorized: authentication required"), "{error}");
    assert!(!error.contains("byron"), "{error}");

    here.log_in(&token::docker_config(&registry.host, "ada:lovelace"));
    here.pull(&name).unwrap();
}

#[test]
fn an_image_is_pulled_with_a_token_of_a_token_server() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let here = Here::new();
    let server = token::server(here.path(), true, 60);
    let Some(registry) = Registry::start_with("", &token::config(&server, here.path())) else { return };
    registry.push(&format!("oci:{}", layout(here.path())), "some/box:1", &["--dest-creds", "ada:lovelace"]);
    let name = format!("{}/some/box:1", registry.host);

    let error = here.refused(&name);
    assert!(error.contains("401 Unauthorized: unauthorized: who are you?"), "{error}");

    here.log_in(&token::docker_config(&registry.host, "ada:lovelace"));
    here.pull(&name).unwrap();
    let last = server.asked().pop().unwrap();
    assert_eq!(last.query, "service=test%20registry&scope=repository%3Asome%2Fbox%3Apull");
}

#[test]
fn an_image_is_pulled_with_a_token_for_everybody() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let here = Here::new();
    let server = token::server(here.path(), false, 60);
    let Some(registry) = Registry::start_with("", &token::config(&server, here.path())) else { return };
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &["--dest-creds", "any:body"]);

    here.pull(&format!("{}/box:1", registry.host)).unwrap();

    assert_eq!(server.asked().pop().unwrap().header("authorization"), None);
}

#[test]
fn a_certificate_that_nobody_knows_is_refused() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let mut here = Here::new();
    let (key, certificate) = token::key_pair(here.path(), "tls");
    let tls = format!("  tls:\n    key: {}\n    certificate: {}\n", key.display(), certificate.display());
    let Some(registry) = Registry::start_with(&tls, "") else { return };
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &[]);
    let name = format!("{}/box:1", registry.host);

    let error = here.refused(&name);
    assert!(error.contains("certificate"), "{error}");

    here.options.registry.tls_verify = false;
    here.pull(&name).unwrap();
}
