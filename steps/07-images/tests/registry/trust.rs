//! Whom we believe: certificates and certs.d, insecure registries, mirrors. R12 of the attacks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kit::image::Content;
use crate::kit::real::{Registry, layout};
use crate::kit::server::{Reply, Server};
use crate::kit::{Here, as_root, have, run, token};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An authority, and a server's certificate that it has signed.
struct Signed {
    authority: PathBuf,
    authority_key: PathBuf,
    key: PathBuf,
    certificate: PathBuf,
}

fn signed(folder: &Path) -> Signed {
    let (authority_key, authority) = token::key_pair(folder, "authority");
    let (key, certificate) = sign(folder, "server", &authority, &authority_key);
    Signed { authority, authority_key, key, certificate }
}

fn sign(folder: &Path, name: &str, authority: &Path, authority_key: &Path) -> (PathBuf, PathBuf) {
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    let (key, request, certificate, more) = (path("key"), path("csr"), path("crt"), path("ext"));
    fs::write(&more, "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let subject = format!("/CN={name}");
    run(&[
        "openssl",
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        &subject,
        "-keyout",
        text(&key),
        "-out",
        text(&request),
    ]);
    run(&[
        "openssl",
        "x509",
        "-req",
        "-in",
        text(&request),
        "-CA",
        text(authority),
        "-CAkey",
        text(authority_key),
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        text(&more),
        "-out",
        text(&certificate),
    ]);
    (key, certificate)
}

/// A registry with this certificate, and an image that it calls `box:1`.
fn registry(here: &Here, key: &Path, certificate: &Path, more: &str) -> Option<Registry> {
    let tls =
        format!("  tls:\n    key: {}\n    certificate: {}\n{more}", key.display(), certificate.display());
    let registry = Registry::start_with(&tls, "")?;
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &[]);
    Some(registry)
}

/// The folder of `certs.d` for a registry.
fn certs(here: &Here, host: &str) -> PathBuf {
    let folder = here.path().join("certs.d").join(host);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn r12_an_authority_in_certs_d_counts_for_its_registry_alone() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let here = Here::new();
    let made = signed(here.path());
    let Some(registry) = registry(&here, &made.key, &made.certificate, "") else { return };
    let name = format!("{}/box:1", registry.host);

    fs::copy(&made.authority, certs(&here, "127.0.0.1:1").join("ca.crt")).unwrap();
    assert!(here.refused(&name).contains("certificate"));
    fs::copy(&made.authority, certs(&here, &registry.host).join("ca.crt")).unwrap();
    here.pull(&name).unwrap();
}

#[test]
fn r12_a_certificate_that_signed_itself_is_believed_where_it_lies_in_certs_d() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let here = Here::new();
    let (key, certificate) = token::key_pair(here.path(), "tls");
    let Some(registry) = registry(&here, &key, &certificate, "") else { return };
    fs::copy(&certificate, certs(&here, &registry.host).join("ca.crt")).unwrap();
    here.pull(&format!("{}/box:1", registry.host)).unwrap();
}

#[test]
fn r12_a_certificate_for_another_name_or_time_is_refused_also_in_certs_d() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    for (names, days, expected) in [("192.0.2.1", "2", "not valid for name"), ("127.0.0.1", "-1", "expired")]
    {
        let here = Here::new();
        let path = |name: &str| here.path().join(name);
        let (key, request, certificate, more) =
            (path("own.key"), path("own.csr"), path("own.crt"), path("own.ext"));
        fs::write(&more, format!("subjectAltName=IP:{names}\nbasicConstraints=CA:TRUE\n")).unwrap();
        run(&[
            "openssl",
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=own",
            "-keyout",
            text(&key),
            "-out",
            text(&request),
        ]);
        run(&[
            "openssl",
            "x509",
            "-req",
            "-in",
            text(&request),
            "-signkey",
            text(&key),
            "-days",
            days,
            "-extfile",
            text(&more),
            "-out",
            text(&certificate),
        ]);
        let Some(registry) = registry(&here, &key, &certificate, "") else { return };
        fs::copy(&certificate, certs(&here, &registry.host).join("ca.crt")).unwrap();
        let error = here.refused(&format!("{}/box:1", registry.host));
        assert!(error.to_lowercase().contains(expected), "{names}: {error}");
    }
}

#[test]
fn r12_a_registry_may_want_a_certificate_of_its_client() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let here = Here::new();
    let made = signed(here.path());
    let (key, certificate) = sign(here.path(), "client", &made.authority, &made.authority_key);
    let wants = format!("    clientcas: [{}]\n", made.authority.display());
    // skopeo shows its own.
    let Some(registry) = registry_with_client(&here, &made, &wants, (&key, &certificate)) else { return };
    let (folder, name) = (certs(&here, &registry.host), format!("{}/box:1", registry.host));
    let put = |name: &str, file: &Path| fs::copy(file, folder.join(name)).unwrap();
    let take = |name: &str| fs::remove_file(folder.join(name)).unwrap();

    take("client.cert");
    take("client.key");
    let error = here.refused(&name);
    assert!(error.to_lowercase().contains("certificate"), "{error}");

    put("client.cert", &certificate);
    let error = here.refused(&name);
    assert!(error.contains("client.key") && error.contains("client.cert"), "{error}");

    // Somebody else's key.
    put("client.key", &made.key);
    let error = here.refused(&name);
    assert!(error.contains("client.key") && !error.contains("PRIVATE"), "{error}");

    put("client.key", &key);
    here.pull(&name).unwrap();
}

