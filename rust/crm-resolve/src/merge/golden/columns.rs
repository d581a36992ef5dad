//! One golden column at a time.
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use crm_core::Role;

use crate::merge::golden::{GoldenColumn, Kind, Portion};
use crate::merge::survivorship::{Candidate, winner};
use crate::merge::{Strategy, consent};

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
            buffer.one.clear();
            match read_cell(portion, column, range.start, &mut buffer.one) {
                true => values.append_value(&buffer.one),
                false => values.append_null(),
            }
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
    let candidates: Vec<Candidate<'_>> =
        buffer.spans.iter().map(|(member, span)| Candidate { member: *member as usize, value: &buffer.text[span.clone()] }).collect();
    let chosen = match column.kind {
        // The founding record names the contact, so it also names its source.
        Kind::Source | Kind::Role(Role::SourceKey) => {
            let founder = portion.founder(range);
            candidates.iter().copied().find(|candidate| portion.ids[portion.records[range.start + candidate.member] as usize] == founder)
        }
        Kind::Role(Role::MarketingConsent) => {
            candidates.iter().copied().find(|candidate| candidate.value == "no").or_else(|| winner(column.strategy, &candidates))
        }
        _ => winner(column.strategy, &candidates),
    }?;
    let chosen = if keeps_spelling(column.kind) { best_spelling(chosen, &candidates) } else { chosen };
    Some((chosen.member, chosen.value))
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
        let mut taken: Vec<&str> = Vec::new();
        for (place, span) in buffer.spans.iter().filter(|(place, _)| only.is_none_or(|only| only == *place)) {
            for value in buffer.text[span.clone()].split('\n') {
                if !taken.contains(&value) {
                    taken.push(value);
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
            self.one.clear();
            if read_cell(portion, column, range.start + *place as usize, &mut self.one) {
                let start = self.text.len();
                self.text.push_str(&self.one);
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

/// Writes the canonical value of one record for a column to `out`; `false` where it has none.
fn read_cell(portion: &Portion<'_>, column: &GoldenColumn, at: usize, out: &mut String) -> bool {
    let row = portion.refs[at];
    let layout = portion.rows.layout(row);
    let cells = column.places[layout].iter().filter_map(|place| portion.rows.text(row, *place));
    match column.kind {
        Kind::Custom => {
            let found = cells.into_iter().find(|text| !text.trim().is_empty());
            out.push_str(found.unwrap_or_default());
            found.is_some()
        }
        Kind::Source => {
            let found = cells.map(str::trim).find(|text| !text.is_empty());
            out.push_str(found.unwrap_or(&portion.plan.layouts[layout].source));
            true
        }
        Kind::ContactType => contact_type(portion, cells, at, out),
        Kind::Role(Role::MarketingConsent) => {
            for text in cells {
                match consent::parse(text, column.is_negated[layout]) {
                    Some(false) => {
                        out.clear();
                        out.push_str("no");
                        return true;
                    }
                    Some(true) => {
                        out.clear();
                        out.push_str("yes");
                    }
                    None if out.is_empty() => out.push_str(text.trim()),
                    None => {}
                }
            }
            !out.is_empty()
        }
        Kind::Role(role) => role_value(portion, role, cells, out),
    }
}

/// A role that several columns make up: lists and addresses have them all, other roles the first that holds a value.
fn role_value<'a>(portion: &Portion<'_>, role: Role, cells: impl Iterator<Item = &'a str>, out: &mut String) -> bool {
    let joint = match role {
        _ if role.is_list() => Some('\n'),
        Role::Street | Role::FullName => Some(' '),
        _ => None,
    };
    let mut part = String::new();
    for text in cells.filter(|text| !text.is_empty()) {
        if out.is_empty() {
            if portion.canonicalizer.canonical(role, text, out) {
                if joint.is_none() {
                    return true;
                }
            } else {
                out.clear();
            }
            continue;
        }
        part.clear();
        if portion.canonicalizer.canonical(role, text, &mut part) {
            out.extend(joint);
            out.push_str(&part);
        }
    }
    !out.is_empty()
}

/// The input's word, else what the names say: a record with a company's name and no person's is a company.
fn contact_type<'a>(portion: &Portion<'_>, mut cells: impl Iterator<Item = &'a str>, at: usize, out: &mut String) -> bool {
    if let Some(text) = cells.find(|text| !text.trim().is_empty()) {
        return portion.canonicalizer.canonical(Role::ContactType, text, out);
    }
    let row = portion.refs[at];
    let layout = &portion.plan.layouts[portion.rows.layout(row)];
    let has = |wanted: &[Role]| {
        let mut places = layout.columns.iter().enumerate().filter(|(_, column)| column.role.is_some_and(|role| wanted.contains(&role)));
        places.any(|(place, _)| portion.rows.text(row, place).is_some_and(|text| !text.trim().is_empty()))
    };
    if has(&[Role::FamilyName, Role::GivenName, Role::FullName, Role::BirthDate]) {
        out.push_str("person");
    } else if has(&[Role::CompanyName]) {
        out.push_str("company");
    } else {
        return false;
    }
    true
}
