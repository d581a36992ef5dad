//! What the values of a column alone say about its role.
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::header::fold;
use super::shapes;

/// At most this many different values of a column are looked at.
pub const SAMPLED_VALUES: usize = 400;

/// Shares (0 to 1) of a column's different values that look like this or that.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValueEvidence {
    /// Rows looked at.
    pub n_rows: usize,
    /// Of these, rows with a value that is no placeholder.
    pub n_filled: usize,
    /// Different values among them.
    pub n_distinct: usize,
    /// Values looked at for the shares below.
    pub n_sampled: usize,
    /// E-mail addresses.
    pub email: f64,
    /// Web addresses.
    pub website: f64,
    /// Profiles and handles in social networks.
    pub social: f64,
    /// Possible telephones.
    pub phone: f64,
    /// Telephones written as only telephones are.
    pub phone_strong: f64,
    /// Dates.
    pub date: f64,
    /// Dates with a time of day.
    pub date_time: f64,
    /// 10th, 50th and 90th percentile of the years.
    pub years: (i32, i32, i32),
    /// Tax ids with right check digits.
    pub tax_id: f64,
    /// The most frequent kind of tax id.
    pub tax_id_kind: &'static str,
    /// Possible postcodes.
    pub postcode: f64,
    /// Postcodes written as only postcodes are.
    pub postcode_strong: f64,
    /// Words for a sex, by rows.
    pub gender: f64,
    /// Yes or no, by rows.
    pub boolean: f64,
    /// Generational suffixes, by rows.
    pub suffix: f64,
    /// Kinds of contacts, by rows.
    pub contact_type: f64,
    /// Countries, by rows.
    pub country: f64,
    /// Languages, by rows.
    pub language: f64,
    /// States and regions, by rows.
    pub region: f64,
    /// Well-known towns.
    pub city: f64,
    /// Streets with a house.
    pub street: f64,
    /// Job titles.
    pub job_title: f64,
    /// Companies with their legal form.
    pub legal_form: f64,
    /// Identifiers made by a machine.
    pub machine_key: f64,
    /// One word, known as a given name.
    pub given_name: f64,
    /// One word that is a patronymic.
    pub patronymic: f64,
    /// One letter, with or without a point.
    pub initial: f64,
    /// Two to four words with a known given name among them.
    pub full_name: f64,
    /// One word of letters (two with a hyphen count as one).
    pub one_word: f64,
    /// Only letters, in any number of words.
    pub letters: f64,
    /// Only digits.
    pub digits: f64,
    /// Decimal numbers with four digits or more behind the point, within ±90 and ±180.
    pub within_90: f64,
    /// Decimal numbers within ±180.
    pub within_180: f64,
    /// More than 60 characters.
    pub long: f64,
    /// Forms of address: Mr, Frau, kungs.
    pub salutation: f64,
    /// Whether the values are consecutive numbers in the order of the file, whatever the first.
    pub counts_up: bool,
    /// Whether they are 1, 2, 3, ...: they count the rows.
    pub counts_rows: bool,
}

impl ValueEvidence {
    /// Share of rows that hold a value.
    pub fn fill(&self) -> f64 {
        if self.n_rows == 0 { 0.0 } else { self.n_filled as f64 / self.n_rows as f64 }
    }

    /// Share of filled rows whose value occurs for the first time.
    pub fn distinct(&self) -> f64 {
        if self.n_filled == 0 { 0.0 } else { self.n_distinct as f64 / self.n_filled as f64 }
    }
}

fn given_names() -> &'static HashSet<String> {
    static NAMES: OnceLock<HashSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| include_str!("words/given_names.txt").split_whitespace().map(|name| fold(name).concat()).collect())
}

fn is_given_name(word: &str) -> bool {
    given_names().contains(&fold(word).concat())
}

