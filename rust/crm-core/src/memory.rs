use crate::{Error, Result};

/// Reads a byte size as people write it: `2.5GiB`, `512 MB`, `1g`, `1048576`.
///
/// Decimal (`kB`, `MB`, `GB`) and binary (`KiB`, `MiB`, `GiB`) units differ; a bare letter is binary.
///
/// ```
/// assert_eq!(crm_core::parse_byte_size("2.5GiB").unwrap(), 2_684_354_560);
/// assert!(crm_core::parse_byte_size("much").is_err());
/// ```
pub fn parse_byte_size(text: &str) -> Result<u64> {
    let wrong = || Error::config(format!("'{text}' is not a byte size; write for example 2.5GiB or 800MB"));
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let number: f64 = trimmed[..split].parse().map_err(|_| wrong())?;
    let factor: f64 = match trimmed[split..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tib" => 1024.0f64.powi(4),
        _ => return Err(wrong()),
    };
    let bytes = number * factor;
    if bytes.is_finite() && (1.0..9e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}
