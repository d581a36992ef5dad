//! Cells to comparable forms, remembered per distinct text, and two forms to a verdict.
use crm_core::{Role, content_hash};

use super::fields::{ComparedField, FieldKind};
use super::text_form::TextForms;
use crate::merge::{Canonicalizer, Consent, read_consent};
use crate::normalize::{
    CompanyName, PersonName, Street, city_key_into, fold_into, parse_company, parse_country, parse_full_name, parse_phone, parse_postcode,
    parse_social, parse_street, region_key_into, skeleton_into,
};

/// What two values of a field are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// Neither side has a value.
    Empty,
    /// The same, in whatever format.
    Same,
    /// Something else.
    Different,
    /// One says a part of what the other says: some of the telephone numbers, the name without the patronymic.
    Partly,
    /// Only the left side has a value.
    OnlyLeft,
    /// Only the right side has a value.
    OnlyRight,
}

impl Verdict {
    /// The names, in the order of the numbers.
    pub const NAMES: [&'static str; 6] = ["empty", "same", "different", "partly", "only_left", "only_right"];

    /// Whether somebody has to look.
    pub fn is_difference(self) -> bool {
        !matches!(self, Self::Empty | Self::Same)
    }

    /// The verdict of a byte that came of `as u8`.
    pub fn from_u8(byte: u8) -> Self {
        [Self::Empty, Self::Same, Self::Different, Self::Partly, Self::OnlyLeft, Self::OnlyRight]
            .into_iter()
            .find(|verdict| *verdict as u8 == byte)
            .unwrap_or(Self::Empty)
    }
}

/// One comparable part of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// The same in both: the same.
    pub exact: u64,
    /// Where one of the two is not `strict`, this decides: the number without its country, the company without its legal form.
    pub loose: u64,
    /// Whether nothing is left open.
    pub strict: bool,
}

impl Item {
    pub fn new(text: &[u8]) -> Self {
        let hash = content_hash(text);
        Self { exact: hash, loose: hash, strict: true }
    }

    /// The same with something more to it.
    fn with(self, more: u32) -> Self {
        let salt = u64::from(more).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { exact: self.exact ^ salt, loose: self.loose ^ salt, strict: self.strict }
    }

    fn meets(self, other: Self) -> bool {
        self.exact == other.exact || (!(self.strict && other.strict) && self.loose == other.loose)
    }
}

/// How the items of a field decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    /// Readings of one value: one in common suffices.
    Readings,
    /// Several values: all must be in common, some are a part.
    List,
    /// Words of one value: all must be in common, and only all of one side's are a part.
    Words,
}

/// Slots of remembered forms per field; a power of two.
const SLOTS: usize = 1 << 13;

/// Compares cells; keeps what it worked out, so each thread has one of its own.
pub struct Comparer<'a> {
    fields: &'a [ComparedField],
    canonicalizer: &'a dyn Canonicalizer,
    scratch: Scratch,
    memo: Vec<Vec<(u64, Box<[Item]>)>>,
}

#[derive(Default)]
struct Scratch {
    text: TextForms,
    buffer: String,
    key: String,
    person: PersonName,
    company: CompanyName,
    street: Street,
    plain_street: Street,
    items: Vec<Item>,
}

impl<'a> Comparer<'a> {
    /// A comparer for these fields; `canonicalizer` knows how each layout writes numbers and dates.
    pub fn new(fields: &'a [ComparedField], canonicalizer: &'a dyn Canonicalizer) -> Self {
        Self { fields, canonicalizer, scratch: Scratch::default(), memo: vec![Vec::new(); fields.len()] }
    }

    /// Compares what two records say in a field; each side is its layout and its text (see [`Comparer::joined`]).
    pub fn compare(&mut self, field: usize, left: (usize, &str), right: (usize, &str)) -> Verdict {
        let (left_blank, right_blank) = (left.1.is_empty(), right.1.is_empty());
        if left_blank && right_blank {
            return Verdict::Empty;
        }
        // The same text read by two conventions may mean two things, but nobody would see a difference.
        if left.1 == right.1 {
            return Verdict::Same;
        }
        let together = together(self.fields[field].kind);
        let left_at = self.remember(field, left);
        let left_items = self.memo[field][left_at].1.clone();
        let right_at = self.remember(field, right);
        verdict(together, &left_items, &self.memo[field][right_at].1)
    }

