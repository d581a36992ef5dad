use crm_core::NoControl;
use hashbrown::HashMap;
use proptest::prelude::*;

use super::*;
use crate::cluster::components::Components;

const BIT: i32 = WEIGHT_ONE;

fn options() -> ClusterOptions {
    ClusterOptions { match_threshold: 3 * BIT, linkage_threshold: 0, ..ClusterOptions::default() }
}

/// A scorer that knows the edges and holds all other pairs for different.
fn scorer(edges: &[Edge], other: i32) -> impl Fn(u32, u32) -> i32 + use<> {
    let known: HashMap<(u32, u32), i32> = edges.iter().map(|edge| ((edge.a, edge.b), edge.weight)).collect();
    move |a, b| known.get(&(a.min(b), a.max(b))).copied().unwrap_or(other)
}

fn run(n: usize, edges: &[Edge], constraints: Constraints<'_>, other: i32) -> Clusters {
    let keys: Vec<u64> = (0..n as u64).collect();
    cluster(&keys, edges, constraints, &options(), &scorer(edges, other), &NoControl).unwrap()
}

fn clique(records: std::ops::Range<u32>, weight: i32) -> Vec<Edge> {
    let mut edges = Vec::new();
    for a in records.clone() {
        for b in a + 1..records.end {
            edges.push(Edge::new(a, b, weight));
        }
    }
    edges
}

#[test]
fn records_without_edges_stay_alone() {
    let clusters = run(3, &[], Constraints::default(), -BIT);
    assert_eq!((clusters.labels, clusters.n_clusters), (vec![0, 1, 2], 3));
}

#[test]
fn a_pair_above_the_threshold_is_one_cluster_and_one_below_is_not() {
    let clusters = run(4, &[Edge::new(0, 2, 3 * BIT), Edge::new(1, 3, 3 * BIT - 1)], Constraints::default(), -BIT);
    assert_eq!(clusters.labels, [0, 1, 0, 2]);
}

#[test]
fn one_bad_edge_does_not_join_two_groups() {
    for size in [4, 40] {
        let mut edges = clique(0..size, 6 * BIT);
        edges.extend(clique(size..2 * size, 6 * BIT));
        edges.push(Edge::new(0, size, 9 * BIT));
        let clusters = run(2 * size as usize, &edges, Constraints::default(), -8 * BIT);
        assert_eq!(clusters.n_clusters, 2, "groups of {size}");
        assert!(clusters.report.n_weak_links_cut >= 1);
    }
}

#[test]
fn a_thin_bridge_is_cut_even_where_the_average_would_pass() {
    for size in [4, 40] {
        let mut edges = clique(0..size, 6 * BIT);
        edges.extend(clique(size..2 * size, 6 * BIT));
        edges.push(Edge::new(0, size, 4 * BIT));
        let clusters = run(2 * size as usize, &edges, Constraints::default(), BIT);
        assert_eq!((clusters.n_clusters, clusters.report.n_bridges_cut), (2, 1), "groups of {size}");
    }
}

#[test]
fn a_chain_whose_ends_agree_is_one_cluster() {
    let edges: Vec<Edge> = (0..5).map(|i| Edge::new(i, i + 1, 5 * BIT)).collect();
    assert_eq!(run(6, &edges, Constraints::default(), 2 * BIT).n_clusters, 1);
}

#[test]
fn decisions_outweigh_scores() {
    let edges = clique(0..3, 9 * BIT);
    let apart = run(3, &edges, Constraints { cannot_link: &[(0, 1)], ..Constraints::default() }, -BIT);
    assert_eq!((apart.n_clusters, apart.report.n_cannot_links_kept), (2, 1));
    let together = run(2, &[], Constraints { must_link: &[(1, 0)], ..Constraints::default() }, -9 * BIT);
    assert_eq!(together.n_clusters, 1);
}

#[test]
fn different_wins_over_same_and_is_counted() {
    let constraints = Constraints { must_link: &[(0, 1), (1, 2)], cannot_link: &[(2, 0)], ..Constraints::default() };
    let clusters = run(3, &[], constraints, -BIT);
    assert_eq!(clusters.labels, [0, 0, 1]);
    assert_eq!(clusters.report.n_decisions_in_conflict, 1);
}

#[test]
fn a_duplicate_free_source_has_one_record_per_contact() {
    for n_more in [0, 60] {
        let mut edges = vec![Edge::new(0, 2, 6 * BIT), Edge::new(1, 2, 5 * BIT), Edge::new(0, 1, 5 * BIT)];
        // A long tail makes the component large enough for the sparse way.
        edges.extend((0..n_more).map(|i| Edge::new(2, 3 + i, 4 * BIT)));
        let mut unique_source = vec![7, 7, MANY_PER_CONTACT];
        unique_source.resize(3 + n_more as usize, MANY_PER_CONTACT);
        let clusters = run(3 + n_more as usize, &edges, Constraints { unique_source: &unique_source, ..Constraints::default() }, -9 * BIT);
        assert_eq!(clusters.labels[..3], [0, 1, 0]);
        assert!(clusters.report.n_source_clashes >= 1);
    }
}

