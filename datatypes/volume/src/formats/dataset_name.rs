//! Names of datasets behind a file's name: `scan.h5:/entry/data`.

use std::path::{Path, PathBuf};

/// A file, and the dataset in it where the name says one. What is there under the whole name is a file of that name.
pub fn split_dataset(path: &Path) -> (PathBuf, Option<String>) {
    let whole = || (path.to_owned(), None);
    let Some(text) = path.to_str().filter(|_| !path.exists()) else { return whole() };
    let split = text.match_indices(":/").map(|(at, _)| text.split_at(at));
    let mut files = split.filter(|(file, _)| Path::new(file).is_file());
    files.next().map_or_else(whole, |(file, dataset)| (file.into(), Some(dataset[1..].to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_is_split_off_where_its_file_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.h5");
        std::fs::write(&file, b"").unwrap();
        let named = |name: &str| PathBuf::from(format!("{}{name}", file.display()));
        assert_eq!(split_dataset(&named(":/g/data:/x")), (file.clone(), Some("/g/data:/x".into())));
        assert_eq!(split_dataset(&file), (file.clone(), None));
        assert_eq!(split_dataset(&named("x:/g")), (named("x:/g"), None), "there is no file a.h5x");
        let odd = dir.path().join("b:");
        std::fs::create_dir(&odd).unwrap();
        std::fs::write(odd.join("c.h5"), b"").unwrap();
        assert_eq!(split_dataset(&odd.join("c.h5")), (odd.join("c.h5"), None));
        let inside = PathBuf::from(format!("{}:/d", odd.join("c.h5").display()));
        assert_eq!(split_dataset(&inside), (odd.join("c.h5"), Some("/d".into())));
    }
}
