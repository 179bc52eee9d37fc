//! `port`: where a container's ports are reached.

use anyhow::{Context, Result, bail};
use clap::Args;

use super::Place;
use crate::text::answer;

/// List a container's published ports.
#[derive(Debug, Args)]
pub struct Port {
    /// Its name or id
    container: String,
    /// Only where this port of the container is reached: 80, or 53/udp
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

impl Port {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let record = place.containers()?.find(&self.container)?;
        // They are written down as `0.0.0.0:8080->80/tcp`.
        let mut published: Vec<_> =
            record.state.ports.iter().filter_map(|port| port.split_once("->")).collect();
        let Some(wanted) = &self.port else {
            published.sort_by_key(|(_, inside)| (number(inside), *inside));
            let line = |(host, inside): &(&str, &str)| format!("{inside} -> {host}\n");
            answer(published.iter().map(line).collect::<String>())?;
            return Ok(0);
        };
        let (port, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
        port.parse::<u16>().with_context(|| format!("invalid port ({})", wanted.escape_debug()))?;
        let is_wanted = |(_, inside): &&(&str, &str)| *inside == format!("{port}/{protocol}");
        let lines: String = published.iter().filter(is_wanted).map(|(host, _)| format!("{host}\n")).collect();
        if lines.is_empty() {
            bail!("No public port '{port}/{}' published for {}", protocol.escape_debug(), self.container);
        }
        answer(lines)?;
        Ok(0)
    }
}

/// The number of `80/tcp`.
fn number(port: &str) -> u16 {
    port.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
