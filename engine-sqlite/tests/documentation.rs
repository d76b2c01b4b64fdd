//! What the README and the descriptor say against what is so.

use engine_api::Engine;
use engine_sqlite::SQLITE;

#[test]
fn the_readme_has_the_table_of_options() {
    let table = conformance::options_markdown(SQLITE.descriptor());
    assert!(include_str!("../README.md").contains(&table), "the table is now\n{table}");
}

#[test]
fn the_readme_has_the_limits_that_are_declared() {
    let readme = include_str!("../README.md");
    let limits = SQLITE.descriptor().capabilities.limits;
    assert!(readme.contains("65,535 bytes") && limits.key_bytes == Some(65_535));
    assert!(readme.contains("999,999,993 bytes") && limits.value_bytes == Some(999_999_993));
    assert!(readme.contains("100 unless told otherwise") && limits.views == Some(100));
}

#[test]
fn the_descriptor_states_the_version_that_is_linked() {
    assert_eq!(SQLITE.descriptor().version.to_string(), rusqlite::version());
}
