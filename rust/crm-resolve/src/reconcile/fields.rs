use crm_core::{Error, Result, Role, nearest_name};

use super::Comparer;
use crate::merge::{RowRef, Rows, SourceLayout};

/// How a field's values are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A person's whole name, on one side in one column, on the other perhaps in several.
    Name,
    /// A canonical role.
    Role(Role),
    /// A column of the user's own.
    Custom,
    /// Any field that is to be compared as it is written.
    AsWritten,
}

/// Columns of the two sides that answer each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedField {
    /// The role's name, or the column's.
    pub name: String,
    /// How its values are understood.
    pub kind: FieldKind,
    /// Per layout the places of its columns; a layout may have none.
    pub places: Vec<Vec<usize>>,
}

impl ComparedField {
    /// The text of the field's columns in a row.
    pub fn text(&self, rows: &Rows, at: RowRef, out: &mut String) {
        Comparer::joined(self.kind, self.places[rows.layout(at)].iter().filter_map(|place| rows.text(at, *place)), out);
    }
}

/// A pair of custom columns that the user says are one: the left one's name, the right one's.
pub type Twins = (String, String);

/// Roles that say nothing of the contact itself, only of the list that it stands in.
const NOT_COMPARED: [Role; 4] = [Role::Source, Role::SourceKey, Role::CreatedAt, Role::UpdatedAt];
const NAME_PARTS: [Role; 4] = [Role::FamilyName, Role::GivenName, Role::MiddleName, Role::Suffix];

/// The fields that both sides have, roles first, then columns of one name (whatever its case) and `twins`; those named in `as_written`
/// are compared to the letter.
///
/// `is_right` tells the side of each layout.
pub fn compared_fields(layouts: &[SourceLayout], is_right: &[bool], twins: &[Twins], as_written: &[String]) -> Result<Vec<ComparedField>> {
    let mut fields = Vec::new();
    let names = name_fields(layouts, is_right);
    let mut had_names = false;
    for role in Role::ALL.iter().copied().filter(|role| !NOT_COMPARED.contains(role)) {
        if role == Role::FullName || NAME_PARTS.contains(&role) {
            if !had_names {
                fields.extend(names.iter().cloned());
                had_names = true;
            }
            continue;
        }
        let field = ComparedField { name: role.name().to_owned(), kind: FieldKind::Role(role), places: places_of(layouts, &[role]) };
        fields.extend(on_both_sides(&field.places, is_right).then_some(field));
    }
    fields.extend(custom_fields(layouts, is_right, twins)?);
    for name in as_written {
        let Some(field) = fields.iter_mut().find(|field| field.name == *name) else {
            let hint = nearest_name(name, fields.iter().map(|field| field.name.as_str()));
            let hint = hint.map(|hint| format!("; did you mean '{hint}'?")).unwrap_or_default();
            return Err(Error::config(format!("'{name}' is to be compared as written, and is no field that both sides have{hint}")));
        };
        field.kind = FieldKind::AsWritten;
    }
    Ok(fields)
}

/// Name parts one by one where both sides have the same, else the whole name.
fn name_fields(layouts: &[SourceLayout], is_right: &[bool]) -> Vec<ComparedField> {
    let has = |layout: &SourceLayout, role: Role| !layout.places_of(role).is_empty();
    let in_parts = |layout: &SourceLayout| has(layout, Role::FamilyName) && has(layout, Role::GivenName);
    if layouts.iter().all(in_parts) {
        let part = |role: &Role| ComparedField {
            name: role.name().to_owned(),
            kind: FieldKind::Role(*role),
            places: places_of(layouts, &[*role]),
        };
        return NAME_PARTS.iter().map(part).filter(|field| on_both_sides(&field.places, is_right)).collect();
    }
    let whole = |layout: &SourceLayout| {
        let parts: Vec<usize> = NAME_PARTS.iter().flat_map(|role| layout.places_of(*role)).collect();
        if in_parts(layout) || !has(layout, Role::FullName) { parts } else { layout.places_of(Role::FullName) }
    };
    let places: Vec<Vec<usize>> = layouts.iter().map(whole).collect();
    let field = ComparedField { name: Role::FullName.name().to_owned(), kind: FieldKind::Name, places };
    on_both_sides(&field.places, is_right).then_some(field).into_iter().collect()
}

fn places_of(layouts: &[SourceLayout], roles: &[Role]) -> Vec<Vec<usize>> {
    layouts.iter().map(|layout| roles.iter().flat_map(|role| layout.places_of(*role)).collect()).collect()
}