fn registry_with_client(here: &Here, made: &Signed, wants: &str, client: (&Path, &Path)) -> Option<Registry> {
    let tls = format!(
        "  tls:\n    key: {}\n    certificate: {}\n{wants}",
        made.key.display(),
        made.certificate.display()
    );
    let registry = Registry::start_with(&tls, "")?;
    let folder = certs(here, &registry.host);
    fs::copy(&made.authority, folder.join("ca.crt")).unwrap();
    fs::copy(client.0, folder.join("client.key")).unwrap();
    fs::copy(client.1, folder.join("client.cert")).unwrap();
    registry.push(&format!("oci:{}", layout(here.path())), "box:1", &["--dest-cert-dir", text(&folder)]);
    Some(registry)
}

#[test]
fn r12_what_is_no_certificate_in_certs_d_is_an_error() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    fs::write(certs(&here, "127.0.0.1:1").join("ca.crt"), "s3cret").unwrap();
    let error = here.refused("127.0.0.1:1/x:1");
    assert!(error.contains("ca.crt has no certificate in PEM form") && !error.contains("s3cret"), "{error}");
}

#[test]
fn r12_the_machines_authorities_and_the_users_certs_d_count() {
    if !have(&[("openssl", "openssl")]) {
        return;
    }
    let here = Here::new();
    let made = signed(here.path());
    let Some(registry) = registry(&here, &made.key, &made.certificate, "") else { return };
    let name = format!("{}/box:1", registry.host);
    let pull = |variable: &str, value: &Path| {
        let mut step07 = support::command(env!("CARGO_BIN_EXE_step07"));
        step07.arg("--root").arg(here.path().join("stored")).args(["pull", "--quiet", &name]);
        step07.env("DOCKER_CONFIG", here.path()).env(variable, value).output().unwrap().status.success()
    };
    assert!(!pull("NOTHING", here.path()));
    assert!(pull("SSL_CERT_FILE", &made.authority));
    for place in ["containers/certs.d", "docker/certs.d"] {
        let folder = here.path().join("config").join(place).join(&registry.host);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&made.authority, folder.join("ca.crt")).unwrap();
        assert!(pull("XDG_CONFIG_HOME", &here.path().join("config")), "{place}");
        fs::remove_file(folder.join("ca.crt")).unwrap();
    }
    assert!(!pull("XDG_CONFIG_HOME", &here.path().join("config")));
}

#[test]
fn r12_a_registry_is_insecure_only_where_it_is_named() {
    if !as_root() || !have(&[("openssl", "openssl")]) {
        return;
    }
    let here = Here::new();
    let made = signed(here.path());
    let Some(registry) = registry(&here, &made.key, &made.certificate, "") else { return };
    let name = format!("{}/box:1", registry.host);
    for (named, expected) in [
        ("127.0.0.1", false),
        ("127.0.0.1:1", false),
        ("10.0.0.0/8", false),
        (&registry.host, true),
        ("127.0.0.0/8", true),
    ] {
        let settings = serde_json::json!({"insecure-registries": [named], "debug": true});
        fs::write(here.path().join("daemon.json"), settings.to_string()).unwrap();
        assert_eq!(here.pull(&name).is_ok(), expected, "{named}");
    }
    fs::write(here.path().join("daemon.json"), "{").unwrap();
    assert!(here.pull(&name).unwrap_err().contains("daemon.json"));
}

#[test]
fn a_mirror_of_dockers_registry_is_asked_first_and_without_its_password() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let content = Content::tiny();
    let served = content.served();
    let mirror = Server::start(move |ask| {
        let path = ask.path.replace("/library/x/", "/x/");
        served.0.get(&path).cloned().unwrap_or_else(|| Reply::status(404))
    });
    let broken = Server::start(|_| Reply::error(403, "DENIED", "not for you"));
    let mirrors = [format!("http://{}", broken.host), format!("http://{}/", mirror.host)];
    let settings = serde_json::json!({"registry-mirrors": mirrors});
    fs::write(here.path().join("daemon.json"), settings.to_string()).unwrap();
    here.log_in(&token::docker_config("https://index.docker.io/v1/", "ada:lovelace"));

    let image = here.pull("x:1").unwrap();

    assert_eq!(here.store.find("docker.io/library/x:1").unwrap(), Some(image));
    // Once it was of no use, it is not asked again.
    assert_eq!(broken.asked().len(), 1);
    assert_eq!(mirror.asked().len(), 3);
    assert!(mirror.asked().iter().chain(&broken.asked()).all(|ask| ask.header("authorization").is_none()));

    for bad in ["ftp://x", "mirror.example", "https://mirror.example/path"] {
        let settings = serde_json::json!({"registry-mirrors": [bad]});
        fs::write(here.path().join("daemon.json"), settings.to_string()).unwrap();
        assert!(here.pull("x:1").unwrap_err().starts_with("invalid mirror: "), "{bad}");
    }
}
