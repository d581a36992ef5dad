//! The levels of each kind of field: their names, their priors, and how two values are graded.
use super::distance::{edit_distance, jaro_winkler, may_be_similar};
use crate::records::value::{company_keys, date_keys, email_keys, phone_keys, postcode_keys, street_keys, tax_id_keys};
use crate::records::{Dictionary, Keys, Kind, ValueId};

/// Level 0 of every comparison: at least one of the two has no value.
pub const MISSING: u8 = 0;
/// Level 1 of every comparison: the two normalized values are one.
pub const EXACT: u8 = 1;

const NAME: &[&str] = &["missing", "exact", "same_sound", "nickname", "initial", "typo", "similar", "partial", "swapped", "different"];
const DATE: &[&str] =
    &["missing", "exact", "day_month_swapped", "one_digit", "two_digits", "same_day_other_year", "same_year", "different"];
const EMAIL: &[&str] = &["missing", "exact", "same_mailbox_name", "typo", "similar", "same_letters", "different"];
const PHONE: &[&str] = &["missing", "exact", "same_ending", "one_digit", "different"];
const IDENTIFIER: &[&str] = &["missing", "exact", "one_character", "two_characters", "different"];
const COMPANY: &[&str] = &["missing", "exact", "same_sound", "typo", "overlapping", "different"];
const STREET: &[&str] = &["missing", "exact", "same_house", "typo", "same_street", "similar_street", "different"];
const POSTCODE: &[&str] = &["missing", "exact", "typo", "same_area", "different"];
const TEXT: &[&str] = &["missing", "exact", "same_sound", "typo", "partial", "different"];
const CATEGORY: &[&str] = &["missing", "exact", "different"];

/// The names of a kind's levels; the place in the list is the level.
pub fn level_names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Given | Kind::Family | Kind::Middle | Kind::Alias => NAME,
        Kind::BirthDate => DATE,
        Kind::Email => EMAIL,
        Kind::Phone => PHONE,
        Kind::TaxId => IDENTIFIER,
        Kind::Company => COMPANY,
        Kind::Street => STREET,
        Kind::Postcode => POSTCODE,
        Kind::City | Kind::Region | Kind::Country | Kind::Text => TEXT,
        Kind::Suffix | Kind::Gender => CATEGORY,
    }
}

/// How alike texts must be, where letters alone can tell that they are not.
pub(crate) mod least_alike {
    /// Jaro-Winkler similarity of mailboxes' names, in thousandths.
    pub const MAILBOX: u32 = 900;
    /// Jaro-Winkler similarity of companies' names, in thousandths.
    pub const COMPANY: u32 = 930;
    /// Kinds of letters in which addresses may differ.
    pub const STREET_APART: u32 = 8;
    /// Kinds of letters in which mailboxes' names may differ for a typo.
    pub const MAILBOX_APART: u32 = 6;
    /// Kinds of letters in which companies' names may differ for a typo.
    pub const COMPANY_APART: u32 = 4;
}

/// The last level of e-mail addresses.
pub(super) const EMAIL_DIFFERENT: u8 = 6;

/// An address that differs in a letter or two.
pub(super) const EMAIL_TYPO: u8 = 3;

/// Whether two addresses with this level may be alike only because their owners' names are.
pub(super) fn is_like_name(level: u8) -> bool {
    level == 4 || level == 5
}

/// The first level of names that are a slip of each other.
pub(crate) const SLIPS_FROM: u8 = name_level::TYPO;
/// The last such level.
pub(crate) const SLIPS_TO: u8 = name_level::SWAPPED;

/// The level of names that stand in each other's places.
pub(crate) const SWAPPED: u8 = name_level::SWAPPED;

/// Names' levels.
pub(super) mod name_level {
    pub const SAME_SOUND: u8 = 2;
    pub const NICKNAME: u8 = 3;
    pub const INITIAL: u8 = 4;
    pub const TYPO: u8 = 5;
    pub const SIMILAR: u8 = 6;
    pub const PARTIAL: u8 = 7;
    pub const SWAPPED: u8 = 8;
    pub const DIFFERENT: u8 = 9;
}

/// Shipped probabilities of the levels from 1 on, in thousandths, among matches and among other pairs.
pub(crate) struct Priors {
    /// Among records of one contact.
    pub m: &'static [f64],
    /// Among records of different contacts.
    pub u: &'static [f64],
    /// How many pairs the priors for matches count as.
    pub strength: f64,
}

