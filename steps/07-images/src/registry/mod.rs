//! The few requests that a registry answers.
//!
//! `GET /v2/NAME/manifests/TAG` and `GET /v2/NAME/blobs/DIGEST`: that is all of pulling (OCI distribution
//! specification, section "Pull"). The rest is what may happen on the way: a registry wants to know who we are
//! (`auth`), sends us to another server (`http`), or the line breaks (`tries`).

mod auth;
mod blob;
mod error;
mod host;
mod http;
mod manifest;
mod options;
mod proxy;
mod settings;
mod tags;
mod tls;
mod tries;
mod trust;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

use crate::credentials::{self, Login};
use crate::names::{DEFAULT_REGISTRY, Reference};
use crate::text::{printable, tell};
pub use host::is_loopback;
pub use manifest::Fetched;
pub use options::Options;

use auth::Asker;
use host::scheme;
use http::{Http, Request, Response, Trouble};
use settings::Settings;
use tries::Tries;

/// One repository of a registry.
#[derive(Debug)]
pub struct Registry {
    /// As the user wrote it, for messages.
    name: String,
    repository: Option<String>,
    /// `https://registry-1.docker.io`
    address: String,
    http: Http,
    login: Option<Login>,
    /// What to do about a 401: a line of its own, or nothing.
    way_out: String,
    /// It may do without certificates.
    insecure: bool,
    options: Options,
    /// What the last challenge's answer was: it serves for the next requests too.
    authorization: Mutex<Option<String>>,
    /// Those that are asked first.
    mirrors: Vec<Registry>,
    /// As a mirror it was of no use.
    given_up: AtomicBool,
}

impl Registry {
    /// Finds out how to speak to the registry of `reference`, and who we are there.
    pub fn connect(reference: &Reference, options: &Options) -> Result<Self> {
        let (name, repository) = (&*reference.registry, &*reference.repository);
        let login = credentials::find(&options.logins, name, repository)?;
        let settings = Settings::read(&options.settings)?;
        let mut registry = Self::at(name, Some(repository), login, &settings, options)?;
        if name == DEFAULT_REGISTRY {
            for address in settings.mirrors()? {
                let host = address.split("://").last().unwrap_or_default();
                // A password for one is nothing to the other.
                let login = credentials::find(&options.logins, host, repository)?;
                let mirror = Self::at(host, Some(repository), login, &settings, options)?;
                registry.mirrors.push(Self { address: address.clone(), ..mirror });
            }
        }
        Ok(registry)
    }

    fn at(
        name: &str,
        repository: Option<&str>,
        login: Option<Login>,
        settings: &Settings,
        options: &Options,
    ) -> Result<Self> {
        // Docker's registry is not where its name says.
        let host = if name == DEFAULT_REGISTRY { "registry-1.docker.io" } else { name };
        let insecure = !options.tls_verify || settings.is_insecure(name);
        let trust = trust::of(name, &options.certificates, insecure)?;
        let http = Http::new(&trust, options.stall)?;
        let scheme = match is_loopback(host) || insecure {
            true => scheme(&http, host),
            false => "https",
        };
        let way_out = match login {
            Some(_) => String::new(),
            None => format!("\nif you have an account there, log in first, by the command: login {name}"),
        };
        Ok(Self {
            name: name.to_owned(),
            repository: repository.map(str::to_owned),
            address: format!("{scheme}://{host}"),
            http,
            login,
            way_out,
            insecure,
            options: options.clone(),
            authorization: Mutex::new(None),
            mirrors: Vec::new(),
            given_up: AtomicBool::new(false),
        })
    }

