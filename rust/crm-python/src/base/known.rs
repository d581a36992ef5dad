//! The index files as resolving asks them.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crm_core::{Error, Result};
use crm_resolve::Model;
use crm_resolve::increment::{Cells, Edit, Known, KnownFacts, TakeCells, Verdict};
use crm_resolve::merge::SourceLayout;
use crm_store::cells::CellsBuilder;
use crm_store::index::{KeyIndex, Row, section};

use super::about::About;

/// Numbers of the list tables.
pub mod list {
    /// A record's contact, where that is not the record itself.
    pub const CONTACT: u32 = 0;
    /// A contact's records, where it has others than its founder.
    pub const MEMBERS: u32 = 1;
    /// A record's edges: the other record and the weight, in turns.
    pub const EDGES: u32 = 2;
    /// A record's decisions: the other record and the verdict, in turns.
    pub const DECISIONS: u32 = 3;
    /// A record's edits, as JSON in words of eight bytes.
    pub const EDITS: u32 = 4;
}

/// Rows of a layout that are put together before they are handed on.
const BATCH_ROWS: usize = 16_384;
/// Rows whose cells are read together, in the order of the file.
const READ_AT_ONCE: usize = 1 << 18;
/// Fewer rows read leave too little behind to be let go of: a search reads hundreds.
const RELEASE_FROM: usize = 1 << 14;

/// The index of a base at one moment.
pub struct KnownIndex {
    pub index: KeyIndex,
    pub about: About,
    /// All layouts that rows have or had.
    pub layouts: Vec<SourceLayout>,
    /// Per segment the place in `layouts` of each of its own.
    layout_of: Vec<Vec<usize>>,
    model: OnceLock<Option<Arc<Model>>>,
}

impl KnownIndex {
    pub fn open(folder: &Path, names: &[String]) -> Result<Self> {
        Self::new(KeyIndex::open(folder, names)?)
    }

    /// The index after other segments were registered.
    pub fn with_segments(&self, names: &[String]) -> Result<Self> {
        let known = Self::new(self.index.with_segments(names)?)?;
        if self.model_segment() == known.model_segment()
            && let Some(model) = self.model.get()
        {
            let _ = known.model.set(model.clone());
        }
        Ok(known)
    }

    fn new(index: KeyIndex) -> Result<Self> {
        let (mut layouts, mut layout_of) = (Vec::new(), Vec::new());
        let mut about = About::default();
        for segment in index.segments() {
            about = About::from_json(&segment.bytes(section::ABOUT))?;
            let mut places = Vec::with_capacity(about.layouts.len());
            for layout in &about.layouts {
                let layout = layout.layout()?;
                places.push(layouts.iter().position(|known| *known == layout).unwrap_or_else(|| {
                    layouts.push(layout);
                    layouts.len() - 1
                }));
            }
            layout_of.push(places);
        }
        Ok(Self { index, about, layouts, layout_of, model: OnceLock::new() })
    }

    fn model_segment(&self) -> Option<&str> {
        let has_model = |segment: &&Arc<crm_store::index::IndexSegment>| !segment.bytes(section::MODEL).is_empty();
        self.index.segments().iter().rev().find(has_model).map(|segment| segment.name.as_str())
    }

    /// The pinned model's JSON.
    pub fn model_json(&self) -> Result<Option<String>> {
        let Some(bytes) = self.index.newest(section::MODEL) else { return Ok(None) };
        String::from_utf8(bytes.to_vec())
            .map(Some)
            .map_err(|_| Error::store("the index holds a model that is no text; run verify --repair"))
    }

    /// The pinned model.
    pub fn model(&self) -> Result<Option<Arc<Model>>> {
        if let Some(model) = self.model.get() {
            return Ok(model.clone());
        }
        let model = self.model_json()?.map(|json| Model::from_json(&json).map(Arc::new)).transpose()?;
        Ok(self.model.get_or_init(|| model).clone())
    }

    /// The current row of a record.
    pub fn row(&self, record: i64) -> Result<Option<(Row<'_>, usize)>> {
        let Some(at) = self.index.find(record) else { return Ok(None) };
        let row = self.index.row(at)?;
        let layout = self.layout_at(at.segment(), row.layout)?;
        Ok(Some((row, layout)))
    }

    /// The place in `layouts` of a layout that a segment numbers so.
    pub fn layout_at(&self, segment: usize, number: u32) -> Result<usize> {
        let layout = self.layout_of.get(segment).and_then(|places| places.get(number as usize)).copied();
        layout.ok_or_else(|| Error::store("a row of the index has a layout that no segment names; run verify --repair"))
    }

    /// Per layout whether any record has it.
    pub fn used_layouts(&self) -> Result<Vec<bool>> {
        let mut used = vec![false; self.layouts.len()];
        for about in self.about.layouts.iter().filter(|about| about.n_records > 0) {
            let layout = about.layout()?;
            if let Some(place) = self.layouts.iter().position(|known| *known == layout) {
                used[place] = true;
            }
        }
        Ok(used)
    }

    /// The contact of a record that the base has.
    pub fn contact_if_known(&self, record: i64) -> Result<Option<i64>> {
        self.index.find(record).map(|_| self.contact(record)).transpose()
    }

    /// The edits of a record.
    pub fn edits(&self, record: i64) -> Result<Vec<Edit>> {
        decode_edits(self.index.list(list::EDITS, record)?)
    }
}

/// Rows of several layouts on their way to columns.
pub struct CellsCollector<'a> {
    builders: BTreeMap<usize, (CellsBuilder, Vec<i64>)>,
    layouts: &'a [SourceLayout],
}

impl<'a> CellsCollector<'a> {
    pub fn new(layouts: &'a [SourceLayout]) -> Self {
        Self { builders: BTreeMap::new(), layouts }
    }

