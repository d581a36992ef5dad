//! Telephone numbers: E.164, as libphonenumber reads them, from an automaton over digits instead of regular expressions.
mod metadata;
mod region;
mod scan;
mod split;
#[cfg(test)]
mod tests;

use metadata::{Digits, Length, MAX_DIGITS, Metadata, Plan};
pub(crate) use region::FEWEST_WITH_CODE;
pub use region::{PhoneRegionGuess, count_bare_country_codes, count_phones_of, infer_phone_region};
use scan::Scan;
pub(super) use scan::digit_value;
pub use split::split_phones;

use super::Reason;

/// A numbering region: an ISO 3166 country code of two letters, or `00` for numbers of no country (800, 870, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(pub [u8; 2]);

impl Region {
    /// The region of a two-letter code in any case, if it has a numbering plan.
    ///
    /// ```
    /// use crm_resolve::normalize::Region;
    /// assert_eq!(Region::new("lv").unwrap().as_str(), "LV");
    /// assert_eq!(Region::new("zz"), None);
    /// ```
    pub fn new(code: &str) -> Option<Self> {
        let &[a, b] = code.as_bytes() else { return None };
        let region = Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]);
        Metadata::get().region(region).map(|plan| plan.id)
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

/// What a number is used for, as far as its digits tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PhoneKind {
    /// Not told by the digits, or the number is not valid.
    Unknown,
    /// A landline.
    Fixed,
    /// A mobile: rarely shared.
    Mobile,
    /// The plan does not tell the two apart (North America).
    FixedOrMobile,
    /// Free for the caller: a company's.
    TollFree,
    /// Premium rate.
    Premium,
    /// Shared cost.
    SharedCost,
    /// Internet telephony.
    Voip,
    /// A personal number.
    Personal,
    /// A pager.
    Pager,
    /// A company-wide access number.
    Company,
    /// Voice mail.
    Voicemail,
}

const KINDS: [PhoneKind; 12] = [
    PhoneKind::Unknown,
    PhoneKind::Fixed,
    PhoneKind::Mobile,
    PhoneKind::FixedOrMobile,
    PhoneKind::TollFree,
    PhoneKind::Premium,
    PhoneKind::SharedCost,
    PhoneKind::Voip,
    PhoneKind::Personal,
    PhoneKind::Pager,
    PhoneKind::Company,
    PhoneKind::Voicemail,
];

/// How far a number can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PhoneValidity {
    /// Digits of no known country: comparable as digits, not callable.
    Unplaced,
    /// A country is known and the number does not fit its plan (a typo, a missing area code).
    Possible,
    /// Fits the country's numbering plan.
    Valid,
}

/// One parsed telephone number; sixteen bytes, made without allocating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Phone {
    /// All digits of E.164, country code first, as one number: `+371 29123456` is `37129123456`. For
    /// [`PhoneValidity::Unplaced`] the digits as written, leading zeros dropped.
    pub number: u64,
    /// The extension's digits, 0 without one (leading zeros are dropped).
    pub extension: u32,
    /// Country calling code, 0 when unplaced.
    pub country_code: u16,
    /// Region, `00` when unknown or of no country.
    pub region: Region,
    /// What the number is used for.
    pub kind: PhoneKind,
    /// Whether it fits the plan.
    pub validity: PhoneValidity,
    /// The default region did not fit and another reading was taken (`8 912…` in a Latvian list).
    pub guessed: bool,
    /// A filler such as 0000000 or 1234567, alone or behind a code: must not count as evidence.
    pub generic: bool,
}

