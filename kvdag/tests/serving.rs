//! Volumes over HTTP, by the command, on every engine with files.
#![cfg(all(unix, feature = "cli", feature = "serve", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use common::served::Served;
use common::{command, disk_engines, fail, succeed, testdata};
use serde_json::Value;
use tempfile::tempdir;

/// A store with real nuclei, their labels, and a branch on which a box was blanked.
fn nuclei(folder: &Path, store: &str) {
    let (image, labels) = (testdata("nuclei.tif"), testdata("nuclei_labels.tif"));
    succeed(folder, &["import", store, &image, "--chunk", "16,32,32"]);
    succeed(folder, &["import", store, &labels]);
    succeed(folder, &["commit", store, "main", "-m", "as imported"]);
    succeed(folder, &["tag", store, "v1", "--at", "main"]);
    succeed(folder, &["branch", store, "blanked", "--from", "main"]);
    succeed(
        folder,
        &["fill", store, "nuclei", "--region", "0:16,0:32,0:20", "--value", "9", "--at", "blanked"],
    );
}

#[test]
fn what_is_served_is_what_is_exported_at_every_version_and_on_every_engine() {
    for engine in disk_engines() {
        let folder = tempdir().unwrap();
        let folder = folder.path();
        let store = &format!("{engine}:nuclei.{engine}");
        nuclei(folder, store);
        for version in ["main", "blanked"] {
            succeed(folder, &["export", store, "nuclei", &format!("{version}.raw"), "--at", version]);
        }
        let server = Served::serve(folder, &[store, "--labels", "nuclei_labels"]);

        let listed = server.json("/volumes");
        assert_eq!((&listed[0]["name"], &listed[0]["labels"]), (&"nuclei".into(), &false.into()));
        assert_eq!((&listed[1]["name"], &listed[1]["labels"]), (&"nuclei_labels".into(), &true.into()));
        let versions = listed[0]["versions"].as_array().unwrap();
        assert_eq!(versions[0]["names"], serde_json::json!(["blanked"]));
        assert_eq!(versions[0]["committed"], false);
        assert_eq!(versions[1]["names"], serde_json::json!(["main", "v1"]));
        assert_eq!((&versions[1]["committed"], &versions[1]["note"]), (&true.into(), &"as imported".into()));
        let main = versions[1]["version"].as_str().unwrap();

        assert_eq!(server.json("/nuclei/main/info")["scales"][0]["size"], serde_json::json!([57, 61, 31]));
        assert_eq!(server.json("/nuclei_labels/v1/info")["type"], "segmentation");
        for (names, file) in [
            (&["main", "v1", "blanked~1", "blanked~", main, &main[..6]][..], "main"),
            (&["blanked"], "blanked"),
        ] {
            let exported = std::fs::read(folder.join(format!("{file}.raw"))).unwrap();
            // The second chunk of each axis: z 16 to 31, y 32 to 61, x 32 to 57; and the first, which was blanked.
            for (name, [z, y, x]) in
                [("32-57_32-61_16-31", [16..31, 32..61, 32..57]), ("0-32_0-32_0-16", [0..16, 0..32, 0..32])]
            {
                let mut expected = Vec::new();
                for z in z {
                    for y in y.clone() {
                        let row = (z * 61 + y) * 57;
                        expected.extend_from_slice(&exported[(row + x.start) * 2..(row + x.end) * 2]);
                    }
                }
                for version in names {
                    assert_eq!(
                        server.bytes(&format!("/nuclei/{version}/s0/{name}")),
                        expected,
                        "{engine} {version}"
                    );
                }
            }
        }
        assert_eq!(server.get("/nuclei/none/info").0, 404);
        assert_eq!(server.get("/nothing/main/info").0, 404);
        assert_eq!(server.get("/nuclei/main~9/info").0, 400);
        assert_eq!(server.end("-TERM").code(), Some(0), "{engine}");
    }
}

#[test]
fn only_the_volumes_that_were_named_are_served() {
    let folder = tempdir().unwrap();
    nuclei(folder.path(), "a.redb");
    let server = Served::serve(folder.path(), &["a.redb", "--volume", "nuclei"]);
    let listed = server.json("/volumes");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(server.get("/nuclei/main/info").0, 200);
    assert_eq!(server.get("/nuclei_labels/main/info").0, 404);
    assert_eq!(server.end("-INT").code(), Some(0));
}

#[test]
fn ctrl_c_ends_it_at_once_and_the_store_is_free_then() {
    let folder = tempdir().unwrap();
    nuclei(folder.path(), "a.redb");
    let server = Served::serve(folder.path(), &["a.redb"]);
    assert_eq!(server.json("/volumes").as_array().unwrap().len(), 2);
    assert_eq!(server.end("-INT").code(), Some(0));
    succeed(
        folder.path(),
        &["fill", "a.redb", "nuclei", "--region", "0:1,0:1,0:1", "--value", "3", "--at", "blanked"],
    );
}

#[test]
fn what_can_t_be_served_is_said_before_anybody_asks() {
    let folder = tempdir().unwrap();
    nuclei(folder.path(), "a.redb");
    fail(folder.path(), &["serve", "none.redb"], 3, "none.redb");
    fail(folder.path(), &["serve", "a.redb", "--volume", "brain"], 3, "brain");
    fail(folder.path(), &["serve", "a.redb", "--labels", "brain"], 3, "brain");
    fail(folder.path(), &["serve", "a.redb", "--addr", "nonsense"], 2, "address");
    let server = Served::serve(folder.path(), &["a.redb"]);
    assert_ne!(server.address, "");
    succeed(folder.path(), &["init", "other.redb"]);
    let second = common::run(folder.path(), &["serve", "other.redb", "--addr", &server.address]);
    assert!(second.code != 0 && second.err.contains(&server.address), "{}", second.err);
    server.end("-TERM");
}

#[test]
fn programs_read_the_address_as_json() {
    let folder = tempdir().unwrap();
    nuclei(folder.path(), "a.redb");
    let arguments = ["serve", "a.redb", "--addr", "127.0.0.1:0", "--format", "json"];
    let mut child = command(folder.path(), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    while !said.ends_with("}\n") {
        assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["volumes"], serde_json::json!(["nuclei", "nuclei_labels"]));
    let mut server = Served { child, address: said["address"].as_str().unwrap().to_owned() };
    assert_eq!(server.get("/").0, 200);
    let mut rest = String::new();
    Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}
