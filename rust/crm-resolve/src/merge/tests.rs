use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, StringArray};
use crm_core::{NoControl, Role};

use super::*;
use crate::cluster::{ClusterReport, Clusters};

struct Case {
    layouts: Vec<SourceLayout>,
    rows: Rows,
    labels: Vec<u32>,
    offsets: Vec<u32>,
}

impl Case {
    /// Sources as a header with roles (`name=role` or a bare custom name) and rows of cells, `-` being null.
    fn new(sources: &[(&str, &str, &[&str])], labels: &[u32]) -> Self {
        let mut case = Self { layouts: Vec::new(), rows: Rows::default(), labels: labels.to_vec(), offsets: vec![0] };
        for (source, header, lines) in sources {
            let columns = header.split('|').map(|column| match column.split_once('=') {
                Some((name, role)) => SourceColumn { name: name.to_owned(), role: Some(role.parse().unwrap()) },
                None => SourceColumn { name: column.to_owned(), role: None },
            });
            let columns: Vec<SourceColumn> = columns.collect();
            let arrays = (0..columns.len())
                .map(|place| lines.iter().map(|line| line.split('|').nth(place).filter(|cell| *cell != "-")).collect::<StringArray>());
            case.rows.batches.push((case.layouts.len(), arrays.collect()));
            case.layouts.push(SourceLayout { source: (*source).to_owned(), columns });
            case.offsets.push(case.offsets.last().unwrap() + lines.len() as u32);
        }
        case
    }

    fn build(&self, survivorship: Survivorship) -> Golden {
        let n_clusters = *self.labels.iter().max().unwrap() as usize + 1;
        let clusters = Clusters { labels: self.labels.clone(), n_clusters, report: ClusterReport::default() };
        let members = Members::new(&clusters);
        let ids: Vec<i64> = (0..self.labels.len() as i64).map(|record| 100 + record).collect();
        let plan = GoldenPlan::new(self.layouts.clone(), survivorship).unwrap();
        let locate = |record: u32| {
            let batch = self.offsets.partition_point(|offset| *offset <= record) - 1;
            RowRef { batch: batch as u32, row: record - self.offsets[batch] }
        };
        plan.build(0..n_clusters, &members, RecordFacts { ids: &ids }, &self.rows, &locate, &PlainCanonicalizer, &NoControl).unwrap()
    }
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    batch[column].as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

fn lists(batch: &RecordBatch, column: &str) -> Vec<Vec<String>> {
    let list = batch[column].as_list::<i32>();
    let of = |values: arrow_array::ArrayRef| values.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
    (0..list.len()).map(|row| if list.is_null(row) { Vec::new() } else { of(list.value(row)) }).collect()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| (*value != "-").then(|| (*value).to_owned())).collect()
}

#[test]
fn the_most_recent_value_wins_and_lineage_names_its_record() {
    let case = Case::new(
        &[(
            "crm",
            "id=source_key|Name=family_name|mail=email|upd=updated_at|remark",
            &["1|Old|A@X.lv|2020-01-01|first", "2|New|b@x.lv|2024-01-01|-", "3|Other|c@x.lv|-|-", "4|-|a@x.lv|2022-01-01|later"],
        )],
        &[0, 0, 1, 0],
    );
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "family_name"), some(&["New", "Other"]));
    assert_eq!(texts(&golden.contacts, "remark"), some(&["later", "-"]));
    assert_eq!(lists(&golden.contacts, "email"), [vec!["b@x.lv", "a@x.lv"], vec!["c@x.lv"]]);
    assert_eq!(texts(&golden.contacts, "source"), some(&["crm", "crm"]));
    assert_eq!(texts(&golden.contacts, "source_key"), some(&["1", "3"]));
    assert_eq!(texts(&golden.contacts, "contact_id"), [100, 102].map(|id| Some(contact_id(id).as_str().to_owned())));
    assert_eq!(golden.lineage.num_rows(), 1);
    assert_eq!(golden.lineage["family_name"].as_primitive::<Int64Type>().value(0), 101);
    assert_eq!(golden.lineage["remark"].as_primitive::<Int64Type>().value(0), 103);
    assert_eq!(golden.lineage["email"].as_list::<i32>().value(0).as_primitive::<Int64Type>().values(), &[101, 103]);
}

