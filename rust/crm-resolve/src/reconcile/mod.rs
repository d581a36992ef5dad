//! Two lists of the same contacts side by side: which row is which, and what they say differently.
//!
//! - [`pair_sides`] makes pairs of one left and one right record out of the clusters; every record ends in exactly one place.
//! - [`compared_fields`] says which columns of the two sides answer each other, whatever they are called.
//! - [`Comparer`] compares two cells by what they mean: a telephone number in another format, a date in another order, a name in
//!   another script are the same; the originals are what is shown.
mod compare;
mod fields;
mod form;
mod pairing;
#[cfg(test)]
mod tests;
mod text_form;

pub use compare::{Compared, Newer, PairComparison};
pub use fields::{ComparedField, FieldKind, Twins, compared_fields, key_fields};
pub use form::{Comparer, Verdict};
pub use pairing::{BY_DECISION, Fate, KeyValues, Pair, Pairing, pair_sides};
