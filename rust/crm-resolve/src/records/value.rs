//! From a cell to a [`Draft`]: canonical text and derived keys, one function per kind.
mod places;
mod reach;

use crm_core::Role;

use super::dictionary::{Doubt, Draft, key_of};
use crate::normalize::{
    self, CompanyName, DateOptions, DateValue, Email, Region, Street, Suffix, TaxIdValidity, family_key_into, given_key_into, is_no_name,
    is_placeholder, latin_into, nickname_classes, parse_company, parse_date, parse_gender, parse_suffix, parse_tax_id, phonetic_key_into,
    skeleton_into, split_emails, split_phones,
};
use crate::{DateOrder, Reading};
pub use places::{city, country, postcode, postcode_keys, region, street, street_keys};
pub use reach::{email, email_keys, phone, phone_keys};

/// Buffers that are reused from cell to cell, and how cells are to be read.
#[derive(Debug, Default)]
pub struct Scratch {
    latin: String,
    skeleton: String,
    sound: String,
    email: Email,
    company: CompanyName,
    street: Street,
    /// Where numbers without a country code are.
    pub phone_region: Option<Region>,
    /// How dates are read that can be read in two ways.
    pub dates: DateOptions,
    /// The same for dates with slashes alone, as the data settled it.
    pub slashed: normalize::DateOrder,
}

impl Scratch {
    /// Buffers, with what is known of reading.
    pub fn new(reading: &Reading) -> Self {
        Self {
            phone_region: reading.phone_region.as_deref().and_then(Region::new),
            dates: DateOptions { order: order_of(reading.date_order), ..DateOptions::default() },
            slashed: order_of(reading.slashed_dates),
            ..Self::default()
        }
    }
}

/// The normalizers' word for an order.
pub fn order_of(order: Option<DateOrder>) -> normalize::DateOrder {
    match order {
        Some(DateOrder::Dmy) => normalize::DateOrder::DayFirst,
        Some(DateOrder::Mdy) => normalize::DateOrder::MonthFirst,
        Some(DateOrder::Ymd) | None => normalize::DateOrder::Unknown,
    }
}

/// The doubt about a cell of a role, alone: what of it is not compared, and why. The first of several values that is in doubt.
///
/// ```
/// use crm_core::Role;
/// use crm_resolve::records::{Doubt, value::doubt_of};
/// assert_eq!(doubt_of(Role::Phone, "000-00-00"), Some(Doubt::Filler));
/// assert_eq!(doubt_of(Role::Email, "anna(at)inbox"), Some(Doubt::Unreadable));
/// assert_eq!(doubt_of(Role::Phone, "+371 29123456"), None);
/// ```
pub fn doubt_of(role: Role, cell: &str) -> Option<Doubt> {
    let (mut scratch, mut draft) = (Scratch::default(), Draft::default());
    let read: fn(&str, &mut Scratch, &mut Draft) = match role {
        Role::Email => email,
        Role::Phone => phone,
        Role::BirthDate => date,
        Role::TaxId => |cell, _, draft| tax_id(cell, draft),
        _ => return None,
    };
    let parts: Vec<&str> = match role {
        Role::Email => split_emails(cell).collect(),
        Role::Phone => split_phones(cell).collect(),
        _ => vec![cell],
    };
    parts.into_iter().find_map(|part| {
        draft.clear();
        read(part, &mut scratch, &mut draft);
        draft.doubt
    })
}

/// Where a [`Draft`]'s keys stand for names.
pub mod name_keys {
    /// The spelling of a given name in which transliterations meet.
    pub const SKELETON: usize = 0;
    /// Two nickname classes of 16 bits each.
    pub const NICKNAMES: usize = 1;
    /// Consonant classes.
    pub const SOUND: usize = 2;
    /// The first three letters of the skeleton, and in the top byte the first one.
    pub const PREFIX: usize = 3;
    /// The same as a family name: gendered and national endings are off.
    pub const FAMILY: usize = 4;
    /// Two more nickname classes.
    pub const MORE_NICKNAMES: usize = 5;
}

/// A name or a part of one.
pub fn name(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    latin_into(cell, &mut scratch.latin);
    if scratch.latin.is_empty() || is_no_name(cell) {
        return;
    }
    to_bytes(&scratch.latin, &mut draft.text);
    skeleton_into(cell, &mut scratch.skeleton);
    let classes = nickname_classes(&scratch.skeleton);
    let class = |place: usize| classes.get(place).map_or(0, |class| u32::from(*class) + 1);
    let prefix = prefix_key(scratch.skeleton.as_bytes());
    scratch.sound.clear();
    phonetic_key_into(&scratch.skeleton, &mut scratch.sound);
    let sound = key_of(scratch.sound.as_bytes());
    given_key_into(cell, &mut scratch.skeleton);
    let skeleton = key_of(scratch.skeleton.as_bytes());
    family_key_into(cell, &mut scratch.skeleton);
    let family = key_of(scratch.skeleton.as_bytes());
    draft.keys = [skeleton, class(0) | class(1) << 16, sound, prefix, family, class(2) | class(3) << 16];
}

