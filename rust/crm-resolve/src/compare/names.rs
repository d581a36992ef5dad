//! The joint comparison of given, family and middle name.
use super::distance::{edit_distance, jaro_winkler, may_be_similar};
use super::levels::{EXACT, MISSING, name_level, numbers_of};
use super::{Comparer, Comparison, LevelCache, Levels};
use crate::records::value::name_keys;
use crate::records::{Dictionary, Keys, Kind, Records, ValueId};

/// Where the parts of a name stand among comparisons and fields.
#[derive(Debug, Default)]
pub(super) struct NamePlaces {
    given: Option<Place>,
    family: Option<Place>,
    middle: Option<Place>,
    alias: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    comparison: usize,
    field: usize,
}

impl NamePlaces {
    pub fn new(records: &Records, comparisons: &[Comparison]) -> Self {
        let place = |kind: Kind| {
            let comparison = comparisons.iter().position(|comparison| comparison.kind == kind)?;
            Some(Place { comparison, field: comparisons[comparison].field })
        };
        Self { given: place(Kind::Given), family: place(Kind::Family), middle: place(Kind::Middle), alias: records.field_of(Kind::Alias) }
    }

    /// Whether given or family name are one.
    pub fn agree(&self, levels: &Levels) -> bool {
        let is_same = |level: u8| is_good(level) || level == name_level::SWAPPED;
        [self.given, self.family].iter().flatten().any(|place| is_same(levels[place.comparison]))
    }

    /// Whether given or family name have two values that are not one spelling.
    pub fn differ_slightly(&self, levels: &Levels) -> bool {
        [self.given, self.family].iter().flatten().any(|place| !matches!(levels[place.comparison], MISSING | EXACT | name_level::SWAPPED))
    }

    pub fn is_name(&self, comparison: usize) -> bool {
        [self.given, self.family, self.middle].iter().flatten().any(|place| place.comparison == comparison)
    }
}

/// Whether a level means that the two name the same.
fn is_good(level: u8) -> bool {
    level != MISSING && level <= name_level::TYPO
}

pub(super) fn compare(
    comparer: &Comparer<'_>,
    places: &NamePlaces,
    row_a: &[u32],
    row_b: &[u32],
    cache: &mut LevelCache,
    levels: &mut Levels,
) {
    let Some(any) = places.given.or(places.family) else { return };
    let pick = |place: Option<Place>, row: &[u32]| place.map_or(0, |place| row[place.field]);
    let mut grade_as = |kind: Kind, a: ValueId, b: ValueId| {
        if a == 0 || b == 0 {
            MISSING
        } else if a == b {
            EXACT
        } else {
            comparer.value_level(kind, if kind == Kind::Family { places.family.unwrap_or(any).field } else { any.field }, a, b, cache)
        }
    };
    let (given_a, given_b) = (pick(places.given, row_a), pick(places.given, row_b));
    let (family_a, family_b) = (pick(places.family, row_a), pick(places.family, row_b));
    let (middle_a, middle_b) = (pick(places.middle, row_a), pick(places.middle, row_b));
    let (mut given, mut family) = (grade_as(Kind::Given, given_a, given_b), grade_as(Kind::Family, family_a, family_b));
    let mut grade = |a: ValueId, b: ValueId| grade_as(Kind::Given, a, b);
    let mut middle = grade(middle_a, middle_b);
    if !(is_good(given) && is_good(family)) {
        let has_crossed = family_a != 0 && given_b != 0 || given_a != 0 && family_b != 0;
        if has_crossed && !is_good(given) && !is_good(family) {
            let (one, other) = (grade(given_a, family_b), grade(family_a, given_b));
            // Both crosswise, or the only name that one of them has.
            let is_lone = |given: ValueId, family: ValueId| (given == 0) != (family == 0);
            let either_is_lone = is_lone(given_a, family_a) || is_lone(given_b, family_b);
            if is_good(one) && is_good(other) {
                (given, family) = (name_level::SWAPPED, name_level::SWAPPED);
            } else if either_is_lone && (is_good(one) || is_good(other)) {
                (given, family) = (MISSING, name_level::SWAPPED);
            }
        }
        if given == name_level::DIFFERENT && middle_a | middle_b != 0 {
            // Called by the middle name.
            let (one, other) = (grade(given_a, middle_b), grade(middle_a, given_b));
            if is_good(one) && one != name_level::INITIAL || is_good(other) && other != name_level::INITIAL {
                (given, middle) = (name_level::SWAPPED, MISSING);
            }
        }
        let alias_a = places.alias.map_or(0, |field| row_a[field]);
        let alias_b = places.alias.map_or(0, |field| row_b[field]);
        let is_long = |id: ValueId| id != 0 && comparer.records.name_parts(&id).len() > 1;
        let has_many =
            alias_a | alias_b != 0 || middle_a != 0 && middle_b != 0 || [given_a, given_b, family_a, family_b].into_iter().any(is_long);
        let is_open = matches!(given, name_level::DIFFERENT | MISSING) || family == name_level::DIFFERENT;
        if has_many && is_open {
            let words_a = words_of(comparer, any.field, [given_a, middle_a, family_a, alias_a]);
            let words_b = words_of(comparer, any.field, [given_b, middle_b, family_b, alias_b]);
            if are_rearranged(&words_a, &words_b, &mut grade) {
                (given, family) = (name_level::SWAPPED, name_level::SWAPPED);
            }
        }
    }
    for (place, level) in [(places.given, given), (places.family, family), (places.middle, middle)] {
        if let Some(place) = place {
            levels[place.comparison] = level;
        }
    }
}

