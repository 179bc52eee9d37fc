//! What came out of a terminal, as the lines that a reader would see.

/// The lines of `text`, without the first `echoed` ones, which the shell repeated from what was typed.
pub fn lines(text: &str, echoed: usize) -> Vec<String> {
    let text = without_escapes(&text.replace("\r\n", "\n"));
    let mut lines: Vec<String> = text.split('\n').skip(echoed).map(seen).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// What came before a shell's own prompt, which is the unfinished line at the end. The shell may have repeated there
/// what was typed, of which `typed` are parts: readline shows the end only of a line that is too long.
pub fn before_prompt(text: &str, typed: &[&str]) -> String {
    let end = typed.iter().filter_map(|part| text.find(part)).min().unwrap_or(text.len());
    let end = text[..end].rfind('\n').map_or(0, |newline| newline + 1);
    text[..end].to_owned()
}

/// Output for a message: `: ` and its last lines in one, or nothing.
pub fn quoted(text: &str) -> String {
    let lines = lines(text, 0);
    let last: Vec<&str> =
        lines.iter().rev().take(3).rev().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    if last.is_empty() { String::new() } else { format!("; it printed: {}", last.join(" / ")) }
}

/// A carriage return starts the line anew, as progress bars do; tabs are the spaces that they look like, and spaces
/// at the end are not seen.
fn seen(line: &str) -> String {
    let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut spread = String::new();
    let mut column = 0;
    for character in line.chars() {
        let width = if character == '\t' { 8 - column % 8 } else { 1 };
        column += width;
        match character {
            '\t' => spread.extend(std::iter::repeat_n(' ', width)),
            _ => spread.push(character),
        }
    }
    spread.trim_end().to_owned()
}

/// Takes out control sequences (ECMA-48: `ESC [ … letter`, `ESC ] … BEL`) and bells.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                Some('[') => while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while characters.next().is_some_and(|c| c != '\u{7}') {},
                _ => {}
            },
            '\u{7}' => {}
            _ => plain.push(character),
        }
    }
    plain
}
