/// Crockford's base 32: no letter that reads like a digit or another letter, and no difference of case.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 63 bits in digits of 5.
const N_DIGITS: usize = 13;

/// The text of a `contact_id`: `c` and thirteen digits. The letter in front keeps spreadsheets from reading it as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactId([u8; N_DIGITS + 1]);

impl ContactId {
    /// As text.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits are ever written.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The `contact_id` that is minted from a founding record.
///
/// ```
/// assert_eq!(crm_resolve::merge::contact_id(0).as_str(), "c0000000000000");
/// assert_eq!(crm_resolve::merge::contact_id(i64::MAX).as_str(), "c7zzzzzzzzzzzz");
/// ```
pub fn contact_id(founding_record_id: i64) -> ContactId {
    let mut text = [b'c'; N_DIGITS + 1];
    let mut rest = founding_record_id as u64;
    for digit in text[1..].iter_mut().rev() {
        *digit = DIGITS[(rest & 31) as usize];
        rest >>= 5;
    }
    ContactId(text)
}

/// The founding record of a `contact_id`, `None` where the text is not one.
///
/// ```
/// use crm_resolve::merge::{contact_id, record_id_of_contact};
/// assert_eq!(record_id_of_contact(contact_id(42).as_str()), Some(42));
/// assert_eq!(record_id_of_contact("42"), None);
/// ```
pub fn record_id_of_contact(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['c', 'C'])?.as_bytes();
    if digits.len() != N_DIGITS {
        return None;
    }
    let mut id = 0u64;
    for (place, digit) in digits.iter().enumerate() {
        let value = DIGITS.iter().position(|known| *known == digit.to_ascii_lowercase())? as u64;
        if place == 0 && value > 7 {
            return None;
        }
        id = id << 5 | value;
    }
    i64::try_from(id).ok()
}
