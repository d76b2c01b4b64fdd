//! BlockFS, by the command.
#![cfg(all(feature = "cli", feature = "blockfs", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{command, fail, pages, run, succeed, testdata};
use tempfile::tempdir;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datatypes/blockfs/tests/golden")
}

/// The voxels of any image, as the command reads them.
fn voxels(at: &Path, image: &str) -> Vec<u8> {
    for left in ["look.redb", "look.raw"] {
        fs::remove_file(at.join(left)).ok();
    }
    succeed(at, &["volume", "import", "look.redb", image, "--name", "v"]);
    succeed(at, &["volume", "export", "look.redb", "v", "look.raw"]);
    fs::read(at.join("look.raw")).unwrap()
}

fn labels(at: &Path) -> Vec<u8> {
    voxels(at, &testdata("nuclei_labels.tif"))
}

#[test]
fn a_volume_of_python_is_described_read_and_served_on() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    for name in ["vol.blockfs", "vol.blockfs.0", "vol.blockfs.1"] {
        fs::copy(golden().join(name), at.join(name)).unwrap();
    }
    let info = succeed(at, &["blockfs", "info", "vol.blockfs", "--format", "json"]).json();
    assert_eq!(info["shape"], serde_json::json!([19, 26, 37]));
    assert_eq!(info["block_shape"], serde_json::json!([8, 8, 8]));
    assert_eq!((&info["dtype"], &info["compression"]), (&"uint16".into(), &"zstd".into()));
    assert_eq!(info["metadata"]["voxel_size"], serde_json::json!([1, 2, 3]));
    assert_eq!((&info["blocks"]["unchecked"], &info["blocks"]["missing"]), (&59.into(), &1.into()));
    assert!(succeed(at, &["blockfs", "info", "vol.blockfs"]).out.contains("59 without one, 1 never written"));
    succeed(at, &["blockfs", "verify", "vol.blockfs"]);
    let mut expected = fs::read(golden().join("expected_c_order_zyx_u16.raw")).unwrap();
    // A block that was never written.
    for (z, y) in (8..16).flat_map(|z| (8..16).map(move |y| (z, y))) {
        expected[((z * 26 + y) * 37 + 8) * 2..][..16].fill(0);
    }
    assert!(voxels(at, "vol.blockfs") == expected);
    // And back.
    succeed(at, &["volume", "export", "look.redb", "v", "again.blockfs"]);
    assert!(voxels(at, "again.blockfs") == expected);
    succeed(at, &["blockfs", "to-zarr", "vol.blockfs", "vol.zarr"]);
    assert!(voxels(at, "vol.zarr") == expected);
}

#[test]
fn images_become_volumes_and_volumes_images() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let expected = labels(at);
    let image = testdata("nuclei_labels.tif");
    for (name, more) in [
        ("a.blockfs", &[][..]),
        (
            "b.blockfs",
            &["--block", "7,64,10", "--compression", "lz4:9", "--files", "3", "--metadata", r#"{"a": 1}"#],
        ),
        ("c.blockfs", &["--compat", "--compression", "blosclz:5", "--files", "1"]),
        ("d.blockfs", &["--compression", "zlib:1"]),
        ("e.blockfs", &["--compression", "lz4hc:3"]),
    ] {
        succeed(at, &[&["blockfs", "from-tif", &image, name], more].concat());
        assert!(voxels(at, name) == expected, "{name}");
        let verified = succeed(at, &["blockfs", "verify", name, "--format", "json"]).json();
        assert_eq!(verified["problems"], serde_json::json!([]));
    }
    assert_eq!(succeed(at, &["blockfs", "info", "b.blockfs", "--format", "json"]).json()["metadata"]["a"], 1);
    assert!(
        fs::read_dir(at).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with('.'))
    );
    fail(at, &["blockfs", "from-tif", &image, "a.blockfs"], 4, "there is a file of this name");
    fail(at, &["blockfs", "from-npy", &image, "f.blockfs"], 2, "another format");
    fail(
        at,
        &["blockfs", "from-tif", &image, "f.blockfs", "--compression", "snappy:5"],
        1,
        "no such compressor",
    );
    fail(at, &["blockfs", "from-tif", &image, "f.blockfs", "--compression", "zstd:10"], 2, "0 to 9");
    fail(at, &["blockfs", "from-tif", &image, "f.blockfs", "--block", "8,8"], 2, "three axes");

    succeed(at, &["volume", "export", "look.redb", "v", "n.npy"]);
    succeed(at, &["blockfs", "from-npy", "n.npy", "n.blockfs"]);
    assert!(voxels(at, "n.blockfs") == expected);

    // A plane in each file.
    let tif = ["blockfs", "to-tif", "--input", "b.blockfs", "--n-workers", "2", "--output-pattern"];
    succeed(at, &[&tif[..], &["planes/p%03d.tif", "--compression", "9", "--silent"]].concat());
    succeed(at, &[&tif[..], &["plain/p%03d.tif", "--compression", "0"]].concat());
    assert_eq!(fs::read_dir(at.join("planes")).unwrap().count(), 31);
    let plane = expected.len() / 31;
    for number in [0, 17, 30] {
        let file = format!("planes/p{number:03}.tif");
        assert!(voxels(at, &file) == expected[number * plane..][..plane], "{file}");
        assert!(voxels(at, &file.replace("planes", "plain")) == expected[number * plane..][..plane]);
    }
    let bytes = |file: &str| fs::metadata(at.join(file)).unwrap().len();
    assert!(bytes("planes/p017.tif") < bytes("plain/p017.tif"));
    fail(at, &[&tif[..], &["planes/p%03d.tif"]].concat(), 4, "planes");
    fail(at, &["blockfs", "to-tif", "--input", "no.blockfs"], 3, "no.blockfs");
    fail(at, &["blockfs", "info", "look.raw"], 5, "directory file");
}

