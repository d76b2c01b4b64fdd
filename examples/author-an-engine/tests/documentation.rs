//! What the docs say against what is so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers panic as its cases do")]

use std::fs;
use std::path::Path;

use author_an_engine::FJALL;
use engine_api::Engine;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Code is compared by its lines without what indents them, and without comments, which the walk-through replaces.
fn lines(code: &str) -> String {
    let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_walk_through_shows_what_the_files_hold() {
    let text = read("../../docs/authoring.md");
    let mut excerpts = text.split("<!-- from ");
    excerpts.next().unwrap();
    let mut shown = 0;
    for excerpt in excerpts {
        let (file, rest) = excerpt.split_once(" -->\n```rust,ignore\n").unwrap();
        let (code, _) = rest.split_once("```").unwrap();
        assert!(lines(&read(file)).contains(&lines(code)), "{file} hasn't got\n{code}");
        shown += 1;
    }
    assert!(shown > 5, "only {shown} excerpts were found");
}

#[test]
fn the_readme_has_the_table_of_options() {
    let table = conformance::options_markdown(FJALL.descriptor());
    assert!(read("README.md").contains(&table), "the table is now\n{table}");
}

#[test]
fn the_descriptor_states_the_version_that_is_linked() {
    let version = &FJALL.descriptor().version;
    assert!(
        read("Cargo.lock").contains(&format!("name = \"fjall\"\nversion = \"{version}\"")),
        "it isn't {version}"
    );
}
