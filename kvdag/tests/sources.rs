//! Precomputed volumes at URLs, by the command: imported, and served anew through a cache.
#![cfg(all(unix, feature = "cli", feature = "serve", feature = "http", feature = "cache", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;
#[path = "../../datatypes/volume/tests/common/web.rs"]
#[allow(dead_code, reason = "the tests of volumes have more uses for it")]
mod web;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::served::Served;
use common::{fail, succeed, testdata};
use tempfile::{TempDir, tempdir};
use web::Web;

/// A store with a committed volume of two scales, and a server of it.
fn nuclei() -> (TempDir, Served, String) {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let options = ["--name", "n", "--scales", "--chunk", "16,32,32"];
    succeed(at, &[&["volume", "import", "n.redb", &testdata("nuclei.tif")][..], &options].concat());
    succeed(at, &["commit", "n.redb", "-m", "as imported"]);
    succeed(at, &["volume", "export", "n.redb", "n", "n.raw"]);
    let server = Served::serve(at, &["n.redb"]);
    let version = server.json("/volumes")[0]["versions"][0]["version"].as_str().unwrap().to_owned();
    let url = format!("http://{}/n/{version}", server.address);
    (folder, server, url)
}

fn voxels(at: &Path, store: &str, name: &str) -> Vec<u8> {
    succeed(at, &["volume", "export", store, name, "out.raw"]);
    fs::read(at.join("out.raw")).unwrap()
}

#[test]
fn a_volume_is_imported_from_a_url() {
    let (folder, server, url) = nuclei();
    let at = folder.path();
    let expected = fs::read(at.join("n.raw")).unwrap();
    for (number, url) in [url.clone(), format!("precomputed://{url}/")].iter().enumerate() {
        let store = format!("{number}.redb");
        succeed(at, &["volume", "import", &store, url, "--name", "other"]);
        assert!(voxels(at, &store, "other") == expected, "{url}");
    }
    let none = format!("http://u:secret@{}/none/main", server.address);
    let failed = common::run(at, &["volume", "import", "x.redb", &none]);
    assert_eq!(failed.code, 3, "{}", failed.err);
    assert!(failed.err.contains("/none/main") && !failed.err.contains("secret"), "{}", failed.err);
    assert!(!at.join("x.redb").exists());
    assert!(server.end("-TERM").success());
}

#[test]
fn the_second_import_through_a_cache_asks_for_no_chunk() {
    let (folder, server, url) = nuclei();
    let at = folder.path();
    let expected = fs::read(at.join("n.raw")).unwrap();
    let mut chunks = 0;
    for number in 0..2 {
        let store = format!("{number}.redb");
        let import =
            ["volume", "import", &store, &url, "--name", "n", "--cache", "n.cache", "--format", "json"];
        let told = succeed(at, &import).json();
        assert!(voxels(at, &store, "n") == expected);
        let (hits, misses) =
            (told["cache"]["hits"].as_u64().unwrap(), told["cache"]["misses"].as_u64().unwrap());
        if number == 0 {
            chunks = misses;
            assert!(misses > 1);
        } else {
            assert_eq!(misses, 0, "nothing is asked for but the description");
            assert!(hits >= chunks);
        }
    }
    fail(at, &["volume", "import", "x.redb", "n.raw", "--cache", "n.cache"], 2, "--cache");
    assert!(server.end("-TERM").success());
}

#[test]
fn a_url_is_served_anew_through_a_cache() {
    let (folder, server, url) = nuclei();
    let at = folder.path();
    let name = url.rsplit('/').next().unwrap().to_owned();
    let proxy = Served::serve(at, &[&url, "--cache", "n.cache"]);
    let original = server.json(&format!("/n/{name}/info"));
    let info = proxy.json(&format!("/{name}/now/info"));
    assert_eq!(info, original, "scales, resolutions and where they begin");
    let path = "s0/0-32_0-32_0-16";
    let coarse = &original["scales"][1];
    let extent = |axis: usize| {
        coarse["size"][axis].as_u64().unwrap().min(coarse["chunk_sizes"][0][axis].as_u64().unwrap())
    };
    let second = format!("s1/0-{}_0-{}_0-{}", extent(0), extent(1), extent(2));
    let expected = [path, &second].map(|chunk| server.bytes(&format!("/n/{name}/{chunk}")));
    let read = |proxy: &Served| [path, &second].map(|chunk| proxy.bytes(&format!("/{name}/now/{chunk}")));
    assert!(read(&proxy) == expected);
    // What the cache has is there when the source isn't any more.
    assert!(server.end("-TERM").success());
    assert!(read(&proxy) == expected);
    assert_eq!(proxy.get(&format!("/{name}/now/s0/32-57_0-32_0-16")).0 / 100, 5);
    assert!(proxy.end("-TERM").success());
    fail(at, &["serve", &url], 6, "connection");
}

/// The folders of the scales of an exported volume without spacings.
const KEYS: [&str; 3] = ["/1_1_1/", "/2_2_2/", "/4_4_2/"];

