//! The numbering table: reads `metadata.bin` (made by `make_metadata.py`) and answers questions about digits.
use std::sync::OnceLock;

use super::Region;

/// Longest national number that is looked at.
pub(super) const MAX_DIGITS: usize = 17;
const OP_DIGITS: u32 = 0;
const OP_SPLIT: u32 = 1;
const OP_JUMP: u32 = 2;
const OP_SAVE: u32 = 3;
const OP_END: u32 = 4;

/// One region's numbering plan.
pub(super) struct Plan {
    pub id: Region,
    pub country_code: u16,
    general: u16,
    lengths: u32,
    local_lengths: u32,
    prefix: u16,
    international: u16,
    transform_group: u8,
    transform: [u8; 6],
    transform_len: u8,
}

/// How a digit count stands against the lengths of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Possible,
    LocalOnly,
    TooShort,
    TooLong,
    Invalid,
}

struct Code {
    main: u16,
    first: u16,
    classify: u16,
}

pub(super) struct Metadata {
    accept: Vec<u16>,
    next: Vec<[u16; 10]>,
    pub plans: Vec<Plan>,
    /// Country code (at most three digits) to its place in `codes`, plus one.
    code_places: Vec<u16>,
    codes: Vec<Code>,
    order: Vec<u16>,
    ops: Vec<u32>,
    /// Region id, two letters, to plan.
    by_region: Vec<u16>,
}

/// What the automaton says of a national number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Class {
    pub plan: u16,
    pub kind: u8,
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        // The table is compiled in and covered by tests; a short table reads as zeros rather than panicking.
        let mut taken = [0; N];
        let n = N.min(self.0.len());
        taken[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        taken
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }
}

