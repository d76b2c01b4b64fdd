//! Elements of every type, told as text and JSON, and understood again.
#![cfg(all(feature = "cli", feature = "array"))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;

use common::{fail, pipe, succeed};
use serde_json::{Value, json};
use tempfile::tempdir;

#[test]
fn every_type_is_told_as_text() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    for (dtype, fill, text) in [
        ("bool", "true", "true true"),
        ("i64", "-9223372036854775808", "-9223372036854775808 -9223372036854775808"),
        ("u64", "18446744073709551615", "18446744073709551615 18446744073709551615"),
        ("f16", "0.5", "0.5 0.5"),
        ("f64", "NaN", "NaN NaN"),
        ("complex64", "1,-2", "1-2j 1-2j"),
        ("timestamp[ns]", "2020-02-29T12:00:00Z", "2020-02-29T12:00:00Z 2020-02-29T12:00:00Z"),
        ("string", "a b", "\"a b\" \"a b\""),
        ("binary", "00ff", "\"00ff\" \"00ff\""),
    ] {
        let create =
            ["array", "create", "a.af", "--array", dtype, "--shape", "2", "--dtype", dtype, "--fill", fill];
        succeed(at, &create);
        assert_eq!(succeed(at, &["array", "read", "a.af", dtype]).out, format!("{text}\n"), "{dtype}");
    }
    succeed(at, &["array", "create", "a.af", "--array", "rgb", "--shape", "2", "--dtype", "list<u8, 3>"]);
    assert_eq!(succeed(at, &["array", "read", "a.af", "rgb"]).out, "[0, 0, 0] [0, 0, 0]\n");
    let values = succeed(at, &["array", "read", "a.af", "rgb", "--format", "json"]).json();
    assert_eq!(values["values"], json!([[0, 0, 0], [0, 0, 0]]));
    succeed(
        at,
        &["array", "create", "a.af", "--array", "one", "--shape", "", "--dtype", "u8", "--fill", "3"],
    );
    assert_eq!(succeed(at, &["array", "read", "a.af", "one"]).out, "3\n");
    succeed(at, &["array", "create", "a.af", "--array", "none", "--shape", "0,4", "--dtype", "string"]);
    assert_eq!(succeed(at, &["array", "read", "a.af", "none"]).out, "");
}

#[test]
fn what_is_told_as_json_is_written_again() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    for (dtype, values) in [
        ("bool", json!([true, false, true])),
        ("i8", json!([-128, 0, 127])),
        ("u64", json!([0, 1, u64::MAX])),
        ("f16", json!([0.5, -65504, "NaN"])),
        ("f32", json!([0.1, "inf", 3])),
        ("f64", json!([0.1, "-inf", 1e300])),
        ("complex64", json!(["1-2j", "0.1+0j", "inf+NaNj"])),
        ("complex128", json!(["1e-7+2j", "-0-1j", "0+0j"])),
        (
            "timestamp[ns]",
            json!(["2020-02-29T12:00:00Z", "1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z"]),
        ),
        ("string", json!(["", "a \"b\"", "NaN"])),
        ("binary", json!(["", "00ff", "10"])),
        ("list<u8, 3>", json!([[1, 2, 3], [0, 0, 0], [4, 5, 6]])),
        ("list<f32>", json!([[], [0.1], ["NaN", 2]])),
        ("list<list<string>>", json!([[], [[]], [["a", "b"], ["c"]]])),
    ] {
        let text = values.to_string();
        fs::write(at.join("in.json"), &text).unwrap();
        succeed(at, &["array", "write", "a.af", dtype, "in.json", "--define", "--dtype", dtype]);
        let told = succeed(at, &["array", "read", "a.af", dtype, "--format", "json"]);
        // 1e-7 is told in digits; all else as it was written.
        let same = |told: &Value| told == &values || dtype == "complex128" && told[0] == "0.0000001+2j";
        assert!(same(&told.json()["values"]), "{dtype}: {}", told.out);
        let again = format!("{dtype} again");
        pipe(at, &["array", "write", "a.af", &again, "-", "--define"], told.out.as_bytes());
        let read = |name: &str| {
            let read = succeed(at, &["array", "read", "a.af", name, "--format", "json"]).json();
            (read["dtype"].clone(), read["shape"].clone(), read["values"].clone())
        };
        assert_eq!(read(dtype), read(&again));
    }
}