#[test]
fn volumes_are_moved_copied_rebased_and_compacted() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let expected = labels(at);
    succeed(at, &["blockfs", "from-tif", &testdata("nuclei_labels.tif"), "a.blockfs", "--block", "8,16,16"]);
    succeed(at, &["blockfs", "cp", "a.blockfs", "copies"]);
    assert!(voxels(at, "copies/a.blockfs") == expected && voxels(at, "a.blockfs") == expected);
    fail(at, &["blockfs", "cp", "a.blockfs", "copies"], 4, "there is a file of this name");
    succeed(at, &["blockfs", "mv", "copies/a.blockfs", "moved"]);
    assert!(
        voxels(at, "moved/a.blockfs") == expected && fs::read_dir(at.join("copies")).unwrap().count() == 0
    );
    fs::rename(at.join("moved"), at.join("elsewhere")).unwrap();
    succeed(at, &["blockfs", "rebase", "elsewhere/a.blockfs", "--block-size", "16"]);
    assert!(voxels(at, "elsewhere/a.blockfs") == expected);

    succeed(
        at,
        &["blockfs", "create", "e.blockfs", "--shape", "10,20,30", "--dtype", "f32", "--block", "8,8,8"],
    );
    let info = succeed(at, &["blockfs", "info", "e.blockfs", "--format", "json"]).json();
    assert_eq!((&info["dtype"], &info["blocks"]["missing"]), (&"float32".into(), &24.into()));
    assert!(voxels(at, "e.blockfs").iter().all(|byte| *byte == 0));

    let compacted = succeed(at, &["blockfs", "compact", "a.blockfs", "--format", "json"]).json();
    assert_eq!(compacted["bytes_before"], compacted["bytes_after"]);
    assert!(voxels(at, "a.blockfs") == expected);
    // A byte that has changed is found, and never read.
    let block_file = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path());
    let block_file = block_file
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("a.blockfs."))
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&block_file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&block_file, bytes).unwrap();
    let verified = run(at, &["blockfs", "verify", "a.blockfs", "--format", "json"]);
    assert_eq!((verified.code, verified.json()["problems"].as_array().unwrap().len()), (5, 1));
    fail(at, &["blockfs", "compact", "a.blockfs"], 5, "damaged");
    fail(at, &["volume", "import", "x.redb", "a.blockfs", "--name", "v"], 5, "");
}

#[test]
fn coarser_scales_are_volumes_beside_it() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let image = testdata("nuclei_labels.tif");
    succeed(at, &["blockfs", "from-tif", &image, "n.blockfs", "--block", "16,8,8", "--compression", "lz4:3"]);
    fail(at, &["blockfs", "downres", "n.blockfs", "--method", "middle"], 2, "middle");
    let made =
        succeed(at, &["blockfs", "downres", "n.blockfs", "--method", "mode-nonzero", "--format", "json"]);
    let made = made.json();
    let files: Vec<_> = made["scales"].as_array().unwrap().iter().map(|scale| &scale["file"]).collect();
    assert_eq!(files, ["n.1.blockfs", "n.2.blockfs", "n.3.blockfs"]);
    assert_eq!(made["scales"][2]["shape"], serde_json::json!([16, 8, 8]));
    let named = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(named.into_iter().all(|name| !name.starts_with('.')));

    // As a volume with versions makes them.
    let import = ["volume", "import", "v.redb", &image, "--name", "v", "--labels", "--chunk", "16,8,8"];
    succeed(at, &[&import[..], &["--scales", "--method", "mode-nonzero"]].concat());
    for scale in ["1", "2", "3"] {
        succeed(at, &["volume", "export", "v.redb", "v", "v.raw", "--scale", scale]);
        let name = format!("n.{scale}.blockfs");
        assert!(voxels(at, &name) == fs::read(at.join("v.raw")).unwrap(), "{name}");
        let info = succeed(at, &["blockfs", "info", &name, "--format", "json"]).json();
        assert_eq!((&info["compression"], &info["level"]), (&"lz4".into(), &3.into()));
    }
    fail(at, &["blockfs", "downres", "n.blockfs"], 4, "n.1.blockfs");

    #[cfg(all(unix, feature = "serve"))]
    {
        let served = common::served::Served::start(at, &["blockfs", "serve", "n.blockfs", "--labels"]);
        let info = served.json("/n/now/info");
        assert_eq!(info["scales"].as_array().unwrap().len(), 4);
        assert_eq!(info["scales"][3]["size"], serde_json::json!([8, 8, 16]));
        let key = info["scales"][3]["key"].as_str().unwrap();
        assert!(served.bytes(&format!("/n/now/{key}/0-8_0-8_0-16")) == voxels(at, "n.3.blockfs"));
        assert!(served.end("-TERM").success());
    }
    // A volume of that name that is no such scale isn't shown as one.
    succeed(at, &["blockfs", "mv", "n.1.blockfs", "elsewhere"]);
    succeed(at, &["blockfs", "create", "n.1.blockfs", "--shape", "10,20,30", "--dtype", "u16"]);
    #[cfg(feature = "serve")]
    fail(at, &["blockfs", "serve", "n.blockfs"], 5, "isn't that");
}

