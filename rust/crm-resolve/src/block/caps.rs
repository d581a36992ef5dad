//! How large the blocks of each rule may be.
use std::collections::BTreeMap;

use crm_core::{Control, Result};
use hashbrown::HashMap;
use rayon::prelude::*;

use super::blocks::{each_block, entries_of, pairs_in};
use super::keys::{Column, renew};
use super::refine::Refining;
use super::{Form, KeyHashes, Keys, Part, Rule};
use crate::ResolveConfig;
use crate::records::{Kind, Records};
use crate::score::{Collapsed, Yield};

/// Sets each rule's cap so that the pairs proposed stay within the budget, and the keys that exceed it; gives the keys of all records, and
/// what `look` makes of each rule's.
pub(crate) fn fit_caps<T: Send>(
    records: &Records,
    rules: &mut [Rule],
    collapsed: &Collapsed,
    config: &ResolveConfig,
    control: &dyn Control,
    look: impl Fn(&Column) -> T + Sync,
) -> Result<(Keys, Vec<T>)> {
    let per_rule = budget(config, collapsed) / rules.len().max(1) as u64;
    let fit = |rule: &mut Rule, column: &mut Column| -> Result<(Fitted, T)> {
        control.check()?;
        let fitted = fit_cap(records, rule, column, collapsed, per_rule);
        Ok((fitted, look(column)))
    };
    let is_kept = Keys::n_ranges(rules, records.len(), config.room) == 1;
    let mut keys = if is_kept { Keys::new(records, rules) } else { Keys::unkept(rules.len(), records.len()) };
    let fitted: Vec<(Fitted, T)> = if is_kept {
        rules.par_iter_mut().zip(keys.columns.par_iter_mut()).map(|(rule, column)| fit(rule, column)).collect::<Result<_>>()?
    } else {
        rules.iter_mut().map(|rule| with_column(records, rule, fit)).collect::<Result<_>>()?
    };
    let (fitted, looked): (Vec<Fitted>, Vec<T>) = fitted.into_iter().unzip();
    (keys.left_out, keys.n_pairs) = fitted.into_iter().map(|fitted| (fitted.n_left_out, fitted.n_pairs)).unzip();
    Ok((keys, looked))
}

/// Works with one rule's keys, where they are not kept.
fn with_column<T>(records: &Records, rule: &mut Rule, work: impl FnOnce(&mut Rule, &mut Column) -> Result<T>) -> Result<T> {
    let mut columns = Keys::new(records, std::slice::from_ref(rule)).columns;
    work(rule, &mut columns[0])
}

/// Pairs that all rules together may propose.
fn budget(config: &ResolveConfig, collapsed: &Collapsed) -> u64 {
    (config.pairs_per_record * collapsed.representatives.len() as f64).max(config.min_pairs as f64) as u64
}

/// What came of fitting a rule's cap.
#[derive(Debug, Clone, Copy)]
struct Fitted {
    n_left_out: u64,
    /// Pairs in the blocks that are left.
    n_pairs: u64,
}

/// While the rules propose more pairs than all together may, gives every key of those whose pairs are matches least often a further part.
///
/// The smallest caps hold whatever the number of records, and pairs grow with its square: among many records a rule that tells little
/// must say more. What it says is part of the model, as caps are. `yields` are what each rule adds to those before it.
pub(crate) fn deepen(
    records: &Records,
    rules: &mut [Rule],
    keys: &mut Keys,
    collapsed: &Collapsed,
    yields: &[Yield],
    config: &ResolveConfig,
    control: &dyn Control,
) -> Result<()> {
    let budget = budget(config, collapsed);
    let per_rule = budget / rules.len().max(1) as u64;
    let mut n_new: Vec<f64> = yields.iter().map(|one| one.pairs).collect();
    loop {
        let mut total: f64 = n_new.iter().sum();
        let can_deepen = |rule: &usize| can_deepen(&rules[*rule]) && n_new[*rule] > per_rule as f64;
        let mut order: Vec<usize> = (0..rules.len()).filter(can_deepen).collect();
        let share = |rule: &usize| yields[*rule].matches / yields[*rule].pairs.max(1.0);
        order.sort_by(|a, b| share(a).total_cmp(&share(b)).then(a.cmp(b)));
        let mut is_chosen = vec![false; rules.len()];
        for rule in order {
            if total <= budget as f64 {
                break;
            }
            total -= n_new[rule] - per_rule as f64;
            is_chosen[rule] = true;
        }
        if !is_chosen.contains(&true) {
            return Ok(());
        }
        let fit = |rule: &mut Rule, column: &mut Column| -> Result<Fitted> {
            control.check()?;
            renew(records, rule, column, &collapsed.representatives, &mut HashMap::new());
            Ok(fit_cap(records, rule, column, collapsed, per_rule))
        };
        let deeper = rules.iter_mut().enumerate().filter(|(place, _)| is_chosen[*place]).map(|(place, rule)| {
            rule.depth += 1;
            rule.oversized.clear();
            (place, rule)
        });
        let fitted: Vec<(usize, Fitted)> = if keys.is_kept() {
            let columns = keys.columns.iter_mut().enumerate().filter(|(place, _)| is_chosen[*place]).map(|(_, column)| column);
            let chosen: Vec<_> = deeper.zip(columns).collect();
            chosen.into_par_iter().map(|((place, rule), column)| Ok((place, fit(rule, column)?))).collect::<Result<_>>()?
        } else {
            deeper.map(|(place, rule)| Ok((place, with_column(records, rule, fit)?))).collect::<Result<_>>()?
        };
        for (rule, fitted) in fitted {
            n_new[rule] *= (fitted.n_pairs as f64 / keys.n_pairs[rule].max(1) as f64).min(1.0);
            (keys.left_out[rule], keys.n_pairs[rule]) = (fitted.n_left_out, fitted.n_pairs);
        }
    }
}