/// The words of a name and which part of it each is of; initials and particles tell nobody apart.
fn words_of(comparer: &Comparer<'_>, field: usize, [given, middle, family, alias]: [ValueId; 4]) -> Vec<(ValueId, u8)> {
    let dictionary = comparer.records.dictionary(field);
    let mut words: Vec<(ValueId, u8)> = Vec::with_capacity(8);
    for (part, ids) in [(GIVEN_WORD, [given, middle]), (FAMILY_WORD, [family, 0]), (ALIAS_WORD, [alias, 0])] {
        for id in ids.iter().flat_map(|id| comparer.records.name_parts(id)) {
            let text = dictionary.text(*id);
            if text.len() > 1 && !PARTICLES.contains(&text) && words.iter().all(|(known, _)| known != id) {
                words.push((*id, part));
            }
        }
    }
    words
}

const GIVEN_WORD: u8 = 0;
const FAMILY_WORD: u8 = 1;
const ALIAS_WORD: u8 = 2;

/// Words of names that stand before others.
const PARTICLES: [&[u8]; 25] = [
    b"van", b"von", b"der", b"den", b"ter", b"ten", b"de", b"da", b"di", b"do", b"dos", b"das", b"del", b"della", b"du", b"la", b"le",
    b"el", b"al", b"bin", b"ibn", b"abu", b"st", b"zu", b"y",
];

/// Whether two names are the same words in other places: each of the fewer ones has one of its own in the other name (of four or more all but
/// one), and both given and family name have a say. Sisters of a double surname share two words, and no given name.
fn are_rearranged(one: &[(ValueId, u8)], other: &[(ValueId, u8)], grade: &mut impl FnMut(ValueId, ValueId) -> u8) -> bool {
    // Of equally many either may be the fewer; the result must not depend on which record comes first.
    match one.len().cmp(&other.len()) {
        std::cmp::Ordering::Less => are_among(one, other, grade),
        std::cmp::Ordering::Greater => are_among(other, one, grade),
        std::cmp::Ordering::Equal => are_among(one, other, grade) && are_among(other, one, grade),
    }
}

fn are_among(few: &[(ValueId, u8)], many: &[(ValueId, u8)], grade: &mut impl FnMut(ValueId, ValueId) -> u8) -> bool {
    if few.len() < 2 || many.len() > 32 {
        return false;
    }
    let (mut n_met, mut taken, mut met_parts, mut parts, mut met_others) = (0, 0u32, 0u8, 0u8, 0u8);
    for (word, part) in few {
        parts |= 1 << part;
        let free = |place: &usize| taken >> place & 1 == 0;
        let exact = (0..many.len()).filter(free).find(|place| many[*place].0 == *word);
        let found = exact.or_else(|| (0..many.len()).filter(free).find(|place| is_good(grade(*word, many[*place].0))));
        if let Some(place) = found {
            n_met += 1;
            taken |= 1 << place;
            met_parts |= 1 << part;
            met_others |= 1 << many[place].1;
        }
    }
    let said = parts & (1 << GIVEN_WORD | 1 << FAMILY_WORD);
    let all_say = met_parts & said == said || met_parts >> ALIAS_WORD & 1 == 1;
    n_met >= 2 && n_met + usize::from(few.len() >= 4) >= few.len() && all_say && met_others.count_ones() >= 2
}

