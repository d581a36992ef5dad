//! A written date as numbers and a month's name.
use super::super::{Reason, fold_into, phone_digit};
use super::months::month_of;

/// A number as written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Field {
    pub number: u32,
    pub n_digits: u8,
}

#[derive(Debug, Default)]
pub(super) struct Fields {
    numbers: [Field; 3],
    n: usize,
    pub month: Option<u8>,
    n_points: u8,
    n_other_marks: u8,
}

impl Fields {
    pub(super) fn numbers(&self) -> &[Field] {
        &self.numbers[..self.n]
    }

    /// Whether points, and nothing else, stand between the numbers.
    pub(super) fn is_pointed(&self) -> bool {
        self.n_points >= 2 && self.n_other_marks == 0
    }

    pub(super) fn read(text: &str) -> Result<Self, Reason> {
        let mut fields = Self::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let width = c.len_utf8();
            if phone_digit(c).is_some() {
                let end = rest.find(|c| phone_digit(c).is_none()).unwrap_or(rest.len());
                let (digits, following) = rest.split_at(end);
                // A clock follows the date: hours before a colon. With three fields (or a month and two) the date is complete.
                let complete = fields.n + usize::from(fields.month.is_some()) >= 3 || (fields.n == 1 && fields.numbers[0].n_digits == 8);
                if following.starts_with(':') || complete {
                    if fields.n == 0 {
                        return Err(Reason::BadFormat);
                    }
                    break;
                }
                fields.push(digits)?;
                rest = following;
            } else if c.is_alphabetic() {
                let end = rest.find(|c: char| !c.is_alphabetic() && !('\u{300}'..='\u{36f}').contains(&c)).unwrap_or(rest.len());
                let (word, following) = rest.split_at(end);
                rest = following;
                fields.word(word)?;
            } else {
                if c == ':' && fields.n == 0 {
                    return Err(Reason::BadFormat);
                }
                if !(c.is_whitespace()
                    || matches!(
                        c,
                        '.' | '/' | '-' | ',' | '\'' | '’' | '\\' | '_' | ':' | '+' | '(' | ')' | '«' | '»' | '"' | '\u{2010}'..='\u{2015}'
                    ))
                {
                    return Err(Reason::BadFormat);
                }
                if (1..3).contains(&fields.n) {
                    fields.n_points = fields.n_points.saturating_add(u8::from(c == '.'));
                    fields.n_other_marks = fields.n_other_marks.saturating_add(u8::from(matches!(c, '/' | '-')));
                }
                rest = &rest[width..];
            }
        }
        if fields.n == 0 { Err(Reason::NoDigits) } else { Ok(fields) }
    }

    fn push(&mut self, digits: &str) -> Result<(), Reason> {
        let n_digits = digits.chars().count();
        if self.n == 3 || !matches!(n_digits, 1..=8) && n_digits != 14 {
            return Err(Reason::BadFormat);
        }
        // yyyymmddhhmmss: the clock is left aside.
        let taken = if n_digits == 14 { 8 } else { n_digits };
        let number = digits.chars().take(taken).filter_map(phone_digit).fold(0, |number, digit| number * 10 + u32::from(digit));
        self.numbers[self.n] = Field { number, n_digits: taken as u8 };
        self.n += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Reason> {
        let mut folded = String::new();
        fold_into(word, &mut folded);
        // Words around a date: ordinals, "year", week days, zones, the T of ISO.
        const AROUND: [&str; 44] = [
            "г",
            "года",
            "год",
            "гг",
            "г р",
            "gada",
            "gads",
            "g",
            "st",
            "nd",
            "rd",
            "th",
            "t",
            "z",
            "utc",
            "gmt",
            "am",
            "pm",
            "of",
            "de",
            "den",
            "mon",
            "tue",
            "wed",
            "thu",
            "fri",
            "sat",
            "sun",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
            "пн",
            "вт",
            "ср",
            "чт",
            "пт",
            "сб",
            "вс",
            "o",
            "del",
        ];
        if AROUND.contains(&folded.as_str()) {
            return Ok(());
        }
        let complete = self.n + usize::from(self.month.is_some()) >= 3;
        if complete {
            // A zone or note after a whole date.
            return Ok(());
        }
        match month_of(&folded) {
            Some(month) if self.month.is_none() => {
                self.month = Some(month);
                Ok(())
            }
            _ => Err(Reason::BadFormat),
        }
    }
}
