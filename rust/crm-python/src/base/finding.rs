//! Contacts found, as JSON for Python; and what the index holds of contacts and records.
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use crm_core::{Error, NoControl, Result, Role};
use crm_resolve::increment::{Asked, Contacts, Edit, Found, GoldenMaker, Known, find};
use crm_resolve::merge::contact_id;
use crm_resolve::{WEIGHT_ONE, weight_to_probability};
use hashbrown::HashMap;
use serde_json::{Map, Value, json};

use super::known::KnownIndex;

/// The contacts that fit a query (JSON: role to value) best, as a JSON list.
pub fn find_json(known: &KnownIndex, query: &str, limit: usize) -> Result<String> {
    let Some(model) = known.model()? else { return Ok("[]".to_owned()) };
    let query = parse(query)?;
    let asked = Asked { model: &model, config: &known.about.options.resolve, layouts: &known.layouts, known, cells: known };
    let found = find(&asked, &query, limit)?;
    let golden = golden_rows(known, &model, &found)?;
    let rows: Vec<Value> = found.iter().map(|found| row(found, &golden)).collect();
    serde_json::to_string(&rows).map_err(|error| Error::internal(error.to_string()))
}

fn parse(query: &str) -> Result<Vec<(Role, String)>> {
    let values: Map<String, Value> =
        serde_json::from_str(query).map_err(|error| Error::config(format!("a search is an object of roles and values: {error}")))?;
    let mut parsed: Vec<(Role, String)> = Vec::new();
    for (name, value) in values {
        let role: Role = if name == "name" { Role::FullName } else { name.parse()? };
        let text = match value {
            Value::String(text) => text,
            Value::Null => continue,
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
            other => other.to_string(),
        };
        if parsed.iter().any(|(known, _)| *known == role) {
            return Err(Error::config(format!("a search names '{role}' twice")));
        }
        parsed.push((role, text));
    }
    Ok(parsed)
}

/// The golden rows of found contacts, by founder.
fn golden_rows(known: &KnownIndex, model: &crm_resolve::Model, found: &[Found]) -> Result<HashMap<i64, Value>> {
    let mut founders: Vec<i64> = found.iter().map(|found| found.contact).collect();
    founders.sort_unstable();
    let mut contacts = Contacts::default();
    let mut edits: HashMap<i64, Vec<Edit>> = HashMap::new();
    for founder in &founders {
        let mut members = Vec::new();
        known.members(*founder, &mut members)?;
        members.sort_unstable();
        if !known.about.edited.is_empty() {
            for member in &members {
                edits.insert(*member, known.edits(*member)?);
            }
        }
        contacts.push(*founder, &members);
    }
    let used = known.used_layouts()?;
    let maker = GoldenMaker::new(&known.layouts, &used, &known.about.edited_columns(), model, &known.about.options.survivorship)?;
    let golden = maker.make(&contacts, 0..contacts.len(), &edits, known, &NoControl)?.contacts;
    Ok(founders.iter().enumerate().map(|(row, founder)| (*founder, golden_row(&golden, row))).collect())
}

fn golden_row(golden: &RecordBatch, row: usize) -> Value {
    let schema = golden.schema();
    let mut values = Map::new();
    for (field, column) in schema.fields().iter().zip(golden.columns()) {
        let value = match column.data_type() {
            _ if column.is_null(row) => Value::Null,
            DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
            DataType::Int32 => json!(column.as_primitive::<arrow_array::types::Int32Type>().value(row)),
            DataType::List(_) => {
                let list = column.as_list::<i32>().value(row);
                json!(list.as_string::<i32>().iter().collect::<Vec<_>>())
            }
            _ => Value::Null,
        };
        values.insert(field.name().clone(), value);
    }
    Value::Object(values)
}

fn row(found: &Found, golden: &HashMap<i64, Value>) -> Value {
    json!({
        "contact_id": contact_id(found.contact).as_str(),
        "record_id": found.record,
        "match_weight": f64::from(found.weight) / f64::from(WEIGHT_ONE),
        "match_probability": weight_to_probability(found.weight),
        "comparisons": found.comparisons,
        "contact": golden.get(&found.contact),
    })
}
