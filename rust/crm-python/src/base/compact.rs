//! All segments made one, without what no longer counts.
use std::path::Path;

use crm_core::{Control, Error, Result};
use crm_store::index::{IndexWriter, RowFacts, section};
use hashbrown::HashSet;

use super::about::About;
use super::known::{KnownIndex, list};

/// Marks a row that does not go into the new segment.
const LEFT_OUT: u32 = u32::MAX;

/// Writes one segment with all that counts and returns its name. Of records that are gone nothing goes into it, and of `erased` ones not
/// even what was decided on them.
pub fn compact(known: &KnownIndex, erased: &[i64], control: &dyn Control) -> Result<String> {
    let erased: HashSet<i64> = erased.iter().copied().collect();
    remove_left_over(known.index.folder())?;
    let mut writer = IndexWriter::create(known.index.folder())?;
    let (rows, layouts) = copy_rows(known, &erased, &mut writer, control)?;
    writer.end_cells()?;
    let facts: Vec<RowFacts> = rows.iter().map(|(facts, _, _)| *facts).collect();
    writer.rows(&facts, &[])?;
    copy_postings(known, &rows, &mut writer, control)?;
    let is_there = |record: i64| facts.binary_search_by_key(&record, |facts| facts.record_id).is_ok();
    for number in [list::CONTACT, list::MEMBERS, list::EDGES, list::DECISIONS, list::EDITS] {
        let (mut keys, mut offsets, mut values) = (Vec::new(), vec![0u64], Vec::new());
        known.index.each_list(number, |key, list| {
            control.check()?;
            // Decisions outlive the records that they are on, until these are erased.
            if erased.contains(&key) || (number != list::DECISIONS && !is_there(key)) {
                return Ok(());
            }
            let before = values.len();
            match number {
                list::EDGES => values.extend(list.chunks_exact(2).filter(|pair| is_there(pair[0] as i64)).flatten()),
                list::DECISIONS => values.extend(list.chunks_exact(2).filter(|pair| !erased.contains(&(pair[0] as i64))).flatten()),
                list::CONTACT if list.first().is_some_and(|contact| *contact as i64 == key) => {}
                _ => values.extend_from_slice(list),
            }
            if values.len() > before {
                keys.push(key);
                offsets.push(values.len() as u64);
            }
            Ok(())
        })?;
        writer.lists(number, &keys, &offsets, &values)?;
    }
    if let Some(model) = known.index.newest(section::MODEL) {
        writer.bytes(section::MODEL, &model)?;
    }
    let about = About { layouts, n_records: facts.len() as u64, ..known.about.clone() };
    writer.bytes(section::ABOUT, &about.to_json()?)?;
    control.check()?;
    let run = facts.iter().map(|facts| facts.run).max().unwrap_or(0);
    writer.finish(run)
}

type CopiedRow = (RowFacts, u32, u32);

/// Copies the rows that count, sorted by record, each with its segment and place before; and the layouts that they have.
fn copy_rows(
    known: &KnownIndex,
    erased: &HashSet<i64>,
    writer: &mut IndexWriter,
    control: &dyn Control,
) -> Result<(Vec<CopiedRow>, Vec<super::about::LayoutAbout>)> {
    let mut counts = vec![0u64; known.layouts.len()];
    let mut rows: Vec<CopiedRow> = Vec::new();
    known.index.each_row(|at, row| {
        if rows.len().is_multiple_of(8192) {
            control.check()?;
        }
        if erased.contains(&row.record_id) {
            return Ok(());
        }
        let layout = known.layout_at(at.segment(), row.layout)?;
        counts[layout] += 1;
        let facts = RowFacts {
            record_id: row.record_id,
            version: row.version,
            updated_at: row.updated_at,
            first_run: row.first_run,
            run: row.run,
            content: row.content,
            layout: layout as u32,
            cells: (writer.push_cells(row.cells)?, row.cells.len() as u32),
        };
        rows.push((facts, at.segment() as u32, at.place() as u32));
        Ok(())
    })?;
    rows.sort_unstable_by_key(|(facts, _, _)| facts.record_id);
    let mut numbers = vec![0u32; counts.len()];
    let mut layouts = Vec::new();
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        numbers[place] = layouts.len() as u32;
        layouts.push(super::about::LayoutAbout::new(&known.layouts[place], *count));
    }
    rows.iter_mut().for_each(|(facts, _, _)| facts.layout = numbers[facts.layout as usize]);
    Ok((rows, layouts))
}

fn copy_postings(known: &KnownIndex, rows: &[CopiedRow], writer: &mut IndexWriter, control: &dyn Control) -> Result<()> {
    let segments = known.index.segments();
    let mut new_place: Vec<Vec<u32>> = segments.iter().map(|segment| vec![LEFT_OUT; segment.rows().len()]).collect();
    for (place, (_, segment, old)) in rows.iter().enumerate() {
        new_place[*segment as usize][*old as usize] = place as u32;
    }
    let n_rules = segments.iter().map(|segment| segment.n_rules()).max().unwrap_or(0);
    for rule in 0..n_rules {
        for is_wide in [false, true] {
            control.check()?;
            let mut entries = Vec::new();
            for (segment, places) in segments.iter().zip(&new_place) {
                for entry in segment.postings(rule, is_wide) {
                    let place = places.get(*entry as u32 as usize).copied();
                    let place = place.ok_or_else(|| Error::store("a posting of the index points nowhere; run verify --repair"))?;
                    if place != LEFT_OUT {
                        entries.push(*entry & !0xffff_ffff | u64::from(place));
                    }
                }
            }
            entries.sort_unstable();
            writer.postings(rule, is_wide, &entries)?;
        }
    }
    Ok(())
}

/// Removes what writers left that did not come to an end; who compacts is the only writer.
fn remove_left_over(folder: &Path) -> Result<()> {
    let os = |error: std::io::Error| Error::os(&error, folder.display().to_string());
    for entry in std::fs::read_dir(folder).map_err(os)? {
        let entry = entry.map_err(os)?;
        let is_ours = format!(".writing-{}-", std::process::id());
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(".writing-") && !name.starts_with(&is_ours) {
            std::fs::remove_file(entry.path()).map_err(os)?;
        }
    }
    Ok(())
}
