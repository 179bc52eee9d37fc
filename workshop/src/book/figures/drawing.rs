//! A picture of frames, lines and words.

use std::fmt::Write;

/// As wide as a phone. Elsewhere it is larger, and so are its letters.
pub const WIDTH: u32 = 360;
/// The size of letters, and about how wide one is.
const SIZE: u32 = 11;
const LETTER: f32 = 6.2;

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq)]
pub enum Pen {
    Thin,
    Thick,
    Broken,
}

/// A picture. Its colours are those of the text around it, so that it can be read in the dark and on paper.
pub struct Drawing {
    title: String,
    /// The same in words, for who does not see it.
    says: Vec<String>,
    lines: String,
    words: String,
    height: u32,
}

impl Drawing {
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), says: Vec::new(), lines: String::new(), words: String::new(), height: 0 }
    }

    /// Adds a sentence to what is said in words.
    pub fn say(&mut self, sentence: impl Into<String>) {
        self.says.push(sentence.into());
    }

    /// A frame with a text in it, which is cut if it is too long.
    pub fn frame(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), pen: Pen, text: &str) {
        let style = style(pen);
        let _ =
            write!(self.lines, r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4"{style}/>"#);
        self.height = self.height.max(y + height + 4);
        self.word((x + 6, y + height / 2 + 4), width - 10, text);
    }

    /// Lines, as SVG writes them.
    pub fn path(&mut self, path: &str, pen: Pen) {
        let _ = write!(self.lines, r#"<path d="{path}"{}/>"#, style(pen));
    }

    /// A text that has this much room.
    pub fn word(&mut self, at: (u32, u32), room: u32, text: &str) {
        self.text(at, room, text, "");
    }

    /// A text that is to be seen first.
    pub fn bold(&mut self, at: (u32, u32), room: u32, text: &str) {
        self.text(at, room, text, r#" font-weight="bold""#);
    }

    fn text(&mut self, (x, y): (u32, u32), room: u32, text: &str, style: &str) {
        if text.is_empty() {
            return;
        }
        let most = (room as f32 / LETTER) as usize;
        let text: String = match text.chars().count() {
            length if length > most => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
            _ => text.into(),
        };
        let _ = write!(self.words, r#"<text x="{x}" y="{y}"{style}>{}</text>"#, escaped(&text));
        self.height = self.height.max(y + 6);
    }

    /// Its lines on a page; `name` is its own there.
    pub fn svg(&self, name: &str) -> Vec<String> {
        let (height, title) = (self.height, escaped(&self.title));
        vec![
            format!(
                r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{name}-title" aria-describedby="{name}-says" style="width:100%;max-width:40rem;height:auto" fill="none" stroke="currentColor" font-family="sans-serif">"#
            ),
            format!(r#"<title id="{name}-title">{title}</title>"#),
            format!(r#"<desc id="{name}-says">{}</desc>"#, escaped(&self.says.join(" "))),
            format!(r#"<g stroke-width="1">{}</g>"#, self.lines),
            format!(r#"<g font-size="{SIZE}" fill="currentColor" stroke="none">{}</g>"#, self.words),
            "</svg>".into(),
        ]
    }
}

fn style(pen: Pen) -> &'static str {
    match pen {
        Pen::Thin => "",
        Pen::Thick => r#" stroke-width="2.5""#,
        Pen::Broken => r#" stroke-dasharray="4 3""#,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
