//! Web addresses: to compare, and to keep.
use super::super::Reason;
use super::super::email::to_ascii_host;
use super::super::text::placeholder_reason;

/// Replaces `out` with the canonical form of a web address: host in A-label form without `www.`, path without a trailing slash; scheme, port, query and fragment off.
///
/// ```
/// use crm_resolve::normalize::parse_website;
/// let mut site = String::new();
/// parse_website("HTTPS://www.Example.LV/about/?utm=1#x", &mut site).unwrap();
/// assert_eq!(site, "example.lv/about");
/// ```
pub fn parse_website(raw: &str, out: &mut String) -> Result<(), Reason> {
    out.clear();
    if raw.len() > 2048 {
        return Err(Reason::TooLong);
    }
    let text = bare(raw);
    if let Some(reason) = placeholder_reason(text) {
        return Err(reason);
    }
    let text = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).next().unwrap_or(text);
    let (_, path) = host_into(text, out)?;
    let path = path.split(['?', '#']).next().unwrap_or("").trim_end_matches('/');
    if !matches!(path.to_ascii_lowercase().as_str(), "/index.html" | "/index.php" | "/index.htm" | "/home") {
        out.extend(path.chars().map(|c| c.to_ascii_lowercase()));
    }
    Ok(())
}

/// Replaces `out` with a web address that still leads where it led: the host as [`parse_website`] has it, port, path, query and fragment as they
/// are written, for `bit.ly/AbC` is not `bit.ly/abc`. Off are the scheme, a slash at the end, and the marks of advertising (`utm_…`).
///
/// ```
/// use crm_resolve::normalize::website_into;
/// let mut site = String::new();
/// website_into("HTTPS://www.Example.LV/About/?id=7&utm_source=x", &mut site).unwrap();
/// assert_eq!(site, "example.lv/About/?id=7");
/// ```
pub fn website_into(raw: &str, out: &mut String) -> Result<(), Reason> {
    out.clear();
    if raw.len() > 2048 {
        return Err(Reason::TooLong);
    }
    let text = bare(raw);
    if let Some(reason) = placeholder_reason(text) {
        return Err(reason);
    }
    if text.contains(char::is_whitespace) {
        return Err(Reason::BadFormat);
    }
    let (port, rest) = host_into(text, out)?;
    if !port.is_empty() {
        out.push(':');
        out.push_str(port);
    }
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let start = out.len();
    out.push_str(path);
    let mut is_first = true;
    for part in query.split('&').filter(|part| !part.is_empty() && !is_advertising(part)) {
        out.push(if is_first { '?' } else { '&' });
        out.push_str(part);
        is_first = false;
    }
    if is_first && fragment.is_none_or(str::is_empty) {
        let end = out.trim_end_matches('/').len();
        out.truncate(end.max(start));
    }
    if let Some(fragment) = fragment.filter(|fragment| !fragment.is_empty()) {
        out.push('#');
        out.push_str(fragment);
    }
    Ok(())
}

fn is_advertising(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or(parameter).to_ascii_lowercase();
    name.starts_with("utm_") || matches!(name.as_str(), "gclid" | "fbclid" | "yclid" | "msclkid")
}

/// The several addresses of one cell: separated by spaces, line breaks, `|`, and by `,` or `;` where another address follows.
///
/// ```
/// use crm_resolve::normalize::split_websites;
/// let parts: Vec<&str> = split_websites("a.lv/x,1; https://b.lv,c.lv").collect();
/// assert_eq!(parts, ["a.lv/x,1", "https://b.lv", "c.lv"]);
/// ```
pub fn split_websites(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(|c: char| c.is_whitespace() || c == '|').flat_map(|mut rest| {
        std::iter::from_fn(move || {
            rest = rest.trim_matches([',', ';']);
            if rest.is_empty() {
                return None;
            }
            let begins = |at: &usize| looks_like_website(rest[at + 1..].split([',', ';']).next().unwrap_or(""));
            let end = rest.match_indices([',', ';']).map(|(at, _)| at).find(begins).unwrap_or(rest.len());
            let (part, following) = rest.split_at(end);
            rest = following;
            Some(part)
        })
    })
}

fn bare(raw: &str) -> &str {
    raw.trim().trim_matches(|c: char| matches!(c, '<' | '>' | '"' | '\'' | '(' | ')' | ',' | ';'))
}

/// Writes the host in A-label form without `www.`; returns the port and what follows.
fn host_into<'a>(text: &'a str, out: &mut String) -> Result<(&'a str, &'a str), Reason> {
    let text = match text.find("://") {
        Some(at) if at < 8 => &text[at + 3..],
        _ => text.strip_prefix("//").unwrap_or(text),
    };
    let host_end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (host, rest) = text.split_at(host_end);
    // An address before @ is mail or a login, not a site.
    if host.contains('@') {
        return Err(Reason::BadDomain);
    }
    let (host, port) = host.split_once(':').unwrap_or((host, ""));
    to_ascii_host(host.trim_end_matches('.'), out)?;
    if !out.contains('.') {
        out.clear();
        return Err(Reason::BadDomain);
    }
    if let Some(rest) = out.strip_prefix("www.")
        && rest.contains('.')
    {
        *out = rest.to_owned();
    }
    Ok((port, rest))
}

/// Whether a cell looks like a web address.
pub fn looks_like_website(raw: &str) -> bool {
    let text = raw.trim();
    if text.contains('@') || text.len() < 4 || text.contains(' ') {
        return false;
    }
    let mut host = String::new();
    if parse_website(text, &mut host).is_err() {
        return false;
    }
    let scheme = text.len() > 8 && (text.starts_with("http") || text.starts_with("www.") || text.starts_with("HTTP"));
    let host = host.split('/').next().unwrap_or("");
    let top = host.rsplit('.').next().unwrap_or("");
    scheme
        || (2..=24).contains(&top.len())
            && top.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && top.starts_with(|c: char| c.is_ascii_alphabetic())
            && !is_file_like(top)
}

fn is_file_like(top: &str) -> bool {
    matches!(top, "jpg" | "png" | "pdf" | "doc" | "docx" | "xls" | "xlsx" | "txt" | "csv" | "zip" | "gif" | "jpeg" | "html" | "htm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_they_led() {
        for (text, expected) in [
            ("https://bit.ly/AbCdE", "bit.ly/AbCdE"),
            ("https://Site.ru/index.php?id=77", "site.ru/index.php?id=77"),
            ("https://docs.google.com/open?id=1&utm_medium=x#p2", "docs.google.com/open?id=1#p2"),
            ("http://localhost.lv:8080/", "localhost.lv:8080"),
            ("www.example.com", "example.com"),
            ("example.com/#/Cart", "example.com/#/Cart"),
            ("https://пример.рф/Путь", "xn--e1afmkfd.xn--p1ai/Путь"),
        ] {
            let mut site = String::new();
            assert_eq!(website_into(text, &mut site), Ok(()), "{text}");
            assert_eq!(site, expected);
            let first = site.clone();
            assert_eq!(website_into(&first, &mut site), Ok(()));
            assert_eq!(site, first);
        }
    }
}
