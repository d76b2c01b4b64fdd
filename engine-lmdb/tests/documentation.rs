//! What the README and the descriptor say against what is so.

use engine_api::Engine;
use engine_lmdb::LMDB;

#[test]
fn the_readme_has_the_table_of_options() {
    let table = conformance::options_markdown(LMDB.descriptor());
    assert!(include_str!("../README.md").contains(&table), "the table is now\n{table}");
}

#[test]
fn the_descriptor_states_the_version_that_is_linked() {
    let linked = heed::lmdb_version();
    let stated = &LMDB.descriptor().version;
    let parts = [linked.major, linked.minor, linked.patch].map(|part| u64::try_from(part).unwrap());
    assert_eq!([stated.major, stated.minor, stated.patch], parts);
    assert!(include_str!("../README.md").contains(&format!("LMDB](http://www.lmdb.tech/doc/) {stated}")));
}