    /// Hashes of a value that is to be an exact key; none where there is no value.
    pub fn key_values(&mut self, field: usize, layout: usize, text: &str) -> Vec<u64> {
        if text.is_empty() {
            return Vec::new();
        }
        let at = self.remember(field, (layout, text));
        let items = &self.memo[field][at].1;
        match together(self.fields[field].kind) {
            // A name is a key only as a whole.
            Together::Words => {
                (!items.is_empty()).then(|| items.iter().fold(0u64, |sum, item| sum.wrapping_add(item.exact))).into_iter().collect()
            }
            // The likeliest reading: `1` is a number before it is a yes.
            Together::Readings => items.first().map(|item| item.exact).into_iter().collect(),
            Together::List => items.iter().map(|item| item.exact).collect(),
        }
    }

    /// The texts of a field's columns as one.
    pub fn joined<'t>(kind: FieldKind, texts: impl Iterator<Item = &'t str>, out: &mut String) {
        out.clear();
        let separator = match kind {
            FieldKind::Name => " ",
            FieldKind::Role(role) if role.is_list() => "; ",
            _ => ", ",
        };
        for text in texts.map(str::trim).filter(|text| !text.is_empty()) {
            if !out.is_empty() {
                out.push_str(separator);
            }
            out.push_str(text);
        }
    }

    /// Where in the field's memo the form of a text is.
    fn remember(&mut self, field: usize, (layout, text): (usize, &str)) -> usize {
        let hash = content_hash(text.as_bytes()) ^ (layout as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let at = hash as usize & (SLOTS - 1);
        if self.memo[field].is_empty() {
            self.memo[field] = vec![(0, Box::default()); SLOTS];
        }
        if self.memo[field][at].0 != hash || hash == 0 {
            self.scratch.items.clear();
            let form = Reading { kind: self.fields[field].kind, layout, canonicalizer: self.canonicalizer };
            form.read(text, &mut self.scratch);
            self.memo[field][at] = (hash, self.scratch.items.as_slice().into());
        }
        at
    }
}

fn together(kind: FieldKind) -> Together {
    match kind {
        FieldKind::Name | FieldKind::Role(Role::GivenName | Role::FamilyName | Role::MiddleName | Role::Street) => Together::Words,
        FieldKind::Role(role) if role.is_list() => Together::List,
        _ => Together::Readings,
    }
}

fn verdict(together: Together, left: &[Item], right: &[Item]) -> Verdict {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Verdict::Empty,
        (false, true) => return Verdict::OnlyLeft,
        (true, false) => return Verdict::OnlyRight,
        (false, false) => {}
    }
    let n_met = |one: &[Item], other: &[Item]| one.iter().filter(|item| other.iter().any(|candidate| item.meets(*candidate))).count();
    let (left_met, right_met) = (n_met(left, right), n_met(right, left));
    let (all_left, all_right) = (left_met == left.len(), right_met == right.len());
    match together {
        Together::Readings if left_met > 0 => Verdict::Same,
        Together::List | Together::Words if all_left && all_right => Verdict::Same,
        Together::List if left_met > 0 => Verdict::Partly,
        Together::Words if all_left || all_right => Verdict::Partly,
        _ => Verdict::Different,
    }
}

/// One cell on its way to its items.
struct Reading<'a> {
    kind: FieldKind,
    layout: usize,
    canonicalizer: &'a dyn Canonicalizer,
}

