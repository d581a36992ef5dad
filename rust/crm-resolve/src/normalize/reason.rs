/// Why a value was not taken. Few, so that they can be counted and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing but spaces and punctuation.
    Empty,
    /// A word for "no value": n/a, none, нет, test, -.
    Placeholder,
    /// Longer than any such value is.
    TooLong,
    /// Shorter than any such value is.
    TooShort,
    /// There is no digit in it.
    NoDigits,
    /// There is no letter in it.
    NoLetters,
    /// An e-mail address without `@`.
    NoAt,
    /// The part before the `@` cannot be one.
    BadLocalPart,
    /// The part after the `@` (or of a web address) cannot be a host.
    BadDomain,
    /// The form is not known.
    BadFormat,
    /// The check digit does not fit.
    BadCheckDigit,
    /// A day that is not in the calendar.
    ImpossibleDate,
    /// A year before 1000 or after 2999.
    ImpossibleYear,
    /// The word is not in the list of such values.
    Unknown,
}

impl Reason {
    /// All reasons, in the order of their codes.
    pub const ALL: [Reason; 14] = [
        Reason::Empty,
        Reason::Placeholder,
        Reason::TooLong,
        Reason::TooShort,
        Reason::NoDigits,
        Reason::NoLetters,
        Reason::NoAt,
        Reason::BadLocalPart,
        Reason::BadDomain,
        Reason::BadFormat,
        Reason::BadCheckDigit,
        Reason::ImpossibleDate,
        Reason::ImpossibleYear,
        Reason::Unknown,
    ];

    /// A short name for summaries: `placeholder`, `bad_check_digit`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::Placeholder => "placeholder",
            Reason::TooLong => "too_long",
            Reason::TooShort => "too_short",
            Reason::NoDigits => "no_digits",
            Reason::NoLetters => "no_letters",
            Reason::NoAt => "no_at",
            Reason::BadLocalPart => "bad_local_part",
            Reason::BadDomain => "bad_domain",
            Reason::BadFormat => "bad_format",
            Reason::BadCheckDigit => "bad_check_digit",
            Reason::ImpossibleDate => "impossible_date",
            Reason::ImpossibleYear => "impossible_year",
            Reason::Unknown => "unknown",
        }
    }

    /// Whether the cell simply had no value, as opposed to a bad one.
    pub fn is_missing(self) -> bool {
        matches!(self, Reason::Empty | Reason::Placeholder)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each reason was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonCounts([u64; Reason::ALL.len()]);

impl ReasonCounts {
    /// Counts one.
    #[inline]
    pub fn add(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// Adds the counts of another part of the data.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// The count of one reason.
    pub fn get(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// Reasons that were met, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }
}
