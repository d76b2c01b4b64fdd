//! Bad input: each a typed error, an exit code other than 0, no panic, and nothing lost.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{ENGINES, fail, head, run, succeed};
use tempfile::{TempDir, tempdir};

/// A folder with a store in it that holds one key.
fn with_store() -> TempDir {
    let folder = tempdir().unwrap();
    succeed(folder.path(), &["init", "s.redb"]);
    succeed(folder.path(), &["put", "s.redb", "k", "v"]);
    folder
}

fn still_there(folder: &Path) {
    assert_eq!(succeed(folder, &["get", "s.redb", "k"]).out, "v");
    succeed(folder, &["check", "s.redb"]);
}

#[test]
fn a_path_that_is_not_a_store() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("text"), "neither store nor image").unwrap();
    fs::create_dir(at.join("folder")).unwrap();
    for command in ["info", "log", "scan", "check", "repair", "commit", "branch"] {
        fail(at, &[command, "text"], 5, "isn't a redb database");
        fail(at, &[command, "folder"], 5, "isn't one");
        fail(at, &[command, "nosuch"], 3, "no store at this path");
    }
    assert_eq!(fs::read(at.join("text")).unwrap(), b"neither store nor image");
    assert!(!at.join("nosuch").exists());
    fail(at, &["init", "nosuch/deeper/s.redb"], 3, "nosuch/deeper");
}

#[test]
fn a_redb_file_of_another_program() {
    use engine_api::StoreExt;
    let folder = tempdir().unwrap();
    let path = folder.path().join("other.redb");
    let store = kvdag::open(path.to_str().unwrap()).unwrap();
    store.put("not", "ours").unwrap();
    drop(store);
    fail(folder.path(), &["info", "other.redb"], 5, "isn't one of kvdag");
    fail(folder.path(), &["check", "other.redb"], 5, "isn't one of kvdag");
}

#[test]
fn a_truncated_store() {
    let folder = with_store();
    let whole = fs::read(folder.path().join("s.redb")).unwrap();
    for length in [0, 1, 100, 4096, 5000, whole.len() / 2, whole.len() - 1] {
        fs::write(folder.path().join("cut.redb"), &whole[..length]).unwrap();
        for arguments in
            [&["info", "cut.redb"][..], &["get", "cut.redb", "k"], &["put", "cut.redb", "k", "w"]]
        {
            let run = run(folder.path(), arguments);
            assert_eq!(run.code, 5, "{length} bytes, {arguments:?}: {}{}", run.out, run.err);
        }
    }
}

#[test]
fn flipped_bits_are_errors_or_harmless() {
    let folder = with_store();
    let path = folder.path().join("s.redb");
    let sound = fs::read(&path).unwrap();
    let mut noticed = 0;
    for at in (0..sound.len()).step_by(sound.len() / 64) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let check = run(folder.path(), &["check", "s.redb"]);
        let get = run(folder.path(), &["get", "s.redb", "k"]);
        // A flip in a page that nothing uses changes no answer.
        assert!(get.code != 0 || get.out == "v", "byte {at}: a wrong answer: {:?}", get.out);
        noticed += usize::from(check.code != 0);
    }
    assert!(noticed > 0, "the check notices none of them");
}

#[test]
fn unknown_schemes_and_options() {
    let folder = with_store();
    let at = folder.path();
    fail(at, &["info", "nosuch:s.redb"], 2, &format!("schemes: {}", ENGINES.join(", ")));
    fail(at, &["info", "redb:s.redb?nosuch=1"], 2, "options: mode, cache");
    fail(at, &["info", "redb:s.redb?cache=banana"], 2, "expected: bytes");
    fail(at, &["info", "redb:s.redb?cache=1"], 2, "expected: bytes");
    fail(at, &["info", "redb:s.redb?mode=new&mode=new"], 2, "twice");
    fail(at, &["info", "redb:"], 2, "names no path");
    fail(at, &["info", "redb://host/s.redb"], 2, "host");
    fail(at, &["init", "memory:x"], 2, "has no path");
    fail(at, &["info", "memory:"], 3, "gone when it is closed");
    still_there(at);
}

#[test]
fn a_key_over_the_limit() {
    let folder = with_store();
    let key = "k".repeat(70_000);
    for arguments in [&["put", "s.redb", &key, "v"][..], &["delete", "s.redb", &key]] {
        fail(folder.path(), arguments, 4, "limit: 65535");
    }
    fail(folder.path(), &["get", "s.redb", &key], 3, "no value");
    still_there(folder.path());
}

#[test]
fn a_second_opener() {
    let folder = with_store();
    let held = kvdag::open_versioned(folder.path().join("s.redb").to_str().unwrap()).unwrap();
    for arguments in [&["put", "s.redb", "k", "w"][..], &["get", "s.redb", "k"], &["check", "s.redb"]] {
        fail(folder.path(), arguments, 6, "open");
    }
    drop(held);
    still_there(folder.path());
}

#[test]
fn errors_are_json_where_answers_are() {
    let folder = with_store();
    let run = run(folder.path(), &["get", "s.redb", "nosuch", "--format", "json"]);
    assert_eq!((run.code, run.out.as_str()), (3, ""));
    let error: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    assert_eq!(error["error"]["kind"], "not found");
    assert_eq!(error["error"]["fields"]["key"], "nosuch");
}

