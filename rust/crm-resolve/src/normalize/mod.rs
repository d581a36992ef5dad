//! From one written value to a comparable one: a pure function per kind, fast, without regular expressions.
//!
//! Every kind has three things: a parser that gives a small value or a [`Reason`]; comparable keys written into the caller's
//! buffers; and a cheap recogniser (`looks_like_…`, `…_confidence`) by which the roles of columns are found.
//!
//! | kind | parser | value | recogniser |
//! |---|---|---|---|
//! | e-mail | [`parse_email`] | [`Email`]: shown address, mailbox key, suggestion | [`looks_like_email`] |
//! | phone | [`parse_phone`], [`split_phones`], [`infer_phone_region`] | [`Phone`]: E.164 as one integer | [`phone_confidence`] |
//! | person's name | [`parse_full_name`] | [`PersonName`]: given, family, middle, suffix | [`person_confidence`] |
//! | company | [`parse_company`] | [`CompanyName`]: core, skeleton, legal form | [`company_confidence`] |
//! | tax id | [`parse_tax_id`] | [`TaxId`]: kind, canonical text, validity | [`tax_id_confidence`] |
//! | date | [`parse_date`], [`settle_date_order`] | [`DateValue`]: one reading, or two, or a part of one | [`looks_like_date`] |
//! | address | [`parse_street`], [`parse_postcode`], [`parse_country`], [`city_key_into`] | [`Street`], … | [`street_confidence`], … |
//! | other | [`parse_website`], [`parse_social`], [`parse_gender`], [`parse_boolean`] | | [`looks_like_website`] |
//!
//! All of them rest on [`fold_into`] (case, marks, look-alikes; the script stays) and [`skeleton_into`] (one Latin spelling for all
//! transliterations of a sound). Keys are for comparing and blocking, never for display: the caller keeps the original.
//!
//! What is invalid is an `Err` with a [`Reason`], which callers count. Nothing here panics, whatever the text; nothing reads a clock
//! or the environment; nothing guesses silently: an ambiguous date keeps both readings, a typo in a mail domain is a separate
//! suggestion, a phone read against its default region says [`Phone::guessed`].
//!
//! [`VERSION`] changes whenever a key may change: a saved model pins it.

mod address;
mod company;
mod date;
mod email;
mod other;
mod person;
mod phone;
mod reason;
mod short_text;
#[cfg(test)]
mod tables;
mod tax_id;
#[cfg(test)]
mod tests;
mod text;

pub use address::*;
pub use company::*;
pub use date::*;
pub use email::*;
pub use other::*;
pub use person::*;
pub use phone::*;
pub use reason::{Reason, ReasonCounts};
pub use short_text::ShortText;
pub use tax_id::*;
pub use text::{
    fold_into, folded, is_empty_like, is_no_name, is_placeholder, latin_into, phonetic_key_into, placeholder_reason, skeleton,
    skeleton_into,
};

/// Version of the normalizers; saved models and bases pin it.
pub const VERSION: u32 = 3;

/// A decimal digit of any script.
fn phone_digit(c: char) -> Option<u8> {
    phone::digit_value(c)
}
#[cfg(test)]
use tests::corpus;
