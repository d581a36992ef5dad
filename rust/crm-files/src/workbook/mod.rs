//! Workbooks: xlsx, xlsm, xlsb, xls, ods.
mod sheet_style;
mod write;

use std::path::Path;

use crm_core::{Control, Error, Result};

use crate::{Format, ReadOptions, TableReader};

pub use sheet_style::{ColumnStyle, SheetStyle};
pub use write::{SheetSource, WriteReport, write_workbook};

/// Opens a workbook: one reader per sheet, or the one that `options.sheet` names.
pub fn open(path: &Path, format: Format, _options: &ReadOptions, _control: &dyn Control) -> Result<Vec<Box<dyn TableReader>>> {
    Err(Error::file_format(path.display().to_string(), format!("{format:?} workbooks cannot be read yet")))
}
