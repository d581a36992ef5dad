//! The model: everything that decides how likely two records are one contact.
use std::collections::{BTreeMap, BTreeSet};

use crm_core::{Control, Error, Result};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::em::{self, bits};
use super::shared::is_shared;
use super::sketch::Sketches;
use super::stream::Prepared;
use super::train;
use super::weights::{PairPriors, Roles};
use crate::block::{self, Rule};
use crate::compare::{Comparer, Comparison, MOST_COMPARISONS, level_names};
use crate::records::value::date_keys;
use crate::records::{Kind, Records};
use crate::{Reading, ResolveConfig, WEIGHT_ONE};

/// Version of the model's file format.
pub const FORMAT: u32 = 3;

/// Values in at least this many records have frequencies of their own.
const FREQUENT: u32 = 10;

/// So many copies of one record count towards how often its values occur: people are entered twice, and a row is loaded a thousand times.
const COUNTED_COPIES: usize = 3;

/// Where pairs are many, a rule must find at least one match among so many pairs of its own.
const MOST_PAIRS_PER_MATCH: f64 = 1_000.0;

/// One comparison's share of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonModel {
    /// The field.
    pub name: String,
    /// How it is compared.
    pub kind: Kind,
    /// Names of the levels, "missing" first.
    pub levels: Vec<String>,
    /// Probability of each level but "missing" among records of one contact.
    pub m: Vec<f64>,
    /// The same among records of different contacts.
    pub u: Vec<f64>,
    /// Match weight per level, in 1/1024 bits; for "exact" that of a value of ordinary frequency.
    pub weights: Vec<i32>,
    /// Weight of "exact" for a value that fewer than ten records bear.
    pub rare_weight: i32,
    /// Records that had a value.
    pub n_filled: u64,
    /// Counts of frequent values, by the hash of their normalized form.
    pub frequencies: BTreeMap<u64, u32>,
    /// Whether its values tell records apart (for custom fields).
    pub is_identifying: bool,
}

/// A fitted model; as JSON it is what a base pins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Version of this format.
    pub format: u32,
    /// Version of the normalizers whose keys it holds.
    pub normalizer: u32,
    /// How cells are read.
    pub reading: Reading,
    /// Records that it was fitted on.
    pub n_records: u64,
    /// Weight of a match before any evidence, in 1/1024 bits.
    pub prior: i32,
    /// The same among pairs that share a household.
    pub related_prior: i32,
    /// The same among pairs of companies that share what the branches of a chain share.
    pub branch_prior: i32,
    /// From this weight on agreement in what households share is no chance.
    pub household_weight: i32,
    /// What speaks against a match of records whose birth dates, mailboxes, telephones and tax ids, two or more of them, all differ.
    pub contradicted: i32,
    /// What one surname weighs at most among pairs that share a household's things.
    pub related_surname: i32,
    /// The comparisons.
    pub comparisons: Vec<ComparisonModel>,
    /// The blocking rules, with what is oversized.
    pub rules: Vec<Rule>,
}

/// What is read of a model before the rest is.
#[derive(Deserialize)]
struct Versions {
    format: u32,
}

impl Model {
    /// Fits a model on `records`, which keep only the fields that take part.
    pub fn fit(records: &mut Records, config: &ResolveConfig, control: &dyn Control) -> Result<Self> {
        Ok(Self::fit_prepared(records, config, control)?.0)
    }

