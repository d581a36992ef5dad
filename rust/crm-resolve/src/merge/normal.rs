//! Golden values in the form that the normalizers give: E.164, ISO dates, addresses of mailboxes.
mod conventions;
mod lists;

use crm_core::Role;

use crate::Conventions;
use crate::merge::canonical::{Canonicalizer, MICROS, MICROS_PER_DAY, iso_micros, tidy};
use crate::normalize::{
    DateOptions, DateValue, Region, TaxIdValidity, clock_seconds, is_empty_like, is_no_name, is_placeholder, parse_date, parse_gender,
    parse_tax_id,
};
use crate::records::value::order_of;
pub use conventions::{ConventionSample, settle_conventions};
use lists::{emails, parts, phones, websites};

/// No placeholder (`n/a`, `unknown`, `не указано`) is longer.
const LONGEST_PLACEHOLDER: usize = 40;

/// Conventions, ready for use.
#[derive(Debug, Clone, Copy)]
struct SettledConventions {
    region: Option<Region>,
    bare_country_codes: bool,
    birth_dates: DateOptions,
    times: DateOptions,
}

/// Brings values to the form of the normalizers, each source by its own conventions.
#[derive(Debug)]
pub struct NormalCanonicalizer(Vec<SettledConventions>);

impl NormalCanonicalizer {
    /// For layouts with these conventions.
    pub fn new<'a>(conventions: impl IntoIterator<Item = &'a Conventions>) -> Self {
        let options = |order| DateOptions { order: order_of(order), ..DateOptions::default() };
        let settled = |conventions: &Conventions| SettledConventions {
            region: conventions.phone_region.as_deref().and_then(Region::new),
            bare_country_codes: conventions.bare_country_codes,
            birth_dates: options(conventions.birth_dates),
            times: options(conventions.times),
        };
        Self(conventions.into_iter().map(settled).collect())
    }
}

impl Canonicalizer for NormalCanonicalizer {
    fn canonical<'a>(&self, layout: usize, role: Role, text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
        let conventions = &self.0[layout];
        match role {
            Role::Email => emails(text, buffer),
            Role::Phone => phones(text, conventions.region, conventions.bare_country_codes, buffer),
            Role::BirthDate => date(text, &conventions.birth_dates, buffer),
            Role::CreatedAt | Role::UpdatedAt => moment(text, &conventions.times, buffer),
            Role::TaxId => tax_id(text, buffer),
            Role::Gender => match parse_gender(text) {
                Ok(gender) => Some(gender.as_str()),
                Err(reason) if reason.is_missing() => None,
                Err(_) => tidy(text, buffer),
            },
            Role::Website => websites(text, buffer),
            Role::Tags | Role::Social => parts(role, text, buffer),
            _ if text.len() <= LONGEST_PLACEHOLDER && is_filler(role, text) => None,
            _ => tidy(text, buffer),
        }
    }

    fn timestamp(&self, layout: usize, text: &str) -> Option<i64> {
        iso_micros(text).or_else(|| {
            let day = parse_date(text, &self.0[layout].times).ok()?.day()?;
            Some(i64::from(day.0) * MICROS_PER_DAY + clock_seconds(text).unwrap_or(0) * MICROS)
        })
    }
}

/// Whether a cell is a time or holds none: a date with or without a clock, seconds or milliseconds since 1970, or a word for "no value".
fn is_time(text: &str) -> bool {
    let is_epoch = || matches!(text.len(), 10 | 13) && text.bytes().all(|byte| byte.is_ascii_digit());
    iso_micros(text).is_some()
        || is_epoch()
        || match parse_date(text, &DateOptions::default()) {
            Ok(_) => true,
            Err(reason) => reason.is_missing(),
        }
}