#[test]
fn sources_with_other_columns_meet_in_roles_and_custom_names() {
    let case = Case::new(
        &[
            ("hubspot", "Email=email|Level|email_note", &["a@x.lv|gold|-"]),
            ("amo", "Почта=email|Телефон=phone|Level", &["a@x.lv|+371 2|-", "b@x.lv|-|silver"]),
        ],
        &[0, 0, 1],
    );
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "Level"), some(&["gold", "silver"]));
    assert_eq!(lists(&golden.contacts, "phone"), [vec!["+371 2"], vec![]]);
    assert_eq!(texts(&golden.contacts, "source"), some(&["hubspot", "amo"]));
    let names: Vec<String> = golden.contacts.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["contact_id", "n_records", "source", "contact_type", "email", "phone", "Level", "email_note"]);
}

#[test]
fn fractions_of_a_second_tell_which_is_newer() {
    for rows in [
        ["Riga|2024-01-01T10:00:00.100Z", "Ogre|2024-01-01T10:00:00.900Z"],
        ["Ogre|2024-01-01T10:00:00.900Z", "Riga|2024-01-01T10:00:00.100Z"],
    ] {
        let case = Case::new(&[("a", "city=city|u=updated_at", &rows)], &[0, 0]);
        assert_eq!(texts(&case.build(Survivorship::default()).contacts, "city"), some(&["Ogre"]));
    }
}

#[test]
fn an_empty_time_does_not_hide_another_column() {
    let case = Case::new(&[("a", "status=status|u=updated_at|m=updated_at", &["newer||2025-01-01", "older|2024-01-01|"])], &[0, 0]);
    assert_eq!(texts(&case.build(Survivorship::default()).contacts, "status"), some(&["newer"]));
}

#[test]
fn refusal_of_marketing_wins_whatever_is_more_recent() {
    let case = Case::new(
        &[
            ("a", "consent=marketing_consent|u=updated_at", &["yes|2024-01-01", "нет|2020-01-01", "yes|2024-01-01"]),
            ("b", "Opted out=marketing_consent|u=updated_at", &["false|2021-01-01", "true|2020-01-01"]),
        ],
        &[0, 0, 1, 1, 2],
    );
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "marketing_consent"), some(&["no", "yes", "no"]));
    assert_eq!(golden.lineage["marketing_consent"].as_primitive::<Int64Type>().value(0), 101);
}

#[test]
fn refusal_wins_in_any_words_older_or_newer() {
    for (word, expected) in
        [("opt_out", "no"), ("OptedOut", "no"), ("не подписан", "no"), ("No thanks", "no"), ("perhaps", "perhaps"), ("n/a", "yes")]
    {
        for dates in [["2020-01-01", "2024-01-01"], ["2024-01-01", "2020-01-01"]] {
            let rows = [format!("{word}|{}", dates[0]), format!("yes|{}", dates[1])];
            let case = Case::new(&[("a", "consent=marketing_consent|u=updated_at", &[rows[0].as_str(), rows[1].as_str()])], &[0, 0]);
            assert_eq!(texts(&case.build(Survivorship::default()).contacts, "marketing_consent"), some(&[expected]), "{word} {dates:?}");
        }
    }
}

#[test]
fn each_column_of_consent_is_read_by_its_own_name() {
    let case = Case::new(
        &[("a", "Email opt-in=marketing_consent|Do not call=marketing_consent", &["No|No", "Yes|No", "Yes|Yes", "-|No", "Yes|-"])],
        &[0, 1, 2, 3, 4],
    );
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "marketing_consent"), some(&["no", "yes", "no", "yes", "yes"]));
}

