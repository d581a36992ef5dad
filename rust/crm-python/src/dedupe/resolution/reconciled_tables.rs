//! The tables of a reconciliation, portion by portion.
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int32Builder, Int64Builder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{Field, Schema, SchemaRef};
use crm_core::{Control, Error, Result, Role};
use crm_resolve::merge::{RowRef, Rows};
use crm_resolve::reconcile::{Comparer, Fate, FieldKind, Newer, Pair, Verdict};
use crm_resolve::weight_to_probability;

use super::reconciled::{Line, Reconciled, label_places, records_of};

/// Rows of a portion.
const BATCH_ROWS: usize = 65_536;

/// A table of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Matched,
    Differences,
    OnlyLeft,
    OnlyRight,
    ToReview,
}

impl FromStr for Table {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "matched" => Self::Matched,
            "differences" => Self::Differences,
            "only_left" => Self::OnlyLeft,
            "only_right" => Self::OnlyRight,
            "to_review" => Self::ToReview,
            _ => return Err(Error::internal(format!("no table '{name}'"))),
        })
    }
}

/// Columns of a table while it is made.
#[derive(Default)]
struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn add(&mut self, name: impl Into<String>, array: ArrayRef) {
        // Names are unlike each other: the input may have a column of any name.
        let name = name.into();
        let is_taken = |name: &str| self.fields.iter().any(|field| field.name() == name);
        let mut free = name.clone();
        let mut number = 2;
        while is_taken(&free) {
            free = format!("{name}_{number}");
            number += 1;
        }
        self.fields.push(Field::new(free, array.data_type().clone(), true));
        self.arrays.push(array);
    }

    fn finish(self) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)?)
    }
}

/// Rows at hand, with what finds a record in them.
struct AtHand<'a> {
    rows: &'a Rows,
    locate: &'a (dyn Fn(u32) -> RowRef + Sync),
}

impl AtHand<'_> {
    fn text(&self, record: u32, places: &[Vec<usize>], kind: FieldKind, out: &mut String) {
        let at = (self.locate)(record);
        let places = &places[self.rows.layout(at)];
        Comparer::joined(kind, places.iter().filter_map(|place| self.rows.text(at, *place)), out);
    }
}

impl Reconciled {
    /// The columns of a table.
    pub fn schema(&self, table: Table) -> SchemaRef {
        let made = self
            .resolution
            .originals
            .with_records(&[], &crm_core::NoControl, |rows, locate| self.build(table, 0..0, &AtHand { rows, locate }));
        made.map_or_else(|_| Arc::new(Schema::empty()), |batch| batch.schema())
    }

    /// The rows of a table from `start`, `None` at its end.
    pub fn portion(&self, table: Table, start: usize, control: &dyn Control) -> Result<Option<RecordBatch>> {
        let end = (start + BATCH_ROWS).min(self.len(table));
        if start >= end {
            return Ok(None);
        }
        let records = self.records(table, start..end);
        control.check()?;
        let batch = self
            .resolution
            .originals
            .with_records(&records, control, |rows, locate| self.build(table, start..end, &AtHand { rows, locate }))?;
        Ok(Some(batch))
    }

    fn len(&self, table: Table) -> usize {
        match table {
            Table::Matched => self.lines.len(),
            Table::Differences => self.differences.len(),
            Table::OnlyLeft => self.only[0].len(),
            Table::OnlyRight => self.only[1].len(),
            Table::ToReview => self.to_review.len(),
        }
    }

    /// The records that a portion shows, sorted.
    fn records(&self, table: Table, range: std::ops::Range<usize>) -> Vec<u32> {
        let pair = |place: u32| self.pairing.pairs[place as usize];
        match table {
            Table::OnlyLeft => self.only[0][range].to_vec(),
            Table::OnlyRight => self.only[1][range].to_vec(),
            Table::ToReview => records_of(&self.to_review[range]),
            Table::Differences => records_of(&self.differences[range].iter().map(|(place, _)| pair(*place)).collect::<Vec<_>>()),
            Table::Matched => {
                let mut records: Vec<u32> = Vec::with_capacity(range.len() * 2);
                for line in &self.lines[range] {
                    match line {
                        Line::Pair(place) => records.extend([pair(*place).left, pair(*place).right]),
                        Line::Duplicate { record, .. } => records.push(*record),
                    }
                }
                records.sort_unstable();
                records.dedup();
                records
            }
        }
    }

