//! Rows to packed records, piece after piece.
use crm_core::{Control, Result};
use rayon::prelude::*;

use super::pieces::{Layout, Pieces, Record};
use super::{INVISIBLE, Rows};

/// Rows whose visible ones are listed at a time: the list stays in the nearest cache.
const LISTED: usize = 1 << 11;
/// Records that wait for their piece together: a cache line of the smallest kind.
const WAITING: usize = 8;
/// With more pieces than this, records wait: single writes to so many places would each miss the table of pages.
const DIRECT_PIECES: usize = 1 << 9;

/// The records of some batches, piece after piece.
pub(super) struct Scattered<R> {
    records: Vec<R>,
    ends: Vec<usize>,
}

impl<R> Scattered<R> {
    pub fn piece(&self, piece: usize) -> &[R] {
        let start = if piece == 0 { 0 } else { self.ends[piece - 1] };
        &self.records[start..self.ends[piece]]
    }
}

/// `None` if a time is no multiple of the layout's tick.
pub(super) fn scatter<R: Record>(
    batches: &[Rows<'_>],
    pieces: &Pieces,
    layout: Layout,
    control: &dyn Control,
) -> Result<Option<Vec<Scattered<R>>>> {
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
    let (mut next, total) = starts(batches, pieces, control)?;
    let mut records = vec![R::default(); total];
    let mut divides = true;
    let mut visible = [0_u16; LISTED];
    let direct = pieces.n_pieces <= DIRECT_PIECES;
    let mut waiting = vec![[R::default(); WAITING]; if direct { 0 } else { pieces.n_pieces }];
    let mut n_waiting = vec![0_u8; waiting.len()];
    for batch in batches {
        control.check()?;
        for from in (0..batch.keys.len()).step_by(LISTED) {
            let to = (from + LISTED).min(batch.keys.len());
            let (keys, times) = (&batch.keys[from..to], &batch.times[from..to]);
            // Listing first, without a branch: whether a row takes part is as good as random.
            let mut n_visible = 0;
            for (index, &code) in batch.codes[from..to].iter().enumerate() {
                visible[n_visible] = index as u16;
                n_visible += usize::from(code != INVISIBLE);
            }
            for &index in &visible[..n_visible] {
                let index = index as usize;
                let since = times[index].wrapping_sub(layout.span.first_time) as u64;
                let ticks = since / TICKS;
                divides &= TICKS == 1 || ticks * TICKS == since;
                let row = batch.first_row.wrapping_add((from + index) as u32);
                let record = R::pack(&layout, pieces, keys[index], ticks, batch.codes[from + index], row);
                let piece = pieces.piece(keys[index]);
                if direct {
                    let at = &mut next[piece];
                    records[*at] = record;
                    *at += 1;
                    continue;
                }
                let n = n_waiting[piece] as usize;
                waiting[piece][n % WAITING] = record;
                n_waiting[piece] = n as u8 + 1;
                if n + 1 == WAITING {
                    let at = next[piece];
                    records[at..at + WAITING].copy_from_slice(&waiting[piece]);
                    next[piece] = at + WAITING;
                    n_waiting[piece] = 0;
                }
            }
        }
        if !divides {
            return Ok(None);
        }
    }
    for ((waiting, &n), at) in waiting.iter().zip(&n_waiting).zip(&mut next) {
        let n = n as usize;
        records[*at..*at + n].copy_from_slice(&waiting[..n]);
        *at += n;
    }
    Ok(Some(Scattered { records, ends: next }))
}

/// Where each piece's records begin, and how many there are in all.
fn starts(batches: &[Rows<'_>], pieces: &Pieces, control: &dyn Control) -> Result<(Vec<usize>, usize)> {
    let mut counts = vec![0_u32; pieces.n_pieces];
    for batch in batches {
        control.check()?;
        for (&key, &code) in batch.keys.iter().zip(batch.codes.as_slice()) {
            // The key of a row that takes no part may be anything.
            counts[pieces.piece(key).min(pieces.n_pieces - 1)] += u32::from(code != INVISIBLE);
        }
    }
    let mut total = 0;
    let starts = counts.into_iter().map(|count| {
        let start = total;
        total += count as usize;
        start
    });
    let starts = starts.collect();
    Ok((starts, total))
}
