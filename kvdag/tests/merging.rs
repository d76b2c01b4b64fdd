//! Merges from the command line: made, looked at before and after, and resolved.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{fail, run, succeed};
use serde_json::json;
use tempfile::{TempDir, tempdir};

const STORE: &str = "s.redb";

/// A store in which `main` and `side` both wrote `colour` and `size`, and each a key of its own.
fn two_branches() -> TempDir {
    let folder = tempdir().unwrap();
    let at = folder.path();
    succeed(at, &["init", STORE]);
    for (key, value) in [("colour", "red"), ("size", "1")] {
        succeed(at, &["put", STORE, key, value]);
    }
    succeed(at, &["commit", STORE, "-m", "the first"]);
    succeed(at, &["branch", STORE, "side"]);
    succeed(at, &["new", STORE]);
    for (branch, colour) in [("main", "green"), ("side", "blue")] {
        for (key, value) in [("colour", colour), ("size", colour), (branch, "new")] {
            succeed(at, &["put", STORE, key, value, "--at", branch]);
        }
    }
    folder
}

fn commit_both(at: &Path) {
    for branch in ["main", "side"] {
        succeed(at, &["commit", STORE, branch]);
    }
}

fn versions(at: &Path) -> usize {
    succeed(at, &["log", STORE, "--format", "json"]).json().as_array().unwrap().len()
}

#[test]
fn a_merge_counts_its_conflicts_and_each_can_be_resolved() {
    let folder = two_branches();
    let at = folder.path();
    fail(at, &["merge", STORE, "side"], 2, "kvdag commit s.redb");
    commit_both(at);
    let before = succeed(at, &["conflicts", STORE, "main", "side", "--format", "json"]).json();
    let merged = succeed(at, &["merge", STORE, "side", "--format", "json"]).json();
    assert_eq!(merged["conflicts"], json!([{ "name": "default", "keys": 2 }]));
    assert_eq!((&merged["branch"], &merged["committed"]), (&json!("main"), &json!(false)));
    let after = succeed(at, &["conflicts", STORE, "main", "--format", "json"]).json();
    assert_eq!(after["conflicts"], before["conflicts"], "what was foreseen is what there is");
    let colour = &after["conflicts"][0];
    assert_eq!((&colour["name"], &colour["key"]), (&json!("default"), &json!("colour")));
    let sides: Vec<_> =
        colour["sides"].as_array().unwrap().iter().map(|side| (&side["branch"], &side["value"])).collect();
    let expected = [("main", "green"), ("side", "blue")].map(|(branch, value)| (json!(branch), json!(value)));
    assert!(expected.iter().all(|(branch, value)| sides.contains(&(branch, value))), "{sides:?}");
    let listed = succeed(at, &["conflicts", STORE, "main"]).out;
    assert!(listed.contains("default colour\n") && listed.contains("in conflict: 2 keys"), "{listed}");

    fail(at, &["get", STORE, "colour"], 4, "several values at a merge");
    assert_eq!(succeed(at, &["get", STORE, "side"]).out, "new", "what one side alone has is there");
    let one = succeed(at, &["resolve", STORE, "colour", "--take", "side", "--format", "json"]).json();
    assert_eq!((&one["resolved"], &one["left"]), (&json!(1), &json!(1)));
    assert_eq!(succeed(at, &["get", STORE, "colour"]).out, "blue");
    fail(at, &["resolve", STORE, "colour", "--take", "side"], 3, "isn't in conflict");
    fail(at, &["resolve", STORE, "size", "--take", "main~2"], 2, "has no side");
    fail(at, &["resolve", STORE, "size", "--take", "side", "main"], 2, "one version");
    succeed(at, &["resolve", STORE, "size", "--take", "main"]);
    assert_eq!(succeed(at, &["get", STORE, "size"]).out, "green", "main, as it was before the merge");
    assert_eq!(succeed(at, &["conflicts", STORE, "main", "--format", "json"]).json()["conflicts"], json!([]));
    succeed(at, &["commit", STORE]);
    assert_eq!(succeed(at, &["get", STORE, "colour", "--at", "side"]).out, "blue", "above, all is as it was");
    fail(at, &["merge", STORE, "side"], 4, "in the branch already");
}

