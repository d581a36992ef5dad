//! The run's use of crm-resolve in one place: rows to normalised records, records to edges.
use arrow_array::{Array, StringArray};
use crm_core::{Control, Result, Role, content_hash};
use crm_resolve::cluster::ClusterOptions;
use crm_resolve::merge::SourceLayout;
use crm_resolve::{Edge, PairScorer, WEIGHT_ONE};

#[derive(Default)]
pub struct Resolver {
    layouts: Vec<Vec<(Role, usize)>>,
    keys: Vec<(u64, u32)>,
    n: u32,
}

/// The scored pairs, and what scores any other.
pub struct Resolved {
    pub edges: Vec<Edge>,
    pub options: ClusterOptions,
    pub review_threshold: i32,
}

impl Resolver {
    pub fn add_source(&mut self, layout: &SourceLayout) -> Result<()> {
        let roles = [Role::Email, Role::Phone];
        self.layouts.push(roles.iter().flat_map(|role| layout.places_of(*role).into_iter().map(|place| (*role, place))).collect());
        Ok(())
    }

    pub fn push(&mut self, layout: usize, columns: &[StringArray], n_rows: usize) -> Result<()> {
        for (role, place) in &self.layouts[layout] {
            for row in (0..n_rows).filter(|row| columns[*place].is_valid(*row)) {
                let text = columns[*place].value(row).to_lowercase();
                let key: String = if *role == Role::Phone { text.chars().filter(char::is_ascii_digit).collect() } else { text };
                if key.len() > 6 {
                    self.keys.push((content_hash(key.as_bytes()), self.n + row as u32));
                }
            }
        }
        self.n += n_rows as u32;
        Ok(())
    }

    pub fn memory(&self) -> usize {
        self.keys.capacity() * 16
    }

    pub fn resolve(&mut self, _keys: &[u64], control: &dyn Control) -> Result<Resolved> {
        control.check()?;
        self.keys.sort_unstable();
        let mut edges: Vec<Edge> = self
            .keys
            .windows(2)
            .filter(|w| w[0].0 == w[1].0 && w[0].1 != w[1].1)
            .map(|w| Edge::new(w[0].1, w[1].1, 8 * WEIGHT_ONE))
            .collect();
        edges.sort_unstable_by_key(|edge| (edge.a, edge.b));
        edges.dedup_by_key(|edge| (edge.a, edge.b));
        Ok(Resolved { edges, options: ClusterOptions::default(), review_threshold: 0 })
    }
}

impl Resolver {
    pub fn canonicalizer(&self) -> Box<dyn crm_resolve::merge::Canonicalizer + Send> {
        Box::new(crm_resolve::merge::PlainCanonicalizer)
    }
}

impl Resolved {
    pub fn comparisons(&self) -> Vec<String> {
        Vec::new()
    }

    pub fn levels(&self, _pairs: &[Edge]) -> Vec<arrow_array::ArrayRef> {
        Vec::new()
    }
}

impl PairScorer for Resolved {
    fn weight(&self, _a: u32, _b: u32) -> i32 {
        WEIGHT_ONE
    }
}
