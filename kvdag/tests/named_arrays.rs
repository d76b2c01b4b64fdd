//! HDF5, NetCDF, and a file for each slice, by the command.
#![cfg(all(feature = "cli", feature = "array", feature = "redb", feature = "hdf5", feature = "jpeg2000"))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{fail, succeed};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datatypes/volume/tests/golden/named").join(name)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_volume_goes_to_hdf5_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let raw: Vec<u8> = (0u16..7 * 8 * 9).flat_map(|at| (at * 31).to_le_bytes()).collect();
    fs::write(at.join("a.raw"), &raw).unwrap();
    succeed(at, &["volume", "import", "a.redb", "a.raw", "--shape", "7,8,9", "--dtype", "u16"]);
    let how = ["--dataset", "/entry/data", "--compression", "gzip:9", "--chunk", "4,4,4"];
    succeed(at, &[&["volume", "export", "a.redb", "a", "a.h5"][..], &how].concat());
    succeed(at, &["volume", "import", "a.redb", "a.h5", "--name", "b"]);
    succeed(at, &["volume", "import", "a.redb", "a.h5:/entry/data", "--name", "c"]);
    succeed(at, &["volume", "import", "a.redb", "a.h5", "--dataset", "entry/data", "--name", "d"]);
    for name in ["b", "c", "d"] {
        succeed(at, &["volume", "export", "a.redb", name, "back.raw"]);
        assert!(fs::read(at.join("back.raw")).unwrap() == raw, "{name}: elements differ");
    }
    fail(at, &["volume", "import", "a.redb", "a.h5", "--dataset", "other", "--name", "e"], 3, "entry/data");
    fail(at, &["volume", "export", "a.redb", "a", "b.h5", "--compression", "gzip:10"], 2, "gzip:0 to gzip:9");
    assert!(!at.join("b.h5").exists());
}

#[test]
fn a_volume_goes_to_a_file_for_each_slice() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let raw: Vec<u8> = (0..3 * 40 * 50u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    fs::write(at.join("a.raw"), &raw).unwrap();
    succeed(at, &["volume", "import", "a.redb", "a.raw", "--shape", "3,40,50", "--dtype", "u8"]);
    succeed(at, &["volume", "export", "a.redb", "a", "tif/img_%04d.tif", "--compression", "gzip:1"]);
    succeed(at, &["volume", "export", "a.redb", "a", "jp2/%02d.jp2", "--psnr", "40"]);
    succeed(at, &["volume", "export", "a.redb", "a", "whole", "--as", "jp2"]);
    for (slice, elements) in raw.chunks(40 * 50).enumerate() {
        let tiff = format!("tif/img_{slice:04}.tif");
        let name = format!("s{slice}");
        succeed(at, &["volume", "import", "a.redb", &tiff, "--name", &name]);
        succeed(at, &["volume", "export", "a.redb", &name, "back.raw"]);
        assert!(fs::read(at.join("back.raw")).unwrap() == elements, "{tiff}: elements differ");
        for file in [format!("jp2/{slice:02}.jp2"), format!("whole/z{slice:04}.jp2")] {
            assert!(fs::read(at.join(&file)).unwrap().starts_with(b"\0\0\0\x0cjP  "), "{file}");
        }
    }
    fail(at, &["volume", "export", "a.redb", "a", "tif/img_%04d.tif"], 4, "never replaced");
}

#[test]
fn all_variables_of_netcdf_become_arrays() {
    for name in ["netcdf3_classic.nc", "netcdf3_64bit_offset.nc", "netcdf3_64bit_data.nc", "netcdf4.nc"] {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let file = text(&golden(name));
        let told = succeed(at, &["array", "import", "a.af", &file]).out;
        assert!(told.contains("left out name"), "{name}: {told}");
        let list = succeed(at, &["array", "ls", "a.af"]).out;
        for array in ["crs", "mask", "temp", "time"] {
            assert!(list.contains(array), "{name}: {list}");
        }
        let temp = succeed(at, &["array", "ls", "a.af", "--format", "json"]).json().to_string();
        assert!(temp.contains(r#""time","lat","lon""#), "{name}: {temp}");
        assert!(temp.contains("-999"), "{name}: the fill value is kept: {temp}");
        let units = succeed(at, &["array", "attrs", "a.af", "temp", "units"]).out;
        assert!(units.contains('K'), "{name}: {units}");
        let levels = succeed(at, &["array", "attrs", "a.af", "temp", "levels"]).out;
        assert!(levels.contains("-2"), "{name}: {levels}");
        let last = succeed(at, &["array", "read", "a.af", "temp", "--region", "1:2,2:3,2:4"]).out;
        assert_eq!(last.split_whitespace().collect::<Vec<_>>(), ["2.75", "2.875"], "{name}");
        assert_eq!(succeed(at, &["array", "read", "a.af", "crs"]).out.trim(), "7", "{name}");
        succeed(at, &["array", "verify", "a.af"]);
    }
}

#[test]
fn one_dataset_becomes_an_array_of_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let file = text(&golden("h5py_latest.h5"));
    succeed(at, &["array", "import", "a.af", &file, "--variable", "group/gzip", "--array", "ramp"]);
    succeed(at, &["array", "import", "a.af", &format!("{file}:/sparse"), "--fill", "3"]);
    assert_eq!(
        succeed(at, &["array", "read", "a.af", "ramp", "--region", "3:4,4:5,5:6"]).out.trim(),
        "59500"
    );
    assert_eq!(succeed(at, &["array", "read", "a.af", "sparse", "--region", "0:1,0:2"]).out.trim(), "5 -7");
    succeed(at, &["array", "export", "a.af", "ramp", "back.h5", "--dataset", "ramp"]);
    succeed(at, &["array", "import", "b.af", "back.h5"]);
    assert_eq!(
        succeed(at, &["array", "read", "b.af", "ramp", "--region", "3:4,4:5,5:6"]).out.trim(),
        "59500"
    );

    fail(at, &["array", "import", "a.af", &file, "--array", "one"], 2, "--variable");
    fail(at, &["array", "import", "c.af", &file, "--variable", "words"], 1, "aren't numbers");
    fs::write(at.join("cut.h5"), &fs::read(golden("h5py_latest.h5")).unwrap()[..5000]).unwrap();
    fail(at, &["array", "import", "c.af", "cut.h5"], 5, "ends too early");
    assert!(!at.join("c.af").exists(), "nothing is left of what failed");
}