/// A rule of several parts can say more; what one value alone says (a mailbox, a number) is not worth less among many records.
fn can_deepen(rule: &Rule) -> bool {
    rule.parts.len() > 1 && (rule.depth as usize) < rule.refine.len()
}

/// Finds a rule's cap and its oversized keys, and gives the records that bear these their further keys.
fn fit_cap(records: &Records, rule: &mut Rule, column: &mut Column, collapsed: &Collapsed, budget: u64) -> Fitted {
    let smallest = smallest_cap(records, rule);
    let mut entries = entries_of(column, &collapsed.representatives, &[]);
    let (mut cap, mut n_pairs) = cap_for(&entries, budget, smallest);
    rule.cap = cap;
    let mut rest = budget.saturating_sub(n_pairs);
    let mut left_out = HashMap::new();
    let mut refining = None;
    // Refined keys that are oversized. What bears the key that was refined was all looked at, but another key may have the same hash.
    let mut refined_oversized = KeyHashes::default();
    for round in 0..=rule.refine.len() {
        let mut grown = KeyHashes::default();
        let mut affected = RecordSet::new(records.len());
        each_block(&entries, |key, block| {
            if block.len() > cap as usize {
                grown.insert(key);
                block.iter().for_each(|entry| affected.insert(*entry as u32));
            }
        });
        if grown.is_empty() {
            break;
        }
        if round > 0 {
            refined_oversized.extend(&grown);
        }
        rule.oversized.extend(grown);
        let affected = affected.into_records();
        // Keys that were left out before stay so: what is counted of a record only grows.
        let refining = refining.get_or_insert_with(|| Refining::new(records, rule, column, &affected));
        refining.renew(&rule.oversized, column, &affected, &mut left_out);
        entries = entries_of(column, &affected, &[]);
        // What is refined shares what the smaller blocks left of the budget.
        let (refined, used) = cap_for(&entries, rest, smallest);
        cap = refined.min(rule.cap);
        rest = rest.saturating_sub(used);
        n_pairs += used;
    }
    let strays = bearers(column, &collapsed.representatives, &refined_oversized);
    renew(records, rule, column, &strays, &mut left_out);
    if rule.depth > 0 || !rule.oversized.is_empty() {
        let copies: Vec<u32> = collapsed.identical.iter().map(|(_, copy)| *copy).collect();
        renew(records, rule, column, &copies, &mut left_out);
    }
    Fitted { n_left_out: left_out.values().map(|n| u64::from(*n)).sum(), n_pairs }
}

/// The records that bear one of the keys.
pub(super) fn bearers(column: &Column, records: &[u32], keys: &KeyHashes) -> Vec<u32> {
    if keys.is_empty() {
        return Vec::new();
    }
    let bears = |record: &u32| {
        let mut is_borne = false;
        column.each(*record, |key| is_borne |= keys.contains(&key));
        is_borne
    };
    records.par_iter().copied().filter(bears).collect()
}

/// Records, each once, on their way to ascending order.
struct RecordSet(Vec<u64>);

impl RecordSet {
    fn new(n_records: usize) -> Self {
        Self(vec![0; n_records.div_ceil(64)])
    }

    #[inline]
    fn insert(&mut self, record: u32) {
        self.0[record as usize / 64] |= 1 << (record % 64);
    }

    fn into_records(self) -> Vec<u32> {
        let mut records = Vec::new();
        for (word, bits) in self.0.into_iter().enumerate() {
            let mut rest = bits;
            while rest != 0 {
                records.push(word as u32 * 64 + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        records
    }
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