impl Reading<'_> {
    fn read(&self, text: &str, scratch: &mut Scratch) {
        match self.kind {
            FieldKind::AsWritten => {
                let tidy: Vec<&str> = text.split_whitespace().collect();
                scratch.items.extend((!tidy.is_empty()).then(|| Item::new(tidy.join(" ").as_bytes())));
            }
            FieldKind::Custom => scratch.text.any(text, &mut scratch.items),
            FieldKind::Name => name(text, scratch),
            FieldKind::Role(role) => self.read_role(role, text, scratch),
        }
    }

    fn read_role(&self, role: Role, text: &str, scratch: &mut Scratch) {
        match role {
            Role::FamilyName | Role::GivenName | Role::MiddleName => words(text, scratch),
            Role::Email | Role::Tags | Role::Website => self.parts(role, text, scratch),
            Role::Phone => self.phones(text, scratch),
            Role::BirthDate => self.date(text, scratch),
            Role::TaxId | Role::Gender => self.canonical(role, text, scratch),
            Role::CompanyName => company(text, scratch),
            Role::Street => street(text, scratch),
            Role::City => keyed(city_key_into, text, scratch),
            Role::Region => keyed(region_key_into, text, scratch),
            Role::Country => match parse_country(text) {
                Ok(country) => scratch.items.push(Item::new(country.as_str().as_bytes())),
                Err(_) => scratch.text.folded(text, &mut scratch.items),
            },
            Role::Postcode => match parse_postcode(text, None) {
                Ok(postcode) => {
                    let bare: Vec<u8> = postcode.as_str().bytes().filter(u8::is_ascii_alphanumeric).collect();
                    // LV-1010 and 1010: a country before the digits says nothing of the place.
                    let digits: Vec<u8> = bare.iter().copied().skip_while(u8::is_ascii_alphabetic).collect();
                    let core = if digits.iter().all(u8::is_ascii_digit) && !digits.is_empty() { &digits } else { &bare };
                    scratch.items.push(Item::new(core));
                }
                Err(_) => scratch.text.folded(text, &mut scratch.items),
            },
            Role::Social => {
                for part in text.split([';', ',', '|', '\n']) {
                    match parse_social(part, &mut scratch.buffer) {
                        Ok(()) => scratch.items.push(Item::new(scratch.buffer.as_bytes())),
                        Err(_) => scratch.text.folded(part, &mut scratch.items),
                    }
                }
            }
            Role::MarketingConsent => match read_consent(text, false) {
                Consent::Given => scratch.items.push(Item::new(b"consent")),
                Consent::Refused => scratch.items.push(Item::new(b"refusal")),
                Consent::Unclear => scratch.text.folded(text, &mut scratch.items),
                Consent::Silent => {}
            },
            Role::Latitude | Role::Longitude => scratch.text.any(text, &mut scratch.items),
            _ => scratch.text.folded(text, &mut scratch.items),
        }
    }

    /// The form that golden records show; text that no normalizer takes as it is, folded.
    fn canonical(&self, role: Role, text: &str, scratch: &mut Scratch) {
        scratch.buffer.clear();
        match self.canonicalizer.canonical(self.layout, role, text, &mut scratch.buffer) {
            Some(value) => scratch.text.folded(value, &mut scratch.items),
            None => scratch.text.folded(text, &mut scratch.items),
        }
    }

    fn parts(&self, role: Role, text: &str, scratch: &mut Scratch) {
        scratch.buffer.clear();
        match self.canonicalizer.canonical(self.layout, role, text, &mut scratch.buffer) {
            Some(value) => value.split('\n').for_each(|part| scratch.text.folded(part, &mut scratch.items)),
            // No part of it is an address: it is shown and compared as what it is.
            None => scratch.text.folded(text, &mut scratch.items),
        }
    }

    fn phones(&self, text: &str, scratch: &mut Scratch) {
        scratch.buffer.clear();
        let Some(value) = self.canonicalizer.canonical(self.layout, Role::Phone, text, &mut scratch.buffer) else {
            return scratch.text.folded(text, &mut scratch.items);
        };
        for part in value.split('\n') {
            let (number, extension) = match parse_phone(part, None) {
                Ok(phone) if phone.country_code != 0 => {
                    let digits = phone.number.to_string();
                    let n_code = phone.country_code.to_string().len().min(digits.len());
                    // Where the cell itself does not name the country it is a guess, and may be another on the other side.
                    let strict = text.contains('+');
                    let number = Item { loose: content_hash(&digits.as_bytes()[n_code..]), strict, ..Item::new(digits.as_bytes()) };
                    (number, phone.extension)
                }
                parsed => {
                    let written = || part.bytes().filter(u8::is_ascii_digit).collect();
                    let digits: Vec<u8> = parsed.as_ref().map_or_else(|_| written(), |phone| phone.number.to_string().into_bytes());
                    // 8 and 7 before a Russian number, 0 before a European one.
                    let bare = match digits.as_slice() {
                        [b'8' | b'7' | b'1', rest @ ..] if digits.len() == 11 => rest,
                        [b'0', rest @ ..] => rest,
                        all => all,
                    };
                    let number = Item { loose: content_hash(bare), strict: false, ..Item::new(&digits) };
                    (number, parsed.map_or(0, |phone| phone.extension))
                }
            };
            scratch.items.push(number);
            // A number with an extension is the switchboard's and more: the switchboard alone is a part of it.
            if extension != 0 {
                scratch.items.push(number.with(extension));
            }
        }
    }

    fn date(&self, text: &str, scratch: &mut Scratch) {
        scratch.buffer.clear();
        match self.canonicalizer.canonical(self.layout, Role::BirthDate, text, &mut scratch.buffer) {
            Some(value) => scratch.text.date_or_text(value, &mut scratch.items),
            None => scratch.text.folded(text, &mut scratch.items),
        }
    }
}

