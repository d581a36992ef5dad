//! Reads one file in a child process of 2 GiB and 20 s and says what came of it.
use std::path::Path;
use std::process::Command;

use crm_core::{ErrorKind, NoControl};
use crm_files::{ReadOptions, open_path};

/// What became of a file.
#[derive(Debug)]
pub enum Outcome {
    /// Rows per sheet, and the peak of the process in KiB.
    Read { summary: String, peak_kib: u64 },
    /// A clear error.
    Refused { message: String, peak_kib: u64 },
    /// Anything else: an abort, a panic, a hang, an accounting that does not add up.
    Broken(#[allow(dead_code, reason = "shown by Debug")] String),
}

/// The child: does nothing unless it was started by [`probe`].
#[test]
fn probe_child() {
    let Ok(file) = std::env::var("CRM_PROBE_FILE") else { return };
    let path = Path::new(&file);
    let outcome = match path.extension().unwrap_or_default().to_string_lossy().strip_prefix("mutate-") {
        Some(extension) => crate::mutate::read_mutations(path, extension),
        None => read_all(path),
    };
    let peak = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| Some(status.lines().find(|line| line.starts_with("VmHWM"))?.split_whitespace().nth(1)?.to_owned()))
        .unwrap_or_else(|| "0".to_owned());
    println!("\nPROBE {peak} {}", outcome.replace(['\n', '\r'], " "));
}

/// Reads every sheet of a file, hidden ones included, and checks the accounting.
pub fn read_all(file: &Path) -> String {
    let mut summary = String::new();
    let mut readers = match open_path(file, &ReadOptions::default(), &NoControl) {
        Ok(readers) => readers,
        Err(error) => return refusal(&error),
    };
    for reader in &mut readers {
        let (mut yielded, mut rejected, mut skipped) = (0, 0, 0);
        loop {
            match reader.next_batch(&NoControl) {
                Ok(Some(batch)) => {
                    assert_eq!(batch.batch.num_rows(), batch.source_rows.len());
                    yielded += batch.batch.num_rows() as u64;
                    rejected += batch.rejects.len() as u64;
                    skipped += batch.skipped.len() as u64;
                }
                Ok(None) => break,
                Err(error) => return refusal(&error),
            }
        }
        let counts = reader.report().counts;
        assert_eq!((counts.yielded, counts.rejected, counts.skipped), (yielded, rejected, skipped));
        assert_eq!(counts.rows_in, yielded + rejected + skipped);
        summary += &format!("[{}x{yielded}+{rejected}+{skipped}]", reader.schema().fields().len());
    }
    format!("read {summary}")
}

fn refusal(error: &crm_core::Error) -> String {
    match error.kind() {
        ErrorKind::FileFormat { .. } => format!("refused {}", error.message()),
        other => format!("wrong error {other:?} {}", error.message()),
    }
}

/// Reads `file` in a child process.
pub fn probe(file: &Path) -> Outcome {
    let program = std::env::current_exe().expect("a test knows its program");
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 2097152; ulimit -t 20; exec \"$0\" probe::probe_child --exact --nocapture --test-threads=1"])
        .arg(program)
        .env("CRM_PROBE_FILE", file)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("sh can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("PROBE "));
    let Some((peak, result)) = line.and_then(|line| line.split_once(' ')).filter(|_| output.status.success()) else {
        return Outcome::Broken(format!("{:?} {text} {}", output.status, String::from_utf8_lossy(&output.stderr)));
    };
    let peak_kib = peak.parse().unwrap_or(0);
    match result.split_once(' ') {
        Some(("read", summary)) => Outcome::Read { summary: summary.to_owned(), peak_kib },
        Some(("refused", message)) => Outcome::Refused { message: message.to_owned(), peak_kib },
        _ => Outcome::Broken(result.to_owned()),
    }
}