/// The shipped priors of a kind.
pub(crate) fn priors(kind: Kind) -> Priors {
    let (m, u, strength): (&[f64], &[f64], f64) = match kind {
        Kind::Given => {
            (&[700.0, 50.0, 50.0, 40.0, 60.0, 30.0, 20.0, 20.0, 30.0], &[10.0, 1.0, 2.0, 15.0, 4.0, 20.0, 1.0, 0.5, 946.5], 60.0)
        }
        Kind::Family => (&[760.0, 50.0, 1.0, 5.0, 70.0, 30.0, 20.0, 20.0, 44.0], &[3.0, 0.5, 0.1, 5.0, 1.5, 10.0, 0.5, 0.5, 978.9], 60.0),
        Kind::Middle | Kind::Alias => {
            (&[640.0, 50.0, 10.0, 170.0, 50.0, 20.0, 10.0, 5.0, 45.0], &[20.0, 2.0, 2.0, 50.0, 4.0, 20.0, 1.0, 0.5, 900.5], 60.0)
        }
        Kind::BirthDate => (&[830.0, 25.0, 60.0, 25.0, 15.0, 25.0, 20.0], &[0.1, 0.1, 0.8, 8.0, 2.0, 15.0, 974.0], 60.0),
        Kind::Email => (&[720.0, 40.0, 60.0, 40.0, 10.0, 130.0], &[0.02, 0.1, 0.01, 1.0, 0.2, 998.67], 60.0),
        Kind::Phone => (&[760.0, 20.0, 60.0, 160.0], &[0.02, 0.05, 0.05, 999.88], 60.0),
        Kind::TaxId => (&[920.0, 40.0, 15.0, 25.0], &[0.01, 0.02, 0.2, 999.77], 100.0),
        Kind::Company => (&[600.0, 80.0, 80.0, 90.0, 150.0], &[1.0, 0.5, 1.0, 5.0, 992.5], 100.0),
        Kind::Street => (&[620.0, 80.0, 70.0, 70.0, 40.0, 120.0], &[0.05, 0.05, 0.1, 5.0, 10.0, 984.8], 40.0),
        Kind::Postcode => (&[780.0, 50.0, 60.0, 110.0], &[1.0, 1.0, 20.0, 978.0], 40.0),
        Kind::City => (&[780.0, 30.0, 60.0, 30.0, 100.0], &[50.0, 1.0, 3.0, 5.0, 941.0], 40.0),
        Kind::Region | Kind::Country => (&[860.0, 20.0, 20.0, 20.0, 80.0], &[200.0, 1.0, 3.0, 5.0, 791.0], 40.0),
        Kind::Text => (&[500.0, 30.0, 50.0, 60.0, 360.0], &[100.0, 5.0, 5.0, 30.0, 860.0], 4.0),
        Kind::Gender => (&[970.0, 30.0], &[500.0, 500.0], 60.0),
        Kind::Suffix => (&[950.0, 50.0], &[400.0, 600.0], 60.0),
    };
    Priors { m, u, strength }
}

/// The most that the last level ("different") may have among records of one contact, whatever the data seem to say: where duplicates are
/// few, the members of a household or the branches of a chain would else pass for them.
pub(crate) fn most_different(kind: Kind) -> f64 {
    match kind {
        Kind::TaxId => 0.06,
        Kind::BirthDate => 0.05,
        Kind::Gender => 0.10,
        Kind::Given | Kind::Family | Kind::Suffix | Kind::Country => 0.20,
        Kind::Middle | Kind::Company | Kind::Region => 0.25,
        Kind::Street | Kind::Postcode | Kind::City => 0.40,
        Kind::Email | Kind::Phone => 0.45,
        Kind::Text | Kind::Alias => 0.60,
    }
}

