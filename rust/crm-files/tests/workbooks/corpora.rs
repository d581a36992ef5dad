//! Every workbook of the public corpora gives a result or a `FileFormatError`.
use std::path::{Path, PathBuf};

use crate::probe::{Outcome, probe};

const MAX_PEAK_KIB: u64 = 512 << 10;

#[test]
fn corpora_are_read_or_refused() {
    let Some(shared) = shared() else {
        eprintln!("skipped: the corpora are not there (set CRM_SHARED)");
        return;
    };
    let mut files = Vec::new();
    for corpus in ["calamine", "poi"] {
        collect(&shared.join("corpora").join(corpus), &mut files);
    }
    files.sort();
    let (mut n_read, mut n_refused, mut broken) = (0, 0, Vec::new());
    for file in &files {
        match probe(file) {
            Outcome::Read { summary, peak_kib } if peak_kib <= MAX_PEAK_KIB => {
                n_read += 1;
                tell(file, &summary, peak_kib);
            }
            Outcome::Refused { message, peak_kib } if peak_kib <= MAX_PEAK_KIB => {
                n_refused += 1;
                tell(file, &message, peak_kib);
            }
            other => broken.push(format!("{}: {other:?}", file.display())),
        }
    }
    eprintln!("{} files: {n_read} read, {n_refused} refused, {} broken", files.len(), broken.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(n_read > 650, "only {n_read} could be read");
}

fn tell(file: &Path, outcome: &str, peak_kib: u64) {
    if std::env::var_os("CRM_PROBE_VERBOSE").is_some() {
        eprintln!("{peak_kib:>7} KiB {}: {outcome}", file.display());
    }
}

/// The public data, which lies beside the checkout.
pub fn shared() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("CRM_SHARED") {
        return Some(PathBuf::from(given));
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().skip(2).take(4).map(|parent| parent.join("shared")).find(|shared| shared.join("corpora").is_dir())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_none_or(|extension| extension.to_string_lossy().starts_with(['x', 'o', 'b'])) {
            files.push(path);
        }
    }
}
