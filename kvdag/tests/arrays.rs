//! The commands on array files: round trips, history, damage, and files in stores with branches.
#![cfg(all(feature = "cli", feature = "array", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
#[cfg(feature = "s3")]
use std::process::Command;

use common::npy::{elements, npy};
use common::{HEAD, command, disk_engines, fail, feed, head, pages, pipe, run, succeed, testdata};
use serde_json::json;
use tempfile::tempdir;

fn ramp(count: u16) -> Vec<u8> {
    (0..count).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn an_array_is_written_by_parts_and_read_by_others() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let create = [
        "array",
        "create",
        "a.af",
        "--array",
        "m",
        "--shape",
        "6,10",
        "--chunk-shape",
        "4,4",
        "--dtype",
        "u16",
    ];
    succeed(at, &[&create[..], &["--fill", "7", "--dims", "y,x"]].concat());
    fs::write(at.join("part.npy"), npy("<u2", "(3, 5)", &ramp(15))).unwrap();
    let written = succeed(at, &["array", "write", "a.af", "m", "part.npy", "--offset", "2,3"]);
    assert!(written.out.contains("2:5,3:8"), "{}", written.out);
    let text = succeed(at, &["array", "read", "a.af", "m", "--region", "1:4,2:6"]).out;
    assert_eq!(text, "7 7 7 7\n7 0 1 2\n7 5 6 7\n");
    succeed(at, &["array", "read", "a.af", "m", "--region", "2:5,3:8", "-o", "back.npy"]);
    let back = fs::read(at.join("back.npy")).unwrap();
    assert_eq!(elements(&back), ramp(15));
    succeed(at, &["array", "read", "a.af", "m", "--region", "2:5,3:8", "-o", "back.raw"]);
    assert_eq!(fs::read(at.join("back.raw")).unwrap(), ramp(15));
    let answer =
        succeed(at, &["array", "read", "a.af", "m", "--region", "2:3,2:5", "--format", "json"]).json();
    assert_eq!((&answer["values"], &answer["shape"]), (&json!([7, 0, 1]), &json!([1, 3])));
    let listed = succeed(at, &["array", "ls", "a.af", "--format", "json"]).json();
    let array = &listed["arrays"][0];
    assert_eq!(array["dims"], json!(["y", "x"]));
    assert_eq!(
        (&array["chunks"], &array["chunks_stored"], &array["fill"]),
        (&json!(6), &json!(4), &json!("7"))
    );
    let stats = succeed(at, &["array", "stats", "a.af", "m", "--format", "json"]).json();
    let row = &stats["arrays"][0];
    assert_eq!((&row["min"], &row["max"], &row["elements"]), (&json!(0), &json!(14), &json!(60)));
    assert_eq!(row["null"], json!(60 - 14), "one of the fifteen that were written is the fill value");
}

#[test]
fn elements_go_through_pipes() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let image = npy("<u2", "(2, 3, 4)", &ramp(24));
    pipe(at, &["array", "write", "a.af", "m", "-", "--define"], &image);
    let read = |kind: &str| pipe(at, &["array", "read", "a.af", "m", "-o", "-", "--as", kind], &[]);
    assert_eq!(elements(&read("npy")), ramp(24));
    assert_eq!(read("raw"), ramp(24));
    let text = String::from_utf8(read("text")).unwrap();
    assert_eq!(text, "0 1 2 3\n4 5 6 7\n8 9 10 11\n\n12 13 14 15\n16 17 18 19\n20 21 22 23\n");
}

