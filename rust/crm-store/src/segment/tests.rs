use proptest::prelude::*;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("crm-store-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write(folder: &Path, numbers: &[u64], text: &[u8]) -> PathBuf {
    let mut writer = SegmentWriter::create(folder).unwrap();
    writer.begin((7, 0)).unwrap();
    writer.write(text).unwrap();
    writer.end().unwrap();
    writer.section((1, 2), numbers).unwrap();
    folder.join(writer.finish("000001").unwrap())
}

#[test]
fn sections_come_back() {
    let folder = Folder::new("whole");
    let segment = Segment::open(&write(&folder.0, &[1, u64::MAX], b"abc")).unwrap();
    assert_eq!(segment.values::<u64>((1, 2)).unwrap().as_ref(), [1, u64::MAX]);
    assert_eq!(segment.bytes((7, 0)).as_slice(), b"abc");
    assert!(segment.values::<u64>((9, 9)).unwrap().is_empty());
    assert!(segment.values::<u64>((7, 0)).is_err());
    assert_eq!(segment.numbers(1), [2]);
    segment.verify().unwrap();
}

#[test]
fn a_writer_that_is_dropped_leaves_no_file() {
    let folder = Folder::new("dropped");
    let mut writer = SegmentWriter::create(&folder.0).unwrap();
    writer.section((1, 2), &[1u64]).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn a_missing_file_and_an_empty_one_are_store_errors() {
    let folder = Folder::new("missing");
    let path = folder.0.join("x.idx");
    assert!(matches!(Segment::open(&path).unwrap_err().kind(), crm_core::ErrorKind::Store));
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(Segment::open(&path).unwrap_err().kind(), crm_core::ErrorKind::Store));
}

proptest! {
    /// One byte changed anywhere, or the end cut off: opening or verifying says so, unless the byte is padding.
    #[test]
    fn damage_is_found(at in 0usize..400, bit in 0u8..8, cut in prop::bool::ANY) {
        let folder = Folder::new(&format!("damage-{at}-{bit}-{cut}"));
        let path = write(&folder.0, &[1, 2, 3, 4, 5, 6, 7, 8, 9], b"some text");
        let mut bytes = std::fs::read(&path).unwrap();
        let whole = bytes.clone();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        std::fs::write(&path, &bytes).unwrap();
        match Segment::open(&path).and_then(|segment| segment.verify()) {
            Err(error) => prop_assert!(matches!(error.kind(), crm_core::ErrorKind::Store)),
            // Between sections lies padding, which nobody reads.
            Ok(()) => prop_assert!(!cut && whole[at] == 0),
        }
    }
}
