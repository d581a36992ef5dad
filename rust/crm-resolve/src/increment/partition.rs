//! Touched components clustered anew, and what that changes.
use crm_core::{Control, Result};
use hashbrown::{HashMap, HashSet};

use super::closure::Graph;
use super::gather::{Gathered, normalize};
use super::{After, Change, Contacts, Outcome, RecordEdge};
use crate::cluster::{ClusterOptions, Clusters, Constraints, MANY_PER_CONTACT, cluster};
use crate::{Edge, Scorer};

/// Clusters the graph's records and fills in what changes; `all` are they, normalized, where the caller has them.
pub(super) fn derive(
    after: &After<'_>,
    change: &Change,
    graph: Graph,
    all: Option<Gathered>,
    outcome: &mut Outcome,
    control: &dyn Control,
) -> Result<()> {
    control.progress("clustering", 0, graph.records.len() as u64);
    let clusters = clusters(after, &graph, all, control)?;
    let groups = groups(after, &graph.records, &clusters)?;
    control.check()?;
    let match_weight = after.setting.config.match_weight();
    outcome.counts.clustered_records = graph.records.len() as u64;
    outcome.counts.pairs_matched = graph.added.iter().filter(|edge| edge.weight >= match_weight).count() as u64;
    outcome.counts.pairs_to_review = graph.added.len() as u64 - outcome.counts.pairs_matched;
    compare(after, change, &groups, outcome)?;
    outcome.edges_of = edges_of(after, &graph)?;
    outcome.decisions_of = decisions_of(after, change)?;
    outcome.edges_added = graph.added;
    outcome.edges_removed = graph.removed;
    control.progress("clustering", outcome.counts.clustered_records, outcome.counts.clustered_records);
    Ok(())
}

fn clusters(after: &After<'_>, graph: &Graph, all: Option<Gathered>, control: &dyn Control) -> Result<Clusters> {
    let setting = after.setting;
    let records = &graph.records;
    let place_of: HashMap<i64, u32> = records.iter().enumerate().map(|(place, record)| (*record, place as u32)).collect();
    let pair = |(a, b): &(i64, i64)| (place_of[a], place_of[b]);
    let edges: Vec<Edge> = graph.edges.iter().map(|RecordEdge { a, b, weight }| Edge::new(place_of[a], place_of[b], *weight)).collect();
    let must_link: Vec<(u32, u32)> = graph.must_link.iter().map(pair).collect();
    let cannot_link: Vec<(u32, u32)> = graph.cannot_link.iter().map(pair).collect();
    let gathered = match all {
        Some(all) => all,
        None => {
            let weighed =
                weighed(setting.config.match_weight(), records.len(), &edges, &must_link, !setting.config.unique_sources.is_empty());
            let ids: Vec<i64> = weighed.into_iter().map(|place| records[place as usize]).collect();
            normalize(setting, &ids, control)?
        }
    };
    // A record that no component needs the scorer for was not read; nobody asks for it.
    let places: Vec<u32> = records.iter().map(|record| gathered.find(*record).unwrap_or(u32::MAX)).collect();
    let numbers = gathered.records.unique_sources(setting.config);
    let unique_source: Vec<u16> = if numbers.is_empty() {
        Vec::new()
    } else {
        places.iter().map(|place| numbers.get(*place as usize).copied().unwrap_or(MANY_PER_CONTACT)).collect()
    };
    let scorer = Scorer::new(&gathered.records, setting.model, setting.config)?;
    let weight = |a: u32, b: u32| {
        let (a, b) = (places[a as usize], places[b as usize]);
        if a == u32::MAX || b == u32::MAX { i32::MIN / 2 } else { crate::PairScorer::weight(&scorer, a, b) }
    };
    let keys: Vec<u64> = records.iter().map(|record| *record as u64).collect();
    let constraints = Constraints { must_link: &must_link, cannot_link: &cannot_link, unique_source: &unique_source };
    let options = ClusterOptions { match_threshold: setting.config.match_weight(), ..ClusterOptions::default() };
    cluster(&keys, &edges, constraints, &options, &weight, control)
}