    /// As [`Model::fit`], and what scoring the same records needs besides.
    pub fn fit_prepared(records: &mut Records, config: &ResolveConfig, control: &dyn Control) -> Result<(Self, Prepared)> {
        config.validate()?;
        let chosen: BTreeSet<(String, Kind)> =
            choose_comparisons(records).into_iter().map(|comparison| (comparison.name, comparison.kind)).collect();
        records.keep_fields(&chosen);
        let collapsed = super::stream::representatives(records);
        records.discount(collapsed.beyond(COUNTED_COPIES));
        let records = &*records;
        let comparisons = choose_comparisons(records);
        let is_own = |comparison: &Comparison| match comparison.kind {
            Kind::Text => is_identifying(records, comparison.field) && !is_shared(records, &comparisons, comparison.field),
            // The tax id of the firm stands beside each of its people.
            Kind::TaxId => !is_shared(records, &comparisons, comparison.field),
            _ => is_identifying(records, comparison.field),
        };
        let identifying: Vec<bool> = comparisons.iter().map(is_own).collect();
        let identifying_fields: Vec<usize> = comparisons
            .iter()
            .zip(&identifying)
            .filter(|(comparison, is_identifying)| comparison.kind == Kind::Text && **is_identifying)
            .map(|(comparison, _)| comparison.field)
            .collect();
        let representatives = &collapsed.representatives;
        let mut rules = block::choose_rules(records, &identifying_fields);
        control.progress("blocking", 0, 0);
        let sample = |keys: &block::Column| train::sample_rule(records, keys, representatives);
        let (mut keys, samples) = block::fit_caps(records, &mut rules, &collapsed, config, control, sample)?;
        let comparer = Comparer::new(records, comparisons);
        let roles = Roles::new(comparer.comparisons().iter().map(|comparison| (comparison.name.as_str(), comparison.kind)), |place| {
            identifying[place]
        });
        control.check()?;

        let sketches = Sketches::new(records, comparer.comparisons());
        let levels = train::levels_of(&comparer, &sketches, &train::random_pairs(records, config.seed));
        let mut sets = vec![train::training_set(&levels, 0, true)];
        let mut levels_of_rules = Vec::with_capacity(rules.len());
        for (rule, sample) in rules.iter().zip(&samples) {
            control.check()?;
            let levels = train::levels_of(&comparer, &sketches, &sample.pairs);
            sets.push(train::training_set(&levels, train::fixed_by(&comparer, rule), false));
            levels_of_rules.push(levels);
        }
        let candidates = train::candidate_patterns(&keys.lookup(records, &rules), &samples, &levels_of_rules);
        // Fitted twice: how many relatives and branches there are shows only once the levels are known, and matters to them.
        let priors = PairPriors::assumed(representatives.len());
        let (estimate, priors) = em::fit(comparer.comparisons(), &roles, &mut sets, priors, control)?;
        let priors = train::mixing_priors(&roles, &estimate.weights(), &candidates, priors);
        let (estimate, priors) = em::fit(comparer.comparisons(), &roles, &mut sets, priors, control)?;
        let priors = train::mixing_priors(&roles, &estimate.weights(), &candidates, priors);
        let mut model = Self {
            format: FORMAT,
            normalizer: crate::normalize::VERSION,
            reading: records.reading().clone(),
            n_records: records.len() as u64,
            prior: 0,
            related_prior: priors.related,
            branch_prior: priors.branch,
            household_weight: priors.household,
            related_surname: priors.surname,
            contradicted: priors.contradicted,
            comparisons: Vec::new(),
            rules,
        };
        let weights = estimate.weights();
        model.prior = train::estimate_prior(&roles, &weights, &candidates, priors, representatives.len());
        for (place, comparison) in comparer.comparisons().iter().enumerate() {
            // Of the pairs that agree on a rare value this share is not a match.
            let rule_share =
                model.rules.iter().zip(&sets[1..]).find(|(rule, _)| rule.parts.len() == 1 && rule.parts[0].field == comparison.name);
            let others = rule_share.map_or(1.0, |(_, set)| (1.0 - set.share).max(0.02));
            let field = &records.fields[comparison.field];
            let mut frequencies = BTreeMap::new();
            let (mut rare_sum, mut rare_squares) = (0u64, 0u64);
            let dictionary = records.dictionary(comparison.field);
            for (id, count) in field.counts.iter().enumerate().skip(1) {
                if *count >= FREQUENT {
                    frequencies.insert(dictionary.hash(id as u32), *count);
                } else {
                    rare_sum += u64::from(*count);
                    rare_squares += u64::from(*count) * u64::from(*count);
                }
            }
            let rare_count = if rare_sum == 0 { 1.0 } else { rare_squares as f64 / rare_sum as f64 };
            let m_exact = estimate.m[place][0];
            let u_rare = (rare_count * others / field.n_filled.max(1) as f64).min(1.0);
            // Below some hundreds of records frequencies say little.
            let support = field.n_filled as f64 / (field.n_filled as f64 + 50.0);
            let u_rare = (u_rare.ln() * support + estimate.u[place][0].ln() * (1.0 - support)).exp();
            model.comparisons.push(ComparisonModel {
                name: comparison.name.clone(),
                kind: comparison.kind,
                levels: level_names(comparison.kind).iter().map(|name| (*name).to_owned()).collect(),
                m: estimate.m[place].clone(),
                u: estimate.u[place].clone(),
                weights: weights[place].clone(),
                rare_weight: bits((m_exact / u_rare).log2()),
                n_filled: field.n_filled,
                frequencies,
                is_identifying: identifying[place],
            });
        }
        let priors = PairPriors { all: model.prior, ..priors };
        let yields = model.drop_idle_rules(train::yields(&roles, &weights, &candidates, priors), &mut keys, config);
        block::deepen(records, &mut model.rules, &mut keys, &collapsed, &yields, config, control)?;
        model.damp_countries();
        model.apply(config)?;
        Ok((model, Prepared { keys, collapsed, sketches }))
    }

