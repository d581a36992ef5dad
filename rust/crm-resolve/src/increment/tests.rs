//! Any split of records into changes, in any order, with detours that are taken back, ends in the state of one change.
use std::collections::{BTreeMap, BTreeSet};

use crm_core::{NoControl, Role};
use proptest::prelude::*;

use super::*;
use crate::merge::{SourceColumn, Survivorship};

/// Given name, family name, birth date, e-mail, phone, city.
type Cellular = [String; 6];

/// What a base holds, in maps.
#[derive(Debug, Default, Clone, PartialEq)]
struct MemoryBase {
    cells: BTreeMap<i64, Cellular>,
    facts: BTreeMap<i64, (u64, u32, u32)>,
    keys: BTreeSet<(usize, u32, i64)>,
    edges: BTreeMap<i64, Vec<(i64, i32)>>,
    decisions: BTreeMap<i64, Vec<(i64, Verdict)>>,
    contacts: BTreeMap<i64, i64>,
    aliases: BTreeMap<i64, i64>,
    golden: BTreeMap<i64, String>,
}

impl Known for MemoryBase {
    fn facts(&self, record: i64) -> Result<Option<KnownFacts>> {
        Ok(self.facts.get(&record).map(|(content, first_run, run)| KnownFacts { content: *content, first_run: *first_run, run: *run }))
    }

    fn with_content(&self, content: u64, found: &mut Vec<i64>) -> Result<()> {
        found.extend(self.facts.iter().filter(|(_, facts)| facts.0 == content).map(|(record, _)| *record));
        Ok(())
    }

    fn with_key(&self, rule: usize, key: u32, found: &mut Vec<i64>) -> Result<()> {
        found.extend(self.keys.range((rule, key, i64::MIN)..=(rule, key, i64::MAX)).map(|entry| entry.2));
        Ok(())
    }

    fn with_wide_key(&self, _rule: usize, _key: u32, _most: usize, _found: &mut Vec<i64>) -> Result<()> {
        Ok(())
    }

    fn edges(&self, record: i64, found: &mut Vec<(i64, i32)>) -> Result<()> {
        found.extend(self.edges.get(&record).into_iter().flatten());
        Ok(())
    }

    fn decisions(&self, record: i64, found: &mut Vec<(i64, Verdict)>) -> Result<()> {
        found.extend(self.decisions.get(&record).into_iter().flatten());
        Ok(())
    }

    fn contact(&self, record: i64) -> Result<i64> {
        Ok(self.contacts[&record])
    }

    fn members(&self, contact: i64, found: &mut Vec<i64>) -> Result<()> {
        found.extend(self.contacts.iter().filter(|(_, of)| **of == contact).map(|(record, _)| *record));
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}

struct MemoryCells<'a>(&'a BTreeMap<i64, Cellular>, &'a BTreeMap<i64, Cellular>);

impl Cells for MemoryCells<'_> {
    fn read(&self, records: &[i64], take: &mut TakeCells<'_>) -> Result<()> {
        for some in records.chunks(7) {
            let cell = |record: &i64, column: usize| {
                let cells = self.0.get(record).unwrap_or_else(|| &self.1[record]);
                Some(cells[column].clone()).filter(|cell| !cell.is_empty())
            };
            let columns = (0..6).map(|column| some.iter().map(|record| cell(record, column)).collect()).collect();
            take(0, some, columns)?;
        }
        Ok(())
    }
}

fn layouts() -> Vec<SourceLayout> {
    let roles = [Role::GivenName, Role::FamilyName, Role::BirthDate, Role::Email, Role::Phone, Role::City];
    let columns = roles.iter().map(|role| SourceColumn { name: role.name().to_owned(), role: Some(*role) });
    vec![SourceLayout { source: "crm".to_owned(), columns: columns.collect() }]
}

/// One change to a base: records that come, records that go, decisions.
#[derive(Debug, Default, Clone)]
struct Step {
    added: BTreeMap<i64, Cellular>,
    removed: BTreeSet<i64>,
    decisions: Vec<(i64, i64, Option<Verdict>)>,
}

