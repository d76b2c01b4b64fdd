//! The commands that show and change a history: `branch`, `tag`, `note`, `log`, `show`.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{fail, succeed};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::Versioned;
use engine_api::{KeyRange, StoreExt};
use serde_json::json;
use tempfile::tempdir;

const STORE: &str = "s.redb";

/// A store with `main` of two versions, and `side` of two that were made from the first.
fn begin(at: &Path) {
    succeed(at, &["init", STORE, "--repo", "atlas"]);
    succeed(at, &["put", STORE, "colour", "red"]);
    succeed(at, &["commit", STORE, "-m", "the first", "--next"]);
    succeed(at, &["branch", STORE, "side", "--from", "main~", "--uuid", "5eed0000000000000000000000000001"]);
    succeed(at, &["put", STORE, "colour", "blue", "--at", "side"]);
    succeed(at, &["commit", STORE, "side", "--next"]);
    succeed(at, &["put", STORE, "shape", "round", "--at", "side"]);
    succeed(at, &["delete", STORE, "colour", "--at", "side"]);
}

fn branches(at: &Path, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["branch", STORE, "--format", "json"], arguments].concat();
    let heads = succeed(at, &arguments).json();
    heads.as_array().unwrap().iter().map(|head| head["branch"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn branches_are_renamed_hidden_and_made_main() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    begin(at);
    assert_eq!(branches(at, &[]), ["main", "side"]);
    assert_eq!(succeed(at, &["branch", STORE, "--rename", "side", "draft"]).out, "side is called draft\n");
    fail(at, &["branch", STORE, "--rename", "draft", "main"], 4, "this branch already");
    fail(at, &["branch", STORE, "--rename", "side", "x"], 3, "branches: draft, main");
    fail(at, &["branch", STORE, "--rename", "draft", "a b"], 2, "no white space");
    succeed(at, &["branch", STORE, "--hide", "atlas:draft"]);
    assert_eq!(branches(at, &[]), ["main"]);
    assert_eq!(branches(at, &["--all"]), ["draft", "main"]);
    assert!(succeed(at, &["branch", STORE, "--all"]).out.contains("open, hidden"));
    assert_eq!(succeed(at, &["get", STORE, "shape", "--at", "draft"]).out, "round", "it is found as before");
    let lines = |arguments: &[&str]| {
        let run = succeed(at, &[&["log", STORE, "--format", "json"], arguments].concat());
        run.json().as_array().unwrap().len()
    };
    assert_eq!((lines(&[]), lines(&["--all"]), lines(&["draft"])), (2, 4, 3));
    succeed(at, &["branch", STORE, "--show", "draft"]);
    assert_eq!((branches(at, &[]), lines(&[])), (vec!["draft".to_owned(), "main".to_owned()], 4));

    let swapped =
        succeed(at, &["branch", STORE, "--make-main", "draft", "--former", "old", "--format", "json"]);
    let expected = json!({ "repo": "atlas", "branch": "draft", "change": "main", "name": "old" });
    assert_eq!(swapped.json(), expected);
    assert_eq!(branches(at, &[]), ["main", "old"]);
    assert_eq!(succeed(at, &["get", STORE, "shape"]).out, "round", "main is what was draft");
    fail(at, &["branch", STORE, "--make-main", "main"], 2, "the main one already");
    fail(at, &["branch", STORE, "--hide", "main", "--show", "main"], 2, "cannot be used with");
    fail(at, &["branch", STORE, "new", "--delete", "old"], 2, "cannot be used with");
}

#[test]
fn a_branch_is_deleted_unless_something_stands_on_it() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    begin(at);
    fail(at, &["branch", STORE, "--delete", "main"], 2, "the repo's root");
    succeed(at, &["tag", STORE, "v1", "--at", "side~"]);
    fail(at, &["branch", STORE, "--delete", "side"], 2, "dependents: tag v1");
    succeed(at, &["tag", STORE, "v1", "--delete"]);
    succeed(at, &["branch", STORE, "twig", "--from", "side~"]);
    fail(at, &["branch", STORE, "--delete", "side"], 2, "dependents: branch twig from ");
    assert_eq!(succeed(at, &["branch", STORE, "--delete", "twig"]).out, "deleted twig: 1 versions\n");
    let deleted = succeed(at, &["branch", STORE, "--delete", "side", "--format", "json"]).json();
    assert_eq!(deleted["versions"].as_array().unwrap().len(), 2);
    assert_eq!(deleted["versions"][0], "5eed0000000000000000000000000001");
    fail(at, &["get", STORE, "colour", "--at", "side"], 3, "branches: main");
    fail(at, &["get", STORE, "colour", "--at", "5eed0000"], 3, "no branch, tag or version");
    assert_eq!(succeed(at, &["get", STORE, "colour"]).out, "red");
    let check = succeed(at, &["check", STORE, "--format", "json"]).json();
    assert_eq!((&check["values"], &check["tombstones"]), (&json!(1), &json!(0)), "its data is gone");
}

