//! One golden column at a time.
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use crm_core::Role;

use crate::merge::canonical::is_blank;
use crate::merge::golden::{GoldenColumn, Kind, Portion};
use crate::merge::survivorship::{Candidate, winner};
use crate::merge::{Strategy, consent};
use crate::normalize::parse_social;

/// The values of a column for all contacts of a portion, and for those of several records the record each came from.
pub fn build_column(portion: &Portion<'_>, column: &GoldenColumn) -> (ArrayRef, ArrayRef) {
    if column.kind.is_list() { list_column(portion, column) } else { text_column(portion, column) }
}

/// Buffers for the values of one contact: canonical texts end to end, and per value its record's place and its span.
#[derive(Default)]
struct Values {
    text: String,
    spans: Vec<(u32, Range<usize>)>,
    one: String,
}

fn text_column(portion: &Portion<'_>, column: &GoldenColumn) -> (ArrayRef, ArrayRef) {
    let mut values = StringBuilder::with_capacity(portion.ranges.len(), portion.ranges.len() * 12);
    let mut origins = Int64Builder::new();
    let mut buffer = Values::default();
    for range in &portion.ranges {
        if range.len() == 1 {
            values.append_option(read_cell(portion, column, range.start, &mut buffer.one));
            continue;
        }
        buffer.read(portion, column, range);
        let chosen = if buffer.spans.is_empty() { None } else { choose(portion, column, range, &mut buffer) };
        match chosen {
            Some((place, text)) => {
                values.append_value(text);
                origins.append_value(portion.ids[portion.records[range.start + place] as usize]);
            }
            None => {
                values.append_null();
                origins.append_null();
            }
        }
    }
    (Arc::new(values.finish()), Arc::new(origins.finish()))
}

/// The winning value of a contact of several records and the place of its record.
fn choose<'a>(portion: &Portion<'_>, column: &GoldenColumn, range: &Range<usize>, buffer: &'a mut Values) -> Option<(usize, &'a str)> {
    if column.strategy == Strategy::Union && column.kind == Kind::Custom {
        return Some(buffer.join_all());
    }
    let mut candidates: Vec<Candidate<'_>> =
        buffer.spans.iter().map(|(member, span)| Candidate { member: *member as usize, value: &buffer.text[span.clone()] }).collect();
    if matches!(column.kind, Kind::Role(Role::BirthDate | Role::CreatedAt | Role::UpdatedAt)) {
        keep_read_dates(&mut candidates);
    }
    let is_undated = column.is_default && !portion.precedence.is_dated(range);
    let strategy = if is_undated { Strategy::MostFrequent } else { column.strategy };
    let chosen = match column.kind {
        // The founding record names the contact, so it also names its source.
        Kind::Source | Kind::Role(Role::SourceKey) => {
            let founder = portion.founder(range);
            candidates.iter().copied().find(|candidate| portion.ids[portion.records[range.start + candidate.member] as usize] == founder)
        }
        Kind::Role(Role::MarketingConsent) => {
            // Refusal wins, then an answer that nobody can be sure of: only consent that nothing contradicts is consent.
            let refused = candidates.iter().copied().find(|candidate| candidate.value == "no");
            let unclear = || candidates.iter().copied().find(|candidate| candidate.value != "yes");
            refused.or_else(unclear).or_else(|| winner(strategy, &candidates))
        }
        _ => winner(strategy, &candidates),
    }?;
    let chosen = if keeps_spelling(column.kind) { best_spelling(chosen, &candidates) } else { chosen };
    Some((chosen.member, chosen.value))
}

/// What could not be read as a date stands only where no record has one that could.
fn keep_read_dates(candidates: &mut Vec<Candidate<'_>>) {
    let is_read = |text: &str| text.len() >= 4 && text.bytes().take(4).all(|byte| byte.is_ascii_digit());
    if candidates.iter().any(|candidate| is_read(candidate.value)) {
        candidates.retain(|candidate| is_read(candidate.value));
    }
}

fn keeps_spelling(kind: Kind) -> bool {
    use Role::{City, CompanyName, FamilyName, FullName, GivenName, JobTitle, MiddleName, Street};
    matches!(kind, Kind::Role(FullName | FamilyName | GivenName | MiddleName | CompanyName | JobTitle | City | Street))
}

