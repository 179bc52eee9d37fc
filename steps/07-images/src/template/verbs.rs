//! How values look: as `{{.}}` shows them, and with the verbs of `printf`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::functions::kind;

/// The widest that a value is padded to, in characters.
const WIDEST: usize = 4096;

/// As Go prints what is nowhere, and what is somewhere and not set.
pub(super) const NO_VALUE: &str = "<no value>";
pub(super) const NIL: &str = "<nil>";
pub(super) const EMPTY: &str = "[]";

/// As Go prints it: lists as `[a b]`, objects as `map[a:1 b:2]`.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => NO_VALUE.to_owned(),
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => NIL.to_owned(),
        Value::Bool(is_true) => is_true.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => shortest(float),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            // No map that we have has anything else without a value: ports that lead nowhere.
            let item = |value: &Value| if value.is_null() { EMPTY.to_owned() } else { plain(value) };
            let entries = sorted.iter().map(|(key, value)| format!("{key}:{}", item(value)));
            format!("map[{}]", entries.collect::<Vec<_>>().join(" "))
        }
    }
}

/// As few digits as tell it from its neighbours; very large and very small ones with an exponent.
fn shortest(number: f64) -> String {
    match number.abs() {
        size if size != 0.0 && !(1e-4..1e6).contains(&size) => exponent(&format!("{number:e}")),
        _ => number.to_string(),
    }
}

/// `1.5e7` as `1.5e+07`
fn exponent(text: &str) -> String {
    let Some((digits, power)) = text.split_once('e') else { return text.to_owned() };
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

/// A `%` with what follows it (Go's package fmt).
#[derive(Default)]
struct Verb {
    left: bool,
    plus: bool,
    zeros: bool,
    sharp: bool,
    blank: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

/// What is wrong is said within the text, as Go does.
pub(super) fn printf(format: &str, values: &[Value]) -> String {
    let (mut text, mut values) = (String::new(), values.iter());
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text += before;
        let Some((verb, after)) = verb(after) else {
            return text + "%!(NOVERB)";
        };
        rest = after;
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        text += &match values.next() {
            Some(value) => padded(&verb, &formatted(&verb, value)),
            None => format!("%!{}(MISSING)", verb.letter),
        };
    }
    text += rest;
    let extra: Vec<String> = values.map(|value| format!("{}={}", kind(value), plain(value))).collect();
    if !extra.is_empty() {
        text += &format!("%!(EXTRA {})", extra.join(", "));
    }
    text
}

/// Reads flags, width, precision and letter.
fn verb(text: &str) -> Option<(Verb, &str)> {
    let mut verb = Verb::default();
    let end = text.find(|c| !"-+# 0".contains(c))?;
    for flag in text[..end].chars() {
        match flag {
            '-' => verb.left = true,
            '+' => verb.plus = true,
            '0' => verb.zeros = true,
            '#' => verb.sharp = true,
            _ => verb.blank = true,
        }
    }
    let (width, rest) = number(&text[end..]);
    verb.width = width.unwrap_or(0).min(WIDEST);
    let rest = match rest.strip_prefix('.') {
        Some(after) => {
            let (precision, rest) = number(after);
            verb.precision = Some(precision.unwrap_or(0).min(WIDEST));
            rest
        }
        None => rest,
    };
    verb.letter = rest.chars().next()?;
    let after = &rest[verb.letter.len_utf8()..];
    Some((verb, after))
}

fn number(text: &str) -> (Option<usize>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].parse().ok(), &text[end..])
}

fn formatted(verb: &Verb, value: &Value) -> String {
    let integer = value.as_i64();
    let cut = |text: &str| match verb.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match (verb.letter, value, integer) {
        ('v', Value::String(text), _) if verb.sharp => format!("{text:?}"),
        ('v' | 's', Value::String(text), _) => cut(text),
        ('v', other, _) => plain(other),
        ('s' | 'q' | 'd' | 'x' | 'X', Value::Array(items), _) => {
            format!("[{}]", items.iter().map(|item| formatted(verb, item)).collect::<Vec<_>>().join(" "))
        }
        ('q', Value::String(text), _) => serde_json::to_string(text).unwrap_or_default(),
        ('x', Value::String(text), _) => hex(text.as_bytes()),
        ('X', Value::String(text), _) => hex(text.as_bytes()).to_uppercase(),
        ('t', Value::Bool(is_true), _) => is_true.to_string(),
        ('T', value, _) => kind(value).to_owned(),
        ('d', _, Some(number)) => signed(verb, number >= 0, &number.unsigned_abs().to_string()),
        ('x', _, Some(number)) => signed(verb, number >= 0, &format!("{:x}", number.unsigned_abs())),
        ('X', _, Some(number)) => signed(verb, number >= 0, &format!("{:X}", number.unsigned_abs())),
        ('o', _, Some(number)) => signed(verb, number >= 0, &format!("{:o}", number.unsigned_abs())),
        ('b', _, Some(number)) => signed(verb, number >= 0, &format!("{:b}", number.unsigned_abs())),
        ('c', _, Some(number)) => {
            let character = u32::try_from(number).ok().and_then(char::from_u32);
            character.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
        }
        ('f' | 'F' | 'e' | 'g', Value::Number(number), None) => {
            let float = number.as_f64().unwrap_or(0.0);
            let digits = match (verb.letter, verb.precision) {
                ('g', None) => shortest(float.abs()),
                ('e', precision) => exponent(&format!("{:.*e}", precision.unwrap_or(6), float.abs())),
                (_, precision) => format!("{:.*}", precision.unwrap_or(6), float.abs()),
            };
            signed(verb, float >= 0.0, &digits)
        }
        (letter, Value::Null, _) => format!("%!{letter}(<nil>)"),
        (letter, value, _) => format!("%!{letter}({}={})", kind(value), plain(value)),
    }
}

/// The sign stands before the zeros.
fn signed(verb: &Verb, positive: bool, digits: &str) -> String {
    let sign = match positive {
        false => "-",
        true if verb.plus => "+",
        true if verb.blank => " ",
        true => "",
    };
    let width = if verb.zeros && !verb.left { verb.width.saturating_sub(sign.len()) } else { 0 };
    format!("{sign}{digits:0>width$}")
}

fn padded(verb: &Verb, text: &str) -> String {
    let width = verb.width;
    if verb.left { format!("{text:<width$}") } else { format!("{text:>width$}") }
}
