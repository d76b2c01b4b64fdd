//! Neuroglancer's precomputed volumes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use chunks::{DType, Region};
use common::{chunked, image, read_all, read_file, sample, write_file};
use engine_api::ErrorKind;
use serde_json::{Value, json};
use volume::{CreateOptions, ImageInfo, create_scales, open_image, open_regions};

const PRECOMPUTED: [DType; 8] =
    [DType::U8, DType::U16, DType::U32, DType::U64, DType::I8, DType::I16, DType::I32, DType::F32];

#[test]
fn every_type_that_precomputed_volumes_have_survives() {
    let dir = tempfile::tempdir().unwrap();
    for (dtype, labels) in
        PRECOMPUTED.map(|dtype| (dtype, false)).into_iter().chain([(DType::U32, true), (DType::U64, true)])
    {
        for chunk in [[64, 64, 64], [3, 2, 4], [1, 5, 1], [7, 5, 6]] {
            let path = dir.path().join("a.precomputed");
            let info = image(dtype);
            let data = sample(&info);
            let options = CreateOptions { compressed_segmentation: labels, ..chunked(chunk) };
            write_file(&path, &info, &data, options).unwrap();
            for slices in [1, 2, 3, 5, 100] {
                let mut reader = open_image(&path, None).unwrap();
                assert_eq!(reader.info().dtype(), dtype);
                assert_eq!((reader.info().shape(), reader.info().axes()), (info.shape(), info.axes()));
                assert_eq!(read_all(reader.as_mut(), slices).unwrap(), data, "{dtype} in {chunk:?}");
            }
            fs::remove_dir_all(&path).unwrap();
        }
    }
}

#[test]
fn what_precomputed_volumes_cannot_hold_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.precomputed");
    let kind = |info: &ImageInfo, options: &CreateOptions| {
        create_scales(&path, std::slice::from_ref(info), options).err().unwrap().kind()
    };
    let defaults = CreateOptions::default();
    assert_eq!(kind(&image(DType::F64), &defaults), ErrorKind::Unsupported);
    assert_eq!(kind(&image(DType::I64), &defaults), ErrorKind::Unsupported);
    assert_eq!(kind(&ImageInfo::new(&[2, 2], DType::U8).unwrap(), &defaults), ErrorKind::Unsupported);
    let labels = CreateOptions { compressed_segmentation: true, ..CreateOptions::default() };
    assert_eq!(kind(&image(DType::U16), &labels), ErrorKind::Unsupported);
    assert_eq!(kind(&image(DType::U16), &chunked([0, 1, 1])), ErrorKind::InvalidArgument);
    let flat = CreateOptions { chunk_shape: Some(vec![4, 4]), ..CreateOptions::default() };
    assert_eq!(kind(&image(DType::U16), &flat), ErrorKind::InvalidArgument);
    assert_eq!(create_scales(&path, &[], &defaults).err().unwrap().kind(), ErrorKind::InvalidArgument);
    let mixed = [image(DType::U16), image(DType::U8)];
    assert_eq!(create_scales(&path, &mixed, &defaults).err().unwrap().kind(), ErrorKind::InvalidArgument);
    let file = dir.path().join("a.npy");
    let two = [image(DType::U16), image(DType::U16)];
    assert_eq!(create_scales(&file, &two, &defaults).err().unwrap().kind(), ErrorKind::Unsupported);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_bool_is_written_as_a_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.precomputed");
    let info = image(DType::Bool);
    write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
    let (back, data) = read_file(&path).unwrap();
    assert_eq!((back.dtype(), data), (DType::U8, sample(&info)));
}

