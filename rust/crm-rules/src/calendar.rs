//! Days, months and microseconds of the proleptic Gregorian calendar, and reading and writing them.

/// Microseconds of a day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// Days since 1970-01-01 of a civil date. The date must exist; see [`is_date`].
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The civil date of a day: year, month, day.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether such a day exists.
pub fn is_date(year: i64, month: i64, day: i64) -> bool {
    (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month)
}

/// A date moved by months; the day is cut to the month's length, as SQL does.
pub fn add_months(days: i64, months: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(days);
    let index = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(months)?;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    if !(-290_000..=290_000).contains(&year) {
        return None;
    }
    Some(days_from_civil(year, month, day.min(days_in_month(year, month))))
}

/// `2026-11-01`, in days since 1970-01-01. Spaces around are allowed, as in SQL casts.
pub fn parse_date(text: &str) -> Option<i32> {
    let text = text.trim();
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    (parts.next().is_none() && (1..=9999).contains(&year) && is_date(year, month, day))
        .then(|| i32::try_from(days_from_civil(year, month, day)).ok())
        .flatten()
}

/// `2026-11-01 12:30:00.5`, `2026-11-01T12:30:00` or a date alone, in microseconds since 1970-01-01. A trailing `Z` or an offset
/// such as `+03:00` is taken into account.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let Some(split) = text.find([' ', 'T']) else {
        return parse_date(text).map(|days| i64::from(days) * DAY_MICROS);
    };
    let days = i64::from(parse_date(&text[..split])?);
    let (clock, offset) = split_offset(text[split + 1..].trim())?;
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = parts.next().map_or(Some(0), parse_seconds)?;
    if hour > 23 || minute > 59 || seconds >= 60_000_000 {
        return None;
    }
    Some(days * DAY_MICROS + (hour * 3600 + minute * 60) * 1_000_000 + seconds - offset)
}

fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, 0)) };
    let sign = if clock[at..].starts_with('-') { -1 } else { 1 };
    let mut parts = clock[at + 1..].splitn(2, ':');
    let hours = number(parts.next()?, 2)?;
    let minutes = parts.next().map_or(Some(0), |minutes| number(minutes, 2))?;
    (hours <= 15 && minutes <= 59).then(|| (clock[..at].trim_end(), sign * (hours * 3600 + minutes * 60) * 1_000_000))
}

fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = number(whole, 2)?;
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = (0..6).fold(0, |sum, i| sum * 10 + fraction.as_bytes().get(i).map_or(0, |digit| i64::from(digit - b'0')));
    Some(whole * 1_000_000 + micros)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (!text.is_empty() && text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// `2026-11-01`.
pub fn format_date(days: i32) -> String {
    let (year, month, day) = civil_from_days(i64::from(days));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-01 12:30:00`, with microseconds where there are any.
pub fn format_timestamp(micros: i64) -> String {
    let (days, rest) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    let (year, month, day) = civil_from_days(days);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let clock = format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { clock } else { format!("{clock}.{fraction:06}").trim_end_matches('0').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_civil_dates_are_inverse() {
        for days in -800_000..800_000 {
            let (year, month, day) = civil_from_days(days);
            assert!(is_date(year, month, day));
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn dates_and_timestamps_are_read_strictly() {
        assert_eq!(parse_date("1970-01-02"), Some(1));
        assert_eq!(parse_date("2026-02-30"), None);
        assert_eq!(parse_date("2026-2-3 "), parse_date("2026-02-03"));
        assert_eq!(parse_timestamp("1970-01-01 00:00:01.5"), Some(1_500_000));
        assert_eq!(parse_timestamp("1970-01-01T03:00:00+03:00"), Some(0));
        assert_eq!(parse_timestamp("1970-01-01 25:00:00"), None);
        assert_eq!(format_timestamp(-1_500_000), "1969-12-31 23:59:58.5");
    }

    #[test]
    fn months_are_cut_to_their_length() {
        let january = i64::from(parse_date("2024-01-31").unwrap());
        assert_eq!(add_months(january, 1), parse_date("2024-02-29").map(i64::from));
        assert_eq!(add_months(january, -2), parse_date("2023-11-30").map(i64::from));
    }
}
