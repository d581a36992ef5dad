use serde::Serialize;

use crate::cluster::linkage::Outcome;

/// What clustering did, in counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClusterReport {
    /// Components of at least two records at the match threshold.
    pub n_components: u64,
    /// Components that were split because not all of their records belong together.
    pub n_components_split: u64,
    /// Joins refused because the average link between two groups was too weak.
    pub n_weak_links_cut: u64,
    /// Joins refused because only a thin bridge held two groups together.
    pub n_bridges_cut: u64,
    /// Joins refused by a decision "different".
    pub n_cannot_links_kept: u64,
    /// Joins refused because a source that is free of duplicates would have had two records in one contact.
    pub n_source_clashes: u64,
    /// Decisions "same" that contradict a decision "different" and were not followed.
    pub n_decisions_in_conflict: u64,
    /// Records in the largest cluster.
    pub largest_cluster: u64,
    /// Clusters of at least two records.
    pub n_merged_clusters: u64,
    /// Number of clusters by size: `sizes[i]` clusters have `i + 1` records; the last entry holds all larger ones.
    pub sizes: Vec<u64>,
}

/// Cluster sizes are counted one by one up to this.
const LARGEST_COUNTED_SIZE: usize = 20;

impl ClusterReport {
    pub(super) fn add(&mut self, outcome: &Outcome, n_records: usize) {
        let n_groups = outcome.groups.iter().enumerate().filter(|(place, group)| *place == **group as usize).count();
        debug_assert!(n_groups <= n_records);
        self.n_components_split += u64::from(n_groups > 1);
        self.n_weak_links_cut += outcome.n_weak_links;
        self.n_bridges_cut += outcome.n_bridges;
        self.n_cannot_links_kept += outcome.n_cannot_links;
        self.n_source_clashes += outcome.n_source_clashes;
        self.n_decisions_in_conflict += outcome.n_conflicts;
    }

    pub(super) fn measure(&mut self, sizes: &[u32]) {
        self.sizes = vec![0; LARGEST_COUNTED_SIZE];
        for size in sizes {
            self.sizes[(*size as usize).min(LARGEST_COUNTED_SIZE) - 1] += 1;
            self.n_merged_clusters += u64::from(*size > 1);
        }
        self.largest_cluster = sizes.iter().copied().max().unwrap_or(0).into();
    }
}
