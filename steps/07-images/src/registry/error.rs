//! What a registry says when it says no.

use std::io::Read;

use serde::Deserialize;
use ureq::http::StatusCode;

use super::http::Response;
use crate::text::printable;

/// No more of an error's body is read, in bytes.
const LONGEST: u64 = 64 << 10;

#[derive(Deserialize)]
struct Body {
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    code: Option<String>,
    message: Option<String>,
}

/// The status, and the first of the registry's own words if it has some (OCI distribution specification, section
/// "Error codes"), as one line: `404 Not Found: manifest unknown: manifest unknown`.
pub(super) fn text_of(response: Response) -> String {
    let reason = StatusCode::from_u16(response.status).ok().and_then(|s| s.canonical_reason());
    let status = format!("{} {}", response.status, reason.unwrap_or("")).trim_end().to_owned();
    let mut body = Vec::new();
    // Half a body is still better than none.
    let _ = response.body.take(LONGEST).read_to_end(&mut body);
    match words_of(&body).filter(|words| !words.is_empty()) {
        Some(words) => format!("{status}: {}", printable(&words)),
        None => status,
    }
}

/// As they came.
pub(super) fn words_of(body: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { errors }) => errors.into_iter().next().map(|detail| {
            let code = detail.code.unwrap_or_default().to_lowercase().replace('_', " ");
            let message = detail.message.unwrap_or_default();
            [code, message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
        }),
        Err(_) => String::from_utf8_lossy(body).lines().next().map(|line| line.trim().to_owned()),
    }
}