#[test]
fn images_come_in_and_go_out_unchanged() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let head = head();
    let nuclei = testdata("nuclei.tif");
    succeed(at, &["array", "import", "a.af", &testdata(HEAD), "--array", "head"]);
    succeed(at, &["array", "import", "a.af", &nuclei, "--chunk-shape", "16,32,32", "--codec", "lz4"]);
    let voxels = 189 * 233 * 197;
    for file in ["h.nii", "h.npy", "h.zarr", "h.ome.zarr"] {
        succeed(at, &["array", "export", "a.af", "head", file]);
        succeed(at, &["array", "import", "b.af", file, "--array", file]);
        let back = pipe(at, &["array", "read", "b.af", file, "-o", "-", "--as", "raw"], &[]);
        assert!(back == head[head.len() - voxels..], "{file}");
    }
    assert_eq!(fs::read(at.join("h.nii")).unwrap()[40..348], head[40..348], "the header comes back");
    succeed(at, &["array", "export", "a.af", "nuclei", "n.tif", "--deflate"]);
    succeed(at, &["array", "import", "b.af", "n.tif"]);
    let raw =
        |file: &str, array: &str| pipe(at, &["array", "read", file, array, "-o", "-", "--as", "raw"], &[]);
    assert!(raw("b.af", "n") == raw("a.af", "nuclei"));
    assert_eq!(raw("b.af", "n").len(), 31 * 61 * 57 * 2);
    let spacing = succeed(at, &["array", "attrs", "a.af", "head", "spacing", "--format", "json"]).json();
    assert_eq!(spacing["attributes"][0]["value"], json!([1.0, 1.0, 1.0]));
    fail(at, &["array", "import", "a.af", &nuclei], 4, "nuclei already");
}

#[test]
fn attributes_keep_their_types() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    succeed(at, &["array", "create", "a.af", "--array", "m", "--shape", "4", "--dtype", "float32"]);
    for (name, arguments, value, kind) in [
        ("n", &["3"][..], json!(3), "int64"),
        ("x", &["0.1", "--type", "f32"], json!(0.1), "float32"),
        ("unit", &["nm"], json!("nm"), "string"),
        ("list", &["[1, \"a\", [true]]"], json!([1, "a", [true]]), "list"),
        ("digits", &["17", "--type", "string"], json!("17"), "string"),
        ("below", &["-2", "--type", "i8"], json!(-2), "int8"),
    ] {
        succeed(at, &[&["array", "attrs", "a.af", "m", name], arguments].concat());
        let shown = succeed(at, &["array", "attrs", "a.af", "m", name, "--format", "json"]).json();
        assert_eq!(shown["attributes"], json!([{"name": name, "type": kind, "value": value}]));
    }
    succeed(at, &["array", "attrs", "a.af", "m", "n", "--delete"]);
    fail(at, &["array", "attrs", "a.af", "m", "n"], 3, "no such attribute");
    fail(at, &["array", "attrs", "a.af", "m", "n", "--delete"], 3, "no such attribute");
    fail(at, &["array", "attrs", "a.af", "m", "u", "300", "--type", "u8"], 2, "isn't one of");
    let listed = succeed(at, &["array", "attrs", "a.af", "m"]).out;
    assert_eq!(listed.lines().count(), 5, "{listed}");
}

#[test]
fn commits_of_the_past_are_read_until_they_are_swept() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("one.npy"), npy("<u2", "(4,)", &ramp(4))).unwrap();
    succeed(at, &["array", "write", "a.af", "m", "one.npy", "--define"]);
    succeed(at, &["array", "history", "a.af", "--name", "first"]);
    fs::write(at.join("two.npy"), npy("<u2", "(2,)", &[9, 0, 9, 0])).unwrap();
    succeed(at, &["array", "write", "a.af", "m", "two.npy", "--offset", "1"]);
    let read = |arguments: &[&str]| succeed(at, &[&["array", "read", "a.af", "m"], arguments].concat()).out;
    assert_eq!(read(&[]), "0 9 9 3\n");
    assert_eq!(read(&["--commit", "1"]), "0 1 2 3\n");
    assert_eq!(read(&["--commit", "first"]), "0 1 2 3\n");
    let history = succeed(at, &["array", "history", "a.af", "--format", "json"]).json();
    let commits: Vec<_> =
        history["commits"].as_array().unwrap().iter().map(|commit| &commit["commit"]).collect();
    assert_eq!(json!(commits), json!([3, 2, 1]));
    assert_eq!(history["commits"][2]["names"], json!(["first"]));
    fail(at, &["array", "history", "a.af", "--name", "12"], 2, "isn't a number");
    fail(at, &["array", "read", "a.af", "m", "--commit", "17"], 3, "no commit 17");
    let swept = succeed(at, &["array", "compact", "a.af", "--grace", "0s", "--format", "json"]).json();
    assert_eq!(swept["layers"], 1);
    assert!(swept["commits_removed"].as_u64().unwrap() >= 1, "{swept}");
    fail(at, &["array", "read", "a.af", "m", "--commit", "2"], 3, "no commit 2");
    assert_eq!((read(&[]), read(&["--commit", "first"])), ("0 9 9 3\n".to_owned(), "0 1 2 3\n".to_owned()));
    let checked = succeed(at, &["array", "verify", "a.af", "--format", "json"]).json();
    assert_eq!((&checked["problems"], &checked["layers_unused"]), (&json!([]), &json!(0)));
}