#[test]
fn cancelling_stops() {
    struct Cancelled;
    impl Control for Cancelled {
        fn progress(&self, _: &str, _: u64, _: u64) {}
        fn is_cancelled(&self) -> bool {
            true
        }
    }
    let outcome = cluster(&[1, 2], &[], Constraints::default(), &options(), &|_: u32, _: u32| 0, &Cancelled);
    assert!(outcome.is_err());
}

type Graph = (Vec<Edge>, Vec<(u32, u32)>, Vec<(u32, u32)>, Vec<u16>);

/// A noisy graph: true groups with mostly positive weights inside and mostly negative ones between.
fn noisy(n: usize) -> impl Strategy<Value = Graph> {
    let pair = (0..n as u32, 0..n as u32).prop_filter("two records", |(a, b)| a != b);
    let edge = (pair.clone(), -8 * BIT..9 * BIT).prop_map(|((a, b), weight)| Edge::new(a, b, weight));
    (
        prop::collection::vec(edge, 0..4 * n).prop_map(|mut edges| {
            edges.sort_by_key(|edge| (edge.a, edge.b));
            edges.dedup_by_key(|edge| (edge.a, edge.b));
            edges
        }),
        prop::collection::vec(pair.clone(), 0..3),
        prop::collection::vec(pair, 0..3),
        prop::collection::vec(prop::sample::select(vec![0u16, MANY_PER_CONTACT, MANY_PER_CONTACT, MANY_PER_CONTACT]), n),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn dense_and_sparse_agree((edges, must, cannot, sources) in noisy(24)) {
        let keys: Vec<u64> = (0..24).collect();
        let constraints = Constraints { must_link: &must, cannot_link: &cannot, unique_source: &sources };
        let score = scorer(&edges, -2 * BIT);
        let components = Components::new(&keys, &edges, constraints, options().match_threshold);
        for index in 0..components.len() {
            let component = components.get(index);
            let [dense, sparse] = linkage::both_ways(&component, &options(), &score);
            prop_assert_eq!(dense, sparse);
        }
    }

    #[test]
    fn the_order_of_records_and_edges_does_not_matter(
        (edges, must, cannot, sources) in noisy(30),
        permutation in Just((0..30u32).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let keys: Vec<u64> = (0..30).map(|i| crm_core::content_hash(&[i])).collect();
        let constraints = Constraints { must_link: &must, cannot_link: &cannot, unique_source: &sources };
        let before = cluster(&keys, &edges, constraints, &options(), &scorer(&edges, -BIT), &NoControl).unwrap();

        let move_pair = |pair: &(u32, u32)| (permutation[pair.0 as usize], permutation[pair.1 as usize]);
        let mut moved: Vec<Edge> =
            edges.iter().map(|e| Edge::new(permutation[e.a as usize], permutation[e.b as usize], e.weight)).collect();
        moved.reverse();
        let (must, cannot): (Vec<_>, Vec<_>) = (must.iter().map(move_pair).collect(), cannot.iter().map(move_pair).collect());
        let (mut moved_keys, mut moved_sources) = (keys.clone(), sources.clone());
        for (from, to) in permutation.iter().enumerate() {
            moved_keys[*to as usize] = keys[from];
            moved_sources[*to as usize] = sources[from];
        }
        let constraints = Constraints { must_link: &must, cannot_link: &cannot, unique_source: &moved_sources };
        let after = cluster(&moved_keys, &moved, constraints, &options(), &scorer(&moved, -BIT), &NoControl).unwrap();
        for a in 0..30 {
            for b in 0..30 {
                let is_together = before.labels[a] == before.labels[b];
                prop_assert_eq!(is_together, after.labels[permutation[a] as usize] == after.labels[permutation[b] as usize]);
            }
        }
        prop_assert_eq!(before.report, after.report);
    }

    #[test]
    fn constraints_hold_whatever_the_weights((edges, must, cannot, sources) in noisy(30)) {
        let constraints = Constraints { must_link: &[], cannot_link: &cannot, unique_source: &sources };
        let clusters = run(30, &edges, constraints, BIT);
        for (a, b) in &cannot {
            prop_assert_ne!(clusters.labels[*a as usize], clusters.labels[*b as usize]);
        }
        for a in 0..30 {
            for b in a + 1..30 {
                prop_assert!(sources[a] != 0 || sources[b] != 0 || clusters.labels[a] != clusters.labels[b]);
            }
        }
        let cannot: Vec<(u32, u32)> = Vec::new();
        let clusters = run(30, &edges, Constraints { must_link: &must, cannot_link: &cannot, unique_source: &[] }, BIT);
        for (a, b) in &must {
            prop_assert_eq!(clusters.labels[*a as usize], clusters.labels[*b as usize]);
        }
    }
}
