//! One line of comma-separated values, as `--mount` takes them (RFC 4180): a field in quotes may have commas in it.

use anyhow::{Result, bail};

/// The fields of a line.
pub(super) fn fields(line: &str) -> Result<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    if quoted {
        bail!("parse error: extraneous or missing \" in quoted-field");
    }
    fields.push(field);
    Ok(fields)
}

/// One field as it can be read again.
pub(super) fn quote(field: &str) -> String {
    match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hide_commas() {
        assert_eq!(fields(r#"a=1,"b=/x,""y""",c"#).unwrap(), ["a=1", "b=/x,\"y\"", "c"]);
        assert_eq!(fields(&quote("b=/x,\"y\"")).unwrap(), ["b=/x,\"y\""]);
        assert!(fields("\"a").is_err());
    }
}