#[test]
fn what_a_precomputed_volume_says_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a.precomputed"), dir.path().join("b.precomputed"));
    let mut info = image(DType::U32);
    let said = json!({
        "type": "segmentation", "voxel_offset": [-7, 0, 1 << 20], "encoding": "compressed_segmentation",
        "compressed_segmentation_block_size": [4, 2, 3],
    });
    info.metadata.insert("precomputed".into(), said.clone());
    write_file(&first, &info, &sample(&info), CreateOptions::default()).unwrap();
    let (info, data) = read_file(&first).unwrap();
    assert_eq!(info.metadata["precomputed"], said);
    write_file(&second, &info, &data, CreateOptions::default()).unwrap();
    assert_eq!(fs::read(first.join("info")).unwrap(), fs::read(second.join("info")).unwrap());
    assert!(second.join("4_4.5_40/-7--1_0-5_1048576-1048583").is_file());
    assert_eq!(read_file(&second).unwrap().1, data);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A precomputed volume and the path of its first chunk, which holds half of the image.
fn precomputed(dir: &Path, labels: bool) -> (PathBuf, PathBuf, Vec<u8>) {
    let path = dir.join("a.precomputed");
    let info = image(DType::U32);
    let options = CreateOptions { compressed_segmentation: labels, ..chunked([4, 5, 6]) };
    write_file(&path, &info, &sample(&info), options).unwrap();
    let chunk = path.join("4_4.5_40/0-6_0-5_0-4");
    assert!(chunk.is_file());
    (path, chunk, sample(&info))
}