    fn build(&self, table: Table, range: std::ops::Range<usize>, at_hand: &AtHand<'_>) -> Result<RecordBatch> {
        match table {
            Table::Matched => self.matched(range, at_hand),
            Table::Differences => self.differences(range, at_hand),
            Table::OnlyLeft => self.only(0, range, at_hand),
            Table::OnlyRight => self.only(1, range, at_hand),
            Table::ToReview => self.to_review(range, at_hand),
        }
    }

    fn matched(&self, range: std::ops::Range<usize>, at_hand: &AtHand<'_>) -> Result<RecordBatch> {
        let lines = &self.lines[range];
        let sides: Vec<(Option<u32>, Option<u32>)> = lines.iter().map(|line| self.sides_of(*line)).collect();
        let verdicts: Vec<Option<&[u8]>> = lines
            .iter()
            .map(
                |line| {
                    if let Line::Pair(pair) = line { Some(verdicts_of(&self.verdicts, *pair as usize, self.fields.len())) } else { None }
                },
            )
            .collect();
        let mut columns = Columns::default();
        let relation = lines.iter().zip(&sides).map(|(line, (left, _))| match (line, left) {
            (Line::Pair(_), _) => "pair",
            (Line::Duplicate { .. }, Some(_)) => "duplicate in left",
            (Line::Duplicate { .. }, None) => "duplicate in right",
        });
        columns.add("relation", Arc::new(relation.map(Some).collect::<StringArray>()));
        self.add_places(&mut columns, &sides);
        let duplicate_of = lines.iter().map(|line| match line {
            Line::Duplicate { of, .. } => Some(self.row_of(*of)),
            Line::Pair(_) => None,
        });
        columns.add("duplicate_of_row", Arc::new(duplicate_of.collect::<arrow_array::Int64Array>()));
        let pair_of = |line: &Line| if let Line::Pair(pair) = line { Some(self.pairing.pairs[*pair as usize]) } else { None };
        columns.add("matched_by", Arc::new(lines.iter().map(|line| pair_of(line).map(|pair| self.reason(pair))).collect::<StringArray>()));
        columns.add("match_probability", probabilities(lines.iter().map(pair_of)));
        self.add_summary_of_differences(&mut columns, &verdicts);
        let newer = lines.iter().map(|line| if let Line::Pair(pair) = line { newer_name(self.newer[*pair as usize]) } else { None });
        columns.add("newer", Arc::new(newer.collect::<StringArray>()));
        self.add_fields(&mut columns, &sides, &verdicts, at_hand);
        self.add_rest(&mut columns, 0, &sides.iter().map(|(left, _)| *left).collect::<Vec<_>>(), "left_", at_hand);
        self.add_rest(&mut columns, 1, &sides.iter().map(|(_, right)| *right).collect::<Vec<_>>(), "right_", at_hand);
        columns.finish()
    }

    fn to_review(&self, range: std::ops::Range<usize>, at_hand: &AtHand<'_>) -> Result<RecordBatch> {
        let pairs = &self.to_review[range.clone()];
        let sides: Vec<(Option<u32>, Option<u32>)> = pairs.iter().map(|pair| (Some(pair.left), Some(pair.right))).collect();
        let verdicts: Vec<Option<&[u8]>> = range.map(|place| Some(verdicts_of(&self.review_verdicts, place, self.fields.len()))).collect();
        let mut columns = Columns::default();
        columns.add("decision", Arc::new(StringArray::new_null(pairs.len())));
        columns.add("match_probability", probabilities(pairs.iter().map(|pair| Some(*pair))));
        self.add_places(&mut columns, &sides);
        self.add_summary_of_differences(&mut columns, &verdicts);
        self.add_fields(&mut columns, &sides, &verdicts, at_hand);
        for (name, records) in [
            ("left_record_id", sides.iter().map(|side| side.0).collect::<Vec<_>>()),
            ("right_record_id", sides.iter().map(|side| side.1).collect()),
        ] {
            let ids = records.iter().map(|record| record.map(|record| self.resolution.ids[record as usize]));
            columns.add(name, Arc::new(ids.collect::<arrow_array::Int64Array>()));
        }
        columns.finish()
    }

