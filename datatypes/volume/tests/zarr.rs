//! Zarr arrays and OME-Zarr images.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;

use chunks::DType;
use common::{chunked, image, read_all, read_file, sample, write_file};
use engine_api::ErrorKind;
use serde_json::{Value, json};
use volume::{CreateOptions, ImageAxis, ImageInfo, open_image};

#[test]
fn every_type_survives_zarr() {
    let dir = tempfile::tempdir().unwrap();
    for &dtype in DType::ALL {
        for chunk in [[64, 64, 64], [3, 2, 4], [1, 5, 1], [7, 5, 6]] {
            for name in ["a.zarr", "a.ome.zarr"] {
                let path = dir.path().join(name);
                let info = image(dtype);
                let mut data = sample(&info);
                // Some chunks are of zeros alone, and aren't stored.
                let third = data.len() / 3;
                data[..third].fill(0);
                write_file(&path, &info, &data, chunked(chunk)).unwrap();
                let mut reader = open_image(&path, None).unwrap();
                assert_eq!((reader.info().shape(), reader.info().dtype()), (info.shape(), dtype));
                assert_eq!(read_all(reader.as_mut(), 2).unwrap(), data, "{name}: {dtype} in {chunk:?}");
                if name == "a.ome.zarr" {
                    assert_eq!(reader.info().axes(), info.axes());
                }
                fs::remove_dir_all(&path).unwrap();
            }
        }
    }
}

#[test]
fn zarr_keeps_any_number_of_axes_and_their_names() {
    let dir = tempfile::tempdir().unwrap();
    for rank in 1..=5 {
        let info = ImageInfo::new(&[2, 3, 4, 5, 6][..rank], DType::I32).unwrap();
        let path = dir.path().join(format!("{rank}.zarr"));
        write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
        let (back, data) = read_file(&path).unwrap();
        assert_eq!((back.shape(), back.axes(), data), (info.shape(), info.axes(), sample(&info)));
    }
    let axes = |names: &[&str]| names.iter().map(|name| ImageAxis::named(name)).collect::<Vec<_>>();
    let write = |names: &[&str]| -> engine_api::Result<()> {
        let path = dir.path().join(format!("{}.ome.zarr", names.concat()));
        let info = ImageInfo::new(&[2, 3, 4, 5, 6][..names.len()], DType::U8).unwrap();
        let info = info.with_axes(axes(names)).unwrap();
        write_file(&path, &info, &sample(&info), CreateOptions::default())?;
        let (back, data) = read_file(&path).unwrap();
        assert_eq!(data, sample(&info));
        assert!(back.axes().iter().zip(info.axes()).all(|(a, b)| a.name == b.name));
        Ok(())
    };
    for names in [
        &["y", "x"][..],
        &["z", "y", "x"],
        &["t", "y", "x"],
        &["c", "z", "y", "x"],
        &["t", "c", "z", "y", "x"],
    ] {
        write(names).unwrap();
    }
    for names in
        [&["x"][..], &["", "y", "x"], &["x", "t", "y"], &["c", "t", "y", "x"], &["t", "z"], &["y", "y", "x"]]
    {
        assert_eq!(write(names).unwrap_err().kind(), ErrorKind::Unsupported, "{names:?}");
    }
}

#[test]
fn what_a_zarr_says_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zarr");
    let mut info = image(DType::U8);
    info.metadata.insert("zarr".into(), json!({"attributes": {"who": "we"}}));
    write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
    assert_eq!(read_file(&path).unwrap().0.metadata, info.metadata);
    let path = dir.path().join("a.ome.zarr");
    let mut info = image(DType::U8);
    info.metadata.insert("ome-zarr".into(), json!({"name": "brain", "translation": [1.0, 0.0, -2.5]}));
    write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
    assert_eq!(read_file(&path).unwrap().0, info);
}