#[test]
fn a_flipped_bit_in_any_object_is_found_and_named() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("m.npy"), npy("<u2", "(40, 50)", &ramp(2000))).unwrap();
    succeed(at, &["array", "write", "a.af", "m", "m.npy", "--define", "--chunk-shape", "16,16"]);
    succeed(at, &["array", "attrs", "a.af", "m", "unit", "nm"]);
    succeed(at, &["array", "verify", "a.af"]);
    let mut objects: Vec<_> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()).collect();
    objects.extend(fs::read_dir(at.join("a.commits")).unwrap().map(|entry| entry.unwrap().path()));
    objects.retain(|path| path.is_file() && path.extension().is_some_and(|kind| kind != "npy"));
    assert_eq!(objects.len(), 5, "the head, a layer, two commits and the statistics: {objects:?}");
    for object in objects {
        let sound = fs::read(&object).unwrap();
        for place in [0, sound.len() / 2, sound.len() - 1] {
            let mut bytes = sound.clone();
            bytes[place] ^= 4;
            fs::write(&object, bytes).unwrap();
            let found = run(at, &["array", "verify", "a.af", "--format", "json"]);
            assert_eq!(found.code, 5, "{} at {place}: {}{}", object.display(), found.out, found.err);
            let name = object.file_name().unwrap().to_str().unwrap();
            let named = found.json()["problems"]
                .as_array()
                .unwrap()
                .iter()
                .any(|problem| problem["object"].as_str().unwrap().ends_with(name));
            assert!(named, "{name} at {place}: {}", found.out);
        }
        fs::write(&object, sound).unwrap();
    }
    succeed(at, &["array", "verify", "a.af"]);
    fs::remove_file(at.join("a.1.af")).unwrap();
    let found = run(at, &["array", "verify", "a.af"]);
    assert_eq!(found.code, 5);
    assert!(found.out.contains("layer 1 is missing"), "{}", found.out);
}

#[test]
fn an_array_file_in_a_store_has_branches() {
    for engine in disk_engines() {
        branches_in(&format!("{engine}:s"));
    }
}

