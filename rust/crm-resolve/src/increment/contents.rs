//! Which records stand for a normalized content before and after a change.
//!
//! Records of one content are compared with others once, by their representative; the others have an edge with that alone.
use crm_core::Result;
use hashbrown::{HashMap, HashSet};

use super::{After, Change};

/// What a change does to the contents that it touches.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Per touched content its representative afterwards.
    pub representatives: HashMap<u64, i64>,
    /// Representatives that are new, or stand for another content than before: their pairs are to be found.
    pub fresh: Vec<i64>,
    /// Records that are gone, or no longer representatives: all their edges go.
    pub dissolved: HashSet<i64>,
    /// (representative, other record of its content) whose edge is to be made.
    pub stars: Vec<(i64, i64)>,
}

/// `contents` are those of `change.added`.
pub(super) fn settle(after: &After<'_>, change: &Change, contents: &[u64]) -> Result<Contents> {
    let known = after.setting.known;
    let mut added_by_content: HashMap<u64, Vec<i64>> = HashMap::new();
    for (added, content) in change.added.iter().zip(contents) {
        added_by_content.entry(*content).or_default().push(added.record);
    }
    let mut touched: Vec<u64> = added_by_content.keys().copied().collect();
    for record in &after.gone {
        touched.extend(known.facts(*record)?.map(|facts| facts.content));
    }
    touched.sort_unstable();
    touched.dedup();
    let mut settled = Contents { dissolved: after.gone.clone(), ..Contents::default() };
    let mut before = Vec::new();
    for content in touched {
        before.clear();
        known.with_content(content, &mut before)?;
        let former = before.iter().min().copied();
        let added = added_by_content.get(&content).map_or(&[][..], Vec::as_slice);
        let mut members: Vec<i64> =
            before.iter().copied().filter(|record| !after.gone.contains(record)).chain(added.iter().copied()).collect();
        members.sort_unstable();
        members.dedup();
        let Some(representative) = members.first().copied() else { continue };
        settled.representatives.insert(content, representative);
        let is_fresh = former != Some(representative) || after.gone.contains(&representative);
        if is_fresh {
            settled.fresh.push(representative);
            settled.dissolved.extend(former);
        }
        for member in &members[1..] {
            if is_fresh || after.added.contains_key(member) {
                settled.stars.push((representative, *member));
            }
        }
    }
    settled.fresh.sort_unstable();
    Ok(settled)
}
