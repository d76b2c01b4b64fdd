//! Dataset caches, by the command.
#![cfg(all(feature = "cli", feature = "cache", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{fail, run, succeed, testdata};
use kvdag::dataset_cache::DatasetCache;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// A store with a volume of two committed versions, on two branches, and an open one.
fn store() -> TempDir {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let chunks = ["--name", "n", "--scales", "--chunk", "16,16,16"];
    succeed(at, &[&["volume", "import", "n.redb", &testdata("nuclei.tif")][..], &chunks].concat());
    succeed(at, &["commit", "n.redb", "-m", "as imported"]);
    for (branch, value) in [("left", "1"), ("right", "2")] {
        succeed(at, &["branch", "n.redb", branch, "--from", "main"]);
        let region = ["--region", "0:31,0:61,0:57", "--value", value];
        succeed(at, &[&["fill", "n.redb", "n", "--at", branch][..], &region].concat());
    }
    succeed(at, &["commit", "n.redb", "left", "-m", "ones"]);
    folder
}

/// All files beneath a folder, by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (name.join(inner), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// Exports a version as voxels; answers them, and what the command says of the cache.
fn export(at: &Path, version: &str, cache: &[&str]) -> (Vec<u8>, Value) {
    let what = ["volume", "export", "n.redb", "n", "out.raw", "--at", version, "--format", "json"];
    let told = succeed(at, &[&what[..], cache].concat()).json();
    (fs::read(at.join("out.raw")).unwrap(), told["cache"].clone())
}

#[test]
fn an_export_through_a_cache_is_the_same_and_the_second_reads_nothing_else() {
    let folder = store();
    let at = folder.path();
    let through = ["--cache", "n.cache"];
    let mut chunks = 0;
    for version in ["main", "left"] {
        let (expected, none) = export(at, version, &[]);
        assert_eq!(none, Value::Null);
        let (cold, told) = export(at, version, &through);
        assert!(cold == expected, "{version}: what is read is what is stored");
        assert_eq!(
            (&told["hits"], &told["written"]),
            (&0.into(), &true.into()),
            "no branch has another's chunks"
        );
        assert_eq!(told["misses"], told["inserted"]);
        chunks += told["misses"].as_u64().unwrap();
        let (warm, told_again) = export(at, version, &through);
        assert!(warm == expected, "{version}");
        assert_eq!((&told_again["hits"], &told_again["misses"]), (&told["misses"], &0.into()));
    }
    assert_eq!(succeed(at, &["cache", "stats", "n.cache", "--format", "json"]).json()["entries"], chunks);

    // An open version is as it is now, and nothing of it is kept.
    for value in ["2", "3"] {
        let region = ["--region", "0:31,0:61,0:57", "--value", value];
        succeed(at, &[&["fill", "n.redb", "n", "--at", "right"][..], &region].concat());
        let (open, told) = export(at, "right", &through);
        assert!(open == export(at, "right", &[]).0);
        assert_eq!((&told["hits"], &told["misses"]), (&0.into(), &0.into()));
        assert!(told["notes"][0].as_str().unwrap().contains("open"));
    }
    assert_eq!(succeed(at, &["cache", "info", "n.cache", "--format", "json"]).json()["entries"], chunks);

    // All scales, and `cat`.
    succeed(at, &["volume", "export", "n.redb", "n", "a.precomputed", "--scales"]);
    let scales = ["volume", "export", "n.redb", "n", "b.precomputed", "--scales", "--cache", "n.cache"];
    assert!(succeed(at, &scales).out.contains("n.cache: "));
    let (a, b) = (files(&at.join("a.precomputed")), files(&at.join("b.precomputed")));
    assert!(a.len() > 10 && a == b);
    let cat = ["volume", "cat", "n.redb", "n", "--at", "left", "--scale", "1"];
    let read = succeed(at, &[&cat[..], &through].concat());
    assert_eq!((&read.out, read.err.as_str()), (&succeed(at, &cat).out, ""));
    let open = succeed(at, &["volume", "cat", "n.redb", "n", "--at", "right", "--cache", "n.cache"]);
    assert!(open.err.contains("the version is open"), "{}", open.err);
}