/// Whether a cell of a role holds a word or a sign instead of a value. What identifies and reaches a contact is full of fillers, but a status
/// `deleted`, a language `no` and a country `NA` are values.
pub fn is_filler(role: Role, text: &str) -> bool {
    use Role::{BirthDate, City, CompanyName, Email, FamilyName, FullName, GivenName, MiddleName, Phone, Postcode, Region, Street, TaxId};
    match role {
        FullName | FamilyName | GivenName | MiddleName | CompanyName | Street | City | Region => is_no_name(text),
        Email | Phone | TaxId | BirthDate | Postcode | Role::Gender | Role::Website | Role::CreatedAt | Role::UpdatedAt => {
            is_placeholder(text)
        }
        _ => is_empty_like(text),
    }
}

/// ISO where there is one reading; what has two readings or none as it stands.
fn date<'a>(text: &'a str, options: &DateOptions, buffer: &'a mut String) -> Option<&'a str> {
    use std::fmt::Write;
    let value = match parse_date(text, options) {
        Ok(value) => value,
        Err(reason) if reason.is_missing() => return None,
        Err(_) => return tidy(text, buffer),
    };
    buffer.clear();
    // Writing to a text cannot fail.
    let _ = match value {
        DateValue::Day(day) => write!(buffer, "{:04}-{:02}-{:02}", day.year(), day.month(), day.day()),
        DateValue::Month { year, month } => write!(buffer, "{year:04}-{month:02}"),
        DateValue::Year(year) => write!(buffer, "{year:04}"),
        DateValue::Ambiguous { .. } => return tidy(text, buffer),
    };
    Some(buffer)
}