/// What else two different people may well share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Belongs to one person.
    Personal,
    /// Belongs to one person, and may be a twin's.
    Birth,
    /// Belongs to one person, and may be a relative's of the same name.
    Given,
    /// Belongs to one person, and may be named after them.
    Mailbox,
    /// Belongs to one person: no two people have the same number of it.
    Number,
    /// Shared by a household or an office.
    Shared,
    /// As `Shared`, and one's own as often as not.
    Telephone,
    /// As `Shared`, as far as those who share the rest bear one surname: families do, colleagues do not.
    Surname,
    /// Belongs to one company, and may be several branches'.
    Switchboard,
    /// Belongs to a company with all its branches.
    Chain,
    /// As `Chain`, and names the company: tenants of one house have two.
    Name,
    /// As `Place`, and says which of a chain's branches it is.
    Street,
    /// A street that is another one, or the same one elsewhere.
    Elsewhere,
    /// As `Shared`, and agreeing together with the others of the same place: counted damped.
    Place,
}

/// From this level on two streets with houses are two places.
pub(crate) const OTHER_HOUSE: u8 = 4;

/// In a damped group all evidence but the strongest counts this much, in 1/256.
pub(crate) const DAMPED: i32 = 96;

/// Whether people share values of the kind.
pub(crate) fn spread(kind: Kind) -> Spread {
    match kind {
        Kind::BirthDate => Spread::Birth,
        Kind::Given => Spread::Given,
        Kind::Email => Spread::Mailbox,
        Kind::Family => Spread::Surname,
        Kind::TaxId => Spread::Number,
        Kind::Phone => Spread::Telephone,
        Kind::Company => Spread::Shared,
        Kind::Street | Kind::Postcode | Kind::City | Kind::Region | Kind::Country => Spread::Place,
        _ => Spread::Personal,
    }
}

/// The level of two different values.
pub(super) fn value_level(kind: Kind, dictionary: &Dictionary, a: ValueId, b: ValueId) -> u8 {
    let (keys_a, keys_b) = (dictionary.keys(a), dictionary.keys(b));
    let (text_a, text_b) = (dictionary.text(a), dictionary.text(b));
    let apart = dictionary.letters_apart(a, b);
    match kind {
        Kind::BirthDate => date_level(keys_a, keys_b),
        Kind::Email => email_level(keys_a, keys_b, text_a, text_b, apart),
        Kind::Phone => {
            if keys_a[phone_keys::LAST_SEVEN] == keys_b[phone_keys::LAST_SEVEN] {
                2
            } else if apart <= 2 && edit_distance(text_a, text_b, 1) <= 1 {
                3
            } else {
                4
            }
        }
        Kind::TaxId if apart > 4 || keys_a[tax_id_keys::IS_VALID] & keys_b[tax_id_keys::IS_VALID] == 1 => 4,
        Kind::TaxId => match edit_distance(text_a, text_b, 2) {
            1 if text_a.len().min(text_b.len()) >= 5 => 2,
            2 if text_a.len().min(text_b.len()) >= 7 => 3,
            _ => 4,
        },
        Kind::Company => company_level(keys_a, keys_b, text_a, text_b, apart),
        Kind::Street => street_level(keys_a, keys_b, text_a, text_b, apart),
        Kind::Postcode => {
            if apart <= 2 && edit_distance(text_a, text_b, 1) <= 1 {
                2
            } else if keys_a[postcode_keys::AREA] == keys_b[postcode_keys::AREA] {
                3
            } else {
                4
            }
        }
        Kind::Suffix | Kind::Gender => 2,
        _ => text_level(keys_a, keys_b, text_a, text_b, apart),
    }
}

fn date_level(a: &Keys, b: &Keys) -> u8 {
    let readings = |keys: &Keys| [keys[date_keys::READING], keys[date_keys::OTHER]];
    if a[date_keys::OTHER] == 0 && b[date_keys::OTHER] == 0 && a[date_keys::READING] == b[date_keys::READING] {
        return EXACT;
    }
    let mut best = 7;
    for one in readings(a).into_iter().filter(|date| *date != 0) {
        for other in readings(b).into_iter().filter(|date| *date != 0) {
            best = best.min(reading_level(one, other));
        }
    }
    best
}