/// The records whose components cannot be clustered by their edges alone.
fn weighed(match_weight: i32, n_records: usize, edges: &[Edge], must_link: &[(u32, u32)], sources_matter: bool) -> Vec<u32> {
    let mut parent: Vec<u32> = (0..n_records as u32).collect();
    let root = |parent: &mut Vec<u32>, mut node: u32| {
        while parent[node as usize] != node {
            parent[node as usize] = parent[parent[node as usize] as usize];
            node = parent[node as usize];
        }
        node
    };
    let strong = edges.iter().filter(|edge| edge.weight >= match_weight).map(|edge| (edge.a, edge.b));
    for (a, b) in strong.chain(must_link.iter().copied()) {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b) as usize] = a.min(b);
    }
    let roots: Vec<u32> = (0..n_records as u32).map(|node| root(&mut parent, node)).collect();
    let mut sizes = vec![0u32; n_records];
    roots.iter().for_each(|root| sizes[*root as usize] += 1);
    // Decisions make a pair more than its edge; asking costs little, as decisions are few.
    let least = if sources_matter || !must_link.is_empty() { 2 } else { 3 };
    (0..n_records as u32).filter(|node| sizes[roots[*node as usize] as usize] >= least).collect()
}

/// The groups as contacts, in the order of their founders.
fn groups(after: &After<'_>, records: &[i64], clusters: &Clusters) -> Result<Contacts> {
    let mut runs: Vec<u32> = Vec::with_capacity(records.len());
    for record in records {
        runs.push(after.runs(*record)?.map_or(u32::MAX, |(first, _)| first));
    }
    let mut founders = vec![(u32::MAX, i64::MAX); clusters.n_clusters];
    for ((record, run), label) in records.iter().zip(&runs).zip(&clusters.labels) {
        let founder = &mut founders[*label as usize];
        *founder = (*founder).min((*run, *record));
    }
    let mut order: Vec<u32> = (0..clusters.n_clusters as u32).collect();
    order.sort_unstable_by_key(|label| founders[*label as usize].1);
    let mut sizes = vec![0u32; clusters.n_clusters];
    clusters.labels.iter().for_each(|label| sizes[*label as usize] += 1);
    let mut contacts = Contacts { founders: Vec::with_capacity(order.len()), offsets: vec![0], members: vec![0; records.len()] };
    let mut next = vec![0usize; clusters.n_clusters];
    let mut start = 0;
    for label in order {
        contacts.founders.push(founders[label as usize].1);
        next[label as usize] = start;
        start += sizes[label as usize] as usize;
        contacts.offsets.push(start as u32);
    }
    // Records come in order, so members are sorted.
    for (record, label) in records.iter().zip(&clusters.labels) {
        let slot = &mut next[*label as usize];
        contacts.members[*slot] = *record;
        *slot += 1;
    }
    Ok(contacts)
}

/// Contacts as they were: per record its contact, and per contact its records.
#[derive(Debug, Default)]
struct Former {
    contact_of: HashMap<i64, i64>,
    members_of: HashMap<i64, Vec<i64>>,
}

/// The contacts that the touched records were in, with all their records, sorted.
fn former_contacts(after: &After<'_>, groups: &Contacts) -> Result<Former> {
    let known = after.setting.known;
    let Former { mut contact_of, mut members_of } = Former::default();
    if known.is_empty() {
        return Ok(Former { contact_of, members_of });
    }
    for record in groups.members.iter().chain(&after.gone) {
        if known.facts(*record)?.is_none() {
            continue;
        }
        let contact = known.contact(*record)?;
        contact_of.insert(*record, contact);
        if let hashbrown::hash_map::Entry::Vacant(entry) = members_of.entry(contact) {
            let mut members = Vec::new();
            known.members(contact, &mut members)?;
            members.sort_unstable();
            entry.insert(members);
        }
    }
    Ok(Former { contact_of, members_of })
}

