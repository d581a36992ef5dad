//! From a cell to a [`Draft`]: canonical text and derived keys, one function per kind.
use super::dictionary::{Draft, key_of};
use super::fold::{latin_into, phonetic_key_into, skeleton_into};

/// Buffers that are reused from cell to cell.
#[derive(Debug, Default)]
pub struct Scratch {
    latin: String,
    skeleton: String,
    sound: String,
}

/// Where a [`Draft`]'s keys stand for names.
pub mod name_keys {
    /// The spelling in which transliterations meet.
    pub const SKELETON: usize = 0;
    /// Two nickname classes of 16 bits each.
    pub const NICKNAMES: usize = 1;
    /// Consonant classes.
    pub const SOUND: usize = 2;
    /// The first three letters of the skeleton, and in the top byte the first one.
    pub const PREFIX: usize = 3;
}

/// A name or a part of one.
pub fn name(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    latin_into(cell, &mut scratch.latin);
    if scratch.latin.is_empty() {
        return;
    }
    to_bytes(&scratch.latin, &mut draft.text);
    skeleton_into(cell, &mut scratch.skeleton);
    phonetic_key_into(&scratch.skeleton, &mut scratch.sound);
    let skeleton = scratch.skeleton.as_bytes();
    draft.keys = [key_of(skeleton), 0, key_of(scratch.sound.as_bytes()), prefix_key(skeleton)];
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

/// A text without further meaning: city, occupation, any custom column.
pub fn text(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    latin_into(cell, &mut scratch.latin);
    if is_filler(&scratch.latin) {
        return;
    }
    to_bytes(&scratch.latin, &mut draft.text);
    skeleton_into(cell, &mut scratch.skeleton);
    let skeleton = scratch.skeleton.as_bytes();
    let first = skeleton.split(|byte| *byte == b' ').next().unwrap_or_default();
    draft.keys = [key_of(skeleton), key_of(first), 0, prefix_key(skeleton)];
}

fn is_filler(latin: &str) -> bool {
    matches!(latin, "" | "n a" | "na" | "none" | "null" | "nan" | "unknown" | "test" | "nil")
}

/// Where a [`Draft`]'s keys stand for dates.
pub mod date_keys {
    /// Year * 10000 + month * 100 + day; unknown parts are 0.
    pub const READING: usize = 0;
    /// The other reading of an ambiguous date, or 0.
    pub const OTHER: usize = 1;
}

/// A date; the canonical text is `yyyymmdd`.
pub fn date(cell: &str, draft: &mut Draft) {
    draft.clear();
    let mut numbers = [0u32; 3];
    let mut lengths = [0usize; 3];
    let mut n = 0;
    let mut in_number = false;
    for byte in cell.bytes() {
        if byte.is_ascii_digit() {
            if !in_number {
                if n == 3 {
                    break;
                }
                n += 1;
                in_number = true;
            }
            numbers[n - 1] = (numbers[n - 1] * 10 + u32::from(byte - b'0')).min(99_999_999);
            lengths[n - 1] += 1;
        } else {
            in_number = false;
        }
    }
    let (year, month, day, other) = match (n, lengths) {
        (1, [8, ..]) => (numbers[0] / 10_000, numbers[0] / 100 % 100, numbers[0] % 100, 0),
        (1, [4, ..]) => (numbers[0], 0, 0, 0),
        (3, [4, ..]) => (numbers[0], numbers[1], numbers[2], 0),
        (3, [_, _, 4]) => {
            let (first, second) = (numbers[0], numbers[1]);
            if cell.contains('/') {
                let other = if second <= 12 && first != second { numbers[2] * 10_000 + second * 100 + first } else { 0 };
                if first > 12 { (numbers[2], second, first, 0) } else { (numbers[2], first, second, other) }
            } else {
                (numbers[2], second, first, 0)
            }
        }
        _ => return,
    };
    let packed = year * 10_000 + month.min(99) * 100 + day.min(99);
    if year == 0 || year > 9999 {
        return;
    }
    draft.text.extend_from_slice(format!("{packed:08}").as_bytes());
    if other != 0 {
        draft.text.extend_from_slice(b"?");
    }
    draft.keys = [packed, other, 0, 0];
}

/// Where a [`Draft`]'s keys stand for e-mail addresses.
pub mod email_keys {
    /// The mailbox's name.
    pub const LOCAL: usize = 0;
    /// The domain.
    pub const DOMAIN: usize = 1;
    /// [`SHARED`] and [`NUMBERED`].
    pub const FLAGS: usize = 2;
    /// The mailbox belongs to a role (info@, sales@), not to a person.
    pub const SHARED: u32 = 1;
    /// The mailbox's name has at least two digits: more than a name.
    pub const NUMBERED: u32 = 2;
    /// The letters of the mailbox's name.
    pub const LETTERS: usize = 3;
}

/// An e-mail address.
pub fn email(cell: &str, draft: &mut Draft) {
    draft.clear();
    let cell = cell.trim().to_lowercase();
    let Some((local, domain)) = cell.rsplit_once('@') else { return };
    if local.is_empty() || domain.is_empty() {
        return;
    }
    const SHARED: [&str; 16] = [
        "info",
        "sales",
        "office",
        "mail",
        "contact",
        "admin",
        "support",
        "hello",
        "post",
        "noreply",
        "no-reply",
        "service",
        "team",
        "hr",
        "marketing",
        "biuro",
    ];
    to_bytes(&cell, &mut draft.text);
    let letters: String = local.chars().filter(|c| c.is_alphabetic()).collect();
    let n_digits = local.bytes().filter(u8::is_ascii_digit).count();
    let shared = if SHARED.contains(&local) { email_keys::SHARED } else { 0 };
    let flags = shared | if n_digits >= 2 { email_keys::NUMBERED } else { 0 };
    draft.keys = [key_of(local.as_bytes()), key_of(domain.as_bytes()), flags, key_of(letters.as_bytes())];
}

/// Where a [`Draft`]'s keys stand for phones.
pub mod phone_keys {
    /// The last seven digits.
    pub const LAST_SEVEN: usize = 0;
}

/// A telephone number; the canonical text is its digits with the country code.
pub fn phone(cell: &str, draft: &mut Draft) {
    draft.clear();
    let cell = cell.split("ext").next().unwrap_or_default();
    let digits: Vec<u8> = cell.bytes().filter(u8::is_ascii_digit).collect();
    let digits = digits.strip_prefix(b"00").unwrap_or(&digits);
    if digits.len() < 5 || digits.iter().all(|digit| *digit == digits[0]) {
        return;
    }
    if digits.len() == 11 && (digits[0] == b'8' || digits[0] == b'7' || digits[0] == b'1') {
        draft.text.extend_from_slice(&digits[1..]);
    } else if digits.len() == 11 && digits.starts_with(b"371") {
        draft.text.extend_from_slice(&digits[3..]);
    } else {
        draft.text.extend_from_slice(digits);
    }
    draft.keys[phone_keys::LAST_SEVEN] = key_of(&draft.text[draft.text.len().saturating_sub(7)..]);
}

/// A number that the state or a company gave: letters and digits count.
pub fn identifier(cell: &str, draft: &mut Draft) {
    draft.clear();
    draft.text.extend(cell.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()));
    if draft.text.iter().all(|byte| *byte == b'0') {
        draft.text.clear();
    }
}

