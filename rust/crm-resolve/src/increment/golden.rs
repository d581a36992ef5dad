//! Golden records of the contacts that a change touched, with what people set by hand.
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use crm_core::{Control, Result, Role};
use hashbrown::{HashMap, HashSet};

use super::{Cells, Contacts};
use crate::Model;
use crate::cluster::{ClusterReport, Clusters};
use crate::merge::{
    Canonicalizer, Golden, GoldenPlan, Members, NormalCanonicalizer, RecordFacts, RowRef, Rows, SourceColumn, SourceLayout, Survivorship,
    contact_id,
};

/// A value that a person set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The golden column.
    pub column: String,
    /// The value; `None` empties the cell.
    pub value: Option<String>,
    /// Where it came from, for the lineage.
    pub origin: String,
    /// The later of two edits has the higher.
    pub order: i64,
}

/// Makes golden records, portion by portion.
pub struct GoldenMaker {
    plan: GoldenPlan,
    canonicalizer: NormalCanonicalizer,
    /// Per layout of the cells its place in the plan.
    places: Vec<usize>,
}

impl GoldenMaker {
    /// For tables of these layouts; those not `used` have no records. `edited` are columns that edits name, which golden records have beside the
    /// tables' own.
    ///
    /// Columns come in an order that does not depend on the order of the layouts.
    pub fn new(layouts: &[SourceLayout], used: &[bool], edited: &[String], model: &Model, survivorship: &Survivorship) -> Result<Self> {
        let sort_key = |layout: &SourceLayout| {
            let columns: Vec<(String, Option<&str>)> =
                layout.columns.iter().map(|column| (column.name.clone(), column.role.map(Role::name))).collect();
            (layout.source.clone(), columns)
        };
        let mut order: Vec<usize> = (0..layouts.len()).filter(|place| used.get(*place).copied().unwrap_or(false)).collect();
        order.sort_by_cached_key(|place| sort_key(&layouts[*place]));
        let mut places = vec![order.len(); layouts.len()];
        order.iter().enumerate().for_each(|(to, from)| places[*from] = to);
        let mut planned: Vec<SourceLayout> = order.iter().map(|place| layouts[*place].clone()).collect();
        let of_edits = edited.iter().map(|name| SourceColumn { name: name.clone(), role: name.parse().ok() });
        planned.push(SourceLayout { source: String::new(), columns: of_edits.collect() });
        let canonicalizer = NormalCanonicalizer::new(planned.iter().map(|layout| model.reading.of(&layout.source)));
        // A base sees tables come and go: a field that none of them has now is no mistake.
        let plan = GoldenPlan::lenient(planned, survivorship.clone())?;
        Ok(Self { plan, canonicalizer, places })
    }

    /// An empty portion, for its schemas.
    pub fn empty(&self) -> Golden {
        Golden {
            contacts: RecordBatch::new_empty(self.plan.contacts_schema()),
            lineage: with_edited(RecordBatch::new_empty(self.plan.lineage_schema()), None),
        }
    }

    /// The golden records of some contacts, with their lineage; `edits` are those of each record that has any.
    ///
    /// Lineage has a row per contact of several records and per edited one; its column `edited` tells which columns a person set, and from
    /// where, as JSON.
    pub fn make(
        &self,
        contacts: &Contacts,
        range: std::ops::Range<usize>,
        edits: &HashMap<i64, Vec<Edit>>,
        cells: &dyn Cells,
        control: &dyn Control,
    ) -> Result<Golden> {
        let start = contacts.offsets[range.start] as usize;
        let ids = &contacts.members[start..contacts.offsets[range.end] as usize];
        let mut rows = Rows::default();
        let mut refs: HashMap<i64, RowRef> = HashMap::with_capacity(ids.len());
        cells.read(ids, &mut |layout, some, columns| {
            control.check()?;
            let batch = rows.batches.len() as u32;
            refs.extend(some.iter().enumerate().map(|(row, id)| (*id, RowRef { batch, row: row as u32 })));
            rows.batches.push((self.places[layout], columns));
            Ok(())
        })?;
        let refs: Vec<RowRef> = ids
            .iter()
            .map(|id| refs.get(id).copied().ok_or_else(|| crm_core::Error::internal("cells are missing")))
            .collect::<Result<_>>()?;
        let n = range.len();
        let labels: Vec<u32> = range
            .clone()
            .enumerate()
            .flat_map(|(label, contact)| std::iter::repeat_n(label as u32, contacts.members(contact).len()))
            .collect();
        let members = Members::new(&Clusters { labels, n_clusters: n, report: ClusterReport::default() });
        let facts = RecordFacts { ids };
        let golden = self.plan.build(0..n, &members, facts, &rows, &|record| refs[record as usize], &self.canonicalizer, control)?;
        let founders = &contacts.founders[range.clone()];
        let is_several = |place: &usize| contacts.members(range.start + place).len() > 1;
        let of_several: Vec<i64> = (0..n).filter(is_several).map(|place| founders[place]).collect();
        let golden = Golden { contacts: with_ids(golden.contacts, founders)?, lineage: with_ids(golden.lineage, &of_several)? };
        let edits = newest(contacts, range, edits);
        if edits.is_empty() {
            return Ok(Golden { contacts: golden.contacts, lineage: with_edited(golden.lineage, None) });
        }
        self.edit(golden, founders, &edits)
    }

