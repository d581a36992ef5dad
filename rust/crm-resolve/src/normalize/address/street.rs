//! A street address taken apart.
use super::super::text::{FoldedWords, fold_into, is_word_char, skeleton_into};
use super::super::{Reason, ShortText, placeholder_reason};
use super::postcode::begins_british;
use super::street_words::{JOINED_TYPES, Mark, direction, mark, ordinal};

/// Longest cell that is taken for an address.
const MAX_LEN: usize = 400;

/// One street address, in buffers that are used again for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Street {
    /// Skeleton of the street's name without its type: `brivibas`, `lenina`, `5`, `n main`.
    pub street: String,
    /// House number, capitals, Latin letters: `12A`, `5/7`.
    pub house: ShortText,
    /// Building, block or structure (корпус, строение, bldg).
    pub building: ShortText,
    /// Flat, office, suite.
    pub flat: ShortText,
    /// Post-office box.
    pub po_box: ShortText,
    /// A postcode found in the text, as written (see [`parse_postcode`](super::parse_postcode)).
    pub postcode: ShortText,
    /// Skeleton of the town, district or country words found beside the street; may be empty.
    pub place: String,
    word: String,
    skeleton: String,
}

impl Street {
    fn clear(&mut self) {
        self.street.clear();
        self.place.clear();
        for number in [&mut self.house, &mut self.building, &mut self.flat, &mut self.po_box, &mut self.postcode] {
            *number = ShortText::default();
        }
    }
}

/// Takes a street address apart into `out`; the house may be anywhere (`123 Main St`, `Brīvības iela 12-45`, `ул. Ленина, д. 5 корп. 2, кв. 10`).
///
/// ```
/// use crm_resolve::normalize::{Street, parse_street};
/// let mut street = Street::default();
/// parse_street("г. Москва, ул. 8 Марта, д. 5а, корп. 2, кв. 10", &mut street).unwrap();
/// assert_eq!((street.street.as_str(), street.house.as_str(), street.building.as_str(), street.flat.as_str()), ("8 marta", "5A", "2", "10"));
/// parse_street("Brīvības iela 12-45, Rīga, LV-1010", &mut street).unwrap();
/// assert_eq!((street.street.as_str(), street.house.as_str(), street.flat.as_str(), street.postcode.as_str()), ("brivibas", "12", "45", "LV-1010"));
/// parse_street("123 N. Main Street Apt 4B", &mut street).unwrap();
/// assert_eq!((street.street.as_str(), street.house.as_str(), street.flat.as_str()), ("n main", "123", "4B"));
/// ```
pub fn parse_street(raw: &str, out: &mut Street) -> Result<(), Reason> {
    out.clear();
    if let Some(reason) = placeholder_reason(raw) {
        return Err(reason);
    }
    if raw.len() > MAX_LEN {
        return Err(Reason::TooLong);
    }
    let mut parser = Parser {
        out,
        pending: None,
        in_place: false,
        confirmed: false,
        segment_words: 0,
        street_words_before: 0,
        place_words_before: 0,
        house_done: false,
        street_open: false,
        is_aside: false,
        led_by: None,
        is_weak: false,
    };
    let mut rest = raw;
    let mut separator = ' ';
    while let Some(start) = rest.find(|c: char| is_word_char(c) || c == '№' || c == '#') {
        separator = if rest[..start].contains([',', ';', '\n']) {
            parser.end_segment();
            ','
        } else {
            rest[..start].chars().next_back().unwrap_or(separator)
        };
        let text = &rest[start..];
        let first = text.chars().next().unwrap_or(' ');
        if matches!(first, '№' | '#') {
            parser.pending = Some(if first == '#' && parser.house_done { Mark::Flat } else { Mark::House });
            rest = &text[first.len_utf8()..];
            continue;
        }
        let end = text.find(|c: char| !(is_word_char(c) || matches!(c, '\'' | '’' | '\u{300}'..='\u{36f}'))).unwrap_or(text.len());
        let (token, following) = text.split_at(end);
        rest = following;
        // `а/я`, `p/k`, `пр-т`, `б-р`, `р-н`: one word with a mark inside.
        if let Some((joined, left)) = joined_word(token, following) {
            parser.mark(joined);
            rest = left;
            continue;
        }
        parser.token(token, separator, following);
        separator = ' ';
    }
    parser.end_segment();
    if out.street.is_empty() && !out.place.is_empty() && out.house.as_bytes().is_empty() {
        out.street = std::mem::take(&mut out.place);
    }
    let empty = out.street.is_empty() && out.house.as_bytes().is_empty() && out.po_box.as_bytes().is_empty();
    if empty && out.postcode.as_bytes().is_empty() { Err(Reason::BadFormat) } else { Ok(()) }
}