impl Phone {
    /// Appends `+` and the digits (only the digits when unplaced).
    pub fn write_e164(&self, out: &mut String) {
        if self.country_code != 0 {
            out.push('+');
        }
        let mut digits = [0u8; 20];
        let (mut at, mut rest) = (digits.len(), self.number);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 || at == 0 {
                break;
            }
        }
        out.extend(digits[at..].iter().map(|&digit| char::from(digit)));
    }

    /// E.164 text, `+37129123456`.
    pub fn e164(&self) -> String {
        let mut text = String::with_capacity(16);
        self.write_e164(&mut text);
        text
    }

    /// Whether it has as many digits as its country's numbers: a number without its area code (`555-0100`) has not.
    pub fn is_complete(&self) -> bool {
        if self.validity == PhoneValidity::Valid {
            return true;
        }
        let metadata = Metadata::get();
        let mut code = [0u8; 3];
        let n_national = (decimal_len(self.number) as usize).saturating_sub(write_code(self.country_code, &mut code));
        let plan = if self.country_code == 0 { None } else { metadata.code(self.country_code) };
        plan.is_some_and(|plan| metadata.length(plan, n_national) == Length::Possible)
    }

    /// Whether its last seven digits are the same, or all of a shorter number behind its country's code.
    pub fn ends_in_one_digit(&self) -> bool {
        let mut code = [0u8; 3];
        let n_code = if self.country_code == 0 { 0 } else { write_code(self.country_code, &mut code) };
        let n_digits = (decimal_len(self.number) as usize).saturating_sub(n_code).clamp(5, 7);
        let end = 10_u64.pow(n_digits as u32);
        (self.number % end).is_multiple_of((end - 1) / 9)
    }

    /// The last seven digits: what survives wrong or missing country and area codes. For blocking, not for matching.
    pub fn last_seven(&self) -> u32 {
        (self.number % 10_000_000) as u32
    }
}

/// Parses the first number of a cell.
///
/// `default_region` is where a number without a country code is taken to be; what a number says itself wins over it.
/// Agrees with libphonenumber's E.164 form wherever libphonenumber calls the number valid. Where the default region does
/// not fit the digits, the usual other readings are tried (`00`, `011`, `810` prefixes, `8` before a Russian number, an
/// international number without its plus), and only a *valid* one is taken, marked [`Phone::guessed`].
///
/// ```
/// use crm_resolve::normalize::{Region, parse_phone};
/// let latvia = Region::new("LV");
/// assert_eq!(parse_phone("29 123-456", latvia).unwrap().e164(), "+37129123456");
/// assert_eq!(parse_phone("8 (912) 345-67-89 доб. 12", latvia).unwrap().e164(), "+79123456789");
/// assert_eq!(parse_phone("1-800-FLOWERS", Region::new("US")).unwrap().e164(), "+18003569377");
/// assert!(parse_phone("n/a", latvia).is_err());
/// ```
pub fn parse_phone(raw: &str, default_region: Option<Region>) -> Result<Phone, Reason> {
    let metadata = Metadata::get();
    let scan = Scan::read(raw)?;
    if let Some(vanity) = &scan.vanity
        && let Some(phone) = interpret(metadata, scan.plus, vanity, default_region)
        && phone.validity == PhoneValidity::Valid
    {
        return Ok(Phone { extension: scan.extension, ..phone });
    }
    let digits = &scan.digits;
    if digits.overflowed {
        return Err(Reason::TooLong);
    }
    if digits.len < 3 {
        return Err(if digits.len == 0 { Reason::NoDigits } else { Reason::TooShort });
    }
    let generic = is_filler(digits.as_slice());
    let first = interpret(metadata, scan.plus, digits, default_region);
    let mut phone = match first {
        Some(phone) if phone.validity == PhoneValidity::Valid => phone,
        _ => {
            let other = if generic { None } else { other_reading(metadata, digits) };
            match (other, first) {
                (Some(other), _) => other,
                (None, Some(first)) if !scan.plus || first.country_code != 0 => first,
                _ => unplaced(digits),
            }
        }
    };
    if phone.validity != PhoneValidity::Valid {
        let len = decimal_len(phone.number);
        // Shorter than any subscriber number and longer than E.164 allows: nothing to compare by.
        if digits.len < 5 {
            return Err(Reason::TooShort);
        }
        if len > 15 {
            return Err(Reason::TooLong);
        }
    }
    phone.extension = scan.extension;
    phone.generic = generic || is_filler_number(&phone, digits.as_slice());
    Ok(phone)
}

