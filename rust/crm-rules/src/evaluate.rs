//! Running a program over a batch, block by block.
use std::rc::Rc;

use crate::bits;
use crate::column::Batch;
use crate::column::Column;
use crate::graph::{NodeId, Op};
use crate::kernels;
use crate::lookup::{Group, Lookup};
use crate::program::{Program, Signal, SignalId};
use crate::vector::Vector;

/// Rows of one block: their bitmaps and vectors stay in the processor's cache.
pub const BLOCK_ROWS: usize = 8_192;

/// Runs a [`Program`]; one per thread, as it keeps its buffers from block to block.
#[derive(Debug)]
pub struct Evaluator<'p> {
    program: &'p Program,
    /// The bits of each signal in the current block.
    bits: Vec<Vec<u64>>,
    ready: Vec<bool>,
    /// The nodes that were computed in the current block.
    computed: Vec<bool>,
    failed: Vec<bool>,
    /// Per group, how it reads the current batch, and whether it can.
    lookups: Vec<(Lookup, bool)>,
    batch: u64,
}

impl<'p> Evaluator<'p> {
    /// An evaluator that has seen no block yet.
    pub fn new(program: &'p Program) -> Self {
        let signals = program.signals.len();
        Self {
            program,
            bits: vec![Vec::new(); signals],
            ready: vec![false; signals],
            computed: vec![false; program.graph.len()],
            failed: vec![false; program.graph.len()],
            lookups: program.groups.iter().map(|_| (Lookup::default(), false)).collect(),
            batch: 0,
        }
    }

    /// Evaluates rows `offset..offset + rows` of the batch, at most [`BLOCK_ROWS`]; then [`Evaluator::condition`] gives the bits.
    /// The values asked for are returned in their order.
    pub fn block<'b>(&mut self, batch: &'b Batch, offset: usize, rows: usize) -> Vec<Rc<Vector<'b>>>
    where
        'p: 'b,
    {
        if self.batch != batch.id {
            self.batch = batch.id;
            for ((lookup, usable), group) in self.lookups.iter_mut().zip(&self.program.groups) {
                *usable = lookup.prepare(self.program, group, batch);
            }
        }
        self.ready.fill(false);
        let mut run = Run {
            program: self.program,
            batch,
            offset,
            rows,
            memo: vec![None; self.program.graph.len()],
            held: 0,
            computed: &mut self.computed,
            failed: &mut self.failed,
            lookups: &mut self.lookups,
        };
        run.computed.fill(false);
        for condition in &self.program.conditions {
            signal(&mut self.bits, &mut self.ready, &mut run, *condition);
            run.forget_if_much();
        }
        for node in &self.program.fallible {
            if !run.computed[node.index()] {
                run.vector(*node);
                run.forget_if_much();
            }
        }
        self.program.values.iter().map(|value| run.vector(*value)).collect()
    }

    /// The rows of the last block in which condition `index` is true.
    pub fn condition(&self, index: usize) -> &[u64] {
        &self.bits[self.program.conditions[index] as usize]
    }

    /// The expressions that could not be computed in some row so far, as SQL, in order.
    pub fn failed(&self) -> Vec<String> {
        let graph = &self.program.graph;
        let failed = self.failed.iter().enumerate().filter(|(_, failed)| **failed);
        let mut names: Vec<String> = failed.map(|(index, _)| graph.describe(NodeId(index as u32))).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Computes a signal's bits if they are not there yet.
fn signal<'b>(all: &mut [Vec<u64>], ready: &mut [bool], run: &mut Run<'b, '_>, id: SignalId) {
    let at = id as usize;
    if ready[at] {
        return;
    }
    let words = bits::words_for(run.rows);
    let mut own = std::mem::take(&mut all[at]);
    own.clear();
    match &run.program.signals[at] {
        Signal::Constant(true) => own.extend(bits::ones(run.rows)),
        Signal::Constant(false) => own.resize(words, 0),
        Signal::And(children) => {
            for (index, child) in children.iter().enumerate() {
                signal(all, ready, run, *child);
                if index == 0 {
                    own.extend_from_slice(&all[*child as usize]);
                } else {
                    bits::and_into(&mut own, &all[*child as usize]);
                }
                if own.iter().all(|word| *word == 0) {
                    break;
                }
            }
        }
        Signal::Or(children) => {
            own.resize(words, 0);
            for child in children {
                signal(all, ready, run, *child);
                bits::or_into(&mut own, &all[*child as usize]);
            }
        }
        Signal::Complement(inner) => {
            signal(all, ready, run, *inner);
            own.extend(all[*inner as usize].iter().map(|word| !word));
            bits::cut(&mut own, run.rows);
        }
        Signal::Leaf { .. } if run.program.group_of[at].is_some_and(|group| run.lookups[group as usize].1) => {
            all[at] = own;
            let number = run.program.group_of[at].unwrap_or_default() as usize;
            let group = &run.program.groups[number];
            run.lookups[number].0.block(group, run.batch, run.offset, run.rows, all);
            for (signal, ..) in &group.signals {
                ready[*signal as usize] = true;
            }
            return;
        }
        Signal::Leaf { node, truth } => {
            let vector = run.vector(*node);
            own = if *truth { vector.true_rows(run.rows) } else { vector.false_rows(run.rows) };
        }
    }
    all[at] = own;
    ready[at] = true;
}

