//! Contacts ranked among each other.
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use crm_rules::{Column, Data, RankingKind, Vector};

/// The keys of all contacts, as they come.
#[derive(Debug, Default)]
pub(crate) struct RankingKeys {
    keys: Vec<f64>,
    known: Vec<bool>,
}

impl RankingKeys {
    pub(crate) fn push(&mut self, vector: &Vector<'_>, rows: usize) {
        for row in 0..rows {
            let key = match &vector.data {
                Data::Int(values) => values[row] as f64,
                Data::Float(values) => values[row],
                _ => f64::NAN,
            };
            self.keys.push(key);
            // NaN has no place in an order of sizes.
            self.known.push(vector.is_valid(row) && !key.is_nan());
        }
    }

    /// The ranking of every contact. Equal keys get equal values, so that the order of rows does not matter.
    pub(crate) fn finish(self, kind: RankingKind, descending: bool) -> Column {
        let mut order: Vec<u32> = (0..self.keys.len() as u32).filter(|row| self.known[*row as usize]).collect();
        order.sort_by(|a, b| {
            let ordering = self.keys[*a as usize].total_cmp(&self.keys[*b as usize]);
            if descending { ordering.reverse() } else { ordering }
        });
        let count = order.len();
        let total: f64 = order.iter().map(|row| self.keys[*row as usize]).sum();
        let mut result = vec![0.0; self.keys.len()];
        let mut known = self.known;
        let (mut from, mut before) = (0, 0.0);
        while from < count {
            let key = self.keys[order[from] as usize];
            let mut to = from + 1;
            while to < count && self.keys[order[to] as usize] == key {
                to += 1;
            }
            for row in &order[from..to] {
                result[*row as usize] = match kind {
                    RankingKind::Ntile(parts) => (from as u64 * u64::from(parts) / count as u64) as f64 + 1.0,
                    RankingKind::CumulativeShare => before / total,
                    RankingKind::PercentRank if count > 1 => from as f64 / (count - 1) as f64,
                    RankingKind::PercentRank => 0.0,
                };
                // Shares of nothing are unknown.
                known[*row as usize] = kind != RankingKind::CumulativeShare || total > 0.0;
            }
            before += key * (to - from) as f64;
            from = to;
        }
        let nulls = NullBuffer::new(BooleanBuffer::from(known));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        match kind {
            RankingKind::Ntile(_) => {
                let parts: Vec<i64> = result.iter().map(|part| *part as i64).collect();
                Column::Int64(ScalarBuffer::from(parts), nulls)
            }
            _ => Column::Float(ScalarBuffer::from(result), nulls),
        }
    }
}
