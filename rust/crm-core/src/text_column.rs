use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, LargeStringArray, StringArray, StringViewArray};
use arrow_schema::DataType;

use crate::{Error, Result};

/// Any Arrow text column behind one accessor.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, StringArray};
/// let array: ArrayRef = Arc::new(StringArray::from(vec![Some("Anna"), None]));
/// let names = crm_core::TextColumn::new("name", &array).unwrap();
/// assert_eq!((names.get(0), names.get(1)), (Some("Anna"), None));
/// ```
#[derive(Debug, Clone)]
pub enum TextColumn {
    /// 32-bit offsets.
    Plain(StringArray),
    /// 64-bit offsets.
    Large(LargeStringArray),
    /// String views.
    View(StringViewArray),
    /// A dictionary: row to key, and the values.
    Dictionary(Vec<Option<u32>>, Box<TextColumn>),
    /// All null.
    Null(usize),
}

impl TextColumn {
    /// Reads `array` as text; `name` is for the error if it is not text.
    pub fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Plain(array.as_string().clone()),
            DataType::LargeUtf8 => Self::Large(array.as_string().clone()),
            DataType::Utf8View => Self::View(array.as_string_view().clone()),
            DataType::Null => Self::Null(array.len()),
            DataType::Dictionary(key, value) if is_text(value) => match key.as_ref() {
                DataType::Int8 => dictionary(name, array.as_dictionary::<Int8Type>())?,
                DataType::Int16 => dictionary(name, array.as_dictionary::<Int16Type>())?,
                DataType::Int32 => dictionary(name, array.as_dictionary::<Int32Type>())?,
                DataType::Int64 => dictionary(name, array.as_dictionary::<Int64Type>())?,
                DataType::UInt8 => dictionary(name, array.as_dictionary::<UInt8Type>())?,
                DataType::UInt16 => dictionary(name, array.as_dictionary::<UInt16Type>())?,
                DataType::UInt32 => dictionary(name, array.as_dictionary::<UInt32Type>())?,
                DataType::UInt64 => dictionary(name, array.as_dictionary::<UInt64Type>())?,
                _ => return Err(not_text(name, array)),
            },
            _ => return Err(not_text(name, array)),
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Plain(array) => array.len(),
            Self::Large(array) => array.len(),
            Self::View(array) => array.len(),
            Self::Dictionary(keys, _) => keys.len(),
            Self::Null(len) => *len,
        }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text at `row`, `None` where it is null. Panics if `row` is out of bounds, as indexing does.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Dictionary(keys, values) => keys[row].and_then(|key| values.get(key as usize)),
            Self::Null(_) => None,
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn dictionary<K: ArrowDictionaryKeyType>(name: &str, array: &DictionaryArray<K>) -> Result<TextColumn> {
    let narrow = |key: usize| {
        u32::try_from(key)
            .map_err(|_| Error::schema(format!("column '{name}' has a dictionary of more than 4,294,967,296 values; cast it to string")))
    };
    let keys = array.keys_iter().map(|key| key.map(narrow).transpose()).collect::<Result<_>>()?;
    Ok(TextColumn::Dictionary(keys, Box::new(TextColumn::new(name, array.values())?)))
}

fn not_text(name: &str, array: &ArrayRef) -> Error {
    Error::schema(format!("column '{name}' has the type {}, and text is needed here; cast it to string", array.data_type()))
}
