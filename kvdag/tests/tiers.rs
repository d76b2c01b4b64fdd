//! Several stores as one, by the command: a file names them, and everything else is as with one.
#![cfg(all(
    feature = "cli",
    feature = "tiers",
    feature = "redb",
    feature = "lmdb",
    feature = "sqlite",
    feature = "sled"
))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{fail, run, succeed};
use conformance::{Options, Target};
use tempfile::tempdir;

const FILE: &str = r#"
[stores]
fast = "lmdb:fast.lmdb"
bulk = "redb:bulk.redb"
cold = "sqlite:cold.sqlite"

[tiers]
metadata = "fast"
mutable = "bulk"
immutable = "cold"

[[rule]]
datatype = "keyvalue"
mutable = "fast"
"#;

fn write(folder: &Path, text: &str) {
    fs::write(folder.join("brain.toml"), text).unwrap();
}

/// How many entries of data one of the stores holds.
fn count(folder: &Path, url: &str) -> usize {
    let scheme = url.split(':').next().unwrap();
    let path = folder.join(&url[scheme.len() + 1..]);
    let store = kvdag::registry().unwrap().open(&format!("{scheme}:{}", path.display())).unwrap().store;
    let data = kvdag::KeyRange::prefix(&[1]);
    usize::try_from(kvdag::ViewExt::count(&*store.view().unwrap(), &data).unwrap()).unwrap()
}

#[test]
fn data_goes_where_the_file_says_and_stays_readable_when_it_moves() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    write(at, FILE);
    succeed(at, &["init", "tiers:brain.toml"]);
    fail(at, &["init", "tiers:brain.toml"], 4, "there is a store already");
    succeed(at, &["put", "tiers:brain.toml", "soma", "at 120, 80, 33"]);
    fs::write(at.join("two.raw"), [1, 2]).unwrap();
    succeed(
        at,
        &["import", "tiers:brain.toml", "two.raw", "--shape", "1,1,2", "--dtype", "u8", "--name", "pair"],
    );
    let counts = || ["lmdb:fast.lmdb", "redb:bulk.redb", "sqlite:cold.sqlite"].map(|url| count(at, url));
    let [keys, chunks, none] = counts();
    assert!(keys == 1 && chunks > 0 && none == 0, "{keys} {chunks} {none}");

    fail(at, &["archive", "tiers:brain.toml"], 2, "must be committed");
    let commit =
        succeed(at, &["commit", "tiers:brain.toml", "--archive", "--next", "--format", "json"]).json();
    assert_eq!(commit["entries"], keys + chunks);
    assert_eq!(counts(), [0, 0, keys + chunks]);
    assert_eq!(succeed(at, &["get", "tiers:brain.toml", "soma"]).out, "at 120, 80, 33");
    succeed(at, &["export", "tiers:brain.toml", "pair", "out.raw"]);
    assert_eq!(fs::read(at.join("out.raw")).unwrap(), [1, 2]);
    succeed(at, &["put", "tiers:brain.toml", "soma", "elsewhere"]);
    assert_eq!(succeed(at, &["get", "tiers:brain.toml", "soma"]).out, "elsewhere");
    assert_eq!(succeed(at, &["get", "tiers:brain.toml", "soma", "--at", "main~"]).out, "at 120, 80, 33");
    succeed(at, &["check", "tiers:brain.toml"]);

    // Each alone, or in another's place, is no store.
    fail(at, &["archive", "redb:bulk.redb"], 2, "nowhere to archive to");
    write(at, &FILE.replace("bulk.redb", "new.redb"));
    fail(at, &["get", "tiers:brain.toml", "soma"], 3, "no store at this path");
    write(at, &FILE.replace("cold = \"sqlite:cold.sqlite\"", "cold = \"lmdb:fast.lmdb\""));
    fail(at, &["get", "tiers:brain.toml", "soma"], 2, "two names stand for one store");
    write(at, &FILE.replace("fast = \"lmdb:fast.lmdb\"", "fast = \"lmdb:other.lmdb\""));
    fail(at, &["get", "tiers:brain.toml", "soma"], 3, "no store at this path");
}

/// The file that the docs show is one that can be used.
#[test]
fn the_file_of_the_docs_opens() {
    let docs = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tiers.md")).unwrap();
    let (_, rest) = docs.split_once("```toml\n").unwrap();
    let (file, _) = rest.split_once("```").unwrap();
    let folder = tempdir().unwrap();
    write(folder.path(), file);
    succeed(folder.path(), &["init", "tiers:brain.toml"]);
    succeed(folder.path(), &["put", "tiers:brain.toml", "k", "v"]);
    assert_eq!(count(folder.path(), "lmdb:fast.lmdb"), 1, "keyvalue goes to the fast one");
}

