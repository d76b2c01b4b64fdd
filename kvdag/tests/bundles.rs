//! Bundles, clones and migrations between the engines of this build.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

use common::{ENGINES, command, fail, run, succeed};
use kvdag::key::{DataContext, TKey, VersionId};
use kvdag::version::bundle::{ApplyOptions, Selection, clone_repo};
use kvdag::version::{Migration, NewInstance, OrderedKeyValue, Versioned, compare_repos};
use kvdag::{Bytes, ErrorKind, KeyRange, Store};
use tempfile::tempdir;

/// Engines that keep a store from one run of the command to the next.
fn kept() -> impl Iterator<Item = &'static str> {
    ENGINES.iter().copied().filter(|engine| *engine != "memory")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A store with two versions on `main` and one on `draft`, all committed, and an open one.
fn story(at: &Path, store: &str) {
    succeed(at, &["init", store, "--repo", "atlas"]);
    succeed(at, &["put", store, "colour", "red"]);
    succeed(at, &["put", store, "gone", "soon"]);
    succeed(at, &["commit", store, "-m", "the first"]);
    succeed(at, &["branch", store, "draft"]);
    succeed(at, &["put", store, "colour", "blue", "--at", "draft"]);
    succeed(at, &["commit", store, "draft", "-m", "another colour"]);
    succeed(at, &["new", store, "main"]);
    succeed(at, &["delete", store, "gone"]);
    succeed(at, &["commit", store, "main", "-m", "gone"]);
    succeed(at, &["branch", store, "open"]);
    succeed(at, &["put", store, "colour", "unseen", "--at", "open"]);
}

fn scans(at: &Path, store: &str) -> Vec<String> {
    ["main", "main~", "draft"]
        .iter()
        .map(|version| succeed(at, &["scan", store, "--at", version]).out)
        .collect()
}

#[test]
fn a_bundle_and_a_delta_go_to_every_engine() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "s.redb");
    story(at, store);
    let full = succeed(at, &["bundle", "create", store, "full.kvb", "--format", "json"]).json();
    assert_eq!((full["versions"].as_array().unwrap().len(), full["entries"].as_u64()), (3, Some(4)));
    succeed(at, &["bundle", "create", store, "first.kvb", "--heads", "main~"]);
    succeed(at, &["bundle", "create", store, "rest.kvb", "--heads", "main", "draft", "--since", "main~"]);
    let shown = succeed(at, &["bundle", "show", "rest.kvb", "--format", "json"]).json();
    assert_eq!(shown["base"].as_array().unwrap().len(), 1);
    assert_eq!(shown["repo"]["alias"], "atlas");
    let text = succeed(at, &["bundle", "show", "rest.kvb"]).out;
    assert!(text.contains("builds on") && text.contains("another colour"), "{text}");
    let expected = scans(at, store);
    for engine in kept() {
        let (whole, parts) = (format!("{engine}:whole.{engine}"), format!("{engine}:parts.{engine}"));
        succeed(at, &["bundle", "apply", &whole, "full.kvb", "--create"]);
        assert_eq!(scans(at, &whole), expected, "{engine}");
        succeed(at, &["bundle", "apply", &parts, "first.kvb", "--create"]);
        fail(at, &["scan", &parts, "--at", "draft"], 3, "no branch, tag or version");
        let applied = succeed(at, &["bundle", "apply", &parts, "rest.kvb", "--format", "json"]).json();
        assert_eq!(applied["versions"].as_array().unwrap().len(), 2);
        assert_eq!(scans(at, &parts), expected, "{engine}");
        let again = succeed(at, &["bundle", "apply", &parts, "full.kvb"]).out;
        assert!(again.contains("3 versions were there already"), "{again}");
        let check = succeed(at, &["check", &parts, "--format", "json"]).json();
        assert_eq!(check["problems"], serde_json::json!([]), "{engine}");
        succeed(at, &["bundle", "abandon", &parts]);
        fail(at, &["get", &whole, "colour", "--at", "open"], 3, "no branch, tag or version");
    }
    assert!(!names(at).iter().any(|name| name.contains("partial")), "{:?}", names(at));
}

