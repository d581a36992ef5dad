//! Whole names where only their parts are known.
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use crm_core::Role;

use super::{Kind, Portion};

/// The parts of a name in the order of writing.
const PARTS: [Role; 4] = [Role::GivenName, Role::MiddleName, Role::FamilyName, Role::Suffix];

/// The built columns, `full_name` composed of the parts where no record has one. Its lineage is that of the family name, else of the given
/// name.
pub fn composed(portion: &Portion<'_>, mut built: Vec<(ArrayRef, ArrayRef)>) -> Vec<(ArrayRef, ArrayRef)> {
    let column_of = |role: Role| portion.plan.columns.iter().position(|column| column.kind == Kind::Role(role));
    let Some(whole) = column_of(Role::FullName) else { return built };
    let text = |role: Role| column_of(role).and_then(|place| built[place].0.as_string_opt::<i32>());
    let parts = PARTS.map(text);
    let (Some(names), Some(named_by)) = (built[whole].0.as_string_opt::<i32>(), built[whole].1.as_primitive_opt::<Int64Type>()) else {
        return built;
    };
    let origins =
        [Role::FamilyName, Role::GivenName].map(|role| column_of(role).and_then(|place| built[place].1.as_primitive_opt::<Int64Type>()));
    let (mut values, mut lineage) = (StringBuilder::with_capacity(names.len(), names.len() * 16), Int64Builder::new());
    let mut name = String::new();
    let mut merged = 0;
    for (row, range) in portion.ranges.iter().enumerate() {
        name.clear();
        if names.is_valid(row) {
            name.push_str(names.value(row));
        } else {
            let is_named = [parts[0], parts[2]].iter().flatten().any(|part| part.is_valid(row));
            for part in parts.iter().flatten().filter(|part| is_named && part.is_valid(row)) {
                if !name.is_empty() {
                    name.push(' ');
                }
                name.push_str(part.value(row));
            }
        }
        values.append_option((!name.is_empty()).then_some(name.as_str()));
        if range.len() > 1 {
            let own = named_by.is_valid(merged).then(|| named_by.value(merged));
            let of_parts = || origins.iter().flatten().find(|origins| origins.is_valid(merged)).map(|origins| origins.value(merged));
            lineage.append_option(own.or_else(of_parts).filter(|_| !name.is_empty()));
            merged += 1;
        }
    }
    built[whole] = (Arc::new(values.finish()), Arc::new(lineage.finish()));
    built
}