#[test]
fn who_cannot_write_a_cache_reads_it_or_goes_without() {
    let folder = store();
    let at = folder.path();
    let through = ["--cache", "n.cache"];
    let (expected, _) = export(at, "main", &through);

    let writer = DatasetCache::open(at.join("n.cache"), false).unwrap();
    let (beside, told) = export(at, "main", &through);
    assert!(beside == expected);
    assert_eq!((&told["hits"], &told["written"]), (&0.into(), &false.into()));
    assert!(told["notes"][0].as_str().unwrap().contains("another process writes the cache"));
    let text = ["volume", "export", "n.redb", "n", "out.raw", "--cache", "n.cache"];
    assert!(succeed(at, &text).out.contains("the store is read without it"));
    for command in ["info", "stats", "verify", "clear"] {
        fail(at, &["cache", command, "n.cache"], 6, "open elsewhere");
    }
    fail(at, &["cache", "warm", "n.cache", "n.redb"], 6, "open elsewhere");
    drop(writer);

    let reader = DatasetCache::open(at.join("n.cache"), true).unwrap();
    let (beside, told) = export(at, "main", &through);
    assert!(beside == expected);
    assert_eq!((&told["misses"], &told["written"]), (&0.into(), &false.into()));
    assert!(told["hits"].as_u64().unwrap() > 0);
    let (other, told) = export(at, "left", &through);
    assert!(other != expected && other == export(at, "left", &[]).0);
    assert_eq!((&told["hits"], &told["inserted"]), (&0.into(), &0.into()));
    succeed(at, &["cache", "info", "n.cache"]);
    fail(at, &["cache", "clear", "n.cache"], 6, "open elsewhere");
    drop(reader);
    assert_eq!(export(at, "left", &through).1["written"], true);
}

#[test]
fn two_processes_at_once_export_what_is_stored() {
    let folder = store();
    let at = folder.path();
    let (expected, _) = export(at, "main", &[]);
    let start = |number: usize| {
        let (file, cache) = (format!("{number}.raw"), "both.cache");
        let arguments = ["volume", "export", "n.redb", "n", &file, "--at", "main", "--cache", cache];
        common::command(at, &arguments).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut children: Vec<_> = (0..4).map(start).collect();
    for child in &mut children {
        // Two may be in each other's way at the store's file, which isn't the cache's matter.
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 6)), "{code:?}");
    }
    let files = (0..4).filter_map(|number| fs::read(at.join(format!("{number}.raw"))).ok());
    assert!(files.inspect(|voxels| assert!(*voxels == expected)).count() > 0);
    succeed(at, &["cache", "verify", "both.cache"]);
    assert!(export(at, "main", &["--cache", "both.cache"]).0 == expected);
}

#[test]
fn a_cache_is_made_warmed_looked_at_and_cleared() {
    let folder = store();
    let at = folder.path();
    let made = succeed(at, &["cache", "create", "n.cache", "--max-size", "64MiB", "--format", "json"]).json();
    assert_eq!(made["maximum_bytes"], 64 << 20);
    fail(at, &["cache", "create", "n.cache"], 4, "kvdag cache clear");
    fail(at, &["cache", "create", "x.cache", "--max-size", "1GB"], 2, "1GiB");
    fail(at, &["cache", "create", "x.cache", "--max-size", "7"], 2, "maximum");
    fail(at, &["cache", "info", "none.cache"], 3, "none.cache");
    fail(at, &["cache", "info", "n.redb"], 5, "isn't a dataset cache");
    let export_to = ["volume", "export", "n.redb", "n", "x.raw", "--cache"];
    fail(at, &[&export_to[..], &["n.redb"]].concat(), 5, "isn't a dataset cache");
    fail(at, &[&export_to[..], &["n.cache", "--cache-size", "1MiB"]].concat(), 2, "--cache-size");
    assert!(!at.join("x.raw").exists() && !at.join("x.cache").exists());

    let warm = ["cache", "warm", "n.cache", "n.redb", "--format", "json"];
    fail(at, &[&warm[..], &["--at", "right"]].concat(), 2, "open version");
    fail(at, &[&warm[..], &["--volume", "no"]].concat(), 3, "no");
    fail(at, &[&warm[..], &["--scale", "9"]].concat(), 2, "scale");
    let part = ["--region", "0:1,0:1,0:1", "--scale", "0"];
    assert_eq!(succeed(at, &[&warm[..], &part].concat()).json()["chunks"], 1);
    let whole = succeed(at, &warm).json();
    let chunks = whole["chunks"].as_u64().unwrap();
    assert!(chunks > 1, "{whole}");
    assert_eq!((&whole["cache"]["hits"], &whole["cache"]["inserted"]), (&1.into(), &(chunks - 1).into()));
    let again = succeed(at, &warm).json();
    assert_eq!((&again["cache"]["hits"], &again["cache"]["misses"]), (&chunks.into(), &0.into()));
    let (_, told) = export(at, "main", &["--cache", "n.cache"]);
    assert_eq!(told["misses"], 0, "what was warmed is what an export reads");

    let info = succeed(at, &["cache", "info", "n.cache", "--format", "json"]).json();
    let datasets = info["datasets"].as_object().unwrap();
    let scales = datasets.values().next().unwrap().as_object().unwrap();
    let of_scales: u64 = scales.values().map(|scale| scale["entries"].as_u64().unwrap()).sum();
    assert_eq!((datasets.len(), of_scales, &info["entries"]), (1, chunks, &chunks.into()));
    let stats = succeed(at, &["cache", "stats", "n.cache", "--format", "json"]).json();
    assert_eq!(stats["bytes"], info["bytes"]);
    let bytes = |field: &str| stats[field].as_u64().unwrap();
    assert!(bytes("file_bytes") >= bytes("bytes") + bytes("free_bytes"));
    assert!(bytes("file_bytes") <= 64 << 20 && bytes("blocks") > 0);
    assert!(succeed(at, &["cache", "stats", "n.cache"]).out.contains("fragmentation"));

    assert_eq!(succeed(at, &["cache", "clear", "n.cache", "--format", "json"]).json()["entries"], chunks);
    let cleared = succeed(at, &["cache", "info", "n.cache", "--format", "json"]).json();
    assert_eq!((&cleared["entries"], &cleared["maximum_bytes"]), (&0.into(), &(64 << 20).into()));

    // What doesn't fit makes room for what comes later, and the file stays within its maximum.
    succeed(at, &["cache", "create", "small.cache", "--max-size", "400KiB"]);
    let (expected, _) = export(at, "main", &[]);
    for _ in 0..2 {
        assert!(export(at, "main", &["--cache", "small.cache"]).0 == expected);
        assert!(fs::metadata(at.join("small.cache")).unwrap().len() <= 400 << 10);
    }
    succeed(at, &["cache", "verify", "small.cache"]);
}

