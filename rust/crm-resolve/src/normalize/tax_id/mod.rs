//! Numbers that a state gives to one person or company, with their check digits.
mod checks;
mod vat;

use super::Reason;
use super::ShortText;
use super::text::{narrow, placeholder_reason};
use checks::{latvian_checksum, ogrn_ok, weighted};

/// What sort of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum TaxIdKind {
    /// Russian taxpayer number of a company, 10 digits.
    InnCompany,
    /// Russian taxpayer number of a person or sole trader, 12 digits.
    InnPerson,
    /// Russian registration number of a company, 13 digits.
    Ogrn,
    /// Russian registration number of a sole trader, 15 digits.
    Ogrnip,
    /// Russian pension insurance number, 11 digits.
    Snils,
    /// Latvian registration number, 11 digits, first digit 4, 5 or 9.
    LvRegistration,
    /// Latvian personal code, `ddmmyy-cxxxx` or new form from `32`.
    LvPersonalCode,
    /// Estonian or Lithuanian personal code, 11 digits.
    BalticPersonalCode,
    /// Polish personal number, 11 digits.
    Pesel,
    /// Polish taxpayer number, 10 digits.
    Nip,
    /// Kazakh number of a person or company (IIN, BIN), 12 digits.
    KzIin,
    /// European VAT number with its country prefix.
    EuVat,
    /// US social security number, 9 digits.
    Ssn,
    /// US employer number, written `12-3456789`.
    Ein,
    /// Any other identifier, cleaned.
    Other,
}

impl TaxIdKind {
    /// A short name for outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            TaxIdKind::InnCompany => "inn_company",
            TaxIdKind::InnPerson => "inn_person",
            TaxIdKind::Ogrn => "ogrn",
            TaxIdKind::Ogrnip => "ogrnip",
            TaxIdKind::Snils => "snils",
            TaxIdKind::LvRegistration => "lv_registration",
            TaxIdKind::LvPersonalCode => "lv_personal_code",
            TaxIdKind::BalticPersonalCode => "baltic_personal_code",
            TaxIdKind::Pesel => "pesel",
            TaxIdKind::Nip => "nip",
            TaxIdKind::KzIin => "kz_iin",
            TaxIdKind::EuVat => "eu_vat",
            TaxIdKind::Ssn => "ssn",
            TaxIdKind::Ein => "ein",
            TaxIdKind::Other => "other",
        }
    }
}

impl TaxIdKind {
    /// What people call it; `None` for an identifier of no known kind.
    pub fn title(self) -> Option<&'static str> {
        Some(match self {
            TaxIdKind::InnCompany | TaxIdKind::InnPerson => "INN",
            TaxIdKind::Ogrn | TaxIdKind::Ogrnip => "OGRN",
            TaxIdKind::Snils => "SNILS",
            TaxIdKind::LvRegistration => "Latvian registration number",
            TaxIdKind::LvPersonalCode => "Latvian personal code",
            TaxIdKind::BalticPersonalCode => "Baltic personal code",
            TaxIdKind::Pesel => "PESEL",
            TaxIdKind::Nip => "NIP",
            TaxIdKind::KzIin => "Kazakh IIN or BIN",
            TaxIdKind::EuVat => "VAT number",
            TaxIdKind::Ssn => "SSN",
            TaxIdKind::Ein => "EIN",
            TaxIdKind::Other => return None,
        })
    }
}

/// Whether a check digit vouches for the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TaxIdValidity {
    /// The form is that of the kind and the check digit does not fit: a typo, most likely.
    Invalid,
    /// The kind has no check digit, or the kind is not known.
    Unknown,
    /// The check digit fits.
    Valid,
}

/// One tax id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaxId {
    /// What sort of number it is, as far as its form tells.
    pub kind: TaxIdKind,
    /// Canonical text: digits, or capitals and digits, without spaces and punctuation. A Latvian VAT number and the registration number inside it have one text
    /// (the number); so have a Russian INN with and without its label.
    pub text: ShortText,
    /// Whether a check digit vouches for it.
    pub validity: TaxIdValidity,
    /// A filler: one digit repeated, 1234567890, 123-45-6789.
    pub generic: bool,
}

impl TaxId {
    /// Whether it says what it is and its check digit does not fit: no digits without a prefix, which may be of a kind that is not known.
    pub fn is_surely_wrong(&self) -> bool {
        self.validity == TaxIdValidity::Invalid && matches!(self.kind, TaxIdKind::EuVat | TaxIdKind::Ssn)
    }