fn is_patronymic(word: &str) -> bool {
    const ENDS: [&str; 20] = [
        "вич", "вна", "ична", "ovich", "evich", "ovna", "evna", "ovics", "evics", "ievna", "ievich", "ович", "ұлы", "қызы", "улы", "кызы",
        "уулу", "оглы", "uly", "qyzy",
    ];
    let lower = word.to_lowercase();
    lower.chars().count() > 5 && ENDS.iter().any(|end| lower.ends_with(end))
}

/// Looks at the values of a column: `cells` are those of some rows in the order of the file, null and empty ones included.
pub fn value_evidence<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> ValueEvidence {
    let mut evidence = ValueEvidence::default();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    // The values with the lowest hashes: a sample that does not depend on the order of the rows.
    let mut sample: std::collections::BTreeSet<(u64, &str)> = std::collections::BTreeSet::new();
    let mut counting = 0_usize;
    let mut previous: Option<i64> = None;
    let mut first: Option<i64> = None;
    for cell in cells {
        evidence.n_rows += 1;
        let value = cell.map_or("", str::trim);
        if is_missing(value) {
            previous = None;
            continue;
        }
        evidence.n_filled += 1;
        // A plus is a telephone's: +371 29123456 and +371 29123457 count nothing.
        let number = if value.starts_with('+') { None } else { value.parse::<i64>().ok() };
        first = first.or(number);
        if let (Some(before), Some(now)) = (previous, number) {
            counting += usize::from(now == before + 1);
        }
        previous = number;
        let count = counts.entry(value).or_insert(0);
        *count += 1;
        if *count == 1 {
            let hash = crm_core::content_hash(value.as_bytes());
            if sample.len() < SAMPLED_VALUES {
                sample.insert((hash, value));
            } else if sample.last().is_some_and(|last| hash < last.0) {
                sample.pop_last();
                sample.insert((hash, value));
            }
        }
    }
    evidence.n_distinct = counts.len();
    evidence.counts_up =
        evidence.n_filled >= 3 && evidence.n_filled == evidence.n_rows && counting + 1 >= evidence.n_filled - evidence.n_filled / 20;
    evidence.counts_rows = evidence.counts_up && first.is_some_and(|first| first <= 1);
    evidence.n_sampled = sample.len();
    let mut tally = Tally::default();
    for (_, value) in &sample {
        tally.add(value, counts[value] as f64);
    }
    tally.finish(&mut evidence);
    evidence
}

/// Whether a cell holds a word for "no value", or nothing.
pub fn is_missing(value: &str) -> bool {
    matches!(
        value,
        "" | "-" | "--" | "?" | "." | "NULL" | "null" | "None" | "N/A" | "n/a" | "NA" | "nan" | "NaN" | "нет" | "\\N" | "#N/A" | "—" | "–"
    )
}

#[derive(Default)]
struct Tally {
    sums: ValueEvidence,
    n_rows: f64,
    years: Vec<i32>,
    tax_kinds: Vec<&'static str>,
}

impl Tally {
    /// Closed lists (a sex, a country) are counted by rows: a few odd values among them must not outvote the many.
    fn add(&mut self, value: &str, n_rows: f64) {
        let one = |condition: bool| f64::from(u8::from(condition));
        self.n_rows += n_rows;
        let sums = &mut self.sums;
        sums.email += one(shapes::is_email(value));
        sums.website += one(shapes::is_website(value));
        sums.social += one(shapes::is_social(value));
        let phone = shapes::phone(value);
        sums.phone += one(phone.is_some());
        sums.phone_strong += one(phone == Some(true));
        if let Some((year, time)) = shapes::date(value) {
            sums.date += 1.0;
            sums.date_time += one(time);
            self.years.push(year);
        }
        if let Some(kind) = shapes::tax_id(value) {
            sums.tax_id += 1.0;
            self.tax_kinds.push(kind);
        }
        let postcode = shapes::postcode(value);
        sums.postcode += one(postcode.is_some());
        sums.postcode_strong += one(postcode == Some(true));
        sums.gender += n_rows * one(shapes::is_gender(value));
        sums.boolean += n_rows * one(shapes::is_boolean(value));
        sums.suffix += n_rows * one(shapes::is_suffix(value));
        sums.salutation += n_rows * one(shapes::is_salutation(value));
        sums.contact_type += n_rows * one(shapes::is_contact_type(value));
        sums.country += n_rows * one(shapes::is_country(value));
        sums.language += n_rows * one(shapes::is_language(value));
        sums.region += n_rows * one(shapes::is_region(value));
        sums.city += one(shapes::is_city(value));
        sums.street += one(shapes::is_street(value));
        sums.job_title += one(shapes::is_job_title(value));
        sums.legal_form += one(shapes::has_legal_form(value));
        sums.machine_key += one(shapes::is_machine_key(value));
        sums.digits += one(value.bytes().all(|byte| byte.is_ascii_digit()));
        sums.long += one(value.chars().count() > 60);
        if let Some((number, fraction)) = shapes::decimal(value).filter(|(_, fraction)| *fraction >= 3) {
            sums.within_90 += one(number.abs() <= 90.0 && fraction >= 3);
            sums.within_180 += one(number.abs() <= 180.0);
        }
        self.add_name(value);
    }

