//! Which column means what.
use crm_core::{Error, Result, Role, nearest_name};
use serde::{Deserialize, Serialize};

/// One column of the input and its role; `None` keeps it as a custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedColumn {
    /// The column's name in the input.
    pub column: String,
    /// What it means.
    pub role: Option<Role>,
}

/// The roles of all columns, in the order of the input.
///
/// As JSON it is a list of `{"column": "Surname", "role": "family_name"}`, with `null` for a custom field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    columns: Vec<MappedColumn>,
}

impl Mapping {
    /// A mapping of columns to roles; a column named twice is an error.
    pub fn new(columns: impl IntoIterator<Item = (String, Option<Role>)>) -> Result<Self> {
        let columns: Vec<MappedColumn> = columns.into_iter().map(|(column, role)| MappedColumn { column, role }).collect();
        for (place, column) in columns.iter().enumerate() {
            if columns[..place].iter().any(|earlier| earlier.column == column.column) {
                return Err(Error::config(format!("column '{}' is mapped twice", column.column)));
            }
        }
        Ok(Self { columns })
    }

    /// All columns.
    pub fn columns(&self) -> &[MappedColumn] {
        &self.columns
    }

    /// The columns of one role, in order.
    pub fn columns_of(&self, role: Role) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(move |column| column.role == Some(role)).map(|column| column.column.as_str())
    }

    /// The columns without a role.
    pub fn custom(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| column.role.is_none()).map(|column| column.column.as_str())
    }

    /// Whether any column has the role.
    pub fn has(&self, role: Role) -> bool {
        self.columns_of(role).next().is_some()
    }

    /// Sets the role of a column; an unknown column is an error that names the nearest.
    pub fn set(&mut self, column: &str, role: Option<Role>) -> Result<()> {
        match self.columns.iter_mut().find(|mapped| mapped.column == column) {
            Some(mapped) => mapped.role = role,
            None => {
                let nearest = nearest_name(column, self.columns.iter().map(|mapped| mapped.column.as_str()));
                let hint = nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
                return Err(Error::config(format!("the input has no column '{column}'{hint}")));
            }
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnJson {
    column: String,
    role: Option<String>,
}

impl Serialize for Mapping {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let role_name = |column: &MappedColumn| column.role.map(|role| role.name().to_owned());
        serializer.collect_seq(self.columns.iter().map(|column| ColumnJson { column: column.column.clone(), role: role_name(column) }))
    }
}

impl<'de> Deserialize<'de> for Mapping {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let columns = Vec::<ColumnJson>::deserialize(deserializer)?;
        let mut pairs = Vec::with_capacity(columns.len());
        for column in columns {
            let role = column.role.map(|name| name.parse::<Role>()).transpose().map_err(D::Error::custom)?;
            pairs.push((column.column, role));
        }
        Mapping::new(pairs).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_survives_json() {
        let mapping = Mapping::new([("Surname".to_owned(), Some(Role::FamilyName)), ("Shoe size".to_owned(), None)]).unwrap();
        let json = serde_json::to_string(&mapping).unwrap();
        assert_eq!(serde_json::from_str::<Mapping>(&json).unwrap(), mapping);
    }

    #[test]
    fn an_unknown_column_names_the_nearest() {
        let mut mapping = Mapping::new([("Surname".to_owned(), None)]).unwrap();
        let error = mapping.set("Surnam", Some(Role::FamilyName)).unwrap_err();
        assert_eq!(error.message(), "the input has no column 'Surnam'; did you mean 'Surname'?");
    }
}