#[test]
fn a_deletion_that_was_cut_short_is_gone_on_with() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    begin(at);
    {
        let url = at.join(STORE).display().to_string();
        let engine = kvdag::registry().unwrap().open(&url).unwrap().store;
        let faults = Faults::new();
        let shared = Arc::new(Faulty::new(engine, Arc::clone(&faults)));
        let store = Versioned::open(Arc::clone(&shared)).unwrap();
        let repo = store.only_repo().unwrap().id;
        let before = shared.count(&KeyRange::prefix(&[1])).unwrap();
        faults.fail_after(Fault::Commit, 1);
        store.delete_branch(repo, "side").unwrap_err();
        assert_eq!(shared.count(&KeyRange::prefix(&[1])).unwrap(), before, "the data is still there");
    }
    let check = succeed(at, &["check", STORE, "--format", "json"]).json();
    assert_eq!(check["problems"], json!([]), "what is to be removed is no damage");
    assert_eq!(check["keys"].as_u64().unwrap() - count_after(at), 4);
    assert_eq!(succeed(at, &["note", STORE, "again"]).err, "", "it is done once");
}

/// Lets the next command finish the work, and counts the keys that are left, less the line that it adds.
fn count_after(at: &Path) -> u64 {
    let run = succeed(at, &["note", STORE, "first"]);
    assert_eq!(run.err, "going on with what was cut short: the deletion of 2 versions\n");
    succeed(at, &["check", STORE, "--format", "json"]).json()["keys"].as_u64().unwrap() - 1
}

#[test]
fn tags_are_put_listed_and_taken_away() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    begin(at);
    assert_eq!(succeed(at, &["tag", STORE]).out, "");
    let tagged = succeed(at, &["tag", STORE, "v1.0", "--at", "side~", "--note", "as published"]);
    assert_eq!(tagged.out, "v1.0 is 5eed00000000 on side\n");
    succeed(at, &["tag", STORE, "latest"]);
    let tags = succeed(at, &["tag", STORE, "--format", "json"]).json();
    let names: Vec<_> = tags.as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap()).collect();
    assert_eq!(names, ["latest", "v1.0"]);
    assert_eq!((&tags[1]["note"], &tags[1]["branch"]), (&json!("as published"), &json!("side")));
    assert!(succeed(at, &["tag", STORE]).out.lines().all(|line| line.split("  ").count() >= 4));
    assert_eq!(succeed(at, &["get", STORE, "colour", "--at", "v1.0"]).out, "blue");
    assert_eq!(succeed(at, &["get", STORE, "colour", "--at", "v1.0~"]).out, "red");
    fail(at, &["tag", STORE, "v1.0"], 4, "this tag already");
    fail(at, &["tag", STORE, "side"], 4, "a branch of this name");
    fail(at, &["tag", STORE, "x", "--at", "nosuch"], 3, "branches: main, side");
    fail(at, &["tag", STORE, "--delete"], 2, "required");
    assert_eq!(
        succeed(at, &["tag", STORE, "atlas:v1.0", "--delete"]).out,
        "removed v1.0 from 5eed00000000\n"
    );
    fail(at, &["tag", STORE, "v1.0", "--delete"], 3, "no such tag");
}