#[test]
fn compressed_chunks_are_read_whatever_their_name() {
    for labels in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (path, chunk, data) = precomputed(dir.path(), labels);
        let packed = gzip(&fs::read(&chunk).unwrap());
        fs::write(&chunk, &packed).unwrap();
        assert_eq!(read_file(&path).unwrap().1, data);
        fs::rename(&chunk, chunk.with_file_name("0-6_0-5_0-4.gz")).unwrap();
        assert_eq!(read_file(&path).unwrap().1, data);
        let cut = &packed[..packed.len() - 3];
        fs::write(&chunk, cut).unwrap();
        assert_eq!(read_file(&path).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn elements_that_look_like_gzip_are_elements() {
    let dir = tempfile::tempdir().unwrap();
    let (path, chunk, _) = precomputed(dir.path(), false);
    let mut data = fs::read(&chunk).unwrap();
    data[..2].copy_from_slice(&[0x1f, 0x8b]);
    fs::write(&chunk, &data).unwrap();
    assert_eq!(read_file(&path).unwrap().1[..2], [0x1f, 0x8b]);
}

#[test]
fn chunks_that_are_not_there_are_zeros() {
    for labels in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (path, chunk, mut data) = precomputed(dir.path(), labels);
        fs::remove_file(&chunk).unwrap();
        data[..4 * 5 * 6 * 4].fill(0);
        assert_eq!(read_file(&path).unwrap().1, data);
    }
}

#[test]
fn chunks_of_another_length_are_corrupt_and_named() {
    for labels in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (path, chunk, _) = precomputed(dir.path(), labels);
        let whole = fs::read(&chunk).unwrap();
        let longer = [whole.as_slice(), vec![0; 20_000].as_slice()].concat();
        for file in [&[][..], &whole[..1], &whole[..whole.len() - 1], &longer, &gzip(&longer)] {
            fs::write(&chunk, file).unwrap();
            let error = read_file(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!(error.field("chunk"), Some("0-6_0-5_0-4"));
            assert!(error.field("path").unwrap().ends_with("a.precomputed"));
        }
    }
}

/// What a precomputed volume fails with when its description is changed.
fn precomputed_failure(change: impl FnOnce(&mut Value)) -> ErrorKind {
    let dir = tempfile::tempdir().unwrap();
    let (path, ..) = precomputed(dir.path(), false);
    let mut info: Value = serde_json::from_slice(&fs::read(path.join("info")).unwrap()).unwrap();
    change(&mut info);
    fs::write(path.join("info"), info.to_string()).unwrap();
    open_image(&path, None).err().expect("the description is wrong").kind()
}

#[test]
fn descriptions_that_cannot_be_are_refused() {
    let with = |pointer: &str, value: Value| {
        precomputed_failure(|info| *info.pointer_mut(pointer).expect("a field that is there") = value)
    };
    assert_eq!(with("", json!([])), ErrorKind::Corrupt);
    assert_eq!(with("", json!({})), ErrorKind::Corrupt);
    assert_eq!(with("/scales", json!([])), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/size", json!([1, 2])), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/size", json!([1, 2, -3])), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/size", json!([1, 0, 3])), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/size", json!([1u64 << 40, 1u64 << 40, 3])), ErrorKind::TooLarge);
    assert_eq!(with("/scales/0/chunk_sizes", json!([])), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/chunk_sizes", json!([[1, 0, 1]])), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/chunk_sizes", json!([[4096, 4096, 4096]])), ErrorKind::TooLarge);
    assert_eq!(with("/scales/0/voxel_offset", json!([i64::MAX, 0, 0])), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/encoding", json!("compressed_segmentation")), ErrorKind::Corrupt);
    assert_eq!(with("/scales/0/encoding", json!("jpeg")), ErrorKind::Unsupported);
    assert_eq!(with("/scales/0/key", json!("../elsewhere")), ErrorKind::Unsupported);
    assert_eq!(with("/scales/0/key", json!("/etc")), ErrorKind::Unsupported);
    assert_eq!(with("/scales/0/key", json!("")), ErrorKind::Unsupported);
    assert_eq!(with("/num_channels", json!(3)), ErrorKind::Unsupported);
    assert_eq!(with("/data_type", json!("float64")), ErrorKind::Unsupported);
    assert_eq!(with("/@type", json!("neuroglancer_skeletons")), ErrorKind::Unsupported);
    let sharded = |change: Value| {
        let mut sharding = json!({
            "@type": "neuroglancer_uint64_sharded_v1", "hash": "identity", "preshift_bits": 0,
            "minishard_bits": 1, "shard_bits": 1,
        });
        sharding.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        precomputed_failure(|info| info["scales"][0]["sharding"] = sharding)
    };
    assert_eq!(sharded(json!({"@type": "neuroglancer_uint64_sharded_v9"})), ErrorKind::Unsupported);
    assert_eq!(sharded(json!({"hash": "sha"})), ErrorKind::Corrupt);
    assert_eq!(sharded(json!({"data_encoding": "lzma"})), ErrorKind::Corrupt);
    assert_eq!(sharded(json!({"preshift_bits": 64})), ErrorKind::Corrupt);
    assert_eq!(sharded(json!({"shard_bits": u32::MAX})), ErrorKind::Corrupt);
    assert_eq!(sharded(json!({"shard_bits": -1})), ErrorKind::Corrupt);
    assert_eq!(sharded(json!({"minishard_bits": 33})), ErrorKind::Corrupt);
    let flat = precomputed_failure(|info| {
        info["scales"][0]["encoding"] = json!("compressed_segmentation");
        info["scales"][0]["compressed_segmentation_block_size"] = json!([8, 0, 8]);
    });
    assert_eq!(flat, ErrorKind::Corrupt);
}

#[test]
fn a_shape_that_is_only_claimed_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, ..) = precomputed(dir.path(), false);
    let mut info: Value = serde_json::from_slice(&fs::read(path.join("info")).unwrap()).unwrap();
    info["scales"][0]["size"] = json!([1 << 20, 1 << 20, 1 << 18]);
    fs::write(path.join("info"), info.to_string()).unwrap();
    // Sparse volumes may be as large, and a part of one is read without the rest.
    let regions = open_regions(&path, None).unwrap().unwrap();
    let mut out = [1; 4];
    let far = Region::new(&[(1 << 18) - 1, 1 << 19, (1 << 20) - 1], &[1, 1, 1]).unwrap();
    regions.read_region(&far, &mut out).unwrap();
    assert_eq!(out, [0; 4]);
}
