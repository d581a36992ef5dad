//! E-mail addresses: the address to show, the mailbox it means, and whose it likely is.
mod domains;
mod idna;
#[cfg(test)]
mod tests;

pub use domains::is_free_mail_domain;
use domains::{Provider, provider, suggested_domain};
pub(super) use idna::to_ascii_host;

use super::text::placeholder_reason;
use super::{Reason, is_placeholder};

/// RFC 5321: the most bytes of an address and of its local part.
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;

/// One e-mail address, in buffers that are used again for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Email {
    /// The address to show and to write to: local part in lower case, `@`, domain in A-label form (`xn--…`).
    pub address: String,
    /// What identifies the mailbox: as `address`, with what the provider ignores taken off (dots and `+tag` at Gmail, `+tag` at
    /// Outlook, Proton and others) and the provider's domains made one (googlemail.com, ya.ru). Equal keys mean one mailbox.
    pub mailbox: String,
    /// The mailbox key with a well-known domain's typo mended (`gmial.com`), else empty. Weak evidence: it is never used silently.
    pub suggestion: String,
    /// A mailbox of a function rather than a person: info@, sales@, noreply@.
    pub role_account: bool,
    /// A provider of free mailboxes: its domain says nothing of an employer.
    pub free_mail: bool,
    /// An address that is a filler: test@test.com, none@none.com.
    pub generic: bool,
    local: String,
    domain: String,
}

impl Email {
    fn clear(&mut self) {
        self.address.clear();
        self.mailbox.clear();
        self.suggestion.clear();
        self.local.clear();
        self.domain.clear();
        self.role_account = false;
        self.free_mail = false;
        self.generic = false;
    }

    /// The part before the `@` of `mailbox`.
    pub fn mailbox_local(&self) -> &str {
        self.mailbox.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// The domain, in A-label form, as in `address`.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// The several addresses of one cell, each as written with its display name: separated by `;`, `,`, `|`, `/`, `:::`, a word (`or`, `ou`, `или`),
/// spaces between addresses or line breaks.
/// Commas inside quotes (`"Smith, J" <j@x.com>`) do not separate.
///
/// ```
/// use crm_resolve::normalize::split_emails;
/// let parts: Vec<&str> = split_emails("\"Smith, J\" <j@x.com>; a@b.lv, c@d.lv").collect();
/// assert_eq!(parts, ["\"Smith, J\" <j@x.com>", "a@b.lv", "c@d.lv"]);
/// ```
pub fn split_emails(cell: &str) -> impl Iterator<Item = &str> {
    let mut rest = cell;
    std::iter::from_fn(move || {
        loop {
            let is_separator = |c: char| matches!(c, ';' | ',' | ':' | '|' | '/') || c.is_whitespace();
            rest = rest.trim_start_matches(is_separator);
            // A word between two addresses: "or", "ou", "или".
            if rest.len() < cell.len()
                && let Some((word, after)) = rest.split_once(char::is_whitespace)
                && word.len() <= 12
                && word.chars().all(char::is_alphabetic)
                && after.trim_start().split(is_separator).next().is_some_and(|next| next.contains('@') && !next.starts_with(['<', '@']))
            {
                rest = after.trim_start();
            }
            if rest.is_empty() {
                return None;
            }
            let (part, following) = rest.split_at(part_end(rest));
            rest = following;
            let part = part.trim();
            if !part.is_empty() {
                return Some(part);
            }
        }
    })
}

fn part_end(text: &str) -> usize {
    let (mut quoted, mut bracketed, mut seen_at) = (false, false, false);
    let last = |wanted: u8| memchr::memrchr(wanted, text.as_bytes()).unwrap_or(0);
    let (last_quote, last_at) = (last(b'"'), last(b'@'));
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted && last_quote > at,
            _ if quoted => {}
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            b'@' => seen_at = true,
            b';' | b'\n' | b'\r' => return at,
            // A display name may hold commas and spaces; after the address they end it.
            b',' | b'/' | b'|' if seen_at && !bracketed => return at,
            b' ' | b'\t' if seen_at && !bracketed && last_at > at => return at,
            _ => {}
        }
    }
    text.len()
}

