//! The components of the graph that a change touches, whole.
use crm_core::{Control, Result};
use hashbrown::{HashMap, HashSet};

use super::contents::Contents;
use super::{After, Change, RecordEdge, Verdict};

/// The records to be clustered anew, with all that is between them.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Records, sorted.
    pub records: Vec<i64>,
    /// Edges of which both are among the records.
    pub edges: Vec<RecordEdge>,
    pub must_link: Vec<(i64, i64)>,
    pub cannot_link: Vec<(i64, i64)>,
    /// Edges that the change makes and takes away.
    pub added: Vec<RecordEdge>,
    pub removed: Vec<RecordEdge>,
}

/// All records of a first change.
pub(super) fn whole(after: &After<'_>, change: &Change, edges: Vec<RecordEdge>) -> Result<Graph> {
    let mut records: Vec<i64> = change.added.iter().map(|added| added.record).collect();
    records.sort_unstable();
    let mut graph = Graph { added: edges.clone(), edges, ..Graph::default() };
    let deciding: Vec<i64> = if after.decisions.is_empty() && after.setting.known.is_empty() { Vec::new() } else { records.clone() };
    for record in &deciding {
        take_decisions(after, *record, &mut graph, |other| Ok(after.added.contains_key(&other)))?;
    }
    graph.records = records;
    graph.settle();
    Ok(graph)
}

/// Everything that hangs together with what the change touches.
pub(super) fn close(
    after: &After<'_>,
    change: &Change,
    contents: &Contents,
    added: Vec<RecordEdge>,
    control: &dyn Control,
) -> Result<Graph> {
    let known = after.setting.known;
    let match_weight = after.setting.config.match_weight();
    let mut added_of: HashMap<i64, Vec<(i64, i32)>> = HashMap::new();
    for edge in &added {
        added_of.entry(edge.a).or_default().push((edge.b, edge.weight));
        added_of.entry(edge.b).or_default().push((edge.a, edge.weight));
    }
    let mut graph = Graph { added, ..Graph::default() };
    let mut waiting: Vec<i64> = Vec::new();
    let mut found = Vec::new();
    for record in &contents.dissolved {
        found.clear();
        known.edges(*record, &mut found)?;
        graph.removed.extend(found.iter().map(|(other, weight)| RecordEdge::new(*record, *other, *weight)));
        waiting.extend(found.iter().map(|(other, _)| *other));
        waiting.push(*record);
        let mut decisions = Vec::new();
        known.decisions(*record, &mut decisions)?;
        waiting.extend(decisions.iter().map(|(other, _)| *other));
    }
    waiting.extend(change.added.iter().map(|added| added.record));
    waiting.extend(&contents.fresh);
    waiting.extend(change.decisions.iter().flat_map(|(a, b, _)| [*a, *b]));
    waiting.extend(&change.edited);
    let mut seen: HashSet<i64> = HashSet::new();
    while let Some(record) = waiting.pop() {
        if seen.contains(&record) || !after.has(record)? {
            continue;
        }
        seen.insert(record);
        if seen.len().is_multiple_of(4096) {
            control.check()?;
        }
        found.clear();
        if !contents.dissolved.contains(&record) {
            known.edges(record, &mut found)?;
            found.retain(|(other, _)| !contents.dissolved.contains(other));
        }
        found.extend(added_of.get(&record).into_iter().flatten());
        for (other, weight) in &found {
            graph.edges.push(RecordEdge::new(record, *other, *weight));
            if *weight >= match_weight {
                waiting.push(*other);
            }
        }
        for (other, verdict) in after.decisions_of(record)? {
            if verdict == Verdict::Same {
                waiting.push(other);
            }
        }
    }
    graph.records = seen.iter().copied().collect();
    graph.records.sort_unstable();
    graph.edges.retain(|edge| seen.contains(&edge.a) && seen.contains(&edge.b));
    let records = std::mem::take(&mut graph.records);
    for record in &records {
        take_decisions(after, *record, &mut graph, |other| Ok(seen.contains(&other)))?;
    }
    graph.records = records;
    graph.settle();
    Ok(graph)
}

fn take_decisions(after: &After<'_>, record: i64, graph: &mut Graph, is_in: impl Fn(i64) -> Result<bool>) -> Result<()> {
    for (other, verdict) in after.decisions_of(record)? {
        if other != record && is_in(other)? {
            let pair = (record.min(other), record.max(other));
            match verdict {
                Verdict::Same => graph.must_link.push(pair),
                Verdict::Different => graph.cannot_link.push(pair),
            }
        }
    }
    Ok(())
}

impl Graph {
    /// Each edge and pair once, in order; edges that go and come with the same weight did not change.
    fn settle(&mut self) {
        for edges in [&mut self.edges, &mut self.added, &mut self.removed] {
            edges.sort_unstable();
            edges.dedup();
        }
        let stays: HashSet<RecordEdge> = self.removed.iter().filter(|edge| self.added.binary_search(edge).is_ok()).copied().collect();
        self.added.retain(|edge| !stays.contains(edge));
        self.removed.retain(|edge| !stays.contains(edge));
        for pairs in [&mut self.must_link, &mut self.cannot_link] {
            pairs.sort_unstable();
            pairs.dedup();
        }
    }
}