#[test]
fn a_read_only_folder() {
    // The one kind of folder that is read-only for every user, and on every Linux: /proc/self/fdinfo.
    if cfg!(target_os = "linux") {
        let folder = with_store();
        let run = run(folder.path(), &["init", "/proc/self/s.redb"]);
        assert_ne!(run.code, 0);
        assert!(run.err.starts_with("error: "), "{}", run.err);
    }
    let folder = with_store();
    let mut permissions = fs::metadata(folder.path()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(folder.path(), permissions.clone()).unwrap();
    // A superuser writes all the same; then there is nothing to see.
    if fs::write(folder.path().join("probe"), "").is_err() {
        fail(folder.path(), &["init", "new.redb"], 4, "");
        assert_eq!(succeed(folder.path(), &["get", "s.redb", "k"]).out, "v");
    }
    #[allow(clippy::permissions_set_readonly_false, reason = "the folder is about to be removed")]
    permissions.set_readonly(false);
    fs::set_permissions(folder.path(), permissions).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_truncated_nifti() {
    let folder = with_store();
    let at = folder.path();
    let whole = head();
    let packed = gzip(&whole);
    for length in [0, 100, 348, 352, 1_000_000, whole.len() - 1] {
        fs::write(at.join("cut.nii"), &whole[..length]).unwrap();
        fail(at, &["import", "s.redb", "cut.nii"], 5, "cut.nii");
        fs::write(at.join("inner.nii.gz"), gzip(&whole[..length])).unwrap();
        fail(at, &["import", "s.redb", "inner.nii.gz"], 5, "inner.nii.gz");
    }
    for length in [1, 20, packed.len() / 2, packed.len() - 1] {
        fs::write(at.join("cut.nii.gz"), &packed[..length]).unwrap();
        fail(at, &["import", "s.redb", "cut.nii.gz"], 5, "cut.nii.gz");
    }
    let info = succeed(at, &["info", "s.redb", "--format", "json"]).json();
    assert_eq!(info["instances"].as_array().unwrap().len(), 1, "no volume is left");
    still_there(at);
}

#[test]
fn a_nifti_whose_header_claims_a_million_million_voxels() {
    let folder = with_store();
    let at = folder.path();
    let mut bytes = head()[..2000].to_vec();
    for (axis, extent) in [3_i16, 16_384, 8_192, 8_192].into_iter().enumerate() {
        bytes[40 + axis * 2..42 + axis * 2].copy_from_slice(&extent.to_le_bytes());
    }
    fs::write(at.join("huge.nii"), &bytes).unwrap();
    fail(at, &["import", "s.redb", "huge.nii"], 5, "1099511627776");
    fs::write(at.join("huge.nii.gz"), gzip(&bytes)).unwrap();
    fail(at, &["import", "s.redb", "huge.nii.gz"], 5, "1099511627776");
    still_there(at);
}

#[test]
fn writing_to_a_committed_version() {
    let folder = with_store();
    let at = folder.path();
    fs::write(at.join("two.raw"), [1, 2]).unwrap();
    let image = ["import", "s.redb", "two.raw", "--shape", "1,1,2", "--dtype", "u8", "--name", "pair"];
    succeed(at, &image);
    let root = succeed(at, &["commit", "s.redb", "--format", "json"]).json()["committed"]
        .as_str()
        .unwrap()
        .to_owned();
    succeed(at, &["new", "s.redb"]);
    for arguments in [
        &["put", "s.redb", "k", "w", "--at", &root][..],
        &["delete", "s.redb", "k", "--at", &root],
        &["fill", "s.redb", "pair", "--region", "0:1,0:1,0:1", "--at", &root],
        &["commit", "s.redb", &root],
        &["import", "s.redb", "two.raw", "--shape", "1,1,2", "--dtype", "u8", "--name", "new", "--at", &root],
    ] {
        fail(at, arguments, 4, "committed");
    }
    still_there(at);
}

#[test]
fn arguments_that_make_no_sense() {
    let folder = with_store();
    let at = folder.path();
    fail(at, &["get", "s.redb", "k", "--at", "main~x"], 2, "[REPO:]NAME[~N]");
    fail(at, &["init", "t.redb", "--uuid", "xyz"], 2, "32 hexadecimal digits");
    fail(at, &["init", "t.redb", "--repo", "a b"], 2, "no white space");
    fs::write(at.join("x.raw"), [0; 4]).unwrap();
    fail(at, &["import", "s.redb", "x.raw"], 2, "shape and type");
    fail(at, &["import", "s.redb", "x.raw", "--shape", "5", "--dtype", "u8"], 2, "expected: 5");
    fail(at, &["import", "s.redb", "x.raw", "--shape", "4", "--dtype", "u7"], 2, "u7");
    fail(at, &["import", "s.redb", "x.raw", "--shape", "4", "--dtype", "u8", "--codec", "gzip"], 2, "gzip");
    fail(at, &["import", "s.redb", "x.raw", "--shape", "4", "--dtype", "u8", "--chunk", "0"], 2, "zero");
    fail(at, &["fill", "s.redb", "default", "--region", "0:1"], 2, "another datatype");
    fail(at, &["get", "s.redb", "k", "--in", "nosuch"], 3, "instances: default");
    still_there(at);
}