fn joined_word<'a>(token: &str, following: &'a str) -> Option<(Mark, &'a str)> {
    const JOINED: [(&str, &str, Mark); 15] = [
        ("а", "/я", Mark::PoBox),
        ("a", "/я", Mark::PoBox),
        ("пр", "-т", Mark::Street),
        ("пр", "-кт", Mark::Street),
        ("пр", "-д", Mark::Street),
        ("пр", "-зд", Mark::Street),
        ("б", "-р", Mark::Street),
        ("пл", "-дь", Mark::Street),
        ("ш", "-се", Mark::Street),
        ("наб", "-я", Mark::Street),
        ("мкр", "-н", Mark::Street),
        ("м", "-н", Mark::Street),
        ("р", "-н", Mark::Place),
        ("a", "/k", Mark::PoBox),
        ("п", "/я", Mark::PoBox),
    ];
    if token.len() > 6 || !following.starts_with(['-', '/']) {
        return None;
    }
    JOINED.iter().find_map(|&(word, tail, mark)| {
        let left = following.strip_prefix(tail)?;
        let same = token.chars().flat_map(char::to_lowercase).eq(word.chars());
        (same && !left.starts_with(char::is_alphanumeric)).then_some((mark, left))
    })
}

struct Parser<'a> {
    out: &'a mut Street,
    /// What the next number is.
    pending: Option<Mark>,
    /// Words go to the place until the next comma.
    in_place: bool,
    /// The street is known: it had a type word or a house number.
    confirmed: bool,
    segment_words: usize,
    street_words_before: usize,
    place_words_before: usize,
    house_done: bool,
    /// Words still belong to the street's name.
    street_open: bool,
    /// What follows up to the next comma only says what is near.
    is_aside: bool,
    /// What stood first since the last comma, where it was a number.
    led_by: Option<Mark>,
    /// Only a flat's number says that the words are the street: they may be a building's name.
    is_weak: bool,
}

