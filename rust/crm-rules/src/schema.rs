use arrow_schema::DataType;
use std::fmt;

/// The types that rules know. Dates and times have no time zone; decimals are read as floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// Nothing but null.
    Null,
    /// `boolean`.
    Bool,
    /// `bigint`: every integer type.
    Int,
    /// `double`: floats and decimals.
    Float,
    /// `varchar`.
    Text,
    /// `date`.
    Date,
    /// `timestamp`, in microseconds.
    Timestamp,
    /// `interval`.
    Interval,
    /// A list of texts.
    TextList,
    /// A list of whole numbers.
    IntList,
    /// A list of floats.
    FloatList,
    /// A type that rules cannot compute with; only `is null` can be asked of it.
    Other,
}

impl Type {
    /// The rule type of an Arrow type.
    pub fn from_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool,
            t if t.is_integer() => Self::Int,
            t if t.is_floating() || t.is_decimal() => Self::Float,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(..) => Self::Timestamp,
            DataType::Duration(_) => Self::Interval,
            DataType::Dictionary(_, value) => Self::from_arrow(value),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => match Self::from_arrow(item.data_type())
            {
                Self::Text => Self::TextList,
                Self::Int => Self::IntList,
                Self::Float => Self::FloatList,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// The type of a list's items.
    pub fn item(self) -> Option<Self> {
        match self {
            Self::TextList => Some(Self::Text),
            Self::IntList => Some(Self::Int),
            Self::FloatList => Some(Self::Float),
            _ => None,
        }
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

/// The SQL name.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Int => "bigint",
            Self::Float => "double",
            Self::Text => "varchar",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Interval => "interval",
            Self::TextList => "varchar[]",
            Self::IntList => "bigint[]",
            Self::FloatList => "double[]",
            Self::Other => "a type that rules cannot read",
        })
    }
}

/// What rules may name: the columns of contacts, and the related tables with theirs.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Columns of the contacts, or of whatever table the rules are about.
    pub columns: Vec<(String, Type)>,
    /// The related tables.
    pub tables: Vec<TableSchema>,
}

/// A related table.
#[derive(Debug, Clone, Default)]
pub struct TableSchema {
    /// Its name in rules.
    pub name: String,
    /// Its columns.
    pub columns: Vec<(String, Type)>,
    /// The column that refers to the contact.
    pub contact: String,
    /// The column that says when a row happened, if it has one: `first` and `last` go by it, and rows after today are invisible.
    pub time: Option<String>,
}

impl Schema {
    /// The schema of one table.
    pub fn from_arrow(schema: &arrow_schema::Schema) -> Self {
        Self { columns: arrow_columns(schema), tables: Vec::new() }
    }
}

impl TableSchema {
    /// A related table of an Arrow schema.
    pub fn from_arrow(name: &str, schema: &arrow_schema::Schema, contact: &str, time: Option<&str>) -> Self {
        Self { name: name.to_owned(), columns: arrow_columns(schema), contact: contact.to_owned(), time: time.map(str::to_owned) }
    }
}

fn arrow_columns(schema: &arrow_schema::Schema) -> Vec<(String, Type)> {
    schema.fields().iter().map(|field| (field.name().clone(), Type::from_arrow(field.data_type()))).collect()
}

/// Finds a name among columns: exactly, or else without regard to case where that is unambiguous.
pub(crate) fn find_column(columns: &[(String, Type)], name: &str) -> Option<usize> {
    if let Some(at) = columns.iter().position(|(column, _)| column == name) {
        return Some(at);
    }
    let lower = name.to_lowercase();
    let mut found = columns.iter().enumerate().filter(|(_, (column, _))| column.to_lowercase() == lower);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}