#[test]
fn damage_is_found_and_never_read() {
    let folder = store();
    let at = folder.path();
    let (expected, _) = export(at, "main", &["--cache", "n.cache"]);
    let sound = succeed(at, &["cache", "verify", "n.cache", "--format", "json"]).json();
    assert_eq!((&sound["damaged"], &sound["problems"]), (&0.into(), &serde_json::json!([])));
    let whole = fs::read(at.join("n.cache")).unwrap();
    let (mut entries, mut trees) = (0, 0);
    for part in 0..16 {
        let mut bytes = whole.clone();
        let place = 96 + (bytes.len() - 97) * part / 15;
        bytes[place] ^= 1;
        fs::write(at.join("n.cache"), &bytes).unwrap();
        let found = run(at, &["cache", "verify", "n.cache", "--format", "json"]);
        // Bytes that round a block up are nobody's.
        match found.code {
            0 => {}
            5 if found.out.is_empty() => trees += 1,
            5 => {
                let found = found.json();
                assert!(!found["problems"].as_array().unwrap().is_empty(), "{found}");
                entries += found["damaged"].as_u64().unwrap();
                trees += u64::from(found["damaged"] == 0);
            }
            code => panic!("{code}: {}", found.err),
        }
        assert!(export(at, "main", &["--cache", "n.cache"]).0 == expected, "{place}");
    }
    assert!(entries > 0, "some byte was an entry's: {entries} and {trees}");
    bytes_of_the_header(at, &whole, &expected);
}

