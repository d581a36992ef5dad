//! Brings rows of one key together, ordered by time, without sorting everything.
//!
//! Rows are packed into small records and scattered by key into pieces that fit the cache; inside a piece a counting sort brings
//! a key's records together, and only those few are sorted. Dense integer keys whose (key, time, code) fit 64 bits take 8 bytes a
//! row, other keys 16, and rows that must be found again afterwards 24.
use crm_core::{Control, Error, Result};
use hashbrown::HashMap;
use rayon::prelude::*;

/// The code of a row that takes no part.
pub const INVISIBLE: u8 = 0;

/// Rows per piece: 32 Ki records of 8 bytes leave room for their sorted copy in a second-level cache.
const PIECE_ROWS: usize = 1 << 15;
const MAX_PIECES: usize = 1 << 12;
/// Multiplying by it spreads keys over the upper bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Columns of one batch, all of one length: the key (a contact or a deal), the time in ticks, and a code of what the row is.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The key.
    pub keys: &'a [i64],
    /// Ticks; the unit is the caller's.
    pub times: &'a [i64],
    /// [`INVISIBLE`] or a code of the caller's.
    pub codes: &'a [u8],
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
}

/// Visits the rows of each key once, ordered by (time, code, row), on all cores.
///
/// `start` makes what one stretch of keys is collected in; the collections come back in an order that depends on the keys alone.
pub fn visit_keys<A: Send>(
    batches: &[Rows<'_>],
    with_rows: bool,
    control: &dyn Control,
    start: impl Fn(Span) -> A + Sync,
    visit: impl Fn(&mut A, i64, &[Event]) + Sync,
) -> Result<Vec<A>> {
    let Some(range) = Range::of(batches) else { return Ok(Vec::new()) };
    let n_rows: usize = batches.iter().map(|batch| batch.keys.len()).sum();
    let key_range = range.max_key.abs_diff(range.min_key);
    let time_range = range.max_time.abs_diff(range.min_time);
    let dense = key_range < (n_rows as u64).saturating_mul(8).max(1 << 16);
    let code_bits = 8 - range.max_code.leading_zeros();
    if !with_rows && dense {
        for ticks in [1, 1_000, 1_000_000, 1_000_000_000] {
            let time_bits = 64 - (time_range / ticks).leading_zeros();
            let pieces = Pieces::by_range(range.min_key, key_range, n_rows);
            // One bit stays free: a shift by all 64 is none.
            if pieces.shift.max(1) + time_bits + code_bits > 64 || !first_rows_divide(batches, range.min_time, ticks) {
                continue;
            }
            let layout = Layout { span: Span { first_time: range.min_time, ticks }, code_bits, time_bits };
            if let Some(scattered) = scatter::<Packed>(batches, &pieces, layout, control)? {
                return visit_pieces(&scattered, &pieces, layout, control, &start, &visit);
            }
        }
    }
    let pieces = if dense { Pieces::by_range(range.min_key, key_range, n_rows) } else { Pieces::by_hash(n_rows) };
    let time_bits = 64 - time_range.leading_zeros();
    let layout = Layout { span: Span { first_time: range.min_time, ticks: 1 }, code_bits, time_bits };
    if !with_rows && time_bits + code_bits <= 64 {
        let scattered = scatter::<Keyed>(batches, &pieces, layout, control)?.ok_or_else(|| Error::internal("a tick of 1 divides"))?;
        return visit_pieces(&scattered, &pieces, layout, control, &start, &visit);
    }
    let scattered = scatter::<Wide>(batches, &pieces, layout, control)?.ok_or_else(|| Error::internal("a tick of 1 divides"))?;
    visit_pieces(&scattered, &pieces, layout, control, &start, &visit)
}

/// The least and greatest values over all visible rows' batches.
struct Range {
    min_key: i64,
    max_key: i64,
    min_time: i64,
    max_time: i64,
    max_code: u8,
}

impl Range {
    fn of(batches: &[Rows<'_>]) -> Option<Self> {
        batches
            .par_iter()
            .filter_map(|batch| {
                let max_code = batch.codes.iter().copied().max().unwrap_or(INVISIBLE);
                if max_code == INVISIBLE {
                    return None;
                }
                // Rows that take no part may hold anything where their key or time is null.
                let mut range = Self { min_key: i64::MAX, max_key: i64::MIN, min_time: i64::MAX, max_time: i64::MIN, max_code };
                for ((&key, &time), &code) in batch.keys.iter().zip(batch.times).zip(batch.codes) {
                    let visible = code != INVISIBLE;
                    range.min_key = range.min_key.min(if visible { key } else { i64::MAX });
                    range.max_key = range.max_key.max(if visible { key } else { i64::MIN });
                    range.min_time = range.min_time.min(if visible { time } else { i64::MAX });
                    range.max_time = range.max_time.max(if visible { time } else { i64::MIN });
                }
                Some(range)
            })
            .reduce_with(|a, b| Self {
                min_key: a.min_key.min(b.min_key),
                max_key: a.max_key.max(b.max_key),
                min_time: a.min_time.min(b.min_time),
                max_time: a.max_time.max(b.max_time),
                max_code: a.max_code.max(b.max_code),
            })
    }
}

/// Whether coarser ticks are worth trying: the whole scatter is repeated if a later row does not divide.
fn first_rows_divide(batches: &[Rows<'_>], first_time: i64, ticks: u64) -> bool {
    batches
        .iter()
        .flat_map(|batch| batch.times.iter().zip(batch.codes))
        .filter(|(_, code)| **code != INVISIBLE)
        .take(1_000)
        .all(|(time, _)| time.abs_diff(first_time).is_multiple_of(ticks))
}

/// How keys fall into pieces: by range, so that the position in a piece is known at once, or by hash.
struct Pieces {
    n_pieces: usize,
    /// By range: bits of the position in a piece. By hash: 64 less the bits of the piece.
    shift: u32,
    base: Option<i64>,
}

impl Pieces {
    fn wanted(n_rows: usize) -> usize {
        (n_rows / PIECE_ROWS).next_power_of_two().clamp(1, MAX_PIECES)
    }

    fn by_range(min_key: i64, key_range: u64, n_rows: usize) -> Self {
        let shift = (64 - key_range.leading_zeros()).saturating_sub(Self::wanted(n_rows).trailing_zeros());
        Self { n_pieces: (key_range >> shift) as usize + 1, shift, base: Some(min_key) }
    }

    fn by_hash(n_rows: usize) -> Self {
        // Two pieces at least: a shift of 64 bits is none.
        let n_pieces = Self::wanted(n_rows).max(2);
        Self { n_pieces, shift: 64 - n_pieces.trailing_zeros(), base: None }
    }

    #[inline(always)]
    fn piece(&self, key: i64) -> usize {
        match self.base {
            Some(base) => (key.wrapping_sub(base) as u64 >> self.shift) as usize,
            None => ((key as u64).wrapping_mul(SPREAD) >> self.shift) as usize,
        }
    }
}

#[derive(Clone, Copy)]
struct Layout {
    span: Span,
    code_bits: u32,
    time_bits: u32,
}

/// A packed row. Records of one key order as (time, code, row).
trait Record: Copy + Default + Ord + Send + Sync {
    fn pack(layout: &Layout, pieces: &Pieces, key: i64, time: u64, code: u8, row: u32) -> Self;
    /// The position in the piece, or the whole key.
    fn key(self, layout: &Layout) -> i64;
    fn event(self, layout: &Layout) -> Event;
    /// Whether [`Record::key`] is the position in the piece.
    const LOCAL: bool;
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Packed(u64);

impl Record for Packed {
    const LOCAL: bool = true;

    #[inline(always)]
    fn pack(layout: &Layout, pieces: &Pieces, key: i64, time: u64, code: u8, _row: u32) -> Self {
        let position = key.wrapping_sub(pieces.base.unwrap_or(0)) as u64 & ((1_u64 << pieces.shift) - 1);
        Self((((position << layout.time_bits) | time) << layout.code_bits) | u64::from(code))
    }

    #[inline(always)]
    fn key(self, layout: &Layout) -> i64 {
        (self.0 >> (layout.time_bits + layout.code_bits)) as i64
    }

    #[inline(always)]
    fn event(self, layout: &Layout) -> Event {
        let time = (self.0 >> layout.code_bits) & ((1_u64 << layout.time_bits) - 1);
        Event { time, code: (self.0 & ((1 << layout.code_bits) - 1)) as u8, row: 0 }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Keyed {
    key: i64,
    time_code: u64,
}

impl Record for Keyed {
    const LOCAL: bool = false;

    #[inline(always)]
    fn pack(layout: &Layout, _pieces: &Pieces, key: i64, time: u64, code: u8, _row: u32) -> Self {
        Self { key, time_code: (time << layout.code_bits) | u64::from(code) }
    }

    #[inline(always)]
    fn key(self, _layout: &Layout) -> i64 {
        self.key
    }

    #[inline(always)]
    fn event(self, layout: &Layout) -> Event {
        Event { time: self.time_code >> layout.code_bits, code: (self.time_code & ((1 << layout.code_bits) - 1)) as u8, row: 0 }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wide {
    key: i64,
    time: u64,
    code: u8,
    row: u32,
}

impl Record for Wide {
    const LOCAL: bool = false;

    #[inline(always)]
    fn pack(_layout: &Layout, _pieces: &Pieces, key: i64, time: u64, code: u8, row: u32) -> Self {
        Self { key, time, code, row }
    }

    #[inline(always)]
    fn key(self, _layout: &Layout) -> i64 {
        self.key
    }

    #[inline(always)]
    fn event(self, _layout: &Layout) -> Event {
        Event { time: self.time, code: self.code, row: self.row }
    }
}

/// The records of some batches, piece after piece.
struct Scattered<R> {
    records: Vec<R>,
    ends: Vec<usize>,
}

impl<R> Scattered<R> {
    fn piece(&self, piece: usize) -> &[R] {
        let start = if piece == 0 { 0 } else { self.ends[piece - 1] };
        &self.records[start..self.ends[piece]]
    }
}

/// `None` if a time is no multiple of the layout's tick.
fn scatter<R: Record>(batches: &[Rows<'_>], pieces: &Pieces, layout: Layout, control: &dyn Control) -> Result<Option<Vec<Scattered<R>>>> {
    let shares = shares(batches, rayon::current_num_threads());
    let scattered: Result<Vec<Option<Scattered<R>>>> = shares
        .into_par_iter()
        .map(|batches| match layout.span.ticks {
            1 => scatter_share::<R, 1>(batches, pieces, layout, control),
            1_000 => scatter_share::<R, 1_000>(batches, pieces, layout, control),
            1_000_000 => scatter_share::<R, 1_000_000>(batches, pieces, layout, control),
            _ => scatter_share::<R, 1_000_000_000>(batches, pieces, layout, control),
        })
        .collect();
    Ok(scattered?.into_iter().collect())
}

/// Contiguous shares of some equal number of rows, one per thread.
fn shares<'a, 'b>(batches: &'b [Rows<'a>], n_shares: usize) -> Vec<&'b [Rows<'a>]> {
    let n_rows: usize = batches.iter().map(|batch| batch.keys.len()).sum();
    let mut shares = Vec::new();
    let (mut from, mut rows) = (0, 0);
    for (index, batch) in batches.iter().enumerate() {
        rows += batch.keys.len();
        if rows * n_shares >= n_rows * (shares.len() + 1) {
            shares.push(&batches[from..=index]);
            from = index + 1;
        }
    }
    shares
}

/// The tick is a constant, so that dividing by it is a multiplication.
fn scatter_share<R: Record, const TICKS: u64>(
    batches: &[Rows<'_>],
    pieces: &Pieces,
    layout: Layout,
    control: &dyn Control,
) -> Result<Option<Scattered<R>>> {
    let mut next = vec![0_usize; pieces.n_pieces];
    for batch in batches {
        control.check()?;
        for (&key, &code) in batch.keys.iter().zip(batch.codes) {
            if code != INVISIBLE {
                next[pieces.piece(key)] += 1;
            }
        }
    }
    let mut total = 0;
    for count in &mut next {
        (*count, total) = (total, total + *count);
    }
    let mut records = vec![R::default(); total];
    let mut divides = true;
    for batch in batches {
        control.check()?;
        let mut row = batch.first_row;
        for ((&key, &time), &code) in batch.keys.iter().zip(batch.times).zip(batch.codes) {
            if code != INVISIBLE {
                let since = time.wrapping_sub(layout.span.first_time) as u64;
                let ticks = since / TICKS;
                divides &= TICKS == 1 || ticks * TICKS == since;
                let at = &mut next[pieces.piece(key)];
                records[*at] = R::pack(&layout, pieces, key, ticks, code, row);
                *at += 1;
            }
            row = row.wrapping_add(1);
        }
        if !divides {
            return Ok(None);
        }
    }
    Ok(Some(Scattered { records, ends: next }))
}

fn visit_pieces<R: Record, A: Send>(
    scattered: &[Scattered<R>],
    pieces: &Pieces,
    layout: Layout,
    control: &dyn Control,
    start: &(impl Fn(Span) -> A + Sync),
    visit: &(impl Fn(&mut A, i64, &[Event]) + Sync),
) -> Result<Vec<A>> {
    // A few stretches per thread even out the work; what is collected does not depend on how many there are.
    let n_stretches = (rayon::current_num_threads() * 4).min(pieces.n_pieces);
    (0..n_stretches)
        .into_par_iter()
        .map(|stretch| {
            let mut collected = start(layout.span);
            let mut sorter = Sorter::default();
            for piece in stretch * pieces.n_pieces / n_stretches..(stretch + 1) * pieces.n_pieces / n_stretches {
                control.check()?;
                sorter.visit_piece(scattered, piece, pieces, layout, &mut collected, visit);
            }
            Ok(collected)
        })
        .collect()
}

struct Sorter<R> {
    positions: HashMap<i64, u32, foldhash::fast::FixedState>,
    keys: Vec<i64>,
    ends: Vec<u32>,
    locals: Vec<u32>,
    records: Vec<R>,
    events: Vec<Event>,
}

impl<R> Default for Sorter<R> {
    fn default() -> Self {
        Self {
            positions: HashMap::default(),
            keys: Vec::new(),
            ends: Vec::new(),
            locals: Vec::new(),
            records: Vec::new(),
            events: Vec::new(),
        }
    }
}

impl<R: Record> Sorter<R> {
    fn visit_piece<A>(
        &mut self,
        scattered: &[Scattered<R>],
        piece: usize,
        pieces: &Pieces,
        layout: Layout,
        collected: &mut A,
        visit: &impl Fn(&mut A, i64, &[Event]),
    ) {
        let parts = || scattered.iter().map(|share| share.piece(piece));
        let n_records: usize = parts().map(<[R]>::len).sum();
        let piece_base = pieces.base.map_or(0, |base| base.wrapping_add(((piece as u64) << pieces.shift) as i64));
        self.ends.clear();
        if R::LOCAL {
            self.ends.resize(1 << pieces.shift, 0);
            for record in parts().flatten() {
                self.ends[record.key(&layout) as usize] += 1;
            }
        } else {
            self.positions.clear();
            self.keys.clear();
            self.locals.clear();
            for record in parts().flatten() {
                let key = record.key(&layout);
                let fresh = self.keys.len() as u32;
                let local = *self.positions.entry(key).or_insert(fresh);
                if local == fresh {
                    self.keys.push(key);
                    self.ends.push(0);
                }
                self.ends[local as usize] += 1;
                self.locals.push(local);
            }
        }
        let mut total = 0;
        for count in &mut self.ends {
            (*count, total) = (total, total + *count);
        }
        self.records.resize(n_records.max(self.records.len()), R::default());
        for (index, record) in parts().flatten().enumerate() {
            let local = if R::LOCAL { record.key(&layout) as usize } else { self.locals[index] as usize };
            self.records[self.ends[local] as usize] = *record;
            self.ends[local] += 1;
        }
        let mut from = 0;
        for (local, &end) in self.ends.iter().enumerate() {
            let end = end as usize;
            if end > from {
                let slice = &mut self.records[from..end];
                slice.sort_unstable();
                self.events.clear();
                self.events.extend(slice.iter().map(|record| record.event(&layout)));
                let key = if R::LOCAL { piece_base.wrapping_add(local as i64) } else { self.keys[local] };
                visit(collected, key, &self.events);
            }
            from = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crm_core::NoControl;
    use proptest::prelude::*;

    use super::*;

    fn check(rows: &[(i64, i64, u8)], batch_rows: usize, with_rows: bool) {
        let keys: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let times: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let codes: Vec<u8> = rows.iter().map(|row| row.2).collect();
        let batches: Vec<Rows<'_>> = (0..rows.len())
            .step_by(batch_rows)
            .map(|at| {
                let to = (at + batch_rows).min(rows.len());
                Rows { keys: &keys[at..to], times: &times[at..to], codes: &codes[at..to], first_row: at as u32 }
            })
            .collect();
        let mut expected: BTreeMap<i64, Vec<(i64, u8, u32)>> = BTreeMap::new();
        for (row, &(key, time, code)) in rows.iter().enumerate().filter(|(_, row)| row.2 != INVISIBLE) {
            expected.entry(key).or_default().push((time, code, if with_rows { row as u32 } else { 0 }));
        }
        expected.values_mut().for_each(|events| events.sort_unstable());
        let visited = visit_keys(
            &batches,
            with_rows,
            &NoControl,
            |span| (span, Vec::new()),
            |found: &mut (Span, Vec<_>), key, events| {
                let span = found.0;
                let times = events
                    .iter()
                    .map(|e| (span.first_time.wrapping_add((e.time * span.ticks) as i64), e.code, if with_rows { e.row } else { 0 }))
                    .collect();
                found.1.push((key, times));
            },
        );
        type Visits = Vec<(i64, u8, u32)>;
        let mut found: Vec<(i64, Visits)> = visited.unwrap().into_iter().flat_map(|stretch| stretch.1).collect();
        found.sort_unstable();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn every_key_gets_its_rows_in_order(
            rows in prop::collection::vec((prop_oneof![-3_i64..40, any::<i64>()], prop_oneof![0_i64..9, any::<i64>(), (0_i64..50).prop_map(|s| s * 1_000_000)], 0_u8..4), 0..60),
            batch_rows in 1_usize..20,
            with_rows: bool,
        ) {
            check(&rows, batch_rows, with_rows);
        }

        #[test]
        fn dense_keys_and_whole_seconds_too(
            rows in prop::collection::vec((5_i64..90, (0_i64..5_000_000).prop_map(|s| s * 1_000_000), 0_u8..7), 0..200),
            spoil in prop::option::of(0_usize..200),
        ) {
            let mut rows = rows;
            if let Some(row) = spoil.and_then(|at| rows.get_mut(at)) {
                row.1 += 1;
            }
            check(&rows, 64, false);
        }
    }

    #[test]
    fn one_key_with_all_rows() {
        check(&(0..3_000).map(|n| (7, n % 50, 1 + (n % 3) as u8)).collect::<Vec<_>>(), 1_000, false);
    }
}
