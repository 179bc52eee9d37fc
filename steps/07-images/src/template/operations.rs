//! What functions do with values: compare, count, look inside.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::functions::kind;
use super::verbs::shown;

pub(super) fn equals(one: &Value, other: &Value) -> Result<bool> {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => Ok(one == other),
        (Value::Array(_) | Value::Object(_), _) => bail!("non-comparable type {}: {}", shown(one), kind(one)),
        _ => Ok(compare(one, other)? == Ordering::Equal),
    }
}

pub(super) fn compare(one: &Value, other: &Value) -> Result<Ordering> {
    let order = match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64().partial_cmp(&other.as_f64()),
        },
        _ => None,
    };
    order.context("incompatible types for comparison")
}

pub(super) fn length(value: &Value) -> Result<usize> {
    match value {
        Value::String(text) => Ok(text.len()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(map) => Ok(map.len()),
        Value::Null => bail!("len of nil pointer"),
        other => bail!("len of type {}", kind(other)),
    }
}

pub(super) fn index(value: &Value, key: &Value) -> Result<Value> {
    match (value, key) {
        // Of a set of texts, what is not there is the empty text.
        (Value::Object(map), Value::String(name)) => Ok(match map.get(name) {
            Some(value) => value.clone(),
            None if map.values().all(Value::is_string) => "".into(),
            None => Value::Null,
        }),
        (Value::Array(items), Value::Number(_)) => {
            let found = key.as_u64().and_then(|number| items.get(usize::try_from(number).ok()?));
            found.cloned().with_context(|| format!("index out of range: {key}"))
        }
        (Value::String(text), Value::Number(_)) => {
            let found = key.as_u64().and_then(|number| text.as_bytes().get(usize::try_from(number).ok()?));
            found.map(|byte| (*byte).into()).with_context(|| format!("index out of range: {key}"))
        }
        (Value::Array(_) | Value::String(_), other) => {
            bail!("cannot index slice/array with type {}", kind(other))
        }
        (Value::Null, _) => bail!("index of untyped nil"),
        (other, _) => bail!("can't index item of type {}", kind(other)),
    }
}

/// What `range` goes over, with a number or a name for each; nothing if there is nothing to go over.
pub(super) fn items(value: &Value) -> Option<Box<dyn Iterator<Item = (Value, Value)> + '_>> {
    Some(match value {
        Value::Null => Box::new(std::iter::empty()),
        Value::Array(items) => Box::new((0..).map(Value::from).zip(items.iter().cloned())),
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            Box::new(sorted.into_iter().map(|(key, value)| (key.clone().into(), value.clone())))
        }
        // One after the other: the number may be larger than any memory.
        Value::Number(count) => {
            let numbers = 0..count.as_i64()?;
            Box::new(numbers.map(|number| (number.into(), number.into())))
        }
        _ => return None,
    })
}

/// `slice .Id 7 19`: the bytes of a text, or the items of a list, from the one to before the other.
pub(super) fn slice(value: &Value, bounds: &[Value]) -> Result<Value> {
    ensure!(bounds.len() <= 2, "too many slice indexes: {}", bounds.len());
    let start = bounds.first().map_or(Ok(0), number)?;
    let end = bounds.get(1).map_or_else(|| length(value), number)?;
    ensure!(start <= end && end <= length(value)?, "index out of range: {}", end.max(start));
    let sliced = match value {
        Value::String(text) => text.get(start..end).map(Value::from),
        Value::Array(items) => items.get(start..end).map(Value::from),
        other => bail!("can't slice item of type {}", kind(other)),
    };
    sliced.context("a character would be cut in two")
}

pub(super) fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("wrong type for value; expected string; got {}", kind(value)))
}

pub(super) fn number(value: &Value) -> Result<usize> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.with_context(|| format!("wrong type for value; expected int; got {}", kind(value)))
}