/// A header that is damaged is found; who writes next begins anew.
fn bytes_of_the_header(at: &Path, whole: &[u8], expected: &[u8]) {
    let mut bytes = whole.to_vec();
    bytes[40] ^= 1;
    fs::write(at.join("n.cache"), &bytes).unwrap();
    assert_eq!(run(at, &["cache", "verify", "n.cache"]).code, 5);
    let (voxels, told) = export(at, "main", &["--cache", "n.cache"]);
    assert!(voxels == expected && told["misses"].as_u64().unwrap() > 0, "{told}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_warming_leaves_a_sound_cache() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    succeed(at, &["volume", "import", "h.redb", &testdata(common::HEAD), "--name", "h", "--chunk", "4,4,4"]);
    succeed(at, &["commit", "h.redb", "-m", "as imported"]);
    let warm = ["cache", "warm", "h.cache", "h.redb"];
    let mut child = common::command(at, &warm).stdout(Stdio::null()).spawn().unwrap();
    let length = || fs::metadata(at.join("h.cache")).map_or(0, |metadata| metadata.len());
    while length() < 1 << 20 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    // It may have ended by itself, where it is fast.
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
    succeed(at, &["cache", "verify", "h.cache"]);
    let again = succeed(at, &["cache", "warm", "h.cache", "h.redb", "--format", "json"]).json();
    let number = |field: &str| again["cache"][field].as_u64().unwrap();
    assert_eq!(number("hits") + number("misses"), again["chunks"].as_u64().unwrap());
    succeed(at, &["cache", "verify", "h.cache"]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_verification_says_so_and_changes_nothing() {
    use kvdag::chunks::Coords;
    use kvdag::dataset_cache::{CacheKey, DatasetId};

    let folder = tempdir().unwrap();
    let at = folder.path().canonicalize().unwrap();
    let path = at.join("n.cache");
    let cache = DatasetCache::create(&path, 64 << 20).unwrap();
    for number in 0..40_000 {
        let key = CacheKey::chunk(DatasetId::of_parts(&[b"of a test"]), 0, Coords::new(&[number]).unwrap());
        cache.insert(&key, &[7; 1000]).unwrap();
    }
    drop(cache);
    let before = fs::read(&path).unwrap();
    // One that is fast may have ended by itself.
    let interrupted = (0..100).any(|_| {
        let verify = ["cache", "verify", "n.cache"];
        let mut command = common::command(&at, &verify);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let files = PathBuf::from(format!("/proc/{}/fd", child.id()));
        let has_it = || {
            let mut files = fs::read_dir(&files).into_iter().flatten().flatten();
            files.any(|file| fs::read_link(file.path()).is_ok_and(|file| file == path))
        };
        while !has_it() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let ended = common::Run::new(&child.wait_with_output().unwrap());
        assert!(matches!(ended.code, 0 | 130), "{}: {}", ended.code, ended.err);
        assert_eq!(ended.code == 130, ended.out.is_empty(), "{}", ended.out);
        ended.err.contains("interrupted")
    });
    assert!(interrupted);
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(succeed(&at, &["cache", "verify", "n.cache", "--format", "json"]).json()["sound"], 40_000);
}

#[cfg(all(unix, feature = "serve"))]
#[test]
fn a_server_reads_committed_versions_through_a_cache() {
    use common::served::Served;

    let folder = store();
    let at = folder.path();
    let plain = Served::serve(at, &["n.redb"]);
    let info = plain.json("/n/left/info");
    let key = info["scales"][0]["key"].as_str().unwrap().to_owned();
    let chunk = info["scales"][0]["chunk_sizes"][0].clone();
    let end =
        |axis: usize| chunk[axis].as_u64().unwrap().min(info["scales"][0]["size"][axis].as_u64().unwrap());
    let name = format!("{key}/0-{}_0-{}_0-{}", end(0), end(1), end(2));
    let versions = ["main", "left", "right"];
    let expected = versions.map(|version| plain.bytes(&format!("/n/{version}/{name}")));
    assert!(expected[0] != expected[1] && expected[1] != expected[2]);
    assert!(plain.end("-TERM").success());
    for _ in 0..2 {
        let served = Served::serve(at, &["n.redb", "--cache", "n.cache"]);
        for _ in 0..2 {
            let found = versions.map(|version| served.bytes(&format!("/n/{version}/{name}")));
            assert!(found == expected);
        }
        assert!(served.end("-TERM").success());
        let info = succeed(at, &["cache", "info", "n.cache", "--format", "json"]).json();
        assert_eq!((&info["entries"], info["datasets"].as_object().unwrap().len()), (&2.into(), 2));
    }
}

/// The commands of the page of the docs, run one after another as they stand there.
#[cfg(all(unix, feature = "http", feature = "serve"))]
#[test]
fn the_page_on_caches_says_what_works() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::copy(testdata("nuclei.tif"), at.join("nuclei.tif")).unwrap();
    assert_eq!(common::pages::run(at, "cache.md"), 15);
    // The volume at the URL is in the cache that both servers and the import had.
    let far = succeed(at, &["cache", "info", "far.cache", "--format", "json"]).json();
    assert!(far["entries"].as_u64().unwrap() > 0 && far["datasets"].as_object().unwrap().len() == 1, "{far}");
    for (store, file) in [("cells.redb", "a.raw"), ("near.redb", "b.raw")] {
        succeed(at, &["volume", "export", store, "nuclei", file]);
    }
    assert!(fs::read(at.join("a.raw")).unwrap() == fs::read(at.join("b.raw")).unwrap());
}
