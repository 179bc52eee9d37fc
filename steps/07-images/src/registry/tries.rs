//! Patience: what is tried again, and when.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Error, Result, anyhow};

use super::error;
use super::http::{Response, Trouble, header};
use crate::text::{printable, tell};

/// How often something is asked for before its error counts.
const MOST_TRIES: u32 = 5;

/// The longest wait that a registry may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What Docker says to those whom a registry does not know.
pub(super) const UNAUTHORIZED: &str = "unauthorized: authentication required";

/// What Docker says to those who log in and are not known.
pub(super) const WRONG_PASSWORD: &str = "unauthorized: incorrect username or password";

/// A 429 with a time after which to ask again: an error that the one who waits can read it from.
#[derive(Debug)]
struct RetryAfter {
    text: String,
    wait: Duration,
}

impl std::fmt::Display for RetryAfter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for RetryAfter {}

/// Counts tries, and makes the pauses between them.
pub(super) struct Tries {
    count: u32,
    pause: Duration,
}

impl Tries {
    pub fn new(pause: Duration) -> Self {
        Self { count: 1, pause }
    }

    /// Something was gained by the last try: the next trouble is the first of its kind.
    pub fn start_over(&mut self) {
        self.count = 1;
    }

    /// Waits, twice as long as the last time; or gives the error back, if it was the last try.
    pub fn wait(&mut self, error: Error) -> Result<()> {
        if self.count >= MOST_TRIES {
            return Err(error);
        }
        let pause = match error.downcast_ref::<RetryAfter>() {
            Some(RetryAfter { wait, text }) => {
                tell(format_args!("{text}: waiting for {} seconds", wait.as_secs()));
                *wait
            }
            None => self.pause * 2u32.pow(self.count - 1),
        };
        // Fifty laptops of a class that lost the same server shall not all come back in the same moment.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        sleep(pause + pause * (now.subsec_nanos() % 256) / 512);
        self.count += 1;
        Ok(())
    }
}

/// The error of an answer that is none. `way_out` is the line for those who have no password.
pub(super) fn refusal(response: Response, way_out: &str) -> Trouble {
    let status = response.status;
    let wait = header(&response.headers, "retry-after").map(str::to_owned);
    let text = error::text_of(response);
    match status {
        401 if text.contains(UNAUTHORIZED) => Trouble::Final(anyhow!("{text}{way_out}")),
        401 => Trouble::Final(anyhow!("{UNAUTHORIZED}: {text}{way_out}")),
        429 => match wait.as_deref().map(seconds_of) {
            // It does not say when: a little later each time.
            None => Trouble::Passing(anyhow!(text)),
            Some(Some(wait)) if wait <= LONGEST_WAIT => Trouble::Passing(RetryAfter { text, wait }.into()),
            _ => Trouble::Final(anyhow!("{text}: ask again after {}", when(&wait.unwrap_or_default()))),
        },
        408 | 500 | 502 | 503 | 504 => Trouble::Passing(anyhow!(text)),
        _ => Trouble::Final(anyhow!(text)),
    }
}

/// `Retry-After` is a number of seconds, or a date (RFC 9110, section 10.2.3); a date that has passed is now.
pub(super) fn seconds_of(text: &str) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(text.trim()).ok()?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

/// A number alone says nothing to a reader.
fn when(text: &str) -> String {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_number { format!("{text} seconds") } else { printable(text) }
}
