//! `rm`: a container, by name or id.

use anyhow::{Context, Result, bail};
use clap::Args;

use super::ending::{KILL, stop};
use super::signal::send;
use super::{Place, for_each, tidy};
use crate::records::{Containers, Held, Record, Status};
use crate::text::{answer, tell};

/// Remove containers.
#[derive(Debug, Args)]
pub struct Rm {
    /// Also one that runs, which is killed; one that is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Also the volumes without a name that nobody else has
    #[arg(short, long)]
    volumes: bool,
    /// Names or ids
    #[arg(required = true)]
    containers: Vec<String>,
}

impl Rm {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let containers = place.containers()?;
        let killed = if self.force { self.kill_all(&containers) } else { Vec::new() };
        for_each(&self.containers, |text| {
            let found =
                containers.find(text).and_then(|record| Ok((containers.hold(record.clone())?, record)));
            let (held, record) = match found {
                Err(error) if self.force && error.to_string().starts_with("No such container") => {
                    // One with `--rm` goes by itself as soon as it is killed.
                    if killed.contains(&text) {
                        return answer(format_args!("{text}\n"));
                    }
                    tell(format_args!("{error:#}"));
                    return Ok(());
                }
                other => other?,
            };
            let image = record.image_id;
            match held {
                Some(held) => self.remove(held)?,
                None if self.force => {
                    kill_and_hold(&containers, record)?.map_or(Ok(()), |held| self.remove(held))?;
                }
                None => {
                    bail!("cannot remove container \"{}\": {}", record.name, why_not(&containers, &record))
                }
            }
            tidy(place, &image)?;
            answer(format_args!("{text}\n"))
        })
    }

    /// None has to wait for the end of another. What goes wrong is told by whoever removes it. Returns those that ran.
    fn kill_all(&self, containers: &Containers) -> Vec<&str> {
        let mut killed = Vec::new();
        for text in &self.containers {
            if let Ok(record) = containers.find(text)
                && containers.is_held(&record).unwrap_or(false)
            {
                containers.stop(&record);
                let _ = send(&record, KILL);
                killed.push(text.as_str());
            }
        }
        killed
    }

    fn remove(&self, held: Held) -> Result<()> {
        if self.volumes {
            held.remove_volumes()?;
        }
        held.remove()
    }
}

const IN_HAND: &str = "another command has it in hand";

/// Who has it in hand: its own process, or another command that needs its files for a while.
fn why_not(containers: &Containers, record: &Record) -> &'static str {
    match containers.again(record) {
        Some(now) if now.state.status == Status::Exited => IN_HAND,
        _ => "container is running: stop the container before removing or force remove",
    }
}

/// How often it is killed, if others start it again meanwhile or need its files.
const TRIES: usize = 3;

/// Kills the container, and takes over from its monitor, which then ends. `None` if the monitor
/// has removed the container itself.
fn kill_and_hold(containers: &Containers, record: Record) -> Result<Option<Held>> {
    for _ in 0..TRIES {
        stop(containers, &record, None, Some(0))
            .with_context(|| format!("cannot remove container {}", record.name))?;
        if containers.again(&record).is_none() {
            return Ok(None);
        }
        match containers.hold(record.clone()) {
            Err(_) if containers.again(&record).is_none() => return Ok(None),
            // Between its end and our look somebody has begun to start it.
            Ok(None) => {}
            other => return other,
        }
    }
    bail!("cannot remove container \"{}\": {IN_HAND}", record.name)
}