fn apply(base: &mut MemoryBase, run: u32, step: &Step, model: &Model, config: &ResolveConfig) {
    let layouts = layouts();
    let cells = MemoryCells(&step.added, &base.cells);
    let setting = Setting { model, config, layouts: &layouts, known: &*base, cells: &cells };
    let first_run = |record: &i64| base.facts.get(record).map_or(run, |facts| facts.1);
    let change = Change {
        added: step.added.keys().map(|record| Added { record: *record, first_run: first_run(record), run }).collect(),
        removed: step
            .removed
            .iter()
            .copied()
            .filter(|record| base.facts.contains_key(record) && !step.added.contains_key(record))
            .collect(),
        decisions: step.decisions.clone(),
        edited: Vec::new(),
    };
    let outcome = resolve(&setting, &change, None, &NoControl).unwrap();
    let maker = GoldenMaker::new(&layouts, &[true], &[], model, &Survivorship::default()).unwrap();
    let golden = maker.make(&outcome.contacts, 0..outcome.contacts.len(), &HashMap::new(), &cells, &NoControl).unwrap();
    let rows: Vec<String> = (0..golden.contacts.num_rows())
        .map(|row| {
            let mut text = String::new();
            for column in &golden.contacts.columns()[1..] {
                text += &format!("{:?};", column.slice(row, 1));
            }
            text
        })
        .collect();
    assert_eq!(golden.contacts.num_rows(), outcome.contacts.len());

    for record in change.removed.iter().chain(step.added.keys()) {
        base.cells.remove(record);
        base.facts.remove(record);
        base.keys.retain(|entry| entry.2 != *record);
    }
    for record in &change.removed {
        base.contacts.remove(record);
    }
    for (contact, _) in &outcome.gone_contacts {
        base.golden.remove(contact);
    }
    base.cells.extend(step.added.clone());
    for (added, content) in change.added.iter().zip(&outcome.contents) {
        base.facts.insert(added.record, (*content, added.first_run, added.run));
    }
    for rule in 0..outcome.keys.n_rules() {
        for entry in outcome.keys.entries(rule) {
            base.keys.insert((rule, (entry >> 32) as u32, change.added[entry as u32 as usize].record));
        }
    }
    for (record, edges) in outcome.edges_of {
        base.edges.insert(record, edges);
    }
    base.edges.retain(|_, edges| !edges.is_empty());
    for (record, decisions) in outcome.decisions_of {
        base.decisions.insert(record, decisions);
    }
    base.decisions.retain(|_, decisions| !decisions.is_empty());
    base.contacts.extend(outcome.moved.iter().copied());
    base.golden.extend(outcome.contacts.founders.iter().copied().zip(rows));
    for alias in outcome.aliases_removed {
        assert!(base.aliases.remove(&alias).is_some());
    }
    base.aliases.extend(outcome.aliases_added);
    check(base);
}

/// What holds in every state.
fn check(base: &MemoryBase) {
    assert_eq!(base.contacts.keys().collect::<Vec<_>>(), base.facts.keys().collect::<Vec<_>>());
    let founders: BTreeSet<i64> = base.contacts.values().copied().collect();
    assert_eq!(founders.iter().collect::<Vec<_>>(), base.golden.keys().collect::<Vec<_>>());
    for founder in &founders {
        let members = base.contacts.iter().filter(|(_, contact)| *contact == founder).map(|(record, _)| *record);
        assert_eq!(members.min_by_key(|record| (base.facts[record].1, *record)), Some(*founder));
    }
    for (record, edges) in &base.edges {
        for (other, weight) in edges {
            assert!(base.edges[other].contains(&(*record, *weight)));
        }
    }
}

/// The partition and the golden values, whatever the contacts are called.
fn content(base: &MemoryBase) -> BTreeMap<Vec<i64>, String> {
    let mut members: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (record, contact) in &base.contacts {
        members.entry(*contact).or_default().push(*record);
    }
    members.into_iter().map(|(contact, members)| (members, base.golden[&contact].clone())).collect()
}

fn cells() -> impl Strategy<Value = Cellular> {
    let pick = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(str::to_owned);
    (
        pick(&["Anna", "Ana", "Jānis", "Janis", "Пётр", "Petr", "Maria", "Mary", "A.", ""]),
        pick(&["Ozola", "Ozols", "Bērziņš", "Berzins", "Иванов", "Ivanov", "Ivanova", "Smith", ""]),
        pick(&["1985-04-03", "03/04/1985", "3.4.1985", "1985", "1990-12-31", "31/12/1990", "", ""]),
        pick(&["a.ozola@x.com", "anna.ozola@x.com", "info@x.com", "ivanov@y.ru", "p.ivanov@y.ru", "", ""]),
        pick(&["+371 29123456", "29123456", "8 912 345-67-89", "67223344", "", ""]),
        pick(&["Riga", "Rīga", "Moscow", "Москва", "", ""]),
    )
        .prop_map(|cells| [cells.0, cells.1, cells.2, cells.3, cells.4, cells.5])
}

/// A model fitted on some records, as a base pins it.
fn model(records: &BTreeMap<i64, Cellular>, config: &ResolveConfig) -> Model {
    let ids: Vec<i64> = records.keys().copied().collect();
    let empty = BTreeMap::new();
    let (model, _) =
        fit(&layouts(), config, &MemoryCells(records, &empty), &ids, &[crate::merge::ConventionSample::default()], &NoControl).unwrap();
    Model::from_json(&model.to_json().unwrap()).unwrap()
}