#[test]
fn a_bundle_goes_through_a_pipe() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "s.redb");
    story(at, store);
    succeed(at, &["bundle", "create", store, "full.kvb"]);
    let piped = command(at, &["bundle", "create", store, "-"]).output().unwrap();
    assert!(piped.status.success());
    assert_eq!(piped.stdout, fs::read(at.join("full.kvb")).unwrap());
    let mut applying = command(at, &["bundle", "apply", "t.redb", "-", "--create", "--as", "mine"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    applying.stdin.take().unwrap().write_all(&piped.stdout).unwrap();
    let applied = applying.wait_with_output().unwrap();
    assert!(applied.status.success());
    assert!(String::from_utf8_lossy(&applied.stdout).contains("new repo mine"));
    assert_eq!(scans(at, "t.redb"), scans(at, store));
}

#[test]
fn what_fails_leaves_what_was_there() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "s.redb");
    story(at, store);
    succeed(at, &["bundle", "create", store, "full.kvb"]);
    succeed(at, &["bundle", "create", store, "delta.kvb", "--since", "main~"]);
    let whole = fs::read(at.join("full.kvb")).unwrap();
    let before = names(at);

    fail(at, &["bundle", "create", store, "full.kvb", "--heads", "open"], 2, "only committed ones travel");
    assert_eq!(fs::read(at.join("full.kvb")).unwrap(), whole, "a file stays until another is whole");
    fail(at, &["bundle", "create", store, "x.kvb", "--since", "main", "--unversioned"], 2, "cannot be used");
    fail(at, &["bundle", "create", store, "no/such/folder.kvb"], 3, "can't be created");
    fail(at, &["bundle", "show", "none.kvb"], 3, "can't be opened");
    fail(at, &["bundle", "show", store], 5, "isn't a bundle");
    fail(at, &["bundle", "apply", "none.redb", "full.kvb"], 3, "");
    assert_eq!(names(at), before);

    fs::write(at.join("cut.kvb"), &whole[..whole.len() - 1]).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(at.join("flipped.kvb"), &flipped).unwrap();
    let before = names(at);
    for (file, code, words) in
        [("cut.kvb", 5, "cut short"), ("flipped.kvb", 5, "damaged"), ("delta.kvb", 3, "builds on")]
    {
        fail(at, &["bundle", "apply", "t.redb", file, "--create"], code, words);
        assert_eq!(names(at), before, "a store that was made for it is gone");
    }
    fail(at, &["bundle", "show", "cut.kvb"], 5, "cut short");

    succeed(at, &["bundle", "apply", "t.redb", "full.kvb", "--create"]);
    let expected = scans(at, "t.redb");
    succeed(at, &["new", store, "main"]);
    succeed(at, &["commit", store, "main"]);
    succeed(at, &["bundle", "create", store, "more.kvb", "--since", "main~"]);
    succeed(at, &["new", "t.redb", "main"]);
    fail(at, &["bundle", "apply", "t.redb", "more.kvb"], 4, "goes on another way");
    assert_eq!(scans(at, "t.redb")[1..], [expected[0].clone(), expected[2].clone()]);
}

