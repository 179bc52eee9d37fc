//! The keys that leave a container running: ^P ^Q, unless others are asked for.

use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// A sequence of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    fn default() -> Self {
        Self(vec![16, 17])
    }
}

impl FromStr for DetachKeys {
    type Err = Error;

    /// `ctrl-p,ctrl-q`, `a,b`; nothing means that no keys do.
    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split(',').filter(|_| !text.is_empty());
        parts.map(key).collect::<Result<_>>().map(Self)
    }
}

fn key(name: &str) -> Result<u8> {
    match (name.strip_prefix("ctrl-").map(str::as_bytes), name.as_bytes()) {
        (Some([letter @ (b'a'..=b'z' | b'@' | b'['..=b'_')]), _) => Ok(letter.to_ascii_uppercase() - b'@'),
        (None, [key]) if key.is_ascii() => Ok(*key),
        _ => bail!(
            "invalid detach keys: unknown key '{}': a letter, or ctrl- and a letter",
            name.escape_debug()
        ),
    }
}

/// What is typed, on its way.
#[derive(Debug)]
pub(super) struct Typed {
    keys: Vec<u8>,
    // So many keys of the sequence have come.
    come: usize,
}

impl Typed {
    pub fn new(keys: &DetachKeys) -> Self {
        Self { keys: keys.0.clone(), come: 0 }
    }

    /// What of it is for the container, and whether the whole sequence has come. Without a
    /// terminal all of it is data.
    pub fn keys(&mut self, typed: &[u8], tty: bool) -> (Vec<u8>, bool) {
        if !tty || self.keys.is_empty() {
            return (typed.to_vec(), false);
        }
        let mut passed = Vec::new();
        for key in typed {
            if *key == self.keys[self.come] {
                self.come += 1;
                if self.come == self.keys.len() {
                    return (passed, true);
                }
                continue;
            }
            // It was no sequence after all; this key may begin one.
            passed.extend(&self.keys[..self.come]);
            self.come = usize::from(*key == self.keys[0]);
            if self.come == 0 {
                passed.push(*key);
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_leaves_and_everything_else_arrives() {
        let mut typed = Typed::new(&DetachKeys::default());
        assert_eq!(typed.keys(b"ab", true), (b"ab".to_vec(), false));
        assert_eq!(typed.keys(&[16], true), (vec![], false));
        assert_eq!(typed.keys(b"x", true), (vec![16, b'x'], false));
        assert_eq!(typed.keys(&[b'y', 16, 16], true), (vec![b'y', 16], false));
        assert_eq!(typed.keys(&[17, b'z'], true), (vec![], true));
        assert_eq!(Typed::new(&DetachKeys::default()).keys(&[16, 17], false), (vec![16, 17], false));
    }

    #[test]
    fn names_of_keys_are_dockers() {
        let keys = |text: &str| text.parse::<DetachKeys>().map(|keys| keys.0);
        assert_eq!(keys("ctrl-p,ctrl-q").unwrap(), [16, 17]);
        assert_eq!(keys("a,ctrl-@,ctrl-[").unwrap(), [b'a', 0, 27]);
        assert_eq!(keys("").unwrap(), [0; 0]);
        for wrong in ["bogus", "ctrl-", "ctrl-A1", ",", "é"] {
            keys(wrong).unwrap_err();
        }
    }
}