    fn add_name(&mut self, value: &str) {
        let one = |condition: bool| f64::from(u8::from(condition));
        let Some(n_words) = shapes::name_words(value) else { return };
        let sums = &mut self.sums;
        sums.letters += 1.0;
        sums.one_word += one(n_words == 1);
        if n_words == 1 {
            let n_letters = value.chars().filter(|c| c.is_alphabetic()).count();
            sums.initial += one(n_letters == 1);
            sums.given_name += one(is_given_name(value));
            sums.patronymic += one(is_patronymic(value));
        } else if n_words <= 5 {
            let words = value.split([' ', ',', '.']).filter(|word| word.chars().count() > 1);
            sums.full_name +=
                one(words.into_iter().any(|word| is_given_name(word) || is_patronymic(word)) && !shapes::has_legal_form(value));
        }
    }

    fn finish(mut self, evidence: &mut ValueEvidence) {
        let n = evidence.n_sampled.max(1) as f64;
        let mut sums = self.sums;
        sums.n_rows = evidence.n_rows;
        sums.n_filled = evidence.n_filled;
        sums.n_distinct = evidence.n_distinct;
        sums.n_sampled = evidence.n_sampled;
        sums.counts_rows = evidence.counts_rows;
        sums.counts_up = evidence.counts_up;
        let rows = self.n_rows.max(1.0);
        for share in [
            &mut sums.gender,
            &mut sums.boolean,
            &mut sums.salutation,
            &mut sums.suffix,
            &mut sums.contact_type,
            &mut sums.country,
            &mut sums.language,
            &mut sums.region,
        ] {
            *share /= rows;
        }
        for share in [
            &mut sums.email,
            &mut sums.website,
            &mut sums.social,
            &mut sums.phone,
            &mut sums.phone_strong,
            &mut sums.date,
            &mut sums.date_time,
            &mut sums.tax_id,
            &mut sums.postcode,
            &mut sums.postcode_strong,
            &mut sums.city,
            &mut sums.street,
            &mut sums.job_title,
            &mut sums.legal_form,
            &mut sums.machine_key,
            &mut sums.given_name,
            &mut sums.patronymic,
            &mut sums.initial,
            &mut sums.full_name,
            &mut sums.one_word,
            &mut sums.letters,
            &mut sums.digits,
            &mut sums.within_90,
            &mut sums.within_180,
            &mut sums.long,
        ] {
            *share /= n;
        }
        self.years.sort_unstable();
        if let Some(last) = self.years.len().checked_sub(1) {
            sums.years = (self.years[last / 10], self.years[last / 2], self.years[last - last / 10]);
        }
        self.tax_kinds.sort_unstable();
        sums.tax_id_kind = self.tax_kinds.chunk_by(|a, b| a == b).max_by_key(|run| run.len()).map_or("", |run| run[0]);
        *evidence = sums;
    }
}