#[test]
fn chunks_are_found_under_every_kind_of_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zarr");
    let info = image(DType::U16);
    write_file(&path, &info, &sample(&info), chunked([7, 5, 3])).unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(path.join("zarr.json")).unwrap()).unwrap();
    let mut before = ["c/0/0/0", "c/0/0/1"];
    for (encoding, names) in [
        (json!("default"), before),
        (json!({"name": "default", "configuration": {"separator": "."}}), ["c.0.0.0", "c.0.0.1"]),
        (json!("v2"), ["0.0.0", "0.0.1"]),
        (json!({"name": "v2", "configuration": {"separator": "/"}}), ["0/0/0", "0/0/1"]),
    ] {
        fs::create_dir_all(path.join("0/0")).unwrap();
        for (from, to) in before.into_iter().zip(names) {
            fs::rename(path.join(from), path.join(to)).unwrap();
        }
        before = names;
        json["chunk_key_encoding"] = encoding;
        fs::write(path.join("zarr.json"), json.to_string()).unwrap();
        assert_eq!(read_file(&path).unwrap().1, sample(&info), "{names:?}");
    }
}

/// What an OME-Zarr image, or the array in it, fails with when its metadata is changed.
fn zarr_failure(file: &str, change: impl FnOnce(&mut Value)) -> ErrorKind {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ome.zarr");
    let info = image(DType::U16);
    write_file(&path, &info, &sample(&info), chunked([4, 5, 6])).unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(path.join(file)).unwrap()).unwrap();
    change(&mut json);
    fs::write(path.join(file), json.to_string()).unwrap();
    read_file(&path).expect_err("the metadata is wrong").kind()
}