    /// Whether all its digits are the same: nobody's number.
    pub fn is_repeated_digit(&self) -> bool {
        let mut digits = self.text.as_bytes().iter().filter(|byte| byte.is_ascii_digit());
        digits.next().is_some_and(|first| digits.all(|digit| digit == first))
    }
}

/// Reads a tax id of any known kind; a label in front (`ИНН`, `VAT`, `PVN`, `reģ. nr.`, `p.k.`) and what follows a slash (the KPP after an INN) are taken off.
///
/// A wrong check digit is not an error but [`TaxIdValidity::Invalid`], because in matching a typo still is evidence: use [`parse_valid_tax_id`] to have it refused.
///
/// ```
/// use crm_resolve::normalize::{TaxIdKind, TaxIdValidity, parse_tax_id};
/// let id = parse_tax_id("ИНН 7707083893 / 773601001").unwrap();
/// assert_eq!((id.kind, id.text.as_str(), id.validity), (TaxIdKind::InnCompany, "7707083893", TaxIdValidity::Valid));
/// let id = parse_tax_id("LV 40003009497").unwrap();
/// assert_eq!((id.kind, id.text.as_str(), id.validity), (TaxIdKind::LvRegistration, "40003009497", TaxIdValidity::Valid));
/// assert_eq!(parse_tax_id("7707083894").unwrap().validity, TaxIdValidity::Invalid);
/// ```
pub fn parse_tax_id(raw: &str) -> Result<TaxId, Reason> {
    if raw.len() > 120 {
        return Err(Reason::TooLong);
    }
    if let Some(reason) = placeholder_reason(raw) {
        return Err(reason);
    }
    let text = without_label(raw.trim());
    // INN/KPP in one cell.
    let text = match text.split_once(['/', '\\', ',', ';']) {
        Some((first, _)) if first.bytes().filter(u8::is_ascii_digit).count() >= 8 => first,
        _ => text,
    };
    let mut clean = ShortText::default();
    let mut foreign = false;
    let mut n_written = 0;
    for c in text.chars() {
        let c = narrow(c);
        let c = match c {
            'А'..='Я' | 'а'..='я' => super::text::cyrillic_capital_as_latin(c).unwrap_or(c),
            _ => c,
        };
        if c.is_ascii_alphanumeric() {
            clean.push(c.to_ascii_uppercase() as u8);
            n_written += 1;
        } else if let Some(digit) = super::phone_digit(c) {
            clean.push(b'0' + digit);
            n_written += 1;
        } else if c.is_alphanumeric() {
            foreign = true;
        }
    }
    let bytes = clean.as_bytes();
    let n_digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if n_digits == 0 {
        return Err(if bytes.is_empty() { Reason::Empty } else { Reason::NoDigits });
    }
    if n_written > ShortText::CAPACITY {
        return Err(Reason::TooLong);
    }
    if n_digits < 4 || foreign {
        return Err(if foreign { Reason::BadFormat } else { Reason::TooShort });
    }
    let generic = is_filler(bytes);
    let (kind, text, validity) = classify(text, clean);
    let validity = if generic && validity == TaxIdValidity::Valid { TaxIdValidity::Unknown } else { validity };
    Ok(TaxId { kind, text, validity, generic })
}

/// [`parse_tax_id`] that refuses a wrong check digit with [`Reason::BadCheckDigit`] and fillers with [`Reason::Placeholder`].
pub fn parse_valid_tax_id(raw: &str) -> Result<TaxId, Reason> {
    let id = parse_tax_id(raw)?;
    match id.validity {
        _ if id.generic => Err(Reason::Placeholder),
        TaxIdValidity::Invalid => Err(Reason::BadCheckDigit),
        _ => Ok(id),
    }
}

/// 0 to 1: how much a cell looks like a tax id: a fitting check digit is strong (a random number has it once in ten times, so look at many cells), a
/// known form without one weak.
pub fn tax_id_confidence(raw: &str) -> f32 {
    match parse_tax_id(raw) {
        Ok(id) if id.generic => 0.0,
        Ok(id) => match (id.kind, id.validity) {
            (TaxIdKind::Other, _) => 0.05,
            (_, TaxIdValidity::Valid) => 0.9,
            (TaxIdKind::Ssn | TaxIdKind::Ein, _) if raw.contains('-') => 0.7,
            (TaxIdKind::LvPersonalCode, _) if raw.contains('-') => 0.8,
            (TaxIdKind::EuVat, _) => 0.5,
            (_, TaxIdValidity::Unknown) => 0.2,
            (_, TaxIdValidity::Invalid) => 0.1,
        },
        Err(_) => 0.0,
    }
}