/// The level of two different names.
pub(super) fn value_level(kind: Kind, records: &Records, dictionary: &Dictionary, a: ValueId, b: ValueId) -> u8 {
    // "Client 7" and "Client 9" are two clients.
    if numbers_of(dictionary.text(a)).ne(numbers_of(dictionary.text(b))) {
        return name_level::DIFFERENT;
    }
    let (keys_a, keys_b) = (dictionary.keys(a), dictionary.keys(b));
    let sound = if kind == Kind::Family { name_keys::FAMILY } else { name_keys::SKELETON };
    if keys_a[sound] == keys_b[sound] {
        return name_level::SAME_SOUND;
    }
    if kind != Kind::Family && share_nickname(keys_a, keys_b) {
        return name_level::NICKNAME;
    }
    let (parts_a, parts_b) = (records.name_parts(&a), records.name_parts(&b));
    let text_level = word_level(dictionary, a, b);
    if text_level < name_level::SIMILAR || parts_a.len() == 1 && parts_b.len() == 1 {
        return text_level;
    }
    let (few, many) = if parts_a.len() <= parts_b.len() { (parts_a, parts_b) } else { (parts_b, parts_a) };
    let meets = |one: &ValueId| {
        many.iter().any(|other| {
            one == other || {
                let (keys, others) = (dictionary.keys(*one), dictionary.keys(*other));
                keys[name_keys::SKELETON] == others[name_keys::SKELETON] || word_level(dictionary, *one, *other) == name_level::TYPO
            }
        })
    };
    let n_met = few.iter().filter(|one| meets(one)).count();
    if n_met == few.len() && few.len() == many.len() {
        name_level::SAME_SOUND
    } else if n_met == few.len() || n_met >= 2 {
        name_level::PARTIAL
    } else {
        text_level
    }
}

fn share_nickname(a: &Keys, b: &Keys) -> bool {
    if a[name_keys::NICKNAMES] == 0 || b[name_keys::NICKNAMES] == 0 {
        return false;
    }
    let classes = |keys: &Keys| {
        let [one, more] = [keys[name_keys::NICKNAMES], keys[name_keys::MORE_NICKNAMES]];
        [one & 0xffff, one >> 16, more & 0xffff, more >> 16]
    };
    classes(a).iter().any(|class| *class != 0 && classes(b).contains(class))
}

fn word_level(dictionary: &Dictionary, a: ValueId, b: ValueId) -> u8 {
    let (short, long) = (dictionary.text(a), dictionary.text(b));
    let (short, long) = if short.len() <= long.len() { (short, long) } else { (long, short) };
    if short.len() == 1 {
        let first = |id: ValueId| dictionary.keys(id)[name_keys::PREFIX] >> 24;
        let is_initial = long.first() == short.first() || first(a) == first(b);
        return if is_initial { name_level::INITIAL } else { name_level::DIFFERENT };
    }
    let apart = dictionary.letters_apart(a, b);
    if apart <= 4 {
        let distance = edit_distance(short, long, 2);
        if distance == 1 && short.len() >= 3 || distance == 2 && short.len() >= 7 {
            return name_level::TYPO;
        }
        if distance == 2 && short.len() >= 4 || distance == 1 && short[0] == long[0] {
            return name_level::SIMILAR;
        }
    }
    if may_be_similar(short.len(), long.len(), apart, 880) && jaro_winkler(short, long) >= 880 {
        return name_level::SIMILAR;
    }
    // "Alex" for Alexander.
    if short.len() >= 3 && long.starts_with(short) { name_level::SIMILAR } else { name_level::DIFFERENT }
}