/// The first letter in the top byte, and a hash of the first three below it.
fn prefix_key(skeleton: &[u8]) -> u32 {
    let first = skeleton.first().copied().unwrap_or(0);
    u32::from(first) << 24 | (key_of(&skeleton[..skeleton.len().min(3)]) & 0xff_ffff)
}

/// One byte per character: ASCII as it is, any other letter as one of 128 others.
fn to_bytes(text: &str, out: &mut Vec<u8>) {
    out.extend(text.chars().map(|c| if c.is_ascii() { c as u8 } else { 128 | (u32::from(c) % 127) as u8 }));
}

/// A text without further meaning: occupation, any custom column.
pub fn text(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    if is_placeholder(cell) {
        return;
    }
    latin_into(cell, &mut scratch.latin);
    to_bytes(&scratch.latin, &mut draft.text);
    skeleton_into(cell, &mut scratch.skeleton);
    text_keys(&scratch.skeleton, draft);
}

fn text_keys(skeleton: &str, draft: &mut Draft) {
    let first = skeleton.split(' ').next().unwrap_or_default();
    draft.keys = [key_of(skeleton.as_bytes()), key_of(first.as_bytes()), 0, prefix_key(skeleton.as_bytes()), 0, 0];
}

/// Female, male; as text when it is something else.
pub fn gender(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    match parse_gender(cell) {
        Ok(gender) => {
            draft.clear();
            draft.text.extend_from_slice(gender.as_str().as_bytes());
        }
        Err(_) => text(cell, scratch, draft),
    }
}

/// Jr, Sr, III; what is no such suffix (a degree) tells nobody apart.
pub fn suffix(cell: &str, draft: &mut Draft) {
    draft.clear();
    let Ok(suffix) = parse_suffix(cell) else { return };
    // "Jr" and "II" both say: the second of the name.
    let number = match suffix {
        Suffix::Senior | Suffix::First => b'1',
        Suffix::Junior | Suffix::Second => b'2',
        Suffix::Third => b'3',
        Suffix::Fourth => b'4',
        Suffix::Fifth => b'5',
    };
    draft.text.push(number);
}

/// Where a [`Draft`]'s keys stand for dates.
pub mod date_keys {
    /// Year * 10000 + month * 100 + day; unknown parts are 0.
    pub const READING: usize = 0;
    /// The other reading of an ambiguous date, or 0.
    pub const OTHER: usize = 1;
}

/// A date; the canonical text is `yyyymmdd`. Days that the calendar does not have are kept: a slip of one digit still shows.
pub fn date(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    let packed =
        |date: normalize::Date| u32::from(date.year().unsigned_abs()) * 10_000 + u32::from(date.month()) * 100 + u32::from(date.day());
    // Points between the numbers: nobody writes the month first.
    let order = match scratch.dates.order {
        normalize::DateOrder::Unknown if cell.contains('.') => normalize::DateOrder::DayFirst,
        normalize::DateOrder::Unknown => scratch.slashed,
        configured => configured,
    };
    let mut unreadable = false;
    let (reading, other) = match parse_date(cell, &DateOptions { order, ..scratch.dates }) {
        Ok(value) if value.is_generic() => {
            draft.doubt = Some(Doubt::Filler);
            return;
        }
        Ok(DateValue::Day(date)) => (packed(date), 0),
        Ok(DateValue::Ambiguous { day_first, month_first }) => (packed(day_first), packed(month_first)),
        Ok(DateValue::Month { year, month }) => (u32::from(year.unsigned_abs()) * 10_000 + u32::from(month) * 100, 0),
        Ok(DateValue::Year(year)) => (u32::from(year.unsigned_abs()) * 10_000, 0),
        Err(normalize::Reason::ImpossibleDate) => {
            unreadable = true;
            (impossible_date(cell), 0)
        }
        Err(reason) => {
            draft.doubt = unread(reason);
            return;
        }
    };
    if reading != 0 {
        draft_date(reading, other, draft);
    }
    draft.doubt = match other {
        _ if unreadable => Some(Doubt::Unreadable),
        0 => None,
        _ => Some(Doubt::Ambiguous),
    };
}

/// The doubt about a cell that was not read: none where it simply has no value.
fn unread(reason: normalize::Reason) -> Option<Doubt> {
    (!reason.is_missing()).then_some(Doubt::Unreadable)
}

/// A date by its reading and, if it has one, its other reading.
pub fn draft_date(reading: u32, other: u32, draft: &mut Draft) {
    draft.clear();
    push_digits(reading, &mut draft.text);
    if other != 0 {
        draft.text.push(b'/');
        push_digits(other, &mut draft.text);
    }
    draft.keys = [reading, other, 0, 0, 0, 0];
}