/// A folder with a precomputed volume of three scales, a server of it, and how often it was asked for each chunk.
fn counted() -> (TempDir, Web, Arc<Mutex<BTreeMap<String, u64>>>) {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let options = ["--name", "n", "--scales", "--chunk", "16,16,16"];
    succeed(at, &[&["volume", "import", "n.redb", &testdata("nuclei.tif")][..], &options].concat());
    succeed(at, &["volume", "export", "n.redb", "n", "n.precomputed", "--scales"]);
    let chunks: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    let asked = Arc::clone(&chunks);
    let server = Web::serve(at, move |request| {
        if !request.path.ends_with("/info") {
            *asked.lock().unwrap().entry(request.path.clone()).or_default() += 1;
        }
        None
    });
    (folder, server, chunks)
}

#[test]
fn what_is_warmed_of_a_url_is_asked_for_once_and_not_by_who_reads_it_later() {
    let (folder, server, asked) = counted();
    let at = folder.path();
    let url = format!("{}n.precomputed", server.url());
    let warm = ["cache", "warm", "n.cache", &url, "--format", "json"];
    let told = succeed(at, &warm).json();
    let chunks = told["chunks"].as_u64().unwrap();
    assert_eq!((&told["cache"]["misses"], &told["cache"]["inserted"]), (&chunks.into(), &chunks.into()));
    assert_eq!(told["store"], url);
    assert!(told.get("version").is_none() && told.get("volumes").is_none(), "{told}");
    let once = asked.lock().unwrap().clone();
    assert_eq!(u64::try_from(once.len()).unwrap(), chunks, "{once:?}");
    assert!(once.values().all(|times| *times == 1), "{once:?}");
    let of = |key: &str| once.keys().filter(|path| path.contains(key)).count();
    assert_eq!(KEYS.map(of), [32, 4, 1]);

    let again = succeed(at, &warm).json();
    assert_eq!((&again["cache"]["hits"], &again["cache"]["misses"]), (&chunks.into(), &0.into()));
    let import =
        ["volume", "import", "other.redb", &url, "--name", "n", "--cache", "n.cache", "--format", "json"];
    assert_eq!(succeed(at, &import).json()["cache"]["misses"], 0);
    assert!(voxels(at, "other.redb", "n") == voxels(at, "n.redb", "n"));
    let proxy = Served::serve(at, &[&url, "--cache", "n.cache"]);
    for path in once.keys() {
        let chunk = path.rsplit('/').next().unwrap();
        let scale = KEYS.iter().position(|key| path.contains(key)).unwrap();
        proxy.bytes(&format!("/n/now/s{scale}/{chunk}"));
    }
    assert!(proxy.end("-TERM").success());
    assert_eq!(*asked.lock().unwrap(), once, "nobody asked for a chunk again");
}

#[test]
fn a_part_of_a_url_is_warmed_and_what_makes_no_sense_makes_no_cache() {
    let (folder, server, asked) = counted();
    let at = folder.path();
    let url = format!("{}n.precomputed", server.url());
    let warm = ["cache", "warm", "n.cache", &url];
    for (options, words) in [
        (["--at", "main"], "--at"),
        (["--volume", "n"], "--volume"),
        (["--scale", "9"], "scale"),
        (["--region", "0:1,0:1,0:1000"], "out of bounds"),
        (["--region", "0:1"], "axes"),
    ] {
        fail(at, &[&warm[..], &options].concat(), 2, words);
    }
    let nothing = format!("http://me:secret@{}/none", server.address);
    let failed = common::run(at, &["cache", "warm", "n.cache", &nothing]);
    assert_eq!(failed.code, 3, "{}", failed.err);
    assert!(failed.err.contains("/none") && !failed.err.contains("secret"), "{}", failed.err);
    assert!(!at.join("n.cache").exists() && asked.lock().unwrap().is_empty());

    let part = ["--region", "0:1,0:1,0:17", "--scale", "0", "--cache-size", "32MiB"];
    let told = succeed(at, &[&warm[..], &part].concat()).out;
    assert!(told.contains(&format!("2 chunks of {url}")), "{told}");
    assert_eq!(asked.lock().unwrap().len(), 2);
    let more = ["--region", "0:1,0:1,0:33", "--format", "json"];
    let told = succeed(at, &[&warm[..], &more].concat()).json();
    let scales = asked.lock().unwrap().keys().filter(|path| path.contains(KEYS[0])).count();
    assert_eq!((&told["cache"]["hits"], scales), (&2.into(), 3));
    // Of 33 elements in chunks of 16 there are 17 at the next scale, and 9 at the one after.
    assert_eq!(told["chunks"], 3 + 2 + 1);
    let info = succeed(at, &["cache", "info", "n.cache", "--format", "json"]).json();
    assert_eq!((&info["maximum_bytes"], &info["entries"]), (&(32 << 20).into(), &told["chunks"]));
}