    /// Puts what people set in the place of what records say.
    fn edit(&self, golden: Golden, founders: &[i64], edits: &BTreeMap<usize, BTreeMap<&str, &Edit>>) -> Result<Golden> {
        let layout = self.plan.n_layouts() - 1;
        let Golden { contacts, lineage } = golden;
        let schema = contacts.schema();
        let mut columns = contacts.columns().to_vec();
        for (at, field) in schema.fields().iter().enumerate().skip(2) {
            let of_column: HashMap<usize, &Edit> =
                edits.iter().filter_map(|(place, edits)| Some((*place, *edits.get(field.name().as_str())?))).collect();
            if !of_column.is_empty() {
                let role = field.name().parse::<Role>().ok();
                columns[at] = self.edited_column(layout, role, &columns[at], &of_column);
            }
        }
        let contacts = RecordBatch::try_new(schema, columns)?;
        self.edited_lineage(lineage, founders, edits).map(|lineage| Golden { contacts, lineage })
    }

    fn edited_column(&self, layout: usize, role: Option<Role>, column: &ArrayRef, edits: &HashMap<usize, &Edit>) -> ArrayRef {
        let mut buffer = String::new();
        let mut canonical = |text: &str| -> Option<String> {
            buffer.clear();
            match role {
                // A person's own words: where the canonical form is none, they stay.
                Some(role) => Some(
                    self.canonicalizer.canonical(layout, role, text, &mut buffer).map_or_else(|| text.trim().to_owned(), str::to_owned),
                ),
                None => Some(text.to_owned()),
            }
            .filter(|text| !text.is_empty())
        };
        if let DataType::List(_) = column.data_type() {
            let lists = column.as_list::<i32>();
            let mut builder = ListBuilder::new(StringBuilder::new());
            for row in 0..lists.len() {
                match edits.get(&row) {
                    Some(edit) => match edit.value.as_deref().and_then(&mut canonical) {
                        Some(text) => {
                            text.split(['\n', ';'])
                                .map(str::trim)
                                .filter(|part| !part.is_empty())
                                .for_each(|part| builder.values().append_value(part));
                            builder.append(true);
                        }
                        None => builder.append(false),
                    },
                    None if lists.is_null(row) => builder.append(false),
                    None => {
                        let values = lists.value(row);
                        values.as_string::<i32>().iter().for_each(|value| builder.values().append_option(value));
                        builder.append(true);
                    }
                }
            }
            return Arc::new(builder.finish());
        }
        let texts = column.as_string::<i32>();
        let value = |row: usize| match edits.get(&row) {
            Some(edit) => edit.value.as_deref().and_then(&mut canonical),
            None => texts.is_valid(row).then(|| texts.value(row).to_owned()),
        };
        Arc::new((0..texts.len()).map(value).collect::<StringArray>())
    }

