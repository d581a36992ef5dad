//! Which rules the fields at hand allow, and how large their blocks may be.
use std::collections::BTreeMap;

use hashbrown::HashMap;

use crm_core::{Control, Result};

use super::keys::Keys;
use super::pairs::pairs_in;
use super::{Form, KeyHashes, Part, Rule};
use crate::ResolveConfig;
use crate::records::value::{company_keys, email_keys, name_keys, phone_keys, postcode_keys, street_keys};
use crate::records::{Kind, Records};
use crate::score::Collapsed;

/// The blocking rules for the fields of `records`, the most telling first; `identifying` are custom fields that tell records apart.
pub fn choose_rules(records: &Records, identifying: &[usize]) -> Vec<Rule> {
    let name_of = |kind: Kind| records.field_of(kind).filter(|field| records.fields[*field].n_filled > 0);
    let part = |kind: Kind, form: Form| name_of(kind).map(|field| Part { field: records.fields[field].name.clone(), form });
    let mut rules = Vec::new();
    let mut add = |name: &str, parts: &[Option<Part>], refine: &[Option<Part>]| {
        if parts.iter().all(Option::is_some) {
            rules.push(Rule {
                name: name.to_owned(),
                parts: parts.iter().flatten().cloned().collect(),
                refine: refine.iter().flatten().cloned().collect(),
                oversized: Default::default(),
                cap: u32::MAX,
            });
        }
    };
    const SKELETON: u8 = name_keys::FAMILY as u8;
    const SOUND: u8 = name_keys::SOUND as u8;
    const PREFIX: u8 = name_keys::PREFIX as u8;
    let any_name = |place: u8| part(Kind::Family, Form::AnyName(place)).or_else(|| part(Kind::Given, Form::AnyName(place)));
    let pair = |place: u8| part(Kind::Given, Form::NamePair(place)).and(part(Kind::Family, Form::NamePair(place)));
    let day = part(Kind::BirthDate, Form::Day);
    let day_month = part(Kind::BirthDate, Form::DayMonth);
    let year = part(Kind::BirthDate, Form::Year);
    let city = part(Kind::City, Form::Derived(0));
    let postcode = part(Kind::Postcode, Form::Whole);
    let area = part(Kind::Postcode, Form::Derived(postcode_keys::AREA as u8));
    let street_name = part(Kind::Street, Form::Derived(street_keys::NAME as u8));
    let street_sound = part(Kind::Street, Form::Derived(street_keys::SOUND as u8));
    let house = part(Kind::Street, Form::Derived(street_keys::HOUSE as u8));
    let flat = part(Kind::Street, Form::Derived(street_keys::FLAT as u8));
    let initial = part(Kind::Given, Form::Initial);
    let family_initial = part(Kind::Family, Form::Initial);
    let middle = part(Kind::Middle, Form::Initial);
    let company = part(Kind::Company, Form::Derived(company_keys::SKELETON as u8));
    let company_word = part(Kind::Company, Form::Derived(company_keys::LONGEST as u8));
    let company_prefix = part(Kind::Company, Form::Derived(company_keys::PREFIX as u8));
    let email = part(Kind::Email, Form::Whole);
    let none: Option<Part> = None;

    add("tax_id", &[part(Kind::TaxId, Form::Whole)], &[]);
    add("email", std::slice::from_ref(&email), &[initial.clone(), family_initial.clone()]);
    add("phone", &[part(Kind::Phone, Form::Whole)], &[initial.clone(), family_initial.clone(), year.clone()]);
    for field in identifying {
        let part = Some(Part { field: records.fields[*field].name.clone(), form: Form::Whole });
        add(&records.fields[*field].name, &[part], &[year.clone(), initial.clone()]);
    }
    add("name+birth_date", &[any_name(SKELETON), day.clone()], std::slice::from_ref(&initial));
    add("names", &[pair(SKELETON)], &[year.clone(), area.clone(), city.clone(), middle.clone()]);
    add("mailbox_name", &[part(Kind::Email, Form::Derived(email_keys::LOCAL as u8))], &[]);
    add("mailbox_letters", &[part(Kind::Email, Form::Derived(email_keys::LETTERS as u8))], &[year.clone(), city.clone()]);
    add("phone_ending", &[part(Kind::Phone, Form::Derived(phone_keys::LAST_SEVEN as u8))], std::slice::from_ref(&initial));
    add("birth_date", std::slice::from_ref(&day), &[area.clone(), city.clone(), family_initial.clone(), initial.clone()]);
    add("street+name", &[street_name.clone(), house.clone(), any_name(SKELETON)], &[flat.clone(), initial.clone()]);
    add("street", &[street_name, house.clone()], &[flat.clone(), postcode.clone(), initial.clone()]);
    add("postcode+name", &[postcode.clone(), any_name(SKELETON)], &[initial.clone(), year.clone()]);
    add("postcode", std::slice::from_ref(&postcode), &[year.clone(), house.clone(), initial.clone()]);
    add("sounds", &[pair(SOUND)], &[year.clone(), area.clone(), city.clone(), middle.clone()]);
    add("name+year", &[any_name(SOUND), year.clone()], &[area.clone(), city.clone(), initial.clone(), family_initial.clone()]);
    add("prefixes", &[pair(PREFIX)], &[year.clone(), area.clone(), city.clone(), middle]);
    add("name+day", &[any_name(PREFIX), day_month], &[initial.clone(), family_initial.clone()]);
    add("company+name", &[company.clone(), any_name(SKELETON)], &[city.clone(), initial.clone()]);
    add("company", std::slice::from_ref(&company), &[area.clone(), city.clone(), initial.clone(), family_initial.clone()]);
    add("company_word+place", &[company_word, area.clone().or(city.clone())], &[house.clone(), initial.clone()]);
    add("company_prefix+place", &[company_prefix, area.clone().or(city.clone())], &[house.clone(), initial.clone()]);
    add("street_sound+house", &[street_sound, house.clone()], &[area.clone(), city.clone(), initial.clone()]);
    let family = part(Kind::Family, Form::Derived(SKELETON)).or_else(|| part(Kind::Given, Form::Derived(SKELETON)));
    add("name", &[any_name(SKELETON)], &[area.clone(), city.clone(), initial.clone(), year.clone()]);
    let _ = (family, none);
    rules
}

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
    let mut counts = Counts::new(representatives.len());
    for (place, rule) in rules.iter_mut().enumerate() {
        control.check()?;
        let smallest = smallest_cap(records, rule);
        counts.count(&keys, place, representatives);
        let (mut cap, used) = counts.cap_for(per_rule, smallest);
        rule.cap = cap;
        let mut rest = per_rule.saturating_sub(used);
        let mut affected: Vec<u32> = representatives.to_vec();
        for _ in 0..=rule.refine.len() {
            let grown = counts.larger_than(cap, &keys, place, &affected);
            if grown.is_empty() {
                break;
            }
            rule.oversized.extend(grown.iter().copied());
            affected.retain(|record| {
                let mut is_hit = false;
                keys.each(*record, place, |key| is_hit |= grown.contains(&key));
                is_hit
            });
            keys.renew(records, place, rule, &affected);
            counts.count(&keys, place, &affected);
            // What is refined shares what the smaller blocks left of the budget.
            let (refined, used) = counts.cap_for(rest, smallest);
            cap = refined.min(rule.cap);
            rest = rest.saturating_sub(used);
        }
    }
    // Records that repeat a representative's content have its keys.
    for (place, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.oversized.is_empty()) {
        let rest: Vec<u32> = collapsed.identical.iter().map(|(_, record)| *record).collect();
        keys.renew(records, place, rule, &rest);
    }
    Ok(keys)
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

