//! How registries are asked.

use std::path::PathBuf;
use std::time::Duration;

use super::{settings, trust};
use crate::credentials;

/// How registries are asked.
#[derive(Clone, Debug)]
pub struct Options {
    /// If not, certificates are not checked, and http is taken where there is no https.
    pub tls_verify: bool,
    /// Say whom a password is sent to.
    pub verbose: bool,
    /// The files with the logins; the first that has one counts.
    pub logins: Vec<PathBuf>,
    /// The folders with a folder of certificates for each registry.
    pub certificates: Vec<PathBuf>,
    /// The files that name mirrors and insecure registries; the first that is there counts.
    pub settings: Vec<PathBuf>,
    /// How long a server may be silent. There is no total timeout: a large layer over a slow line takes its time.
    pub stall: Duration,
    /// The first pause before something is tried again; each further one is twice as long.
    pub pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls_verify: true,
            verbose: false,
            logins: credentials::default_files(),
            certificates: trust::default_folders(),
            settings: settings::default_files(),
            stall: Duration::from_secs(30),
            pause: Duration::from_millis(200),
        }
    }
}