/// Of the records that write the winner in the same letters, one that uses capitals as people do; `IVANOV` gives way to `Ivanov`.
fn best_spelling<'a>(chosen: Candidate<'a>, candidates: &[Candidate<'a>]) -> Candidate<'a> {
    let is_mixed = |text: &str| text.chars().any(char::is_uppercase) && text.chars().any(char::is_lowercase);
    if is_mixed(chosen.value) {
        return chosen;
    }
    let folded = chosen.value.to_lowercase();
    candidates.iter().copied().find(|other| is_mixed(other.value) && other.value.to_lowercase() == folded).unwrap_or(chosen)
}

fn list_column(portion: &Portion<'_>, column: &GoldenColumn) -> (ArrayRef, ArrayRef) {
    let n = portion.ranges.len();
    let mut values = ListBuilder::with_capacity(StringBuilder::with_capacity(n, n * 16), n);
    let mut origins = ListBuilder::new(Int64Builder::new());
    let mut buffer = Values::default();
    for range in &portion.ranges {
        buffer.read(portion, column, range);
        let is_several = range.len() > 1;
        if buffer.spans.is_empty() {
            values.append_null();
            if is_several {
                origins.append_null();
            }
            continue;
        }
        let only = if is_several && column.strategy != Strategy::Union { winner_of_list(column, &buffer) } else { None };
        let mut taken: Vec<Cow<'_, str>> = Vec::new();
        for (place, span) in buffer.spans.iter().filter(|(place, _)| only.is_none_or(|only| only == *place)) {
            for value in buffer.text[span.clone()].split('\n') {
                let identity = identity_of(column.kind, value);
                if !taken.contains(&identity) {
                    taken.push(identity);
                    values.values().append_value(value);
                    if is_several {
                        origins.values().append_value(portion.ids[portion.records[range.start + *place as usize] as usize]);
                    }
                }
            }
        }
        values.append(true);
        if is_several {
            origins.append(true);
        }
    }
    (Arc::new(values.finish()), Arc::new(origins.finish()))
}

/// What two values of a list have in common when they are one: links and handles are told apart by where they lead, not by how they are written.
fn identity_of(kind: Kind, value: &str) -> Cow<'_, str> {
    let mut handle = String::new();
    match kind {
        Kind::Role(Role::Social) if parse_social(value, &mut handle).is_ok() && handle.contains(':') => Cow::Owned(handle),
        Kind::Role(Role::Website | Role::Social) => Cow::Owned(value.to_lowercase()),
        _ => Cow::Borrowed(value),
    }
}

/// The one record whose values make the list, where lists are not united.
fn winner_of_list(column: &GoldenColumn, buffer: &Values) -> Option<u32> {
    let candidates: Vec<Candidate<'_>> =
        buffer.spans.iter().map(|(member, span)| Candidate { member: *member as usize, value: &buffer.text[span.clone()] }).collect();
    winner(column.strategy, &candidates).map(|winner| winner.member as u32)
}

impl Values {
    /// Reads the values of all records of a contact in the order in which the column's strategy asks them.
    fn read(&mut self, portion: &Portion<'_>, column: &GoldenColumn, range: &Range<usize>) {
        self.text.clear();
        self.spans.clear();
        let alone = [0];
        let order = if range.len() == 1 { &alone[..] } else { portion.precedence.of(column.strategy, range) };
        for place in order {
            if let Some(value) = read_cell(portion, column, range.start + *place as usize, &mut self.one) {
                let start = self.text.len();
                self.text.push_str(value);
                self.spans.push((*place, start..self.text.len()));
            }
        }
    }

    /// All different values joined, and the place of the first.
    fn join_all(&mut self) -> (usize, &str) {
        self.one.clear();
        let mut taken: Vec<&str> = Vec::new();
        for (_, span) in &self.spans {
            let value = &self.text[span.clone()];
            if !taken.contains(&value) {
                if !taken.is_empty() {
                    self.one.push_str("; ");
                }
                self.one.push_str(value);
                taken.push(value);
            }
        }
        (self.spans.first().map_or(0, |(place, _)| *place as usize), &self.one)
    }
}

/// The canonical value of one record for a column, in its cell or in `buffer`.
fn read_cell<'a>(portion: &'a Portion<'_>, column: &GoldenColumn, at: usize, buffer: &'a mut String) -> Option<&'a str> {
    let row = portion.refs[at];
    let layout = portion.rows.layout(row);
    let places = &column.places[layout];
    let mut cells = places.iter().filter_map(|place| portion.rows.text(row, *place));
    buffer.clear();
    match column.kind {
        Kind::Custom => cells.find(|text| !is_blank(text)),
        Kind::Source => Some(cells.map(str::trim).find(|text| !text.is_empty()).unwrap_or(&portion.plan.layouts[layout].source)),
        Kind::ContactType => match cells.find(|text| !is_blank(text)) {
            Some(text) => portion.canonicalizer.canonical(layout, Role::ContactType, text, buffer),
            None => portion.plan.contact_type(layout, |place| portion.rows.text(row, place).is_some_and(|text| !is_blank(text))),
        },
        Kind::Role(Role::MarketingConsent) => {
            let answers = places.iter().zip(&column.is_negated[layout]);
            consent::of_all(answers.filter_map(|(place, is_negated)| Some((portion.rows.text(row, *place)?, *is_negated))))
        }
        Kind::Role(role) => match places.as_slice() {
            [_] => portion.canonicalizer.canonical(layout, role, cells.next()?, buffer),
            _ => joint_value(portion, layout, role, cells, buffer),
        },
    }
}

/// A role that several columns make up: lists, addresses, whole names and notes have them all, other roles the first that holds a value.
fn joint_value<'a>(
    portion: &Portion<'_>,
    layout: usize,
    role: Role,
    cells: impl Iterator<Item = &'a str>,
    buffer: &'a mut String,
) -> Option<&'a str> {
    let joint = match role {
        _ if role.is_list() || role == Role::Note => Some('\n'),
        Role::Street | Role::FullName => Some(' '),
        _ => None,
    };
    let mut part = String::new();
    for text in cells {
        part.clear();
        if let Some(value) = portion.canonicalizer.canonical(layout, role, text, &mut part) {
            if role == Role::Note && buffer.split('\n').any(|known| known == value) {
                continue;
            }
            if !buffer.is_empty() {
                buffer.extend(joint);
            }
            buffer.push_str(value);
            if joint.is_none() {
                break;
            }
        }
    }
    (!buffer.is_empty()).then_some(buffer.as_str())
}
