//! Brings rows of one key together, ordered by time, without sorting everything.
//!
//! Rows are packed into small records and scattered by key into pieces that fit the cache; inside a piece a counting sort brings
//! a key's records together, and only those few are sorted. Dense integer keys whose (key, time, code) fit 64 bits take 8 bytes a
//! row, other keys 16, and rows that must be found again afterwards 24.
mod few;
mod pieces;
mod scatter;
mod sorter;
#[cfg(test)]
mod tests;

use arrow_buffer::Buffer;
use crm_core::{Control, Error, Result};
use rayon::prelude::*;

use pieces::{Keyed, Layout, Packed, Pieces, Record, Wide};
use scatter::scatter;

/// The code of a row that takes no part.
pub const INVISIBLE: u8 = 0;

/// Columns of one batch, all of one length: the key (a contact or a deal), the time in ticks, and a code of what the row is.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    /// The key.
    pub keys: &'a [i64],
    /// Ticks; the unit is the caller's.
    pub times: &'a [i64],
    /// [`INVISIBLE`] or a code of the caller's.
    pub codes: Buffer,
    /// The number of the first row over all batches.
    pub first_row: u32,
}

/// One row of a key's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Ticks since [`Span::first_time`].
    pub time: u64,
    /// The caller's code.
    pub code: u8,
    /// The row's number, where it was asked for; any number otherwise.
    pub row: u32,
}

/// What the times of all rows have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest time, in the caller's ticks.
    pub first_time: i64,
    /// The caller's ticks in one tick of [`Event::time`].
    pub ticks: u64,
    /// The latest [`Event::time`].
    pub last: u64,
}

/// What one visitor is going to see.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// The times of all rows.
    pub span: Span,
    /// The first key and the number of keys that the visitor may see, where keys are dense.
    pub keys: Option<(i64, usize)>,
    /// How many rows the visitor is going to see.
    pub rows: usize,
}

/// Collects what the rows of some keys come to.
pub trait Visit: Send {
    /// The rows of one key, by (time, code, row) if [`Visit::needs_order`] said so.
    fn visit(&mut self, key: i64, events: &[Event]);

    /// Whether the order of a key's rows matters, given the codes among them: bit `code` for codes below 63, and bit 63 for all others.
    fn needs_order(&self, _codes: u64) -> bool {
        true
    }
}

/// Visits the rows of each key once, on all cores; `start` makes a visitor for one stretch of keys.
///
/// The visitors come back in an order that depends on the keys alone. The batches' codes are let go as soon as they are packed.
pub fn visit_keys<V: Visit>(
    batches: Vec<Rows<'_>>,
    with_rows: bool,
    control: &dyn Control,
    start: impl Fn(Stretch) -> V + Sync,
) -> Result<Vec<V>> {
    let Some(range) = Range::of(&batches) else { return Ok(Vec::new()) };
    let key_range = range.max_key.abs_diff(range.min_key);
    let time_range = range.max_time.abs_diff(range.min_time);
    let dense = key_range < (range.visible as u64).saturating_mul(8).max(1 << 16);
    let code_bits = 8 - range.max_code.leading_zeros();
    let layout_in = |ticks: u64| {
        let last = time_range / ticks;
        Layout { span: Span { first_time: range.min_time, ticks, last }, code_bits, time_bits: 64 - last.leading_zeros() }
    };
    if !with_rows && dense {
        for ticks in [1_000_000_000, 1_000_000, 1_000, 1] {
            let layout = layout_in(ticks);
            let pieces = Pieces::by_range(range.min_key, key_range, range.visible);
            // One bit stays free: a shift by all 64 is none.
            let fits = pieces.shift.max(1) + layout.time_bits + code_bits <= 64;
            if !fits || !first_rows_divide(&batches, range.min_time, ticks) {
                continue;
            }
            if let Some(scattered) = scatter::<Packed>(&batches, &pieces, layout, control)? {
                drop(batches);
                return sorter::visit_pieces(&scattered, &pieces, layout, control, &start);
            }
        }
    }
    let pieces = if dense { Pieces::by_range(range.min_key, key_range, range.visible) } else { Pieces::by_hash(range.visible) };
    let layout = layout_in(1);
    if !with_rows && layout.time_bits + code_bits <= 64 {
        return scatter_and_visit::<Keyed, V>(batches, &pieces, layout, control, &start);
    }
    scatter_and_visit::<Wide, V>(batches, &pieces, layout, control, &start)
}

fn scatter_and_visit<R: Record, V: Visit>(
    batches: Vec<Rows<'_>>,
    pieces: &Pieces,
    layout: Layout,
    control: &dyn Control,
    start: &(impl Fn(Stretch) -> V + Sync),
) -> Result<Vec<V>> {
    let scattered = scatter::<R>(&batches, pieces, layout, control)?.ok_or_else(|| Error::internal("a tick of 1 divides"))?;
    drop(batches);
    sorter::visit_pieces(&scattered, pieces, layout, control, start)
}

/// The least and greatest values over all visible rows, and how many there are.
#[derive(Clone, Copy)]
struct Range {
    min_key: i64,
    max_key: i64,
    min_time: i64,
    max_time: i64,
    max_code: u8,
    visible: usize,
}

impl Range {
    fn of(batches: &[Rows<'_>]) -> Option<Self> {
        batches
            .par_iter()
            .filter_map(|batch| {
                let max_code = batch.codes.as_slice().iter().copied().max().unwrap_or(INVISIBLE);
                if max_code == INVISIBLE {
                    return None;
                }
                // Rows that take no part may hold anything where their key or time is null.
                let mut range = Self { min_key: i64::MAX, max_key: i64::MIN, min_time: i64::MAX, max_time: i64::MIN, max_code, visible: 0 };
                for ((&key, &time), &code) in batch.keys.iter().zip(batch.times).zip(batch.codes.as_slice()) {
                    let visible = code != INVISIBLE;
                    range.min_key = range.min_key.min(if visible { key } else { i64::MAX });
                    range.max_key = range.max_key.max(if visible { key } else { i64::MIN });
                    range.min_time = range.min_time.min(if visible { time } else { i64::MAX });
                    range.max_time = range.max_time.max(if visible { time } else { i64::MIN });
                    range.visible += usize::from(visible);
                }
                Some(range)
            })
            .reduce_with(|a, b| Self {
                min_key: a.min_key.min(b.min_key),
                max_key: a.max_key.max(b.max_key),
                min_time: a.min_time.min(b.min_time),
                max_time: a.max_time.max(b.max_time),
                max_code: a.max_code.max(b.max_code),
                visible: a.visible + b.visible,
            })
    }
}

/// Whether coarser ticks are worth trying: the whole scatter is repeated if a later row does not divide.
fn first_rows_divide(batches: &[Rows<'_>], first_time: i64, ticks: u64) -> bool {
    batches
        .iter()
        .flat_map(|batch| batch.times.iter().zip(batch.codes.as_slice()))
        .filter(|(_, code)| **code != INVISIBLE)
        .take(1_000)
        .all(|(time, _)| time.abs_diff(first_time).is_multiple_of(ticks))
}
