//! What the binary formats share.
use super::sheet::{Notes, Row, place};

pub(super) use super::package::{u16_at, u32_at};

/// A number packed into 30 bits.
pub(super) fn rk_number(packed: u32) -> f64 {
    let value = if packed & 2 != 0 { f64::from((packed as i32) >> 2) } else { f64::from_bits(u64::from(packed & !3) << 32) };
    if packed & 1 != 0 { value / 100.0 } else { value }
}

/// The 8 bytes at `at` as a number, 0 where they are missing.
pub(super) fn f64_at(bytes: &[u8], at: usize) -> f64 {
    f64::from_bits(super::package::u64_at(bytes, at))
}

/// Appends a cell that holds an error.
pub(super) fn push_error(row: &mut Row, column: u32, code: u8, notes: &mut Notes) {
    let text = match code {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0f => "#VALUE!",
        0x17 => "#REF!",
        0x1d => "#NAME?",
        0x24 => "#NUM!",
        0x2a => "#N/A",
        0x2b => "#GETTING_DATA",
        _ => "#ERROR",
    };
    notes.errors.add(|| place(row.number, column));
    row.push(column, text);
}

/// Appends a cell that holds true or false.
pub(super) fn push_boolean(row: &mut Row, column: u32, value: u8) {
    row.push(column, if value != 0 { "TRUE" } else { "FALSE" });
}

/// Appends UTF-16 text; halves of pairs, which damaged files hold, become U+FFFD.
pub(super) fn push_utf16(text: &mut String, bytes: &[u8]) {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers() {
        assert_eq!(rk_number(0x3ff0_0000), 1.0);
        assert_eq!(rk_number((1234 << 2) | 2), 1234.0);
        assert_eq!(rk_number((1234 << 2) | 3), 12.34);
        assert_eq!(rk_number(((-5_i32) << 2) as u32 | 2), -5.0);
    }
}
