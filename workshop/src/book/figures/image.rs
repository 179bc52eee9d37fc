//! An image on the disk: index, manifest and config as JSON, in this order, each naming the next ones by digest.

use serde_json::Value;

use super::drawing::{Drawing, Pen};
use super::{Printed, shown};

/// Draws who names whom. A digest is its letter on the page.
pub fn draw(printed: &[Printed]) -> Result<Drawing, String> {
    let documents: Vec<Value> = printed
        .iter()
        .filter(|printed| printed.lines[0].starts_with('{'))
        // What varies is a word in brackets, which JSON would read as a list where it is no text.
        .map(|printed| printed.lines.join("\n").replace(": [number]", ": 0"))
        .filter_map(|text| serde_json::from_str(&text).ok())
        .collect();
    let find = |pointer: &str| {
        let found = documents.iter().find_map(|document| document.pointer(pointer)?.as_str());
        found
            .map(|text| shown(text.trim_start_matches("sha256:")))
            .ok_or(format!("no document has {pointer}"))
    };
    let name = find("/manifests/0/annotations/org.opencontainers.image.ref.name")?;
    let manifest = find("/manifests/0/digest")?;
    let (config, layer) = (find("/config/digest")?, find("/layers/0/digest")?);
    let diff_id = find("/rootfs/diff_ids/0")?;
    let mut drawing = Drawing::new("From a name to a tree of files");
    let mut boxed = |at: (u32, u32), title: &str, digest: &str| {
        drawing.frame(at, (84, 40), Pen::Thin, "");
        drawing.word((at.0 + 6, at.1 + 16), 76, title);
        drawing.word((at.0 + 6, at.1 + 32), 76, digest);
    };
    boxed((4, 70), "index.json", "the names");
    boxed((130, 70), "manifest", &manifest);
    boxed((256, 14), "config", &config);
    boxed((256, 126), "layer", &layer);
    drawing.path("M88 90H130M124 86L130 90L124 94", Pen::Thin);
    drawing.path("M214 82L256 44M248 45L256 44L254 52M214 98L256 136M254 128L256 136L248 135", Pen::Thin);
    drawing.path("M298 54V126M294 119L298 126L302 119", Pen::Broken);
    drawing.path("M298 166V186M294 180L298 186L302 180", Pen::Thick);
    for (at, digest) in
        [((98, 84), &manifest), ((216, 56), &config), ((216, 132), &layer), ((304, 92), &diff_id)]
    {
        drawing.word(at, 50, digest);
    }
    drawing.word((196, 202), 164, "layers/…: a tree of files");
    drawing
        .say(format!("index.json has the name {name} and leads to the manifest by its digest {manifest}."));
    drawing.say(format!("The manifest leads to two blobs: the config, {config}, and the layer, {layer}."));
    drawing.say(format!("The config names the layer's archive too, by its diff_id {diff_id}."));
    drawing.say("The layer is unpacked into a directory below layers.");
    Ok(drawing)
}