/// Where a [`Draft`]'s keys stand for postcodes.
pub mod postcode_keys {
    /// The outward part, or the first three digits.
    pub const AREA: usize = 0;
}

/// A postcode.
pub fn postcode(cell: &str, draft: &mut Draft) {
    identifier(cell, draft);
    let text = &draft.text;
    let has_letters = text.iter().any(u8::is_ascii_alphabetic);
    let area = if has_letters && text.len() >= 5 { text.len() - 3 } else { 3.min(text.len()) };
    draft.keys[postcode_keys::AREA] = if text.is_empty() { 0 } else { key_of(&text[..area]) };
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
}

/// A company's name without its legal form.
pub fn company(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    latin_into(cell, &mut scratch.latin);
    if is_filler(&scratch.latin) {
        return;
    }
    const FORMS: [&str; 20] = [
        "ooo",
        "zao",
        "oao",
        "pao",
        "ao",
        "ip",
        "sia",
        "as",
        "llc",
        "ltd",
        "inc",
        "gmbh",
        "corp",
        "co",
        "plc",
        "ag",
        "limited",
        "sa",
        "bv",
        "corporation",
    ];
    let words: Vec<&str> = scratch.latin.split(' ').filter(|word| !FORMS.contains(word)).collect();
    let words = if words.is_empty() { scratch.latin.split(' ').collect() } else { words };
    let core = words.join(" ");
    to_bytes(&core, &mut draft.text);
    skeleton_into(&core, &mut scratch.skeleton);
    company_keys_of(&scratch.skeleton, draft);
}

