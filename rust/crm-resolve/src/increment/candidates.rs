//! The pairs that new representatives make, scored.
use crm_core::{Control, Result};
use hashbrown::HashSet;
use rayon::prelude::*;

use super::contents::Contents;
use super::gather::{Gathered, normalize};
use super::{After, RecordEdge, Setting};
use crate::block::Keys;
use crate::compare::LevelCache;
use crate::{EdgeBuffer, Scorer, score_prepared};

/// The edges among all of some records, which are all there are; and how many pairs were compared.
pub(super) fn among_all(setting: &Setting<'_>, all: &Gathered, keys: Keys, control: &dyn Control) -> Result<(Vec<RecordEdge>, u64)> {
    let buffer = EdgeBuffer::default();
    let prepared = crate::Prepared::by_ids(&all.records, setting.model, keys, &all.ids);
    let stats = score_prepared(&all.records, setting.model, prepared, setting.config, control, &buffer)?;
    let edges = buffer.into_edges();
    let named = edges.into_iter().map(|edge| RecordEdge::new(all.ids[edge.a as usize], all.ids[edge.b as usize], edge.weight));
    Ok((named.collect(), stats.compared))
}

/// The edges of fresh representatives, and of records with the representatives of their content; and how many pairs were compared.
pub(super) fn find(
    after: &After<'_>,
    contents: &Contents,
    added: &Gathered,
    keys: &Keys,
    control: &dyn Control,
) -> Result<(Vec<RecordEdge>, u64)> {
    let setting = after.setting;
    let promoted: Vec<i64> = contents.fresh.iter().copied().filter(|record| added.find(*record).is_none()).collect();
    let promoted = normalize(setting, &promoted, control)?;
    control.progress("blocking", 0, 0);
    let keys_of_promoted = Keys::new(&promoted.records, &setting.model.rules);
    let partners = partners(after, contents, [(added, keys), (&promoted, &keys_of_promoted)], control)?;
    let mut needed: Vec<i64> = partners.iter().flat_map(|(record, others)| others.iter().copied().chain([*record])).collect();
    // A record of the content stands for the representative where that is known already: they say the same.
    needed.extend(contents.stars.iter().map(|(_, member)| *member));
    needed.par_sort_unstable();
    needed.dedup();
    let all = normalize(setting, &needed, control)?;
    drop(promoted);
    let scorer = Scorer::new(&all.records, setting.model, setting.config)?;
    let n_pairs: u64 = partners.iter().map(|(_, others)| others.len() as u64).sum();
    control.progress("compare", 0, n_pairs);
    let found: Vec<Vec<RecordEdge>> = partners
        .par_chunks(64)
        .map_init(LevelCache::default, |cache, chunk| {
            control.check()?;
            let mut edges = Vec::new();
            for (record, others) in chunk {
                let a = all.place(*record)?;
                for other in others {
                    let b = all.place(*other)?;
                    edges.extend(scorer.weight_if_kept(a, b, cache).map(|weight| RecordEdge::new(*record, *other, weight)));
                }
            }
            Ok(edges)
        })
        .collect::<Result<_>>()?;
    let mut edges = found.concat();
    let mut cache = LevelCache::default();
    for (representative, member) in &contents.stars {
        let place = all.place(*member)?;
        edges.extend(scorer.weight_if_kept(place, place, &mut cache).map(|weight| RecordEdge::new(*representative, *member, weight)));
    }
    Ok((edges, n_pairs))
}

/// Fresh representatives whose partners are looked for together: what they find of the base must fit memory before each pair is kept once.
const PART: usize = 16_384;

/// Per fresh representative the representatives that share a key with it, each pair once.
fn partners(
    after: &After<'_>,
    contents: &Contents,
    normalized: [(&Gathered, &Keys); 2],
    control: &dyn Control,
) -> Result<Vec<(i64, Vec<i64>)>> {
    let rules = after.setting.model.rules.len();
    let keys_of = |record: i64, rule: usize, visit: &mut dyn FnMut(u32)| {
        for (gathered, keys) in normalized {
            if let Some(place) = gathered.find(record) {
                keys.each(place, rule, visit);
                break;
            }
        }
    };
    // Per rule the fresh ones by key.
    let fresh: Vec<Vec<(u32, i64)>> = (0..rules)
        .into_par_iter()
        .map(|rule| {
            let mut entries = Vec::new();
            for record in &contents.fresh {
                keys_of(*record, rule, &mut |key| entries.push((key, *record)));
            }
            entries.sort_unstable();
            entries.dedup();
            entries
        })
        .collect();
    let mut partners = Vec::with_capacity(contents.fresh.len());
    for part in contents.fresh.chunks(PART) {
        let pairs = pairs_of(after, contents, &fresh, part, control)?;
        partners.extend(pairs.chunk_by(|a, b| a.0 == b.0).map(|of_one| (of_one[0].0, of_one.iter().map(|pair| pair.1).collect())));
    }
    // One without partners is scored with none, and read all the same: its content may be that of others.
    let paired: HashSet<i64> = partners.iter().map(|(record, _)| *record).collect();
    partners.extend(contents.fresh.iter().filter(|record| !paired.contains(*record)).map(|record| (*record, Vec::new())));
    Ok(partners)
}

