//! Names of sheets.
/// `name` as spreadsheets allow it, unlike any in `taken`, and never the beginning of a formula.
pub(super) fn free_sheet_name(name: &str, taken: &[String]) -> String {
    let clean: String = name
        .chars()
        .map(
            |character| {
                if character.is_control() || matches!(character, '[' | ']' | ':' | '*' | '?' | '/' | '\\') { '_' } else { character }
            },
        )
        .collect();
    let mut clean = clean.trim_matches('\'').trim().to_owned();
    if matches!(crate::output::guard(&clean), std::borrow::Cow::Owned(_)) || clean.starts_with('+') {
        clean.insert(0, '_');
    }
    if clean.is_empty() {
        clean.push_str("Sheet");
    }
    let is_taken = |candidate: &str| taken.iter().any(|other| other.to_lowercase() == candidate.to_lowercase());
    let mut candidate = fit(&clean, "");
    let mut number = 2;
    while is_taken(&candidate) {
        candidate = fit(&clean, &format!(" ({number})"));
        number += 1;
    }
    candidate
}

/// The first characters of `name` that leave room for `suffix` in the 31 that a sheet name may have.
fn fit(name: &str, suffix: &str) -> String {
    let mut kept = String::new();
    let mut units = suffix.len();
    for character in name.chars() {
        units += character.len_utf16();
        if units > 31 {
            break;
        }
        kept.push(character);
    }
    let kept = kept.trim_end_matches('\'');
    format!("{kept}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_names_are_allowed_and_unique() {
        assert_eq!(free_sheet_name("a/b", &[]), "a_b");
        assert_eq!(free_sheet_name("=1+1", &[]), "_=1+1");
        assert_eq!(free_sheet_name("''", &[]), "Sheet");
        assert_eq!(free_sheet_name(&"x".repeat(40), &["X".repeat(31)]), format!("{} (2)", "x".repeat(27)));
    }
}
