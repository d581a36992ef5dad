use crate::cluster::Clusters;

/// The records of each contact, in compressed rows.
#[derive(Debug)]
pub struct Members {
    offsets: Vec<u32>,
    records: Vec<u32>,
}

impl Members {
    /// Lists the records of each cluster in the order of the input.
    pub fn new(clusters: &Clusters) -> Self {
        let mut offsets = vec![0u32; clusters.n_clusters + 1];
        for label in &clusters.labels {
            offsets[*label as usize + 1] += 1;
        }
        for contact in 1..offsets.len() {
            offsets[contact] += offsets[contact - 1];
        }
        let mut next = offsets.clone();
        let mut records = vec![0u32; clusters.labels.len()];
        for (record, label) in clusters.labels.iter().enumerate() {
            let slot = &mut next[*label as usize];
            records[*slot as usize] = record as u32;
            *slot += 1;
        }
        Self { offsets, records }
    }

    /// Number of contacts.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no contact.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records of a contact, in the order of the input.
    pub fn of(&self, contact: usize) -> &[u32] {
        &self.records[self.offsets[contact] as usize..self.offsets[contact + 1] as usize]
    }

    /// The records of a range of contacts, contact by contact.
    pub fn of_range(&self, contacts: std::ops::Range<usize>) -> &[u32] {
        &self.records[self.offsets[contacts.start] as usize..self.offsets[contacts.end] as usize]
    }
}