fn reading_level(a: u32, b: u32) -> u8 {
    if a == b {
        return 2;
    }
    let parts = |date: u32| (date / 10_000, date / 100 % 100, date % 100);
    let ((year_a, month_a, day_a), (year_b, month_b, day_b)) = (parts(a), parts(b));
    let is_whole = month_a != 0 && month_b != 0;
    if is_whole && year_a == year_b && month_a == day_b && day_a == month_b {
        return 2;
    }
    if is_whole {
        let n_different = differing_digits(a, b);
        if n_different == 1 {
            return 3;
        }
        let is_transposed = edit_distance(&digits(a), &digits(b), 1) <= 1;
        if is_transposed {
            return 3;
        }
        if month_a == month_b && day_a == day_b && (month_a, day_a) != (1, 1) {
            return if n_different == 2 { 4 } else { 5 };
        }
        if n_different == 2 && year_a.abs_diff(year_b) != 100 {
            return 4;
        }
    }
    if year_a == year_b { 6 } else { 7 }
}

fn digits(date: u32) -> [u8; 8] {
    let mut digits = [0; 8];
    let mut rest = date;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    digits
}

fn differing_digits(a: u32, b: u32) -> usize {
    digits(a).iter().zip(digits(b)).filter(|(x, y)| **x != *y).count()
}

fn email_level(keys_a: &Keys, keys_b: &Keys, text_a: &[u8], text_b: &[u8], apart: u32) -> u8 {
    match [keys_a, keys_b].map(|keys| keys[email_keys::FLAGS] & email_keys::SHARED) {
        [0, 0] => {}
        // A person's own mailbox and the office's are no contradiction.
        [0, _] | [_, 0] => return MISSING,
        _ => return EMAIL_DIFFERENT,
    }
    if keys_a[email_keys::LOCAL] == keys_b[email_keys::LOCAL] {
        // A name alone before the @ is borne by all of that name.
        return if keys_a[email_keys::FLAGS] & email_keys::NUMBERED == 0 { 5 } else { 2 };
    }
    let local = |text: &'_ [u8]| text.iter().position(|byte| *byte == b'@').unwrap_or(text.len());
    let (n_local_a, n_local_b) = (local(text_a), local(text_b));
    let (local_a, local_b) = (&text_a[..n_local_a], &text_b[..n_local_b]);
    if apart <= least_alike::MAILBOX_APART {
        let is_same_domain = keys_a[email_keys::DOMAIN] == keys_b[email_keys::DOMAIN];
        let limit = if is_same_domain { 2 } else { 3 };
        let mut distance = edit_distance(local_a, local_b, limit);
        if !is_same_domain && distance <= limit {
            distance += edit_distance(&text_a[n_local_a..], &text_b[n_local_b..], limit - distance);
        }
        let shortest = local_a.len().min(local_b.len());
        let is_digits_only = numbers_of(local_a).ne(numbers_of(local_b)) && keys_a[email_keys::LETTERS] == keys_b[email_keys::LETTERS];
        // A provider tells namesakes apart by a digit.
        if !is_digits_only && (distance == 1 && shortest >= 4 || distance <= limit && shortest >= 7) {
            return EMAIL_TYPO;
        }
    }
    if keys_a[email_keys::LETTERS] != 0 && keys_a[email_keys::LETTERS] == keys_b[email_keys::LETTERS] {
        return 5;
    }
    // The domains may differ in any letters.
    if apart <= 12 && jaro_winkler(local_a, local_b) >= least_alike::MAILBOX { 4 } else { 6 }
}

fn company_level(keys_a: &Keys, keys_b: &Keys, text_a: &[u8], text_b: &[u8], apart: u32) -> u8 {
    if keys_a[company_keys::SKELETON] == keys_b[company_keys::SKELETON] {
        return 2;
    }
    let shortest = text_a.len().min(text_b.len());
    let same_numbers = apart == 0 || numbers_of(text_a).eq(numbers_of(text_b));
    let limit = if shortest >= 12 { 2 } else { 1 };
    if same_numbers && shortest >= 5 && apart <= 2 * limit && edit_distance(text_a, text_b, limit) <= limit {
        return 3;
    }
    let is_acronym =
        |one: &Keys, other: &[u8]| one[company_keys::ACRONYM] != 0 && crate::records::key_of(other) == one[company_keys::ACRONYM];
    // All words but those of the trade are one, or the only one of the one begins or dominates the other.
    let is_within = |one: &Keys, other: &Keys| {
        let word = one[company_keys::CORE];
        word != 0
            && word == one[company_keys::FIRST]
            && [company_keys::FIRST, company_keys::LONGEST].iter().any(|place| other[*place] == word)
    };
    let is_same_core = keys_a[company_keys::CORE] != 0 && keys_a[company_keys::CORE] == keys_b[company_keys::CORE];
    let is_same_word = is_same_core || is_within(keys_a, keys_b) || is_within(keys_b, keys_a);
    if is_same_word && same_numbers || is_acronym(keys_a, text_b) || is_acronym(keys_b, text_a) {
        return 4;
    }
    if keys_a[company_keys::FIRST] == keys_b[company_keys::FIRST] && same_numbers && begins_with(text_a, text_b) {
        return 4;
    }
    let may_be = may_be_similar(text_a.len(), text_b.len(), apart, least_alike::COMPANY);
    if same_numbers && may_be && jaro_winkler(text_a, text_b) >= least_alike::COMPANY { 4 } else { 5 }
}

