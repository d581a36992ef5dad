//! What a change makes of contacts that were there: how many records they had, and which golden values differ.
//!
//! Golden records are a function of records, edits and model, all of which the index holds; so what a contact's said until now is derived
//! again for the few that a change touches, and no wide table is read for it.
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use crm_core::{Control, Result};
use crm_resolve::increment::{Contacts, Edit, GoldenMaker, Known};
use crm_resolve::merge::contact_id;
use hashbrown::HashMap;

use super::known::KnownIndex;

/// Derives the golden records of the state before a change.
pub struct Former {
    known: Arc<KnownIndex>,
    /// `None` where nothing was there.
    maker: Option<GoldenMaker>,
}

impl Former {
    pub fn new(known: Arc<KnownIndex>) -> Result<Self> {
        let about = &known.about;
        let maker = match known.model()? {
            Some(model) if about.n_records > 0 => {
                let edited = about.edited_columns();
                Some(GoldenMaker::new(&known.layouts, &known.used_layouts()?, &edited, &model, &about.options.survivorship)?)
            }
            _ => None,
        };
        Ok(Self { known, maker })
    }

    /// One row per contact of `golden`: `contact_id`, `n_records` it had (null where it is new), and the names of the `fields` that differ.
    pub fn compare(&self, golden: &RecordBatch, founders: &[i64], control: &dyn Control) -> Result<RecordBatch> {
        let mut places: Vec<Option<u32>> = vec![None; founders.len()];
        let mut former = Contacts::default();
        if self.maker.is_some() {
            for (place, founder) in places.iter_mut().zip(founders) {
                if self.known.contact_if_known(*founder)? != Some(*founder) {
                    continue;
                }
                let mut members = Vec::new();
                self.known.members(*founder, &mut members)?;
                members.sort_unstable();
                *place = Some(former.len() as u32);
                former.push(*founder, &members);
            }
        }
        let before = match &self.maker {
            Some(maker) if !former.is_empty() => {
                let edits = self.edits(&former)?;
                Some(maker.make(&former, 0..former.len(), &edits, self.known.as_ref(), control)?.contacts)
            }
            _ => None,
        };
        let mut ids = StringBuilder::with_capacity(founders.len(), founders.len() * 14);
        let mut sizes = Int32Builder::with_capacity(founders.len());
        let mut fields = ListBuilder::new(StringBuilder::new());
        let columns = before.as_ref().map(|before| pairs_of_columns(before, golden)).unwrap_or_default();
        for (row, (founder, place)) in founders.iter().zip(&places).enumerate() {
            ids.append_value(contact_id(*founder).as_str());
            sizes.append_option(place.map(|place| former.members(place as usize).len() as i32));
            if let Some(place) = place {
                let different = columns.iter().filter(|(_, before, now)| differs(before.as_ref(), *place as usize, now, row));
                different.for_each(|(name, _, _)| fields.values().append_value(name));
            }
            fields.append(true);
        }
        let columns: Vec<(&str, ArrayRef)> =
            vec![("contact_id", Arc::new(ids.finish())), ("n_records", Arc::new(sizes.finish())), ("fields", Arc::new(fields.finish()))];
        let schema = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect::<Vec<_>>();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(schema)), columns.into_iter().map(|(_, array)| array).collect())?)
    }

    fn edits(&self, contacts: &Contacts) -> Result<HashMap<i64, Vec<Edit>>> {
        let mut edits = HashMap::new();
        if self.known.about.edited.is_empty() {
            return Ok(edits);
        }
        for record in &contacts.members {
            let of_record = self.known.edits(*record)?;
            if !of_record.is_empty() {
                edits.insert(*record, of_record);
            }
        }
        Ok(edits)
    }
}

/// The columns of golden records now but the id, each with what it was called by before, if it was there.
fn pairs_of_columns(before: &RecordBatch, now: &RecordBatch) -> Vec<(String, Option<ArrayRef>, ArrayRef)> {
    let schema = now.schema();
    let named = schema.fields().iter().zip(now.columns()).skip(1);
    named.map(|(field, column)| (field.name().clone(), before.column_by_name(field.name()).cloned(), column.clone())).collect()
}

/// Whether two cells differ; a column that was not there was empty.
fn differs(before: Option<&ArrayRef>, old: usize, now: &ArrayRef, new: usize) -> bool {
    let Some(before) = before else { return now.is_valid(new) };
    if before.is_null(old) || now.is_null(new) {
        return before.is_valid(old) != now.is_valid(new);
    }
    match (before.data_type(), now.data_type()) {
        (DataType::Utf8, DataType::Utf8) => before.as_string::<i32>().value(old) != now.as_string::<i32>().value(new),
        (DataType::List(_), DataType::List(_)) => before.as_list::<i32>().value(old) != now.as_list::<i32>().value(new),
        (DataType::Int32, DataType::Int32) => {
            before.as_any().downcast_ref::<Int32Array>().map(|array| array.value(old))
                != now.as_any().downcast_ref::<Int32Array>().map(|array| array.value(new))
        }
        _ => before.slice(old, 1) != now.slice(new, 1),
    }
}

/// How many of some pairs of records lie between two contacts; `moved` are the records whose contact is another now, sorted.
pub fn n_between_contacts(known: &KnownIndex, moved: &[(i64, i64)], pairs: impl Iterator<Item = (i64, i64)>) -> Result<u64> {
    let contact = |record: i64| match moved.binary_search_by_key(&record, |(record, _)| *record) {
        Ok(place) => Ok(moved[place].1),
        Err(_) => Known::contact(known, record),
    };
    let mut n = 0;
    for (a, b) in pairs {
        n += u64::from(contact(a)? != contact(b)?);
    }
    Ok(n)
}