/// Whether a cell looks like a telephone number: cheap, for finding a column's role. Dates, decimals, postcodes and
/// plain ids of up to six digits do not; a bare run of 7 to 15 digits is a weak yes (see [`phone_confidence`]).
pub fn looks_like_phone(raw: &str) -> bool {
    phone_confidence(raw) > 0.0
}

/// 0 to 1: how much a cell looks like a telephone number. A plus, brackets or `tel:` are strong; a bare run of digits is 0.3.
pub fn phone_confidence(raw: &str) -> f32 {
    let text = raw.trim();
    let text = text.strip_prefix("tel:").or_else(|| text.strip_prefix("Tel:")).unwrap_or(text);
    if text.len() > 40 {
        return 0.0;
    }
    let (mut digits, mut groups, mut dots, mut in_digits, mut letters, mut slashes) = (0, 0, 0, false, 0, 0);
    for c in text.chars() {
        match c {
            '0'..='9' => {
                digits += 1;
                groups += usize::from(!in_digits);
            }
            '+' | '(' | ')' | ' ' | '-' | '\u{a0}' | '\u{2010}'..='\u{2015}' => {}
            '.' => dots += 1,
            '/' => slashes += 1,
            c if c.is_alphabetic() => letters += 1,
            ',' | ';' | '#' | ':' => {}
            _ => return 0.0,
        }
        in_digits = c.is_ascii_digit();
    }
    if !(7..=16).contains(&digits) || letters > 8 || (letters > 0 && digits < 9) {
        return 0.0;
    }
    if text.starts_with('+') || raw.len() != text.len() && raw.trim_start().starts_with(['t', 'T']) {
        return 1.0;
    }
    if text.contains('(') {
        return 0.95;
    }
    // 31.12.1999, 1999-12-31, 31/12/1999 and 12.50 are not telephones.
    let date_like = digits == 8 && groups == 3 && (dots == 2 || slashes == 2 || text.matches('-').count() == 2);
    if date_like || dots == 1 && groups == 2 {
        return 0.0;
    }
    match groups {
        1 => 0.3,
        _ => 0.7,
    }
}

fn interpret(metadata: &Metadata, plus: bool, digits: &Digits, default_region: Option<Region>) -> Option<Phone> {
    let default_plan = default_region.and_then(|region| metadata.region(region));
    let international = if plus {
        Some(*digits)
    } else {
        default_plan.and_then(|plan| {
            let prefix = metadata.international_prefix(plan, digits.as_slice())?;
            // A zero after the prefix means that it was none (Japan's 000…).
            (digits.as_slice().get(prefix)? != &0).then(|| digits.skip(prefix))
        })
    };
    if let Some(all) = international {
        if let Some((code, taken)) = metadata.leading_code(all.as_slice()) {
            return Some(place(metadata, metadata.code(code)?, all.skip(taken)));
        }
        // An unknown country code after a plus is read again without the plus.
        if !plus {
            return None;
        }
    }
    let plan = default_plan?;
    let mut national = *digits;
    let mut code_digits = [0u8; 3];
    let code_len = write_code(plan.country_code, &mut code_digits);
    if digits.as_slice().starts_with(&code_digits[..code_len]) {
        let mut rest = digits.skip(code_len);
        metadata.strip_national_prefix(plan, &mut rest);
        let general = metadata.is_general(plan, digits.as_slice());
        if (!general && metadata.is_general(plan, rest.as_slice())) || metadata.length(plan, digits.len) == Length::TooLong {
            national = rest;
            // From here on the number stands under its country code, hence under the code's main plan.
        }
    }
    Some(place(metadata, plan, national))
}

