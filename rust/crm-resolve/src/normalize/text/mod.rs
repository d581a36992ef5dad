//! Folding text to comparable forms: case, marks, scripts, look-alike letters; and the words that mean "no value".
mod folding;
mod latin;
mod placeholders;
mod scripts;
mod sound;

pub(super) use folding::{FoldedWords, is_word_char, narrow};
pub use folding::{fold_into, folded, latin_into};
pub use placeholders::{is_empty_like, is_no_name, is_placeholder, placeholder_reason};
pub(super) use scripts::cyrillic_capital_as_latin;
pub use sound::{phonetic_key_into, skeleton, skeleton_into};