    fn differences(&self, range: std::ops::Range<usize>, at_hand: &AtHand<'_>) -> Result<RecordBatch> {
        let rows = &self.differences[range];
        let pairs: Vec<Pair> = rows.iter().map(|(pair, _)| self.pairing.pairs[*pair as usize]).collect();
        let mut columns = Columns::default();
        let (mut label, mut name) = (StringBuilder::new(), StringBuilder::new());
        let (mut left, mut right) = (StringBuilder::new(), StringBuilder::new());
        let mut difference = verdict_builder();
        let layouts = self.resolution.plan.layouts();
        let labels = label_places(layouts);
        let mut text = String::new();
        for ((pair_place, field), pair) in rows.iter().zip(&pairs) {
            let field = usize::from(*field);
            self.label(*pair, &labels, at_hand, &mut text);
            append(&mut label, &text);
            name.append_value(&self.fields[field].name);
            for (record, builder) in [(pair.left, &mut left), (pair.right, &mut right)] {
                self.fields[field].text(at_hand.rows, (at_hand.locate)(record), &mut text);
                append(builder, &text);
            }
            difference
                .append_value(Verdict::NAMES[usize::from(verdicts_of(&self.verdicts, *pair_place as usize, self.fields.len())[field])]);
        }
        columns.add("contact", Arc::new(label.finish()));
        columns.add("field", Arc::new(name.finish()));
        columns.add("left_value", Arc::new(left.finish()));
        columns.add("right_value", Arc::new(right.finish()));
        columns.add("difference", Arc::new(difference.finish()));
        let newer = rows.iter().map(|(pair, _)| newer_name(self.newer[*pair as usize]));
        columns.add("newer", Arc::new(newer.collect::<StringArray>()));
        let sides: Vec<(Option<u32>, Option<u32>)> = pairs.iter().map(|pair| (Some(pair.left), Some(pair.right))).collect();
        self.add_places(&mut columns, &sides);
        for (role, what) in [(Role::SourceKey, "key"), (Role::UpdatedAt, "updated_at")] {
            let places: Vec<Vec<usize>> = layouts.iter().map(|layout| layout.places_of(role)).collect();
            for (side, side_name) in ["left", "right"].into_iter().enumerate() {
                if !self.tables_of(side).any(|table| !places[table].is_empty()) {
                    continue;
                }
                let mut values = StringBuilder::new();
                for pair in &pairs {
                    at_hand.text(if side == 0 { pair.left } else { pair.right }, &places, FieldKind::Custom, &mut text);
                    append(&mut values, &text);
                }
                columns.add(format!("{side_name}_{what}"), Arc::new(values.finish()));
            }
        }
        columns.add("matched_by", Arc::new(pairs.iter().map(|pair| Some(self.reason(*pair))).collect::<StringArray>()));
        columns.add("match_probability", probabilities(pairs.iter().map(|pair| Some(*pair))));
        columns.finish()
    }

    fn only(&self, side: usize, range: std::ops::Range<usize>, at_hand: &AtHand<'_>) -> Result<RecordBatch> {
        let records = &self.only[side][range];
        let all = &self.only[side];
        let mut first_of_group: HashMap<u32, u32> = HashMap::new();
        for record in all {
            first_of_group.entry(self.pairing.groups[*record as usize]).or_insert(*record);
        }
        let mut candidates: HashMap<u32, i32> = HashMap::new();
        for pair in &self.to_review {
            *candidates.entry(if side == 0 { pair.left } else { pair.right }).or_insert(0) += 1;
        }
        let (mut duplicate_of, mut to_review) = (Int64Builder::new(), Int32Builder::new());
        for record in records {
            let first = first_of_group.get(&self.pairing.groups[*record as usize]).filter(|first| *first != record);
            duplicate_of.append_option(first.map(|first| self.row_of(*first)));
            to_review.append_option(candidates.get(record).copied());
        }
        let mut columns = Columns::default();
        let some: Vec<Option<u32>> = records.iter().map(|record| Some(*record)).collect();
        let rows = records.iter().map(|record| Some(self.row_of(*record)));
        columns.add("row", Arc::new(rows.collect::<arrow_array::Int64Array>()));
        if self.tables_of(side).count() > 1 {
            columns.add("file", Arc::new(records.iter().map(|record| Some(self.file_of(*record))).collect::<StringArray>()));
        }
        columns.add("to_review", Arc::new(to_review.finish()));
        columns.add("duplicate_of_row", Arc::new(duplicate_of.finish()));
        self.add_columns(&mut columns, side, &some, "", &|_, _| true, at_hand);
        columns.finish()
    }