#[test]
fn a_file_that_says_something_else_is_refused_with_its_line() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fail(at, &["info", "tiers:brain.toml"], 3, "the file that names the stores");
    for (text, words) in [
        ("", "missing field"),
        ("stores = 1", "line: 1"),
        ("[stores]\na = \"redb:a.redb\"\n[tiers]\nmutable = \"b\"", "no store has this name"),
        ("[stores]\na = \"nosuch:a\"\n[tiers]\nmutable = \"a\"", "schemes"),
        (
            "[stores]\na = \"redb:a.redb\"\n[tiers]\nmutable = \"a\"\nimutable = \"a\"",
            "unknown field `imutable`",
        ),
        (
            "[stores]\na = \"redb:a.redb\"\n[tiers]\nmutable = \"a\"\n[[rule]]\nmutable = \"a\"",
            "a rule has one of",
        ),
        (
            "[stores]\na = \"sled:a.sled\"\nb = \"redb:b.redb\"\n[tiers]\nmutable = \"a\"\nimmutable = \"b\"",
            "snapshots",
        ),
    ] {
        write(at, text);
        let run = run(at, &["init", "tiers:brain.toml"]);
        assert!(run.code != 0 && run.err.contains(words), "{text:?}: {}", run.err);
    }
    let left: Vec<_> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.len() <= 3, "{left:?}");
}

#[test]
fn history_over_several_stores_is_cleaned_and_moved_as_over_one() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "tiers:brain.toml");
    // All of it in stores of their own, the metadata too.
    write(at, &FILE.replace("keyvalue", "other"));
    succeed(at, &["init", store]);
    for value in ["1", "2", "3", "4"] {
        succeed(at, &["put", store, "k", value]);
        succeed(at, &["put", store, value, value]);
        let archive: &[&str] = if value == "4" { &[] } else { &["--archive"] };
        succeed(at, &[&["commit", store, "--next"], archive].concat());
    }
    let value = |version: &str| succeed(at, &["get", store, "k", "--at", version]).out;
    assert_eq!(["main~4", "main~3", "main~2", "main~"].map(value), ["1", "2", "3", "4"]);
    let entries = || count(at, "redb:bulk.redb") + count(at, "sqlite:cold.sqlite");
    assert_eq!(entries(), 8);

    succeed(at, &["squash", store, "main~3", "main~2"]);
    assert_eq!(["main~3", "main~2", "main~"].map(value), ["1", "3", "4"]);
    assert_eq!(entries(), 7, "one value of k less");
    succeed(at, &["branch", store, "side", "--from", "main~"]);
    succeed(at, &["put", store, "k", "other", "--at", "side"]);
    succeed(at, &["branch", store, "--delete", "side"]);
    assert_eq!(entries(), 7);
    succeed(at, &["gc", store, "--keep-since", "0s", "--yes"]);
    assert_eq!(value("main"), "4");
    assert_eq!(entries(), 5, "k once, and the four others");
    succeed(at, &["check", store]);

    succeed(at, &["commit", store]);
    succeed(at, &["bundle", "create", store, "all.kvb"]);
    fs::write(
        at.join("other.toml"),
        FILE.replace("fast.lmdb", "f.lmdb").replace("bulk.", "b.").replace("cold.", "c."),
    )
    .unwrap();
    succeed(at, &["bundle", "apply", "tiers:other.toml", "all.kvb", "--create"]);
    assert_eq!(succeed(at, &["get", "tiers:other.toml", "k"]).out, "4");
    succeed(at, &["check", "tiers:other.toml"]);
}

#[test]
fn one_process_has_the_stores_open() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    write(at, FILE);
    succeed(at, &["init", "tiers:brain.toml"]);
    let url = format!("tiers:{}", at.join("brain.toml").display());
    let held = kvdag::open_versioned(&url).unwrap();
    fail(at, &["put", "tiers:brain.toml", "k", "v"], 6, "open elsewhere");
    drop(held);
    succeed(at, &["put", "tiers:brain.toml", "k", "v"]);
}

/// Everything that the kit says of versions holds of several stores too.
#[test]
fn versions_over_several_stores_conform() {
    let target = Target::new(&kvdag::tiers::TIERS, |folder| {
        let path = folder.join("stores.toml");
        if !path.exists() {
            let text = FILE.replace("lmdb:fast.lmdb", "memory:").replace("redb:bulk.redb", "memory:");
            let text = text.replace("sqlite:cold.sqlite", "memory:").replace("keyvalue", "other");
            fs::write(&path, text).unwrap();
        }
        format!("tiers:{}", path.display())
    });
    // A copy writes whole ranges of a store, wherever they go; several stores are cloned to, not copied to.
    let mut options = Options::new().only("versioned.");
    for case in [
        "copy-keeps-every-version",
        "reads-in-ten-thousand-versions-cost-what-they-cost-in-ten",
        "entries-of-others-are-sought-past",
    ] {
        options = options.waive(format!("versioned.{case}"), "its batches are for several stores");
    }
    let report = conformance::run(&target, &options);
    assert!(report.is_success(), "{}", report.to_text());
    assert!(report.passed > 30, "{}", report.to_text());
}
