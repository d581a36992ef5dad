//! Average linkage over the whole matrix of a small component.
use crm_core::Result;

use crate::PairScorer;
use crate::cluster::ClusterOptions;
use crate::cluster::components::Component;
use crate::cluster::linkage::{Link, Linkage, Outcome, Verdict, clipped, judge};

/// Buffers that one thread reuses from component to component.
#[derive(Default)]
pub struct Scratch {
    /// Clipped weights by place, `[n, n]`, symmetric.
    weights: Vec<i32>,
    /// What forbids two places to be together, `[n, n]`, symmetric.
    bars: Vec<u8>,
    links: Vec<Link>,
    group_bars: Vec<u8>,
    sizes: Vec<u32>,
}

const DECISION: u8 = 1;
const SOURCE: u8 = 2;
/// No pair has this weight: it marks what is yet to be scored.
const UNKNOWN: i32 = i32::MIN;

pub struct Dense<'a> {
    n: usize,
    options: &'a ClusterOptions,
    scratch: &'a mut Scratch,
}

impl<'a> Dense<'a> {
    pub fn new(component: &Component<'_>, options: &'a ClusterOptions, scorer: &dyn PairScorer, scratch: &'a mut Scratch) -> Self {
        let n = component.records.len();
        let Scratch { weights, bars, .. } = scratch;
        weights.clear();
        weights.resize(n * n, UNKNOWN);
        for edge in component.edges {
            weights[edge.a as usize * n + edge.b as usize] = edge.weight;
        }
        bars.clear();
        bars.resize(n * n, 0);
        for a in 0..n {
            for b in a + 1..n {
                let known = weights[a * n + b];
                let weight = if known == UNKNOWN { scorer.weight(component.records[a], component.records[b]) } else { known };
                weights[a * n + b] = clipped(weight, options);
                weights[b * n + a] = clipped(weight, options);
                if component.unique_source(a).is_some() && component.unique_source(a) == component.unique_source(b) {
                    bars[a * n + b] |= SOURCE;
                    bars[b * n + a] |= SOURCE;
                }
            }
        }
        for (a, b) in component.cannot_link {
            bars[*a as usize * n + *b as usize] |= DECISION;
            bars[*b as usize * n + *a as usize] |= DECISION;
        }
        Self { n, options, scratch }
    }

    /// Adds up weights and bars between the groups as they are.
    fn sum_up(&mut self, groups: &[u32]) {
        let n = self.n;
        let Scratch { weights, bars, links, group_bars, sizes } = &mut *self.scratch;
        links.clear();
        links.resize(n * n, Link::default());
        group_bars.clear();
        group_bars.resize(n * n, 0);
        sizes.clear();
        sizes.resize(n, 0);
        for a in 0..n {
            let group_a = groups[a] as usize;
            sizes[group_a] += 1;
            for b in (0..n).filter(|b| groups[*b] as usize != group_a) {
                let cell = group_a * n + groups[b] as usize;
                links[cell].add_weight(weights[a * n + b], self.options);
                group_bars[cell] |= bars[a * n + b];
            }
        }
    }
}

impl Linkage for Dense<'_> {
    fn agglomerate(&mut self, outcome: &mut Outcome) -> Result<()> {
        self.sum_up(&outcome.groups);
        while let Some((a, b)) = best(self.n, self.options, self.scratch) {
            join(a, b, self.n, self.scratch, &mut outcome.groups);
        }
        count_refusals(self.n, self.options, self.scratch, outcome);
        Ok(())
    }

    fn weight(&mut self, a: u32, b: u32) -> i32 {
        self.scratch.weights[a as usize * self.n + b as usize]
    }
}

/// The strongest join that nothing forbids; of equal ones that of the lowest places.
fn best(n: usize, options: &ClusterOptions, scratch: &Scratch) -> Option<(usize, usize)> {
    let mut best = None;
    let mut best_average = i64::MIN;
    for a in 0..n {
        if scratch.sizes[a] == 0 {
            continue;
        }
        for b in a + 1..n {
            if scratch.sizes[b] == 0 || scratch.group_bars[a * n + b] != 0 {
                continue;
            }
            if let Verdict::Join(average) = judge(&scratch.links[a * n + b], scratch.sizes[a], scratch.sizes[b], options)
                && average > best_average
            {
                best_average = average;
                best = Some((a, b));
            }
        }
    }
    best
}

/// Group `b` becomes part of group `a`; a group of size 0 is gone.
fn join(a: usize, b: usize, n: usize, scratch: &mut Scratch, groups: &mut [u32]) {
    scratch.sizes[a] += scratch.sizes[b];
    scratch.sizes[b] = 0;
    for other in 0..n {
        if other != a && other != b {
            let (link, bar) = (scratch.links[b * n + other], scratch.group_bars[b * n + other]);
            scratch.links[a * n + other].add(link);
            scratch.links[other * n + a].add(link);
            scratch.group_bars[a * n + other] |= bar;
            scratch.group_bars[other * n + a] |= bar;
        }
    }
    for group in groups.iter_mut().filter(|group| **group as usize == b) {
        *group = a as u32;
    }
}

fn count_refusals(n: usize, options: &ClusterOptions, scratch: &Scratch, outcome: &mut Outcome) {
    for a in (0..n).filter(|a| scratch.sizes[*a] > 0) {
        for b in (a + 1..n).filter(|b| scratch.sizes[*b] > 0) {
            let bar = scratch.group_bars[a * n + b];
            match judge(&scratch.links[a * n + b], scratch.sizes[a], scratch.sizes[b], options) {
                Verdict::NoEdge => {}
                _ if bar & DECISION != 0 => outcome.n_cannot_links += 1,
                _ if bar & SOURCE != 0 => outcome.n_source_clashes += 1,
                Verdict::Weak => outcome.n_weak_links += 1,
                Verdict::Bridge => outcome.n_bridges += 1,
                Verdict::Join(_) => {}
            }
        }
    }
}
