//! Precomputed volumes at URLs, by the command: imported, and served anew through a cache.
#![cfg(all(unix, feature = "cli", feature = "serve", feature = "http", feature = "cache", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::served::Served;
use common::{fail, succeed, testdata};
use tempfile::{TempDir, tempdir};

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