/// Eight digits, or as many as the number has.
fn push_digits(number: u32, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 10];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let n_more = digits[..2].iter().take_while(|digit| **digit == b'0').count();
    out.extend_from_slice(&digits[n_more..]);
}

/// How a cell with slashes tells the order of day and month: positive when the day must be first, negative when the month must be.
pub fn date_order_hint(cell: &str) -> i64 {
    let mut numbers = cell.trim().split('/').map(|part| part.parse::<u32>().unwrap_or(0));
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(first), Some(second), Some(1000..)) if (13..=31).contains(&first) && (1..=12).contains(&second) => 1,
        (Some(first), Some(second), Some(1000..)) if (1..=12).contains(&first) && (13..=31).contains(&second) => -1,
        _ => 0,
    }
}

/// Year, month and day as written.
fn impossible_date(cell: &str) -> u32 {
    let numbers: Vec<&str> = cell.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).take(3).collect();
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    match numbers.as_slice() {
        [year, month, day] if year.len() == 4 => number(year) * 10_000 + number(month).min(99) * 100 + number(day).min(99),
        [day, month, year] if year.len() == 4 => number(year) * 10_000 + number(month).min(99) * 100 + number(day).min(99),
        [whole] if whole.len() == 8 => number(whole),
        _ => 0,
    }
}

/// Where a [`Draft`]'s keys stand for tax ids.
pub mod tax_id_keys {
    /// 1 when a check digit vouches for the number.
    pub const IS_VALID: usize = 0;
    /// What brings records together; a number that is surely mistyped brings none.
    pub const WHOLE: usize = 1;
}

/// A number that the state gives; what no state's form fits is kept as it is.
pub fn tax_id(cell: &str, draft: &mut Draft) {
    match parse_tax_id(cell) {
        Ok(id) if id.generic => {
            draft.clear();
            draft.doubt = Some(Doubt::Filler);
        }
        Ok(id) => {
            draft.clear();
            draft.text.extend_from_slice(id.text.as_bytes());
            draft.keys[tax_id_keys::IS_VALID] = u32::from(id.validity == TaxIdValidity::Valid);
            if id.is_surely_wrong() {
                draft.doubt = Some(Doubt::WrongCheckDigit);
            } else {
                draft.keys[tax_id_keys::WHOLE] = key_of(&draft.text);
            }
        }
        Err(normalize::Reason::Placeholder | normalize::Reason::Empty) => draft.clear(),
        Err(_) => {
            identifier(cell, draft);
            draft.keys[tax_id_keys::WHOLE] = optional_bytes(&draft.text);
            draft.doubt = Some(Doubt::Unreadable);
        }
    }
}

/// Letters and digits of a number.
fn identifier(cell: &str, draft: &mut Draft) {
    draft.clear();
    draft.text.extend(cell.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()));
    if draft.text.iter().all(|byte| *byte == b'0') {
        draft.text.clear();
    }
}

/// Where a [`Draft`]'s keys stand for companies.
pub mod company_keys {
    /// The words' sounds, in any order.
    pub const SKELETON: usize = 0;
    /// The longest word's sound.
    pub const LONGEST: usize = 1;
    /// The initials.
    pub const ACRONYM: usize = 2;
    /// The first word's beginning.
    pub const PREFIX: usize = 3;
    /// All words but those of the trade.
    pub const CORE: usize = 4;
    /// The first of them.
    pub const FIRST: usize = 5;
}

/// A company's name without its legal form.
pub fn company(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    if parse_company(cell, &mut scratch.company).is_err() {
        return;
    }
    let company = &scratch.company;
    latin_into(&company.core, &mut scratch.latin);
    to_bytes(&scratch.latin, &mut draft.text);
    let longest = company.key.split(' ').max_by_key(|word| word.len()).unwrap_or_default();
    let first = company.key.split(' ').next().unwrap_or_default();
    draft.keys = [
        words_key(&company.skeleton),
        key_of(longest.as_bytes()),
        optional(&company.acronym),
        prefix_key(company.skeleton.as_bytes()),
        optional(&company.key),
        optional(first),
    ];
}

/// A hash of a text's words in any order.
fn words_key(text: &str) -> u32 {
    if !text.contains(' ') {
        return key_of(text.as_bytes());
    }
    let mut sorted: Vec<&str> = text.split(' ').collect();
    sorted.sort_unstable();
    key_of(sorted.join(" ").as_bytes())
}

fn optional_bytes(part: &[u8]) -> u32 {
    if part.is_empty() { 0 } else { key_of(part) }
}

fn optional(part: &str) -> u32 {
    if part.is_empty() { 0 } else { key_of(part.as_bytes()) }
}
