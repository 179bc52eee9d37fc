//! After those who were killed: what they ran has ended, whatever its record says.

use std::fs;

use anyhow::{Context, Result};

use super::held::{goes, remove_directory, try_lock};
use super::record::is_nonsense;
use super::{Containers, Held, Record, Status, cannot, ended, recipe};
use crate::text::tell;

// ANCHOR: sweep
impl Containers {
    /// Cleans up after those who were killed: a container that says it runs, and whose lock is
    /// free, has ended. Every command does this first.
    ///
    /// # Errors
    /// The directory cannot be read or changed.
    pub fn sweep(&self) -> Result<()> {
        let _alone = self.lock()?;
        let ended = ended::all(&self.directory);
        for entry in fs::read_dir(&self.directory).with_context(|| cannot(&self.directory))? {
            let directory = entry.with_context(|| cannot(&self.directory))?.path();
            if directory.file_name().is_some_and(|id| ended.contains(id)) {
                continue;
            }
            // Reading is cheaper than locking, and says nothing about most of them.
            let record = Record::read(&directory);
            if record.as_ref().is_ok_and(|record| record.state.status == Status::Exited && !record.remove)
                && !goes(&directory)
            {
                continue;
            }
            let Some(lock) = try_lock(&directory)? else { continue };
            // Its end may have been written down since.
            let record = match Record::read(&directory) {
                Ok(record) => record,
                Err(error) if Record::is_none(&error) => {
                    if is_nonsense(&error) && directory.join(recipe::WORDS).exists() {
                        tell(format_args!("warning: a damaged container is removed: {error:#}"));
                    }
                    remove_directory(&directory)?;
                    continue;
                }
                // That it cannot be read now is no reason to remove it.
                Err(_) => continue,
            };
            let mut held = Held { directory, record, lock };
            held.end_survivor()?;
            let state = &held.record.state;
            if held.is_half_made() || held.goes() || held.record.remove && !state.waits {
                held.remove()?;
            } else if matches!(state.status, Status::Running | Status::Restarting) {
                held.record.state.end(137, "its monitor was killed");
                held.write_state()?;
            }
        }
        Ok(())
    }
}
// ANCHOR_END: sweep
