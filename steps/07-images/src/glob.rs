//! Patterns for names: `*`, `?` and `[a-z]`, none of which goes beyond a slash.

/// Whether the whole name fits the pattern (Go's `path.Match`).
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where to go on if it does not fit: behind the last star, with one more character for the star.
    let (mut p, mut n, mut star) = (0, 0, None);
    loop {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        if p == pattern.len() && n == name.len() {
            return true;
        }
        if let Some(length) = name.get(n).and_then(|character| taking(&pattern[p..], *character)) {
            (p, n) = (p + length, n + 1);
            continue;
        }
        match star {
            Some((after, taken)) if taken < name.len() && name[taken] != '/' => {
                star = Some((after, taken + 1));
                (p, n) = (after, taken + 1);
            }
            _ => return false,
        }
    }
}

/// How much of the pattern's beginning says that it takes this character; nothing if it does not.
fn taking(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => (character != '/').then_some(1),
        ['\\', escaped, ..] => (character == *escaped).then_some(2),
        ['[', rest @ ..] => {
            let end = rest.iter().position(|c| *c == ']')?;
            let (set, without) = match &rest[..end] {
                ['^', set @ ..] => (set, true),
                set => (set, false),
            };
            (character != '/' && is_in(set, character) != without).then_some(end + 2)
        }
        [plain, ..] => (character == *plain).then_some(1),
        [] => None,
    }
}

fn is_in(set: &[char], character: char) -> bool {
    match set {
        [first, '-', last, rest @ ..] => (*first..=*last).contains(&character) || is_in(rest, character),
        [one, rest @ ..] => *one == character || is_in(rest, character),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_are_gos() {
        for (pattern, name) in [
            ("*", ""),
            ("b*", "box"),
            ("*:1", "box:1"),
            ("*o*x*", "xboxx"),
            ("b?x", "box"),
            ("[a-c]ox", "box"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "x"),
            ("b*", "a/box"),
            ("*", "a/b"),
            ("b?x", "b/x"),
            ("[^b]ox", "box"),
            ("[b", "b"),
            ("bo", "box"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        assert!(fits("a/*", "a/b") && fits(r"\*", "*") && !fits(r"\*", "x"));
        assert!(!fits(&"*a".repeat(1000), &"a".repeat(999)));
    }
}
