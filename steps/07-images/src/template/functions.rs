//! The functions: Go's own, and those that Docker adds (`json`, `join`, `split`, `upper`, `lower`, `title`, `pad`,
//! `truncate`).

use std::cmp::Ordering;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::operations::{compare, equals, index, length, number, slice, text};
use super::verbs::{printf, shown};

/// Their names, and how many values they take: at least, and at most.
const FUNCTIONS: [(&str, usize, usize); 24] = [
    ("and", 1, MANY),
    ("eq", 1, MANY),
    ("ge", 2, 2),
    ("gt", 2, 2),
    ("html", 1, 1),
    ("index", 1, MANY),
    ("join", 2, 2),
    ("json", 1, 1),
    ("le", 2, 2),
    ("len", 1, 1),
    ("lower", 1, 1),
    ("lt", 2, 2),
    ("ne", 2, 2),
    ("not", 1, 1),
    ("or", 1, MANY),
    ("pad", 3, 3),
    ("print", 0, MANY),
    ("printf", 1, MANY),
    ("println", 0, MANY),
    ("slice", 1, MANY),
    ("split", 2, 2),
    ("title", 1, 1),
    ("truncate", 2, 2),
    ("upper", 1, 1),
];

const MANY: usize = usize::MAX;

/// Whether there is one of this name.
pub(super) fn exists(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// Whether it can take so many values; if not, why.
pub(super) fn check(name: &str, count: usize) -> Result<()> {
    let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        bail!("{name:?} is not a defined function");
    };
    let at_least = if *most == MANY { "at least " } else { "" };
    ensure!(
        (*least..=*most).contains(&count),
        "wrong number of args for {name}: want {at_least}{least} got {count}"
    );
    Ok(())
}

/// Whether it only changes how a text looks: the names of columns stay as they are.
pub(super) fn shapes_text(name: &str) -> bool {
    matches!(name, "json" | "join" | "lower" | "pad" | "split" | "title" | "truncate" | "upper")
}

/// Whether `and` or `or` need not look at what follows this value.
pub(super) fn decides(name: &str, value: &Value) -> bool {
    name == "and" && !is_true(value) || name == "or" && is_true(value)
}

/// Zero and whatever is empty is false.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_true) => *is_true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Go's name for the type of a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Calls one.
pub(super) fn call(name: &str, values: &[Value]) -> Result<Value> {
    Ok(match (name, values) {
        ("and" | "or", [.., last]) => last.clone(),
        ("not", [value]) => (!is_true(value)).into(),
        ("eq", [first, others @ ..]) => {
            ensure!(!others.is_empty(), "missing argument for comparison");
            let mut equal = false;
            for other in others {
                equal |= equals(first, other)?;
            }
            equal.into()
        }
        ("ne", [one, other]) => (!equals(one, other)?).into(),
        ("lt", [one, other]) => (compare(one, other)? == Ordering::Less).into(),
        ("le", [one, other]) => (compare(one, other)? != Ordering::Greater).into(),
        ("gt", [one, other]) => (compare(one, other)? == Ordering::Greater).into(),
        ("ge", [one, other]) => (compare(one, other)? != Ordering::Less).into(),
        ("len", [value]) => length(value)?.into(),
        ("index", [value, keys @ ..]) => {
            let mut value = value.clone();
            for key in keys {
                value = index(&value, key)?;
            }
            value
        }
        ("slice", [value, bounds @ ..]) => slice(value, bounds)?,
        ("json", [value]) => json(value)?.into(),
        ("join", [Value::Array(items), separator]) => {
            items.iter().map(shown).collect::<Vec<_>>().join(text(separator)?).into()
        }
        ("split", [value, separator]) => split(text(value)?, text(separator)?),
        ("upper", [value]) => text(value)?.to_uppercase().into(),
        ("lower", [value]) => text(value)?.to_lowercase().into(),
        ("title", [value]) => title(text(value)?).into(),
        ("pad", [value, before, after]) => {
            let value = text(value)?;
            let blanks = |count: &Value| Ok::<_, anyhow::Error>(" ".repeat(number(count)?.min(4096)));
            // Nothing stays nothing.
            if value.is_empty() { "".into() } else { (blanks(before)? + value + &blanks(after)?).into() }
        }
        ("truncate", [value, most]) => text(value)?.chars().take(number(most)?).collect::<String>().into(),
        ("html", [value]) => html(&shown(value)).into(),
        ("print", values) => print(values).into(),
        ("println", values) => (values.iter().map(shown).collect::<Vec<_>>().join(" ") + "\n").into(),
        ("printf", [format, values @ ..]) => printf(text(format)?, values).into(),
        ("join", [other, _]) => bail!("wrong type for value; expected []string; got {}", kind(other)),
        _ => bail!("wrong number of args: {}", values.len()),
    })
}

/// Two characters that JSON allows and JavaScript does not are escaped.
fn json(value: &Value) -> Result<String> {
    let text = serde_json::to_string(value)?;
    Ok(text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"))
}

fn split(text: &str, separator: &str) -> Value {
    let parts: Vec<String> = match separator {
        "" => text.chars().map(String::from).collect(),
        separator => text.split(separator).map(str::to_owned).collect(),
    };
    parts.into()
}

/// Each word with a capital letter.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut titled = String::new();
    for character in text.chars() {
        match inside {
            true => titled.push(character),
            false => titled.extend(character.to_uppercase()),
        }
        inside = character.is_alphanumeric() || character == '_';
    }
    titled
}

/// A blank between two values of which neither is a text.
fn print(values: &[Value]) -> String {
    let mut printed = String::new();
    for (number, value) in values.iter().enumerate() {
        if number > 0 && !value.is_string() && !values[number - 1].is_string() {
            printed.push(' ');
        }
        printed += &shown(value);
    }
    printed
}

fn html(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&#34;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}