fn company_keys_of(skeleton: &str, draft: &mut Draft) {
    let mut sorted: Vec<&str> = skeleton.split(' ').collect();
    let acronym: Vec<u8> = sorted.iter().filter_map(|word| word.bytes().next()).collect();
    let prefix = prefix_key(skeleton.as_bytes());
    sorted.sort_unstable();
    let longest = sorted.iter().max_by_key(|word| word.len()).copied().unwrap_or_default();
    let acronym = if acronym.len() >= 3 { key_of(&acronym) } else { 0 };
    draft.keys = [key_of(sorted.join(" ").as_bytes()), key_of(longest.as_bytes()), acronym, prefix];
}

/// Where a [`Draft`]'s keys stand for streets.
pub mod street_keys {
    /// The street's name, its words in any order.
    pub const NAME: usize = 0;
    /// The house number.
    pub const HOUSE: usize = 1;
    /// The flat.
    pub const FLAT: usize = 2;
    /// The sound of the longest word.
    pub const SOUND: usize = 3;
}

/// A street with house and flat; the canonical text is `name|house|flat`.
pub fn street(cell: &str, scratch: &mut Scratch, draft: &mut Draft) {
    draft.clear();
    latin_into(cell, &mut scratch.latin);
    if is_filler(&scratch.latin) {
        return;
    }
    const TYPES: [&str; 24] = [
        "street", "st", "ul", "ulitsa", "iela", "road", "rd", "avenue", "ave", "av", "lane", "ln", "drive", "dr", "d", "dom", "kv", "flat",
        "apt", "place", "pl", "court", "ct", "prospekt",
    ];
    let (mut names, mut numbers): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for word in scratch.latin.split(' ') {
        if word.as_bytes()[0].is_ascii_digit() {
            numbers.push(word);
        } else if let Some(number) = word.strip_prefix("kv").or_else(|| word.strip_prefix('d')).filter(|rest| is_number(rest)) {
            numbers.push(number);
        } else if !TYPES.contains(&word) {
            names.push(word);
        }
    }
    let name = names.join(" ");
    let (house, flat) = (numbers.first().copied().unwrap_or(""), numbers.get(1).copied().unwrap_or(""));
    to_bytes(&name, &mut draft.text);
    draft.text.push(b'|');
    draft.text.extend_from_slice(house.as_bytes());
    draft.text.push(b'|');
    draft.text.extend_from_slice(flat.as_bytes());
    skeleton_into(&name, &mut scratch.skeleton);
    let mut sorted: Vec<&str> = scratch.skeleton.split(' ').collect();
    sorted.sort_unstable();
    let longest = sorted.iter().max_by_key(|word| word.len()).copied().unwrap_or_default();
    phonetic_key_into(longest, &mut scratch.sound);
    let optional = |part: &str| if part.is_empty() { 0 } else { key_of(part.as_bytes()) };
    draft.keys = [optional(&sorted.join(" ")), optional(house), optional(flat), optional(&scratch.sound)];
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