    /// Row and, where a side has several tables, file of both sides.
    fn add_places(&self, columns: &mut Columns, sides: &[(Option<u32>, Option<u32>)]) {
        for (side, name) in ["left", "right"].into_iter().enumerate() {
            let records = || sides.iter().map(move |(left, right)| if side == 0 { *left } else { *right });
            if self.tables_of(side).count() > 1 {
                let files = records().map(|record| record.map(|record| self.file_of(record)));
                columns.add(format!("{name}_file"), Arc::new(files.collect::<StringArray>()));
            }
            let rows = records().map(|record| record.map(|record| self.row_of(record)));
            columns.add(format!("{name}_row"), Arc::new(rows.collect::<arrow_array::Int64Array>()));
        }
    }

    fn add_summary_of_differences(&self, columns: &mut Columns, verdicts: &[Option<&[u8]>]) {
        let (mut count, mut names) = (Int32Builder::new(), StringBuilder::new());
        let mut text = String::new();
        for of_pair in verdicts {
            text.clear();
            let Some(of_pair) = of_pair else {
                count.append_null();
                names.append_null();
                continue;
            };
            let mut n_different = 0;
            for (field, _) in self.fields.iter().zip(*of_pair).filter(|(_, verdict)| Verdict::from_u8(**verdict).is_difference()) {
                if n_different > 0 {
                    text.push_str(", ");
                }
                text.push_str(&field.name);
                n_different += 1;
            }
            count.append_value(n_different);
            append(&mut names, &text);
        }
        columns.add("n_differences", Arc::new(count.finish()));
        columns.add("differing_fields", Arc::new(names.finish()));
    }

    /// Per compared field the two values and the verdict.
    fn add_fields(&self, columns: &mut Columns, sides: &[(Option<u32>, Option<u32>)], verdicts: &[Option<&[u8]>], at_hand: &AtHand<'_>) {
        let mut text = String::new();
        for (place, field) in self.fields.iter().enumerate() {
            let (mut left, mut right) = (StringBuilder::new(), StringBuilder::new());
            let mut verdict = verdict_builder();
            for ((left_record, right_record), of_pair) in sides.iter().zip(verdicts) {
                for (record, builder) in [(left_record, &mut left), (right_record, &mut right)] {
                    match record {
                        Some(record) => {
                            field.text(at_hand.rows, (at_hand.locate)(*record), &mut text);
                            append(builder, &text);
                        }
                        None => builder.append_null(),
                    }
                }
                match of_pair {
                    Some(of_pair) => verdict.append_value(Verdict::NAMES[usize::from(of_pair[place])]),
                    None => verdict.append_null(),
                }
            }
            columns.add(format!("left_{}", field.name), Arc::new(left.finish()));
            columns.add(format!("right_{}", field.name), Arc::new(right.finish()));
            columns.add(format!("verdict_{}", field.name), Arc::new(verdict.finish()));
        }
    }

    /// The columns of a side that no compared field shows.
    fn add_rest(&self, columns: &mut Columns, side: usize, records: &[Option<u32>], prefix: &str, at_hand: &AtHand<'_>) {
        let is_rest = |table: usize, place: usize| !self.fields.iter().any(|field| field.places[table].contains(&place));
        self.add_columns(columns, side, records, prefix, &is_rest, at_hand);
    }