#[test]
fn a_key_takes_a_value_of_its_own() {
    let folder = two_branches();
    let at = folder.path();
    commit_both(at);
    succeed(at, &["merge", STORE, "side", "--branch", "both"]);
    fs::write(at.join("value"), "from a file").unwrap();
    succeed(at, &["resolve", STORE, "colour", "--value", "violet", "--at", "both"]);
    succeed(at, &["resolve", STORE, "size", "--file", "value", "--at", "both"]);
    assert_eq!(succeed(at, &["get", STORE, "colour", "--at", "both"]).out, "violet");
    assert_eq!(succeed(at, &["get", STORE, "size", "--at", "both"]).out, "from a file");
    succeed(at, &["merge", STORE, "main", "--into", "side", "--branch", "other"]);
    succeed(at, &["resolve", STORE, "colour", "--delete", "--at", "other"]);
    fail(at, &["get", STORE, "colour", "--at", "other"], 3, "no value");
    for wrong in [
        &["resolve", STORE, "colour"][..],
        &["resolve", STORE, "--take", "side"],
        &["resolve", STORE, "--all", "--delete"],
        &["resolve", STORE, "colour", "--all", "--take", "side"],
        &["resolve", STORE, "colour", "--delete", "--value", "x"],
        &["merge", STORE],
        &["conflicts", STORE],
    ] {
        assert_eq!(run(at, wrong).code, 2, "{wrong:?}");
    }
    fail(at, &["resolve", STORE, "colour", "--delete", "--at", "side"], 4, "committed");
}

#[test]
fn all_conflicts_are_resolved_for_a_branch() {
    let folder = two_branches();
    let at = folder.path();
    commit_both(at);
    succeed(at, &["merge", STORE, "side"]);
    let none = succeed(at, &["resolve", STORE, "--all", "--take", "main~2", "--format", "json"]).json();
    assert_eq!((&none["resolved"], &none["left"]), (&json!(0), &json!(2)));
    let all = succeed(at, &["resolve", STORE, "--all", "--take", "main", "side"]);
    assert!(all.out.starts_with("resolved 2 keys at ") && all.out.contains("0 left"), "{}", all.out);
    assert_eq!(succeed(at, &["scan", STORE]).out, "colour\tgreen\nmain\tnew\nside\tnew\nsize\tgreen\n");
}

#[test]
fn a_merge_is_committed_only_without_conflicts() {
    let folder = two_branches();
    let at = folder.path();
    commit_both(at);
    let before = versions(at);
    fail(at, &["merge", STORE, "side", "--commit"], 4, "keys: 2");
    fail(at, &["merge", STORE, "side", "--note", "without a commit"], 2, "--commit");
    assert_eq!(versions(at), before, "nothing was made");
    let merged = succeed(
        at,
        &["merge", STORE, "side", "--commit", "--note", "both", "--prefer", "side", "--format", "json"],
    )
    .json();
    assert_eq!((&merged["committed"], &merged["resolved"]), (&json!(true), &json!(2)));
    assert_eq!(succeed(at, &["get", STORE, "colour"]).out, "blue");
    let log = succeed(at, &["log", STORE, "--format", "json"]).json();
    let merge = log.as_array().unwrap().iter().find(|line| line["version"] == merged["version"]).unwrap();
    assert_eq!(merge["note"], "both");
    fail(at, &["put", STORE, "late", "x"], 4, "committed");
}

#[test]
fn chunks_of_a_volume_are_resolved_too() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/nuclei.tif").display().to_string();
    succeed(at, &["import", STORE, &image, "--name", "nuclei", "--chunk", "16,64,64"]);
    succeed(at, &["commit", STORE, "--next"]);
    succeed(at, &["branch", STORE, "side", "--from", "main~"]);
    for (branch, value) in [("main", "1"), ("side", "2")] {
        succeed(at, &["fill", STORE, "nuclei", "--region", "0:31,0:4,0:4", "--value", value, "--at", branch]);
        succeed(at, &["commit", STORE, branch]);
    }
    succeed(at, &["merge", STORE, "side"]);
    let found = succeed(at, &["conflicts", STORE, "main", "--in", "nuclei", "--format", "json"]).json();
    let keys: Vec<_> =
        found["conflicts"].as_array().unwrap().iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["chunk (0,0,0)", "chunk (1,0,0)"]);
    assert!(found["conflicts"][0]["sides"][0]["bytes"].as_u64().unwrap() > 0);
    fail(at, &["export", STORE, "nuclei", "a.npy"], 4, "several values at a merge");
    fail(at, &["resolve", STORE, "first", "--take", "side", "--in", "nuclei"], 2, "coordinates");
    succeed(at, &["resolve", STORE, "chunk (1,0,0)", "--take", "side", "--in", "nuclei"]);
    succeed(at, &["resolve", STORE, "0,0,0", "--take", "main", "--in", "nuclei"]);
    succeed(at, &["export", STORE, "nuclei", "a.raw"]);
    for (branch, region) in [("main~", "0:16,0:61,0:57"), ("side", "16:31,0:61,0:57")] {
        for (version, file) in [("main", "merged.npy"), (branch, "side.npy")] {
            succeed(at, &["export", STORE, "nuclei", file, "--at", version, "--region", region]);
        }
        assert_eq!(fs::read(at.join("merged.npy")).unwrap(), fs::read(at.join("side.npy")).unwrap());
    }
}