/// How many records bear a key, counted by a hash of it: two keys may share a counter, which a closer look then tells apart.
struct Counts {
    counters: Vec<u32>,
    shift: u32,
}

impl Counts {
    fn new(n_records: usize) -> Self {
        let bits = (n_records.max(512) * 4).next_power_of_two().trailing_zeros();
        Self { counters: vec![0; 1 << bits], shift: 32 - bits.min(32) }
    }

    fn slot(&self, key: u32) -> usize {
        (key.wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }

    fn count(&mut self, keys: &Keys, rule: usize, records: &[u32]) {
        self.counters.fill(0);
        for record in records {
            keys.each(*record, rule, |key| {
                let slot = self.slot(key);
                self.counters[slot] += 1;
            });
        }
    }

    /// The largest cap whose blocks have at most `budget` pairs, and those pairs.
    fn cap_for(&self, budget: u64, smallest: u32) -> (u32, u64) {
        let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
        self.counters.iter().filter(|count| **count > 1).for_each(|count| *sizes.entry(*count).or_default() += 1);
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

    fn larger_than(&self, cap: u32, keys: &Keys, rule: usize, records: &[u32]) -> KeyHashes {
        let mut exact: HashMap<u32, u32> = HashMap::new();
        for record in records {
            keys.each(*record, rule, |key| {
                if self.counters[self.slot(key)] > cap {
                    *exact.entry(key).or_default() += 1;
                }
            });
        }
        exact.into_iter().filter(|(_, count)| *count > cap).map(|(key, _)| key).collect()
    }
}
