//! The few requests that a registry answers.
//!
//! `GET /v2/NAME/manifests/TAG` and `GET /v2/NAME/blobs/DIGEST`: that is all of pulling (OCI distribution
//! specification, section "Pull"). The rest is what may happen on the way: a registry wants to know who we are
//! (`auth`), sends us to another server (`http`), or the line breaks (`tries`).

mod auth;
mod blob;
mod error;
mod http;
mod tries;

use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::credentials::{self, Login};
use crate::digest::Digest;
use crate::manifest::{ACCEPTED, LARGEST_DOCUMENT};
use crate::names::{DEFAULT_REGISTRY, Reference, Version};
use crate::text::printable;
use auth::Asker;
use http::{Http, Request, Response, Trouble, header};
use tries::Tries;

/// How registries are asked.
#[derive(Clone, Debug)]
pub struct Options {
    /// If not, certificates are not checked, and http is taken where there is no https.
    pub tls_verify: bool,
    /// Say whom a password is sent to.
    pub verbose: bool,
    /// Docker's file with the logins; `None`: there are none.
    pub docker_config: Option<PathBuf>,
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
            docker_config: credentials::default_file(),
            stall: Duration::from_secs(30),
            pause: Duration::from_millis(200),
        }
    }
}

/// One repository of a registry.
#[derive(Debug)]
pub struct Registry {
    /// As the user wrote it, for messages.
    name: String,
    repository: String,
    /// `https://registry-1.docker.io`
    address: String,
    http: Http,
    login: Option<Login>,
    /// What to do about a 401: a line of its own, or nothing.
    way_out: String,
    options: Options,
    /// What the last challenge's answer was: it serves for the next requests too.
    authorization: Mutex<Option<String>>,
}

/// A manifest or an index, with its digest.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The hash of `text`: computed, never believed.
    pub digest: Digest,
    /// What the registry calls it.
    pub content_type: String,
    /// The document as it came.
    pub text: Vec<u8>,
}

impl Registry {
    /// Finds out how to speak to the registry of `reference`, and who we are there.
    pub fn connect(reference: &Reference, options: &Options) -> Result<Self> {
        let name = reference.registry.clone();
        // Docker's registry is not where its name says.
        let host = if name == DEFAULT_REGISTRY { "registry-1.docker.io" } else { &*name };
        let is_near = is_loopback(host);
        let http = Http::new(options.tls_verify, is_near, options.stall);
        let scheme = match is_near || !options.tls_verify {
            true => scheme(&http, host),
            false => "https",
        };
        let login = match &options.docker_config {
            Some(file) => credentials::login(file, &name)?,
            None => None,
        };
        let way_out = match login {
            Some(_) => String::new(),
            None => format!("\nput a password for {name} into ~/.docker/config.json, as `docker login` does"),
        };
        Ok(Self {
            way_out,
            address: format!("{scheme}://{host}"),
            login,
            repository: reference.repository.clone(),
            options: options.clone(),
            authorization: Mutex::new(None),
            name,
            http,
        })
    }

    /// Gets a manifest or an index, of at most 4 MiB, and computes its digest. Asked by digest, it must have that one;
    /// and if the registry tells a digest, that one too.
    pub fn manifest(&self, version: &Version) -> Result<Fetched> {
        let wanted = match version {
            Version::Tag(tag) => tag.clone(),
            Version::Digest(digest) => digest.to_string(),
        };
        let what = format!("manifest {wanted}");
        self.patiently(&what, |_| {
            let response = self.get(&format!("manifests/{wanted}"), &ACCEPTED, 0)?;
            let content_type = header(&response.headers, "content-type").unwrap_or("").to_owned();
            let told = header(&response.headers, "docker-content-digest").map(str::to_owned);
            let mut text = Vec::new();
            let read = response.body.take(LARGEST_DOCUMENT + 1).read_to_end(&mut text);
            read.map_err(|error| Trouble::Passing(error.into()))?;
            if text.len() as u64 > LARGEST_DOCUMENT {
                return Err(anyhow!("it is longer than {LARGEST_DOCUMENT} bytes").into());
            }
            let digest = Digest::of(&text);
            let asked = match version {
                Version::Digest(asked) => Some(asked.to_string()),
                Version::Tag(_) => None,
            };
            for expected in asked.into_iter().chain(told) {
                if expected != digest.to_string() {
                    let expected = printable(&expected);
                    return Err(
                        anyhow!("it has other content: expected {expected}, but it is {digest}").into()
                    );
                }
            }
            Ok(Fetched { digest, content_type, text })
        })
    }

    /// Asks until there is an answer, or an error that will not pass.
    fn patiently<T>(&self, what: &str, mut ask: impl FnMut(&mut Tries) -> Result<T, Trouble>) -> Result<T> {
        let mut tries = Tries::new(self.options.pause);
        let failed = || format!("cannot get {what} of {}/{}", self.name, self.repository);
        loop {
            match ask(&mut tries) {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Final(error)) => return Err(error).with_context(failed),
                Err(Trouble::Passing(error)) => tries.wait(error).with_context(failed)?,
            }
        }
    }

    /// One request: answers at most one challenge, and fails unless the status is 200 or 206, or 416 for a rest that
    /// there is not.
    // ANCHOR: get
    fn get(&self, path: &str, accept: &[&str], from: u64) -> Result<Response, Trouble> {
        let url = format!("{}/v2/{}/{path}", self.address, self.repository);
        let mut is_answered = false;
        loop {
            let authorization = self.authorization();
            let authorization = authorization.as_deref();
            let request = Request { url: &url, accept, authorization, from, ..Request::default() };
            let response = self.http.get(request)?;
            match response.status {
                200 | 206 => return Ok(response),
                416 if from > 0 => return Ok(response),
                401 if response.same_origin && !is_answered => {
                    let answer = self.asker().answer(&response.headers)?;
                    *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                    is_answered = true;
                }
                _ => return Err(tries::refusal(response, &self.way_out)),
            }
        }
    }
    // ANCHOR_END: get

    fn authorization(&self) -> Option<String> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            http: &self.http,
            registry: &self.address,
            repository: &self.repository,
            login: self.login.as_ref(),
            insecure: !self.options.tls_verify,
            verbose: self.options.verbose,
            way_out: &self.way_out,
        }
    }
}

/// Registries on this machine, and those that were called insecure, may have no certificate. As Docker, we ask with
/// https first. Any answer will do; a certificate that is wrong is an answer too, and the next request reports it.
fn scheme(http: &Http, host: &str) -> &'static str {
    let url = format!("https://{host}/v2/");
    match http.get(Request { url: &url, ..Request::default() }) {
        Ok(_) => "https",
        Err(Trouble::Final(error)) if error.to_string().contains("certificate") => "https",
        Err(_) => "http",
    }
}

/// Whether a host, with or without a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    if let Some(ipv6) = host.strip_prefix('[') {
        let address = ipv6.split(']').next().unwrap_or("");
        return address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    let host = host.split(':').next().unwrap_or("");
    host == "localhost" || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}
