//! `kvdag conformance`: what it runs, where, and what it answers.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{ENGINES, disk_engines, fail, run, succeed};
use serde_json::Value;
use tempfile::tempdir;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_engine_is_reported() {
    let folder = tempdir().unwrap();
    // The whole kit runs in the tests of each engine, and in that of the table of levels.
    let arguments = ["conformance", "--all", "--group", "point", "--group", "limits", "--case", "open.cap"];
    let report = succeed(folder.path(), &[&arguments[..], &["--format", "json"]].concat()).json();
    let engines = report["engines"].as_array().unwrap();
    assert_eq!(engines.len(), ENGINES.len());
    for engine in engines {
        let count = |name: &str| engine[name].as_u64().unwrap();
        assert_eq!(count("failed"), 0, "{engine}");
        assert!(count("passed") + count("ignored") >= 40);
        let reasons = engine["ignored_reasons"].as_array().unwrap();
        assert_eq!(u64::try_from(reasons.len()).unwrap(), count("ignored"));
        assert!(reasons.iter().all(|reason| !reason["reason"].as_str().unwrap().is_empty()));
        let core = &engine["levels"][0];
        assert_eq!((&core["level"], &core["holds"]), (&"core".into(), &"not_tested".into()));
    }
}

#[test]
fn cases_are_in_the_order_of_the_catalogue_however_many_run_at_once() {
    let folder = tempdir().unwrap();
    let cases = |jobs: &str| {
        let arguments = ["conformance", "memory:", "--group", "scan", "--jobs", jobs, "--format", "json"];
        let report = succeed(folder.path(), &arguments).json();
        let cases = report["engines"][0]["cases"].as_array().unwrap().clone();
        cases.iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let list =
        succeed(folder.path(), &["conformance", "--list", "--group", "scan", "--format", "json"]).json();
    let listed: Vec<_> =
        list.as_array().unwrap().iter().map(|case| case["case"].as_str().unwrap().to_owned()).collect();
    assert!(listed.len() > 40);
    assert_eq!(cases("1"), listed);
    assert_eq!(cases("7"), listed);
    let text = succeed(folder.path(), &["conformance", "--list", "--case", "point.put-then-get"]).out;
    assert!(text.contains("## point") && !text.contains("## scan"), "{text}");
}

#[test]
fn a_url_keeps_to_its_folder_and_takes_it_away() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let arguments = ["conformance", "redb:stores?cache=2MiB", "--case", "point.", "--reports", "reports"];
    let run = succeed(at, &arguments);
    assert!(run.out.contains("redb:stores?cache=2MiB conforms"), "{}", run.out);
    assert_eq!(names(at), ["reports"]);
    let ending = |name: &String| name.rsplit_once('.').unwrap().1.to_owned();
    assert_eq!(
        names(&at.join("reports")).iter().map(ending).collect::<Vec<_>>(),
        ["json", "md", "xml", "html"]
    );
    let page = fs::read_to_string(at.join("reports/conformance.html")).unwrap();
    assert!(page.contains("id=\"e0-point.put-then-get\""));
    fs::create_dir(at.join("empty")).unwrap();
    succeed(at, &["conformance", "redb:empty", "--case", "point.put-then-get"]);
    assert_eq!(names(&at.join("empty")), [""; 0], "the folder was there, and is as it was");
}

#[test]
fn what_is_there_is_refused_and_left() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("full")).unwrap();
    fs::write(at.join("full/notes.txt"), "mine").unwrap();
    fs::write(at.join("notes.txt"), "mine").unwrap();
    for engine in disk_engines() {
        let store = format!("{engine}:{engine}.store");
        succeed(at, &["init", &store]);
        succeed(at, &["put", &store, "k", "v"]);
        for place in [format!("{engine}.store"), "full".to_owned(), "notes.txt".to_owned()] {
            let url = format!("{engine}:{place}");
            fail(at, &["conformance", &url, "--case", "point."], 4, "say --own");
        }
        assert_eq!(succeed(at, &["get", &store, "k"]).out, "v");
    }
    fail(at, &["conformance", "redb:no/such", "--case", "point."], 3, "can't be made");
    assert_eq!(fs::read_to_string(at.join("full/notes.txt")).unwrap(), "mine");
}

