//! Pieces to keys: a counting sort by key, then each key's few records by time.
use crm_core::{Control, Result};
use hashbrown::HashMap;
use rayon::prelude::*;

use super::few::sort_few;
use super::pieces::{Layout, Pieces, Record};
use super::scatter::Scattered;
use super::{Event, Stretch, Visit};

pub(super) fn visit_pieces<R: Record, V: Visit>(
    scattered: &[Scattered<R>],
    pieces: &Pieces,
    layout: Layout,
    control: &dyn Control,
    start: &(impl Fn(Stretch) -> V + Sync),
) -> Result<Vec<V>> {
    // A few stretches per thread even out the work; what is collected does not depend on how many there are.
    let n_stretches = (rayon::current_num_threads() * 2).min(pieces.n_pieces);
    (0..n_stretches)
        .into_par_iter()
        .map(|stretch| {
            let (from, to) = (stretch * pieces.n_pieces / n_stretches, (stretch + 1) * pieces.n_pieces / n_stretches);
            let keys = pieces.base.map(|base| (base.wrapping_add(((from as u64) << pieces.shift) as i64), (to - from) << pieces.shift));
            let rows = scattered.iter().flat_map(|share| (from..to).map(|piece| share.piece(piece).len())).sum();
            let mut visitor = start(Stretch { span: layout.span, keys, rows });
            let mut sorter = Sorter::default();
            for piece in from..to {
                control.check()?;
                sorter.visit_piece(scattered, piece, pieces, &layout, &mut visitor);
            }
            Ok(visitor)
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
    fn visit_piece(&mut self, scattered: &[Scattered<R>], piece: usize, pieces: &Pieces, layout: &Layout, visitor: &mut impl Visit) {
        let piece_base = pieces.base.map_or(0, |base| base.wrapping_add(((piece as u64) << pieces.shift) as i64));
        self.bring_together(scattered, piece, 1 << pieces.shift.min(63), layout);
        let mut from = 0;
        for (local, &end) in self.ends.iter().enumerate() {
            let end = end as usize;
            if end == from {
                continue;
            }
            let records = &mut self.records[from..end];
            from = end;
            let codes = records.iter().fold(0_u64, |codes, record| codes | 1 << record.event(layout).code.min(63));
            if visitor.needs_order(codes) {
                sort_few(records);
            }
            self.events.clear();
            self.events.extend(records.iter().map(|record| record.event(layout)));
            let key = if R::LOCAL { piece_base.wrapping_add(local as i64) } else { self.keys[local] };
            visitor.visit(key, &self.events);
        }
    }

    /// Fills `records` with those of the piece, key after key, and `ends` with where each key's end.
    fn bring_together(&mut self, scattered: &[Scattered<R>], piece: usize, n_positions: usize, layout: &Layout) {
        let parts = || scattered.iter().map(|share| share.piece(piece));
        let n_records: usize = parts().map(<[R]>::len).sum();
        self.ends.clear();
        if R::LOCAL {
            self.ends.resize(n_positions, 0);
            for record in parts().flatten() {
                self.ends[record.key(layout) as usize] += 1;
            }
        } else {
            self.positions.clear();
            self.keys.clear();
            self.locals.clear();
            for record in parts().flatten() {
                let key = record.key(layout);
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
        let mut index = 0;
        for part in parts() {
            for record in part {
                let local = if R::LOCAL { record.key(layout) as usize } else { self.locals[index] as usize };
                index += 1;
                let at = &mut self.ends[local];
                self.records[*at as usize] = *record;
                *at += 1;
            }
        }
    }
}
