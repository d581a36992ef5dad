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