/// Whether one of two names is the beginning of the other, of two words at least: what follows is the trade or the town.
fn begins_with(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    short.len() >= 8 && short.contains(&b' ') && long.get(short.len()) == Some(&b' ') && long.starts_with(short)
}

/// The digits of a text: "Mill 7" and "Mill 9" are two mills.
pub(super) fn numbers_of(text: &[u8]) -> impl Iterator<Item = &u8> {
    text.iter().filter(|byte| byte.is_ascii_digit())
}

fn street_level(keys_a: &Keys, keys_b: &Keys, text_a: &[u8], text_b: &[u8], apart: u32) -> u8 {
    let agree = |place: usize| keys_a[place] != 0 && keys_a[place] == keys_b[place];
    let is_free = |place: usize| keys_a[place] == 0 || keys_b[place] == 0;
    let name = |text: &'_ [u8]| text.iter().position(|byte| *byte == b'|').unwrap_or(text.len());
    let (name_a, name_b) = (&text_a[..name(text_a)], &text_b[..name(text_b)]);
    let is_same_street = agree(street_keys::NAME);
    if is_same_street && agree(street_keys::HOUSE) {
        return if is_free(street_keys::FLAT) || agree(street_keys::FLAT) { 1 } else { 2 };
    }
    // House 19 and house 21 are neighbours; 1921 and 1912 are one house and a slip.
    let house = |text: &'_ [u8]| -> (usize, usize) {
        let start = name(text) + 1;
        (start, start + text[start.min(text.len())..].iter().position(|byte| *byte == b'|').unwrap_or(0))
    };
    let ((from_a, to_a), (from_b, to_b)) = (house(text_a), house(text_b));
    let (house_a, house_b) = (text_a.get(from_a..to_a).unwrap_or_default(), text_b.get(from_b..to_b).unwrap_or_default());
    let is_other_house = !house_a.is_empty() && !house_b.is_empty() && house_a != house_b && house_a.len().max(house_b.len()) < 3;
    if !is_other_house && apart <= 4 && edit_distance(text_a, text_b, 2) <= 2 && name_a.len().min(name_b.len()) >= 4 {
        return 3;
    }
    let is_similar = is_same_street
        || apart <= least_alike::STREET_APART && name_a.len() >= 4 && jaro_winkler(name_a, name_b) >= 900
        || agree(street_keys::SOUND);
    if is_similar && agree(street_keys::HOUSE) {
        return 3;
    }
    if is_same_street {
        4
    } else if is_similar {
        5
    } else {
        6
    }
}

fn text_level(keys_a: &Keys, keys_b: &Keys, text_a: &[u8], text_b: &[u8], apart: u32) -> u8 {
    let is_number = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_digit() || *byte == b' ');
    let shortest = text_a.len().min(text_b.len());
    if is_number(text_a) && is_number(text_b) {
        let is_typo = shortest >= 4 && apart <= 2 && edit_distance(text_a, text_b, 1) <= 1;
        return if is_typo { 3 } else { 5 };
    }
    if keys_a[0] == keys_b[0] {
        return 2;
    }
    let limit = if shortest >= 8 { 2 } else { u32::from(shortest >= 4) };
    if apart <= 2 * limit && edit_distance(text_a, text_b, limit) <= limit {
        return 3;
    }
    let may_be = shortest >= 5 && may_be_similar(text_a.len(), text_b.len(), apart, 880);
    if keys_a[1] == keys_b[1] || may_be && jaro_winkler(text_a, text_b) >= 880 { 4 } else { 5 }
}
