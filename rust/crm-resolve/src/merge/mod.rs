//! Clusters to contacts: golden records, and which record each of their values came from.
//!
//! - [`RecordIds`] gives every row its `record_id`, from (`source`, `source_key`) or from its content, unique in any case.
//! - [`contact_id`] writes the id of a contact, minted from its founding record: the one with the lowest `record_id`.
//! - [`Members`] lists the records of each contact.
//! - [`Survivorship`] says which value wins; [`GoldenPlan`] lays the columns of the golden records out once, and
//!   [`GoldenPlan::build`] makes them, with their lineage, for any range of contacts.
//!
//! Winners do not depend on the order of the input: precedence among the records of a contact ends at (`source`, `source_key`) and the
//! `record_id`.
mod canonical;
mod consent;
mod contact_id;
mod golden;
mod identity;
mod layout;
mod members;
mod normal;
mod survivorship;
#[cfg(test)]
mod tests;

pub use canonical::{Canonicalizer, PlainCanonicalizer, iso_micros};
pub use consent::{Consent, is_negated as says_opt_out, of_all as consent_of_all, parse as parse_consent, read as read_consent};
pub use contact_id::{ContactId, contact_id, record_id_of_contact};
pub use golden::{Golden, GoldenPlan, RecordFacts};
pub use identity::{RecordIds, first_filled, keyless_record_id, repeated_record_id};
pub use layout::{RowRef, Rows, SourceColumn, SourceLayout, names_beside_own, row_hash};
pub use members::Members;
pub use normal::{ConventionSample, NormalCanonicalizer, is_filler, settle_conventions};
pub use survivorship::{Strategy, Survivorship};
