//! Average linkage over a large component: only groups that an edge connects are compared, in full where that is cheap.
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crm_core::{Control, Result};
use hashbrown::{HashMap, HashSet};

use crate::PairScorer;
use crate::cluster::ClusterOptions;
use crate::cluster::components::Component;
use crate::cluster::linkage::{Link, Linkage, Outcome, Verdict, clipped, judge};

/// Of two large groups at most this many records each are compared with each other: their lowest places.
const SAMPLE: usize = 32;
/// Pairs weighed between two looks at whether the caller cancelled.
const PAIRS_PER_CHECK: usize = 100_000;

pub struct Sparse<'a> {
    component: &'a Component<'a>,
    options: &'a ClusterOptions,
    scorer: &'a dyn PairScorer,
    control: &'a dyn Control,
    /// Clipped weights of the pairs that were looked at.
    known: HashMap<(u32, u32), i32>,
    /// Members of each group by place; a group is named by its lowest place and is gone when it has none.
    members: Vec<Vec<u32>>,
    links: Vec<HashMap<u32, Link>>,
    cannot: Vec<HashSet<u32>>,
    sources: Vec<Vec<u16>>,
    queue: BinaryHeap<(i64, Reverse<(u32, u32)>)>,
    n_weighed: usize,
}

impl Linkage for Sparse<'_> {
    fn agglomerate(&mut self, outcome: &mut Outcome) -> Result<()> {
        self.gather(&outcome.groups);
        self.compare_neighbours(&outcome.groups)?;
        while let Some((a, b)) = self.pop() {
            self.join(a, b)?;
        }
        self.finish(outcome);
        Ok(())
    }

    fn weight(&mut self, a: u32, b: u32) -> i32 {
        let pair = (a.min(b), a.max(b));
        let (component, scorer, options) = (self.component, self.scorer, self.options);
        *self
            .known
            .entry(pair)
            .or_insert_with(|| clipped(scorer.weight(component.records[pair.0 as usize], component.records[pair.1 as usize]), options))
    }
}

impl<'a> Sparse<'a> {
    pub fn new(component: &'a Component<'a>, options: &'a ClusterOptions, scorer: &'a dyn PairScorer, control: &'a dyn Control) -> Self {
        Self {
            component,
            options,
            scorer,
            control,
            known: component.edges.iter().map(|edge| ((edge.a, edge.b), clipped(edge.weight, options))).collect(),
            members: Vec::new(),
            links: Vec::new(),
            cannot: Vec::new(),
            sources: Vec::new(),
            queue: BinaryHeap::new(),
            n_weighed: 0,
        }
    }

    /// Starts from the given groups, with no link known.
    fn gather(&mut self, groups: &[u32]) {
        let n = groups.len();
        self.queue.clear();
        self.links = vec![HashMap::new(); n];
        self.cannot = vec![HashSet::new(); n];
        self.sources = vec![Vec::new(); n];
        self.members = vec![Vec::new(); n];
        for (place, group) in groups.iter().enumerate() {
            self.members[*group as usize].push(place as u32);
            self.sources[*group as usize].extend(self.component.unique_source(place));
        }
        for (a, b) in self.component.cannot_link {
            let (a, b) = (groups[*a as usize], groups[*b as usize]);
            self.cannot[a as usize].insert(b);
            self.cannot[b as usize].insert(a);
        }
    }

    fn compare_neighbours(&mut self, group_of: &[u32]) -> Result<()> {
        let is_neighbour = |(a, b): &(u32, u32)| a != b;
        let mut neighbours: Vec<(u32, u32)> = self
            .component
            .edges
            .iter()
            .filter(|edge| edge.weight >= self.options.match_threshold)
            .map(|edge| (group_of[edge.a as usize], group_of[edge.b as usize]))
            .filter(is_neighbour)
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        neighbours.sort_unstable();
        neighbours.dedup();
        for (a, b) in neighbours {
            let link = self.compare(a, b)?;
            self.set_link(a, b, link);
        }
        Ok(())
    }

    /// The next join that is still as strong as when it was queued.
    fn pop(&mut self) -> Option<(u32, u32)> {
        while let Some((average, Reverse((a, b)))) = self.queue.pop() {
            let is_current = self.links[a as usize].get(&b).is_some_and(|link| self.judge(a, b, link) == Verdict::Join(average));
            if is_current && !self.is_barred(a, b) {
                return Some((a, b));
            }
        }
        None
    }