fn append_word(text: &mut String, word: &str) {
    if word.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

impl Parser<'_> {
    fn end_segment(&mut self) {
        // `4 Brown Meadows, Leetown`: words behind a number are the street, though no word says so, and what follows is the town.
        if self.led_by.is_some() && self.segment_words > 0 && !self.confirmed && !self.in_place && !self.out.street.is_empty() {
            self.confirmed = true;
            self.is_weak = self.led_by == Some(Mark::Flat);
        }
        self.led_by = None;
        self.in_place = false;
        self.is_aside = false;
        if matches!(self.pending, Some(Mark::Street | Mark::Place)) {
            self.pending = None;
        }
        self.segment_words = 0;
        self.street_open = false;
        self.street_words_before = self.out.street.len();
        self.place_words_before = self.out.place.len();
    }

    /// `Flat 2 Springfield Mills, Station Road`, `Unit 5 Springfield Mills, 12 Main Road`: the words behind the flat were a building's name,
    /// the street is what this segment names.
    fn give_way(&mut self) {
        if self.is_weak {
            let named = self.out.place.split_off(self.place_words_before);
            let building = std::mem::replace(&mut self.out.street, named.trim_start().to_owned());
            append_word(&mut self.out.place, &building);
            (self.confirmed, self.is_weak) = (false, false);
        }
    }

    fn mark(&mut self, mark: Mark) {
        match mark {
            Mark::Street => {
                self.give_way();
                if !self.house_done || !self.confirmed || self.street_open {
                    // Words of an earlier segment were a town.
                    if self.segment_words == 0 && self.street_words_before > 0 && !self.confirmed {
                        let earlier = std::mem::take(&mut self.out.street);
                        append_word(&mut self.out.place, &earlier);
                        self.street_words_before = 0;
                    }
                    self.confirmed = true;
                    self.in_place = false;
                    // `123 Main St Springfield`: the type ends the name where the house stood first.
                    let ends_name = self.house_done && self.street_open;
                    self.street_open &= !ends_name;
                    self.pending = (!ends_name).then_some(Mark::Street);
                }
            }
            Mark::Place => {
                self.in_place = true;
                self.pending = None;
            }
            Mark::Ignored => self.pending = Some(Mark::Ignored),
            other => self.pending = Some(other),
        }
    }

    fn token(&mut self, token: &str, separator: char, following: &str) {
        let mut word = std::mem::take(&mut self.out.word);
        fold_into(token, &mut word);
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        // `95 Ave. A at 6th St.`: behind a whole address.
        self.is_aside |= self.house_done && self.confirmed && !self.out.street.is_empty() && mark(&word) == Some(Mark::Near);
        if self.is_aside {
            // Nothing of it is the address's.
        } else if digits > 0 {
            self.number(&word, digits, separator, following);
        } else {
            self.word(token, &word, following);
        }
        self.out.word = word;
    }

    fn word(&mut self, token: &str, word: &str, following: &str) {
        // `LV-1010`: a country before a postcode.
        if word.len() == 2
            && word.is_ascii()
            && following.starts_with('-')
            && following[1..].bytes().take_while(u8::is_ascii_digit).count() >= 4
        {
            self.out.postcode = ShortText::new(&word.to_ascii_uppercase());
            self.out.postcode.push(b'-');
            self.pending = Some(Mark::Postcode);
            return;
        }
        if !matches!(self.pending, Some(Mark::Flat | Mark::Building | Mark::House)) && begins_british(word, following) {
            self.out.postcode = ShortText::new(&word.to_ascii_uppercase());
            self.pending = Some(Mark::Postcode);
            return;
        }
        // к2, кв10, д5, apt4: a mark and its number in one word.
        if let Some(at) = word.find(|c: char| c.is_ascii_digit())
            && let Some(found @ (Mark::House | Mark::Building | Mark::Flat)) = mark(&word[..at])
        {
            self.pending = Some(found);
            let number = word[at..].to_owned();
            let digits = number.bytes().take_while(u8::is_ascii_digit).count();
            self.number(&number, digits, ' ', following);
            return;
        }
        let n_letters = word.chars().count();
        let next_is_number = following.trim_start_matches(['.', ' ', ':', '-', '№', '#']).starts_with(|c: char| c.is_ascii_digit());
        let found = mark(word).filter(|&found| match found {
            // `St James Road`, `Dr King Blvd`: before any street word they are a saint and a doctor.
            Mark::Street
                if matches!(
                    word,
                    "st" | "dr"
                        | "av"
                        | "per"
                        | "tr"
                        | "cr"
                        | "m"
                        | "cl"
                        | "pass"
                        | "row"
                        | "tie"
                        | "ring"
                        | "via"
                        | "way"
                        | "place"
                        | "close"
                ) =>
            {
                self.segment_words > 0 && !self.in_place || word == "via" || word == "per" && following.starts_with('.')
            }
            Mark::House | Mark::Building | Mark::Flat | Mark::Postcode => {
                next_is_number
                    || n_letters > 4
                    || following.starts_with('.')
                    || (matches!(found, Mark::Flat) && self.house_done && following.trim_start().chars().count() <= 6)
            }
            // A single letter is a mark only with its dot or before a name.
            Mark::Place => following.starts_with('.') || n_letters > 2 || following.starts_with(' ') && self.segment_words == 0,
            Mark::Near => false,
            Mark::Ignored => next_is_number || self.house_done || matches!(word, "po" | "p" | "o" | "post"),
            _ => true,
        });
        if let Some(found) = found {
            // `5th floor`, `Riga city`: the number or name stood before.
            self.mark(found);
            return;
        }
        // A letter after a flat or building mark: `Apt B`, `Apt. B2`, `лит. А`; or after the house: `12 a`.
        let is_letter = n_letters == 1;
        if (is_letter || n_letters <= 4 && word.ends_with(|c: char| c.is_ascii_digit()))
            && let Some(pending @ (Mark::Flat | Mark::Building)) = self.pending
        {
            self.take_number(pending, word);
            self.pending = None;
            return;
        }
        if is_letter
            && self.house_done
            && !self.in_place
            && self.segment_words > 0
            && self.out.house.as_bytes().last().is_some_and(u8::is_ascii_digit)
            && direction(word).is_none()
        {
            push_number(&mut self.out.house, word);
            return;
        }
        let mut skeleton = std::mem::take(&mut self.out.skeleton);
        match direction(word).or_else(|| ordinal(word)) {
            Some(short) => {
                skeleton.clear();
                skeleton.push_str(short);
            }
            None => skeleton_into(token, &mut skeleton),
        }
        if (!self.confirmed || self.is_weak) && !self.in_place {
            for joined in JOINED_TYPES {
                if skeleton.len() > joined.len() + 2 && skeleton.ends_with(joined) {
                    skeleton.truncate(skeleton.len() - joined.len());
                    self.give_way();
                    self.confirmed = true;
                    break;
                }
            }
        }
        let before_type = self.pending == Some(Mark::Street);
        let new_segment = self.segment_words == 0 && !self.confirmed;
        let compass = direction(word).is_some() && self.segment_words > 0 && self.confirmed;
        let street_segment = !self.in_place && (self.out.street.is_empty() || self.street_open || before_type || new_segment || compass);
        if street_segment {
            if self.segment_words == 0 && !self.confirmed && !self.out.street.is_empty() {
                // A new segment of words: the earlier one was a town.
                let earlier = std::mem::take(&mut self.out.street);
                append_word(&mut self.out.place, &earlier);
            }
            append_word(&mut self.out.street, &skeleton);
            self.street_open |= !compass;
        } else {
            append_word(&mut self.out.place, &skeleton);
            if self.in_place {
                self.place_words_before = self.out.place.len();
            }
        }
        self.segment_words += 1;
        self.out.skeleton = skeleton;
    }

    fn number(&mut self, word: &str, digits: usize, separator: char, following: &str) {
        let tail = &word[digits..];
        let next_word = || {
            let next = following.trim_start_matches(['-', '.', ' ']);
            let end = next.find(|c: char| !c.is_alphabetic()).unwrap_or(next.len());
            let mut folded = String::new();
            fold_into(&next[..end], &mut folded);
            folded
        };
        match self.pending {
            Some(Mark::Street) | None => {}
            Some(Mark::Ignored) => {
                self.pending = None;
                return;
            }
            Some(pending) => {
                self.take_number(pending, word);
                self.pending = None;
                return;
            }
        }
        // 5- or 6-digit numbers alone are postcodes, except a house number in front of a street (US).
        if tail.is_empty()
            && (digits == 6 || digits == 5 && (self.house_done || separator == ',' && self.confirmed))
            && self.out.postcode.as_bytes().is_empty()
        {
            self.out.postcode = ShortText::new(word);
            return;
        }
        let is_ordinal = matches!(tail, "st" | "nd" | "rd" | "th" | "я" | "й" | "ая" | "ый" | "ой" | "го");
        if is_ordinal
            || (following.starts_with('-') && ["я", "й", "ая", "ый", "го", "ой"].iter().any(|end| following[1..].starts_with(end)))
        {
            // `3rd floor`
            if mark(&next_word()) != Some(Mark::Ignored) {
                append_word(&mut self.out.street, &word[..digits]);
                self.segment_words += 1;
            }
            return;
        }
        if self.house_done {
            match separator {
                '-' | '–' if self.out.flat.as_bytes().is_empty() => self.take_number(Mark::Flat, word),
                '/' if self.out.building.as_bytes().is_empty() => self.take_number(Mark::Building, word),
                _ if self.out.flat.as_bytes().is_empty() && self.segment_words == 0 => self.take_number(Mark::Flat, word),
                _ => {}
            }
            return;
        }
        // `ул. 8 Марта`: a number between the type and a word belongs to the name.
        let is_named = |next: String| next.chars().count() > 1 && matches!(mark(&next), None | Some(Mark::Street | Mark::Near));
        if self.pending == Some(Mark::Street) && self.segment_words == 0 && is_named(next_word()) {
            append_word(&mut self.out.street, word);
            self.segment_words += 1;
            return;
        }
        self.take_number(Mark::House, word);
    }

    fn take_number(&mut self, mark: Mark, word: &str) {
        if self.segment_words == 0 && matches!(mark, Mark::House | Mark::Flat) {
            self.led_by = self.led_by.or(Some(mark));
        }
        match mark {
            Mark::House => {
                self.give_way();
                push_number(&mut self.out.house, word);
                self.house_done = true;
                if !self.out.street.is_empty() {
                    self.confirmed = true;
                    self.street_open = false;
                }
            }
            Mark::Building => push_number(&mut self.out.building, word),
            Mark::Flat => push_number(&mut self.out.flat, word),
            Mark::PoBox => push_number(&mut self.out.po_box, word),
            Mark::Postcode => push_number(&mut self.out.postcode, word),
            _ => {}
        }
    }
}

