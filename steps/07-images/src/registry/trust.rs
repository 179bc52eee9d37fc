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
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

type Certificate = CertificateDer<'static>;

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

/// What is believed when `host` is spoken to, and what we show. `insecure`: everybody is believed.
pub(super) fn of(host: &str, folders: &[PathBuf], insecure: bool) -> Result<Arc<ClientConfig>> {
    let (mut own, mut client) = (Vec::new(), None);
    for folder in folders {
        for file in files(&folder.join(host))? {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => own.extend(certificates(&file)?),
                Some("cert") if client.is_none() => client = Some(client_certificate(&file)?),
                _ => {}
            }
        }
    }
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match insecure {
        true => Arc::new(Everybody(provider.clone())),
        false => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
            roots.add_parsable_certificates(system()?);
            roots.add_parsable_certificates(own.clone());
            let roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            Arc::new(Roots { roots: roots.build().context("cannot use the certificates")?, own })
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("cannot prepare for https")?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match client {
        Some((chain, key)) => {
            config.with_client_auth_cert(chain, key).context("cannot use the client's certificate")?
        }
        None => config.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// Authorities, and the registry's own certificate.
#[derive(Debug)]
struct Roots {
    roots: Arc<WebPkiServerVerifier>,
    /// What somebody put into `certs.d`.
    own: Vec<Certificate>,
}

impl ServerCertVerifier for Roots {
    /// `openssl req -x509` makes a certificate that is its own authority, and the library does not take an authority for
    /// a server. Where exactly this one lies in `certs.d`, it is believed nevertheless; it must still be for this name.
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.roots.verify_server_cert(server, between, name, ocsp, now);
        match &verdict {
            // Its dates are in order, or this would be another error.
            Err(error) if error.to_string().contains("CaUsedAsEndEntity") && self.own.contains(server) => {
                verify_server_name(&ParsedCertificate::try_from(server)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}

/// For registries that were called insecure.
#[derive(Debug)]
struct Everybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Everybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// `$SSL_CERT_FILE` counts in place of the machine's, as for OpenSSL. What of it cannot be understood is left out, as
/// there.
fn system() -> Result<Vec<Certificate>> {
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

fn certificates(file: &Path) -> Result<Vec<Certificate>> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let read = read.ok().filter(|certificates| !certificates.is_empty());
    read.ok_or_else(|| anyhow!("{} has no certificate in PEM form", file.display()))
}

/// The certificate, and the key beside it.
fn client_certificate(file: &Path) -> Result<(Vec<Certificate>, PrivateKeyDer<'static>)> {
    let chain = certificates(file)?;
    let key_file = file.with_extension("key");
    let cannot = || format!("cannot use {} for {}", key_file.display(), file.display());
    let text = fs::read(&key_file).with_context(cannot)?;
    // Nothing of a key is shown.
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| anyhow!("it has no key in PEM form"));
    let key = key.with_context(cannot)?;
    CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider()).with_context(cannot)?;
    Ok((chain, key))
}