/// Parses one address into `out`: the first of the cell if there are several.
///
/// Taken off: spaces, `mailto:`, a display name (`"A B" <a@b.c>`), brackets, quotes, a trailing dot, zero-width characters. Accepted is what can receive
/// mail over the internet: an unquoted or simply quoted local part, a domain with at least one dot; internationalized domains become A-labels,
/// internationalized local parts are kept. Comments, folding white space, domain literals (`@[1.2.3.4]`) and single-label domains are not accepted.
///
/// ```
/// use crm_resolve::normalize::{Email, parse_email};
/// let mut email = Email::default();
/// parse_email("\"Anna B\" <MAILTO:Anna.B+news@GoogleMail.com>", &mut email).unwrap();
/// assert_eq!(email.address, "anna.b+news@googlemail.com");
/// assert_eq!(email.mailbox, "annab@gmail.com");
/// parse_email("info@пример.рф", &mut email).unwrap();
/// assert_eq!((email.domain(), email.role_account), ("xn--e1afmkfd.xn--p1ai", true));
/// parse_email("joe@gmial.com", &mut email).unwrap();
/// assert_eq!((email.mailbox.as_str(), email.suggestion.as_str()), ("joe@gmial.com", "joe@gmail.com"));
/// ```
pub fn parse_email(raw: &str, out: &mut Email) -> Result<(), Reason> {
    out.clear();
    if raw.len() > 4 * MAX_ADDRESS {
        return Err(Reason::TooLong);
    }
    let text = match split_emails(raw).next() {
        Some(text) => text,
        None => return Err(Reason::Empty),
    };
    let text = address_of(text);
    let Some(at) = memchr::memrchr(b'@', text.as_bytes()) else {
        return Err(placeholder_reason(text).unwrap_or(Reason::NoAt));
    };
    write_local(text[..at].trim(), &mut out.local)?;
    let domain = text[at + 1..].trim().trim_end_matches('.');
    to_ascii_host(domain, &mut out.domain)?;
    if !out.domain.contains('.') {
        return Err(Reason::BadDomain);
    }
    if out.local.len() + 1 + out.domain.len() > MAX_ADDRESS {
        return Err(Reason::TooLong);
    }
    let Email { address, mailbox, suggestion, local, domain, .. } = out;
    for part in [local.as_str(), "@", domain.as_str()] {
        address.push_str(part);
    }
    let provider_found = provider(domain);
    write_mailbox(local, domain, provider_found, mailbox);
    out.free_mail = is_free_mail_domain(domain);
    if provider_found.is_none()
        && !out.free_mail
        && let Some(meant) = suggested_domain(domain)
    {
        write_mailbox(local, meant, provider(meant), suggestion);
    }
    out.role_account = domains::is_role_account(local);
    let host = domain.split('.').next().unwrap_or("");
    out.generic = is_filler(local) && (is_filler(host) || out.free_mail || local == host) || domains::is_example_domain(domain);
    Ok(())
}

/// The bare address: out of `Name <address>`, without `mailto:` and its query, quotes and brackets around it.
fn address_of(text: &str) -> &str {
    let mut text = text;
    if let Some(open) = memchr::memrchr(b'<', text.as_bytes())
        && text.as_bytes().contains(&b'@')
    {
        let inner = &text[open + 1..];
        text = inner.split('>').next().unwrap_or(inner);
    }
    let is_wrapping = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '<' | '>' | '(' | ')' | '[' | '\'' | '`' | '“' | '”' | '«' | '»' | ':' | ',' | ';' | '|' | '\u{200b}'
                    ..='\u{200f}' | '\u{feff}' | '\u{2060}'
            )
    };
    text = text.trim_matches(is_wrapping);
    for label in ["mailto:", "email:", "e-mail:", "mail:", "smtp:"] {
        if text.len() > label.len() && text.is_char_boundary(label.len()) && text[..label.len()].eq_ignore_ascii_case(label) {
            text = text[label.len()..].trim_matches(is_wrapping);
        }
    }
    // `mailto:a@b.c?subject=…`
    match text.find('@') {
        Some(at) => match text[at..].find('?') {
            Some(query) => &text[..at + query],
            None => text,
        },
        None => text,
    }
}