/// The number `national` under `plan`, its national prefix taken off.
fn place(metadata: &Metadata, plan: &Plan, mut national: Digits) -> Phone {
    let mut stripped = national;
    metadata.strip_national_prefix(plan, &mut stripped);
    let length = metadata.length(plan, stripped.len);
    if !matches!(length, Length::TooShort | Length::LocalOnly | Length::Invalid) {
        national = stripped;
    }
    let class = metadata.classify(plan.country_code, national.as_slice());
    let mut number = u64::from(plan.country_code);
    for &digit in national.as_slice().iter().take(MAX_DIGITS) {
        number = number.saturating_mul(10).saturating_add(u64::from(digit));
    }
    Phone {
        number,
        extension: 0,
        country_code: plan.country_code,
        region: class.map_or(plan.id, |class| metadata.plans[usize::from(class.plan)].id),
        kind: class.map_or(PhoneKind::Unknown, |class| KINDS[usize::from(class.kind) % KINDS.len()]),
        validity: if class.is_some() { PhoneValidity::Valid } else { PhoneValidity::Possible },
        guessed: false,
        generic: false,
    }
}

/// Readings that people mean when the default region does not fit; only valid numbers count.
fn other_reading(metadata: &Metadata, digits: &Digits) -> Option<Phone> {
    let all = digits.as_slice();
    let international = |skip: usize| {
        let rest = digits.skip(skip);
        let (code, taken) = metadata.leading_code(rest.as_slice())?;
        let phone = place(metadata, metadata.code(code)?, rest.skip(taken));
        (phone.validity == PhoneValidity::Valid).then_some(Phone { guessed: true, ..phone })
    };
    for prefix in [&[0u8, 0][..], &[0, 1, 1], &[8, 1, 0]] {
        if all.starts_with(prefix)
            && let Some(phone) = international(prefix.len())
        {
            return Some(phone);
        }
    }
    let region = |code: &[u8; 2]| {
        let plan = metadata.region(Region(*code))?;
        let phone = place(metadata, plan, *digits);
        (phone.validity == PhoneValidity::Valid).then_some(Phone { guessed: true, ..phone })
    };
    // Eleven digits that begin with 8 are how a Russian number is dialled at home, 1 an American one.
    if all.len() == 11
        && all[0] == 8
        && let Some(phone) = region(b"RU")
    {
        return Some(phone);
    }
    // So many digits are an international number without its plus.
    if all.len() >= 11 { international(0) } else { None }
}

fn unplaced(digits: &Digits) -> Phone {
    let number = digits.as_slice().iter().take(18).fold(0u64, |number, &digit| number * 10 + u64::from(digit));
    Phone {
        number,
        extension: 0,
        country_code: 0,
        region: Region(*b"00"),
        kind: PhoneKind::Unknown,
        validity: PhoneValidity::Unplaced,
        guessed: false,
        generic: false,
    }
}

fn decimal_len(number: u64) -> u32 {
    number.checked_ilog10().map_or(1, |log| log + 1)
}

fn write_code(code: u16, out: &mut [u8; 3]) -> usize {
    let digits = [(code / 100 % 10) as u8, (code / 10 % 10) as u8, (code % 10) as u8];
    let skip = if code >= 100 {
        0
    } else if code >= 10 {
        1
    } else {
        2
    };
    out[..3 - skip].copy_from_slice(&digits[skip..]);
    3 - skip
}

/// Whether what stands behind the country or area code is a filler. A run at the end of a number that its country's plan allows
/// (`+7 916 123-45-67`) is somebody's; one digit repeated is nobody's.
fn is_filler_number(phone: &Phone, digits: &[u8]) -> bool {
    let tail = &digits[digits.len().saturating_sub(7)..];
    (tail.len() == 7 && phone.ends_in_one_digit()) || (phone.validity != PhoneValidity::Valid && is_filler(tail))
}

/// Fillers: one digit repeated, or a run up or down the keypad.
fn is_filler(digits: &[u8]) -> bool {
    if digits.len() < 5 {
        return false;
    }
    let steps = |by: u8| digits.windows(2).all(|pair| pair[1] == (pair[0] + by) % 10);
    steps(0) || steps(1) || steps(9)
}
