//! Whether a value can be what its column's role says, and marks of damage done on the way.
use crm_core::Role;

use super::facts::DateOrders;
use super::shapes;
use crate::normalize::{DateOptions, Reason, Region, parse_date, parse_phone, parse_tax_id, split_phones};

/// Why a value cannot be what its column holds; `Ok` where it can, or where nothing can be said.
///
/// Telephone numbers without a country code are taken to be of `phone_region`.
pub fn check_value(role: Role, value: &str, phone_region: Option<Region>) -> Result<(), &'static str> {
    let require = |valid: bool, reason: &'static str| if valid { Ok(()) } else { Err(reason) };
    let digits = value.chars().filter(|c| c.is_numeric()).count();
    match role {
        Role::Email if !value.contains('@') => Err("has no @"),
        Role::Email => require(shapes::is_email(value), "is no e-mail address"),
        Role::Phone if digits == 0 => Err("has no digits"),
        Role::Phone if digits < 5 => Err("has too few digits"),
        Role::Phone => check_phones(value, phone_region),
        Role::BirthDate | Role::CreatedAt | Role::UpdatedAt => {
            let epoch = matches!(value.len(), 10 | 13) && digits == value.len() && role != Role::BirthDate;
            let is_date = epoch || parse_date(value, &DateOptions::default()).is_ok();
            require(is_date, if digits == 0 { "has no digits" } else { "is no date" })
        }
        Role::TaxId => check_tax_id(value),
        Role::Website => require(shapes::is_website(value) || shapes::is_social(value), "is no web address"),
        Role::Gender => require(shapes::is_gender(value), "is no word for a sex that is known"),
        Role::Latitude => require(shapes::decimal(value).is_some_and(|(degrees, _)| degrees.abs() <= 90.0), "is not between -90 and 90"),
        Role::Longitude => {
            require(shapes::decimal(value).is_some_and(|(degrees, _)| degrees.abs() <= 180.0), "is not between -180 and 180")
        }
        Role::FamilyName | Role::GivenName | Role::FullName | Role::City => {
            require(value.chars().any(char::is_alphabetic), "has no letters")
        }
        Role::Postcode => require(digits > 0 || value.len() <= 10, "is no postcode"),
        _ => Ok(()),
    }
}

/// Each number of the cell as matching reads it.
fn check_phones(value: &str, region: Option<Region>) -> Result<(), &'static str> {
    for part in split_phones(value) {
        match parse_phone(part, region) {
            Ok(phone) if phone.generic => return Err("is a placeholder"),
            Ok(phone) if phone.country_code != 0 && !phone.is_complete() => return Err("has not as many digits as numbers of its country"),
            Err(Reason::TooLong) => return Err("has too many digits"),
            Err(reason) if !reason.is_missing() => return Err("is no telephone number"),
            _ => {}
        }
    }
    Ok(())
}

/// As in matching: only a number that says what it is can be found wrong.
fn check_tax_id(value: &str) -> Result<(), &'static str> {
    match parse_tax_id(value) {
        Ok(id) if id.generic => Err("is a placeholder"),
        Ok(id) if id.is_surely_wrong() => Err("has a wrong check digit"),
        Err(Reason::NoDigits) => Err("has no digits"),
        Err(reason) if !reason.is_missing() => Err("is no tax id"),
        _ => Ok(()),
    }
}

/// Whether a cell holds no value: a word for none, or a date of zeros.
pub fn is_without_value(role: Option<Role>, value: &str) -> bool {
    let is_date = matches!(role, Some(Role::BirthDate | Role::CreatedAt | Role::UpdatedAt));
    // "No" is a refusal where consent is asked, and an answer in most columns that are nobody's name or address.
    let is_answer = matches!(role, None | Some(Role::MarketingConsent)) && shapes::is_boolean(value);
    (super::values::is_missing(value) && !is_answer)
        || (is_date && parse_date(value, &DateOptions::default()).is_err_and(crate::normalize::Reason::is_missing))
}

/// Damage that a program did to a value before it came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// `7.91234E+10`: a spreadsheet took a long number for a quantity; its last digits are lost.
    ScientificNotation,
    /// `79123456789.0`: a number was read as a decimal one.
    DecimalPoint,
    /// `Ð˜Ð²Ð°Ð½`, `JÄnis`: text was decoded with a wrong encoding.
    WrongEncoding,
    /// `????`, `�`: letters are lost.
    LostLetters,
    /// `#N/A`, `#REF!`: a formula's error instead of its value.
    FormulaError,
}