    /// Asks the registry whether it takes a login. What comes back is to be kept: an identity token in place of the
    /// password, where the registry gives one.
    pub fn log_in(name: &str, login: Login, options: &Options) -> Result<Login> {
        let settings = Settings::read(&options.settings)?;
        let registry = Self::at(name, None, Some(login.clone()), &settings, options)?;
        let mut kept = login;
        let mut given = None;
        registry.patiently("access", |_| {
            let (_, identity_token) = registry.request(&format!("{}/v2/", registry.address), &["*/*"], 0)?;
            given = identity_token;
            Ok(())
        })?;
        if let Some(token) = given {
            kept = Login { user: kept.user, password: String::new(), identity_token: Some(token) };
        }
        Ok(kept)
    }

    /// What the first mirror gives that has it, else what the registry itself does.
    fn of_mirrors<T>(&self, mut ask: impl FnMut(&Registry) -> Result<T>) -> Option<T> {
        for mirror in self.mirrors.iter().filter(|mirror| !mirror.given_up.load(Ordering::Relaxed)) {
            match ask(mirror) {
                Ok(answer) => return Some(answer),
                Err(error) => {
                    mirror.given_up.store(true, Ordering::Relaxed);
                    let error = step01_unshare::message(&error);
                    tell(format_args!("going on without the mirror {}: {error}", mirror.name));
                }
            }
        }
        None
    }

    /// Asks until there is an answer, or an error that will not pass.
    fn patiently<T>(&self, what: &str, mut ask: impl FnMut(&mut Tries) -> Result<T, Trouble>) -> Result<T> {
        let mut tries = Tries::new(self.options.pause);
        let place = match &self.repository {
            Some(repository) => format!("of {}/{repository}", self.name),
            None => format!("to {}", self.name),
        };
        let failed = || format!("cannot get {what} {place}");
        loop {
            match ask(&mut tries) {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Final(error)) => return Err(error).with_context(failed),
                Err(Trouble::Passing(error)) => tries.wait(error).with_context(failed)?,
            }
        }
    }

    fn get(&self, path: &str, accept: &[&str], from: u64) -> Result<Response, Trouble> {
        let repository = self.repository.as_deref().unwrap_or_default();
        let url = format!("{}/v2/{repository}/{path}", self.address);
        self.request(&url, accept, from).map(|(response, _)| response)
    }

    /// One request: answers at most one challenge, and fails unless the status is 200 or 206, or 416 for a rest that
    /// there is not. Returns the identity token too, if one was given.
    // ANCHOR: get
    fn request(&self, url: &str, accept: &[&str], from: u64) -> Result<(Response, Option<String>), Trouble> {
        let mut identity_token = None;
        let mut is_answered = false;
        loop {
            let authorization = self.authorization();
            let authorization = authorization.as_deref();
            let request = Request { url, accept, authorization, from, ..Request::default() };
            let response = self.http.get(request)?;
            match response.status {
                200 | 206 => return Ok((response, identity_token)),
                416 if from > 0 => return Ok((response, identity_token)),
                401 if response.same_origin && !is_answered => {
                    let proof = self.asker().answer(&response.headers)?;
                    *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(proof.authorization);
                    identity_token = proof.identity_token;
                    is_answered = true;
                }
                401 if self.repository.is_none() => return Err(anyhow!(tries::WRONG_PASSWORD).into()),
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
            repository: self.repository.as_deref(),
            login: self.login.as_ref(),
            insecure: self.insecure,
            verbose: self.options.verbose,
            way_out: &self.way_out,
        }
    }
}

/// For [`crate::fuzzing`]: what is done with the text of headers before anything is asked.
pub(crate) fn take_apart(header: &str) {
    auth::challenges(header);
    tags::next_of(header);
    tries::seconds_of(header);
    if let Ok(address) = http::parse(header) {
        http::origin(&address);
    }
}

/// The same for what comes behind them as JSON: tokens, and reasons why not.
pub(crate) fn take_apart_answer(body: &[u8]) {
    if let Ok((token, _)) = auth::tokens_in(body) {
        // It becomes a part of a header.
        assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    let text = error::words_of(body).unwrap_or_default();
    assert!(!printable(&text).chars().any(char::is_control));
}