/// The pairs of a part of the fresh ones, sorted: first among the fresh ones, of which the other is the higher; then with known ones.
///
/// Keys are looked up rule by rule in their order, so that the index is read from front to back and let go of behind.
fn pairs_of(
    after: &After<'_>,
    contents: &Contents,
    fresh: &[Vec<(u32, i64)>],
    part: &[i64],
    control: &dyn Control,
) -> Result<Vec<(i64, i64)>> {
    let known = after.setting.known;
    let (Some(first), Some(last)) = (part.first(), part.last()) else { return Ok(Vec::new()) };
    let mut pairs: Vec<(i64, i64)> = Vec::new();
    let mut with_known: Vec<(i64, i64)> = Vec::new();
    for (rule, entries) in fresh.iter().enumerate() {
        control.check()?;
        let mine: Vec<(u32, i64)> = entries.iter().filter(|entry| (*first..=*last).contains(&entry.1)).copied().collect();
        let found: Vec<Pairs> = mine
            .par_chunk_by(|a, b| a.0 == b.0)
            .try_fold(Pairs::default, |mut found, group| {
                let key = group[0].0;
                let start = entries.partition_point(|entry| entry.0 < key);
                let block = entries[start..].iter().take_while(|entry| entry.0 == key);
                let block: Vec<i64> = block.map(|entry| entry.1).collect();
                found.others.clear();
                known.with_key(rule, key, &mut found.others)?;
                for (_, record) in group {
                    found.fresh.extend(block.iter().filter(|other| *other > record).map(|other| (*record, *other)));
                    found.known.extend(found.others.iter().map(|other| (*record, *other)));
                }
                Ok::<_, crm_core::Error>(found)
            })
            .collect::<Result<_>>()?;
        for part in found {
            pairs.extend(part.fresh);
            with_known.extend(part.known);
        }
        known.release();
    }
    with_known.par_sort_unstable();
    with_known.dedup();
    let representatives = representatives(after, contents, &with_known)?;
    pairs.extend(with_known.into_iter().filter(|(_, other)| representatives.contains(other)));
    pairs.par_sort_unstable();
    pairs.dedup();
    Ok(pairs)
}

/// Pairs on their way: among fresh ones, and of fresh and known ones.
#[derive(Default)]
struct Pairs {
    fresh: Vec<(i64, i64)>,
    known: Vec<(i64, i64)>,
    others: Vec<i64>,
}

/// The known records of some pairs that stay, stand for their content, and are not fresh themselves.
fn representatives(after: &After<'_>, contents: &Contents, pairs: &[(i64, i64)]) -> Result<HashSet<i64>> {
    let known = after.setting.known;
    let mut others: Vec<i64> = pairs.iter().map(|pair| pair.1).collect();
    others.par_sort_unstable();
    others.dedup();
    let is_one = |record: &i64, fellows: &mut Vec<i64>| -> Result<bool> {
        if after.gone.contains(record) || contents.fresh.binary_search(record).is_ok() {
            return Ok(false);
        }
        let Some(facts) = known.facts(*record)? else { return Ok(false) };
        if let Some(representative) = contents.representatives.get(&facts.content) {
            return Ok(representative == record);
        }
        fellows.clear();
        known.with_content(facts.content, fellows)?;
        Ok(fellows.iter().all(|other| other >= record))
    };
    let chosen: Vec<Vec<i64>> = others
        .par_chunks(1024)
        .map(|chunk| {
            let mut fellows = Vec::new();
            let mut chosen = Vec::with_capacity(chunk.len());
            for record in chunk {
                if is_one(record, &mut fellows)? {
                    chosen.push(*record);
                }
            }
            Ok(chosen)
        })
        .collect::<Result<_>>()?;
    known.release();
    Ok(chosen.into_iter().flatten().collect())
}
