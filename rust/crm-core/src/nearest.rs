/// The candidate nearest to a mistyped name, where one is near enough to be worth naming.
///
/// Distance is Levenshtein's over lower-cased characters; a third of the name's length may differ, and two edits in any case.
///
/// ```
/// assert_eq!(crm_core::nearest_name("emial", ["email", "phone"]), Some("email"));
/// assert_eq!(crm_core::nearest_name("colour", ["email", "phone"]), None);
/// ```
pub fn nearest_name<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(200).flat_map(char::to_lowercase).collect();
    let allowed = (wanted.len() / 3).max(2);
    candidates
        .into_iter()
        // Names of another length are far, however alike: that spares looking at most of many.
        .filter(|candidate| candidate.chars().take(200).count().abs_diff(wanted.len()) <= allowed + 2)
        .map(|candidate| (edit_distance(&wanted, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

fn edit_distance(wanted: &[char], candidate: &str) -> usize {
    let other: Vec<char> = candidate.chars().take(200).flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in wanted.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