#[test]
fn an_owner_gives_up_a_store_and_no_more() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("full")).unwrap();
    fs::write(at.join("full/notes.txt"), "mine").unwrap();
    fs::write(at.join("notes.txt"), "mine").unwrap();
    let own = |url: &str| ["conformance", url, "--own", "--case", "point.put-then-get"].map(str::to_owned);
    let mut kept = vec!["full".to_owned(), "notes.txt".to_owned()];
    for engine in disk_engines() {
        let store = format!("{engine}:{engine}.store");
        succeed(at, &["init", &store]);
        let other = format!("{engine}.other");
        succeed(at, &["init", &format!("{engine}:{other}")]);
        succeed(at, &own(&store).each_ref().map(String::as_str));
        kept.extend(names(at).into_iter().filter(|name| name.starts_with(&other)));
        kept.sort();
        assert_eq!(names(at), kept, "{engine}: the store is gone, and the one beside it is there");
        let info = succeed(at, &["info", &format!("{engine}:{other}")]);
        assert!(!info.out.is_empty());
        succeed(at, &own(&format!("{engine}:full")).each_ref().map(String::as_str));
        assert_eq!(names(&at.join("full")), ["notes.txt"], "{engine}");
        let file = own(&format!("{engine}:notes.txt"));
        fail(at, &file.each_ref().map(String::as_str), 4, "left as it is");
    }
    assert_eq!(fs::read_to_string(at.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_seed_is_drawn_and_told() {
    let folder = tempdir().unwrap();
    let arguments =
        ["conformance", "memory:", "--case", "batch.random-program-agrees-with-model", "--seed", "random"];
    let [one, other] = [(), ()].map(|()| {
        let run = succeed(folder.path(), &[&arguments[..], &["--format", "json"]].concat());
        let seed = run.json()["engines"][0]["seed"].as_u64().unwrap();
        assert_eq!(run.err, format!("seed {seed}\n"));
        seed
    });
    assert_ne!(one, other);
    fail(folder.path(), &["conformance", "memory:", "--seed", "dice"], 2, "--seed");
}

#[test]
fn cases_are_repeated_and_counted_once() {
    let folder = tempdir().unwrap();
    let arguments =
        ["conformance", "memory:", "--group", "batch", "--repeat", "3", "--seed", "5", "--format", "json"];
    let report = succeed(folder.path(), &arguments).json();
    let engine = &report["engines"][0];
    assert_eq!((&engine["repetitions"], &engine["seed"]), (&Value::from(3), &Value::from(5)));
    let ids: Vec<_> = engine["cases"].as_array().unwrap().iter().map(|case| &case["id"]).collect();
    assert!(ids.len() > 10 && ids.windows(2).all(|pair| pair[0] != pair[1]));
    let text = succeed(folder.path(), &["conformance", "memory:", "--group", "batch", "--repeat", "2"]).out;
    assert!(text.contains("(seed 4711, 2 times)"), "{text}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fail(at, &["conformance", "memory:", "--group", "nosuch"], 2, "point, scan, cursor");
    fail(at, &["conformance", "memory:", "--jobs", "0"], 2, "--jobs");
    fail(at, &["conformance", "memory:", "--repeat", "0"], 2, "--repeat");
    fail(at, &["conformance", "memory:", "--all"], 2, "cannot be used with");
    fail(at, &["conformance"], 2, "required");
    let none = run(at, &["conformance", "memory:", "--case", "nosuch"]);
    assert_eq!(none.code, 1, "no case ran, which proves nothing: {}", none.out);
}

#[test]
fn the_kill_table_has_every_mutant() {
    let folder = tempdir().unwrap();
    let mut command = common::command(folder.path(), &["conformance", "mutants", "--format", "json"]);
    // One of them hangs, and its store must go too.
    let output = command.env("TMPDIR", folder.path()).output().unwrap();
    let table: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{table}");
    let mutants = table["mutants"].as_array().unwrap();
    assert!(mutants.len() >= 40);
    for mutant in mutants {
        assert_ne!(mutant["caught_by"], Value::from(Vec::<Value>::new()), "{mutant}");
        assert_eq!(mutant["missed_by"], Value::from(Vec::<Value>::new()), "{mutant}");
        assert_eq!(mutant["by_models_alone"], false, "{mutant}");
    }
    assert_eq!(table["reference"]["failed"], 0);
    assert!(table["reference"]["passed"].as_u64().unwrap() > 200);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_no_stores() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    let folder = tempdir().unwrap();
    let arguments = ["conformance", "redb:stores", "--group", "scan", "--repeat", "100000"];
    let mut command = common::command(folder.path(), &arguments);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stores = folder.path().join("stores");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !stores.is_dir() || names(&stores).is_empty() {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "no case began");
        std::thread::yield_now();
    }
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("interrupted"), "{told}");
    assert_eq!(names(folder.path()), [""; 0], "neither stores nor their folder");
}