#[test]
fn metadata_of_zarr_that_cannot_be_is_refused() {
    let array = |pointer: &str, value: Value| {
        zarr_failure("0/zarr.json", |json| *json.pointer_mut(pointer).expect("a field that is there") = value)
    };
    assert_eq!(array("", json!(7)), ErrorKind::Corrupt);
    assert_eq!(array("/zarr_format", json!(2)), ErrorKind::Incompatible);
    assert_eq!(array("/node_type", json!("tree")), ErrorKind::Corrupt);
    assert_eq!(array("/shape", json!([1, 2])), ErrorKind::Corrupt);
    assert_eq!(array("/shape", json!([])), ErrorKind::Unsupported);
    assert_eq!(array("/shape", json!([1, 0, 1])), ErrorKind::Unsupported);
    assert_eq!(array("/shape", json!([1, 1, 1, 1, 1, 1])), ErrorKind::Unsupported);
    assert_eq!(array("/shape", json!([1u64 << 40, 1u64 << 40, 1])), ErrorKind::TooLarge);
    assert_eq!(array("/shape/0", json!(-1)), ErrorKind::Corrupt);
    assert_eq!(array("/data_type", json!("float16")), ErrorKind::Unsupported);
    assert_eq!(array("/data_type", json!({"name": "r16"})), ErrorKind::Unsupported);
    assert_eq!(array("/fill_value", json!(-1)), ErrorKind::Corrupt);
    assert_eq!(array("/fill_value", json!("NaN")), ErrorKind::Corrupt);
    assert_eq!(array("/chunk_grid/name", json!("rectilinear")), ErrorKind::Unsupported);
    assert_eq!(array("/chunk_grid/configuration/chunk_shape", json!([4, 5])), ErrorKind::Corrupt);
    assert_eq!(array("/chunk_grid/configuration/chunk_shape", json!([4, 5, 0])), ErrorKind::Corrupt);
    assert_eq!(
        array("/chunk_grid/configuration/chunk_shape", json!([4096, 4096, 4096])),
        ErrorKind::TooLarge
    );
    assert_eq!(array("/chunk_grid/configuration", json!({})), ErrorKind::Corrupt);
    assert_eq!(array("/chunk_key_encoding/name", json!("other")), ErrorKind::Unsupported);
    assert_eq!(array("/chunk_key_encoding/configuration/separator", json!("../")), ErrorKind::Corrupt);
    assert_eq!(array("/dimension_names", json!(["z"])), ErrorKind::Corrupt);
    assert_eq!(array("/codecs", json!([])), ErrorKind::Corrupt);
    assert_eq!(array("/codecs", json!(["bytes"])), ErrorKind::Corrupt);
    assert_eq!(array("/codecs/1", json!({"name": "bz2", "configuration": {}})), ErrorKind::Unsupported);
    assert_eq!(array("/codecs/1", json!("crc32c")), ErrorKind::Corrupt);
    assert_eq!(array("/codecs/1", json!("gzip")), ErrorKind::Corrupt);
    assert_eq!(array("/codecs/1", json!("blosc")), ErrorKind::Corrupt);
    let transpose = |order: Value| {
        zarr_failure("0/zarr.json", |json| {
            let codec = json!({"name": "transpose", "configuration": {"order": order}});
            json["codecs"].as_array_mut().unwrap().insert(0, codec);
        })
    };
    for order in [json!([0, 1]), json!([0, 1, 1]), json!([1, 2, 3]), json!("F")] {
        assert_eq!(transpose(order), ErrorKind::Corrupt);
    }
    let sharded = |chunk: Value, index: Value| {
        zarr_failure("0/zarr.json", |json| {
            json["chunk_grid"]["configuration"]["chunk_shape"] = json!([1u64 << 20, 1u64 << 20, 1u64 << 20]);
            let bytes = json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
            json["codecs"] = json!([{"name": "sharding_indexed", "configuration":
                {"chunk_shape": chunk, "codecs": bytes, "index_codecs": index}}]);
        })
    };
    let index = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]);
    assert_eq!(sharded(json!([1, 1, 1]), index.clone()), ErrorKind::TooLarge);
    assert_eq!(sharded(json!([3, 1, 1]), index.clone()), ErrorKind::Corrupt);
    assert_eq!(sharded(json!([0, 1, 1]), index), ErrorKind::Corrupt);
    let packed = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip"}]);
    assert_eq!(sharded(json!([1 << 18, 1 << 18, 1 << 18]), packed), ErrorKind::Unsupported);
    let unknown = zarr_failure("0/zarr.json", |json| json["extension"] = json!({"name": "x"}));
    assert_eq!(unknown, ErrorKind::Unsupported);
    let transformed =
        zarr_failure("0/zarr.json", |json| json["storage_transformers"] = json!([{"name": "x"}]));
    assert_eq!(transformed, ErrorKind::Unsupported);

    let group = |pointer: &str, value: Value| {
        zarr_failure("zarr.json", |json| *json.pointer_mut(pointer).expect("a field that is there") = value)
    };
    assert_eq!(group("/attributes", json!({})), ErrorKind::Unsupported);
    assert_eq!(group("/attributes/ome/version", json!("0.4")), ErrorKind::Incompatible);
    assert_eq!(group("/attributes/ome/multiscales", json!([])), ErrorKind::Unsupported);
    assert_eq!(group("/attributes/ome/multiscales/0/axes", json!([])), ErrorKind::Corrupt);
    assert_eq!(group("/attributes/ome/multiscales/0/datasets", json!([])), ErrorKind::Corrupt);
    assert_eq!(group("/attributes/ome/multiscales/0/datasets/0/path", json!("../0")), ErrorKind::Corrupt);
    assert_eq!(group("/attributes/ome/multiscales/0/datasets/0/path", json!("")), ErrorKind::Corrupt);
    assert_eq!(group("/attributes/ome/multiscales/0/datasets/0/path", json!("1")), ErrorKind::NotFound);
    let scale = "/attributes/ome/multiscales/0/datasets/0/coordinateTransformations/0/scale";
    assert_eq!(group(scale, json!([1.0])), ErrorKind::Corrupt);
    assert_eq!(group(scale, json!("large")), ErrorKind::Corrupt);
}

#[test]
fn a_zarr_of_an_older_version_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".zarray"), "{}").unwrap();
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::Incompatible);
}
