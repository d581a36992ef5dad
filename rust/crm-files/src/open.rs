use std::fs::File;
use std::io::Read;
use std::path::Path;

use crm_core::{Control, Error, Result};

use crate::workbook::{self, Zip};
use crate::{Format, ReadOptions, TableReader, text};

/// Opens a file and returns one reader per table in it.
pub fn open_path(path: &Path, options: &ReadOptions, control: &dyn Control) -> Result<Vec<Box<dyn TableReader>>> {
    let name = path.display().to_string();
    let mut file = File::open(path).map_err(|error| Error::os(&error, &*name))?;
    let mut head = vec![0_u8; Format::HEAD_BYTES];
    let n_head = read_up_to(&mut file, &mut head).map_err(|error| Error::os(&error, &*name))?;
    head.truncate(n_head);
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return match workbook::open_zip(path, options)? {
            Zip::Workbook(zip) => workbook::open_zip_workbook(zip, options, control),
            Zip::Text { file, input } => {
                let format = options.format.or_else(|| Format::from_name(&file)).unwrap_or(Format::Csv);
                text::open(&name, format, input, options, control)
            }
        };
    }
    let format = match options.format {
        Some(format) => format,
        None => match Format::workbook_from_content(&head, &name).or_else(|| Format::markup_from_content(&head)) {
            Some(format) => format,
            None => Format::json_from_content(&head)
                .or_else(|| Format::from_name(&name).filter(|format| !format.is_workbook()))
                .unwrap_or(Format::Csv),
        },
    };
    if format.is_workbook() {
        return workbook::open(path, &head, options, control);
    }
    let input = std::io::Cursor::new(head).chain(file);
    text::open(&name, format, Box::new(input), options, control)
}

/// Opens a stream (standard input, say), which cannot be a workbook: those are read by seeking.
pub fn open_stream(
    name: &str,
    mut input: Box<dyn Read + Send>,
    options: &ReadOptions,
    control: &dyn Control,
) -> Result<Vec<Box<dyn TableReader>>> {
    let mut head = vec![0_u8; Format::HEAD_BYTES];
    let n_head = read_up_to(&mut *input, &mut head).map_err(|error| Error::os(&error, name))?;
    head.truncate(n_head);
    let format = options.format.or_else(|| Format::json_from_content(&head)).or_else(|| Format::from_name(name));
    let format = format.filter(|format| !format.is_workbook()).unwrap_or(Format::Csv);
    text::open(name, format, Box::new(std::io::Cursor::new(head).chain(input)), options, control)
}

fn read_up_to(input: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