impl Metadata {
    pub(super) fn get() -> &'static Metadata {
        static METADATA: OnceLock<Metadata> = OnceLock::new();
        METADATA.get_or_init(|| Self::read(include_bytes!("metadata.bin")))
    }

    fn read(table: &[u8]) -> Self {
        let mut reader = Reader(table);
        let _magic: [u8; 6] = reader.bytes();
        let [n_states, n_regions, n_codes, n_ops] = [reader.u16(), reader.u16(), reader.u16(), reader.u16()];
        let (mut accept, mut next) = (Vec::new(), Vec::new());
        for _ in 0..n_states {
            accept.push(reader.u16());
            next.push(std::array::from_fn(|_| reader.u16().min(n_states - 1)));
        }
        let mut by_region = vec![u16::MAX; 1 << 16];
        let mut plans = Vec::new();
        for idx in 0..n_regions {
            let id: [u8; 2] = reader.bytes();
            by_region[u16::from_be_bytes(id) as usize] = idx;
            plans.push(Plan {
                id: Region(id),
                country_code: reader.u16(),
                general: reader.u16(),
                lengths: reader.u32(),
                local_lengths: reader.u32(),
                prefix: reader.u16(),
                international: reader.u16(),
                transform_group: reader.bytes::<1>()[0],
                transform_len: reader.bytes::<1>()[0].min(6),
                transform: reader.bytes(),
            });
        }
        let mut code_places = vec![0; 1000];
        let mut codes = Vec::new();
        for place in 1..=n_codes {
            code_places[usize::from(reader.u16()) % 1000] = place;
            let (main, first) = (reader.u16(), reader.u16());
            reader.u16();
            codes.push(Code { main, first, classify: reader.u16() });
        }
        let n_order = reader.u16();
        let order = (0..n_order).map(|_| reader.u16().min(n_regions - 1)).collect();
        let ops = (0..n_ops).map(|_| reader.u32()).collect();
        Self { accept, next, plans, code_places, codes, order, ops, by_region }
    }

    /// The plan of a region.
    #[inline]
    pub(super) fn region(&self, region: Region) -> Option<&Plan> {
        self.plans.get(usize::from(self.by_region[usize::from(u16::from_be_bytes(region.0))]))
    }

    /// The main plan behind a country code.
    #[inline]
    pub(super) fn code(&self, country_code: u16) -> Option<&Plan> {
        self.plans.get(usize::from(self.place(country_code)?.main))
    }

    fn place(&self, country_code: u16) -> Option<&Code> {
        let place = *self.code_places.get(usize::from(country_code))?;
        self.codes.get(usize::from(place.checked_sub(1)?))
    }

    /// The country code that `digits` begin with, and how many digits it has.
    #[inline]
    pub(super) fn leading_code(&self, digits: &[u8]) -> Option<(u16, usize)> {
        if digits.first() == Some(&0) {
            return None;
        }
        let mut code = 0;
        for (taken, &digit) in digits.iter().take(3).enumerate() {
            code = code * 10 + u16::from(digit);
            if self.code_places[usize::from(code)] != 0 {
                return Some((code, taken + 1));
            }
        }
        None
    }

    #[inline]
    fn walk(&self, start: u16, digits: &[u8]) -> u16 {
        let mut state = start;
        for &digit in digits {
            state = self.next[usize::from(state)][usize::from(digit % 10)];
            if state == 0 {
                return 0;
            }
        }
        self.accept[usize::from(state)]
    }

    /// Region and kind of a national number under a country code, if it is a valid one.
    #[inline]
    pub(super) fn classify(&self, country_code: u16, national: &[u8]) -> Option<Class> {
        if national.len() > MAX_DIGITS {
            return None;
        }
        let code = self.place(country_code)?;
        let accept = self.walk(code.classify, national).checked_sub(1)?;
        let plan = *self.order.get(usize::from(code.first + accept / 16))?;
        Some(Class { plan, kind: (accept % 16) as u8 })
    }

    /// Whether the plan's general pattern matches the whole of `national`.
    #[inline]
    pub(super) fn is_general(&self, plan: &Plan, national: &[u8]) -> bool {
        national.len() <= MAX_DIGITS && self.walk(plan.general, national) != 0
    }

    /// How many digits of `digits` are the plan's international prefix, if they begin with it.
    pub(super) fn international_prefix(&self, plan: &Plan, digits: &[u8]) -> Option<usize> {
        let mut groups = [usize::MAX; 8];
        self.run(plan.international, digits, &mut groups)
    }

    /// Takes the national prefix (and carrier code) off `digits`, in place, as libphonenumber does.
    pub(super) fn strip_national_prefix(&self, plan: &Plan, digits: &mut Digits) {
        if digits.len == 0 || plan.prefix == u16::MAX {
            return;
        }
        let mut groups = [usize::MAX; 8];
        let Some(end) = self.run(plan.prefix, digits.as_slice(), &mut groups) else { return };
        let viable = self.is_general(plan, digits.as_slice());
        let mut stripped = Digits::default();
        let group = usize::from(plan.transform_group);
        if group == 0 || groups[group * 2 + 1] == usize::MAX {
            stripped.extend(&digits.as_slice()[end..]);
        } else {
            for &digit in &plan.transform[..usize::from(plan.transform_len)] {
                stripped.push(digit - b'0');
            }
            stripped.extend(&digits.as_slice()[groups[group * 2]..groups[group * 2 + 1]]);
            stripped.extend(&digits.as_slice()[end..]);
        }
        if viable && !self.is_general(plan, stripped.as_slice()) {
            return;
        }
        *digits = stripped;
    }

    /// Runs a prefix program anchored at the beginning; the end of the match.
    fn run(&self, start: u16, digits: &[u8], groups: &mut [usize; 8]) -> Option<usize> {
        if start == u16::MAX { None } else { self.step(usize::from(start), 0, digits, groups) }
    }

    fn step(&self, mut op: usize, mut at: usize, digits: &[u8], groups: &mut [usize; 8]) -> Option<usize> {
        loop {
            let word = *self.ops.get(op)?;
            let (a, b) = ((word >> 12 & 0xFFF) as usize, (word & 0xFFF) as usize);
            match word >> 24 {
                OP_DIGITS => {
                    if a >> digits.get(at)? & 1 == 0 {
                        return None;
                    }
                    at += 1;
                    op += 1;
                }
                OP_SPLIT => {
                    let before = *groups;
                    // Programs have no loops, so the depth is bounded by their length.
                    if let Some(end) = self.step(a, at, digits, groups) {
                        return Some(end);
                    }
                    *groups = before;
                    op = b;
                }
                OP_JUMP => op = a,
                OP_SAVE => {
                    *groups.get_mut(a)? = at;
                    op += 1;
                }
                OP_END => {
                    if at != digits.len() {
                        return None;
                    }
                    op += 1;
                }
                _ => return Some(at),
            }
        }
    }

    /// How the number of digits stands against the plan.
    pub(super) fn length(&self, plan: &Plan, len: usize) -> Length {
        let bit = if len < 32 { 1u32 << len } else { 0 };
        if plan.local_lengths & bit != 0 {
            return Length::LocalOnly;
        }
        if plan.lengths & bit != 0 {
            return Length::Possible;
        }
        let (shortest, longest) = (plan.lengths.trailing_zeros() as usize, 31 - plan.lengths.leading_zeros() as usize);
        match len {
            _ if len < shortest => Length::TooShort,
            _ if len > longest => Length::TooLong,
            _ => Length::Invalid,
        }
    }
}

/// A short run of digits (values 0 to 9) on the stack; what does not fit is dropped and remembered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Digits {
    digits: [u8; 32],
    pub len: usize,
    pub overflowed: bool,
}

impl Digits {
    #[inline]
    pub(super) fn push(&mut self, digit: u8) {
        if self.len < self.digits.len() {
            self.digits[self.len] = digit;
            self.len += 1;
        } else {
            self.overflowed = true;
        }
    }

    #[inline]
    pub(super) fn extend(&mut self, digits: &[u8]) {
        for &digit in digits {
            self.push(digit);
        }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    pub(super) fn skip(&self, n: usize) -> Self {
        let mut rest = Self { overflowed: self.overflowed, ..Self::default() };
        rest.extend(&self.as_slice()[n.min(self.len)..]);
        rest
    }
}