impl Damage {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScientificNotation => "numbers in scientific notation, whose last digits are lost",
            Self::DecimalPoint => "whole numbers written with a decimal point",
            Self::WrongEncoding => "text decoded with a wrong encoding",
            Self::LostLetters => "letters replaced by question marks",
            Self::FormulaError => "errors of spreadsheet formulas",
        }
    }
}

/// The damage that a value shows.
pub fn damage_of(role: Option<Role>, value: &str) -> Option<Damage> {
    let bytes = value.as_bytes();
    let numeric_role = matches!(role, Some(Role::Phone | Role::TaxId | Role::SourceKey | Role::Postcode));
    if numeric_role && bytes.first().is_some_and(u8::is_ascii_digit) {
        let has_exponent = value.contains(['E', 'e']) && value.contains('+') && value.parse::<f64>().is_ok();
        if has_exponent
            || (value.contains(['E', 'e'])
                && value.replacen(',', ".", 1).parse::<f64>().is_ok_and(|n| n > 1e6)
                && value.len() > 4
                && value.contains(['.', ',']))
        {
            return Some(Damage::ScientificNotation);
        }
        if value
            .strip_suffix(".0")
            .or_else(|| value.strip_suffix(",0"))
            .is_some_and(|number| number.len() >= 4 && number.bytes().all(|b| b.is_ascii_digit()))
        {
            return Some(Damage::DecimalPoint);
        }
    }
    if value.starts_with('#')
        && ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#Н/Д", "#ССЫЛКА!", "#ЗНАЧ!"]
            .iter()
            .any(|error| value.eq_ignore_ascii_case(error))
    {
        return Some(Damage::FormulaError);
    }
    let questions = bytes.iter().filter(|byte| **byte == b'?').count();
    if value.contains('\u{fffd}') || (questions >= 3 && questions * 2 > bytes.len() && role != Some(Role::Note)) {
        return Some(Damage::LostLetters);
    }
    is_mojibake(value).then_some(Damage::WrongEncoding)
}

/// UTF-8 read as a one-byte encoding leaves lead bytes as `Ð`, `Ñ`, `Ã`, `Ä`, `Å`, `Р`, `С`, each before a sign that no word has there.
fn is_mojibake(value: &str) -> bool {
    if value.is_ascii() {
        return false;
    }
    let odd = |lead: char, next: char| match lead {
        'Ð' | 'Ñ' | 'Ã' | 'Ä' | 'Å' | 'Â' => {
            matches!(
                next,
                '\u{80}'
                    ..='\u{bf}'
                        | '‚'
                        | 'ƒ'
                        | '„'
                        | '…'
                        | '†'
                        | '‡'
                        | 'ˆ'
                        | '‰'
                        | '‹'
                        | '™'
                        | '›'
                        | '“'
                        | '”'
                        | '•'
                        | '–'
                        | '—'
                        | '˜'
                        | '’'
                        | '‘'
                        | '€'
            )
        }
        'Р' | 'С' => matches!(
            next,
            '\u{a0}'
                ..='\u{bf}'
                    | 'ѓ'
                    | 'Ђ'
                    | 'Ѓ'
                    | '‚'
                    | '„'
                    | '…'
                    | '†'
                    | '‡'
                    | '€'
                    | '‰'
                    | 'Љ'
                    | '‹'
                    | 'Њ'
                    | 'Ќ'
                    | 'Ћ'
                    | 'Џ'
                    | 'ђ'
                    | '™'
                    | 'љ'
                    | '›'
                    | 'њ'
                    | 'ќ'
                    | 'ћ'
                    | 'џ'
        ),
        _ => false,
    };
    let mut pairs = 0;
    let mut previous = ' ';
    for c in value.chars() {
        pairs += usize::from(odd(previous, c));
        previous = c;
    }
    pairs >= 1 && (pairs >= 2 || value.chars().count() <= 40)
}

/// Counts how a date can be read.
pub fn date_reading(value: &str, orders: &mut DateOrders) {
    let head = value.split(['T', ' ']).next().unwrap_or("");
    let parts: Vec<&str> = head.split(['-', '.', '/']).collect();
    let [first, second, third] = parts[..] else { return };
    let (Ok(a), Ok(b)) = (first.parse::<u32>(), second.parse::<u32>()) else { return };
    if first.len() == 4 {
        orders.year_first += 1;
    } else if third.is_empty() || !third.bytes().all(|byte| byte.is_ascii_digit()) {
    } else if a > 12 && b <= 12 {
        orders.day_first += 1;
    } else if b > 12 && a <= 12 {
        orders.month_first += 1;
    } else if a != b && head.contains('.') {
        // Points are European: the day is first.
        orders.day_first += 1;
    } else if a != b {
        orders.ambiguous += 1;
    }
}