/// Compares the groups with the contacts that were.
fn compare(after: &After<'_>, change: &Change, groups: &Contacts, outcome: &mut Outcome) -> Result<()> {
    let Former { contact_of, members_of } = former_contacts(after, groups)?;
    let edited: HashSet<i64> = change.edited.iter().copied().collect();
    let mut aliases_now: Vec<(i64, i64)> = Vec::new();
    let mut pieces: HashMap<i64, Vec<(i64, u64)>> = HashMap::new();
    let counts = &mut outcome.counts;
    for (founder, members) in groups.iter() {
        let mut former: Vec<(i64, u64)> = Vec::new();
        let (mut n_new, mut is_changed) = (0u64, false);
        for record in members {
            let contact = contact_of.get(record).copied();
            is_changed |= after.added.contains_key(record) || edited.contains(record);
            if contact != Some(founder) {
                outcome.moved.push((*record, founder));
            }
            match contact {
                Some(contact) => match former.iter_mut().find(|(known, _)| *known == contact) {
                    Some((_, n)) => *n += 1,
                    None => former.push((contact, 1)),
                },
                None => n_new += 1,
            }
        }
        for (contact, n) in &former {
            pieces.entry(*contact).or_default().push((founder, *n));
        }
        if former.is_empty() {
            counts.new_contacts += 1;
        } else {
            counts.joined += n_new;
            counts.merged_contacts += u64::from(former.len() > 1);
        }
        counts.largest_contact = counts.largest_contact.max(members.len() as u64);
        aliases(members, founder, |record| after.runs(record), |record| Ok(!after.decisions_of(record)?.is_empty()), &mut aliases_now)?;
        if is_changed || members_of.get(&founder).is_none_or(|former| former != members) {
            outcome.contacts.push(founder, members);
        }
    }
    counts.touched_contacts = outcome.contacts.len() as u64;
    counts.split_contacts = pieces.values().filter(|pieces| pieces.len() > 1).count() as u64;
    let is_founder = |contact: &i64| groups.founders.binary_search(contact).is_ok();
    for contact in members_of.keys().filter(|contact| !is_founder(contact)) {
        let heir = pieces.get(contact).and_then(|pieces| pieces.iter().max_by_key(|(founder, n)| (*n, std::cmp::Reverse(*founder))));
        outcome.gone_contacts.push((*contact, heir.map(|(founder, _)| *founder)));
    }
    outcome.gone_contacts.sort_unstable();
    counts.gone_contacts = outcome.gone_contacts.len() as u64;
    outcome.moved.sort_unstable();
    let mut aliases_before: Vec<(i64, i64)> = Vec::new();
    let known = after.setting.known;
    for (contact, members) in &members_of {
        let runs = |record: i64| Ok(known.facts(record)?.map(|facts| (facts.first_run, facts.run)));
        let decided = |record: i64| {
            let mut decisions = Vec::new();
            known.decisions(record, &mut decisions)?;
            Ok(!decisions.is_empty())
        };
        aliases(members, *contact, runs, decided, &mut aliases_before)?;
    }
    aliases_before.sort_unstable();
    aliases_now.sort_unstable();
    outcome.aliases_added = aliases_now.iter().filter(|alias| aliases_before.binary_search(alias).is_err()).copied().collect();
    let stays = |alias: &i64| aliases_now.binary_search_by_key(alias, |(alias, _)| *alias).is_ok();
    outcome.aliases_removed = aliases_before.iter().map(|(alias, _)| *alias).filter(|alias| !stays(alias)).collect();
    Ok(())
}

/// The ids that the records of a contact may have given it, or contacts that went into it, before it was what it is: those of all but its
/// founder, where its parts came in different runs or a person decided on one.
fn aliases(
    members: &[i64],
    founder: i64,
    runs: impl Fn(i64) -> Result<Option<(u32, u32)>>,
    is_decided: impl Fn(i64) -> Result<bool>,
    out: &mut Vec<(i64, i64)>,
) -> Result<()> {
    if members.len() < 2 {
        return Ok(());
    }
    let (mut earliest, mut latest, mut has_decision) = (u32::MAX, 0, false);
    for record in members {
        let (first, run) = runs(*record)?.unwrap_or((0, 0));
        (earliest, latest) = (earliest.min(first), latest.max(run));
        has_decision |= is_decided(*record)?;
    }
    if earliest != latest || has_decision {
        out.extend(members.iter().filter(|record| **record != founder).map(|record| (*record, founder)));
    }
    Ok(())
}

/// All edges of the records whose edges change.
fn edges_of(after: &After<'_>, graph: &Graph) -> Result<Vec<super::EdgesOf>> {
    let mut lists: HashMap<i64, Vec<(i64, i32)>> = HashMap::new();
    let removed: HashSet<(i64, i64)> = graph.removed.iter().map(|edge| (edge.a, edge.b)).collect();
    let touched = graph.removed.iter().chain(&graph.added).flat_map(|edge| [edge.a, edge.b]);
    for record in touched {
        if let hashbrown::hash_map::Entry::Vacant(entry) = lists.entry(record) {
            let mut edges = Vec::new();
            after.setting.known.edges(record, &mut edges)?;
            edges.retain(|(other, _)| !removed.contains(&(record.min(*other), record.max(*other))));
            entry.insert(edges);
        }
    }
    for edge in &graph.added {
        for (one, other) in [(edge.a, edge.b), (edge.b, edge.a)] {
            if let Some(list) = lists.get_mut(&one) {
                list.push((other, edge.weight));
            }
        }
    }
    let mut lists: Vec<super::EdgesOf> = lists.into_iter().collect();
    lists.sort_unstable_by_key(|(record, _)| *record);
    lists.iter_mut().for_each(|(_, list)| list.sort_unstable());
    Ok(lists)
}

fn decisions_of(after: &After<'_>, change: &Change) -> Result<Vec<super::DecisionsOf>> {
    let mut records: Vec<i64> = change.decisions.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
    records.sort_unstable();
    records.dedup();
    records.into_iter().map(|record| Ok((record, after.decisions_of(record)?))).collect()
}