fn branches_in(url: &str) {
    let array = |arguments: &[&'static str]| [&["array"], arguments, &["--store", url]].concat();
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("one.npy"), npy("<u2", "(2, 2)", &ramp(4))).unwrap();
    fs::write(at.join("two.npy"), npy("<u2", "(1, 2)", &[9, 0, 9, 0])).unwrap();
    succeed(at, &array(&["write", "deep/m.af", "m", "one.npy", "--define"]));
    succeed(at, &["commit", url, "main", "-m", "as imported"]);
    fail(at, &array(&["write", "deep/m.af", "m", "two.npy"]), 4, "committed");
    fail(at, &array(&["attrs", "deep/m.af", "m", "unit", "nm"]), 4, "committed");
    succeed(at, &["branch", url, "side", "--from", "main"]);
    succeed(at, &array(&["write", "deep/m.af", "m", "two.npy", "--at", "side"]));
    let read = |version: &'static str| succeed(at, &array(&["read", "deep/m.af", "m", "--at", version])).out;
    assert_eq!(read("main"), "0 1\n2 3\n");
    assert_eq!(read("side"), "9 9\n2 3\n");
    succeed(at, &["commit", url, "side", "-m", "a row"]);
    succeed(at, &["new", url, "main"]);
    succeed(at, &["commit", url, "main", "-m", "nothing"]);
    succeed(at, &["merge", url, "side", "--into", "main"]);
    assert_eq!(read("main"), "9 9\n2 3\n");
    assert_eq!(read("main~1"), "0 1\n2 3\n");
    let checked = succeed(at, &array(&["verify", "deep/m.af", "--format", "json"])).json();
    assert_eq!((&checked["problems"], &checked["commits_checked"]), (&json!([]), &json!(2)));
    succeed(at, &["check", url]);
    fail(at, &array(&["read", "m.af", "m"]), 3, "no array file");
    fail(at, &array(&["read", "deep/m.af", "m", "--objects", "other"]), 3, "other");
    fail(at, &["array", "read", "m.af", "m", "--at", "main"], 2, "--store");
}

/// What both sides of a merge have committed to is taken from one side, whichever has committed more.
#[test]
fn a_file_that_both_sides_of_a_merge_have_committed_to_is_taken_from_one() {
    for engine in disk_engines() {
        let url = &format!("{engine}:s");
        for (compacted, take, expected) in [
            (false, "main", "5 5\n5 5\n"),
            (false, "side", "9 9\n2 3\n"),
            (true, "main", "5 5\n5 5\n"),
            (true, "side", "9 9\n2 3\n"),
        ] {
            let folder = tempdir().unwrap();
            let at = folder.path();
            let array =
                |arguments: &[&str]| succeed(at, &[&["array"], arguments, &["--store", url]].concat());
            fs::write(at.join("one.npy"), npy("<u2", "(2, 2)", &ramp(4))).unwrap();
            fs::write(at.join("five.npy"), npy("<u2", "(1, 2)", &[5, 0, 5, 0])).unwrap();
            fs::write(at.join("nine.npy"), npy("<u2", "(1, 2)", &[9, 0, 9, 0])).unwrap();
            array(&["write", "m.af", "m", "one.npy", "--define", "--chunk-shape", "1,2"]);
            array(&["write", "other.af", "m", "one.npy", "--define"]);
            succeed(at, &["commit", url, "main", "-m", "as imported"]);
            succeed(at, &["branch", url, "side", "--from", "main"]);
            succeed(at, &["new", url, "main"]);
            array(&["write", "m.af", "m", "nine.npy", "--at", "side"]);
            array(&["write", "m.af", "m", "five.npy", "--at", "main"]);
            array(&["write", "m.af", "m", "five.npy", "--offset", "1,0", "--at", "main"]);
            if compacted {
                array(&["compact", "m.af", "--grace", "0s", "--at", "main"]);
            }
            for branch in ["main", "side"] {
                succeed(at, &["commit", url, branch, "-m", "edited"]);
            }
            succeed(at, &["merge", url, "side", "--into", "main"]);
            let resolve = |take: &'static str| ["array", "resolve", "m.af", "--store", url, "--take", take];
            if !compacted {
                fail(at, &["array", "read", "m.af", "m", "--store", url], 4, "several values");
            }
            fail(at, &resolve("main~2"), 2, "none of those that were merged");
            succeed(at, &resolve(take));
            assert_eq!(array(&["read", "m.af", "m"]).out, expected, "{engine}, {take}, {compacted}");
            let checked = array(&["verify", "m.af", "--format", "json"]).json();
            assert_eq!((&checked["problems"], &checked["layers_unused"]), (&json!([]), &json!(0)));
            let side = if take == "side" { "side" } else { "main~1" };
            let history = |at: &str| array(&["history", "m.af", "--at", at, "--format", "json"]).json();
            let commits = |at: &str| history(at)["commits"].as_array().unwrap().len();
            assert_eq!(commits("main"), commits(side));
            let again = succeed(at, &[&resolve(take)[..], &["--format", "json"]].concat()).json();
            assert_eq!((&again["written"], &again["removed"]), (&json!(0), &json!(0)), "it is done");
            let left = succeed(at, &["conflicts", url, "main", "--format", "json"]).json();
            assert_eq!(left["conflicts"], json!([]));
            assert_eq!(array(&["read", "other.af", "m"]).out, "0 1\n2 3\n");
            succeed(at, &["commit", url, "main", "-m", "resolved"]);
            fail(at, &resolve(take), 4, "committed");
        }
    }
}

