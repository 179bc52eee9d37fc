//! `--platform` of what is here: a name leads to one image here, and that is for one platform.

use anyhow::{Result, ensure};
use clap::Args;

use crate::manifest::{Image, Platform};
use crate::text::printable;

/// `--platform`, where one can be asked for.
#[derive(Debug, Clone, Default, Args)]
pub struct ForPlatform {
    /// Only if the image is for this platform: OS/ARCHITECTURE[/VARIANT]
    #[arg(long)]
    pub platform: Option<Platform>,
}

/// The same where Docker takes several.
#[derive(Debug, Clone, Default, Args)]
pub struct ForPlatforms {
    /// Only if the image is for this platform, or one of several: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_delimiter = ',')]
    pub platform: Vec<Platform>,
}

impl ForPlatform {
    /// Refuses an image that is for another one, in Docker's words.
    pub fn check(&self, image: &Image, name: &str) -> Result<()> {
        check(self.platform.as_slice(), image, name)
    }
}

impl ForPlatforms {
    /// Refuses an image that is for none of them, in Docker's words.
    pub fn check(&self, image: &Image, name: &str) -> Result<()> {
        check(&self.platform, image, name)
    }
}

fn check(wanted: &[Platform], image: &Image, name: &str) -> Result<()> {
    let fits = wanted.is_empty() || wanted.iter().any(|wanted| image.platform.fits(wanted).is_some());
    let asked = || wanted.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ");
    ensure!(
        fits,
        "image with reference {} was found but does not match the specified platform: wanted {}, actual: {}",
        printable(name),
        asked(),
        image.platform
    );
    Ok(())
}
