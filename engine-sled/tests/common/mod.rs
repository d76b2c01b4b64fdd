//! What the tests share.

#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use engine_api::{Config, Engine, Store};
use engine_sled::SLED;

pub(crate) fn config(path: &Path) -> Config {
    Config::new(SLED.descriptor()).at(path)
}

pub(crate) fn open(path: &Path) -> Box<dyn Store> {
    SLED.open(&config(path)).unwrap().store
}

/// The files of a folder and of those in it.
pub(crate) fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("blobs")).unwrap();
    for (path, bytes) in contents(from) {
        fs::write(to.join(path.strip_prefix(from).unwrap()), bytes).unwrap();
    }
}

/// A copy of a store as the end of the process would leave it now.
pub(crate) fn unclosed_copy(path: &Path) -> PathBuf {
    let to = path.with_extension("copy");
    if to.exists() {
        fs::remove_dir_all(&to).unwrap();
    }
    copy(path, &to);
    to
}
