//! The columns of a record batch as the evaluator reads them.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};
use crm_core::{Error, Result};

use crate::graph::{Graph, Input};
use crate::schema::Type;

/// The columns that a graph reads, of one record batch.
#[derive(Debug, Clone)]
pub struct Batch {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
    /// Tells batches apart, so that an evaluator knows when it meets a new one.
    pub(crate) id: u64,
}

impl Batch {
    /// Takes the columns that `graph` reads from `batch`; features and rankings come from `computed`.
    pub fn new(graph: &Graph, batch: &RecordBatch, mut computed: impl FnMut(&Input) -> Option<Column>) -> Result<Self> {
        let columns = graph
            .inputs()
            .iter()
            .map(|(input, data_type)| match input {
                Input::Column(name) => {
                    let array = batch.column_by_name(name).ok_or_else(|| Error::schema(format!("the table has no column '{name}'")))?;
                    let found = Type::from_arrow(array.data_type());
                    if found != *data_type && found != Type::Null {
                        return Err(Error::schema(format!("the column '{name}' is {found} here, and was {data_type} before")));
                    }
                    Column::new(array)
                }
                other => computed(other).ok_or_else(|| Error::internal(format!("{other:?} was not computed"))),
            })
            .collect::<Result<_>>()?;
        Ok(Self::of(columns, batch.num_rows()))
    }

    pub(crate) fn of(columns: Vec<Column>, rows: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { columns, rows, id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// One column, its Arrow type reduced to what rules tell apart.
#[derive(Debug, Clone)]
pub enum Column {
    /// Nothing but nulls.
    Null(usize),
    /// Truth values.
    Bool(BooleanArray),
    /// Whole numbers and dates of 32 bits.
    Int32(ScalarBuffer<i32>, Option<NullBuffer>),
    /// Whole numbers, timestamps and intervals.
    Int64(ScalarBuffer<i64>, Option<NullBuffer>),
    /// Floats.
    Float(ScalarBuffer<f64>, Option<NullBuffer>),
    /// Texts.
    Text(Texts),
    /// Texts by number; the null buffer says which rows are null, whether by key or by value.
    Dictionary {
        /// The number of each row's text; arbitrary where the row is null.
        keys: ScalarBuffer<i32>,
        /// Which rows are not null.
        nulls: Option<NullBuffer>,
        /// The texts.
        values: Arc<Texts>,
    },
    /// Lists.
    List {
        /// Where each row's items begin, and one more.
        offsets: ScalarBuffer<i32>,
        /// Which rows are not null.
        nulls: Option<NullBuffer>,
        /// The items.
        items: Box<Column>,
    },
    /// A type that only `is null` can be asked of.
    Other(usize, Option<NullBuffer>),
}

/// An Arrow text array of any layout.
#[derive(Debug, Clone)]
pub enum Texts {
    /// 32-bit offsets.
    Plain(StringArray),
    /// 64-bit offsets.
    Large(LargeStringArray),
    /// Views.
    View(StringViewArray),
}

impl Texts {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Plain(array) => array.len(),
            Self::Large(array) => array.len(),
            Self::View(array) => array.len(),
        }
    }

    pub(crate) fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Self::Plain(array) => array.nulls(),
            Self::Large(array) => array.nulls(),
            Self::View(array) => array.nulls(),
        }
    }

    #[inline]
    pub(crate) fn value(&self, row: usize) -> &str {
        match self {
            Self::Plain(array) => array.value(row),
            Self::Large(array) => array.value(row),
            Self::View(array) => array.value(row),
        }
    }
}