#[test]
fn the_log_names_heads_and_tags() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    begin(at);
    succeed(at, &["tag", STORE, "v1", "--at", "side~"]);
    let log = succeed(at, &["log", STORE]).out;
    assert_eq!(succeed(at, &["log", STORE, "--no-graph", "--graph"]).out, log);
    let drawn: Vec<_> = log.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(drawn, ["o", "*", "| o", "|/", "*"]);
    let lines: Vec<_> = log.lines().filter(|line| line.contains("  ")).collect();
    for (line, words) in
        lines.iter().zip(["side (head, open)", "side (tag: v1)", "main (head, open)", "main "])
    {
        assert!(line.contains(&format!("  {words}")), "{line}: {words}");
    }
    let plain = succeed(at, &["log", STORE, "--no-graph"]).out;
    assert_eq!(plain.lines().count(), 4);
    assert!(plain.lines().nth(1).unwrap().starts_with("5eed00000000  side (tag: v1)  "), "{plain}");
    let json = succeed(at, &["log", STORE, "side", "--limit", "2", "--format", "json"]).json();
    assert_eq!((&json[0]["head"], &json[1]["tags"]), (&json!(true), &json!(["v1"])));
}

#[test]
fn a_version_is_shown_with_what_was_written_at_it() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    begin(at);
    succeed(at, &["tag", STORE, "v1", "--at", "side~"]);
    for text in ["looked at", "found good"] {
        succeed(at, &["note", STORE, text, "--at", "side~"]);
    }
    fail(at, &["note", STORE, ""], 2, "says something");
    let shown = succeed(at, &["show", STORE, "side~", "--format", "json"]).json();
    assert_eq!(shown["version"], "5eed0000000000000000000000000001");
    assert_eq!(
        (&shown["tags"], &shown["head"], &shown["repo"]),
        (&json!(["v1"]), &json!(false), &json!("atlas"))
    );
    let texts: Vec<_> =
        shown["log"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["looked at", "found good"]);
    let first = succeed(at, &["show", STORE, "main~", "--format", "json"]).json();
    assert_eq!(shown["parents"], json!([first["version"]]));
    assert_eq!(first["children"].as_array().unwrap().len(), 2);
    assert_eq!((&first["note"], &first["log"]), (&json!("the first"), &json!([])));
    let changes = |version: &str| {
        let shown = succeed(at, &["show", STORE, version, "--format", "json"]).json();
        let changes = &shown["changes"][0];
        assert_eq!(changes["name"], "default");
        (changes["puts"].as_u64().unwrap(), changes["deletes"].as_u64().unwrap())
    };
    assert_eq!((changes("side~"), changes("side"), changes("main")), ((1, 0), (1, 1), (0, 0)));
    let text = succeed(at, &["show", STORE, "side"]).out;
    for words in ["branch     side (head)", "no, it is open", "default  keyvalue  puts: 1  deletes: 1"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(succeed(at, &["show", STORE]).out.ends_with("nothing was written at it\n"));
    fail(at, &["show", STORE, "nosuch"], 3, "branches: main, side");
}

#[test]
fn uuids_can_be_assigned_once() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    begin(at);
    succeed(at, &["commit", STORE, "side"]);
    let taken = "5eed0000-0000-0000-0000-000000000001";
    fail(at, &["new", STORE, "side", "--uuid", taken], 4, "a version with this UUID");
    fail(at, &["branch", STORE, "x", "--from", "side", "--uuid", taken], 4, "a version with this UUID");
    fail(at, &["new", STORE, "side", "--uuid", "5eed"], 2, "32 hexadecimal digits");
    let made = succeed(at, &["new", STORE, "side", "--uuid", "5eed0000000000000000000000000002"]);
    assert_eq!(made.out, "5eed00000000 is open on side\n");
    fail(
        at,
        &["get", STORE, "colour", "--at", "5eed0000"],
        2,
        "candidates: 5eed0000000000000000000000000001 on side",
    );
    assert_eq!(
        succeed(at, &["get", STORE, "shape", "--at", "5eed0000:side"]).out,
        "round",
        "digits name the repo"
    );
}