    /// Where there are many pairs, leaves out the rules that hardly find a match that the rules before them do not find; returns what the
    /// others find.
    fn drop_idle_rules(&mut self, yields: Vec<train::Yield>, keys: &mut block::Keys, config: &ResolveConfig) -> Vec<train::Yield> {
        let n_pairs: f64 = yields.iter().map(|one| one.pairs).sum();
        if n_pairs < config.min_pairs as f64 {
            return yields;
        }
        let is_kept: Vec<bool> = yields.iter().map(|one| one.matches * MOST_PAIRS_PER_MATCH >= one.pairs).collect();
        let mut flags = is_kept.iter();
        self.rules.retain(|_| flags.next().is_some_and(|kept| *kept));
        keys.retain(&is_kept);
        yields.into_iter().zip(is_kept).filter(|(_, is_kept)| *is_kept).map(|(one, _)| one).collect()
    }

    /// Names, telephones and towns tell the country already: that two records agree on it too says little, however rare it is.
    fn damp_countries(&mut self) {
        for comparison in self.comparisons.iter_mut().filter(|comparison| comparison.kind == Kind::Country) {
            for weight in &mut comparison.weights {
                *weight = (*weight).min(WEIGHT_ONE);
            }
            comparison.rare_weight = comparison.weights[1];
            comparison.frequencies.clear();
        }
    }

    /// Puts the weights that the config sets in the place of the fitted ones.
    fn apply(&mut self, config: &ResolveConfig) -> Result<()> {
        for (name, weights) in &config.weights {
            let names: Vec<String> = self.comparisons.iter().map(|comparison| comparison.name.clone()).collect();
            let Some(comparison) = self.comparisons.iter_mut().find(|comparison| comparison.name == *name) else {
                return Err(unknown("weights names the comparison", name, &names));
            };
            for (level, weight) in weights {
                let Some(place) = comparison.levels.iter().position(|known| known == level) else {
                    return Err(unknown(&format!("weights of '{name}' names the level"), level, &comparison.levels));
                };
                comparison.weights[place] = bits(*weight);
                if place == 1 {
                    comparison.rare_weight = bits(*weight);
                    comparison.frequencies.clear();
                }
            }
        }
        Ok(())
    }

    /// The model as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| Error::internal(format!("the model cannot be written: {error}")))
    }

    /// A model from JSON.
    pub fn from_json(json: &str) -> Result<Self> {
        let Versions { format } = serde_json::from_str(json).map_err(|error| Error::config(format!("this is not a model: {error}")))?;
        if format != FORMAT {
            return Err(Error::config(format!(
                "the model has format {format}, and this version of crm_engine reads {FORMAT}: fit a new model"
            )));
        }
        let model: Self = serde_json::from_str(json).map_err(|error| Error::config(format!("this is not a model: {error}")))?;
        if model.normalizer != crate::normalize::VERSION {
            return Err(Error::config(format!(
                "the model was fitted with normalizers of version {}, and this version of crm_engine has {}: fit a new model",
                model.normalizer,
                crate::normalize::VERSION
            )));
        }
        super::validate::validate(&model)?;
        Ok(model)
    }

    /// The fields that take part.
    pub fn fields(&self) -> BTreeSet<(String, Kind)> {
        self.comparisons.iter().map(|comparison| (comparison.name.clone(), comparison.kind)).collect()
    }

    /// The comparisons bound to the fields of `records`; a field that the records lack is always missing and left out.
    pub(crate) fn bind(&self, records: &Records) -> (Vec<Comparison>, Vec<usize>) {
        let mut comparisons = Vec::new();
        let mut places = Vec::new();
        for (place, comparison) in self.comparisons.iter().enumerate() {
            let is_same = |field: &crate::records::Field| field.name == comparison.name && field.kind == comparison.kind;
            if let Some(field) = records.fields.iter().position(is_same) {
                comparisons.push(Comparison { name: comparison.name.clone(), kind: comparison.kind, field });
                places.push(place);
            }
        }
        (comparisons, places)
    }

    /// Compares records in what the model compares.
    pub fn comparer<'a>(&self, records: &'a Records) -> Comparer<'a> {
        Comparer::new(records, self.bind(records).0)
    }

    /// Weight of "exact" for values by how frequent they are.
    pub(crate) fn exact_weights(&self, place: usize, records: &Records, field: usize) -> HashMap<u32, i32> {
        let comparison = &self.comparisons[place];
        let dictionary = records.dictionary(field);
        if comparison.frequencies.is_empty() {
            return HashMap::new();
        }
        let frequencies: HashMap<u64, u32> = comparison.frequencies.iter().map(|(hash, count)| (*hash, *count)).collect();
        let weight_of = |id: u32| {
            let count = *frequencies.get(&dictionary.hash(id))?;
            let u = f64::from(count) / comparison.n_filled.max(1) as f64;
            let support = comparison.n_filled as f64 / (comparison.n_filled as f64 + 50.0);
            let u = (u.ln() * support + comparison.u[0].ln() * (1.0 - support)).exp();
            Some((id, bits((comparison.m[0] / u).log2()).min(comparison.rare_weight)))
        };
        (1..dictionary.len() as u32).filter_map(weight_of).collect()
    }
}

