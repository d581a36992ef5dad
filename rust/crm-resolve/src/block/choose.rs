//! Which rules the fields at hand allow.
use super::{Form, Part, Rule};
use crate::records::value::{company_keys, email_keys, name_keys, phone_keys, postcode_keys, street_keys, tax_id_keys};
use crate::records::{Kind, Records};

/// The blocking rules for the fields of `records`, the most telling first; `identifying` are custom fields that tell records apart.
pub fn choose_rules(records: &Records, identifying: &[usize]) -> Vec<Rule> {
    let name_of = |kind: Kind| records.field_of(kind).filter(|field| records.fields[*field].n_filled > 0);
    let part = |kind: Kind, form: Form| name_of(kind).map(|field| Part { field: records.fields[field].name.clone(), form });
    let mut rules = Vec::new();
    let mut add = |name: &str, parts: &[Option<Part>], refine: &[Option<Part>]| {
        if parts.iter().all(Option::is_some) {
            rules.push(Rule {
                name: name.to_owned(),
                parts: parts.iter().flatten().cloned().collect(),
                refine: refine.iter().flatten().cloned().collect(),
                depth: 0,
                oversized: Default::default(),
                cap: u32::MAX,
            });
        }
    };
    const SKELETON: u8 = name_keys::FAMILY as u8;
    const SOUND: u8 = name_keys::SOUND as u8;
    const PREFIX: u8 = name_keys::PREFIX as u8;
    let any_name = |place: u8| part(Kind::Family, Form::AnyName(place)).or_else(|| part(Kind::Given, Form::AnyName(place)));
    let pair = |place: u8| part(Kind::Given, Form::NamePair(place)).and(part(Kind::Family, Form::NamePair(place)));
    let day = part(Kind::BirthDate, Form::Day);
    let day_month = part(Kind::BirthDate, Form::DayMonth);
    let year = part(Kind::BirthDate, Form::Year);
    let city = part(Kind::City, Form::Derived(0));
    let postcode = part(Kind::Postcode, Form::Whole);
    let area = part(Kind::Postcode, Form::Derived(postcode_keys::AREA as u8));
    let street_name = part(Kind::Street, Form::Derived(street_keys::NAME as u8));
    let street_sound = part(Kind::Street, Form::Derived(street_keys::SOUND as u8));
    let house = part(Kind::Street, Form::Derived(street_keys::HOUSE as u8));
    let flat = part(Kind::Street, Form::Derived(street_keys::FLAT as u8));
    let initial = part(Kind::Given, Form::Initial);
    let family_initial = part(Kind::Family, Form::Initial);
    let middle = part(Kind::Middle, Form::Initial);
    let company = part(Kind::Company, Form::Derived(company_keys::SKELETON as u8));
    let company_word = part(Kind::Company, Form::Derived(company_keys::LONGEST as u8));
    let company_prefix = part(Kind::Company, Form::Derived(company_keys::PREFIX as u8));
    let email = part(Kind::Email, Form::Whole);

    add("tax_id", &[part(Kind::TaxId, Form::Derived(tax_id_keys::WHOLE as u8))], &[]);
    add("email", std::slice::from_ref(&email), &[initial.clone(), family_initial.clone()]);
    add("phone", &[part(Kind::Phone, Form::Whole)], &[initial.clone(), family_initial.clone(), year.clone()]);
    for field in identifying {
        let part = Some(Part { field: records.fields[*field].name.clone(), form: Form::Whole });
        add(&records.fields[*field].name, &[part], &[year.clone(), initial.clone()]);
    }
    add("name+birth_date", &[any_name(SKELETON), day.clone()], std::slice::from_ref(&initial));
    add("names", &[pair(SKELETON)], &[year.clone(), area.clone(), city.clone(), middle.clone()]);
    add("mailbox_name", &[part(Kind::Email, Form::Derived(email_keys::LOCAL as u8))], &[]);
    add("mailbox_letters", &[part(Kind::Email, Form::Derived(email_keys::LETTERS as u8))], &[year.clone(), city.clone()]);
    add("phone_ending", &[part(Kind::Phone, Form::Derived(phone_keys::LAST_SEVEN as u8))], std::slice::from_ref(&initial));
    add("birth_date", std::slice::from_ref(&day), &[area.clone(), city.clone(), family_initial.clone(), initial.clone()]);
    add("street+name", &[street_name.clone(), house.clone(), any_name(SKELETON)], &[flat.clone(), initial.clone()]);
    add("street", &[street_name, house.clone()], &[flat.clone(), postcode.clone(), initial.clone()]);
    add("postcode+name", &[postcode.clone(), any_name(SKELETON)], &[initial.clone(), year.clone()]);
    add("postcode", std::slice::from_ref(&postcode), &[year.clone(), house.clone(), initial.clone()]);
    add("sounds", &[pair(SOUND)], &[year.clone(), area.clone(), city.clone(), middle.clone()]);
    add("name+year", &[any_name(SOUND), year.clone()], &[area.clone(), city.clone(), initial.clone(), family_initial.clone()]);
    add("prefixes", &[pair(PREFIX)], &[year.clone(), area.clone(), city.clone(), middle]);
    add("name+day", &[any_name(PREFIX), day_month], &[initial.clone(), family_initial.clone()]);
    add("company+name", &[company.clone(), any_name(SKELETON)], &[city.clone(), initial.clone()]);
    add("company", std::slice::from_ref(&company), &[area.clone(), city.clone(), initial.clone(), family_initial.clone()]);
    add("company_word+place", &[company_word, area.clone().or(city.clone())], &[house.clone(), initial.clone()]);
    add("company_prefix+place", &[company_prefix, area.clone().or(city.clone())], &[house.clone(), initial.clone()]);
    add("street_sound+house", &[street_sound, house.clone()], &[area.clone(), city.clone(), initial.clone()]);
    add("name", &[any_name(SKELETON)], &[area.clone(), city.clone(), initial.clone(), year.clone()]);
    rules
}