fn write_local(local: &str, out: &mut String) -> Result<(), Reason> {
    if local.is_empty() {
        return Err(Reason::BadLocalPart);
    }
    if let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return write_quoted(inner, out);
    }
    let (mut before, mut bad) = (b'.', false);
    if local.is_ascii() {
        for byte in local.bytes() {
            let atom = byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
            bad |= !(atom || byte == b'.' && before != b'.');
            before = byte;
        }
        out.push_str(local);
        out.make_ascii_lowercase();
    } else {
        for c in local.chars() {
            let c = super::text::narrow(c);
            if matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{2060}' | '\u{ad}') {
                continue;
            }
            let atom = c.is_alphanumeric() || c.is_ascii() && b"!#$%&'*+-/=?^_`{|}~".contains(&(c as u8));
            bad |= !(atom || c == '.' && before != b'.');
            before = if c == '.' { b'.' } else { b'a' };
            // The Turkish capital İ becomes i and a dot above it that no address has.
            out.extend(c.to_lowercase().filter(|lower| *lower != '\u{307}'));
        }
    }
    if bad || before == b'.' || out.is_empty() {
        return Err(Reason::BadLocalPart);
    }
    if out.len() > MAX_LOCAL {
        return Err(Reason::TooLong);
    }
    Ok(())
}

/// `"john.doe"` is `john.doe`; what needs its quotes keeps them.
fn write_quoted(inner: &str, out: &mut String) -> Result<(), Reason> {
    let mut plain = String::new();
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return Err(Reason::BadLocalPart),
            ' '..='~' => {
                plain.push(c.to_ascii_lowercase());
                escaped = false;
            }
            _ => return Err(Reason::BadLocalPart),
        }
    }
    if inner.is_empty() {
        return Err(Reason::BadLocalPart);
    }
    if escaped || inner.len() + 2 > MAX_LOCAL {
        return Err(if escaped { Reason::BadLocalPart } else { Reason::TooLong });
    }
    if !plain.contains('"') && write_local(&plain, out).is_ok() {
        return Ok(());
    }
    out.clear();
    out.push('"');
    for c in plain.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    Ok(())
}

fn write_mailbox(local: &str, domain: &str, provider: Option<&Provider>, out: &mut String) {
    let Some(provider) = provider else {
        for part in [local, "@", domain] {
            out.push_str(part);
        }
        return;
    };
    let base = match provider.tag {
        Some(tag) if !local.starts_with(['"', tag]) => local.split(tag).next().unwrap_or(local),
        _ => local,
    };
    for c in base.chars() {
        match c {
            '.' if provider.ignores_dots => {}
            // Yandex takes a dot and a hyphen for one.
            '.' if provider.dot_is_hyphen => out.push('-'),
            _ => out.push(c),
        }
    }
    if out.is_empty() {
        out.push_str(local);
    }
    out.push('@');
    out.push_str(provider.canonical);
}

fn is_filler(word: &str) -> bool {
    word.len() <= 16 && is_placeholder(word)
        || matches!(
            word,
            "mail" | "email" | "noemail" | "nomail" | "name" | "user" | "1" | "123" | "a" | "x" | "example" | "domain" | "site"
        )
}

/// Whether a cell looks like an e-mail address: cheap, for finding a column's role.
///
/// ```
/// use crm_resolve::normalize::looks_like_email;
/// assert!(looks_like_email("Anna <anna@inbox.lv>"));
/// assert!(!looks_like_email("@anna") && !looks_like_email("5 @ 3.50"));
/// ```
pub fn looks_like_email(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let Some(at) = memchr::memchr(b'@', bytes) else { return false };
    if bytes.len() > 4 * MAX_ADDRESS {
        return false;
    }
    let before = at.checked_sub(1).and_then(|place| bytes.get(place)).is_some_and(|byte| !byte.is_ascii_whitespace());
    let after = &raw[at + 1..];
    let host_end = after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))).unwrap_or(after.len());
    let host = after[..host_end].trim_end_matches('.');
    let last = host.rsplit('.').next().unwrap_or("");
    before && host.contains('.') && last.chars().count() >= 2 && last.chars().next().is_some_and(char::is_alphabetic)
}
