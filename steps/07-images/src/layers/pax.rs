//! Extended headers: what does not fit into a header's fields stands before it, in a body of its own.
//!
//! POSIX writes records "LENGTH KEY=VALUE\n" (pax(1)), GNU tar writes the bare name. Both may be there: POSIX wins.

/// What stood before an entry and is about it.
#[derive(Default)]
pub struct Extended {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<i64>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    /// Seconds and nanoseconds since 1970.
    pub modified: Option<(i64, u32)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body is a map of holes, then content.
    pub sparse: bool,
    /// GNU's long names.
    pub gnu_path: Option<Vec<u8>>,
    pub gnu_link: Option<Vec<u8>>,
}

impl Extended {
    /// Reads the records of a POSIX extended header, or says what is wrong with one. They take the place of those of
    /// another one before, as in Go's archive/tar: a row of headers shall not fill the memory.
    pub fn read(&mut self, mut records: &[u8]) -> Result<(), &'static str> {
        const BAD: &str = "an extended header's record has a wrong length";
        let (gnu_path, gnu_link) = (self.gnu_path.take(), self.gnu_link.take());
        *self = Self { gnu_path, gnu_link, ..Self::default() };
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or(BAD)?;
            let length: usize =
                decimal(&records[..space]).and_then(|length| length.try_into().ok()).ok_or(BAD)?;
            let record = records.get(space + 1..length).ok_or(BAD)?.strip_suffix(b"\n").ok_or(BAD)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or("a record without =")?;
            self.record(&record[..equals], &record[equals + 1..])?;
            records = &records[length..];
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.push((name.to_vec(), value.to_vec()));
        } else if key.starts_with(b"GNU.sparse.") {
            self.sparse = true;
        } else if value.is_empty() {
            // An empty value takes the record back: the header's own field counts.
        } else {
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(decimal(value).ok_or("its size is no number")?),
                b"uid" => self.uid = Some(decimal(value).ok_or("its uid is no number")?),
                b"gid" => self.gid = Some(decimal(value).ok_or("its gid is no number")?),
                b"mtime" => self.modified = Some(time(value).ok_or("its time is no number")?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Digits alone: neither sign nor blanks, as `str::parse` would allow.
fn decimal(text: &[u8]) -> Option<i64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// "-1.25" is one and a quarter second before 1970: seconds -2 and 750,000,000 nanoseconds.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let (text, negative) = text.strip_prefix(b"-").map_or((text, false), |rest| (rest, true));
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let seconds = decimal(&text[..point])?;
    let mut nanoseconds = 0;
    let fraction = text.get(point + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    for place in 0..9 {
        nanoseconds = nanoseconds * 10 + fraction.get(place).map_or(0, |digit| u32::from(digit - b'0'));
    }
    match (negative, nanoseconds) {
        (false, _) => Some((seconds, nanoseconds)),
        (true, 0) => Some((-seconds, 0)),
        (true, _) => Some((-seconds - 1, 1_000_000_000 - nanoseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l16_times_are_decimal_numbers() {
        assert_eq!(time(b"1234567890.123456789123"), Some((1_234_567_890, 123_456_789)));
        assert_eq!(time(b"7"), Some((7, 0)));
        assert_eq!(time(b"7.5"), Some((7, 500_000_000)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"-3"), Some((-3, 0)));
        for bad in ["", "-", "NaN", "inf", "1e9", "1.-5", " 1", "+1", "9223372036854775808", "--1"] {
            assert_eq!(time(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn l13_records_are_read_by_length_so_values_may_be_anything() {
        let mut extended = Extended::default();
        extended.read(b"32 SCHILY.xattr.user.x=a\n=b 9 c\n").unwrap();
        assert_eq!(extended.xattrs, [(b"user.x".to_vec(), b"a\n=b 9 c".to_vec())]);
    }

    #[test]
    fn l18_of_a_row_of_headers_the_last_one_is_kept() {
        let mut extended = Extended { gnu_path: Some(b"long".to_vec()), ..Extended::default() };
        extended.read(b"10 path=a\n24 SCHILY.xattr.user.a=\n").unwrap();
        extended.read(b"25 SCHILY.xattr.user.b=1\n").unwrap();
        assert_eq!(extended.xattrs, [(b"user.b".to_vec(), b"1".to_vec())]);
        assert_eq!((extended.path, extended.gnu_path), (None, Some(b"long".to_vec())));
    }

    #[test]
    fn l14_a_wrong_length_is_an_error() {
        for bad in [
            "5 path=x\n",
            "99 path=x\n",
            "0 \n",
            "9 path=xx",
            "path=x\n",
            "+9 path=x\n",
            "1 ",
            "2 \n",
            "-1 x",
        ] {
            assert!(Extended::default().read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let huge = "99999999999999999999 path=x\n";
        assert!(Extended::default().read(huge.as_bytes()).is_err());
    }
}