fn on_both_sides(places: &[Vec<usize>], is_right: &[bool]) -> bool {
    let any = |side: bool| places.iter().zip(is_right).any(|(places, right)| *right == side && !places.is_empty());
    any(false) && any(true)
}

fn custom_fields(layouts: &[SourceLayout], is_right: &[bool], twins: &[Twins]) -> Result<Vec<ComparedField>> {
    let fold = |name: &str| name.trim().to_lowercase();
    let find = |layout: &SourceLayout, name: &str| -> Vec<usize> {
        let of_name = layout.columns.iter().enumerate().filter(|(_, column)| fold(&column.name) == fold(name));
        of_name.map(|(place, _)| place).collect()
    };
    let mut fields = Vec::new();
    for (left, right) in twins {
        let places: Vec<Vec<usize>> =
            layouts.iter().zip(is_right).map(|(layout, is_right)| find(layout, if *is_right { right } else { left })).collect();
        if !on_both_sides(&places, is_right) {
            return Err(missing_twin(layouts, is_right, &places, left, right));
        }
        let role = layouts.iter().zip(&places).find_map(|(layout, places)| places.first().and_then(|place| layout.columns[*place].role));
        let kind = role.map_or(FieldKind::Custom, FieldKind::Role);
        fields.push(ComparedField { name: left.clone(), kind, places });
    }
    let is_taken = |name: &str| twins.iter().any(|(left, right)| fold(left) == fold(name) || fold(right) == fold(name));
    let mut seen: Vec<String> = Vec::new();
    for layout in layouts {
        for column in layout.columns.iter().filter(|column| column.role.is_none()) {
            if seen.contains(&fold(&column.name)) || is_taken(&column.name) {
                continue;
            }
            seen.push(fold(&column.name));
            let custom = |layout: &SourceLayout| -> Vec<usize> {
                find(layout, &column.name).into_iter().filter(|place| layout.columns[*place].role.is_none()).collect()
            };
            let places: Vec<Vec<usize>> = layouts.iter().map(custom).collect();
            if on_both_sides(&places, is_right) {
                fields.push(ComparedField { name: column.name.clone(), kind: FieldKind::Custom, places });
            }
        }
    }
    Ok(fields)
}

/// The fields that `keys` name: a role, a column that both sides have, or `left=right`.
pub fn key_fields(layouts: &[SourceLayout], is_right: &[bool], keys: &[String]) -> Result<Vec<ComparedField>> {
    let find = |key: &String| -> Result<ComparedField> {
        if let Ok(role) = key.parse::<Role>() {
            let places = places_of(layouts, &[role]);
            if on_both_sides(&places, is_right) {
                // A key of a list is read as a column of the user's own: 00042 is 42.
                let kind = if NOT_COMPARED.contains(&role) { FieldKind::Custom } else { FieldKind::Role(role) };
                return Ok(ComparedField { name: key.clone(), kind, places });
            }
            let by_name = custom_fields(layouts, is_right, &[(key.clone(), key.clone())]);
            return by_name.map(|mut fields| fields.swap_remove(0)).map_err(|_| {
                Error::config(format!(
                    "the key '{key}' is a role that no column of both sides has; name the columns: LEFT=RIGHT, or map them"
                ))
            });
        }
        let (left, right) = key.split_once('=').unwrap_or((key, key));
        let mut fields = custom_fields(layouts, is_right, &[(left.trim().to_owned(), right.trim().to_owned())])?;
        Ok(ComparedField { name: key.clone(), ..fields.swap_remove(0) })
    };
    keys.iter().map(find).collect()
}

fn missing_twin(layouts: &[SourceLayout], is_right: &[bool], places: &[Vec<usize>], left: &str, right: &str) -> Error {
    let has_left = places.iter().zip(is_right).any(|(places, right)| !*right && !places.is_empty());
    let (name, side) = if has_left { (right, true) } else { (left, false) };
    let of_side = layouts.iter().zip(is_right).filter(|(_, right)| **right == side);
    let hint = nearest_name(name, of_side.flat_map(|(layout, _)| layout.columns.iter().map(|column| column.name.as_str())));
    let hint = hint.map(|hint| format!("; did you mean '{hint}'?")).unwrap_or_default();
    let side = if side { "right" } else { "left" };
    Error::config(format!("the {side} side has no column '{name}' to compare with the other side's{hint}"))
}
