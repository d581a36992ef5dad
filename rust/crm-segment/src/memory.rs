//! Keeping below a memory limit: contacts are taken a stretch at a time, and the related tables are read once for each.
use crm_core::{Error, Result};

use crate::feature::bytes_per_contact;
use crate::ledger::MOST;
use crate::rule_set::RuleSet;

/// Contacts of the shortest stretch: below that the tables would be read too often.
const LEAST_STRETCH: u64 = 1_024;
/// What reading takes besides, whatever the number of contacts.
const READING_BYTES: u64 = 128 << 20;
/// Without a limit, what a run takes beside results, keys, and eight bytes for each contact and feature.
const WITHOUT_LIMIT: u64 = 512 << 20;
/// A contact in the index of keys, roughly; what it comes to is looked at while the stretch is read.
const INDEX_BYTES: u64 = 24;
/// A ranking while it is made: keys, their order, and the result.
const RANKING_BYTES: u64 = 21;

/// What a run may hold.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    limit: Option<u64>,
    /// What the limit leaves for one stretch, once that is known.
    room: Option<u64>,
}

impl Memory {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { limit, room: None }
    }

    /// How many of so many contacts are taken at a time.
    pub(crate) fn stretch(&mut self, rules: &RuleSet, contacts: usize) -> Result<usize> {
        let kept = kept_bytes(rules, contacts as u64);
        let per_contact = feature_bytes(rules) + INDEX_BYTES;
        let limit = self.limit.unwrap_or_else(|| {
            // Eight bytes for each contact and feature are taken for granted; sums of many periods, say, are not.
            let plain = 8 * rules.compiler.features().len() as u64 + 2 * INDEX_BYTES;
            (contacts as u64).saturating_mul(plain).saturating_add(kept + READING_BYTES + WITHOUT_LIMIT)
        });
        self.limit = Some(limit);
        let room = limit.saturating_sub(kept + READING_BYTES.min(limit / 4));
        let least = LEAST_STRETCH.min(contacts as u64);
        let fitting = room / per_contact;
        if fitting < least {
            return Err(Error::limit(format!(
                "the memory limit of {limit} bytes is too small for {contacts} contacts and these rules, whose results alone take {kept}; \
                 give at least {} MiB",
                (sufficient(kept + least * per_contact) >> 20) + 1,
            )));
        }
        self.room = Some(room);
        Ok(if fitting >= contacts as u64 { contacts } else { (fitting - fitting % LEAST_STRETCH) as usize })
    }

    /// Whether a stretch that holds so much stays below the limit.
    pub(crate) fn fits(&self, held: u64) -> bool {
        self.room.is_none_or(|room| held <= room)
    }

    /// What a stretch that holds so much may hold for a while besides.
    pub(crate) fn buffer(&self, held: u64) -> u64 {
        self.room.map_or(u64::MAX, |room| room.saturating_sub(held) / 2)
    }

    /// For a stretch that cannot be made shorter.
    pub(crate) fn exceeded(&self) -> Error {
        Error::limit(format!(
            "the memory limit of {} MiB is reached by {LEAST_STRETCH} contacts and their related rows; give the run more memory",
            self.limit.unwrap_or_default() >> 20
        ))
    }

    /// Whether so many contacts can be divided further.
    pub(crate) fn can_shorten(contacts: usize) -> bool {
        contacts as u64 > LEAST_STRETCH
    }
}

/// What is kept of all contacts to the end: the bits of the segments, choices, keys and rankings.
fn kept_bytes(rules: &RuleSet, contacts: u64) -> u64 {
    let rankings = rules.rankings() as u64;
    let per_contact = 8 + 4 * rules.assignments().len() as u64 + 8 * rankings + if rankings > 0 { RANKING_BYTES } else { 0 };
    contacts * per_contact + rules.segments().len() as u64 * contacts.div_ceil(8)
}

/// What all features take of a contact.
fn feature_bytes(rules: &RuleSet) -> u64 {
    let features = rules.compiler.features();
    let tables = rules.compiler.schema().tables.len();
    features.iter().map(bytes_per_contact).sum::<u64>() + 8 * (features.len().div_ceil(MOST) + tables) as u64
}

/// A limit under which so much can be held.
fn sufficient(bytes: u64) -> u64 {
    (bytes + READING_BYTES).min(bytes.div_ceil(3) * 4)
}