const LABELS: [&str; 30] = [
    "инн/кпп",
    "инн",
    "огрнип",
    "огрн",
    "снилс",
    "inn",
    "ogrn",
    "vat no",
    "vat nr",
    "vat id",
    "vat reg",
    "vat",
    "pvn nr",
    "pvn",
    "reģ. nr",
    "reģ.nr",
    "reg. nr",
    "reg.nr",
    "reg nr",
    "reg. no",
    "reg no",
    "p.k",
    "p. k",
    "pk",
    "personas kods",
    "ust-idnr",
    "ustid",
    "ssn",
    "ein",
    "tin",
];

fn without_label(text: &str) -> &str {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return text;
    }
    for label in LABELS {
        let mut rest = text.chars();
        if label.chars().all(|expected| rest.next().is_some_and(|c| c.to_lowercase().next() == Some(expected))) {
            let rest = rest.as_str();
            let trimmed = rest.trim_start_matches(|c: char| matches!(c, '.' | ':' | '#' | '№' | '=' | '-') || c.is_whitespace());
            if trimmed.len() < rest.len() || trimmed.starts_with(|c: char| c.is_ascii_digit()) {
                return trimmed.trim_start_matches("No").trim_start_matches([' ', '.', ':']);
            }
        }
    }
    text
}

fn digits_of(bytes: &[u8]) -> Option<[u8; 16]> {
    let mut digits = [0; 16];
    if bytes.len() > 16 || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    for (digit, byte) in digits.iter_mut().zip(bytes) {
        *digit = byte - b'0';
    }
    Some(digits)
}

fn checked(ok: bool) -> TaxIdValidity {
    if ok { TaxIdValidity::Valid } else { TaxIdValidity::Invalid }
}

