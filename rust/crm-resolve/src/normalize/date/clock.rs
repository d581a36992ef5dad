//! The time of day beside a date.

/// Seconds since midnight of the first `14:05`, `2:05:09 PM` in a text.
///
/// ```
/// use crm_resolve::normalize::clock_seconds;
/// assert_eq!(clock_seconds("1.05.2024 2:05:09 PM"), Some(14 * 3_600 + 5 * 60 + 9));
/// assert_eq!(clock_seconds("25:00"), None);
/// ```
pub fn clock_seconds(text: &str) -> Option<i64> {
    let colon = text.find(':')?;
    let digits_before = text[..colon].bytes().rev().take_while(u8::is_ascii_digit).count();
    let hour: i64 = text[colon - digits_before..colon].parse().ok()?;
    let mut rest = text[colon + 1..].split(|c: char| !c.is_ascii_digit());
    let minute: i64 = rest.next()?.parse().ok()?;
    let second: i64 = rest.next().and_then(|second| second.parse().ok()).unwrap_or(0);
    let lower = text[colon..].to_ascii_lowercase();
    let hour = match (hour, lower.contains("pm"), lower.contains("am")) {
        (12, false, true) => 0,
        (1..=11, true, _) => hour + 12,
        _ => hour,
    };
    (hour < 24 && minute < 60 && second < 61).then(|| hour * 3_600 + minute * 60 + second)
}
