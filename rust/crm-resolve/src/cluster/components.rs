//! Connected components of the graph at the match threshold, each laid out for clustering.
use hashbrown::HashMap;

use crate::Edge;
use crate::cluster::{Constraints, MANY_PER_CONTACT};

/// Components of at least two records, in compressed rows.
pub struct Components<'a> {
    keys: &'a [u64],
    constraints: Constraints<'a>,
    records: Vec<u32>,
    record_offsets: Vec<usize>,
    edges: Vec<LocalEdge>,
    edge_offsets: Vec<usize>,
    must_link: HashMap<u32, Vec<(u32, u32)>>,
    cannot_link: HashMap<u32, Vec<(u32, u32)>>,
}

/// An edge between places in a component.
#[derive(Debug, Clone, Copy)]
pub struct LocalEdge {
    pub a: u32,
    pub b: u32,
    pub weight: i32,
}

/// One component: its records in the order of their keys, and what is known between them by place in that order.
pub struct Component<'a> {
    pub records: &'a [u32],
    pub edges: &'a [LocalEdge],
    pub must_link: &'a [(u32, u32)],
    pub cannot_link: &'a [(u32, u32)],
    unique_source: &'a [u16],
}

impl Component<'_> {
    /// The duplicate-free source of the record at `place`, if it is of one.
    pub fn unique_source(&self, place: usize) -> Option<u16> {
        let source = *self.unique_source.get(self.records[place] as usize)?;
        (source != MANY_PER_CONTACT).then_some(source)
    }

    pub fn has_unique_sources(&self) -> bool {
        !self.unique_source.is_empty()
    }
}

impl<'a> Components<'a> {
    pub fn new(keys: &'a [u64], edges: &[Edge], constraints: Constraints<'a>, match_threshold: i32) -> Self {
        let mut union = UnionFind::new(keys.len());
        for edge in edges.iter().filter(|edge| edge.weight >= match_threshold) {
            union.join(edge.a, edge.b);
        }
        for (a, b) in constraints.must_link {
            union.join(*a, *b);
        }
        let (component_of, n_components) = union.number_components();
        let mut built = Self {
            keys,
            constraints,
            records: Vec::new(),
            record_offsets: Vec::new(),
            edges: Vec::new(),
            edge_offsets: Vec::new(),
            must_link: HashMap::new(),
            cannot_link: HashMap::new(),
        };
        built.lay_out_records(&component_of, n_components);
        let place_of = built.places();
        built.lay_out_edges(edges, &component_of, &place_of, n_components);
        built.must_link = local_pairs(constraints.must_link, &component_of, &place_of);
        built.cannot_link = local_pairs(constraints.cannot_link, &component_of, &place_of);
        built
    }

    pub fn len(&self) -> usize {
        self.record_offsets.len() - 1
    }

