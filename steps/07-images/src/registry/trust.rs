//! Whom we believe that he is a registry: certificates.
//!
//! Beside the authorities that are built in (Mozilla's list) those of the machine count, and those that somebody put
//! into a `certs.d` for this registry alone, as for Docker and podman (`man 5 containers-certs.d`):
//! ```text
//!   /etc/docker/certs.d/HOST:PORT/ca.crt           an authority
//!   /etc/docker/certs.d/HOST:PORT/client.cert      who we are, with
//!   /etc/docker/certs.d/HOST:PORT/client.key       the key to it
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// Where distributions keep the authorities that the machine believes: Debian, Fedora, SUSE, Alpine.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The folders `certs.d`, the user's own first.
pub(super) fn default_folders() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let names = ["containers/certs.d", "docker/certs.d"];
    let places = own.into_iter().chain([PathBuf::from("/etc")]);
    places.flat_map(|place| names.map(|name| place.join(name))).collect()
}

/// What is believed when `host` is spoken to, and what we show.
pub(super) fn of(host: &str, folders: &[PathBuf]) -> Result<TlsConfig> {
    let built_in = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let mut roots: Vec<Certificate> = built_in.map(|root| Certificate::from_der(root).to_owned()).collect();
    roots.extend(system()?);
    let mut client = None;
    for folder in folders {
        let folder = folder.join(host);
        for file in files(&folder)? {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => roots.extend(certificates(&file)?),
                Some("cert") if client.is_none() => client = Some(client_certificate(&file)?),
                _ => {}
            }
        }
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).client_cert(client).build())
}

/// `$SSL_CERT_FILE` counts in place of the machine's, as for OpenSSL. What of it cannot be understood is left out, as
/// there.
fn system() -> Result<Vec<Certificate<'static>>> {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
        return certificates(Path::new(&file)).context("SSL_CERT_FILE");
    }
    let file = SYSTEM.iter().find(|file| Path::new(file).exists());
    Ok(file.and_then(|file| certificates(Path::new(file)).ok()).unwrap_or_default())
}

/// In the order of their names. A folder that is not there is empty.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let read = ders(file)?;
    Ok(read.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

fn ders(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let read = read.ok().filter(|certificates| !certificates.is_empty());
    read.ok_or_else(|| anyhow!("{} has no certificate in PEM form", file.display()))
}

/// A pair that does not belong together is an error here: the library would take it for one of ours.
fn client_certificate(file: &Path) -> Result<ClientCert> {
    let chain = ders(file)?;
    let key_file = file.with_extension("key");
    let cannot = || format!("cannot use {} for {}", key_file.display(), file.display());
    let text = fs::read(&key_file).with_context(cannot)?;
    // Nothing of a key is shown.
    let unreadable = || anyhow!("it has no key in PEM form");
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| unreadable()).with_context(cannot)?;
    CertifiedKey::from_der(chain.clone(), key, &ring::default_provider()).with_context(cannot)?;
    let key = PrivateKey::from_pem(&text).map_err(|_| unreadable()).with_context(cannot)?;
    let chain: Vec<_> =
        chain.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    Ok(ClientCert::new_with_certs(&chain, key))
}