    fn judge(&self, a: u32, b: u32, link: &Link) -> Verdict {
        judge(link, self.members[a as usize].len() as u32, self.members[b as usize].len() as u32, self.options)
    }

    fn is_barred(&self, a: u32, b: u32) -> bool {
        self.cannot[a as usize].contains(&b) || self.shares_source(a, b)
    }

    fn shares_source(&self, a: u32, b: u32) -> bool {
        self.sources[a as usize].iter().any(|source| self.sources[b as usize].contains(source))
    }

    /// Weighs the pairs between two groups, or a fixed sample of them where there are many.
    fn compare(&mut self, a: u32, b: u32) -> Result<Link> {
        let mut link = Link::default();
        let sample = |members: &[u32]| members[..members.len().min(SAMPLE)].to_vec();
        let (places_a, places_b) = (sample(&self.members[a as usize]), sample(&self.members[b as usize]));
        for place_a in &places_a {
            for place_b in &places_b {
                let weight = self.weight(*place_a, *place_b);
                link.add_weight(weight, self.options);
            }
        }
        self.n_weighed += link.count as usize;
        if self.n_weighed >= PAIRS_PER_CHECK {
            self.n_weighed = 0;
            self.control.check()?;
        }
        Ok(link)
    }

    fn set_link(&mut self, a: u32, b: u32, link: Link) {
        self.links[a as usize].insert(b, link);
        self.links[b as usize].insert(a, link);
        let (a, b) = (a.min(b), a.max(b));
        if let Verdict::Join(average) = self.judge(a, b, &link)
            && !self.is_barred(a, b)
        {
            self.queue.push((average, Reverse((a, b))));
        }
    }

    /// Group `b` becomes part of group `a < b`; each neighbour of either is compared with the half it did not know.
    fn join(&mut self, a: u32, b: u32) -> Result<()> {
        let (links_a, links_b) = (std::mem::take(&mut self.links[a as usize]), std::mem::take(&mut self.links[b as usize]));
        let mut neighbours: Vec<u32> = links_a.keys().chain(links_b.keys()).copied().filter(|other| *other != a && *other != b).collect();
        neighbours.sort_unstable();
        neighbours.dedup();
        let mut joined = Vec::with_capacity(neighbours.len());
        for other in neighbours {
            let mut link = match links_a.get(&other) {
                Some(link) => *link,
                None => self.compare(a, other)?,
            };
            link.add(match links_b.get(&other) {
                Some(link) => *link,
                None => self.compare(b, other)?,
            });
            self.links[other as usize].remove(&b);
            joined.push((other, link));
        }
        self.unite(a, b);
        for (other, link) in joined {
            self.set_link(a, other, link);
        }
        Ok(())
    }

    fn unite(&mut self, a: u32, b: u32) {
        let members = std::mem::take(&mut self.members[b as usize]);
        let into = &mut self.members[a as usize];
        into.extend(members);
        into.sort_unstable();
        let sources = std::mem::take(&mut self.sources[b as usize]);
        self.sources[a as usize].extend(sources);
        for other in std::mem::take(&mut self.cannot[b as usize]) {
            self.cannot[other as usize].remove(&b);
            self.cannot[other as usize].insert(a);
            self.cannot[a as usize].insert(other);
        }
    }

    fn finish(&self, outcome: &mut Outcome) {
        for (group, members) in self.members.iter().enumerate() {
            for member in members {
                outcome.groups[*member as usize] = group as u32;
            }
        }
        for group in 0..self.members.len() as u32 {
            for (other, link) in self.links[group as usize].iter().filter(|(other, _)| **other > group) {
                match self.judge(group, *other, link) {
                    Verdict::NoEdge => {}
                    _ if self.cannot[group as usize].contains(other) => outcome.n_cannot_links += 1,
                    _ if self.shares_source(group, *other) => outcome.n_source_clashes += 1,
                    Verdict::Weak => outcome.n_weak_links += 1,
                    Verdict::Bridge => outcome.n_bridges += 1,
                    Verdict::Join(_) => {}
                }
            }
        }
    }
}
