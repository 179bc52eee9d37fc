//! HTTP: one request at a time, and where it may lead.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use nix::errno::Errno;
use rustls::ClientConfig;
use ureq::http::{HeaderMap, Response as Answer, Uri};
use ureq::{Agent, Body, Proxy};

use super::{proxy, tls};
use crate::text::printable;

/// The most redirects of one request.
const MOST_REDIRECTS: usize = 10;

/// What went wrong, and whether the same may go well in a moment.
#[derive(Debug)]
pub(super) enum Trouble {
    Passing(Error),
    Final(Error),
}

/// Of whatever nature: the usual `?` is for errors that repetition does not heal.
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// What is asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Request<'a> {
    pub url: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    pub accept: &'a [&'a str],
    pub authorization: Option<&'a str>,
    /// From this byte on.
    pub from: u64,
}

/// What came back.
pub(super) struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Box<dyn Read>,
    /// Whether the one who was asked answered himself, or sent us to somebody else.
    pub same_origin: bool,
}

/// Makes requests: by a proxy, where the environment names one.
#[derive(Debug)]
pub(super) struct Http {
    direct: Agent,
    by_proxy: Vec<(&'static str, Agent)>,
}

impl Http {
    /// `trust`: whom we believe.
    pub fn new(trust: &Arc<ClientConfig>, stall: Duration) -> Result<Self> {
        let agent = |proxy: Option<Proxy>| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_connect(Some(stall))
                .timeout_per_read(Some(stall))
                .timeout_per_write(Some(stall))
                .user_agent(concat!("coracle/", env!("CARGO_PKG_VERSION")))
                .proxy(proxy);
            tls::agent(config.build(), trust.clone())
        };
        let mut by_proxy = Vec::new();
        for scheme in ["http", "https"] {
            if let Some(proxy) = proxy::of_scheme(scheme)? {
                by_proxy.push((scheme, agent(Some(proxy))));
            }
        }
        Ok(Self { direct: agent(None), by_proxy })
    }

    fn agent(&self, url: &Uri) -> &Agent {
        let by_proxy = self.by_proxy.iter().find(|(scheme, _)| url.scheme_str() == Some(scheme));
        match by_proxy {
            Some((_, agent)) if !proxy::is_direct(url) => agent,
            _ => &self.direct,
        }
    }

    /// Follows redirects: at most ten, never from https to http, and with the authorization only where scheme, host
    /// and port are still the same.
    // ANCHOR: redirects
    pub fn get(&self, request: Request) -> Result<Response, Trouble> {
        let first: Uri = parse(request.url)?;
        let mut url = first.clone();
        for hop in 0..=MOST_REDIRECTS {
            let same_origin = origin(&url) == origin(&first);
            let query = if hop == 0 { request.query } else { &[] };
            let authorization = request.authorization.filter(|_| same_origin);
            let response = self.send(&url, Request { query, authorization, ..request })?;
            if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(Response { same_origin, ..response });
            }
            let location = header(&response.headers, "location").unwrap_or_default();
            let next = match location.starts_with('/') && !location.starts_with("//") {
                true => parse(&format!("{}{location}", origin(&url)))?,
                false => parse(location)?,
            };
            if url.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(anyhow!("redirected from https to {}", printable(&origin(&next))).into());
            }
            url = next;
        }
        Err(anyhow!("redirected more than {MOST_REDIRECTS} times").into())
    }
    // ANCHOR_END: redirects

    fn send(&self, url: &Uri, request: Request) -> Result<Response, Trouble> {
        let mut builder = self.agent(url).get(url.clone());
        for (name, value) in request.query {
            builder = builder.query(name, value);
        }
        for kind in request.accept {
            builder = builder.header("Accept", *kind);
        }
        if let Some(authorization) = request.authorization {
            builder = builder.header("Authorization", authorization);
        }
        if request.from > 0 {
            builder = builder.header("Range", format!("bytes={}-", request.from));
        }
        builder.call().map(response).map_err(trouble)
    }

    /// Sends a form, which may hold secrets: it goes nowhere but where it is sent.
    pub fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<Response, Trouble> {
        let url: Uri = parse(url)?;
        self.agent(&url).post(url).send_form(form.iter().copied()).map(response).map_err(trouble)
    }
}

fn response(answer: Answer<Body>) -> Response {
    let (parts, body) = answer.into_parts();
    let body = Box::new(body.into_reader());
    Response { status: parts.status.as_u16(), headers: parts.headers, body, same_origin: true }
}

/// A header's value, if it is text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// An address that can be asked: http or https, and a host.
pub(super) fn parse(url: &str) -> Result<Uri> {
    let parsed = url.parse::<Uri>().ok().filter(|url| {
        let has_host = url.authority().is_some_and(|at| !at.host().is_empty() && !at.as_str().contains('@'));
        has_host && matches!(url.scheme_str(), Some("http" | "https"))
    });
    parsed.ok_or_else(|| anyhow!("not an http address: \"{}\"", printable(url)))
}

/// Scheme, host and port: what must be equal for a secret to be sent again.
pub(super) fn origin(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let port = url.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    format!("{scheme}://{}:{port}", url.host().unwrap_or_default().to_lowercase())
}

/// A connection that broke, was refused or fell silent may work next time; a bad certificate will not.
fn trouble(error: ureq::Error) -> Trouble {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Unsupported};
    let may_pass = match &error {
        ureq::Error::Io(error) => !matches!(error.kind(), InvalidData | InvalidInput | Unsupported),
        ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed => true,
        _ => false,
    };
    let text = match &error {
        // As all of our errors, by its errno.
        ureq::Error::Io(error) => match error.raw_os_error() {
            Some(code) => Errno::from_raw(code).to_string(),
            None => error.to_string(),
        },
        other => other.to_string(),
    };
    let error = anyhow!("{}", printable(&text));
    if may_pass { Trouble::Passing(error) } else { Trouble::Final(error) }
}