#[cfg(unix)]
#[test]
fn the_tools_have_their_names_too() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let expected = labels(at);
    succeed(at, &["blockfs", "from-tif", &testdata("nuclei_labels.tif"), "a.blockfs"]);
    let tool = |name: &str, arguments: &[&str]| {
        let link = at.join(name);
        std::os::unix::fs::symlink(command(at, &[]).get_program(), &link).unwrap();
        let output = std::process::Command::new(&link).current_dir(at).args(arguments).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    };
    tool("blockfs2tif", &["--input", "a.blockfs", "--output-pattern", "t/%d.tif", "--silent"]);
    assert_eq!(fs::read_dir(at.join("t")).unwrap().count(), 31);
    tool("blockfs-cp", &["a.blockfs", "copy"]);
    tool("blockfs-mv", &["copy/a.blockfs", "moved"]);
    tool("blockfs-rebase", &["moved/a.blockfs"]);
    assert!(voxels(at, "moved/a.blockfs") == expected);
    #[cfg(feature = "hdf5")]
    for name in ["blockfs2hdf5", "blockfs2hdf"] {
        tool(name, &["a.blockfs", "a.h5", "stack/image", "--compression", "gzip", "--compression-opts", "4"]);
        assert!(voxels(at, "a.h5:/stack/image") == expected);
    }
    #[cfg(feature = "jpeg2000")]
    tool("blockfs2jp2k", &["--input", "a.blockfs", "--output-pattern", "j/%d.jp2", "--memory", "0.001"]);
}

#[cfg(not(any(feature = "hdf5", feature = "jpeg2000")))]
#[test]
fn formats_that_were_left_out_say_so() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    succeed(at, &["blockfs", "create", "e.blockfs", "--shape", "10,20,30", "--dtype", "u16"]);
    fail(at, &["blockfs", "to-hdf5", "e.blockfs", "e.h5", "image"], 1, "hdf5");
    fail(at, &["blockfs", "to-jp2k", "--input", "e.blockfs"], 1, "jpeg2000");
    assert_eq!(
        fs::read_dir(at)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "h5"))
            .count(),
        0
    );
}

#[cfg(all(unix, feature = "serve"))]
#[test]
fn a_volume_is_served_as_it_is_now() {
    use common::served::Served;
    let folder = tempdir().unwrap();
    let at = folder.path();
    let expected = labels(at);
    succeed(at, &["blockfs", "from-tif", &testdata("nuclei_labels.tif"), "n.blockfs", "--block", "16,32,32"]);
    let served = Served::start(at, &["blockfs", "serve", "n.blockfs", "--labels"]);
    let info = served.json("/n/now/info");
    assert_eq!((&info["type"], &info["data_type"]), (&"segmentation".into(), &"uint16".into()));
    assert_eq!(info["scales"][0]["size"], serde_json::json!([57, 61, 31]));
    let key = info["scales"][0]["key"].as_str().unwrap();
    // A chunk of the precomputed format is x fastest, as ours are in C order.
    let chunk = served.bytes(&format!("/n/now/{key}/0-32_0-32_0-16"));
    assert_eq!(chunk.len(), 16 * 32 * 32 * 2);
    for (z, y) in [(0, 0), (7, 31), (15, 3)] {
        let row = &expected[(z * 61 + y) * 57 * 2..][..32 * 2];
        assert_eq!(&chunk[(z * 32 + y) * 32 * 2..][..32 * 2], row, "{z}, {y}");
    }
    assert_eq!(served.get("/n/main/info").0, 404);
    assert!(served.end("-TERM").success());
}

/// The commands of the page of the docs, run one after another as they stand there.
#[test]
fn the_page_on_blockfs_says_what_works() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::copy(testdata("nuclei.tif"), at.join("nuclei.tif")).unwrap();
    assert_eq!(pages::run(at, "blockfs.md"), 16);
}
