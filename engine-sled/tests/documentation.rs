//! What the README and the descriptor say against what is so.

use engine_api::Engine;
use engine_sled::SLED;

#[test]
fn the_readme_has_the_table_of_options() {
    let table = conformance::options_markdown(SLED.descriptor());
    assert!(include_str!("../README.md").contains(&table), "the table is now\n{table}");
}

#[test]
fn the_descriptor_states_the_version_that_is_linked() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let version = &SLED.descriptor().version;
    assert!(lock.contains(&format!("name = \"sled\"\nversion = \"{version}\"")), "it isn't {version}");
}
