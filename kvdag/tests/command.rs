//! The command on real input.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;

use common::{ENGINES, fail, succeed, testdata};
use tempfile::tempdir;

#[test]
fn the_demo_succeeds_on_a_temporary_store_and_leaves_the_picture() {
    let folder = tempdir().unwrap();
    let story = succeed(folder.path(), &["demo", "--format", "json"]).json();
    assert_eq!(story["voxels_verified"], 8_675_289);
    assert!(story["voxels_changed"].as_u64().unwrap() > 100_000);
    let picture = fs::read(folder.path().join("kvdag-demo.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() > 10_000);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["kvdag-demo.png"], "nothing else");
}

#[test]
fn the_demo_runs_in_memory() {
    let folder = tempdir().unwrap();
    let run = succeed(folder.path(), &["demo", "--store", "memory:"]);
    assert!(run.out.contains("$ kvdag volume fill memory: head --region"), "{}", run.out);
}

#[test]
fn what_the_demo_keeps_can_be_gone_on_with() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "kvdag-demo.redb");
    succeed(at, &["demo", "--keep"]);
    fail(at, &["demo", "--keep"], 4, "there is a store already");
    let log = succeed(at, &["log", store, "--format", "json"]).json();
    let branches: Vec<_> =
        log.as_array().unwrap().iter().map(|line| line["branch"].as_str().unwrap()).collect();
    assert_eq!(branches, ["blanked", "main"]);
    let info = succeed(at, &["info", store, "--format", "json"]).json();
    assert_eq!(info["instances"][1]["properties"]["grid"]["shape"], serde_json::json!([189, 233, 197]));
    let diff = succeed(at, &["diff", store, "main", "blanked", "--format", "json"]).json();
    assert_eq!(diff["differences"].as_array().unwrap().len(), 4, "the chunks that the box cuts");
    let within = |region: &str| {
        let diff =
            succeed(at, &["diff", store, "main", "blanked", "--region", region, "--format", "json"]).json();
        diff["differences"].as_array().unwrap().len()
    };
    assert_eq!((within("0:189,0:233,0:197"), within("0:1,0:1,0:1")), (4, 0));
    fail(at, &["diff", store, "main", "blanked", "--region", "0:1,0:1"], 2, "numbers of axes");
    for (file, version) in [("a.npy", "main"), ("b.npy", "blanked")] {
        succeed(at, &["export", store, "head", file, "--at", version]);
    }
    let (a, b) = (fs::read(at.join("a.npy")).unwrap(), fs::read(at.join("b.npy")).unwrap());
    assert_eq!(a.len(), b.len());
    let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
    assert!(differ > 100_000, "{differ}");
    let check = succeed(at, &["check", store, "--format", "json"]).json();
    assert_eq!(check["problems"], serde_json::json!([]));
    assert!(!succeed(at, &["repair", store, "--format", "json"]).json()["mended"].as_bool().unwrap());
}

#[test]
fn keys_have_versions_and_branches() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "s.redb");
    succeed(at, &["init", store, "--repo", "atlas"]);
    succeed(at, &["put", store, "colour", "red"]);
    succeed(at, &["put", store, "gone", "soon"]);
    succeed(at, &["commit", store, "-m", "the first"]);
    fail(at, &["put", store, "colour", "blue"], 4, "committed");
    fail(at, &["commit", store], 4, "committed already");
    succeed(at, &["branch", store, "draft"]);
    succeed(at, &["put", store, "colour", "blue", "--at", "draft"]);
    succeed(at, &["delete", store, "gone", "--at", "draft"]);
    assert_eq!(succeed(at, &["get", store, "colour"]).out, "red");
    assert_eq!(succeed(at, &["get", store, "colour", "--at", "draft"]).out, "blue");
    assert_eq!(succeed(at, &["get", store, "colour", "--at", "draft~"]).out, "red");
    fail(at, &["get", store, "gone", "--at", "draft"], 3, "no value");
    assert_eq!(succeed(at, &["scan", store]).out, "colour\tred\ngone\tsoon\n");
    assert_eq!(succeed(at, &["scan", store, "--at", "atlas:draft"]).out, "colour\tblue\n");
    assert_eq!(succeed(at, &["scan", store, "--prefix", "g", "--keys"]).out, "gone\n");
    assert_eq!(succeed(at, &["scan", store, "--from", "d", "--limit", "1", "--keys"]).out, "gone\n");
    let diff = succeed(at, &["diff", store, "main", "draft"]).out;
    assert!(diff.starts_with("M default colour\nD default gone\n2 keys differ"), "{diff}");
    let diff = succeed(at, &["diff", store, "main", "draft", "--prefix", "g"]).out;
    assert!(diff.starts_with("D default gone\n1 keys differ"), "{diff}");
    let next = succeed(at, &["new", store, "main", "--format", "json"]).json();
    assert_eq!(next["branch"], "main");
    fail(at, &["branch", store, "draft", "--from", "main~"], 4, "has this branch already");
    fail(at, &["new", store, "main"], 2, "must be committed");
    fail(at, &["get", store, "colour", "--at", "nosuch"], 3, "branches: draft, main");
}

