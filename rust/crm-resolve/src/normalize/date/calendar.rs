use std::fmt;

/// A day of the Gregorian calendar, as days since 1970-01-01 (Arrow's date32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub i32);

impl Date {
    /// The day, if it is in the calendar; years 1 to 9999.
    ///
    /// ```
    /// use crm_resolve::normalize::Date;
    /// assert_eq!(Date::new(1970, 1, 2), Some(Date(1)));
    /// assert_eq!(Date::new(1900, 2, 29), None);
    /// ```
    #[inline]
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        // Howard Hinnant's days_from_civil.
        let shifted = if month <= 2 { year - 1 } else { year };
        let era = shifted.div_euclid(400);
        let of_era = shifted.rem_euclid(400);
        let from_march = (month as i32 + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + day as i32 - 1;
        Some(Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468))
    }

    /// The day of an Excel serial (1900 system, its false leap day accounted for).
    pub fn from_excel_serial(serial: u32) -> Self {
        let serial = serial.min(2_958_465) as i32;
        Self(serial - 25_569 + i32::from(serial < 60))
    }

    fn civil(self) -> (i32, u32, u32) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = (of_year - (153 * from_march + 2) / 5 + 1) as u32;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 } as u32;
        (year_of_era + era * 400 + i32::from(month <= 2), month, day)
    }

    /// Year.
    pub fn year(self) -> i16 {
        self.civil().0.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }

    /// Month, 1 to 12.
    pub fn month(self) -> u8 {
        self.civil().1 as u8
    }

    /// Day of the month.
    pub fn day(self) -> u8 {
        self.civil().2 as u8
    }
}

impl fmt::Display for Date {
    /// ISO: `1985-04-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}
