use std::path::PathBuf;

/// A file of the shared corpora, or `None` with a loud note where they are absent.
pub(super) fn corpus(path: &str) -> Option<String> {
    let mut roots: Vec<PathBuf> = std::env::var_os("CRM_SHARED").map(PathBuf::from).into_iter().collect();
    let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    roots.extend(checkout.ancestors().skip(1).take(5).map(|parent| parent.join("shared")));
    let found = roots.iter().map(|root| root.join("corpora").join(path)).find(|file| file.is_file());
    match found {
        Some(file) => std::fs::read_to_string(file).ok(),
        None => {
            eprintln!("SKIPPED: shared/corpora/{path} is not beside the checkout; set CRM_SHARED");
            None
        }
    }
}
