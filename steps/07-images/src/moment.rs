//! Moments as people give them, and as records print them: nanoseconds or seconds since 1970 in between.

use anyhow::{Result, bail};

use crate::human::seconds_since_1970;

/// In nanoseconds. A number of 128 bits has room for each moment of the year 9999.
const SECOND: i128 = 1_000_000_000;

/// A moment in words: `10m` and `1h30m` ago, a time such as `2026-11-24T17:16:50Z`, with less of it or with
/// an offset from UTC, or seconds since 1970. What has no offset is meant in UTC. In nanoseconds, as `now` is: a
/// fraction of a second has many lines of a log in it.
///
/// # Errors
/// It is none of these, in Docker's words.
// ANCHOR: moment
pub fn nanoseconds(text: &str, now: i128) -> Result<i128> {
    if let Some(ago) = duration(text) {
        return Ok(now - ago);
    }
    match decimal(text, SECOND).or_else(|| time(text)) {
        Some(moment) => Ok(moment),
        None => bail!("failed to parse value as time or duration: \"{}\"", text.escape_debug()),
    }
}
// ANCHOR_END: moment

/// The same in seconds, for what is not known better.
///
/// # Errors
/// Those of [`nanoseconds`].
pub fn moment(text: &str, now: f64) -> Result<f64> {
    Ok(nanoseconds(text, (now * 1e9) as i128)? as f64 / 1e9)
}

/// `1.5` of a unit: digits, and perhaps a dot.
fn decimal(text: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    // More digits than these are less than a nanosecond, of an hour too.
    let fraction = &fraction[..fraction.len().min(18)];
    let number = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let part = i128::from(number(fraction)?) * unit / 10_i128.pow(fraction.len() as u32);
    Some(i128::from(number(whole)?) * unit + part)
}

/// A duration such as `1h30m`, `1.5s`, `-2m`, as Go's programs write it (`time.ParseDuration`).
fn duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) if text.starts_with('-') => (-1, rest),
        Some(rest) => (1, rest),
        None => (1, text),
    };
    let mut sum = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest[number..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |at| number + at);
        let factor = match &rest[number..unit] {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            _ => return None,
        };
        sum += decimal(&rest[..number], factor)?;
        rest = &rest[unit..];
    }
    (text.len() > 1).then_some(sign * sum)
}

/// `2026-11-24`, and whatever of `T17:16:50.123456789+01:00` is there.
pub fn time(text: &str) -> Option<i128> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let (time, offset) = match time.strip_suffix('Z') {
        Some(time) => (time, 0),
        None => match time.rfind(['+', '-']) {
            Some(at) => (&time[..at], offset(&time[at..])?),
            None => (time, 0),
        },
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let whole = match whole.matches(':').count() {
        0 => format!("{whole}:00:00"),
        1 => format!("{whole}:00"),
        _ => whole.to_owned(),
    };
    let seconds = seconds_since_1970(&format!("{date}T{whole}Z"))? as i128 - offset;
    Some(seconds * SECOND + decimal(&format!("0.{fraction}"), SECOND)?)
}

/// Seconds of `+01:00`.
fn offset(text: &str) -> Option<i128> {
    let (hours, minutes) = text[1..].split_once(':')?;
    let seconds = i128::from(hours.parse::<u8>().ok()?) * 3600 + i128::from(minutes.parse::<u8>().ok()?) * 60;
    Some(if text.starts_with('-') { -seconds } else { seconds })
}

/// A time as [`time`] reads it, with all nine digits: so that all lines of a log begin alike.
pub fn nine_digits(nanoseconds: i128) -> String {
    let seconds = i64::try_from(nanoseconds.div_euclid(SECOND)).unwrap_or_default();
    format!("{}.{:09}Z", utc(seconds), nanoseconds.rem_euclid(SECOND))
}

