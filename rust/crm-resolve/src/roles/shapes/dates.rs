//! Dates and times.

/// The year of a written date, and whether a time of day stands behind it.
pub fn date(text: &str) -> Option<(i32, bool)> {
    let year = date_year(text)?;
    let time = text.contains(':') && !text.contains("00:00:00") && !text.ends_with(" 00:00") && !text.ends_with("T00:00");
    Some((year, time))
}

pub(super) fn date_year(text: &str) -> Option<i32> {
    let text = text.trim();
    if text.len() > 60 || text.is_empty() {
        return None;
    }
    let head = text.split(['T', ' ']).next().unwrap_or("");
    let parts: Vec<&str> = head.split(['-', '.', '/']).filter(|part| !part.is_empty()).collect();
    let numeric = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if numeric && parts.len() == 3 && !head.contains("--") {
        let numbers: Vec<i32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
        if let [a, b, c] = numbers[..] {
            let plausible = |day: i32, month: i32| (1..=31).contains(&day) && (1..=31).contains(&month) && (day <= 12 || month <= 12);
            if parts[0].len() == 4 && plausible(b, c) {
                return year(a);
            }
            if parts[2].len() == 4 && plausible(a, b) {
                return year(c);
            }
            if parts[0].len() <= 2 && parts[2].len() == 2 && plausible(a, b) {
                return Some(if c > 30 { 1900 + c } else { 2000 + c });
            }
        }
        return None;
    }
    if numeric && parts.len() == 1 && head.len() == 8 && text.len() == 8 {
        let number: i32 = head.parse().ok()?;
        let (y, m, d) = (number / 10_000, number / 100 % 100, number % 100);
        return if (1..=12).contains(&m) && (1..=31).contains(&d) { year(y).filter(|y| (1850..=2035).contains(y)) } else { None };
    }
    month_name_year(text)
}

fn year(value: i32) -> Option<i32> {
    (1500..=2100).contains(&value).then_some(value)
}

/// "12 March 1990", "Mar 12, 1990", "12 марта 1990 г.", "1990. gada 12. martā".
fn month_name_year(text: &str) -> Option<i32> {
    const MONTHS: &[&str] = &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "янв", "фев", "мар", "апр", "май", "мая",
        "июн", "июл", "авг", "сен", "окт", "ноя", "дек", "mai", "maij", "jūn", "jūl", "okt", "dez", "ene", "abr", "ago", "dic", "fév",
        "avr", "aoû", "déc", "juin", "juil", "sty", "lut", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru",
    ];
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if !(2..=8).contains(&words.len())
        || !words.iter().any(|word| word.chars().count() >= 3 && MONTHS.iter().any(|month| word.starts_with(month)))
    {
        return None;
    }
    words.iter().filter(|word| word.len() == 4).find_map(|word| word.parse::<i32>().ok()).and_then(year)
}
