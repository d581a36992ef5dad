use crm_core::{Control, Result, Role};
use rayon::prelude::*;

use super::{ComparedField, Comparer, FieldKind, Pair};
use crate::merge::{Canonicalizer, RowRef, Rows, SourceLayout, consent_of_all, says_opt_out};

/// Which of two records was changed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newer {
    /// One of them does not say when.
    Unknown,
    /// At the same time.
    Same,
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// What pairs say differently.
#[derive(Debug, Default)]
pub struct Compared {
    /// Row-major: a [`super::Verdict`] per pair and field.
    pub verdicts: Vec<u8>,
    /// Per pair which side is newer.
    pub newer: Vec<Newer>,
}

/// Compares rows that are at hand, pair by pair.
pub struct PairComparison<'a> {
    fields: &'a [ComparedField],
    /// Per field, layout and column whether a yes in it refuses.
    negated: Vec<Vec<Vec<bool>>>,
    canonicalizer: &'a dyn Canonicalizer,
    updated_at: Vec<Vec<usize>>,
}

impl<'a> PairComparison<'a> {
    /// A comparison of these fields.
    pub fn new(fields: &'a [ComparedField], layouts: &[SourceLayout], canonicalizer: &'a dyn Canonicalizer) -> Self {
        let updated_at = layouts.iter().map(|layout| layout.places_of(Role::UpdatedAt)).collect();
        let of_layout = |(layout, places): (&SourceLayout, &Vec<usize>)| -> Vec<bool> {
            places.iter().map(|place| says_opt_out(&layout.columns[*place].name)).collect()
        };
        let negated = fields.iter().map(|field| layouts.iter().zip(&field.places).map(of_layout).collect()).collect();
        Self { fields, negated, canonicalizer, updated_at }
    }

    /// Adds what `pairs` say differently; `locate` finds their records in `rows`.
    pub fn add(
        &self,
        pairs: &[Pair],
        rows: &Rows,
        locate: &(dyn Fn(u32) -> RowRef + Sync),
        compared: &mut Compared,
        control: &dyn Control,
    ) -> Result<()> {
        let parts = pairs.par_chunks(4_096).map_init(
            || Comparer::new(self.fields, self.canonicalizer),
            |comparer, pairs| {
                control.check()?;
                let mut part = Compared::default();
                for pair in pairs {
                    let (left, right) = (locate(pair.left), locate(pair.right));
                    self.add_pair(left, right, rows, comparer, &mut part);
                }
                Ok(part)
            },
        );
        for part in parts.collect::<Result<Vec<_>>>()? {
            compared.verdicts.extend(part.verdicts);
            compared.newer.extend(part.newer);
        }
        Ok(())
    }

    fn add_pair(&self, left: RowRef, right: RowRef, rows: &Rows, comparer: &mut Comparer<'_>, part: &mut Compared) {
        let (left_layout, right_layout) = (rows.layout(left), rows.layout(right));
        let (mut left_text, mut right_text) = (String::new(), String::new());
        for (place, field) in self.fields.iter().enumerate() {
            self.text(place, field, rows, left, &mut left_text);
            self.text(place, field, rows, right, &mut right_text);
            part.verdicts.push(comparer.compare(place, (left_layout, &left_text), (right_layout, &right_text)) as u8);
        }
        part.newer.push(match (self.moment(rows, left), self.moment(rows, right)) {
            (Some(left), Some(right)) if left > right => Newer::Left,
            (Some(left), Some(right)) if left < right => Newer::Right,
            (Some(_), Some(_)) => Newer::Same,
            _ => Newer::Unknown,
        });
    }

    /// The text that is compared; of consent the answer that the columns give together, for in some a yes refuses.
    fn text(&self, place: usize, field: &ComparedField, rows: &Rows, at: RowRef, out: &mut String) {
        if field.kind != FieldKind::Role(Role::MarketingConsent) {
            return field.text(rows, at, out);
        }
        let layout = rows.layout(at);
        let answers = field.places[layout].iter().zip(&self.negated[place][layout]);
        out.clear();
        out.extend(consent_of_all(answers.filter_map(|(place, is_negated)| Some((rows.text(at, *place)?, *is_negated)))));
    }

    fn moment(&self, rows: &Rows, at: RowRef) -> Option<i64> {
        let layout = rows.layout(at);
        let text = self.updated_at[layout].iter().find_map(|place| rows.text(at, *place).filter(|text| !text.is_empty()))?;
        self.canonicalizer.timestamp(layout, text)
    }
}
