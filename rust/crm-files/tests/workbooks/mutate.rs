//! Real workbooks with a few bytes changed, again and again, always the same ones.
//!
//! `CRM_MUTATIONS` says how many per format; `CRM_LONG=1` means 3,000.
use std::io::{Cursor, Read, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;

use crate::build::Scratch;
use crate::corpora::shared;
use crate::probe::{Outcome, probe, read_all};

const SEEDS: [&str; 12] = [
    "calamine/tests/date.xlsx",
    "calamine/tests/issues.xlsx",
    "calamine/tests/pivots.xlsx",
    "calamine/tests/date.xls",
    "calamine/tests/issues.xls",
    "calamine/tests/biff5_write.xls",
    "calamine/tests/date.xlsb",
    "calamine/tests/issues.xlsb",
    "calamine/tests/issue_186.xlsb",
    "calamine/tests/date.ods",
    "calamine/tests/issues.ods",
    "calamine/tests/merged_cells.ods",
];

/// xorshift64: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

#[test]
fn mutations_are_read_or_refused() {
    let Some(shared) = shared() else {
        eprintln!("skipped: the corpora are not there (set CRM_SHARED)");
        return;
    };
    let is_long = std::env::var("CRM_LONG").is_ok_and(|long| long == "1");
    let wanted = std::env::var("CRM_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(if is_long { 3000 } else { 60 });
    let mut n_done = 0;
    for seed in SEEDS {
        let path = shared.join("corpora").join(seed);
        if !path.exists() {
            continue;
        }
        // One child reads a thousand of them: what it does with each is either fine or the end of it.
        for first in (0..wanted).step_by(1000) {
            let list = format!("{}\n{first}\n{}", path.display(), wanted.min(first + 1000));
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let order = Scratch::new(&format!("{}.{first}.mutate-{extension}", seed.replace('/', "-")), list.as_bytes());
            match probe(&order.0) {
                Outcome::Read { peak_kib, .. } => assert!(peak_kib < 512 << 10, "{seed}: {peak_kib} KiB"),
                other => panic!("{seed} from {first}: {other:?}"),
            }
        }
        n_done += wanted;
    }
    eprintln!("{n_done} mutated workbooks read or refused");
}

/// In the child: reads the mutations that a list asks for.
pub fn read_mutations(order: &Path, extension: &str) -> String {
    let text = std::fs::read_to_string(order).expect("the order can be read");
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let (path, first, last) = (next(), next().parse::<u64>().unwrap_or(0), next().parse::<u64>().unwrap_or(0));
    let original = std::fs::read(&path).expect("the seed can be read");
    let mut n_read = 0;
    for number in first..last {
        let mutated = mutated(&original, number);
        let file = Scratch::new(&format!("mutated.{extension}"), &mutated);
        let outcome = std::panic::catch_unwind(|| read_all(&file.0));
        match outcome {
            Ok(outcome) if outcome.starts_with("wrong") => return format!("wrong mutation {number}: {outcome}"),
            Ok(outcome) => n_read += u64::from(outcome.starts_with("read")),
            Err(_) => return format!("wrong mutation {number} panicked"),
        }
    }
    format!("read {n_read}")
}

fn mutated(original: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    // Of packages mostly a part is changed: changed packed bytes end at the checksum.
    if original.starts_with(b"PK") && random.below(4) != 0 {
        return with_changed_part(original, &mut random);
    }
    let mut bytes = original.to_vec();
    change(&mut bytes, &mut random);
    bytes
}

fn with_changed_part(original: &[u8], random: &mut Random) -> Vec<u8> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(original)) else { return original.to_vec() };
    let chosen = random.below(archive.len());
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let Ok(mut entry) = archive.by_index(index) else { continue };
        let name = entry.name().map(|name| name.into_owned()).unwrap_or_default();
        let mut bytes = Vec::new();
        let _ = entry.read_to_end(&mut bytes);
        if index == chosen || name.contains("sheet1") && random.below(2) == 0 || name == "content.xml" {
            change(&mut bytes, random);
        }
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        if zip.start_file(name, options).is_ok() {
            let _ = zip.write_all(&bytes);
        }
    }
    zip.finish().map_or_else(|_| original.to_vec(), Cursor::into_inner)
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 0xff, 0x7f, 0x80, b'<', b'>', b'"', b'9'][random.below(8)],
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + 1 + random.below(64)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            5 => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            6 => {
                // A digit becomes many: counts and places grow.
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes.splice(at + digit..=at + digit, b"99999999999".iter().copied().take(1 + random.below(11)));
                }
            }
            _ => bytes[at] = random.below(256) as u8,
        }
    }
}
