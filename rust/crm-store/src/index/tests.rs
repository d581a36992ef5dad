use super::*;

fn facts(record_id: i64, content: u64, cells: (u64, u32)) -> RowFacts {
    RowFacts { record_id, version: 1, updated_at: i64::MIN, first_run: 1, run: 2, content, layout: 0, cells }
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("crm-index-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn the_newest_segment_says_what_holds() {
    let folder = folder("newest");
    let mut writer = IndexWriter::create(&folder).unwrap();
    let (a, b) = (writer.push_cells(b"aa").unwrap(), writer.push_cells(b"b").unwrap());
    assert_eq!(writer.map_cells().unwrap().as_slice(), b"aab");
    writer.end_cells().unwrap();
    writer.rows(&[facts(10, 7, (a, 2)), facts(20, 7, (b, 1))], &[]).unwrap();
    writer.postings(1, false, &[5 << 32, 5 << 32 | 1]).unwrap();
    writer.lists(0, &[10, 20], &[0, 1, 3], &[20, 10, 30]).unwrap();
    let first = writer.finish(1).unwrap();
    let mut writer = IndexWriter::create(&folder).unwrap();
    writer.end_cells().unwrap();
    writer.rows(&[], &[20]).unwrap();
    writer.lists(0, &[10], &[0, 0], &[]).unwrap();
    let second = writer.finish(2).unwrap();

    let index = KeyIndex::open(&folder, std::slice::from_ref(&first)).unwrap();
    let with_key = |index: &KeyIndex, rule: usize, key: u32| {
        let mut found = Vec::new();
        index.each_with_key(rule, key, false, |id| found.push(id)).unwrap();
        found
    };
    assert_eq!(with_key(&index, 1, 5), [10, 20]);
    assert_eq!(with_key(&index, 1, 6), [0i64; 0]);
    assert_eq!(with_key(&index, 9, 5), [0i64; 0]);
    assert_eq!(index.row(index.find(10).unwrap()).unwrap().cells, b"aa");
    assert_eq!(index.list(0, 20).unwrap(), [10, 30]);

    let index = index.with_segments(&[first, second]).unwrap();
    index.verify().unwrap();
    assert_eq!(with_key(&index, 1, 5), [10]);
    assert!(index.find(20).is_none() && index.find(30).is_none());
    let mut found = Vec::new();
    index.each_with_content(7, |id| found.push(id)).unwrap();
    assert_eq!(found, [10]);
    assert_eq!(index.list(0, 10).unwrap(), [0u64; 0]);
    let mut keys = Vec::new();
    index
        .each_list(0, |key, list| {
            keys.push((key, list.to_vec()));
            Ok(())
        })
        .unwrap();
    assert_eq!(keys, [(20, vec![10, 30])]);
    assert!(KeyIndex::open(&folder, &["../x".to_owned()]).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
