//! The commands on volumes: scales, labels, branches.
#![cfg(all(feature = "cli", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{HEAD, command, fail, run, succeed, testdata};
use tempfile::tempdir;

fn cat(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = command(folder, &[&["volume", "cat", "s.redb"], arguments].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn an_image_is_imported_with_its_scales_edited_on_a_branch_and_merged() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let json = |arguments: &[&str]| succeed(at, &[arguments, &["--format", "json"]].concat()).json();
    succeed(at, &["volume", "import", "s.redb", &testdata(HEAD), "--name", "head", "--scales"]);
    let info = json(&["volume", "info", "s.redb", "head"]);
    let shapes: Vec<_> =
        info["scales"].as_array().unwrap().iter().map(|scale| scale["shape"].clone()).collect();
    assert_eq!(serde_json::json!(shapes), serde_json::json!([[189, 233, 197], [95, 117, 99], [48, 59, 50]]));
    assert_eq!(info["method"], "mean");
    succeed(at, &["commit", "s.redb", "main", "-m", "imported"]);
    for (branch, region) in [("left", "60:120,80:150,10:60"), ("right", "60:120,80:150,130:180")] {
        succeed(at, &["branch", "s.redb", branch, "--from", "main"]);
        let before = cat(at, &["head", "--at", branch, "--scale", "1"]);
        succeed(at, &["volume", "fill", "s.redb", "head", "--region", region, "--at", branch]);
        assert_ne!(cat(at, &["head", "--at", branch, "--scale", "1"]), before, "the scales follow");
        assert_eq!(
            json(&["volume", "verify", "s.redb", "head", "--at", branch])["problems"],
            serde_json::json!([])
        );
        succeed(at, &["commit", "s.redb", branch, "-m", "blanked"]);
    }
    succeed(at, &["merge", "s.redb", "right", "--into", "left"]);
    let merged = run(at, &["volume", "verify", "s.redb", "head", "--at", "left"]);
    assert_eq!(merged.code, 5);
    assert!(merged.out.contains("--since"), "{}", merged.out);
    let made = json(&["volume", "downres", "s.redb", "head", "--at", "left", "--since", "left~1"]);
    assert!(made["chunks"].as_u64().unwrap() >= 2);
    let findings = json(&["volume", "verify", "s.redb", "head", "--at", "left"]);
    assert_eq!(findings["problems"], serde_json::json!([]));
    assert_eq!(findings["chunks_compared"], 9);
    fail(at, &["volume", "downres", "s.redb", "head"], 4, "committed");
    fail(at, &["volume", "cat", "s.redb", "head", "--scale", "3"], 2, "no such scale");
    let part = cat(at, &["head", "--at", "left", "--region", "60:61,80:81,5:15"]);
    assert_eq!((part.len(), &part[5..]), (10, [0; 5].as_slice()));
}

#[test]
fn scales_are_added_to_a_volume_that_has_none() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    succeed(
        at,
        &["volume", "import", "s.redb", &testdata("nuclei.tif"), "--name", "n", "--chunk", "16,16,16"],
    );
    fail(at, &["volume", "downres", "s.redb", "n"], 2, "--scales");
    fail(at, &["volume", "export", "s.redb", "n", "x.npy", "--scale", "1"], 2, "no such scale");
    succeed(at, &["commit", "s.redb", "main", "-m", "flat"]);
    succeed(at, &["new", "s.redb", "main"]);
    succeed(
        at,
        &["volume", "downres", "s.redb", "n", "--factors", "1,2,2", "--factors", "2,2,2", "--method", "max"],
    );
    fail(
        at,
        &["volume", "export", "s.redb", "n", "x.npy", "--scale", "1", "--at", "main~1"],
        3,
        "isn't made",
    );
    succeed(at, &["volume", "export", "s.redb", "n", "x.npy", "--scale", "2"]);
    let npy = fs::read(at.join("x.npy")).unwrap();
    assert!(String::from_utf8_lossy(&npy[..128]).contains("(16, 16, 15)"), "31 × 61 × 57 by 2, 4, 4");
    assert!(npy.ends_with(&cat(at, &["n", "--scale", "2"])));
    fail(at, &["volume", "downres", "s.redb", "n", "--factors", "2,2,2"], 2, "fixed when it is made");
    fail(at, &["volume", "downres", "s.redb", "n", "--method", "average"], 2, "mode-nonzero");
    succeed(at, &["volume", "downres", "s.redb", "n", "--method", "min"]);
    succeed(at, &["volume", "verify", "s.redb", "n"]);
    fail(
        at,
        &["volume", "import", "s.redb", &testdata("nuclei.tif"), "--name", "m", "--factors", "2,x,2"],
        2,
        "factor",
    );
}