#[test]
fn all_columns_of_notes_and_of_networks_are_kept() {
    let case = Case::new(
        &[(
            "a",
            "Notes=note|Comment=note|LinkedIn=social|Facebook=social",
            &[
                "first|second|linkedin.com/in/Anna|fb.com/anna",
                "same|same|-|-",
                "-|-|https://www.linkedin.com/in/anna/|https://facebook.com/profile.php?id=7",
            ],
        )],
        &[0, 1, 0],
    );
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "note"), some(&["first\nsecond", "same"]));
    let expected = vec!["linkedin.com/in/Anna", "fb.com/anna", "https://facebook.com/profile.php?id=7"];
    assert_eq!(lists(&golden.contacts, "social"), [expected, vec![]]);
}

#[test]
fn links_of_several_records_are_told_apart_by_where_they_lead() {
    let case = Case::new(&[("a", "site=website", &["a.lv/index.php?id=1", "A.lv/index.php?id=1", "a.lv/index.php?id=2"])], &[0, 0, 0]);
    assert_eq!(lists(&case.build(Survivorship::default()).contacts, "website"), [vec!["a.lv/index.php?id=1", "a.lv/index.php?id=2"]]);
}

#[test]
fn the_better_spelling_of_the_same_letters_is_kept() {
    let case =
        Case::new(&[("a", "n=family_name|u=updated_at", &["IVANOV|2024-01-01", "Ivanov|2020-01-01", "O'NEIL|2024-01-01"])], &[0, 0, 1]);
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "family_name"), some(&["Ivanov", "O'NEIL"]));
}

#[test]
fn trusted_sources_first_created_and_union_are_followed() {
    let case = Case::new(
        &[
            ("web", "c=city|t=created_at|level", &["Riga|2020-01-01|1"]),
            ("erp", "c=city|t=created_at|level", &["Ogre|2021-01-01|2"]),
            ("crm", "c=city|t=created_at|level", &["Cesis|2019-01-01|1"]),
        ],
        &[0, 0, 0],
    );
    let with = |strategy| Survivorship {
        default: Some(strategy),
        source_priority: vec!["erp".to_owned(), "web".to_owned()],
        ..Survivorship::default()
    };
    for (strategy, expected) in [
        (Strategy::SourcePriority, "Ogre"),
        (Strategy::First, "Cesis"),
        (Strategy::Min, "Cesis"),
        (Strategy::Max, "Riga"),
        (Strategy::MostComplete, "Cesis"),
    ] {
        assert_eq!(texts(&case.build(with(strategy)).contacts, "city"), some(&[expected]), "{strategy:?}");
    }
    assert_eq!(texts(&case.build(with(Strategy::Union)).contacts, "level"), some(&["1; 2"]));
    assert_eq!(texts(&case.build(with(Strategy::MostFrequent)).contacts, "level"), some(&["1"]));
}

#[test]
fn a_contact_without_a_person_is_a_company() {
    let case = Case::new(&[("a", "n=full_name|c=company_name", &["Anna|SIA Bērzs", "-|SIA Bērzs", "-|-"])], &[0, 1, 2]);
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "contact_type"), some(&["person", "company", "-"]));
}

#[test]
fn custom_columns_never_hide_canonical_ones() {
    let case = Case::new(&[("a", "email|contact_id|mail=email", &["x|y|z@x.lv"])], &[0]);
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "email_original"), some(&["x"]));
    assert_eq!(texts(&golden.contacts, "contact_id_original"), some(&["y"]));
    assert!(Role::Email.is_list());
}

#[test]
fn columns_that_bear_our_names_do_not_take_each_others() {
    let case = Case::new(&[("a", "n_records|n_records_original|mail=email", &["5|q|z@x.lv"])], &[0]);
    let golden = case.build(Survivorship::default());
    assert_eq!(texts(&golden.contacts, "n_records_original"), some(&["q"]));
    assert_eq!(texts(&golden.contacts, "n_records_original_2"), some(&["5"]));
}