fn name(text: &str, scratch: &mut Scratch) {
    let mut person = std::mem::take(&mut scratch.person);
    if parse_full_name(text, &mut person).is_ok() {
        for part in [&person.given, &person.middle, &person.family, &person.other] {
            words(part, scratch);
        }
        if let Some(suffix) = person.suffix {
            scratch.items.push(Item::new(suffix.as_str().as_bytes()));
        }
    } else {
        words(text, scratch);
    }
    scratch.person = person;
}

/// Each word in the spelling in which transliterations meet.
fn words(text: &str, scratch: &mut Scratch) {
    if crate::normalize::is_placeholder(text) {
        return;
    }
    for word in text.split(|c: char| c.is_whitespace() || c == '-' || c == '.' || c == ',').filter(|word| !word.is_empty()) {
        skeleton_into(word, &mut scratch.key);
        fold_into(word, &mut scratch.buffer);
        if scratch.key.is_empty() {
            scratch.items.push(Item::new(word.as_bytes()));
        } else {
            // Čaka is Чака by its sound, and Caka by its letters.
            let loose = content_hash(scratch.buffer.as_bytes());
            scratch.items.push(Item { loose, strict: false, ..Item::new(scratch.key.as_bytes()) });
        }
    }
}

fn keyed(key_into: fn(&str, &mut String), text: &str, scratch: &mut Scratch) {
    if crate::normalize::is_placeholder(text) {
        return;
    }
    key_into(text, &mut scratch.key);
    if scratch.key.is_empty() {
        return scratch.text.folded(text, &mut scratch.items);
    }
    scratch.items.push(Item::new(scratch.key.as_bytes()));
    fold_into(text, &mut scratch.buffer);
    key_into(&scratch.buffer, &mut scratch.key);
    scratch.items.push(Item::new(scratch.key.as_bytes()));
}

fn company(text: &str, scratch: &mut Scratch) {
    if parse_company(text, &mut scratch.company).is_err() || scratch.company.skeleton.is_empty() {
        return scratch.text.folded(text, &mut scratch.items);
    }
    let company = &scratch.company;
    let form = company.legal_form.map_or("", |form| form.as_str());
    skeleton_into(&company.core, &mut scratch.key);
    // The core is folded already: its marks are off. Both spellings are readings of the one name.
    for core in [company.skeleton.as_str(), scratch.key.as_str(), company.core.as_str()] {
        let whole = content_hash(format!("{core}|{form}").as_bytes());
        scratch.items.push(Item { exact: whole, loose: content_hash(core.as_bytes()), strict: !form.is_empty() });
    }
}

/// Street, house, building and flat each by itself: an address without the flat is a part of the one with it.
fn street(text: &str, scratch: &mut Scratch) {
    if parse_street(text, &mut scratch.street).is_err() {
        return scratch.text.folded(text, &mut scratch.items);
    }
    let named = content_hash(scratch.street.street.as_bytes());
    if !scratch.street.street.is_empty() {
        fold_into(text, &mut scratch.buffer);
        let mut plain = std::mem::take(&mut scratch.plain_street);
        let loose = if parse_street(&scratch.buffer, &mut plain).is_ok() { content_hash(plain.street.as_bytes()) } else { named };
        scratch.plain_street = plain;
        scratch.items.push(Item { exact: named, loose, strict: false });
    }
    street_numbers(scratch);
    if scratch.items.is_empty() {
        scratch.text.folded(text, &mut scratch.items);
    }
}

fn street_numbers(scratch: &mut Scratch) {
    let street = &scratch.street;
    let parts = [("h", street.house.as_str()), ("b", street.building.as_str()), ("f", street.flat.as_str()), ("p", street.po_box.as_str())];
    for (mark, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        scratch.items.push(Item::new(format!("{mark}{part}").as_bytes()));
    }
}
