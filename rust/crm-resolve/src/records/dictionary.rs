//! Distinct values of one kind, each known by a small number.
use crm_core::content_hash;
use hashbrown::HashTable;

/// The number of a distinct value in its [`Dictionary`]; 0 stands for "missing".
pub type ValueId = u32;

/// Hashes derived from a value, for comparing and blocking; what each means depends on the kind. 0 is "none".
pub type Keys = [u32; 6];

/// A value on its way into a dictionary: canonical bytes and derived keys.
#[derive(Debug, Default, Clone)]
pub struct Draft {
    /// Canonical form; empty means that the value is missing.
    pub text: Vec<u8>,
    /// Derived keys.
    pub keys: Keys,
    /// Why the cell is not, or not fully, what its field holds.
    pub doubt: Option<Doubt>,
}

/// What is wrong with a cell that holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Doubt {
    /// It looks like a value and stands for none (`0000000`, `1900-01-01`): it is not compared.
    Filler = 1,
    /// It cannot be read as what its field holds.
    Unreadable,
    /// It says what kind of number it is, and its check digit does not fit.
    WrongCheckDigit,
    /// It can be read in two ways.
    Ambiguous,
}

impl Doubt {
    /// Its name in summaries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filler => "filler",
            Self::Unreadable => "unreadable",
            Self::WrongCheckDigit => "wrong_check_digit",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// The doubt of a number, as `doubt as u32` gives it.
    pub(super) fn of_number(number: u32) -> Option<Self> {
        [Self::Filler, Self::Unreadable, Self::WrongCheckDigit, Self::Ambiguous].into_iter().find(|doubt| *doubt as u32 == number)
    }
}

impl Draft {
    /// Empties it for the next value.
    pub fn clear(&mut self) {
        self.text.clear();
        self.keys = [0; 6];
        self.doubt = None;
    }
}

/// A 32-bit hash of bytes that is never 0.
pub fn key_of(bytes: &[u8]) -> u32 {
    (content_hash(bytes) as u32).max(1)
}