fn classify(written: &str, clean: ShortText) -> (TaxIdKind, ShortText, TaxIdValidity) {
    use TaxIdKind::*;
    let bytes = clean.as_bytes();
    // A Latvian VAT number is the registration number with a prefix.
    if let Some(rest) = bytes.strip_prefix(b"LV")
        && rest.len() == 11
        && let Some(digits) = digits_of(rest)
    {
        let number = ShortText::new(&clean.as_str()[2..]);
        return latvian(number, &digits);
    }
    if bytes.len() > 2 && bytes[..2].iter().all(u8::is_ascii_alphabetic) {
        if let Some(ok) = vat::check(&clean) {
            return (EuVat, vat::canonical(clean), ok);
        }
        return (Other, clean, TaxIdValidity::Unknown);
    }
    let Some(digits) = digits_of(bytes) else { return (Other, clean, TaxIdValidity::Unknown) };
    let hyphens: [usize; 3] = {
        let mut places = [usize::MAX; 3];
        for (slot, (at, _)) in places.iter_mut().zip(written.match_indices('-')) {
            *slot = at;
        }
        places
    };
    match bytes.len() {
        9 if hyphens[0] == 2 && hyphens[1] == usize::MAX => (Ein, clean, TaxIdValidity::Unknown),
        9 => {
            let area = u32::from(digits[0]) * 100 + u32::from(digits[1]) * 10 + u32::from(digits[2]);
            let group = digits[3] * 10 + digits[4];
            let serial = &digits[5..9];
            // 000, 666 and 9xx are never given out (9xx are taxpayer numbers of foreigners); so are a group or serial of zeros.
            let possible = area != 0 && area != 666 && group != 0 && serial != [0, 0, 0, 0];
            let written_so = hyphens[0] == 3 && hyphens[1] == 6;
            match (possible, written_so) {
                (true, true) => (Ssn, clean, TaxIdValidity::Unknown),
                (false, true) => (Ssn, clean, TaxIdValidity::Invalid),
                _ => (Other, clean, TaxIdValidity::Unknown),
            }
        }
        10 => {
            let ok = weighted(&digits[..9], &[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == u32::from(digits[9]);
            if !ok && checks::nip_ok(&digits[..10]) {
                return (Nip, clean, TaxIdValidity::Valid);
            }
            (InnCompany, clean, checked(ok))
        }
        11 => eleven(clean, &digits, hyphens[0]),
        12 => {
            let first = weighted(&digits[..10], &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == u32::from(digits[10]);
            let second = weighted(&digits[..11], &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == u32::from(digits[11]);
            if !(first && second) && checks::kz_iin_ok(&digits[..12]) {
                return (KzIin, clean, TaxIdValidity::Valid);
            }
            (InnPerson, clean, checked(first && second))
        }
        13 if matches!(digits[0], 1 | 2 | 5) => (Ogrn, clean, checked(ogrn_ok(&digits[..13]))),
        15 if digits[0] == 3 => (Ogrnip, clean, checked(ogrn_ok(&digits[..15]))),
        _ => (Other, clean, TaxIdValidity::Unknown),
    }
}

fn latvian(number: ShortText, digits: &[u8; 16]) -> (TaxIdKind, ShortText, TaxIdValidity) {
    if matches!(digits[0], 4 | 5 | 9) {
        return (TaxIdKind::LvRegistration, number, checked(latvian_checksum(&digits[..11]) == 3));
    }
    latvian_person(number, digits)
}

fn latvian_person(number: ShortText, digits: &[u8; 16]) -> (TaxIdKind, ShortText, TaxIdValidity) {
    let code = &digits[..11];
    // New codes (32 to 39) carry neither a birth date nor a check digit.
    if code[0] == 3 && code[1] >= 2 {
        return (TaxIdKind::LvPersonalCode, number, TaxIdValidity::Unknown);
    }
    let (day, month) = (code[0] * 10 + code[1], code[2] * 10 + code[3]);
    let date_ok = (1..=31).contains(&day) && (1..=12).contains(&month) && code[6] <= 2;
    let sum = weighted(&code[..10], &[1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let check_ok = (1101 - sum) % 11 == u32::from(code[10]);
    (TaxIdKind::LvPersonalCode, number, checked(date_ok && check_ok))
}

/// Eleven digits: Latvian, Estonian or Lithuanian, or a Russian SNILS. The first whose check fits, else by its form.
fn eleven(clean: ShortText, digits: &[u8; 16], first_hyphen: usize) -> (TaxIdKind, ShortText, TaxIdValidity) {
    let latvian_form = latvian(clean, digits);
    if latvian_form.2 == TaxIdValidity::Valid || first_hyphen == 6 {
        return latvian_form;
    }
    let baltic = checks::baltic_code_ok(&digits[..11]);
    let snils = checks::snils_ok(&digits[..11]);
    if first_hyphen == 3 {
        return (TaxIdKind::Snils, clean, checked(snils));
    }
    if baltic {
        return (TaxIdKind::BalticPersonalCode, clean, TaxIdValidity::Valid);
    }
    if snils {
        return (TaxIdKind::Snils, clean, TaxIdValidity::Valid);
    }
    if checks::pesel_ok(&digits[..11]) {
        return (TaxIdKind::Pesel, clean, TaxIdValidity::Valid);
    }
    if matches!(digits[0], 4 | 5 | 9) || latvian_form.2 == TaxIdValidity::Unknown {
        return latvian_form;
    }
    let (day, month) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]);
    if (1..=31).contains(&day) && (1..=12).contains(&month) {
        return latvian_form;
    }
    (TaxIdKind::Other, clean, TaxIdValidity::Unknown)
}

fn is_filler(bytes: &[u8]) -> bool {
    let mut digits = bytes.iter().filter(|byte| byte.is_ascii_digit());
    let Some(first) = digits.next() else { return false };
    let repeated = digits.all(|digit| digit == first);
    let all = || bytes.iter().filter(|byte| byte.is_ascii_digit()).copied();
    let run = all().zip(all().skip(1)).all(|(a, b)| (a - b'0' + 1) % 10 == b - b'0');
    let down = all().zip(all().skip(1)).all(|(a, b)| (b - b'0' + 1) % 10 == a - b'0');
    repeated || run || down
}

/// The birth date inside a Latvian, Estonian or Lithuanian personal code (year, month, day), where it has one.
pub fn birth_date_of_tax_id(id: &TaxId) -> Option<(i32, u32, u32)> {
    let digits = digits_of(id.text.as_bytes())?;
    let two = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
    if id.validity != TaxIdValidity::Valid || id.text.as_bytes().len() != 11 {
        return None;
    }
    match id.kind {
        TaxIdKind::LvPersonalCode => {
            let century = 1800 + 100 * i32::from(digits[6]);
            Some((century + two(4) as i32, two(2), two(0)))
        }
        TaxIdKind::BalticPersonalCode => {
            let century = 1800 + 100 * i32::from((digits[0] - 1) / 2);
            Some((century + two(1) as i32, two(3), two(5)))
        }
        _ => None,
    }
}
