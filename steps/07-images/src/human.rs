//! Times, sizes and tables as Docker prints them.

use crate::moment::rfc3339;

// ANCHOR: table
/// Columns as Docker has them: each as wide as its widest cell and three blanks, or ten.
pub fn table(rows: &[Vec<String>]) -> String {
    aligned(rows, 10)
}

/// Columns that have another least width.
pub fn aligned(rows: &[Vec<String>], least: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| (width(column).unwrap_or(0) + 3).max(least)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}
// ANCHOR_END: table

/// How long something took or how long ago it was, in words (Docker's go-units).
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (minutes, hours) = (seconds / 60, (seconds as f64 / 3600.0).round() as u64);
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// How long ago it was.
pub fn ago(seconds: f64) -> String {
    duration(seconds) + " ago"
}

/// A moment, given in seconds since 1970, as Docker's lists have it: `2026-11-24 17:16:50 +0000 UTC`.
pub fn time(seconds: f64) -> String {
    let text = rfc3339(Some(seconds));
    format!("{} {} +0000 UTC", &text[..10], &text[11..19])
}

/// A number of bytes as people write it: `64m`, `1.5 GB`, in steps of 1024 (Docker's go-units).
///
/// # Errors
/// It is none, in Docker's words.
pub fn bytes(text: &str) -> Result<u64, String> {
    let read = || -> Option<u64> {
        let end = text.rfind(|character: char| character.is_ascii_digit() || ". ".contains(character))? + 1;
        let (number, unit) = text.split_at(end);
        let number: f64 = number.strip_suffix(' ').unwrap_or(number).parse().ok()?;
        let unit = unit.to_ascii_lowercase();
        let power = match unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit) {
            "" if unit != "ib" => 0,
            "k" => 1,
            "m" => 2,
            "g" => 3,
            "t" => 4,
            "p" => 5,
            _ => return None,
        };
        (number.is_finite() && number >= 0.0).then_some((number * 1024_f64.powi(power)) as u64)
    };
    read().ok_or_else(|| format!("invalid size: '{text}'"))
}

/// A number of bytes in steps of a thousand, with three digits that count.
pub fn size(bytes: u64) -> String {
    let (mut number, mut unit) = (bytes as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if number < 1000.0 {
            break;
        }
        (number, unit) = (number / 1000.0, larger);
    }
    let digits = match number {
        _ if unit == "B" => 0,
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{number:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// The seconds since 1970 of a time such as `2026-11-24T17:16:50Z` (RFC 3339). Its fraction is
/// dropped, and an offset from UTC, which no builder writes, is not understood.
pub fn seconds_since_1970(text: &str) -> Option<f64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, border| -> Option<Vec<i64>> {
        text.split(border).map(|part| part.split('.').next()?.parse().ok()).collect()
    };
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    // What comes from a stranger's image has any number in it: a day has so many hours, and no more.
    let ([year @ 0..10_000, month @ 1..13, day @ 1..32], [hour @ 0..24, minute @ 0..60, second @ 0..61]) =
        (&date[..], &time[..])
    else {
        return None;
    };
    // Days since 1970, with years that begin in March so that the leap day is the last.
    let (year, month) = if *month < 3 { (year - 1, month + 9) } else { (*year, month - 3) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        let sizes = [0, 999, 1000, 4_260_000, 78_100_000, 117_000_000, 1_500_000_000];
        assert_eq!(sizes.map(size).join(" "), "0B 999B 1kB 4.26MB 78.1MB 117MB 1.5GB");
    }

    #[test]
    fn durations_are_dockers() {
        let seconds = [0.5, 1.0, 59.0, 61.0, 150.0, 3700.0, 7300.0, 200_000.0, 3e9];
        assert_eq!(
            seconds.map(duration).join(", "),
            "Less than a second, 1 second, 59 seconds, About a minute, 2 minutes, About an hour, 2 hours, 2 days, 95 years"
        );
    }

    #[test]
    fn times_of_builders_are_understood() {
        assert_eq!(seconds_since_1970("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds_since_1970("2024-02-29T12:00:01.5Z"), Some(1_709_208_001.0));
        assert_eq!(seconds_since_1970("2026-11-24T17:16:50Z"), Some(1_795_540_610.0));
        for nonsense in [
            "",
            "Z",
            "T",
            "2024-13-01T00:00:00Z",
            "9999999999-01-01T00:00:00Z",
            "x-y-zT1:2:3Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T-1:00:00Z",
            "2024-01-01T9223372036854775807:00:00Z",
            "2024-01-01T00:9223372036854775807:00Z",
            "2024-01-01T00:00:9223372036854775807Z",
        ] {
            assert_eq!(seconds_since_1970(nonsense), None, "{nonsense}");
        }
    }
}