fn unknown(what: &str, name: &str, known: &[String]) -> Error {
    let nearest = crm_core::nearest_name(name, known.iter().map(String::as_str));
    let hint = nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    Error::config(format!("{what} '{name}', which the data does not have{hint}"))
}

/// The comparisons that the fields allow: those that have values, and custom fields that could tell something.
fn choose_comparisons(records: &Records) -> Vec<Comparison> {
    let n = records.len() as f64;
    let mut custom = Vec::new();
    let mut comparisons = Vec::new();
    for (place, field) in records.fields.iter().enumerate() {
        let comparison = Comparison { name: field.name.clone(), kind: field.kind, field: place };
        if field.kind == Kind::Alias || field.n_filled == 0 {
            continue;
        }
        if field.kind != Kind::Text {
            comparisons.push(comparison);
            continue;
        }
        let n_distinct = field.counts.iter().skip(1).filter(|count| **count > 0).count() as f64;
        let largest = field.counts.iter().copied().max().unwrap_or(0);
        let filled = field.n_filled as f64;
        let says_something = filled >= 0.03 * n && n_distinct > 1.0 && n_distinct <= 0.98 * filled && f64::from(largest) < 0.98 * filled;
        if says_something && !follows_from_birth(records, place) {
            custom.push((std::cmp::Reverse((filled / n * 1000.0 * n_distinct.ln()) as u64), comparison));
        }
    }
    custom.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let room = MOST_COMPARISONS.saturating_sub(comparisons.len());
    let mut chosen: Vec<Comparison> = custom.into_iter().take(room).map(|(_, comparison)| comparison).collect();
    chosen.sort_by_key(|comparison| comparison.field);
    comparisons.extend(chosen);
    comparisons
}

/// Whether the year of birth settles a field's value: an age, a school year. It says nothing beside the birth date.
fn follows_from_birth(records: &Records, place: usize) -> bool {
    const SAMPLED: usize = 20_000;
    let Some(birth) = records.field_of(Kind::BirthDate) else { return false };
    // Content hashes draw a sample that no order of rows changes.
    let share = (SAMPLED as f64 / records.len().max(1) as f64).min(1.0);
    let most = (share * u64::MAX as f64) as u64;
    let mut by_year: BTreeMap<u32, BTreeMap<u32, u32>> = BTreeMap::new();
    let mut all: BTreeMap<u32, u32> = BTreeMap::new();
    for record in (0..records.len() as u32).filter(|record| records.content_hash(*record) <= most) {
        let row = records.row(record);
        if row[birth] != 0 && row[place] != 0 {
            let year = records.dictionary(birth).keys(row[birth])[date_keys::READING] / 10_000;
            *by_year.entry(year).or_default().entry(row[place]).or_default() += 1;
            *all.entry(row[place]).or_default() += 1;
        }
    }
    let n: u32 = all.values().sum();
    // The two commonest values of a year: an age changes within it.
    let explained: u32 = by_year
        .values()
        .map(|values| {
            let mut counts: Vec<u32> = values.values().copied().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            counts.iter().take(2).sum::<u32>()
        })
        .sum();
    let commonest = all.values().copied().max().unwrap_or(0);
    n >= 50
        && n >= 5 * by_year.len() as u32
        && f64::from(explained) >= 0.8 * f64::from(n)
        && f64::from(commonest) < 0.4 * f64::from(explained)
}

/// Whether few records share a value of the field, and its values are long enough to be somebody's own: a flat's number is not.
fn is_identifying(records: &Records, place: usize) -> bool {
    let field = &records.fields[place];
    let squares: f64 = field.counts.iter().map(|count| f64::from(*count) * f64::from(*count)).sum();
    let filled = field.n_filled.max(1) as f64;
    let dictionary = records.dictionary(place);
    let (mut n_distinct, mut n_letters) = (0.0, 0.0);
    for id in (1..field.counts.len()).filter(|id| field.counts[*id] > 0) {
        n_distinct += 1.0;
        n_letters += dictionary.text(id as u32).len() as f64;
    }
    squares / filled < 12.0 && n_distinct >= 0.3 * filled.min(30_000.0) && n_letters >= 5.0 * n_distinct
}
