//! Where streets are called so: a list of addresses shows in which country its telephone numbers are written.
use super::super::folded;

/// Words of streets in folded form, and the countries in which streets are called so, the one with most business contacts first.
/// What several languages share (`weg`, `avenida`, `str`) is left out, or told by its place at the end of a longer word.
const WORDS: &[(&str, &[&str])] = &[
    ("strasse platz gasse ufer chaussee", &["DE", "AT", "CH"]),
    ("rue impasse quai chemin", &["FR", "BE", "CH", "CA"]),
    ("calle paseo carrer carretera", &["ES", "MX", "AR", "CO"]),
    ("via viale piazza corso", &["IT", "CH"]),
    ("rua travessa praca", &["BR", "PT"]),
    ("ulica ul aleja osiedle os", &["PL"]),
    ("iela ielas gatve laukums krastmala skersiela", &["LV"]),
    ("gatves prospektas", &["LT"]),
    ("tanav maantee puiestee", &["EE"]),
    ("utca", &["HU"]),
    ("namesti", &["CZ", "SK"]),
    ("strada bulevardul", &["RO", "IT"]),
    ("sokak cadde caddesi mahallesi", &["TR"]),
    ("улица ул проспект пр переулок пер шоссе набережная наб площадь пл", &["RU", "KZ", "BY", "UA"]),
    ("вулиця вул провулок", &["UA"]),
    ("street road lane avenue ave drive close crescent blvd", &["US", "GB", "CA", "AU"]),
];

/// The same for words that end in it, with something before it.
const ENDINGS: &[(&str, &[&str])] = &[
    ("strasse str platz gasse allee", &["DE", "AT", "CH"]),
    ("straat laan plein", &["NL", "BE"]),
    ("gatan vagen", &["SE", "FI"]),
    ("katu tie", &["FI"]),
    ("gaten veien", &["NO"]),
    ("gade vej", &["DK"]),
];

/// Shorter words that happen to end so are no streets.
const SHORTEST_COMPOUND: usize = 7;

/// The countries in which a street is called so, the likeliest first; none where its words do not tell.
///
/// ```
/// use crm_resolve::normalize::regions_of_street;
/// assert_eq!(regions_of_street("Hauptstr. 12")[0], "DE");
/// assert_eq!(regions_of_street("Brīvības iela 5"), ["LV"]);
/// assert!(regions_of_street("12").is_empty());
/// ```
pub fn regions_of_street(text: &str) -> &'static [&'static str] {
    let folded = folded(text);
    let listed = |list: &str, is_it: &dyn Fn(&str) -> bool| list.split(' ').any(is_it);
    for word in folded.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1) {
        let whole = WORDS.iter().find(|(words, _)| listed(words, &|known| known == word));
        let compound = || {
            let ends = |(endings, _): &&(&str, _)| word.len() >= SHORTEST_COMPOUND && listed(endings, &|ending| word.ends_with(ending));
            ENDINGS.iter().find(ends)
        };
        if let Some((_, regions)) = whole.or_else(compound) {
            return regions;
        }
    }
    &[]
}