/// A choice for each object mixes the sides: that is found.
#[test]
fn sides_that_were_mixed_are_no_file_without_damage() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let array = |arguments: &[&str]| run(at, &[&["array"], arguments, &["--store", "s.redb"]].concat());
    fs::write(at.join("five.npy"), npy("<u2", "(1, 2)", &[5, 0, 5, 0])).unwrap();
    fs::write(at.join("nine.npy"), npy("<u2", "(1, 2)", &[9, 0, 9, 0])).unwrap();
    array(&["create", "m.af", "--array", "m", "--shape", "2,2", "--chunk-shape", "1,2", "--dtype", "u16"]);
    succeed(at, &["commit", "s.redb", "main", "-m", "as made"]);
    succeed(at, &["branch", "s.redb", "side", "--from", "main"]);
    succeed(at, &["new", "s.redb", "main"]);
    array(&["write", "m.af", "m", "nine.npy", "--at", "side"]);
    array(&["write", "m.af", "m", "five.npy", "--at", "main"]);
    array(&["write", "m.af", "m", "five.npy", "--offset", "1,0", "--at", "main"]);
    for branch in ["main", "side"] {
        succeed(at, &["commit", "s.redb", branch, "-m", "edited"]);
    }
    succeed(at, &["merge", "s.redb", "side", "--into", "main"]);
    succeed(at, &["resolve", "s.redb", "--all", "--take", "side"]);
    let found = array(&["verify", "m.af"]);
    assert_eq!(found.code, 5, "{}", found.out);
    assert!(found.out.contains("made on another commit 2"), "{}", found.out);
    succeed(at, &["array", "resolve", "m.af", "--store", "s.redb", "--take", "side"]);
    assert_eq!(array(&["verify", "m.af"]).code, 0);
    assert_eq!(array(&["read", "m.af", "m"]).out, "9 9\n0 0\n");
}