/// One block being evaluated.
struct Run<'b, 'f> {
    program: &'b Program,
    batch: &'b Batch,
    offset: usize,
    rows: usize,
    memo: Vec<Option<Rc<Vector<'b>>>>,
    /// Bytes of what is in `memo`.
    held: usize,
    computed: &'f mut [bool],
    failed: &'f mut [bool],
    lookups: &'f mut [(Lookup, bool)],
}

/// Bytes of vectors that are kept for later rules: what is forgotten is computed again where it is needed.
const MAX_HELD: usize = 32 << 20;

impl<'b> Run<'b, '_> {
    /// Between two conditions, so that what one of them uses several times is not lost in between.
    fn forget_if_much(&mut self) {
        if self.held > MAX_HELD {
            self.memo.fill(None);
            self.held = 0;
        }
    }

    fn vector(&mut self, id: NodeId) -> Rc<Vector<'b>> {
        if let Some(known) = &self.memo[id.index()] {
            return Rc::clone(known);
        }
        let program = self.program;
        let node = program.graph.node(id);
        let vector = match &node.op {
            Op::Constant(constant) => Vector::constant(constant, node.data_type, self.rows),
            Op::Input(number) => Vector::column(&self.batch.columns[*number as usize], self.offset, self.rows),
            _ => {
                let args: Vec<Rc<Vector<'b>>> = node.children.iter().map(|child| self.vector(*child)).collect();
                let args: Vec<&Vector<'b>> = args.iter().map(AsRef::as_ref).collect();
                let (vector, failed) = kernels::apply(node, &args, program.graph.matchers.get(&id), self.rows);
                self.failed[id.index()] |= failed;
                vector
            }
        };
        let vector = Rc::new(vector);
        self.computed[id.index()] = true;
        self.held += vector.bytes();
        self.memo[id.index()] = Some(Rc::clone(&vector));
        vector
    }
}

/// The bits of a group's signals for a column by itself, every other column being null: for filling tables.
pub(crate) fn alone(program: &Program, group: &Group, column: &Column) -> Vec<Vec<u64>> {
    let rows = column.len();
    let mut columns = vec![Column::Null(rows); program.graph.inputs().len()];
    columns[group.input as usize] = column.clone();
    let batch = Batch::of(columns, rows);
    let (mut failed, mut computed) = (vec![false; program.graph.len()], vec![false; program.graph.len()]);
    let mut run = Run {
        program,
        batch: &batch,
        offset: 0,
        rows,
        memo: vec![None; program.graph.len()],
        held: 0,
        computed: &mut computed,
        failed: &mut failed,
        lookups: &mut [],
    };
    group
        .signals
        .iter()
        .map(|(_, node, truth)| {
            let vector = run.vector(*node);
            if *truth { vector.true_rows(rows) } else { vector.false_rows(rows) }
        })
        .collect()
}

#[cfg(test)]
mod tests;
