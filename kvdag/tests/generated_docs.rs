//! Docs that are generated from the code are what the code says now.
//!
//! `KVDAG_UPDATE_DOCS=1 cargo test -p kvdag --test generated_docs` writes them anew.
#![cfg(all(feature = "cli", feature = "redb", feature = "sled", feature = "sqlite", feature = "lmdb"))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn generate(arguments: &[&str]) -> String {
    common::succeed(&repository(), arguments).out
}

/// Compares a file with what it should be, or writes it.
fn check(file: &str, expected: &str) {
    let path = repository().join(file);
    if std::env::var_os("KVDAG_UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{file} is stale; KVDAG_UPDATE_DOCS=1 cargo test -p kvdag --test generated_docs"
    );
}

#[test]
fn the_command_manual() {
    check("docs/command.md", &generate(&["manual"]));
}

#[test]
fn the_conformance_cases() {
    check("CONFORMANCE.md", &generate(&["conformance", "--list"]));
}

#[test]
fn the_guide_to_the_engines() {
    let engines = generate(&["engines", "--markdown"]);
    // A run of the whole kit, on every engine: what the table says is so.
    let levels = generate(&["conformance", "--all", "--markdown"]);
    check("ENGINES.md", &format!("{engines}\n{levels}"));
}

#[test]
fn the_table_of_engines_in_the_readme() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let begin = "<!-- generated: `kvdag engines --markdown table` -->\n";
    let (before, rest) = readme.split_once(begin).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let table = generate(&["engines", "--markdown", "table"]);
    check("README.md", &format!("{before}{begin}{table}<!-- end -->{after}"));
}