#[test]
fn clone_migrate_and_flatten_go_to_every_engine() {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), "s.redb");
    story(at, store);
    let expected = scans(at, store);
    for engine in kept() {
        let url = |name: &str| format!("{engine}:{name}.{engine}");
        let (cloned, path, flat) = (url("cloned"), url("path"), url("flat"));
        let clone = succeed(at, &["clone", "--from", store, "--to", &cloned, "--format", "json"]).json();
        assert_eq!((clone["compared"].as_u64(), clone["present"].as_u64()), (Some(5), Some(0)), "{engine}");
        assert_eq!(scans(at, &cloned), expected, "{engine}");

        let migrate =
            ["migrate", "--from", store, "--to", &path, "--in", "default", "--versions", "main~", "draft"];
        succeed(at, &migrate);
        assert_eq!(succeed(at, &["scan", &path, "--at", "main"]).out, expected[2], "{engine}");
        assert_eq!(succeed(at, &["scan", &path, "--at", "main~"]).out, expected[1], "{engine}");
        let mut again = migrate.to_vec();
        again.extend(["--format", "json"]);
        assert_eq!(succeed(at, &again).json()["written"], 0, "{engine}");

        succeed(at, &["flatten", "--from", store, "--to", &flat, "--at", "draft", "--as", "small"]);
        assert_eq!(succeed(at, &["scan", &flat]).out, expected[2], "{engine}");
        let log = succeed(at, &["log", &flat, "--format", "json"]).json();
        assert_eq!(log.as_array().unwrap().len(), 1, "{engine}");
        assert_eq!(log[0]["note"], "another colour");
        for made in [&cloned, &path, &flat] {
            succeed(at, &["check", made]);
        }
    }
    let wrong =
        ["migrate", "--from", store, "--to", "n.redb", "--in", "default", "--versions", "draft", "main"];
    fail(at, &wrong, 2, "one path");
    fail(at, &["flatten", "--from", store, "--to", "n.redb", "--at", "open"], 2, "only committed ones");
    assert!(!at.join("n.redb").exists(), "a store that was made for it is gone");
}

