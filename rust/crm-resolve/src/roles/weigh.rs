//! Header and values together: how strongly a column speaks for a role.
use crm_core::Role;

use super::header::HeaderEvidence;
use super::values::ValueEvidence;

/// Whether nearly all values are of a form that only this role's have.
pub fn is_evident(role: Role, v: &ValueEvidence) -> bool {
    let share = match role {
        Role::Email => v.email,
        Role::Phone => v.phone_strong,
        _ => 0.0,
    };
    share >= 0.9 && v.n_filled >= 2
}

/// What the values add to the log-odds of a role, with the reason in words; `None` where they say nothing.
pub fn value_weight(role: Role, v: &ValueEvidence, header_says: bool) -> (f64, Option<String>) {
    if v.n_sampled == 0 {
        return (0.0, None);
    }
    let (weight, reason) = raw_weight(role, v, header_says);
    // Few values prove little, whichever way they point.
    let n = v.n_sampled as f64;
    let certainty = n / (n + if weight > 0.0 { 1.0 } else { 0.5 });
    (weight * certainty, reason)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Positive from a share of 40 %, negative below 12 %, so that dirty columns are forgiven.
fn graded(share: f64, most: f64, least: f64) -> f64 {
    if share >= 0.4 {
        most * (0.6 + 0.4 * ((share - 0.4) / 0.4).min(1.0))
    } else if share < 0.12 {
        least
    } else {
        0.0
    }
}

fn text_like(v: &ValueEvidence) -> f64 {
    // What is mostly numbers, dates, addresses of the net or telephones is no free text.
    let odd = (v.digits + v.email + v.date + v.website).max(v.phone_strong);
    if odd > 0.5 { -5.0 } else { 0.0 }
}

fn raw_weight(role: Role, v: &ValueEvidence, header_says: bool) -> (f64, Option<String>) {
    let said = |weight: f64, share: f64, what: &str| {
        let reason = if weight > 0.0 {
            Some(format!("{} are {what}", percent(share)))
        } else if weight < -1.0 {
            Some(format!("only {} are {what}", percent(share)))
        } else {
            None
        };
        (weight, reason)
    };
    match role {
        Role::Email => said(graded(v.email, 6.0, -6.0), v.email, "e-mail addresses"),
        Role::Phone => phone(v, header_says),
        Role::Website => {
            let share = if v.social > 0.6 { 0.0 } else { v.website };
            said(graded(share, 4.5, if header_says && v.email < 0.3 { -2.5 } else { -5.0 }), share, "web addresses")
        }
        Role::Social => said(
            graded(v.social, 5.0, if header_says { -0.5 } else { -5.0 } + text_like(v).min(if v.website > 0.5 { 0.0 } else { 9.0 })),
            v.social,
            "profiles or handles",
        ),
        Role::BirthDate => birth_date(v),
        Role::CreatedAt | Role::UpdatedAt => timestamp(v),
        Role::TaxId => tax_id(v, header_says),
        Role::Postcode => {
            let distinctive = v.postcode_strong;
            if distinctive > 0.4 && v.phone_strong < 0.4 {
                said(4.0, distinctive, "written as postcodes are")
            } else if v.date > 0.5 && v.digits < 0.5 {
                (-5.0, None)
            } else {
                said(graded(v.postcode, 0.6, -5.0), v.postcode, "possible postcodes")
            }
        }
        Role::Gender => {
            // "v" and "s", "m" and "f" also stand for other things: a gender has few values and they are mostly these words.
            let share = if v.n_distinct <= 12 || header_says { v.gender } else { 0.0 };
            let weight = if share >= 0.6 && v.boolean < 0.99 {
                if header_says || v.n_distinct >= 2 { 5.0 } else { 1.0 }
            } else if share < 0.4 {
                -5.0
            } else {
                0.0
            };
            said(weight, share, "words for a sex")
        }
        Role::Suffix => said(graded(v.suffix, 4.0, -4.0), v.suffix, "generational suffixes"),
        Role::MarketingConsent => {
            if v.boolean > 0.9 {
                (0.4, header_says.then(|| "the values are yes or no".to_owned()))
            } else {
                (if header_says && v.n_distinct <= 10 { 0.0 } else { -5.0 }, None)
            }
        }
        Role::ContactType => {
            if header_says && v.boolean > 0.9 {
                (0.0, None)
            } else {
                said(graded(v.contact_type, 4.5, -3.5), v.contact_type, "kinds of contacts")
            }
        }
        Role::Country => {
            said(graded(v.country, 4.5, if header_says && v.n_distinct < 300 { 0.0 } else { -4.0 }) + text_like(v), v.country, "countries")
        }
        Role::Language => said(
            graded(v.language, 4.5, if header_says && v.n_distinct < 100 { 0.0 } else { -4.0 }) + text_like(v),
            v.language,
            "languages",
        ),
        Role::Region => said(graded(v.region, 3.5, if header_says { 0.0 } else { -4.0 }) + text_like(v), v.region, "states or regions"),
        Role::City => {
            let few = v.city >= 0.12 && v.street < 0.2;
            let weight = if few {
                2.6 + 2.0 * v.city.min(0.6)
            } else if header_says {
                0.0
            } else {
                -4.0
            };
            said(weight + text_like(v), v.city, "well-known towns")
        }
        Role::Street => {
            // A house number or flat in a column of its own is digits.
            let veto = if v.email + v.date + v.website > 0.5 { -6.0 } else { 0.0 };
            let weight = if v.street >= 0.15 {
                2.0 + 3.0 * v.street.min(0.8)
            } else if header_says {
                0.0
            } else {
                -5.0
            };
            said(weight + veto, v.street, "streets")
        }
        Role::Latitude | Role::Longitude => coordinate(role, v),
        Role::JobTitle if v.salutation > 0.5 => (-5.0, Some(format!("{} are forms of address", percent(v.salutation)))),
        Role::JobTitle => said(
            if v.job_title >= 0.15 {
                2.0 + 3.0 * v.job_title.min(0.6)
            } else if header_says {
                -0.3
            } else {
                -4.0
            } + text_like(v),
            v.job_title,
            "job titles",
        ),
        Role::GivenName | Role::FamilyName | Role::MiddleName | Role::FullName | Role::CompanyName => name(role, v, header_says),
        Role::SourceKey => source_key(v, header_says),
        Role::Owner => (if header_says { if v.digits + v.date + v.phone_strong > 0.9 { -1.0 } else { 0.0 } } else { -5.0 }, None),
        Role::Source | Role::Channel | Role::Status | Role::Tags => {
            let free = if header_says { 0.0 } else { -6.0 };
            (free + if v.email > 0.3 || v.date > 0.5 || v.phone_strong > 0.5 { -5.0 } else { 0.0 }, None)
        }
        Role::Note => (
            if header_says {
                0.0
            } else if v.long > 0.3 && v.street < 0.3 {
                0.5
            } else {
                -6.0
            },
            (v.long > 0.3).then(|| "the values are long texts".to_owned()),
        ),
        _ => (if header_says { 0.0 } else { -6.0 }, None),
    }
}

fn phone(v: &ValueEvidence, header_says: bool) -> (f64, Option<String>) {
    if v.phone < 0.15 {
        return (-6.0, Some(format!("only {} could be telephones", percent(v.phone))));
    }
    if v.phone < 0.4 {
        return (-0.5, None);
    }
    if v.tax_id > 0.8 && v.phone_strong < 0.3 {
        return (-3.0, None);
    }
    let reason = Some(format!("{} are telephones", percent(v.phone)));
    if v.phone_strong > 0.3 || (header_says && v.tax_id < 0.8) {
        return (2.5 + 2.5 * v.phone_strong, reason);
    }
    // Bare digits: a serial number counts up, a telephone does not.
    (if v.counts_up { -4.0 } else { 0.9 }, reason)
}

fn birth_date(v: &ValueEvidence) -> (f64, Option<String>) {
    let (early, middle, late) = v.years;
    if v.date < 0.15 {
        // "1953" alone, or a year and a month, is still something that a date of birth may be.
        return (
            if v.digits > 0.9 && v.n_sampled > 0 && v.postcode > 0.9 { -2.0 } else { -5.0 },
            Some(format!("only {} are dates", percent(v.date))),
        );
    }
    if v.date < 0.4 {
        return (0.0, None);
    }
    if v.date_time > 0.3 {
        return (-4.0, Some("the dates carry a time of day".to_owned()));
    }
    let spread = late - early;
    if middle <= 2008 && early >= 1000 && (spread >= 15 || v.n_sampled < 8) {
        // Nobody kept contacts in a computer before 1990: such dates need no header.
        return (
            if middle < 1990 && late <= 2012 {
                4.6
            } else if spread >= 25 || middle < 1990 {
                3.4
            } else {
                2.4
            },
            Some(match early == late {
                true => format!("the dates lie around {middle}, as dates of birth do"),
                false => format!("most dates lie between {early} and {late}, as dates of birth do"),
            }),
        );
    }
    if middle >= 2015 { (-3.0, Some(format!("the dates lie around {middle}"))) } else { (0.0, None) }
}

fn timestamp(v: &ValueEvidence) -> (f64, Option<String>) {
    if v.date < 0.15 {
        // Seconds or milliseconds since 1970 are dates, too.
        return (if v.digits > 0.9 && v.postcode < 0.5 { -1.0 } else { -5.0 }, Some(format!("only {} are dates", percent(v.date))));
    }
    if v.date < 0.4 {
        return (0.0, None);
    }
    let (early, middle, _) = v.years;
    let recent = early >= 1990 && middle >= 2000;
    let weight = if v.date_time > 0.5 { 2.2 } else { 0.3 } + if recent { 0.0 } else { -3.0 };
    (weight, (v.date_time > 0.5).then(|| format!("{} are dates with a time of day", percent(v.date_time))))
}

fn tax_id(v: &ValueEvidence, header_says: bool) -> (f64, Option<String>) {
    if v.tax_id >= 0.6 {
        // One random number in eleven has a right check digit, so a majority is no accident.
        return (5.5, Some(format!("{} are valid ({})", percent(v.tax_id), v.tax_id_kind)));
    }
    let wordy = v.letters > 0.5 || v.email > 0.3 || v.date > 0.9;
    if wordy {
        return (-5.0, Some("the values are no numbers".to_owned()));
    }
    if v.tax_id >= 0.3 && v.phone_strong < 0.3 {
        return (2.0, Some(format!("{} are valid ({})", percent(v.tax_id), v.tax_id_kind)));
    }
    (if header_says { 0.0 } else { -4.0 }, None)
}

fn coordinate(role: Role, v: &ValueEvidence) -> (f64, Option<String>) {
    if v.within_180 < 0.6 {
        return (-6.0, Some("the values are no coordinates".to_owned()));
    }
    let reason = Some(format!("{} are degrees with decimals", percent(v.within_180)));
    if role == Role::Latitude { (if v.within_90 > 0.95 * v.within_180 { 2.9 } else { -6.0 }, reason) } else { (2.6, reason) }
}

fn name(role: Role, v: &ValueEvidence, header_says: bool) -> (f64, Option<String>) {
    let odd = v.email + v.date + v.website + v.digits;
    if odd > 0.5 || v.phone > 0.5 {
        return (-6.0, Some("the values are no names".to_owned()));
    }
    let said = |weight: f64, share: f64, what: &str| (weight, (weight > 0.3).then(|| format!("{} {what}", percent(share))));
    let closed = [v.country, v.language, v.gender, v.boolean, v.contact_type].into_iter().fold(0.0, f64::max) > 0.5
        || v.city > 0.25
        || v.street > 0.3
        || v.job_title > 0.4;
    let other = if closed && !header_says { -4.0 } else { 0.0 };
    match role {
        Role::GivenName => {
            if v.given_name >= 0.2 {
                said(2.0 + 5.0 * v.given_name.min(0.6) + other, v.given_name, "are known given names")
            } else {
                (if header_says { if v.legal_form > 0.3 { -3.0 } else { 0.0 } } else { -4.0 }, None)
            }
        }
        Role::MiddleName => {
            if v.patronymic > 0.3 {
                said(5.0, v.patronymic, "are patronymics")
            } else {
                (if header_says { 0.0 } else { -4.5 }, None)
            }
        }
        Role::FamilyName => {
            if header_says {
                return (if v.legal_form > 0.3 { -3.0 } else { 0.0 }, None);
            }
            // One word each, hardly ever the same twice, and no other list knows them: neighbours decide the rest.
            let plausible = v.one_word > 0.8
                && v.given_name < 0.2
                && v.patronymic < 0.1
                && v.n_distinct >= 8
                && v.distinct() > 0.02
                && v.job_title < 0.1;
            (
                if plausible && !closed { 0.6 } else { -4.0 },
                plausible.then(|| format!("{} are single words of letters", percent(v.one_word))),
            )
        }
        Role::FullName => {
            if v.full_name >= 0.2 {
                said(
                    2.5 + 4.0 * v.full_name.min(0.6) + other - 4.0 * v.legal_form,
                    v.full_name,
                    "are several words with a given name among them",
                )
            } else {
                let company = if v.legal_form > 0.3 { -2.5 } else { 0.0 };
                (if header_says { company } else { -4.0 }, None)
            }
        }
        _ => {
            if v.legal_form >= 0.12 {
                said(2.0 + 4.0 * v.legal_form.min(0.6), v.legal_form, "carry a legal form")
            } else {
                let people = if v.full_name > 0.5 || v.given_name > 0.4 { -2.0 } else { 0.0 };
                (if header_says { people } else { -5.0 }, None)
            }
        }
    }
}

fn source_key(v: &ValueEvidence, header_says: bool) -> (f64, Option<String>) {
    if v.n_rows < 2 {
        return (0.0, None);
    }
    if v.distinct() < 0.98 || v.fill() < 0.95 {
        let what = if v.distinct() < 0.98 { "the values repeat" } else { "many rows have no value" };
        return (-7.0, Some(format!("{what}, so it is no key")));
    }
    if v.email + v.date > 0.5 || v.long > 0.3 {
        return (-4.0, None);
    }
    if v.counts_up && header_says {
        return (2.0, Some("every value is different".to_owned()));
    }
    if v.machine_key > 0.9 && v.postcode_strong < 0.3 && v.tax_id < 0.5 {
        return (4.0, Some("every value is different and made by a machine".to_owned()));
    }
    if header_says { (1.0, Some("every value is different".to_owned())) } else { (-6.0, None) }
}

/// The log-odds that a header alone gives a role.
///
/// `is_evident`: nearly all values can be nothing else. Then words that the header has beside, or for something else, do not object; unless they
/// say that the values are another's ("Assistant's phone", "Fax").
pub fn header_weight(role: Role, header: &HeaderEvidence, is_evident: bool) -> f64 {
    if let Some((_, strength)) = header.roles.iter().find(|(known, _)| *known == role) {
        return (strength / (1.0 - strength)).ln();
    }
    if is_evident && (!header.no_role || header.only_form) {
        -1.0
    } else if header.no_role {
        -6.0
    } else if header.unhelpful {
        -1.5
    } else if header.roles.is_empty() {
        -2.6
    } else if header.whole {
        -3.2
    } else {
        -2.8
    }
}
