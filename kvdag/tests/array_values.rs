//! Elements of every type, told as text and JSON, and understood again.
#![cfg(all(feature = "cli", feature = "array"))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;

use common::npy::{elements, npy};
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
    fs::write(at.join("said.json"), r#"{"shape": [1], "dtype": "int8", "values": [1]}"#).unwrap();
    fail(at, &["array", "write", "a.af", "m", "said.json"], 2, "int8");
    fail(at, &["array", "write", "a.af", "n", "deep.json"], 3, "no array n");
    fs::write(at.join("huge.json"), "[1e39]").unwrap();
    fail(
        at,
        &["array", "write", "a.af", "f", "huge.json", "--define", "--dtype", "f32"],
        2,
        "isn't a value of the type",
    );
}

/// Half precision floats, or complex numbers of single or double precision, for each number from 0.
fn numbers(dtype: &str, count: u16) -> Vec<u8> {
    let at = |index: u16| f32::from(index) / 4.0;
    (0..count)
        .flat_map(|index| match dtype {
            "float16" => half::f16::from_f32(at(index)).to_le_bytes().to_vec(),
            "complex64" => [at(index), -at(index)].map(f32::to_le_bytes).concat(),
            _ => [at(index), -at(index)].map(|part| f64::from(part).to_le_bytes()).concat(),
        })
        .collect()
}

#[test]
fn numbers_that_images_do_not_have_come_from_numpy_and_go_there() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    for (dtype, descr) in [("float16", "<f2"), ("complex64", "<c8"), ("complex128", "<c16")] {
        let all = numbers(dtype, 5 * 6 * 7);
        fs::write(at.join("in.npy"), npy(descr, "(5, 6, 7)", &all)).unwrap();
        let chunks = ["--chunk-shape", "2,4,3"];
        succeed(at, &[&["array", "import", "a.af", "in.npy", "--array", dtype], &chunks[..]].concat());
        succeed(at, &["array", "export", "a.af", dtype, "out.npy"]);
        let exported = fs::read(at.join("out.npy")).unwrap();
        assert_eq!(elements(&exported), all, "{dtype}");
        let header = String::from_utf8_lossy(&exported[..128]).into_owned();
        assert!(header.contains(&format!("'{descr}'")) && header.contains("(5, 6, 7)"), "{header}");
        // A part of it, elsewhere, through a pipe.
        let part = npy(descr, "(1, 2, 3)", &numbers(dtype, 6));
        pipe(at, &["array", "write", "a.af", dtype, "-", "--offset", "4,1,2"], &part);
        let read = ["array", "read", "a.af", dtype, "--region", "4:5,1:3,2:5"];
        let back = pipe(at, &[&read[..], &["-o", "-", "--as", "npy"]].concat(), &[]);
        assert_eq!(elements(&back), numbers(dtype, 6), "{dtype}");
        let text = succeed(at, &read).out;
        let second = if dtype == "float16" { "0.25" } else { "0.25-0.25j" };
        assert_eq!(text.split_whitespace().nth(1), Some(second), "{text}");
        // The same without a header.
        succeed(at, &[&read[..], &["-o", "part.raw"]].concat());
        assert_eq!(fs::read(at.join("part.raw")).unwrap(), numbers(dtype, 6), "{dtype}");
        let raw = ["array", "write", "a.af", dtype, "part.raw", "--shape", "1,2,3", "--dtype", dtype];
        succeed(at, &raw);
        let first = succeed(at, &["array", "read", "a.af", dtype, "--region", "0:1,0:2,0:3"]).out;
        assert_eq!(first, text, "{dtype}");
        // Another type is told.
        fs::write(at.join("other.raw"), [0; 16]).unwrap();
        let (other, shape) = if dtype == "float16" { ("complex64", "1,1,2") } else { ("float16", "1,2,4") };
        fail(
            at,
            &["array", "write", "a.af", dtype, "other.raw", "--shape", shape, "--dtype", other],
            2,
            other,
        );
        fs::write(at.join("other.npy"), npy("<u2", "(1, 1, 1)", &[0; 2])).unwrap();
        fail(at, &["array", "write", "a.af", dtype, "other.npy"], 2, dtype);
        fail(at, &["array", "export", "a.af", dtype, "out.tif"], 1, "images have no elements");
    }
    // Big-endian, the first axis fastest.
    let swapped: Vec<u8> =
        numbers("complex64", 6).chunks_exact(4).flat_map(|part| part.iter().rev().copied()).collect();
    let mut file = npy(">c8", "(3, 2)", &swapped);
    let order = file.windows(6).position(|text| text == b"False,").unwrap();
    file[order..order + 6].copy_from_slice(b"True, ");
    pipe(at, &["array", "write", "a.af", "turned", "-", "--define"], &file);
    let text = succeed(at, &["array", "read", "a.af", "turned"]).out;
    assert_eq!(text, "0-0j 0.25-0.25j 0.5-0.5j\n0.75-0.75j 1-1j 1.25-1.25j\n");
    // Times, and lists of numbers, as they are.
    for (dtype, bytes) in [("timestamp[ns]", 8), ("list<u16, 3>", 6)] {
        fs::write(at.join("in.raw"), (0..4 * bytes).collect::<Vec<u8>>()).unwrap();
        let write =
            ["array", "write", "a.af", dtype, "in.raw", "--shape", "2,2", "--dtype", dtype, "--define"];
        succeed(at, &write);
        succeed(at, &["array", "read", "a.af", dtype, "-o", "out.raw"]);
        assert_eq!(fs::read(at.join("out.raw")).unwrap(), fs::read(at.join("in.raw")).unwrap(), "{dtype}");
    }
    // An image stays an image.
    fs::write(at.join("in.npy"), npy("<f2", "(2, 2)", &numbers("float16", 4))).unwrap();
    fail(at, &["volume", "import", "memory:", "in.npy"], 1, "real numbers");
}
