//! Authorization: how a registry asks who we are, and whom we tell.
//!
//! ```text
//!   we                          registry                    its token server (the "realm")
//!    ├──────── GET ───────────────>┤
//!    ├<─ 401, WWW-Authenticate ────┤    Bearer realm="https://…",service="…"
//!    ├──────── GET realm?service=…&scope=repository:NAME:pull ────────>┤    user and password, if there are some
//!    ├<──────────────────────── {"token": "…"} ────────────────────────┤
//!    ├──────── GET, Bearer … ─────>┤
//! ```
//! (distribution.github.io, "Token Authentication Specification"; RFC 9110, section 11.)

use std::io::Read;

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::HeaderMap;

use super::http::{Http, Request, Response, Trouble, origin, parse};
use super::tries::{UNAUTHORIZED, WRONG_PASSWORD};
use super::{error, is_loopback};
use crate::credentials::Login;
use crate::text::{printable, tell};

/// The longest answer of a token server, in bytes.
const LONGEST: u64 = 1 << 20;

/// Who we say we are to a token server.
const CLIENT: &str = "coracle";

/// The answer to a challenge.
pub(super) struct Proof {
    /// The value of the next request's `Authorization`.
    pub authorization: String,
    /// What a token server gives to those who log in, so that their password need not be kept.
    pub identity_token: Option<String>,
}

/// Whoever asks for a token.
pub(super) struct Asker<'a> {
    pub http: &'a Http,
    /// The registry's own address.
    pub registry: &'a str,
    /// `None`: to log in, and not to get anything.
    pub repository: Option<&'a str>,
    pub login: Option<&'a Login>,
    pub insecure: bool,
    pub verbose: bool,
    /// A line for those who have no password.
    pub way_out: &'a str,
}

impl Asker<'_> {
    /// Answers a challenge.
    pub fn answer(&self, headers: &HeaderMap) -> Result<Proof, Trouble> {
        let challenges: Vec<Challenge> = headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(challenges)
            .collect();
        if let Some(bearer) = challenges.iter().find(|c| c.scheme == "bearer") {
            return self.token(bearer);
        }
        if challenges.iter().any(|c| c.scheme == "basic") {
            let login = self.login.with_context(|| format!("{UNAUTHORIZED}{}", self.way_out))?;
            if login.identity_token.is_some() {
                return Err(anyhow!(
                    "unauthorized: the registry takes no identity token, and nothing else is kept"
                )
                .into());
            }
            return Ok(Proof { authorization: basic(login), identity_token: None });
        }
        match challenges.first() {
            Some(other) => Err(anyhow!(
                "unauthorized: the registry asks for \"{}\", which is not supported",
                printable(&other.scheme)
            )
            .into()),
            None => Err(anyhow!("{UNAUTHORIZED}").into()),
        }
    }

    fn token(&self, challenge: &Challenge) -> Result<Proof, Trouble> {
        let realm = challenge.parameter("realm").unwrap_or_default();
        self.may_ask(realm).context("unauthorized: the registry names a token server that is not trusted")?;
        if let (true, Some(login)) = (self.verbose, self.login) {
            tell(format_args!("sending the login of {} to {}", printable(&login.user), printable(realm)));
        }
        let response = self.ask(realm, challenge.parameter("service"))?;
        if response.status == 401 && self.repository.is_none() {
            return Err(anyhow!(WRONG_PASSWORD).into());
        }
        if response.status != 200 {
            let (status, text) = (response.status, error::text_of(response));
            let refused = anyhow!("cannot get a token from {}: {text}", printable(realm));
            return Err(match status {
                429 | 500..=599 => Trouble::Passing(refused),
                _ => Trouble::Final(refused),
            });
        }
        let mut text = Vec::new();
        let read = response.body.take(LONGEST + 1).read_to_end(&mut text);
        read.map_err(|e| Trouble::Passing(anyhow!("cannot get a token from {}: {e}", printable(realm))))?;
        let (token, identity_token) = tokens_in(&text)
            .with_context(|| format!("the token server {} is not understood", printable(realm)))?;
        Ok(Proof { authorization: format!("Bearer {token}"), identity_token })
    }

    /// With a password by GET; with an identity token by POST, where no log of a server writes it down
    /// (distribution.github.io, "OAuth2 Token Authentication").
    fn ask(&self, realm: &str, service: Option<&str>) -> Result<Response, Trouble> {
        // Never the scope that the registry asks for: it could be wider.
        let scope = self.repository.map(|repository| format!("repository:{repository}:pull"));
        let mut query: Vec<(&str, &str)> = service.map(|service| ("service", service)).into_iter().collect();
        if let Some(scope) = &scope {
            query.push(("scope", scope));
        }
        if let Some(token) = self.login.and_then(|login| login.identity_token.as_deref()) {
            query.extend([("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token)]);
            return self.http.post(realm, &query);
        }
        if let (Some(login), None) = (self.login, &scope) {
            query.extend([("account", &*login.user), ("client_id", CLIENT), ("offline_token", "true")]);
        }
        let authorization = self.login.map(basic);
        let authorization = authorization.as_deref();
        self.http.get(Request { url: realm, query: &query, authorization, ..Request::default() })
    }

    /// The password goes to the realm, so whoever can forge a challenge must not be able to choose any realm: it
    /// speaks https, unless the registry itself is asked without.
    // ANCHOR: realm
    fn may_ask(&self, realm: &str) -> Result<()> {
        let realm = parse(realm)?;
        if realm.scheme_str() == Some("https") {
            return Ok(());
        }
        let registry_is_plain = self.registry.starts_with("http://");
        let stays_here = realm.host().is_some_and(is_loopback);
        ensure!(
            registry_is_plain && (stays_here || self.insecure),
            "{} does not speak https",
            printable(&origin(&realm))
        );
        Ok(())
    }
    // ANCHOR_END: realm
}

fn basic(login: &Login) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", login.user, login.password)))
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// The token, and the identity token if there is one.
pub(super) fn tokens_in(text: &[u8]) -> Result<(String, Option<String>)> {
    ensure!(text.len() as u64 <= LONGEST, "its answer is longer than {LONGEST} bytes");
    // The answer may contain the token: it is not shown.
    let Ok(Answer { token, access_token, refresh_token }) = serde_json::from_slice(text) else {
        bail!("its answer is not the JSON that is expected");
    };
    let token = token.filter(|t| !t.is_empty()).or(access_token).unwrap_or_default();
    ensure!(!token.is_empty(), "its answer has no token");
    ensure!(token.bytes().all(|b| b.is_ascii_graphic()), "its token has characters that no token has");
    Ok((token, refresh_token.filter(|token| !token.is_empty())))
}

/// One way to say who we are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| &**value)
    }
}

/// One header may hold several challenges: a word that no `=` follows begins the next.
pub(super) fn challenges(mut text: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        text = text.trim_start_matches([' ', '\t', ',']);
        let end = text.find([' ', '\t', ',', '=']).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let word = word.to_lowercase();
        text = rest;
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            if word.is_empty() {
                return found;
            }
            if word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                found.push(Challenge { scheme: word, parameters: Vec::new() });
            }
            continue;
        };
        let (value, rest) = parameter_value(value.trim_start());
        if let Some(last) = found.last_mut() {
            last.parameters.push((word, value));
        }
        text = rest;
    }
}

fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}
