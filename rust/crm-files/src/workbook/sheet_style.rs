//! How a written sheet looks: what the caller may say, and what follows from the data.
use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use crm_core::{Error, Result, nearest_name};
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};
use serde::{Deserialize, Serialize};

use crate::output::{Cell, CellColumn};

/// Rows that column widths are taken from.
const WIDTH_SAMPLE_ROWS: usize = 1000;
const MIN_WIDTH: usize = 6;
const MAX_WIDTH: usize = 60;
/// Room for the filter's button beside the header.
const FILTER_BUTTON_WIDTH: usize = 3;

/// The look of one sheet. Everything is optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SheetStyle {
    /// Columns at the left that stay in view, besides the header row.
    pub freeze_columns: u16,
    /// Leave out the filter buttons.
    pub no_filter: bool,
    /// Keep the sheet out of sight, also from the menu: what the program itself needs to read back.
    pub hidden: bool,
    /// Nobody edits the sheet: texts need no text format to stay texts, which makes it faster to write.
    pub read_only: bool,
    /// A line above the header, with a blank row between.
    pub title: Option<String>,
    /// A column of this table, not written itself, that names the look of each row: `heading`, `strong` or `muted`.
    pub row_style_by: Option<String>,
    /// A column of this table, not written itself, with values to choose from, a line each: a drop-down list for this row's cells
    /// of `row_choices_columns`, where any other value may be typed as well.
    pub row_choices_by: Option<String>,
    /// The columns that `row_choices_by` is for.
    pub row_choices_columns: Vec<String>,
    /// By column name.
    pub columns: BTreeMap<String, ColumnStyle>,
}

impl SheetStyle {
    /// Rows from 0; the title and its blank row stand above.
    pub fn header_row(&self) -> u32 {
        if self.title.is_some() { 2 } else { 0 }
    }
}

/// The look of one column. Everything is optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnStyle {
    /// The header to show instead of the column's name.
    pub label: Option<String>,
    /// Width in characters.
    pub width: Option<f64>,
    /// A number format of spreadsheets (`0.00`, `dd.mm.yyyy`).
    pub format: Option<String>,
    /// Write every value as text: ids, phones.
    pub text: Option<bool>,
    /// Write texts that are plain numbers as numbers.
    pub numbers: bool,
    /// Write texts that are ISO dates (`2024-05-31`, `2024-05-31T10:00:00`) as dates.
    pub dates: bool,
    /// Colour of the header cell: `blue` as all (the default), `orange`, `green`, `red` or `grey`.
    pub header: Option<String>,
    /// A note that appears beside the header.
    pub hint: Option<String>,
    /// Values to choose from a drop-down list.
    pub choices: Vec<String>,
    /// A column of this table, not written itself, that marks cells of this one: `true`, or the name of a colour
    /// (`yellow`, `red`, `green`, `blue`, `orange`, `grey`).
    pub highlight_by: Option<String>,
    /// Keep the column out of sight.
    pub hidden: bool,
    /// Break long text into lines.
    pub wrap: bool,
}

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Date,
    DateTime,
}

/// What is done with one column.
pub(super) struct ColumnPlan {
    /// Its position in the batches.
    pub index: usize,
    pub label: String,
    pub width: f64,
    pub as_text: bool,
    pub hidden: bool,
    pub numbers: bool,
    pub dates: bool,
    pub header: Format,
    pub hint: Option<String>,
    /// Whether rows may have drop-down lists of their own here.
    pub has_row_choices: bool,
    /// Values of the drop-down list.
    pub choices: Vec<String>,
    /// Position of the column that marks its cells.
    pub highlight_by: Option<usize>,
    formats: Vec<Option<Format>>,
}

/// Names and fills.
const COLOURS: [(&str, u32); 6] = [
    ("yellow", 0x00FF_EFA0),
    ("red", 0x00F4_A9A8),
    ("green", 0x00C9_E7C4),
    ("blue", 0x00CF_E2F8),
    ("orange", 0x00FB_CFA5),
    ("grey", 0x00E4_E4E4),
];

