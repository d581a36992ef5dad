//! Addresses: street, house and flat apart; cities, regions, countries and postcodes in one form.
mod city;
mod country;
mod postcode;
mod street;
mod street_language;
mod street_words;

pub use city::{city_key_into, region_key_into};
pub use country::{Country, country_confidence, parse_country};
pub use postcode::{parse_postcode, postcode_confidence};
pub use street::{Street, parse_street, street_confidence};
pub use street_language::regions_of_street;