/// Distinct values, numbered from 1 in the order of their first occurrence.
///
/// Nothing that is decided may depend on the numbers themselves, only on equality, since another order of rows numbers differently.
#[derive(Debug, Clone)]
pub struct Dictionary {
    table: HashTable<Slot>,
    hashes: Vec<u64>,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// A value's place in the table. Half of its hash stands beside its number, so that neither a growing table nor a value of another hash
/// has to be looked up elsewhere in memory.
#[derive(Debug, Clone, Copy)]
struct Slot {
    half: u32,
    id: ValueId,
}

impl Slot {
    /// What the table goes by: the half spread over all bits.
    fn place(half: u32) -> u64 {
        u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// What comparing needs of a value, together in memory: aligned, so that it takes one cache line and not two.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(32))]
struct Entry {
    keys: Keys,
    letters: u32,
    end: u32,
}

/// Which letters and digits occur in a text, as bits: texts that differ in many of them cannot be similar.
pub fn letters_of(text: &[u8]) -> u32 {
    text.iter().fold(0, |set, byte| {
        set | match byte {
            b'a'..=b'z' => 1 << (byte - b'a'),
            b'0'..=b'9' => 1 << (26 + (byte - b'0') / 2),
            _ => 1 << 31,
        }
    })
}

impl Default for Dictionary {
    fn default() -> Self {
        Self { table: HashTable::new(), hashes: vec![0], bytes: Vec::new(), entries: vec![Entry::default()] }
    }
}

impl Dictionary {
    /// The number of the value, new or known; 0 for an empty one.
    pub fn insert(&mut self, draft: &Draft) -> ValueId {
        if draft.text.is_empty() {
            return 0;
        }
        let hash = content_hash(&draft.text);
        let half = (hash >> 32) as u32;
        let (hashes, next) = (&self.hashes, self.hashes.len() as u32);
        let is_same = |slot: &Slot| slot.half == half && hashes[slot.id as usize] == hash;
        match self.table.entry(Slot::place(half), is_same, |slot| Slot::place(slot.half)) {
            hashbrown::hash_table::Entry::Occupied(entry) => entry.get().id,
            hashbrown::hash_table::Entry::Vacant(entry) => {
                entry.insert(Slot { half, id: next });
                self.hashes.push(hash);
                self.bytes.extend_from_slice(&draft.text);
                let end = self.bytes.len() as u32;
                self.entries.push(Entry { keys: draft.keys, letters: letters_of(&draft.text), end });
                next
            }
        }
    }

    /// Number of distinct values, "missing" included.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether its values' texts or numbers leave no room for another batch.
    pub fn is_full(&self) -> bool {
        self.bytes.len() > 3 << 30 || self.len() > 1 << 30
    }

    /// Whether there is no value but "missing".
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// The canonical form.
    #[inline]
    pub fn text(&self, id: ValueId) -> &[u8] {
        let id = id as usize;
        if id == 0 { &[] } else { &self.bytes[self.entries[id - 1].end as usize..self.entries[id].end as usize] }
    }

    /// The derived keys.
    #[inline]
    pub fn keys(&self, id: ValueId) -> &Keys {
        &self.entries[id as usize].keys
    }

    /// Two values in an order that does not depend on their numbers, so that no comparison does.
    #[inline]
    pub fn in_order(&self, a: ValueId, b: ValueId) -> (ValueId, ValueId) {
        let order = self.keys(a).cmp(self.keys(b)).then_with(|| self.text(a).cmp(self.text(b)));
        if order.is_le() { (a, b) } else { (b, a) }
    }

    /// Which letters and digits occur in a value, as [`letters_of`] says it.
    #[inline]
    pub fn letters(&self, id: ValueId) -> u32 {
        self.entries[id as usize].letters
    }

    /// In how many kinds of letters two values differ.
    #[inline]
    pub fn letters_apart(&self, a: ValueId, b: ValueId) -> u32 {
        (self.entries[a as usize].letters ^ self.entries[b as usize].letters).count_ones()
    }

    /// The hash of the canonical form; 0 for "missing".
    #[inline]
    pub fn hash(&self, id: ValueId) -> u64 {
        self.hashes[id as usize]
    }

    /// Bytes held, about.
    pub fn memory_bytes(&self) -> usize {
        let table = self.table.capacity() * (size_of::<Slot>() + 1);
        self.hashes.len() * 8 + self.bytes.len() + self.entries.len() * size_of::<Entry>() + table
    }

    /// Drops what only building needs.
    pub fn freeze(&mut self) {
        self.table = HashTable::new();
        self.hashes.shrink_to_fit();
        self.bytes.shrink_to_fit();
        self.entries.shrink_to_fit();
    }
}

/// Remembers what raw cells became, so that frequent values are normalised once. It grows with what is put into it, up to a fixed size.
#[derive(Debug)]
pub struct Memo {
    slots: Vec<(u64, [ValueId; 2])>,
    n_put: usize,
}

impl Memo {
    const FEWEST_SLOTS: usize = 1 << 7;
    const MOST_SLOTS: usize = 1 << 15;

    /// An empty memo.
    pub fn new() -> Self {
        Self { slots: vec![(0, [0; 2]); Self::FEWEST_SLOTS], n_put: 0 }
    }

    #[inline]
    fn slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// What the raw text with this hash became, if it is still remembered.
    #[inline]
    pub fn get(&self, hash: u64) -> Option<[ValueId; 2]> {
        let (known, values) = self.slots[self.slot(hash)];
        (known == hash).then_some(values)
    }

    /// Remembers.
    #[inline]
    pub fn put(&mut self, hash: u64, values: [ValueId; 2]) {
        self.n_put += 1;
        if self.n_put > self.slots.len() && self.slots.len() < Self::MOST_SLOTS {
            self.grow();
        }
        let slot = self.slot(hash);
        self.slots[slot] = (hash, values);
    }

    fn grow(&mut self) {
        let larger = vec![(0, [0; 2]); self.slots.len() * 4];
        for (hash, values) in std::mem::replace(&mut self.slots, larger).into_iter().filter(|(hash, _)| *hash != 0) {
            let slot = self.slot(hash);
            self.slots[slot] = (hash, values);
        }
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.slots.len() * size_of::<(u64, [ValueId; 2])>()
    }
}
