//! One header block of a tar archive: 512 bytes, numbers written as text.
//!
//! The format is that of POSIX (`ustar`), with GNU's numbers in base 256 where octal digits do not suffice. Where two
//! readings of a field are possible, it is read as Go's archive/tar does, by which images are made and judged.

use tar::Header;

/// The fields of a header as they stand there, before extended headers had their say.
pub struct Fields {
    pub kind: u8,
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: i64,
    pub uid: i64,
    pub gid: i64,
    pub size: i64,
    pub modified: i64,
    pub device: (i64, i64),
}

/// Reads a block, or says what is wrong with it.
pub fn parse(block: &[u8; 512]) -> Result<Fields, &'static str> {
    let header = Header::from_byte_slice(block);
    let old = header.as_old();
    if !checksum_is(block, number(&old.cksum).ok_or("its checksum is no number")?) {
        return Err("its checksum does not match");
    }
    let path = header.path_bytes().into_owned();
    let kind = match old.linkflag[0] {
        // Before POSIX a directory was told by its name alone.
        0 if path.ends_with(b"/") => b'5',
        0 | b'7' => b'0',
        kind => kind,
    };
    let device = match header.as_ustar().map(|ustar| (&ustar.dev_major, &ustar.dev_minor)) {
        Some(fields) => Some(fields),
        None => header.as_gnu().map(|gnu| (&gnu.dev_major, &gnu.dev_minor)),
    };
    let device = match device {
        Some((major, minor)) if matches!(kind, b'3' | b'4') => {
            (number(major).ok_or("its device is no number")?, number(minor).ok_or("its device is no number")?)
        }
        _ => (0, 0),
    };
    Ok(Fields {
        kind,
        path,
        link: header.link_name_bytes().unwrap_or_default().into_owned(),
        mode: number(&old.mode).ok_or("its mode is no number")?,
        uid: number(&old.uid).ok_or("its uid is no number")?,
        gid: number(&old.gid).ok_or("its gid is no number")?,
        size: number(&old.size).ok_or("its size is no number")?,
        modified: number(&old.mtime).ok_or("its time is no number")?,
        device,
    })
}

/// A numeric field: octal digits between spaces and NULs, or, told by the highest bit, two's complement in base 256.
fn number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let mut value = if negative { -1i128 } else { 0 };
        for (index, byte) in field.iter().enumerate() {
            let byte = if index == 0 && !negative { byte & 0x7f } else { *byte };
            value = value << 8 | i128::from(byte);
        }
        return i64::try_from(value).ok();
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !blank(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let digits = &digits[..digits.iter().position(blank).unwrap_or(digits.len())];
    // After the digits nothing but blanks: "12 34" is no number.
    if !field[start + digits.len()..].iter().all(blank) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// The checksum is the sum of all bytes with its own field read as blanks. Old archives added signed bytes.
fn checksum_is(block: &[u8; 512], wanted: i64) -> bool {
    let bytes =
        || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte as i8)).sum();
    wanted == unsigned || wanted == signed
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn l14_numbers_are_octal_or_base_256_and_nothing_else() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"  644 \0\0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"00006g4\0"), None);
        assert_eq!(number(b"12 34567"), None);
        assert_eq!(number(b"-0000001"), None);
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(number(&[0xff; 8]), Some(-1));
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(number(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(number(&[0xbf, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]), None);
    }
}
