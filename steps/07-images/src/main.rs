//! Step 07: `step07 run IMAGE`, `pull`, `images`, `rmi`, `ps`, `rm`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use step03_pid::Container;
use step07_images::commands::{self, Asking, Common, Monitor, Place, Run, RunArgs};
use step07_images::container::{Asked, NoInput};

/// Pull images and run them
#[derive(Parser)]
#[command(name = "step07", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a command in a new container
    Run(Box<Run>),
    /// Make a container that has not begun
    Create(Box<Asking<RunArgs>>),
    #[command(hide = true)]
    Monitor(Monitor),
    #[command(flatten)]
    Common(Common),
}

fn main() -> ExitCode {
    commands::main(|cli: Cli| match cli.verb {
        Verb::Run(run) => commands::run(&cli.place, *run, walls),
        Verb::Create(create) => commands::create_only(&cli.place, *create),
        Verb::Monitor(monitor) => commands::monitor(&cli.place, &monitor, walls),
        Verb::Common(common) => common.execute(&cli.place, Cli::command),
    })
}

// ANCHOR: walls
/// What a container is.
fn walls(asked: &Asked) -> Result<Container> {
    let mut root = asked.root()?;
    // Before we enter another one's user namespace, if we do: its helper stays outside.
    let net = asked.network(&mut root)?;
    let mut container = Container::new();
    if let Some(user) = asked.user()? {
        container = container.with(user);
    }
    container = container.with(asked.names()?).with(asked.processes()?).with(net);
    container = container.with(asked.mount_namespace()).with(asked.overlay());
    container = container.with(asked.fill()).with(asked.sysctls()).with(root);
    if !asked.run.interactive && !asked.run.tty {
        container = container.with_process(NoInput);
    }
    Ok(container.with_process(asked.work_directory()).with_process(asked.identity()))
}
// ANCHOR_END: walls

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_tells_people_to_run_is_its_own_name() {
        assert_eq!(Cli::command().get_name(), env!("CARGO_BIN_NAME"));
    }
}