    /// Lineage without the records of edited columns, with a row for each edited contact of one record.
    fn edited_lineage(
        &self,
        lineage: RecordBatch,
        founders: &[i64],
        edits: &BTreeMap<usize, BTreeMap<&str, &Edit>>,
    ) -> Result<RecordBatch> {
        let ids: Vec<String> = lineage.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        let has_row: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let by_id: BTreeMap<String, &BTreeMap<&str, &Edit>> =
            edits.iter().map(|(place, edits)| (contact_id(founders[*place]).as_str().to_owned(), edits)).collect();
        let lone: Vec<&String> = by_id.keys().filter(|id| !has_row.contains(id.as_str())).collect();
        let schema = lineage.schema();
        let mut of_lone: Vec<ArrayRef> = vec![Arc::new(lone.iter().map(|id| Some(id.as_str())).collect::<StringArray>())];
        of_lone.extend(schema.fields().iter().skip(1).map(|field| arrow_array::new_null_array(field.data_type(), lone.len())));
        let whole = concat_batches(&schema, &[lineage, RecordBatch::try_new(schema.clone(), of_lone)?])?;
        let ids: Vec<Option<&str>> = whole.column(0).as_string::<i32>().iter().collect();
        let mut columns = whole.columns().to_vec();
        for (at, field) in schema.fields().iter().enumerate().skip(1) {
            let is_edited =
                |id: &Option<&str>| id.and_then(|id| by_id.get(id)).is_some_and(|edits| edits.contains_key(field.name().as_str()));
            let edited: Vec<bool> = ids.iter().map(is_edited).collect();
            if edited.contains(&true) {
                columns[at] = without(&columns[at], &edited);
            }
        }
        let told: StringArray = ids
            .iter()
            .map(|id| {
                let edits = by_id.get((*id)?)?;
                let origins: BTreeMap<&str, &str> = edits.iter().map(|(column, edit)| (*column, edit.origin.as_str())).collect();
                serde_json::to_string(&origins).ok()
            })
            .collect();
        Ok(with_edited(RecordBatch::try_new(schema.clone(), columns)?, Some(told)))
    }
}

/// Per contact of the range its newest edit of each column.
fn newest<'a>(
    contacts: &Contacts,
    range: std::ops::Range<usize>,
    edits: &'a HashMap<i64, Vec<Edit>>,
) -> BTreeMap<usize, BTreeMap<&'a str, &'a Edit>> {
    let mut newest: BTreeMap<usize, BTreeMap<&str, &Edit>> = BTreeMap::new();
    if edits.is_empty() {
        return newest;
    }
    for (place, contact) in range.enumerate() {
        for edit in contacts.members(contact).iter().filter_map(|record| edits.get(record)).flatten() {
            let known = newest.entry(place).or_default().entry(edit.column.as_str()).or_insert(edit);
            // Of two with one number the text decides, so that no order of records does.
            if (edit.order, &edit.value, &edit.origin) > (known.order, &known.value, &known.origin) {
                *known = edit;
            }
        }
    }
    newest
}

fn with_ids(batch: RecordBatch, founders: &[i64]) -> Result<RecordBatch> {
    let mut ids = StringBuilder::with_capacity(founders.len(), founders.len() * 14);
    founders.iter().for_each(|founder| ids.append_value(contact_id(*founder).as_str()));
    let mut columns = batch.columns().to_vec();
    columns[0] = Arc::new(ids.finish());
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Adds the column that tells of edits.
fn with_edited(lineage: RecordBatch, edited: Option<StringArray>) -> RecordBatch {
    let edited = edited.unwrap_or_else(|| StringArray::new_null(lineage.num_rows()));
    let schema = lineage.schema();
    let fields: Vec<Arc<Field>> = schema.fields().iter().cloned().chain([Arc::new(Field::new("edited", DataType::Utf8, true))]).collect();
    let columns: Vec<ArrayRef> = lineage.columns().iter().cloned().chain([Arc::new(edited) as ArrayRef]).collect();
    // The lengths agree and the new column may be null; a failure leaves the lineage as it was.
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap_or(lineage)
}

/// A lineage column with null in some rows.
fn without(column: &ArrayRef, is_edited: &[bool]) -> ArrayRef {
    if let DataType::List(_) = column.data_type() {
        let lists = column.as_list::<i32>();
        let mut builder = ListBuilder::new(Int64Builder::new());
        for (row, is_edited) in is_edited.iter().enumerate() {
            if *is_edited || lists.is_null(row) {
                builder.append(false);
            } else {
                let values = lists.value(row);
                values.as_primitive::<arrow_array::types::Int64Type>().iter().for_each(|value| builder.values().append_option(value));
                builder.append(true);
            }
        }
        return Arc::new(builder.finish());
    }
    let ids = column.as_primitive::<arrow_array::types::Int64Type>();
    Arc::new((0..ids.len()).map(|row| (!is_edited[row] && ids.is_valid(row)).then(|| ids.value(row))).collect::<arrow_array::Int64Array>())
}
