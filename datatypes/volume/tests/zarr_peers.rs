//! Zarr arrays beside the programs that most are written and read with: zarr-python, the crate zarrs and tensorstore.
//!
//! It needs Python with the packages of `tests/zarr_peers/requirements.txt`, named by `VOLUME_PYTHON` unless it is
//! `python3`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use chunks::DType;
use common::{SHAPE, chunked, image, read_file, sample, write_file};
use serde_json::json;

#[test]
#[ignore = "needs Python with zarr, zarrs and tensorstore"]
fn zarr_python_zarrs_and_tensorstore_read_what_is_written_and_what_they_write_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for &dtype in DType::ALL {
        let (info, name) = (image(dtype), dtype.numpy_name());
        let mut data = sample(&info);
        // Some chunks are of zeros alone, and aren't stored.
        data[..info.slab_bytes(2).unwrap()].fill(0);
        write_file(&folder.path().join(format!("{name}.zarr")), &info, &data, chunked([2, 3, 4])).unwrap();
        fs::write(folder.path().join(format!("{name}.raw")), &data).unwrap();
        expected.push(json!({ "name": name, "type": name, "shape": SHAPE }));
    }
    fs::write(folder.path().join("expected.json"), json!(expected).to_string()).unwrap();

    let python = env::var_os("VOLUME_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zarr_peers/peers.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout).trim(), format!("{} arrays are the same", 3 * DType::ALL.len()));

    let mut read = 0;
    for &dtype in DType::ALL {
        let name = dtype.numpy_name();
        let data = fs::read(folder.path().join(format!("{name}.raw"))).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            if !file.ends_with(&format!(".{name}.zarr")) {
                continue;
            }
            let (info, back) = read_file(&path).unwrap();
            assert_eq!((info.shape(), info.dtype()), (SHAPE.as_slice(), dtype), "{file}");
            assert!(back == data, "{file}: elements differ");
            read += 1;
        }
    }
    // Two programs, five chains of codecs, with and without shards.
    assert_eq!(read, 2 * 5 * 2 * DType::ALL.len());
}