impl ColumnPlan {
    /// The format of a cell, `None` where the sheet's default will do.
    pub fn format(&self, kind: Kind, look: Look) -> Option<&Format> {
        self.formats[kind as usize + 4 * look.position()].as_ref()
    }
}

/// How a cell looks beside its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    /// Marked with one of the colours.
    Marked(usize),
    /// As its whole row.
    Row(RowLook),
}

impl Look {
    const ROWS: [RowLook; 3] = [RowLook::Heading, RowLook::Strong, RowLook::Muted];

    /// What a marking cell asks for.
    pub fn of_mark(mark: &Cell<'_>) -> Self {
        let colour = match mark {
            Cell::Boolean(true) => Some(0),
            Cell::Text(name) => COLOURS.iter().position(|(known, _)| *known == name.as_ref()),
            _ => None,
        };
        colour.map_or(Self::Plain, Self::Marked)
    }

    fn all() -> impl Iterator<Item = Self> {
        let marked = (0..COLOURS.len()).map(Self::Marked);
        std::iter::once(Self::Plain).chain(marked).chain(Self::ROWS.map(Self::Row))
    }

    /// Its place among all of them.
    fn position(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Marked(colour) => 1 + colour,
            Self::Row(look) => 1 + COLOURS.len() + look as usize,
        }
    }

    fn format(self) -> Format {
        match self {
            Self::Plain => Format::new(),
            Self::Marked(colour) => Format::new().set_background_color(Color::RGB(COLOURS[colour].1)),
            Self::Row(look) => look.format(),
        }
    }
}

/// Fills of header cells; white text is readable on all of them.
const HEADER_COLOURS: [(&str, u32); 5] =
    [("blue", 0x0030_5496), ("orange", 0x00C5_5A11), ("green", 0x0054_8235), ("red", 0x00A6_1C1C), ("grey", 0x0080_8080)];

/// The format of header cells in one of the colours.
fn header_format(column: &str, wish: Option<&str>) -> Result<Format> {
    let colour = match wish {
        None => HEADER_COLOURS.first(),
        Some(wish) => HEADER_COLOURS.iter().find(|(name, _)| *name == wish),
    };
    let Some((_, fill)) = colour else {
        let known = HEADER_COLOURS.map(|(name, _)| name).join(", ");
        return Err(Error::config(format!("the header of column {column:?} is to be {:?}; there are {known}", wish.unwrap_or_default())));
    };
    Ok(Format::new()
        .set_bold()
        .set_font_color(Color::White)
        .set_background_color(Color::RGB(*fill))
        .set_border_bottom(FormatBorder::Thin)
        .set_align(FormatAlign::Top))
}

/// Looks of whole rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowLook {
    Heading,
    Strong,
    Muted,
}

impl RowLook {
    /// The look that a marking cell names.
    pub fn of(mark: &Cell<'_>) -> Option<Self> {
        match mark {
            Cell::Text(name) if name == "heading" => Some(Self::Heading),
            Cell::Text(name) if name == "strong" => Some(Self::Strong),
            Cell::Text(name) if name == "muted" => Some(Self::Muted),
            _ => None,
        }
    }

    fn format(self) -> Format {
        match self {
            Self::Heading => Format::new()
                .set_bold()
                .set_font_color(Color::White)
                .set_background_color(Color::RGB(HEADER_COLOURS[0].1))
                .set_border_bottom(FormatBorder::Thin),
            Self::Strong => Format::new().set_bold(),
            Self::Muted => Format::new().set_font_color(Color::RGB(0x0080_8080)),
        }
    }
}

