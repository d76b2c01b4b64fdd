//! HDF5, NetCDF, JPEG 2000 and TIFF beside the programs that most are written and read with: h5py, netCDF4, glymur,
//! Pillow and tifffile.
//!
//! It needs Python with the packages of `tests/image_peers/requirements.txt`, named by `VOLUME_PYTHON` unless it is
//! `python3`.
#![cfg(all(feature = "hdf5", feature = "jpeg2000"))]
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
use volume::{Compression, CreateOptions, ImageInfo};

#[test]
#[ignore = "needs Python with h5py, netCDF4, glymur, Pillow and tifffile"]
fn what_is_written_is_read_by_others_and_what_they_write_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: String, info: &ImageInfo, data: &[u8], options| {
        write_file(&folder.path().join(name), info, data, options).unwrap();
    };
    let mut expected = Vec::new();
    let gzip: Option<Compression> = Some("gzip:4".parse().unwrap());
    for &dtype in DType::ALL {
        let (mut info, name) = (image(dtype), dtype.numpy_name());
        let attributes = json!({ "operator": "Ada", "counts": [1, 2, 3], "gain": 2.5, "words": ["a", "bc"] });
        info.metadata.insert("hdf5".into(), json!({ "attributes": attributes }));
        let mut data = sample(&info);
        // Some chunks are of zeros alone, and aren't stored.
        data[..info.slab_bytes(2).unwrap()].fill(0);
        for (kind, compression) in [("plain", None), ("gzip", gzip)] {
            let dataset = Some("/entry/data".into());
            let options = CreateOptions { compression, dataset, ..chunked([2, 3, 4]) };
            write(format!("{name}.{kind}.h5"), &info, &data, options);
            let options = CreateOptions { compression, ..CreateOptions::default() };
            write(format!("{name}.{kind}.tif/%03d.tif"), &info, &data, options);
        }
        if matches!(dtype, DType::U8 | DType::U16) {
            for (kind, psnr) in [("lossless", None), ("psnr", Some(45.0))] {
                let options = CreateOptions { psnr, ..CreateOptions::default() };
                write(format!("{name}.{kind}.jp2/%03d.jp2"), &info, &data, options);
            }
        }
        fs::write(folder.path().join(format!("{name}.raw")), &data).unwrap();
        expected.push(json!({ "name": name, "type": name, "shape": SHAPE }));
    }
    fs::write(folder.path().join("expected.json"), json!(expected).to_string()).unwrap();

    let python = env::var_os("VOLUME_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/image_peers/peers.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    // Two HDF5 files and 14 pages of each type; pages of three types by Pillow too; and JPEG 2000 of two, by two readers.
    let types = DType::ALL.len();
    let compared = types * (2 + 2 * 7) + 3 * 2 * 7 + 2 * 2 * 7 * 2;
    assert_eq!(text(&output.stdout).trim(), format!("{compared} images are the same"));

    let mut read = 0;
    for &dtype in DType::ALL {
        let name = dtype.numpy_name();
        let data = fs::read(folder.path().join(format!("{name}.raw"))).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            if !file.ends_with(&format!(".{name}.h5")) && !file.ends_with(&format!(".{name}.nc")) {
                continue;
            }
            let (info, back) = read_file(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert_eq!((info.shape(), info.dtype()), (SHAPE.as_slice(), dtype), "{file}");
            assert!(back == data, "{file}: elements differ");
            read += 1;
        }
    }
    // HDF5 of two versions, through seven filters or eight, those of several bytes in two orders; NetCDF of five types
    // in two layouts and of ten in two others.
    let (wide, netcdf) = (types - 3, 2 * 5 + 2 * 10);
    let (seven, eight) = (2 * 7 * (types + wide), 2 * (8 * (types + wide) - 1));
    assert!(read == seven + netcdf || read == eight + netcdf, "{read} of {seven} or {eight}, and {netcdf}");
}
