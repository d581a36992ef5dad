//! Moves of single records between the groups of a component.
use crate::cluster::ClusterOptions;
use crate::cluster::components::Component;
use crate::cluster::linkage::Linkage;

/// Of a large group at most this many members are asked about a record.
const ASKED: usize = 32;
const MAX_PASSES: usize = 4;

/// Moves each record to the neighbouring group that it belongs to most, until none moves; says whether any did.
///
/// A strong wrong pair is joined first and then keeps its two records from the groups around them: this is what frees them.
/// How much a record belongs to a group is the sum of its weights over the square root of their number, between the average, which a
/// single member decides, and the sum, which size decides.
pub fn improve(component: &Component<'_>, options: &ClusterOptions, linkage: &mut dyn Linkage, groups: &mut [u32]) -> bool {
    let neighbours = neighbours(component, options);
    let mut is_fixed = vec![false; groups.len()];
    for (a, b) in component.must_link {
        is_fixed[*a as usize] = true;
        is_fixed[*b as usize] = true;
    }
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); groups.len()];
    for (place, group) in groups.iter().enumerate() {
        members[*group as usize].push(place as u32);
    }
    let mut has_moved = false;
    for _ in 0..MAX_PASSES {
        let mut has_moved_now = false;
        for place in (0..groups.len()).filter(|place| !is_fixed[*place]) {
            let own = groups[place];
            let mut others: Vec<u32> =
                neighbours[place].iter().map(|other| groups[*other as usize]).filter(|group| *group != own).collect();
            if others.is_empty() {
                continue;
            }
            // Groups are named by a place that moves may have taken from them; the lowest member is what a tie goes by.
            others.sort_unstable_by_key(|group| members[*group as usize].iter().min().copied());
            others.dedup();
            let mut best = (belonging(linkage, place as u32, &members[own as usize]), own);
            for other in others {
                let there = belonging(linkage, place as u32, &members[other as usize]);
                if there > best.0 && is_allowed(component, place, &members[other as usize]) {
                    best = (there, other);
                }
            }
            if best.1 != own {
                members[own as usize].retain(|member| *member != place as u32);
                members[best.1 as usize].push(place as u32);
                members[best.1 as usize].sort_unstable();
                groups[place] = best.1;
                has_moved_now = true;
            }
        }
        has_moved |= has_moved_now;
        if !has_moved_now {
            break;
        }
    }
    for members in &members {
        for member in members {
            groups[*member as usize] = members[0];
        }
    }
    has_moved
}

/// Signed square of (sum / square root of count), exact in integers.
fn belonging(linkage: &mut dyn Linkage, place: u32, members: &[u32]) -> i128 {
    let (mut sum, mut count) = (0i128, 0i128);
    for member in members.iter().filter(|member| **member != place).take(ASKED) {
        sum += i128::from(linkage.weight(place, *member));
        count += 1;
    }
    sum * sum.abs() / count.max(1)
}

fn is_allowed(component: &Component<'_>, place: usize, members: &[u32]) -> bool {
    let source = component.unique_source(place);
    let shares_source = source.is_some() && members.iter().any(|member| component.unique_source(*member as usize) == source);
    let is_forbidden = component
        .cannot_link
        .iter()
        .any(|(a, b)| (*a as usize == place && members.contains(b)) || (*b as usize == place && members.contains(a)));
    !shares_source && !is_forbidden
}

/// Per place the places that an edge at or above the match threshold connects it with.
fn neighbours(component: &Component<'_>, options: &ClusterOptions) -> Vec<Vec<u32>> {
    let mut neighbours: Vec<Vec<u32>> = vec![Vec::new(); component.records.len()];
    for edge in component.edges.iter().filter(|edge| edge.weight >= options.match_threshold) {
        neighbours[edge.a as usize].push(edge.b);
        neighbours[edge.b as usize].push(edge.a);
    }
    neighbours
}