/// ISO date, with the time of day where one is written; what is no date stays as it is.
fn moment<'a>(text: &'a str, options: &DateOptions, buffer: &'a mut String) -> Option<&'a str> {
    use std::fmt::Write;
    if iso_micros(text).is_some() {
        return tidy(text, buffer);
    }
    let Some(day) = parse_date(text, options).ok().and_then(DateValue::day) else {
        return if is_placeholder(text) { None } else { tidy(text, buffer) };
    };
    buffer.clear();
    let _ = write!(buffer, "{:04}-{:02}-{:02}", day.year(), day.month(), day.day());
    if let Some(seconds) = clock_seconds(text) {
        let _ = write!(buffer, "T{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    Some(buffer)
}

/// Digits or capitals where a check digit does not object; a number with a typo stays as it is written. One digit repeated is none.
fn tax_id<'a>(text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
    match parse_tax_id(text) {
        Ok(id) if id.is_repeated_digit() => None,
        Ok(id) if id.generic => tidy(text, buffer),
        Ok(id) if id.validity != TaxIdValidity::Invalid => {
            buffer.clear();
            buffer.push_str(id.text.as_str());
            Some(buffer)
        }
        Err(reason) if reason.is_missing() => None,
        _ => tidy(text, buffer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResolveConfig;

    #[track_caller]
    fn check(role: Role, text: &str, expected: Option<&str>) {
        let mut sample = ConventionSample::default();
        for (number, phone) in ["+371 29123456", "67 223 344"].iter().enumerate() {
            sample.add(Role::Phone, number as u64, phone);
        }
        sample.add(Role::BirthDate, 1, "31.12.1999");
        sample.add(Role::UpdatedAt, 1, "31.12.2023 10:00");
        let canonicalizer = NormalCanonicalizer::new([&sample.settle(&ResolveConfig::default())]);
        assert_eq!(canonicalizer.canonical(0, role, text, &mut String::new()), expected, "{role} {text:?}");
    }

    #[test]
    fn numbers_that_lack_only_their_plus_get_it() {
        let conventions = Conventions { phone_region: Some("DE".to_owned()), bare_country_codes: true, ..Conventions::default() };
        let canonicalizer = NormalCanonicalizer::new([&conventions]);
        for (text, expected) in [("37126555777", "+37126555777"), ("49 171 2345678", "+491712345678"), ("0171 2345678", "+491712345678")] {
            assert_eq!(canonicalizer.canonical(0, Role::Phone, text, &mut String::new()), Some(expected), "{text}");
        }
    }

    #[test]
    fn golden_values_are_canonical() {
        check(Role::Email, "Anna.Ozola@Inbox.LV", Some("anna.ozola@inbox.lv"));
        check(Role::Email, "a@x.lv; B@x.lv", Some("a@x.lv\nb@x.lv"));
        check(Role::Email, "n/a", None);
        check(Role::Phone, "29 123-456", Some("+37129123456"));
        check(Role::Phone, "29123456; 8 912 345-67-89", Some("+37129123456\n+79123456789"));
        check(Role::Phone, "нет", None);
        check(Role::Phone, "+371 67223344 доб. 5", Some("+37167223344;ext=5"));
        check(Role::Phone, "+37167223344;ext=5", Some("+37167223344;ext=5"));
        check(Role::Phone, "29123456 / 67998877", Some("+37129123456\n+37167998877"));
        check(Role::BirthDate, "03.04.1985", Some("1985-04-03"));
        check(Role::BirthDate, "31.02.1985", Some("31.02.1985"));
        check(Role::BirthDate, "0/0/00", None);
        check(Role::Email, "foo@bar", Some("foo@bar"));
        check(Role::Email, "a@x.lv ::: b@x.lv ou c@x.fr", Some("a@x.lv\nb@x.lv\nc@x.fr"));
        check(Role::Phone, "29123456 ::: 67001122", Some("+37129123456\n+37167001122"));
        check(Role::Phone, "12", Some("12"));
        check(Role::Phone, "7,91611E+10", Some("7,91611E+10"));
        check(Role::Phone, "12 345 67 89", Some("12 345 67 89"));
        check(Role::Phone, "000-00-00", None);
        check(Role::TaxId, "DE123456789", Some("DE123456789"));
        check(Role::TaxId, "0000000000", None);
        check(Role::UpdatedAt, "3.04.2024 14:05", Some("2024-04-03T14:05:00"));
        check(Role::UpdatedAt, "2024-04-03T14:05:00Z", Some("2024-04-03T14:05:00Z"));
        check(Role::TaxId, "LV 40003009497", Some("40003009497"));
        check(Role::City, " Rīga ", Some("Rīga"));
        check(Role::City, "n/a", None);
        check(Role::Website, "https://bit.ly/AbCdE", Some("bit.ly/AbCdE"));
        check(Role::Website, "https://Site.RU/index.php?id=77, shop.site.ru", Some("site.ru/index.php?id=77\nshop.site.ru"));
        check(Role::Website, "n/a", None);
        check(Role::Social, "linkedin.com/in/Anna; @anna", Some("linkedin.com/in/Anna\n@anna"));
        check(Role::Tags, "vip; news; -", Some("vip\nnews"));
        check(Role::Tags, "* myContacts ::: Draugi", Some("* myContacts\nDraugi"));
    }

    #[test]
    fn only_fillers_of_their_role_are_left_out() {
        for (role, text) in [
            (Role::FamilyName, "Na"),
            (Role::FamilyName, "Nav"),
            (Role::Status, "Prospect"),
            (Role::Status, "Клиент"),
            (Role::Status, "deleted"),
            (Role::Status, "+"),
            (Role::Language, "no"),
            (Role::Country, "NO"),
            (Role::Country, "NA"),
            (Role::Channel, "test"),
            (Role::Note, "no"),
            (Role::Owner, "User"),
            (Role::SourceKey, "0"),
        ] {
            check(role, text, Some(text));
        }
        for (role, text) in [
            (Role::FamilyName, "n/a"),
            (Role::FamilyName, "NA"),
            (Role::FamilyName, "unknown"),
            (Role::GivenName, "тест"),
            (Role::CompanyName, "нет"),
            (Role::Status, "-"),
            (Role::Status, "null"),
            (Role::Language, "n/a"),
            (Role::Note, "не указано"),
            (Role::City, "???"),
        ] {
            check(role, text, None);
        }
    }
}