    /// The columns of a side's tables that `is_wanted` wants, those of one name as one.
    fn add_columns(
        &self,
        columns: &mut Columns,
        side: usize,
        records: &[Option<u32>],
        prefix: &str,
        is_wanted: &dyn Fn(usize, usize) -> bool,
        at_hand: &AtHand<'_>,
    ) {
        let layouts = self.resolution.plan.layouts();
        let mut names: Vec<&str> = Vec::new();
        for table in self.tables_of(side) {
            for (place, column) in layouts[table].columns.iter().enumerate() {
                if is_wanted(table, place) && !names.contains(&column.name.as_str()) {
                    names.push(&column.name);
                }
            }
        }
        for name in names {
            let place_in = |table: usize| {
                let place = layouts[table].columns.iter().position(|column| column.name == name);
                place.filter(|place| is_wanted(table, *place))
            };
            let places: Vec<Option<usize>> = (0..layouts.len()).map(place_in).collect();
            let values = records.iter().map(|record| {
                let at = (at_hand.locate)((*record)?);
                at_hand.rows.text(at, places[at_hand.rows.layout(at)]?).filter(|text| !text.is_empty())
            });
            columns.add(format!("{prefix}{name}"), Arc::new(values.collect::<StringArray>()));
        }
    }

    /// Whom a pair is about, for people.
    fn label(&self, pair: Pair, labels: &[Vec<(FieldKind, Vec<usize>)>], at_hand: &AtHand<'_>, out: &mut String) {
        out.clear();
        for record in [pair.left, pair.right] {
            let at = (at_hand.locate)(record);
            for (kind, places) in &labels[at_hand.rows.layout(at)] {
                Comparer::joined(*kind, places.iter().filter_map(|place| at_hand.rows.text(at, *place)), out);
                if !out.is_empty() {
                    return;
                }
            }
        }
    }

    fn sides_of(&self, line: Line) -> (Option<u32>, Option<u32>) {
        match line {
            Line::Pair(pair) => (Some(self.pairing.pairs[pair as usize].left), Some(self.pairing.pairs[pair as usize].right)),
            Line::Duplicate { of, record } => match self.pairing.fates[of as usize] {
                Fate::Matched(pair) if self.pairing.pairs[pair as usize].right == of => (None, Some(record)),
                _ => (Some(record), None),
            },
        }
    }

    fn tables_of(&self, side: usize) -> std::ops::Range<usize> {
        if side == 0 { 0..self.n_left_tables } else { self.n_left_tables..self.resolution.plan.layouts().len() }
    }

    /// The row of a record in its file, from 1.
    fn row_of(&self, record: u32) -> i64 {
        let at = self.resolution.originals.locate(record);
        self.resolution.originals.source_rows(at.batch as usize).get(at.row as usize) as i64
    }

    fn file_of(&self, record: u32) -> &str {
        let at = self.resolution.originals.locate(record);
        &self.resolution.files[self.resolution.originals.layout(at.batch as usize)]
    }
}

fn append(builder: &mut StringBuilder, text: &str) {
    if text.is_empty() {
        builder.append_null();
    } else {
        builder.append_value(text);
    }
}

fn verdicts_of(verdicts: &[u8], pair: usize, width: usize) -> &[u8] {
    &verdicts[pair * width..(pair + 1) * width]
}

/// All verdicts have their number in every portion, so that readers see one dictionary.
fn verdict_builder() -> StringDictionaryBuilder<Int8Type> {
    let names = StringArray::from(Verdict::NAMES.to_vec());
    StringDictionaryBuilder::new_with_dictionary(0, &names).unwrap_or_default()
}

fn newer_name(newer: Newer) -> Option<&'static str> {
    match newer {
        Newer::Unknown => None,
        Newer::Same => Some("same"),
        Newer::Left => Some("left"),
        Newer::Right => Some("right"),
    }
}

fn probabilities(pairs: impl Iterator<Item = Option<Pair>>) -> ArrayRef {
    let mut builder = Float64Builder::new();
    for pair in pairs {
        builder.append_option(pair.map(|pair| (weight_to_probability(pair.weight) * 10_000.0).round() / 10_000.0));
    }
    Arc::new(builder.finish())
}