    pub fn push(&mut self, layout: usize, record: i64, cells: &[u8], take: &mut TakeCells<'_>) -> Result<()> {
        let damaged = || Error::store("the cells of a record in the index are damaged; run verify --repair");
        let n_columns = self.layouts.get(layout).ok_or_else(damaged)?.columns.len();
        let (builder, ids) = self.builders.entry(layout).or_insert_with(|| (CellsBuilder::new(n_columns), Vec::new()));
        builder.push(cells).ok_or_else(damaged)?;
        ids.push(record);
        if builder.len() >= BATCH_ROWS
            && let Some((builder, ids)) = self.builders.remove(&layout)
        {
            take(layout, &ids, builder.finish().ok_or_else(damaged)?)?;
        }
        Ok(())
    }

    pub fn finish(self, take: &mut TakeCells<'_>) -> Result<()> {
        for (layout, (builder, ids)) in self.builders {
            let columns =
                builder.finish().ok_or_else(|| Error::store("the cells of a record in the index are damaged; run verify --repair"))?;
            take(layout, &ids, columns)?;
        }
        Ok(())
    }
}

impl KnownIndex {
    /// Hands the cells of records to a collector, in the order in which they lie in the files, which is let go of behind.
    pub fn collect(&self, records: &[i64], collector: &mut CellsCollector<'_>, take: &mut TakeCells<'_>) -> Result<()> {
        for some in records.chunks(READ_AT_ONCE) {
            let mut rows = Vec::with_capacity(some.len());
            for record in some {
                let (row, layout) = self.row(*record)?.ok_or_else(|| Error::internal("a record that is not known was asked for"))?;
                rows.push((row.cells, layout, *record));
            }
            rows.sort_unstable_by_key(|(cells, _, _)| cells.as_ptr() as usize);
            for (cells, layout, record) in rows {
                collector.push(layout, record, cells, take)?;
            }
            if some.len() >= RELEASE_FROM {
                Known::release(self);
            }
        }
        Ok(())
    }
}

impl Cells for KnownIndex {
    fn read(&self, records: &[i64], take: &mut TakeCells<'_>) -> Result<()> {
        let mut collector = CellsCollector::new(&self.layouts);
        self.collect(records, &mut collector, take)?;
        collector.finish(take)
    }
}

impl Known for KnownIndex {
    fn facts(&self, record: i64) -> Result<Option<KnownFacts>> {
        let Some(at) = self.index.find(record) else { return Ok(None) };
        let (content, first_run, run) = self.index.facts(at);
        Ok(Some(KnownFacts { content, first_run, run }))
    }

    fn with_content(&self, content: u64, found: &mut Vec<i64>) -> Result<()> {
        self.index.each_with_content(content, |record| found.push(record))
    }

    fn with_key(&self, rule: usize, key: u32, found: &mut Vec<i64>) -> Result<()> {
        self.index.each_with_key(rule, key, false, |record| found.push(record))
    }

    fn with_wide_key(&self, rule: usize, key: u32, most: usize, found: &mut Vec<i64>) -> Result<()> {
        self.index.each_with_key(rule, key, true, |record| {
            if found.len() < most {
                found.push(record);
            }
        })
    }

    fn edges(&self, record: i64, found: &mut Vec<(i64, i32)>) -> Result<()> {
        found.extend(self.index.list(list::EDGES, record)?.chunks_exact(2).map(|pair| (pair[0] as i64, pair[1] as u32 as i32)));
        Ok(())
    }

    fn decisions(&self, record: i64, found: &mut Vec<(i64, Verdict)>) -> Result<()> {
        let verdict = |number: u64| if number == 1 { Verdict::Same } else { Verdict::Different };
        found.extend(self.index.list(list::DECISIONS, record)?.chunks_exact(2).map(|pair| (pair[0] as i64, verdict(pair[1]))));
        Ok(())
    }

    fn contact(&self, record: i64) -> Result<i64> {
        Ok(self.index.list(list::CONTACT, record)?.first().map_or(record, |contact| *contact as i64))
    }

    fn members(&self, contact: i64, found: &mut Vec<i64>) -> Result<()> {
        let members = self.index.list(list::MEMBERS, contact)?;
        if members.is_empty() {
            found.push(contact);
        } else {
            found.extend(members.iter().map(|member| *member as i64));
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.about.n_records == 0
    }

    fn release(&self) {
        self.index.release();
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct EditJson(String, Option<String>, String, i64);

/// Edits as words: the number of bytes, then the bytes of a JSON text, eight to a word.
pub fn encode_edits(edits: &[Edit]) -> Result<Vec<u64>> {
    if edits.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<EditJson> =
        edits.iter().map(|edit| EditJson(edit.column.clone(), edit.value.clone(), edit.origin.clone(), edit.order)).collect();
    let bytes = serde_json::to_vec(&rows).map_err(|error| Error::internal(error.to_string()))?;
    let word = |chunk: &[u8]| chunk.iter().enumerate().fold(0u64, |word, (place, byte)| word | u64::from(*byte) << (8 * place));
    Ok(std::iter::once(bytes.len() as u64).chain(bytes.chunks(8).map(word)).collect())
}

fn decode_edits(words: &[u64]) -> Result<Vec<Edit>> {
    let Some((len, words)) = words.split_first() else { return Ok(Vec::new()) };
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(usize::try_from(*len).unwrap_or(usize::MAX));
    let rows: Vec<EditJson> =
        serde_json::from_slice(&bytes).map_err(|_| Error::store("the edits of a record in the index are damaged; run verify --repair"))?;
    Ok(rows.into_iter().map(|EditJson(column, value, origin, order)| Edit { column, value, origin, order }).collect())
}