/// Adds digits and letters; Cyrillic letters as the Latin ones that sound alike (а is A, б is B).
fn push_number(number: &mut ShortText, word: &str) {
    for c in word.chars() {
        if c.is_ascii_alphanumeric() {
            number.push(c.to_ascii_uppercase() as u8);
        } else {
            let letter = match c {
                'а' => b'A',
                'б' => b'B',
                'в' => b'V',
                'г' => b'G',
                'д' => b'D',
                'е' => b'E',
                'ж' => b'Z',
                'к' => b'K',
                'л' => b'L',
                'м' => b'M',
                'н' => b'N',
                _ => continue,
            };
            number.push(letter);
        }
    }
}

/// 0 to 1: how much a cell looks like a street address: a type of street with a number is strong.
pub fn street_confidence(raw: &str) -> f32 {
    if raw.len() > MAX_LEN || placeholder_reason(raw).is_some() || raw.contains('@') {
        return 0.0;
    }
    let mut folded = String::new();
    let (mut streets, mut marks, mut numbers, mut words) = (0, 0, 0, 0);
    for token in FoldedWords::new(raw) {
        fold_into(token, &mut folded);
        if folded.starts_with(|c: char| c.is_ascii_digit()) {
            numbers += 1;
            continue;
        }
        words += 1;
        match mark(&folded) {
            Some(Mark::Street) => streets += 1,
            Some(Mark::House | Mark::Flat | Mark::PoBox | Mark::Building) => marks += 1,
            _ => {}
        }
    }
    match (streets, marks, numbers) {
        _ if words == 0 => 0.0,
        (1.., _, 1..) => 0.95,
        (0, 1.., 1..) => 0.7,
        (1.., _, 0) => 0.6,
        (0, 0, 1..=3) if words <= 5 => 0.35,
        _ => 0.05,
    }
}