#[test]
fn every_format_goes_in_and_comes_out() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "s.redb");
    let (image, labels) = (testdata("nuclei.tif"), testdata("nuclei_labels.tif"));
    succeed(at, &["import", store, &image, "--name", "nuclei"]);
    succeed(
        at,
        &["import", store, &labels, "--name", "labels", "--chunk", "16,16,16", "--codec", "lz4+shuffle"],
    );
    fail(at, &["import", store, &labels, "--name", "labels"], 4, "of this name");
    for ending in ["nii", "nii.gz", "tif", "npy", "raw"] {
        let file = format!("nuclei.{ending}");
        succeed(at, &["export", store, "nuclei", &file]);
        let name = format!("again-{}", ending.replace('.', "-"));
        let mut again = vec!["import", store, &file, "--name", &name];
        if ending == "raw" {
            again.extend(["--shape", "31,61,57", "--dtype", "u16"]);
        }
        succeed(at, &again);
        succeed(at, &["export", store, &name, "again.raw"]);
        assert_eq!(fs::read(at.join("again.raw")).unwrap(), {
            succeed(at, &["export", store, "nuclei", "first.raw"]);
            fs::read(at.join("first.raw")).unwrap()
        });
    }
    succeed(at, &["export", store, "nuclei", "part.npy", "--region", "5:10,0:61,7:8"]);
    succeed(at, &["import", store, "part.npy", "--name", "nuclei", "--offset", "0,0,0"]);
    fail(at, &["import", store, "part.npy", "--name", "nuclei", "--offset", "29,0,0"], 2, "out of bounds");
    fail(at, &["export", store, "nuclei", "x.npy", "--region", "0:99,0:1,0:1"], 2, "out of bounds");
    assert!(!at.join("x.npy").exists());
}

#[test]
fn a_store_is_copied_with_its_history() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    succeed(at, &["demo", "--keep"]);
    let copied =
        succeed(at, &["copy", "--from", "kvdag-demo.redb", "--to", "redb:copy.redb", "--verify"]).out;
    assert!(copied.contains("compared, and the same"), "{copied}");
    fail(at, &["copy", "--from", "kvdag-demo.redb", "--to", "copy.redb"], 4, "a store already");
    let log = |store| succeed(at, &["log", store]).out;
    assert_eq!(log("copy.redb"), log("kvdag-demo.redb"));
    for version in ["main", "blanked"] {
        succeed(at, &["export", "copy.redb", "head", "copy.raw", "--at", version]);
        succeed(at, &["export", "kvdag-demo.redb", "head", "first.raw", "--at", version]);
        assert_eq!(fs::read(at.join("copy.raw")).unwrap(), fs::read(at.join("first.raw")).unwrap());
    }
    fail(at, &["copy", "--from", "nosuch.redb", "--to", "new.redb"], 3, "no store at this path");
    assert!(!at.join("new.redb").exists());
}

#[test]
fn engines_say_what_they_are() {
    let folder = tempdir().unwrap();
    let engines = succeed(folder.path(), &["engines", "--format", "json"]).json();
    let names: Vec<_> =
        engines.as_array().unwrap().iter().map(|engine| engine["name"].as_str().unwrap()).collect();
    assert_eq!(names, ENGINES);
    let redb = &engines[names.iter().position(|name| *name == "redb").unwrap()];
    assert_eq!(redb["capabilities"]["reads"], "snapshot");
    assert_eq!(redb["limits"]["key_bytes"], 65_535);
    assert!(redb["options"].as_array().unwrap().iter().any(|option| option["name"] == "cache"));
}

#[test]
fn shells_get_completion() {
    let folder = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(succeed(folder.path(), &["completion", shell]).out.contains("conformance"), "{shell}");
    }
}