/// Begins to apply a bundle to `t.redb`, and answers its process, and what the process is still to be given.
fn under_way(at: &Path) -> (Child, Vec<u8>) {
    {
        let source = kvdag::open_versioned(&at.join("s.redb").display().to_string()).unwrap();
        let repo = source.create_repo("atlas", None).unwrap();
        let instance = source.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap();
        let entries: Vec<_> =
            (0..48_u8).map(|key| (TKey::from(&[key]), Bytes::from(vec![key; 1 << 20]))).collect();
        source.put_range(&DataContext::versioned(instance.id, repo.root), &entries).unwrap();
        source.commit_version(repo.root, "").unwrap();
    }
    succeed(at, &["bundle", "create", "s.redb", "full.kvb"]);
    succeed(at, &["init", "t.redb", "--repo", "other"]);
    let bundle = fs::read(at.join("full.kvb")).unwrap();
    let (first, rest) = bundle.split_at(8 << 20);
    let mut child = command(at, &["bundle", "apply", "t.redb", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A pipe holds far less than this, so when all of it is written the application is well under way.
    child.stdin.as_mut().unwrap().write_all(first).unwrap();
    (child, rest.to_vec())
}

/// Nothing of the bundle is in `t.redb`, and it can be applied.
fn as_before(at: &Path) {
    let info = succeed(at, &["info", "t.redb", "--format", "json"]).json();
    assert!(!info.to_string().contains("atlas"), "{info}");
    let check = succeed(at, &["check", "t.redb", "--format", "json"]).json();
    assert_eq!((check["problems"].clone(), check["values"].as_u64()), (serde_json::json!([]), Some(0)));
    succeed(at, &["bundle", "apply", "t.redb", "full.kvb"]);
    let check = succeed(at, &["check", "t.redb", "--format", "json"]).json();
    assert_eq!(check["values"].as_u64(), Some(48));
}

#[cfg(unix)]
#[test]
fn an_interrupted_application_leaves_nothing() {
    let folder = tempdir().unwrap();
    let (mut child, rest) = under_way(folder.path());
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    // It is noticed behind the next of some forty sections, and then nobody reads on.
    let unread = child.stdin.take().unwrap().write_all(&rest).unwrap_err();
    assert_eq!(unread.kind(), std::io::ErrorKind::BrokenPipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    as_before(folder.path());
}

#[test]
fn what_a_killed_application_has_left_is_told_and_removed() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let (mut child, _) = under_way(at);
    child.kill().unwrap();
    child.wait().unwrap();
    let check = run(at, &["check", "t.redb"]);
    assert_eq!(check.code, 5, "{}", check.out);
    assert!(check.out.contains("problems: 1") && check.out.contains("`bundle abandon`"), "{}", check.out);
    let info = succeed(at, &["info", "t.redb", "--format", "json"]).json();
    assert!(!info.to_string().contains("atlas"), "{info}");
    let abandoned = succeed(at, &["bundle", "abandon", "t.redb", "--format", "json"]).json();
    assert_eq!(abandoned["abandoned"], 1);
    as_before(at);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// A history with merges, all of it committed.
fn history(store: &Versioned<Box<dyn Store>>, dice: &mut Dice) -> Vec<VersionId> {
    let repo = store.create_repo("r", None).unwrap();
    let instances = ["a", "b"]
        .map(|name| store.create_instance(repo.id, &NewInstance::new(name, "keyvalue")).unwrap().id);
    let mut ids: Vec<VersionId> = Vec::new();
    for version in 0..8 {
        let mut parents: Vec<VersionId> = Vec::new();
        for _ in 0..ids.len().min(1 + dice.below(3)) {
            let parent = ids[dice.below(ids.len())];
            if !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        let branch = format!("b{version}");
        ids.push(match parents.as_slice() {
            [] => repo.root,
            [one] => store.new_version(*one, Some(&branch)).unwrap().id,
            _ => store.merge(&parents, Some(&branch)).unwrap().id,
        });
        for _ in 0..6 {
            let ctx = DataContext::versioned(instances[dice.below(2)], ids[version]);
            let tkey = TKey::from([b"", &b"a"[..], b"a\0", b"ab"][dice.below(4)]);
            match dice.below(4) {
                0 => store.delete(&ctx, &tkey).unwrap(),
                byte => {
                    store.put(&ctx, &tkey, Bytes::from(vec![u8::try_from(byte).unwrap(); version])).unwrap();
                }
            }
        }
        store.commit_version(ids[version], "").unwrap();
    }
    ids
}

#[test]
fn random_histories_go_from_engine_to_engine() {
    let folder = tempdir().unwrap();
    let mut dice = Dice(20);
    for (round, (from, to)) in ENGINES.iter().zip(ENGINES.iter().cycle().skip(1)).cycle().take(15).enumerate()
    {
        let open = |engine: &str, name: &str| {
            let path = folder.path().join(format!("{name}{round}.{engine}"));
            let url = if engine == "memory" {
                "memory:".to_owned()
            } else {
                format!("{engine}:{}", path.display())
            };
            kvdag::open_versioned(&url).unwrap()
        };
        let source = open(from, "source");
        let ids = history(&source, &mut dice);

        // Half of it, then the rest.
        let target = open(to, "target");
        let half = Selection::new().heads(ids[..4].iter().copied());
        let rest = Selection::new().since(ids[..4].iter().copied());
        for selection in [half, rest] {
            clone_repo((&source, &selection), (&target, &ApplyOptions::new()), &mut |_| Ok(())).unwrap();
        }
        assert!(compare_repos(&source, &target, &ids, &mut |_| Ok(())).unwrap() > 0, "{from} to {to}");

        let flat = open(to, "flat");
        let newest = *ids.last().unwrap();
        match source.migrate(&Migration::flat(newest), &flat, &mut |_| Ok(())) {
            Ok((repo, _)) => {
                for name in ["a", "b"] {
                    let shown = |store: &Versioned<Box<dyn Store>>, version| {
                        let instance = store.instance(name).unwrap().id;
                        store.get_range(&DataContext::versioned(instance, version), &KeyRange::ALL).unwrap()
                    };
                    assert_eq!(shown(&flat, repo.root), shown(&source, newest), "{from} to {to}");
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{from} to {to}: {error}"),
        }
    }
}
