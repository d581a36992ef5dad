//! How large the blocks of each rule may be.
use std::collections::BTreeMap;

use crm_core::{Control, Result};
use rayon::prelude::*;

use super::blocks::{each_block, entries_of, pairs_in};
use super::keys::{Column, renew};
use super::{Form, KeyHashes, Keys, Part, Rule};
use crate::ResolveConfig;
use crate::records::{Kind, Records};
use crate::score::Collapsed;

/// Sets each rule's cap so that the pairs proposed stay within the budget, and the keys that exceed it; gives the keys of all records.
pub(crate) fn fit_caps(
    records: &Records,
    rules: &mut [Rule],
    collapsed: &Collapsed,
    config: &ResolveConfig,
    control: &dyn Control,
) -> Result<Keys> {
    let representatives = collapsed.representatives.as_slice();
    let budget = (config.pairs_per_record * representatives.len() as f64).max(config.min_pairs as f64);
    let per_rule = (budget / rules.len().max(1) as f64) as u64;
    let mut keys = Keys::new(records, rules);
    // Records that repeat a representative's content have its keys.
    let repeated: Vec<u32> = collapsed.identical.iter().map(|(_, record)| *record).collect();
    keys.left_out = rules
        .par_iter_mut()
        .zip(keys.columns.par_iter_mut())
        .map(|(rule, column)| {
            control.check()?;
            let n_left_out = fit_cap(records, rule, column, representatives, per_rule);
            if !rule.oversized.is_empty() {
                renew(records, rule, column, &repeated);
            }
            Ok(n_left_out)
        })
        .collect::<Result<_>>()?;
    Ok(keys)
}

/// Finds a rule's cap and its oversized keys, and gives the records that bear these their further keys; returns the keys left out.
fn fit_cap(records: &Records, rule: &mut Rule, column: &mut Column, representatives: &[u32], budget: u64) -> u64 {
    let smallest = smallest_cap(records, rule);
    let mut entries = entries_of(column, representatives);
    let (mut cap, used) = cap_for(&entries, budget, smallest);
    rule.cap = cap;
    let mut rest = budget.saturating_sub(used);
    let mut n_left_out = 0;
    for _ in 0..=rule.refine.len() {
        let mut grown = KeyHashes::default();
        let mut affected: Vec<u32> = Vec::new();
        each_block(&entries, |key, block| {
            if block.len() > cap as usize {
                grown.insert(key);
                affected.extend(block.iter().map(|entry| *entry as u32));
            }
        });
        if grown.is_empty() {
            break;
        }
        rule.oversized.extend(grown);
        affected.sort_unstable();
        affected.dedup();
        n_left_out += renew(records, rule, column, &affected);
        entries = entries_of(column, &affected);
        // What is refined shares what the smaller blocks left of the budget.
        let (refined, used) = cap_for(&entries, rest, smallest);
        cap = refined.min(rule.cap);
        rest = rest.saturating_sub(used);
    }
    n_left_out
}

/// Blocks up to this size are always looked at: the more telling the rule, the larger.
fn smallest_cap(records: &Records, rule: &Rule) -> u32 {
    let is_vague = |part: &Part| matches!(part.form, Form::Year | Form::DayMonth);
    let has_name = rule.parts.iter().any(|part| matches!(part.form, Form::AnyName(_)));
    let kind_of = |part: &Part| records.fields.iter().find(|field| field.name == part.field).map(|field| field.kind);
    match rule.parts.as_slice() {
        [part] if part.form == Form::Whole => match kind_of(part) {
            Some(Kind::Email | Kind::Phone | Kind::TaxId | Kind::Text) => 30,
            _ => 4,
        },
        [part] if matches!(part.form, Form::NamePair(_)) => 12,
        parts if parts.len() > 1 && has_name && !parts.iter().any(is_vague) => 20,
        _ => 4,
    }
}

/// The largest cap whose blocks have at most `budget` pairs, and those pairs.
fn cap_for(entries: &[u64], budget: u64, smallest: u32) -> (u32, u64) {
    let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
    each_block(entries, |_, block| *sizes.entry(block.len() as u32).or_default() += 1);
    let (mut sum, mut cap) = (0, smallest);
    for (size, n) in sizes {
        let pairs = pairs_in(size as usize) * n;
        if sum + pairs > budget && size > smallest {
            return (cap, sum);
        }
        sum += pairs;
        cap = cap.max(size);
    }
    // All blocks fit; later ones may grow somewhat.
    (cap.max(16), sum)
}
