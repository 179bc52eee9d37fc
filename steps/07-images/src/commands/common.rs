//! The commands that build no walls, and are the same whatever a container is.

use anyhow::Result;
use clap::{Command, Subcommand};

use super::*;

// ANCHOR: common
/// The commands that build no walls.
#[derive(Debug, Subcommand)]
pub enum Common {
    /// Get an image from a registry
    Pull(Pull),
    /// List the images that are here
    Images(Images),
    /// Remove images
    Rmi(Rmi),
    /// List containers
    Ps(Ps),
    /// Remove containers
    Rm(Rm),
    /// Give a container another name
    Rename(Rename),
    /// List a container's published ports
    Port(Port),
    /// List the processes of a container
    Top(Top),
    /// List what a container has changed in its file system
    Diff(Diff),
    /// Copy files between a container and this machine
    Cp(Cp),
    /// Show everything that is known about containers and images
    Inspect(Inspect),
    /// Give an image one more name
    Tag(Tag),
    /// Show how an image was made
    History(History),
    /// Log in to a registry
    Login(LogIn),
    /// Log out of a registry
    Logout(LogOut),
    /// Write images into one archive
    Save(Save),
    /// Take images out of an archive
    Load(Load),
    /// Manage containers
    #[command(subcommand)]
    Container(ContainerVerb),
    /// Manage images
    #[command(subcommand)]
    Image(ImageVerb),
    /// Manage what is kept here
    #[command(subcommand)]
    System(SystemVerb),
    /// Start containers
    Start(Start),
    /// Stop containers
    Stop(Stop),
    /// Stop containers and start them again
    Restart(Restart),
    /// Send a signal to containers
    Kill(Kill),
    /// Wait for the end of containers, and print their exit codes
    Wait(Wait),
    /// Show what a container prints, and pass on what is typed
    Attach(Attach),
    /// Run a command in a container that runs
    Exec(Exec),
    /// Show what a container has printed
    Logs(Logs),
    /// Manage volumes
    #[command(subcommand)]
    Volume(VolumeVerb),
    /// Stop the processes of containers for a while: with step 08
    Pause(NeedsControlGroup),
    /// Let them go on: with step 08
    Unpause(NeedsControlGroup),
    /// Show what containers use: with step 08
    Stats(NeedsControlGroup),
    /// Change the limits of containers: with step 08
    Update(NeedsControlGroup),
    /// Show the version
    Version(Version),
    /// Show what is here
    Info(Version),
    /// Print what a shell needs to complete commands and options
    Completion(Completion),
    /// Write the manual pages
    #[command(hide = true)]
    Man(Man),
}

impl Common {
    /// Does what the command says. `all` is the whole command line, for those that write about it.
    ///
    /// # Errors
    /// Any: in one line.
    pub fn execute(&self, place: &Place, all: fn() -> Command) -> Result<u8> {
        self.act(place, all).map_err(|error| place.explained(error))
    }

    fn act(&self, place: &Place, all: fn() -> Command) -> Result<u8> {
        match self {
            Self::Pull(command) => command.execute(place),
            Self::Images(command) => command.execute(place),
            Self::Rmi(command) => command.execute(place),
            Self::Ps(command) => command.execute(place),
            Self::Rm(command) => command.execute(place),
            Self::Rename(command) => command.execute(place),
            Self::Port(command) => command.execute(place),
            Self::Top(command) => command.execute(place),
            Self::Diff(command) => command.execute(place),
            Self::Cp(command) => command.execute(place),
            Self::Inspect(command) => command.execute(place),
            Self::Tag(command) => command.execute(place),
            Self::History(command) => command.execute(place),
            Self::Login(command) => command.execute(),
            Self::Logout(command) => command.execute(),
            Self::Save(command) => command.execute(place),
            Self::Load(command) => command.execute(place),
            Self::Container(command) => command.execute(place),
            Self::Image(command) => command.execute(place),
            Self::System(command) => command.execute(place),
            Self::Start(command) => command.execute(place),
            Self::Stop(command) => command.execute(place),
            Self::Restart(command) => command.execute(place),
            Self::Kill(command) => command.execute(place),
            Self::Wait(command) => command.execute(place),
            Self::Attach(command) => command.execute(place),
            Self::Exec(command) => command.execute(place),
            Self::Logs(command) => command.execute(place),
            Self::Volume(command) => command.execute(place),
            Self::Pause(command) => command.refuse("pause"),
            Self::Unpause(command) => command.refuse("unpause"),
            Self::Stats(command) => command.refuse("stats"),
            Self::Update(command) => command.refuse("update"),
            Self::Version(command) => command.version(),
            Self::Info(command) => command.info(place),
            Self::Completion(command) => command.print(all()),
            Self::Man(command) => command.write(all()),
        }
    }
}
// ANCHOR_END: common
