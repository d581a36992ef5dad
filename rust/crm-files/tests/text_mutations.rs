//! A fuzzer that runs on stable: text files mutated at random, from fixed seeds. Each is read to its end, and every row is accounted for.
//!
//! `CRM_FUZZ_RUNS` says how many files (1,500 otherwise); a failure names the seed, which reproduces the file.
use std::io::Cursor;

use crm_core::NoControl;
use crm_files::{Format, ReadOptions, open_stream};

const SEEDS: [&str; 9] = [
    "id,name,email\n1,Anna,a@b.lv\n2,\"Smith, J\",j@s.com\n3,\"multi\nline\",x@y.z\n",
    "sep=;\r\nимя;сумма\r\nИван;1,5\r\nПётр;\"2,\"\"5\"\r\n",
    "Report\n\na\tb\tc\n1\t2\t3\n\nTotal\t\t3\n",
    "a|~|b\n'x|~|y'|~|2\n\\'z|~|3\n",
    "{\"a\":1,\"b\":[\"x\",null]}\n{\"a\":\"\\u00e9\",\"c\":{\"d\":1.50}}\n",
    "[{\"a\":1},{\"a\":\"]\"}]",
    "“a”,“b”\n“c, d”,“e”\n# note\n",
    "\u{feff}x,y\r1,2\r3,\"4\r",
    "1;2;3\n4;5;6\n7;8\n9;10;11;12\n",
];

/// A small generator of numbers: xorshift, the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn mutated(seed: u64) -> Vec<u8> {
    const MARKS: [&[u8]; 24] = [
        b"\"",
        b"'",
        b",",
        b";",
        b"\t",
        b"|",
        b"\n",
        b"\r",
        b"\r\n",
        b"\\",
        b"\0",
        b"\xFF",
        b"\xC3",
        b"\xEF\xBB\xBF",
        b"\xFF\xFE",
        b"#",
        b" ",
        b"{",
        b"}",
        b"]",
        b"\"\"",
        b"\xD0\x98",
        b"\x1F\x8B",
        b"=1+1",
    ];
    let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut bytes = SEEDS[numbers.below(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..numbers.below(4) {
        let copy = bytes.clone();
        bytes.extend_from_slice(&copy[..numbers.below(copy.len() + 1)]);
    }
    for _ in 0..1 + numbers.below(12) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(5) {
            0 => drop(bytes.splice(at..at, MARKS[numbers.below(MARKS.len())].iter().copied())),
            1 if at < bytes.len() => bytes[at] = numbers.below(256) as u8,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at.max(1)),
            _ => {
                let end = (at + numbers.below(20)).min(bytes.len());
                let piece = bytes[at.min(end)..end].to_vec();
                let to = numbers.below(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
        }
    }
    bytes
}

fn read(bytes: &[u8], format: Format, threads: usize) -> Option<(u64, u64)> {
    let options = ReadOptions { format: Some(format), threads: Some(threads), batch_rows: Some(7), ..ReadOptions::default() };
    let mut reader = open_stream("t", Box::new(Cursor::new(bytes.to_vec())), &options, &NoControl).ok()?.remove(0);
    let (mut n_rows, mut n_left_out) = (0, 0);
    loop {
        match reader.next_batch(&NoControl) {
            Ok(Some(text)) => {
                assert_eq!(text.batch.num_rows(), text.source_rows.len());
                n_rows += text.source_rows.len() as u64;
                n_left_out += (text.rejects.len() + text.skipped.len()) as u64;
            }
            Ok(None) => break,
            // A broken archive.
            Err(_) => return None,
        }
    }
    let counts = reader.report().counts;
    assert_eq!((counts.yielded, counts.rejected + counts.skipped), (n_rows, n_left_out));
    assert_eq!(counts.rows_in, n_rows + n_left_out);
    Some((n_rows, n_left_out))
}

#[test]
fn mutated_files_are_read_or_refused() {
    let n_runs = std::env::var("CRM_FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1_500);
    let mut n_read = 0;
    for seed in 0..n_runs {
        let bytes = mutated(seed);
        let outcome = std::panic::catch_unwind(|| {
            let one = read(&bytes, Format::Csv, 1);
            assert_eq!(one, read(&bytes, Format::Csv, 2));
            (one, read(&bytes, Format::Jsonl, 1))
        });
        let Ok((csv, _)) = outcome else { panic!("seed {seed}: {:?}", String::from_utf8_lossy(&bytes)) };
        n_read += usize::from(csv.is_some());
    }
    assert!(n_read * 10 > n_runs as usize * 8, "most mutated files are still text: {n_read} of {n_runs}");
}