impl Column {
    /// Reads an Arrow array.
    pub fn new(array: &ArrayRef) -> Result<Self> {
        let cast = |to: DataType| arrow_cast::cast(array, &to).map_err(Error::from);
        Ok(match array.data_type() {
            DataType::Null => Self::Null(array.len()),
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::Int32 => int32::<Int32Type>(array),
            DataType::Date32 => int32::<Date32Type>(array),
            DataType::Int64 => int64::<Int64Type>(array),
            DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => int32::<Int32Type>(&cast(DataType::Int32)?),
            DataType::UInt32 => int64::<Int64Type>(&cast(DataType::Int64)?),
            DataType::UInt64 => {
                let signed = cast(DataType::Int64)?;
                if signed.null_count() > array.null_count() {
                    return Err(Error::schema("a column of uint64 holds numbers above 9223372036854775807, which rules cannot count with"));
                }
                int64::<Int64Type>(&signed)
            }
            DataType::Date64 => int32::<Date32Type>(&cast(DataType::Date32)?),
            DataType::Timestamp(TimeUnit::Microsecond, _) => int64::<TimestampMicrosecondType>(array),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                // A moment before 1970 belongs to the microsecond before, not to the one after.
                let array = array.as_primitive::<TimestampNanosecondType>();
                Self::Int64(array.values().iter().map(|nanos| nanos.div_euclid(1_000)).collect(), array.nulls().cloned())
            }
            DataType::Timestamp(_, zone) => {
                int64::<TimestampMicrosecondType>(&cast(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?)
            }
            DataType::Duration(_) => int64::<DurationMicrosecondType>(&cast(DataType::Duration(TimeUnit::Microsecond))?),
            DataType::Float64 => float(array),
            t if t.is_floating() || t.is_decimal() => float(&cast(DataType::Float64)?),
            DataType::Utf8 => Self::Text(Texts::Plain(array.as_string().clone())),
            DataType::LargeUtf8 => Self::Text(Texts::Large(array.as_string().clone())),
            DataType::Utf8View => Self::Text(Texts::View(array.as_string_view().clone())),
            DataType::Dictionary(_, value) if Type::from_arrow(value) == Type::Text => dictionary(array)?,
            DataType::Dictionary(_, value) => Self::new(&cast(value.as_ref().clone())?)?,
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let offsets = list.offsets().inner().clone();
                Self::List { offsets, nulls: list.nulls().cloned(), items: Box::new(Self::new(list.values())?) }
            }
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) if Type::from_arrow(array.data_type()).item().is_some() => {
                Self::new(&cast(DataType::List(item.clone()))?)?
            }
            _ => Self::Other(array.len(), array.logical_nulls()),
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Null(len) | Self::Other(len, _) => *len,
            Self::Bool(array) => array.len(),
            Self::Int32(values, _) => values.len(),
            Self::Int64(values, _) => values.len(),
            Self::Float(values, _) => values.len(),
            Self::Text(texts) => texts.len(),
            Self::Dictionary { keys, .. } => keys.len(),
            Self::List { offsets, .. } => offsets.len() - 1,
        }
    }

    /// Rows `from..from + len`, without copying.
    pub fn slice(&self, from: usize, len: usize) -> Self {
        let cut = |nulls: &Option<NullBuffer>| nulls.as_ref().map(|nulls| nulls.slice(from, len));
        match self {
            Self::Null(_) => Self::Null(len),
            Self::Other(_, nulls) => Self::Other(len, cut(nulls)),
            Self::Bool(array) => Self::Bool(array.slice(from, len)),
            Self::Int32(values, nulls) => Self::Int32(values.slice(from, len), cut(nulls)),
            Self::Int64(values, nulls) => Self::Int64(values.slice(from, len), cut(nulls)),
            Self::Float(values, nulls) => Self::Float(values.slice(from, len), cut(nulls)),
            Self::Text(Texts::Plain(array)) => Self::Text(Texts::Plain(array.slice(from, len))),
            Self::Text(Texts::Large(array)) => Self::Text(Texts::Large(array.slice(from, len))),
            Self::Text(Texts::View(array)) => Self::Text(Texts::View(array.slice(from, len))),
            Self::Dictionary { keys, nulls, values } => {
                Self::Dictionary { keys: keys.slice(from, len), nulls: cut(nulls), values: Arc::clone(values) }
            }
            Self::List { offsets, nulls, items } => {
                Self::List { offsets: offsets.slice(from, len + 1), nulls: cut(nulls), items: items.clone() }
            }
        }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which rows are not null; `None` where all are.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Self::Null(_) => None,
            Self::Bool(array) => array.nulls(),
            Self::Int32(_, nulls) | Self::Int64(_, nulls) | Self::Float(_, nulls) | Self::Other(_, nulls) => nulls.as_ref(),
            Self::Text(texts) => texts.nulls(),
            Self::Dictionary { nulls, .. } | Self::List { nulls, .. } => nulls.as_ref(),
        }
    }
}

fn int32<T: arrow_array::ArrowPrimitiveType<Native = i32>>(array: &ArrayRef) -> Column {
    let array = array.as_primitive::<T>();
    Column::Int32(array.values().clone(), array.nulls().cloned())
}

fn int64<T: arrow_array::ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Column {
    let array = array.as_primitive::<T>();
    Column::Int64(array.values().clone(), array.nulls().cloned())
}

fn float(array: &ArrayRef) -> Column {
    let array = array.as_primitive::<Float64Type>();
    Column::Float(array.values().clone(), array.nulls().cloned())
}

fn dictionary(array: &ArrayRef) -> Result<Column> {
    let any = array.as_any_dictionary();
    let texts = match Column::new(any.values())? {
        Column::Text(texts) => texts,
        _ => return Err(Error::internal("a dictionary of texts has no texts")),
    };
    let keys = match any.keys().data_type() {
        DataType::Int32 => any.keys().as_primitive::<Int32Type>().values().clone(),
        _ => {
            let keys = arrow_array::make_array(any.keys().to_data());
            arrow_cast::cast(&keys, &DataType::Int32)?.as_primitive::<Int32Type>().values().clone()
        }
    };
    let nulls = if texts.nulls().is_some_and(|nulls| nulls.null_count() > 0) { array.logical_nulls() } else { array.nulls().cloned() };
    Ok(Column::Dictionary { keys, nulls, values: Arc::new(texts) })
}