/// Decides on every column from the schema, the caller's wishes and the first batch.
pub(super) fn plan_columns(schema: &Schema, style: &SheetStyle, first: Option<&RecordBatch>) -> Result<Vec<ColumnPlan>> {
    let position = |name: &str| {
        schema.index_of(name).map_err(|_| {
            let nearest = nearest_name(name, schema.fields().iter().map(|field| field.name().as_str()));
            let hint = nearest.map_or(String::new(), |nearest| format!("; did you mean {nearest:?}?"));
            Error::config(format!("the sheet's style names a column {name:?} that the table does not have{hint}"))
        })
    };
    let mut marks = Vec::new();
    for mark in style.row_style_by.iter().chain(&style.row_choices_by) {
        marks.push(position(mark)?);
    }
    for name in &style.row_choices_columns {
        position(name)?;
    }
    for (name, column) in &style.columns {
        position(name)?;
        if let Some(mark) = &column.highlight_by {
            marks.push(position(mark)?);
        }
    }
    let default = ColumnStyle::default();
    let mut plans = Vec::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        if marks.contains(&index) {
            continue;
        }
        let wish = style.columns.get(field.name()).unwrap_or(&default);
        let label = wish.label.clone().unwrap_or_else(|| field.name().clone());
        let as_text = wish.text.unwrap_or_else(|| is_text(field.data_type()) || (wish.format.is_none() && is_identifier(field.name())));
        plans.push(ColumnPlan {
            index,
            width: match wish.width {
                Some(width) => width.clamp(0.5, 255.0),
                None => sampled_width(&label, field.name(), first.map(|batch| (batch, index)))?,
            },
            header: header_format(field.name(), wish.header.as_deref())?,
            hint: wish.hint.clone(),
            label,
            has_row_choices: style.row_choices_columns.contains(field.name()),
            as_text,
            numbers: wish.numbers,
            dates: wish.dates,
            hidden: wish.hidden,
            choices: wish.choices.clone(),
            highlight_by: wish.highlight_by.as_deref().map(position).transpose()?,
            formats: formats(wish, as_text && !style.read_only),
        });
    }
    Ok(plans)
}

/// One format per kind and look; [`ColumnPlan::format`] knows the order.
fn formats(wish: &ColumnStyle, has_text_format: bool) -> Vec<Option<Format>> {
    let kinds = [Kind::Text, Kind::Number, Kind::Date, Kind::DateTime];
    Look::all()
        .flat_map(|look| {
            kinds.map(|kind| {
                let number_format = match (&wish.format, kind) {
                    (_, Kind::Text) => has_text_format.then_some("@"),
                    (Some(own), _) => Some(own.as_str()),
                    (None, Kind::Number) => None,
                    (None, Kind::Date) => Some("yyyy-mm-dd"),
                    (None, Kind::DateTime) => Some("yyyy-mm-dd hh:mm:ss"),
                };
                if number_format.is_none() && look == Look::Plain && !wish.wrap {
                    return None;
                }
                let mut format = look.format();
                if let Some(number_format) = number_format {
                    format = format.set_num_format(number_format);
                }
                if wish.wrap {
                    format = format.set_text_wrap().set_align(FormatAlign::Top);
                }
                Some(format)
            })
        })
        .collect()
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// Whether numbers under this name are names of things, not amounts: nobody adds them up, and `1.2E+11` helps nobody.
fn is_identifier(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(|character: char| !character.is_alphanumeric()).any(|word| {
        matches!(
            word,
            "id" | "key" | "phone" | "phones" | "mobile" | "fax" | "inn" | "kpp" | "ogrn" | "postcode" | "zip" | "телефон" | "инн"
        )
    })
}

fn sampled_width(label: &str, name: &str, first: Option<(&RecordBatch, usize)>) -> Result<f64> {
    let mut width = label.chars().count() + FILTER_BUTTON_WIDTH;
    if let Some((batch, index)) = first {
        let column = CellColumn::new(name, batch.column(index))?;
        for row in 0..batch.num_rows().min(WIDTH_SAMPLE_ROWS) {
            let text = column.get(row)?;
            let longest = text.to_text().lines().map(|line| line.chars().count()).max().unwrap_or(0);
            width = width.max(longest + 1);
        }
    }
    Ok(width.clamp(MIN_WIDTH, MAX_WIDTH) as f64)
}