#[test]
fn elements_in_json_go_where_they_are_told_to() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    // Without a type it is the one that the elements look like.
    pipe(at, &["array", "write", "a.af", "m", "-", "--define"], b" [[1, 2, 3], [4, 5, 6]]");
    let written = pipe(at, &["array", "write", "a.af", "m", "-", "--offset", "1,1"], b"[[-7, 8]]");
    assert!(String::from_utf8(written).unwrap().contains("1:2,1:3"));
    assert_eq!(succeed(at, &["array", "read", "a.af", "m"]).out, "1 2 3\n4 -7 8\n");
    let listed = succeed(at, &["array", "ls", "a.af", "--format", "json"]).json();
    assert_eq!(listed["arrays"][0]["dtype"], "int64");
    // An array without axes has one element, and no brackets around it.
    fs::write(at.join("one.json"), "2.5").unwrap();
    succeed(at, &["array", "write", "a.af", "one", "one.json", "--define", "--dtype", "f16"]);
    assert_eq!(succeed(at, &["array", "read", "a.af", "one"]).out, "2.5\n");
    // A list's fill value is JSON.
    let create = ["array", "create", "a.af", "--array", "l", "--shape", "2", "--dtype", "list<string>"];
    succeed(at, &[&create[..], &["--fill", "[\"none\"]"]].concat());
    assert_eq!(succeed(at, &["array", "read", "a.af", "l"]).out, "[\"none\"] [\"none\"]\n");
    fail(at, &[&create[..], &["--fill", "none"]].concat(), 2, "fill value");
}

#[test]
fn what_is_no_array_of_the_type_is_told_and_changes_nothing() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    pipe(at, &["array", "write", "a.af", "m", "-", "--define", "--dtype", "u8"], b"[1, 2, 3]");
    for (name, text) in [
        ("ragged", "[[1], [2, 3]]"),
        ("mixed", "[1, \"a\"]"),
        ("null", "null"),
        ("cut", "[1, 2"),
        ("empty", ""),
        ("large", "[300]"),
        ("long", "[1, 2, 3, 4]"),
        ("deep", "[[1]]"),
    ] {
        fs::write(at.join(format!("{name}.json")), text).unwrap();
    }
    fs::write(at.join("nested.json"), "[".repeat(100_000)).unwrap();
    let file = at.join("none.json");
    fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
    for (name, code, words) in [
        ("ragged", 2, "isn't a value of the type"),
        ("mixed", 2, "isn't a value of the type"),
        ("null", 2, "one for each axis"),
        ("cut", 2, "isn't JSON"),
        ("empty", 2, "isn't JSON"),
        ("nested", 2, "isn't JSON"),
        ("large", 2, "isn't a value of the type"),
        ("long", 2, "out of bounds"),
        ("deep", 2, "isn't a value of the type"),
        ("absent", 3, "can't be read"),
    ] {
        fail(at, &["array", "write", "a.af", "m", &format!("{name}.json")], code, words);
        assert_eq!(succeed(at, &["array", "read", "a.af", "m"]).out, "1 2 3\n", "{name}");
    }
    let error = common::run(at, &["array", "write", "a.af", "m", "none.json"]);
    assert!(error.code != 0 && error.err.contains("too much JSON"), "{}", error.err);
    // Nothing is left of a file that would have been made.
    fail(at, &["array", "write", "b.af", "m", "mixed.json", "--define"], 2, "--dtype");
    assert!(!at.join("b.af").exists());
    fs::write(at.join("good.json"), "[1]").unwrap();
    fail(at, &["array", "write", "a.af", "m", "good.json", "--dtype", "i8"], 2, "int8");
    fail(at, &["array", "write", "a.af", "n", "deep.json"], 3, "no array n");
}
