use super::*;
use crate::normalize::corpus;

#[test]
fn agrees_with_libphonenumber_on_the_corpus() {
    let Some(text) = corpus("phones/examples.csv") else { return };
    let mut n = 0;
    let mut wrong = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let &[_, _, written, region, e164] = &fields[..] else { panic!("{line}") };
        n += 1;
        let found = parse_phone(written, Region::new(region)).map(|phone| phone.e164());
        if found.as_deref() != Ok(e164) {
            wrong.push(format!("{written} in {region}: {e164}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {n} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(n, 4128);
}

#[test]
fn the_region_is_not_one_whose_plan_takes_everything() {
    let numbered = |prefix: &str, n_digits: u32| -> Vec<String> {
        (1..120u64).map(|n| format!("{prefix}{:0width$}", n * 7_654_321 % 10u64.pow(n_digits), width = n_digits as usize)).collect()
    };
    let written = [("LV", "2", 7), ("RU", "8 912 ", 7), ("GB", "0771", 7), ("DE", "0151 ", 8), ("FR", "06 12 ", 6), ("EE", "5", 7)];
    for (region, prefix, n_digits) in written {
        let mut cells = numbered(prefix, n_digits);
        // A few mistyped ones, which only a lax plan takes, and fewer of another country that say so.
        cells.extend(numbered("555", 5).into_iter().take(4));
        cells.extend(numbered("+44 7700 ", 6).into_iter().take(40));
        let guess = infer_phone_region(cells.iter().map(String::as_str)).unwrap();
        assert_eq!(guess.region.as_str(), region, "{guess:?}");
    }
}
