//! From characters to words.

use serde_json::Value;

use super::Fault;

/// A word, and where it stands: from this byte of the template to that.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// What stands outside of braces.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `.`
    Dot,
    /// `.Name`
    Field(String),
    /// `$` or `$name`, with the dollar sign
    Variable(String),
    /// `name`: a function or a keyword
    Name(String),
    /// A string or a number
    Literal(Value),
    /// One of `|`, `(`, `)`, `,`
    Sign(char),
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

type Result<T> = std::result::Result<T, Fault>;

/// What Go takes for a blank: none of the others that other languages have.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// All words of a template. Text that a `{{-` or `-}}` beside it strips has been stripped.
pub(super) fn words(source: &str) -> Result<Vec<Word>> {
    let (mut words, mut at, mut strip) = (Vec::new(), 0, false);
    loop {
        let rest = &source[at..];
        let open = rest.find("{{");
        let mut text = &rest[..open.unwrap_or(rest.len())];
        let action = open.map(|open| &rest[open + 2..]);
        let strips = action
            .is_some_and(|action| action.strip_prefix('-').is_some_and(|after| after.starts_with(BLANKS)));
        if strip {
            text = text.trim_start_matches(BLANKS);
        }
        if strips {
            text = text.trim_end_matches(BLANKS);
        }
        if !text.is_empty() {
            words.push(Word { kind: Kind::Text(text.to_owned()), start: at, end: at });
        }
        let Some(open) = open else { return Ok(words) };
        let start = at + open;
        let inside = start + 2 + usize::from(strips) * 2;
        let comment = source[inside..].starts_with("/*");
        let action = if comment { after_comment(source, start, inside)? } else { inside };
        if !comment {
            words.push(Word { kind: Kind::Open, start, end: inside });
        }
        let mut lexer = Lexer { source, at: action, start };
        strip = lexer.action(&mut words)?;
        at = lexer.at;
        if comment {
            words.pop();
        }
    }
}

fn after_comment(source: &str, start: usize, inside: usize) -> Result<usize> {
    let unclosed = || Fault::new(start, "unclosed comment");
    let end = inside + source[inside..].find("*/").ok_or_else(unclosed)? + 2;
    match source[end..].trim_start_matches(BLANKS).trim_start_matches('-').starts_with("}}") {
        true => Ok(end),
        false => Err(Fault::new(start, "comment ends before closing delimiter")),
    }
}

/// Reads what stands between `{{` and `}}`.
struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Of the action
    start: usize,
}

impl Lexer<'_> {
    /// Up to and with `}}`: whether it strips what follows.
    fn action(&mut self, words: &mut Vec<Word>) -> Result<bool> {
        loop {
            let rest = &self.source[self.at..];
            let blank = rest.len() - rest.trim_start_matches(BLANKS).len();
            let (rest, start) = (&rest[blank..], self.at + blank);
            let strips = blank > 0 && rest.starts_with("-}}");
            if strips || rest.starts_with("}}") {
                self.at = start + if strips { 3 } else { 2 };
                words.push(Word { kind: Kind::Close, start, end: self.at });
                return Ok(strips);
            }
            self.at = start;
            let kind = self.word()?;
            words.push(Word { kind, start, end: self.at });
        }
    }

    fn word(&mut self) -> Result<Kind> {
        let rest = &self.source[self.at..];
        let Some(first) = rest.chars().next() else {
            return Err(Fault::new(self.start, "unclosed action"));
        };
        let second = rest[first.len_utf8()..].chars().next();
        let begins_number = |c: char| c.is_ascii_digit();
        match first {
            '"' | '`' | '\'' => self.quoted(first),
            ':' if second == Some('=') => Ok(self.take(2, Kind::Declare)),
            '=' => Ok(self.take(1, Kind::Assign)),
            '|' | '(' | ')' | ',' => Ok(self.take(1, Kind::Sign(first))),
            '.' if second.is_none_or(|c| !begins_number(c)) => match self.name(1) {
                "" => Ok(self.take(1, Kind::Dot)),
                name => Ok(self.take(1 + name.len(), Kind::Field(name.to_owned()))),
            },
            '$' => {
                let name = self.name(1);
                Ok(self.take(1 + name.len(), Kind::Variable(format!("${name}"))))
            }
            '+' | '-' if second.is_some_and(begins_number) => self.number(),
            _ if begins_number(first) || first == '.' => self.number(),
            _ => match self.name(0) {
                "" if first == '}' => Err(self.fault("bad character U+007D '}'")),
                "" => Err(self.fault(format!("unexpected {:?} in command", first.to_string()))),
                name => Ok(self.take(name.len(), Kind::Name(name.to_owned()))),
            },
        }
    }

    fn take(&mut self, bytes: usize, kind: Kind) -> Kind {
        self.at += bytes;
        kind
    }

    fn fault(&self, what: impl std::fmt::Display) -> Fault {
        Fault::new(self.at, what)
    }

    /// Letters, digits and underscores, so many bytes further on.
    fn name(&self, further: usize) -> &str {
        let rest = &self.source[self.at + further..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    }

    fn number(&mut self) -> Result<Kind> {
        let rest = &self.source[self.at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && !"+-._".contains(c)).unwrap_or(rest.len());
        let text = &rest[..end];
        let plain = text.replace('_', "");
        let hexadecimal = plain.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
        let value = hexadecimal.or_else(|| plain.parse().ok()).map(Value::from);
        let value = value.or_else(|| plain.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from));
        let value = value.ok_or_else(|| self.fault(format!("bad number syntax: {text:?}")))?;
        Ok(self.take(end, Kind::Literal(value)))
    }

    /// "text with \n escapes", `text as it is`, or 'c', which is the number of a character.
    fn quoted(&mut self, quote: char) -> Result<Kind> {
        let unterminated = match quote {
            '"' => "unterminated quoted string",
            '`' => "unterminated raw quoted string",
            _ => "unterminated character constant",
        };
        let fault = self.fault(unterminated);
        let mut text = String::new();
        let start = self.at;
        let mut characters = self.source[start..].char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.at = start + index + 1;
                    let mut all = text.chars();
                    return match (quote, all.next(), all.next()) {
                        ('\'', Some(one), None) => Ok(Kind::Literal(u32::from(one).into())),
                        ('\'', ..) => Err(Fault::new(start, "malformed character constant")),
                        _ => Ok(Kind::Literal(text.into())),
                    };
                }
                '\n' if quote != '`' => return Err(fault),
                '\\' if quote != '`' => match escaped(&mut characters) {
                    Some(character) => text.push(character),
                    None => return Err(Fault::new(start, "invalid syntax")),
                },
                other => text.push(other),
            }
        }
        Err(fault)
    }
}

fn escaped(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let (_, character) = characters.next()?;
    let digits = match character {
        'a' => return Some('\x07'),
        'b' => return Some('\x08'),
        'f' => return Some('\x0c'),
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        'v' => return Some('\x0b'),
        '\\' | '"' | '\'' => return Some(character),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut code: u32 = 0;
    for _ in 0..digits {
        code = code.checked_mul(16)? + characters.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}
