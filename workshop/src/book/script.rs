//! What is to be done on a page, in its order: files are written and sessions typed.

use std::path::PathBuf;
use std::time::Duration;

use super::blocks::{Block, Page};
use super::includes;
use super::needs;
use super::plan::{self, After};
use super::session::{self, Event};
use crate::problem::Problem;

/// A page may take this long.
const LIMIT: Duration = Duration::from_secs(300);

/// What is done on a page, in its order.
pub enum Deed {
    Write {
        line: usize,
        name: String,
        content: Vec<String>,
    },
    /// A copy of the host's kernel image, for a session that starts a machine.
    Kernel {
        line: usize,
        image: PathBuf,
    },
    Session(Event, After),
}

/// The deeds of a page, read and planned; and the blocks that cannot be run here, with what they need.
pub struct Script {
    pub deeds: Vec<Deed>,
    pub not_run: Vec<(usize, String)>,
    pub sessions: usize,
    /// How long all of it may take.
    pub limit: Duration,
}

impl Script {
    /// For a slow machine: all may take so many times as long.
    pub fn stretch(&mut self, times: u32) {
        self.limit *= times;
        for deed in &mut self.deeds {
            if let Deed::Session(event, _) = deed {
                event.limit *= times;
            }
        }
    }
}

/// Reads the deeds of a page.
pub fn read(page: &Page, have_root: bool) -> Result<Script, Vec<Problem>> {
    let mut script = Script { deeds: Vec::new(), not_run: Vec::new(), sessions: 0, limit: LIMIT };
    let mut problems = Vec::new();
    let mut events = Vec::new();
    for block in &page.blocks {
        if let Some(name) = block.value("file") {
            match includes::expand(&page.file, &block.content) {
                Ok(content) => {
                    script.deeds.push(Deed::Write { line: block.line, name: name.to_owned(), content })
                }
                // The includes of all blocks are checked elsewhere, and told there.
                Err(_) => continue,
            }
        } else if block.language == "console" {
            script.sessions += 1;
            match session::read(&page.file, block) {
                Ok(_) if block.has("root") && !have_root => script.not_run.push((block.line, "root".into())),
                Ok(read) => {
                    let wanted = needs::of(block);
                    if let Some(missing) = wanted.iter().find(|need| !need.is_here()) {
                        script.not_run.push((block.line, missing.name().into()));
                        continue;
                    }
                    if let Some(image) = wanted.iter().find_map(needs::Need::kernel) {
                        script.deeds.push(Deed::Kernel { line: block.line, image });
                    }
                    for event in &read {
                        script.deeds.push(Deed::Session(event.clone(), After::Ends));
                    }
                    events.extend(read);
                }
                Err(problem) => problems.push(problem),
            }
        } else {
            problems.extend(unexecuted(page, block));
        }
    }
    match plan::plan(&page.file, &events) {
        Ok(plan) if problems.is_empty() => {
            let mut plan = plan.into_iter();
            for deed in &mut script.deeds {
                if let (Deed::Session(_, after), true) = (&mut *deed, plan.len() > 0) {
                    *after = plan.next().unwrap_or(After::Ends);
                }
            }
            Ok(script)
        }
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

/// A session printed in another kind of block would not be run.
fn unexecuted(page: &Page, block: &Block) -> Option<Problem> {
    if !["text", "sh"].contains(&block.language.as_str()) {
        return None;
    }
    let typed = |line: &String| session::prompt(line).is_some_and(|(_, typed)| !typed.is_empty());
    let at = block.content.iter().position(typed)?;
    Some(Problem::new(
        &page.file,
        block.line + 1 + at,
        "this looks like a session, and only ```console is run",
    ))
}