/// Records with ids that say nothing of their order.
fn numbered(rows: &[Cellular]) -> BTreeMap<i64, Cellular> {
    rows.iter()
        .enumerate()
        .map(|(place, cells)| {
            ((place as i64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15u64 as i64).rotate_left(9).unsigned_abs() as i64 >> 20, cells.clone())
        })
        .collect()
}

fn cases() -> ProptestConfig {
    let is_long = std::env::var("CRM_LONG").is_ok_and(|value| value == "1");
    ProptestConfig { cases: if is_long { 4000 } else { 60 }, failure_persistence: None, ..ProptestConfig::default() }
}

fn config(threshold: f64) -> ResolveConfig {
    ResolveConfig { match_threshold: threshold, review_threshold: 0.05, ..ResolveConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_split_in_any_order_gives_what_one_change_gives(
        rows in prop::collection::vec(cells(), 2..40),
        step_of in prop::collection::vec(0usize..6, 40),
        threshold in prop::sample::select(&[0.5, 0.7, 0.9][..]),
    ) {
        let (records, config) = (numbered(&rows), config(threshold));
        let model = model(&records, &config);
        let mut whole = MemoryBase::default();
        apply(&mut whole, 1, &Step { added: records.clone(), ..Step::default() }, &model, &config);
        let mut parts = MemoryBase::default();
        for number in 0..6 {
            let of_step = records.iter().enumerate().filter(|(place, _)| step_of[*place] == number);
            let added: BTreeMap<i64, Cellular> = of_step.map(|(_, (record, cells))| (*record, cells.clone())).collect();
            apply(&mut parts, number as u32 + 1, &Step { added, ..Step::default() }, &model, &config);
        }
        prop_assert_eq!(content(&parts), content(&whole));
        prop_assert_eq!(parts.edges, whole.edges);
    }

    /// Records that come and go, versions that change and change back, decisions that are taken back: as if they had never been.
    #[test]
    fn what_is_taken_back_leaves_nothing(
        rows in prop::collection::vec(cells(), 2..30),
        others in prop::collection::vec(cells(), 0..12),
        changed in prop::collection::vec((0usize..30, cells()), 0..6),
        said in prop::collection::vec((0usize..40, 0usize..40, any::<bool>()), 0..6),
        split in 0usize..30,
    ) {
        let config = config(0.7);
        let all = numbered(&[rows.as_slice(), others.as_slice()].concat());
        let ids: Vec<i64> = numbered(&[rows.as_slice(), others.as_slice()].concat()).into_keys().collect();
        let kept = numbered(&rows);
        let passing: BTreeMap<i64, Cellular> = all.iter().filter(|(record, _)| !kept.contains_key(record)).map(|(record, cells)| (*record, cells.clone())).collect();
        let model = model(&all, &config);
        let first: BTreeMap<i64, Cellular> = kept.iter().take(split).map(|(record, cells)| (*record, cells.clone())).collect();
        let second: BTreeMap<i64, Cellular> = kept.iter().skip(split).map(|(record, cells)| (*record, cells.clone())).collect();
        let mut straight = MemoryBase::default();
        apply(&mut straight, 1, &Step { added: first.clone(), ..Step::default() }, &model, &config);
        apply(&mut straight, 3, &Step { added: second.clone(), ..Step::default() }, &model, &config);

        let mut detour = MemoryBase::default();
        apply(&mut detour, 1, &Step { added: first.clone(), ..Step::default() }, &model, &config);
        let mut versions: BTreeMap<i64, Cellular> = BTreeMap::new();
        let known: Vec<i64> = first.keys().copied().collect();
        if !known.is_empty() {
            versions.extend(changed.iter().map(|(place, cells)| (known[place % known.len()], cells.clone())));
        }
        let mut decisions: BTreeMap<(i64, i64), Verdict> = BTreeMap::new();
        for (a, b, is_same) in &said {
            let (a, b) = (ids[a % ids.len()], ids[b % ids.len()]);
            if a != b {
                decisions.insert((a.min(b), a.max(b)), if *is_same { Verdict::Same } else { Verdict::Different });
            }
        }
        let mut added = passing.clone();
        added.extend(versions.clone());
        let said = decisions.iter().map(|((a, b), verdict)| (*a, *b, Some(*verdict))).collect();
        apply(&mut detour, 2, &Step { added, decisions: said, ..Step::default() }, &model, &config);
        apply(&mut detour, 3, &Step { added: second, ..Step::default() }, &model, &config);
        // Back: the passing records go, the versions that were are pushed again, decisions are withdrawn.
        let back: BTreeMap<i64, Cellular> = versions.keys().map(|record| (*record, first[record].clone())).collect();
        let withdrawn = decisions.keys().map(|(a, b)| (*a, *b, None)).collect();
        apply(&mut detour, 1, &Step { added: back, removed: passing.keys().copied().collect(), decisions: withdrawn }, &model, &config);
        prop_assert_eq!(detour, straight);
    }
}
