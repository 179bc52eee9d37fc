//! What stands behind dots: `.State.Health.Status`.

use serde_json::{Map, Value};

/// Objects that are sets of names, and not structures: what they lack is no mistake of the template.
const MAPS: [&str; 11] = [
    "Annotations",
    "ExposedPorts",
    "GraphDriver",
    "Labels",
    "Networks",
    "Options",
    "PortBindings",
    "Ports",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// What a structure has although it is not written down: `State` has a field `Health` also where no health is checked,
/// and there it is nothing. The object, and the name of the field.
pub type Absent = fn(&Map<String, Value>, &str) -> Option<Value>;

/// For what is no structure of somebody else's.
pub(super) fn none(_: &Map<String, Value>, _: &str) -> Option<Value> {
    None
}

/// Goes from a value to one of its fields, and on to that one's. Also returns what Go prints for it if it is nothing: a
/// field that is not written is `<nil>`, a name that a set does not have is `<no value>`, and what is written as
/// nothing is `null`.
///
/// # Errors
/// There is no such field, in Go's words.
pub(super) fn walk(
    value: &Value,
    names: &[String],
    absent: Absent,
    null: &'static str,
) -> Result<(Value, &'static str), String> {
    let (mut value, mut of, mut nothing) = (value, "", null);
    for (index, name) in names.iter().enumerate() {
        nothing = null;
        value = match value {
            Value::Object(map) => match map.get(name) {
                Some(field) => field,
                None if MAPS.contains(&of) => {
                    nothing = super::verbs::NO_VALUE;
                    &Value::Null
                }
                None => match absent(map, name) {
                    Some(field) if index + 1 == names.len() => return Ok((field, super::verbs::NIL)),
                    // Docker looks into the document itself for more than that, and there it is not.
                    _ => return Err(format!("map has no entry for key {name:?}")),
                },
            },
            Value::Null => return Err(format!("nil pointer evaluating .{name}")),
            other => {
                let kind = super::functions::kind(other);
                return Err(format!("can't evaluate field {name} in type {kind}"));
            }
        };
        of = name;
    }
    Ok((value.clone(), nothing))
}
