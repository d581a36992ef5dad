//! Host names in A-label form: lower case, compatibility forms folded, other scripts as Punycode.
use unicode_normalization::UnicodeNormalization;

use super::super::Reason;

/// Writes the ASCII form of a host name: labels of letters, digits and inner hyphens (underscores are let through), each of 1 to 63 bytes.
pub(in super::super) fn to_ascii_host(host: &str, out: &mut String) -> Result<(), Reason> {
    out.clear();
    if host.is_empty() {
        return Err(Reason::BadDomain);
    }
    if host.is_ascii() {
        let mut label = 0usize;
        let mut before = b'.';
        for byte in host.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => label += 1,
                b'-' if before != b'.' => label += 1,
                b'.' if before != b'.' && before != b'-' => label = 0,
                _ => return Err(Reason::BadDomain),
            }
            if label > 63 {
                return Err(Reason::BadDomain);
            }
            before = byte;
        }
        out.push_str(host);
        out.make_ascii_lowercase();
        return finish(before, out);
    }
    let mapped: String = host
        .nfkc()
        .flat_map(char::to_lowercase)
        .map(|c| if matches!(c, '。' | '．' | '｡') { '.' } else { c })
        .filter(|&c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'))
        .nfc()
        .collect();
    for (place, label) in mapped.split('.').enumerate() {
        if place > 0 {
            out.push('.');
        }
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            return Err(Reason::BadDomain);
        }
        let start = out.len();
        if label.is_ascii() {
            if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
                return Err(Reason::BadDomain);
            }
            out.push_str(label);
        } else {
            let mark = |c: char| unicode_normalization::char::is_combining_mark(c);
            if !label.chars().all(|c| c.is_alphanumeric() || c == '-' || mark(c)) || label.chars().next().is_some_and(mark) {
                return Err(Reason::BadDomain);
            }
            out.push_str("xn--");
            punycode(label, out).ok_or(Reason::BadDomain)?;
        }
        if out.len() - start > 63 {
            return Err(Reason::BadDomain);
        }
    }
    finish(b'a', out)
}

fn finish(last: u8, out: &str) -> Result<(), Reason> {
    // A top-level domain is never all digits: 1.2.3.4 is an address, not a name.
    let top = out.rsplit('.').next().unwrap_or("");
    let bad = last == b'-' || last == b'.' || out.len() > 253 || top.bytes().all(|byte| byte.is_ascii_digit());
    if bad { Err(Reason::BadDomain) } else { Ok(()) }
}

/// RFC 3492.
fn punycode(label: &str, out: &mut String) -> Option<()> {
    const BASE: u32 = 36;
    let mut n = 128u32;
    let (mut delta, mut bias) = (0u32, 72u32);
    let basic = label.chars().filter(char::is_ascii).count() as u32;
    out.extend(label.chars().filter(char::is_ascii));
    if basic > 0 {
        out.push('-');
    }
    let total = label.chars().count() as u32;
    let mut handled = basic;
    while handled < total {
        let next = label.chars().map(u32::from).filter(|&code| code >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for c in label.chars() {
            let code = u32::from(c);
            if code < n {
                delta = delta.checked_add(1)?;
            }
            if code == n {
                let mut q = delta;
                let mut k = BASE;
                loop {
                    let t = k.saturating_sub(bias).clamp(1, 26);
                    if q < t {
                        break;
                    }
                    out.push(digit(t + (q - t) % (BASE - t)));
                    q = (q - t) / (BASE - t);
                    k += BASE;
                }
                out.push(digit(q));
                // Adapt the bias.
                let mut adapted = if handled == basic { delta / 700 } else { delta / 2 };
                adapted += adapted / (handled + 1);
                let mut shift = 0;
                while adapted > 455 {
                    adapted /= BASE - 1;
                    shift += BASE;
                }
                bias = shift + 36 * adapted / (adapted + 38);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        n += 1;
    }
    Some(())
}

fn digit(value: u32) -> char {
    char::from(if value < 26 { b'a' + value as u8 } else { b'0' + (value as u8 - 26) })
}