/// A moment as records have it: RFC 3339 in UTC, with nine digits of a second. None is the year 1, as Go's programs
/// write it.
// ANCHOR: rfc3339
pub fn rfc3339(seconds: Option<f64>) -> String {
    // From the year 1 to the year 9999: nothing else has four digits.
    let seconds = seconds.filter(|seconds| (-62_135_596_800.0..253_402_300_800.0).contains(seconds));
    let Some(seconds) = seconds else { return "0001-01-01T00:00:00Z".to_owned() };
    let whole = seconds.floor();
    let nanoseconds = (((seconds - whole) * 1e9) as u32).min(999_999_999);
    format!("{}.{nanoseconds:09}Z", utc(whole as i64))
}

/// Date and time of day in UTC, `2026-11-24T17:16:50`, of whole seconds since 1970.
pub fn utc(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since the 1st of March of the year 0: years that begin in March have the leap day as their last.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = (if month < 10 { month + 3 } else { month - 9 }, year + era * 400);
    let year = if month < 3 { year + 1 } else { year };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}
// ANCHOR_END: rfc3339

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_understood_as_docker_does() {
        let now = 1_795_540_610.0;
        for (text, expected) in [
            ("10m", now - 600.0),
            ("1h30m", now - 5400.0),
            ("1.5s", now - 1.5),
            ("-1h", now + 3600.0),
            ("2026-11-24T17:16:50Z", now),
            ("2026-11-24T18:16:50+01:00", now),
            ("2026-11-24T17:16:50.5Z", now + 0.5),
            ("2026-11-24T17:16:50", now),
            ("2026-11-24T17:16", now - 50.0),
            ("2026-11-24", now - 62_210.0),
            ("1795540610", now),
            ("1795540610.5", now + 0.5),
            ("0", 0.0),
        ] {
            assert_eq!(moment(text, now).unwrap(), expected, "{text}");
        }
        for nonsense in [
            "",
            "abc",
            "yesterday",
            "1x",
            "m",
            "-",
            "1h-",
            "inf",
            "nan",
            "2026-13-01",
            "T",
            "1e5",
            "..",
            "2026-11-24T17:16:50+é",
        ] {
            let error = moment(nonsense, now).unwrap_err().to_string();
            assert_eq!(error, format!("failed to parse value as time or duration: \"{nonsense}\""));
        }
    }

    #[test]
    fn no_nanosecond_is_lost() {
        let now = 1_795_540_610_123_456_789;
        for (text, expected) in [
            ("1s", now - 1_000_000_000),
            ("1.000000001s", now - 1_000_000_001),
            ("1ns", now - 1),
            ("1h0.5ms2us", now - 3_600_000_502_000),
            ("0.1h", now - 360_000_000_000),
            ("2026-11-24T17:16:50.123456789Z", now),
            ("2026-11-24T18:16:50.123456789+01:00", now),
            ("1795540610.123456789", now),
            ("1795540610.1234567890123456789", now),
            ("18446744073709551615", 18_446_744_073_709_551_615_000_000_000),
        ] {
            assert_eq!(nanoseconds(text, now).unwrap(), expected, "{text}");
        }
        assert_eq!(nine_digits(now), "2026-11-24T17:16:50.123456789Z");
        assert_eq!(nine_digits(time("2026-11-24T17:16:50.5Z").unwrap()), "2026-11-24T17:16:50.500000000Z");
        assert!(nanoseconds("18446744073709551616", now).is_err() && nanoseconds("1.٣s", now).is_err());
    }

    #[test]
    fn h6_every_moment_can_be_printed() {
        assert_eq!(rfc3339(Some(0.0)), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(rfc3339(Some(1_709_208_001.5)), "2024-02-29T12:00:01.500000000Z");
        assert_eq!(rfc3339(Some(1_795_540_610.0)), "2026-11-24T17:16:50.000000000Z");
        assert_eq!(rfc3339(Some(-0.5)), "1969-12-31T23:59:59.500000000Z");
        assert_eq!(rfc3339(Some(253_402_300_799.0)), "9999-12-31T23:59:59.000000000Z");
        for absent in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1e300), Some(1e300)] {
            assert_eq!(rfc3339(absent), "0001-01-01T00:00:00Z");
        }
        for day in 0..40_000 {
            let seconds = f64::from(day) * 86_400.0;
            assert_eq!(seconds_since_1970(&rfc3339(Some(seconds))), Some(seconds));
        }
    }
}
