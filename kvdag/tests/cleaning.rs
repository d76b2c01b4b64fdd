//! The commands that clean and shorten history.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::path::Path;

use common::{ENGINES, fail, run, succeed};
use tempfile::tempdir;

/// A store with `versions` committed versions on `main`, each with a value of `k` and a key of its own.
fn store(at: &Path, store: &str, versions: usize) {
    succeed(at, &["init", store, "--repo", "atlas"]);
    for version in 1..=versions {
        succeed(at, &["put", store, "k", &version.to_string()]);
        succeed(at, &["put", store, &format!("own-{version}"), "x"]);
        succeed(at, &["commit", store, "-m", &format!("number {version}")]);
        if version < versions {
            succeed(at, &["new", store]);
        }
    }
}

#[test]
fn gc_says_what_goes_and_takes_no_more() {
    let folder = tempdir().unwrap();
    let (at, url) = (folder.path(), "s.redb");
    store(at, url, 4);
    succeed(at, &["branch", url, "draft"]);
    let all = succeed(at, &["gc", url, "--dry-run", "--format", "json"]).json();
    assert_eq!((all["versions"].as_array().unwrap().len(), all["entries"].as_u64().unwrap()), (0, 0));

    fail(at, &["gc", url, "--keep-since", "0s"], 2, "--yes");
    fail(at, &["gc", url, "--keep-since", "soon", "--yes"], 2, "30d");
    fail(at, &["gc", url, "--repo", "other", "--yes"], 3, "no such repo");
    let plan = succeed(at, &["gc", url, "--keep-since", "0s", "--dry-run", "--format", "json"]).json();
    let notes: Vec<_> =
        plan["versions"].as_array().unwrap().iter().map(|line| line["note"].as_str().unwrap()).collect();
    assert_eq!(notes, ["number 1", "number 2", "number 3"]);
    assert_eq!(plan["entries"], 3, "the values of k but the last");
    assert!(
        succeed(at, &["gc", url, "--keep-since", "0s", "--dry-run"])
            .out
            .contains("would become unreadable: 3")
    );
    assert_eq!(succeed(at, &["get", url, "k", "--at", "main~3"]).out, "1", "nothing was changed");

    let done = succeed(at, &["gc", url, "--keep-since", "0s", "--yes", "--format", "json"]).json();
    assert_eq!(
        (&done["versions"], &done["entries"], &done["bytes"]),
        (&plan["versions"], &plan["entries"], &plan["bytes"])
    );
    fail(at, &["get", url, "k", "--at", "main~1"], 3, "cleaned away");
    fail(at, &["branch", url, "old", "--from", "main~2"], 3, "cleaned away");
    for version in ["main", "draft"] {
        assert_eq!(succeed(at, &["get", url, "k", "--at", version]).out, "4");
        assert_eq!(succeed(at, &["scan", url, "--at", version]).out.lines().count(), 5);
    }
    let again = succeed(at, &["gc", url, "--keep-since", "0s", "--yes"]);
    assert!(again.out.contains("can't be read any more: 0"), "{}", again.out);
    assert_eq!(succeed(at, &["check", url, "--format", "json"]).json()["problems"], serde_json::json!([]));
    succeed(at, &["compact", url]);
    assert_eq!(succeed(at, &["get", url, "k"]).out, "4");
}

#[test]
fn squash_makes_one_version_of_a_run() {
    let folder = tempdir().unwrap();
    let (at, url) = (folder.path(), "s.redb");
    store(at, url, 5);
    succeed(at, &["branch", url, "side", "--from", "main~3"]);
    fail(at, &["squash", url, "main~4", "main"], 2, "several versions were made from one");
    fail(at, &["squash", url, "main", "main~2"], 2, "a run begins at one version");
    fail(at, &["squash", url, "main~3", "side"], 2, "an open version");
    fail(at, &["squash", url, "nowhere", "main"], 3, "nowhere");
    let done = succeed(at, &["squash", url, "main~2", "main", "--format", "json"]).json();
    assert_eq!((done["versions"].as_u64(), done["entries"].as_u64()), (Some(2), Some(2)), "{done}");
    assert_eq!(succeed(at, &["get", url, "k"]).out, "5");
    assert_eq!(succeed(at, &["get", url, "k", "--at", "main~1"]).out, "2");
    assert_eq!(succeed(at, &["scan", url]).out.lines().count(), 6);
    // The root may be of the run.
    let text = succeed(at, &["squash", url, "main~2", "main~1"]).out;
    assert!(text.contains("has taken in 1 versions"), "{text}");
    assert_eq!(succeed(at, &["get", url, "own-1", "--at", "main~1"]).out, "x");
    fail(at, &["get", url, "k", "--at", "main~2"], 2, "fewer ancestors");
    assert_eq!(succeed(at, &["check", url, "--format", "json"]).json()["problems"], serde_json::json!([]));
}

#[test]
fn cleaned_volumes_are_checked() {
    let folder = tempdir().unwrap();
    let (at, url) = (folder.path(), "s.redb");
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/nuclei.tif").display().to_string();
    succeed(at, &["init", url, "--repo", "atlas"]);
    succeed(at, &["import", url, &image, "--name", "cells"]);
    succeed(at, &["commit", url, "--next"]);
    let before = succeed(at, &["check", url, "--format", "json"]).json();
    succeed(at, &["gc", url, "--keep-since", "0s", "--yes"]);
    let after = succeed(at, &["check", url, "--format", "json"]).json();
    assert!(after["chunks"].as_u64().unwrap() > 0);
    assert_eq!((&after["chunks"], &after["problems"]), (&before["chunks"], &before["problems"]));
    succeed(at, &["export", url, "cells", "cells.npy"]);
}

#[test]
fn every_engine_is_compacted_or_says_that_it_cannot_be() {
    for engine in ENGINES.iter().filter(|engine| **engine != "memory") {
        let folder = tempdir().unwrap();
        let (at, url) = (folder.path(), format!("{engine}:store"));
        store(at, &url, 2);
        succeed(at, &["gc", &url, "--keep-since", "0s", "--yes"]);
        let compacted = run(at, &["compact", &url]);
        assert!(
            compacted.code == 0 || compacted.err.contains("doesn't compact"),
            "{engine}: {}",
            compacted.err
        );
        assert_eq!(succeed(at, &["get", &url, "k"]).out, "2", "{engine}");
    }
}
