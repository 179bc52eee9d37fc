//! `inspect`: everything that is known, in Docker's shape.

mod container;
mod host_config;
mod image;
mod network;
mod ports;
mod said;
mod structures;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};
use step03_pid::Failed;

use super::platform::ForPlatform;
use super::{Place, absent, volume};
use crate::records::Containers;
use crate::store::Store;
use crate::template::Template;
use crate::text::{answer, printable, tell};
use crate::volumes::Volumes;

/// Show everything that is known about containers, images and volumes.
#[derive(Debug, Clone, Args)]
pub struct Inspect {
    /// Only this of it, as a Go template
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only things of this kind: container, image or volume
    #[arg(long = "type", id = "kind", value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    platform: ForPlatform,
    /// Also how much room a container takes
    #[arg(short, long)]
    size: bool,
    /// Names or ids
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Inspect {
    // ANCHOR: execute
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let kind = self.kind.as_deref().unwrap_or_default();
        if !["", "container", "image", "volume"].contains(&kind) {
            if let Some(text) = absent::command(kind) {
                bail!(text);
            }
            let kinds = "\"container\", \"image\", \"volume\"";
            bail!("unknown type: \"{}\": must be one of {kinds}", printable(kind));
        }
        if self.platform.platform.is_some() && kind != "image" {
            bail!("--platform is for images: say image inspect");
        }
        let template = template(self.format.as_deref())?;
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        let (containers, store, volumes) = (place.containers()?, place.store()?, place.volumes()?);
        for name in &self.names {
            match self.find(&containers, &store, &volumes, name) {
                Ok(value) => found.push(value),
                Err(error) => errors.push(step01_unshare::message(&error)),
            }
        }
        show(found, errors, template.as_ref(), self.format.as_deref())
    }
    // ANCHOR_END: execute

    /// A container before an image of the same name, and an image before a volume.
    fn find(&self, containers: &Containers, store: &Store, volumes: &Volumes, name: &str) -> Result<Value> {
        let kind = self.kind.as_deref().unwrap_or_default();
        if name.is_empty() {
            bail!("invalid container name or ID: value is empty");
        }
        if ["", "container"].contains(&kind) {
            match containers.find(name) {
                Ok(record) => return container::document(store, &record, self.size),
                Err(error) if kind == "container" || !error.to_string().starts_with("No such") => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        let image = if kind == "volume" { None } else { image::document(store, name)? };
        let found = match (image, kind) {
            (Some(image), _) => {
                if let Some(image) = store.find(name)? {
                    self.platform.check(&image, name)?;
                }
                image
            }
            (None, "image") => bail!("No such image: {}", printable(name)),
            (None, _) => match volumes.find(name) {
                Ok(found) => volume::document(&found, volumes),
                Err(_) if kind == "volume" => bail!("No such volume: {}", printable(name)),
                Err(_) => bail!("Error: No such object: {}", printable(name)),
            },
        };
        if self.size && kind.is_empty() {
            let what = if found.get("RootFS").is_some() { "image" } else { "volume" };
            tell(format_args!("WARNING: --size ignored for {what}"));
        }
        Ok(found)
    }
}

/// A template that cannot be understood ends with 64, Docker's only use of that code.
pub(super) fn template(format: Option<&str>) -> Result<Option<Template>> {
    let Some(source) = format.filter(|format| !["", "json"].contains(format)) else {
        return Ok(None);
    };
    let wrong = |error| Failed { code: 64, text: format!("template parsing error: {error}") };
    Ok(Some(Template::parse(source).map_err(wrong)?))
}

/// What was found is shown, whatever else was not.
pub(super) fn show(
    found: Vec<Value>,
    mut errors: Vec<String>,
    template: Option<&Template>,
    format: Option<&str>,
) -> Result<u8> {
    match (template, format) {
        (Some(template), _) => {
            for value in &found {
                match template.render_structure(value, structures::absent).context("template parsing error") {
                    Ok(text) => answer(format_args!("{text}\n"))?,
                    Err(error) => {
                        errors.insert(0, step01_unshare::message(&error));
                        break;
                    }
                }
            }
        }
        (None, Some("json")) => answer(escaped(&Value::Array(found).to_string()))?,
        (None, _) => answer(pretty(&Value::Array(found))?)?,
    }
    if errors.is_empty() { Ok(0) } else { bail!(errors.join("\n")) }
}

/// Four blanks for each level, as Docker indents.
fn pretty(value: &Value) -> Result<String> {
    let mut text = Vec::new();
    let indent = PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut Serializer::with_formatter(&mut text, indent))?;
    Ok(escaped(&String::from_utf8(text)?))
}

/// JSON need not escape all that a terminal obeys.
fn escaped(json: &str) -> String {
    let mut text = String::new();
    for character in json.chars() {
        match character {
            '\n' => text.push('\n'),
            control if control.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => text.push(other),
        }
    }
    text + "\n"
}
