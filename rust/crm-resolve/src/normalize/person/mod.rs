//! Names of people: taking a full name apart, keys that meet across scripts, nicknames, patronymics, gender.
mod endings;
mod gender;
mod keys;
mod nicknames;
mod parse;
mod words;

pub use endings::{PatronymicGender, looks_like_family_name, patronymic_gender};
pub use gender::{Gender, gender_hint, parse_gender};
pub use keys::{family_key_into, given_key_into, patronymic_key_into};
pub use nicknames::{given_name_gender, is_known_given_name, nickname_classes, share_nickname_class};
pub use parse::{NameOrder, PersonName, parse_full_name, person_confidence};
pub use words::{Suffix, parse_suffix};