#[test]
fn labels_are_listed_with_their_chunks() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let labels = testdata("nuclei_labels.tif");
    succeed(
        at,
        &[
            "volume", "import", "s.redb", &labels, "--name", "l", "--labels", "--chunk", "16,16,16",
            "--scales",
        ],
    );
    let json = |arguments: &[&str]| succeed(at, &[arguments, &["--format", "json"]].concat()).json();
    let listed = json(&["volume", "labels", "s.redb", "l"]);
    let listed = listed["labels"].as_array().unwrap();
    assert_eq!(listed.len(), 51);
    let elements = cat(at, &["l"]);
    let (elements, _) = elements.as_chunks::<2>();
    for label in listed {
        let number = u16::try_from(label["label"].as_u64().unwrap()).unwrap();
        let voxels = elements.iter().filter(|element| u16::from_le_bytes(**element) == number).count();
        assert_eq!(label["voxels"].as_u64().unwrap(), u64::try_from(voxels).unwrap(), "label {number}");
    }
    let first = listed[0]["label"].to_string();
    let places = json(&["volume", "labels", "s.redb", "l", "--label", &first]);
    assert_eq!(
        places["chunks"].as_array().unwrap().len(),
        usize::try_from(listed[0]["chunks"].as_u64().unwrap()).unwrap()
    );
    succeed(at, &["volume", "fill", "s.redb", "l", "--region", "0:31,0:61,0:57", "--value", "7"]);
    let listed = json(&["volume", "labels", "s.redb", "l"]);
    assert_eq!(listed["labels"], serde_json::json!([{"label": 7, "voxels": 31 * 61 * 57, "chunks": 32}]));
    fail(
        at,
        &["volume", "import", "s.redb", &labels, "--name", "m", "--labels", "--method", "mean"],
        2,
        "take a mode",
    );
}

#[test]
fn all_scales_go_out_to_a_folder_and_come_back() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let nuclei = testdata("nuclei.tif");
    succeed(
        at,
        &["volume", "import", "s.redb", &nuclei, "--name", "n", "--chunk", "16,32,32", "--factors", "2,2,2"],
    );
    let elements = cat(at, &["n"]);
    for (file, name) in [("n.ome.zarr", "zarr"), ("n.precomputed", "precomputed")] {
        succeed(at, &["volume", "export", "s.redb", "n", file, "--scales"]);
        fail(at, &["volume", "export", "s.redb", "n", file, "--scales"], 4, "there");
        let import =
            ["volume", "import", "s.redb", file, "--name", name, "--chunk", "16,32,32", "--factors", "2,2,2"];
        succeed(at, &import);
        assert!(cat(at, &[name]) == elements, "{name}");
        assert!(cat(at, &[name, "--scale", "1"]) == cat(at, &["n", "--scale", "1"]), "{name}");
    }
    // The image says nothing of its size, and yet how much coarser each scale is.
    let json = |file: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(at.join(file)).unwrap()).unwrap()
    };
    let (info, group) = (json("n.precomputed/info"), json("n.ome.zarr/zarr.json"));
    for (scale, side) in [(0, 1.0), (1, 2.0)] {
        assert_eq!(info["scales"][scale]["resolution"], serde_json::json!([side, side, side]));
        let transformation =
            &group["attributes"]["ome"]["multiscales"][0]["datasets"][scale]["coordinateTransformations"][0];
        assert_eq!(transformation["scale"], serde_json::json!([side, side, side]));
    }
    fail(at, &["volume", "export", "s.redb", "n", "n.npy", "--scales"], 1, "no scales");
    succeed(
        at,
        &["volume", "export", "s.redb", "n", "slices", "--as", "png", "--window", "0,20000", "--scale", "1"],
    );
    assert_eq!(fs::read_dir(at.join("slices")).unwrap().count(), 16);
}