#[test]
fn bad_input_is_told_and_changes_nothing() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("m.npy"), npy("<u2", "(4,)", &ramp(4))).unwrap();
    fs::write(at.join("short.npy"), npy("<u2", "(5,)", &ramp(4))).unwrap();
    fs::write(at.join("floats.npy"), npy("<f4", "(1,)", &1f32.to_le_bytes())).unwrap();
    let define = |name: &str, more: &[&str]| {
        [&["array", "create", name, "--array", "m"], more]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    for (more, code, words) in [
        (&["--shape", "4", "--dtype", "u12"][..], 2, "no such element type"),
        (&["--shape", "4", "--dtype", "u8", "--fill", "300"], 2, "fill value"),
        (&["--shape", "4", "--dtype", "u8", "--fill", "x"], 2, "fill value"),
        (&["--shape", "4", "--dtype", "u8", "--chunk-shape", "0"], 2, "no elements"),
        (&["--shape", "4", "--dtype", "u8", "--chunk-shape", "2,2"], 2, "axes"),
        (&["--shape", "4", "--dtype", "u8", "--dims", "y,x"], 2, "axes"),
        (&["--shape", "4", "--dtype", "list<list<u8"], 2, "no such element type"),
    ] {
        let arguments = define("a.af", more);
        fail(at, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), code, words);
        assert!(!at.join("a.af").exists(), "{more:?} leaves no file");
    }
    fail(at, &["array", "create", "a.txt"], 2, "ends in .af");
    fail(at, &["array", "create", "nowhere/a.af"], 3, "no such folder");
    fail(
        at,
        &["array", "create", "ftp://bucket/a.af"],
        1,
        if cfg!(feature = "s3") { "s3://" } else { "feature s3" },
    );
    fail(at, &["array", "info", "a.af"], 3, "no array file");
    fail(at, &["array", "verify", "a.af"], 3, "no such array file");
    fail(at, &["array", "import", "a.af", "short.npy"], 5, "short");
    fail(at, &["array", "import", "a.af", "none.npy"], 3, "none.npy");
    assert!(!at.join("a.af").exists());
    succeed(at, &["array", "create", "a.af"]);
    fail(at, &["array", "create", "a.af"], 4, "there is an array file");
    fail(at, &["array", "write", "a.af", "m", "m.npy"], 3, "no array m");
    succeed(at, &["array", "write", "a.af", "m", "m.npy", "--define"]);
    fail(at, &["array", "write", "a.af", "m", "m.npy", "--offset", "1"], 2, "beyond");
    fail(at, &["array", "write", "a.af", "m", "m.npy", "--offset", "0,0"], 2, "axes");
    fail(at, &["array", "write", "a.af", "m", "floats.npy"], 2, "uint16");
    fail(at, &["array", "read", "a.af", "m", "--region", "0:5"], 2, "out of bounds");
    fail(at, &["array", "read", "a.af", "m", "--region", "0:1,0:1"], 2, "axes");
    fail(at, &["array", "read", "a.af", "m", "--region", "3:1"], 2, "start:end");
    fail(at, &["array", "read", "a.af", "m", "-o", "m.tif"], 2, "export");
    fail(at, &["array", "read", "a.af", "n"], 3, "no array n");
    fail(at, &["array", "compact", "a.af", "--grace", "soon"], 2, "10m");
    assert_eq!(succeed(at, &["array", "read", "a.af", "m"]).out, "0 1 2 3\n");
    assert_eq!(succeed(at, &["array", "info", "a.af", "--format", "json"]).json()["commit"], 1);
}

/// The command with what the environment says of the buckets.
#[cfg(feature = "s3")]
fn in_the_clouds(mut command: Command, emulator: &s3_emulator::Emulator) -> Command {
    command.envs(emulator.environment()).env("NO_PROXY", "*");
    command
}

/// The commands of a page of the docs, run one after another as they stand there.
#[test]
fn the_page_on_arrays_says_what_works() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::copy(testdata(HEAD), at.join("head.nii.gz")).unwrap();
    fs::write(at.join("patch.npy"), npy("|u1", "(10, 20, 30)", &[0; 6000])).unwrap();
    #[cfg(feature = "s3")]
    let emulator = s3_emulator::Emulator::start().unwrap();
    #[cfg(feature = "s3")]
    emulator.create_bucket("scans");
    let mut commands = 0;
    for line in pages::lines("arrays.md") {
        if cfg!(not(feature = "s3")) && (line.starts_with("export ") || line.contains("s3://")) {
            continue;
        }
        #[cfg(feature = "s3")]
        if let Some((name, _)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
            assert!(emulator.environment().iter().any(|(known, _)| *known == name), "{name}");
            continue;
        }
        let line = line.strip_prefix("kvdag ").unwrap_or_else(|| panic!("a line that isn't run: {line}"));
        let (line, to) = match line.split_once(" > ") {
            Some((line, to)) => (line, Some(to)),
            None => (line, None),
        };
        let command = command(at, &pages::arguments(line));
        #[cfg(feature = "s3")]
        let command = in_the_clouds(command, &emulator);
        let written = feed(command, &[]);
        if let Some(to) = to {
            fs::write(at.join(to), written).unwrap();
        }
        commands += 1;
    }
    assert!(commands >= 15, "{commands} commands");
}