    pub fn get(&self, index: usize) -> Component<'_> {
        Component {
            records: &self.records[self.record_offsets[index]..self.record_offsets[index + 1]],
            edges: &self.edges[self.edge_offsets[index]..self.edge_offsets[index + 1]],
            must_link: self.must_link.get(&(index as u32)).map_or(&[], Vec::as_slice),
            cannot_link: self.cannot_link.get(&(index as u32)).map_or(&[], Vec::as_slice),
            unique_source: self.constraints.unique_source,
        }
    }

    fn lay_out_records(&mut self, component_of: &[u32], n_components: usize) {
        let mut offsets = vec![0usize; n_components + 1];
        for component in component_of.iter().filter(|component| **component != SINGLE) {
            offsets[*component as usize + 1] += 1;
        }
        accumulate(&mut offsets);
        let mut next = offsets.clone();
        self.records = vec![0; offsets[n_components]];
        for (record, component) in component_of.iter().enumerate().filter(|(_, component)| **component != SINGLE) {
            let slot = &mut next[*component as usize];
            self.records[*slot] = record as u32;
            *slot += 1;
        }
        for window in offsets.windows(2) {
            let keys = self.keys;
            self.records[window[0]..window[1]].sort_unstable_by_key(|record| (keys[*record as usize], *record));
        }
        self.record_offsets = offsets;
    }

    /// Per record its place in its component.
    fn places(&self) -> Vec<u32> {
        let mut place_of = vec![0u32; self.keys.len()];
        for window in self.record_offsets.windows(2) {
            for (place, record) in self.records[window[0]..window[1]].iter().enumerate() {
                place_of[*record as usize] = place as u32;
            }
        }
        place_of
    }

    fn lay_out_edges(&mut self, edges: &[Edge], component_of: &[u32], place_of: &[u32], n_components: usize) {
        let inside = |edge: &&Edge| {
            let component = component_of[edge.a as usize];
            component != SINGLE && component == component_of[edge.b as usize]
        };
        let mut offsets = vec![0usize; n_components + 1];
        for edge in edges.iter().filter(inside) {
            offsets[component_of[edge.a as usize] as usize + 1] += 1;
        }
        accumulate(&mut offsets);
        let mut next = offsets.clone();
        self.edges = vec![LocalEdge { a: 0, b: 0, weight: 0 }; offsets[n_components]];
        for edge in edges.iter().filter(inside) {
            let slot = &mut next[component_of[edge.a as usize] as usize];
            let (a, b) = (place_of[edge.a as usize], place_of[edge.b as usize]);
            self.edges[*slot] = LocalEdge { a: a.min(b), b: a.max(b), weight: edge.weight };
            *slot += 1;
        }
        self.edge_offsets = offsets;
    }
}

fn accumulate(offsets: &mut [usize]) {
    for index in 1..offsets.len() {
        offsets[index] += offsets[index - 1];
    }
}

/// Pairs by component, in places, sorted; pairs across components need no enforcing.
fn local_pairs(pairs: &[(u32, u32)], component_of: &[u32], place_of: &[u32]) -> HashMap<u32, Vec<(u32, u32)>> {
    let mut map: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
    for (a, b) in pairs {
        let component = component_of[*a as usize];
        if a != b && component != SINGLE && component == component_of[*b as usize] {
            let (a, b) = (place_of[*a as usize], place_of[*b as usize]);
            map.entry(component).or_default().push((a.min(b), a.max(b)));
        }
    }
    for pairs in map.values_mut() {
        pairs.sort_unstable();
        pairs.dedup();
    }
    map
}

/// The component of a record without neighbours.
const SINGLE: u32 = u32::MAX;

struct UnionFind {
    parent: Vec<u32>,
}

impl UnionFind {
    fn new(len: usize) -> Self {
        Self { parent: (0..len as u32).collect() }
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let grandparent = self.parent[self.parent[node as usize] as usize];
            self.parent[node as usize] = grandparent;
            node = grandparent;
        }
        node
    }

    /// The lower root stays root, so that depth stays small with path halving and no rank is needed.
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parent[a.max(b) as usize] = a.min(b);
        }
    }

    /// Per node the number of its component, [`SINGLE`] where it is alone; numbers follow the first node.
    fn number_components(mut self) -> (Vec<u32>, usize) {
        let mut has_company = vec![false; self.parent.len()];
        for node in 0..self.parent.len() as u32 {
            let root = self.root(node);
            if root != node {
                has_company[root as usize] = true;
            }
        }
        let mut component_of = vec![SINGLE; self.parent.len()];
        let mut n_components = 0;
        for node in 0..self.parent.len() {
            let root = self.parent[node] as usize;
            if root == node {
                if has_company[node] {
                    component_of[node] = n_components;
                    n_components += 1;
                }
            } else {
                // A root is the lowest node of its component, hence numbered already.
                component_of[node] = component_of[self.root(root as u32) as usize];
            }
        }
        (component_of, n_components as usize)
    }
}
