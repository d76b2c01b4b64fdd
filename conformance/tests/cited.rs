//! The cases that documentation cites are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_case_that_is_cited_is_in_the_catalogue() {
    let ids: BTreeSet<_> = conformance::catalogue().map(|case| case.id).collect();
    let groups: BTreeSet<_> = conformance::catalogue().map(conformance::Case::group).collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![here.join("README.md")];
    sources(&here.join("../engine-api/src"), &mut files).unwrap();
    let mut cited: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for quoted in text.split('`') {
            let Some((group, name)) = quoted.split_once('.') else { continue };
            let kebab = name.contains('-')
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            if groups.contains(group) && kebab {
                cited.insert(quoted.to_owned(), file.clone());
            }
        }
    }
    assert!(cited.len() >= 20, "the contract cites its cases: {cited:?}");
    for (id, file) in cited {
        assert!(ids.contains(id.as_str()), "{} cites {id}, which is no case", file.display());
    }
}
