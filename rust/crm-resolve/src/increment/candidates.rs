//! The pairs that new representatives make, scored.
use crm_core::{Control, Result};
use hashbrown::HashMap;
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

/// Per fresh representative the representatives that share a key with it, each pair once.
fn partners(
    after: &After<'_>,
    contents: &Contents,
    normalized: [(&Gathered, &Keys); 2],
    control: &dyn Control,
) -> Result<Vec<(i64, Vec<i64>)>> {
    let setting = after.setting;
    let rules = &setting.model.rules;
    let keys_of = |record: i64, rule: usize, visit: &mut dyn FnMut(u32)| {
        for (gathered, keys) in normalized {
            if let Some(place) = gathered.find(record) {
                keys.each(place, rule, visit);
                break;
            }
        }
    };
    // Per rule the fresh ones by key.
    let fresh: Vec<Vec<(u32, i64)>> = (0..rules.len())
        .into_par_iter()
        .map(|rule| {
            let mut entries = Vec::new();
            for record in &contents.fresh {
                keys_of(*record, rule, &mut |key| entries.push((key, *record)));
            }
            entries.sort_unstable();
            entries
        })
        .collect();
    let is_fresh = |record: &i64| contents.fresh.binary_search(record).is_ok();
    let is_representative = |record: i64, others: &mut Vec<i64>| -> Result<bool> {
        let Some(facts) = setting.known.facts(record)? else { return Ok(false) };
        if let Some(representative) = contents.representatives.get(&facts.content) {
            return Ok(*representative == record);
        }
        others.clear();
        setting.known.with_content(facts.content, others)?;
        Ok(others.iter().all(|other| *other >= record))
    };
    contents
        .fresh
        .par_chunks(256)
        .map(|chunk| {
            control.check()?;
            let (mut found, mut others) = (Vec::new(), Vec::new());
            let mut is_known_representative: HashMap<i64, bool> = HashMap::new();
            let mut partners = Vec::with_capacity(chunk.len());
            for record in chunk {
                found.clear();
                let mut failed = Ok(());
                let mut fellows: Vec<i64> = Vec::new();
                for (rule, fresh) in fresh.iter().enumerate() {
                    keys_of(*record, rule, &mut |key| {
                        if failed.is_ok() {
                            failed = setting.known.with_key(rule, key, &mut found);
                        }
                        let start = fresh.partition_point(|entry| entry.0 < key);
                        let block = fresh[start..].iter().take_while(|entry| entry.0 == key);
                        fellows.extend(block.map(|entry| entry.1).filter(|other| other > record));
                    });
                }
                failed?;
                found.sort_unstable();
                found.dedup();
                for other in &found {
                    if after.gone.contains(other) || is_fresh(other) {
                        continue;
                    }
                    let is_one = match is_known_representative.get(other) {
                        Some(known) => *known,
                        None => {
                            let is_one = is_representative(*other, &mut others)?;
                            is_known_representative.insert(*other, is_one);
                            is_one
                        }
                    };
                    if is_one {
                        fellows.push(*other);
                    }
                }
                fellows.sort_unstable();
                fellows.dedup();
                partners.push((*record, fellows));
            }
            Ok(partners)
        })
        .collect::<Result<Vec<_>>>()
        .map(|parts| parts.concat())
}
