//! Images that are folders, with scales and chunks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use chunks::{DType, Region, copy_region};
use common::{read_all, read_file, sample, write_file};
use engine_api::ErrorKind;
use proptest::prelude::*;
use serde_json::{Value, json};
use volume::{
    CreateOptions, ImageAxis, ImageInfo, create_image, create_scales, open_image, open_regions, open_scale,
    open_scale_regions, scales_of,
};

const SHAPE: [u64; 3] = [7, 5, 6];

const PRECOMPUTED: [DType; 8] =
    [DType::U8, DType::U16, DType::U32, DType::U64, DType::I8, DType::I16, DType::I32, DType::F32];

fn chunked(shape: [u64; 3]) -> CreateOptions {
    CreateOptions { chunk_shape: Some(shape.to_vec()), ..CreateOptions::default() }
}

fn nm(spacings: [f64; 3]) -> Vec<ImageAxis> {
    ["z", "y", "x"]
        .into_iter()
        .zip(spacings)
        .map(|(name, spacing)| ImageAxis {
            name: name.into(),
            spacing: Some(spacing),
            unit: Some("nm".into()),
        })
        .collect()
}

fn image(dtype: DType) -> ImageInfo {
    ImageInfo::new(&SHAPE, dtype).unwrap().with_axes(nm([40.0, 4.5, 4.0])).unwrap()
}

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

/// The scales of an image, each half of the one before, with elements.
fn pyramid(dtype: DType) -> Vec<(ImageInfo, Vec<u8>)> {
    (0..3)
        .map(|scale| {
            let step = 1 << scale;
            let shape = SHAPE.map(|length| length.div_ceil(step));
            let spacing = f64::from(u32::try_from(step).unwrap());
            let axes = nm([40.0 * spacing, 4.5 * spacing, 4.0 * spacing]);
            let info = ImageInfo::new(&shape, dtype).unwrap().with_axes(axes).unwrap();
            let data = sample(&info);
            (info, data)
        })
        .collect()
}

fn check_pyramid(path: &Path, options: &CreateOptions) {
    let scales = pyramid(DType::U32);
    let infos: Vec<_> = scales.iter().map(|(info, _)| info.clone()).collect();
    let mut writers = create_scales(path, &infos, options).unwrap();
    // Interleaved, as one that halves an image while it is read writes them.
    for slice in 0..usize::try_from(SHAPE[0]).unwrap() {
        for (writer, (info, data)) in writers.iter_mut().zip(&scales) {
            let bytes = info.slice_bytes().unwrap();
            if let Some(slice) = data.chunks(bytes).nth(slice) {
                writer.write_slab(slice).unwrap();
            }
        }
    }
    for writer in writers {
        assert!(!path.exists(), "the name is given by the last writer");
        writer.finish().unwrap();
    }
    let found = scales_of(path).unwrap();
    assert_eq!(found.len(), 3);
    for (scale, (info, data)) in scales.iter().enumerate() {
        let mut reader = open_scale(path, scale).unwrap();
        assert_eq!((reader.info().shape(), reader.info().axes()), (info.shape(), info.axes()));
        assert_eq!(&found[scale], reader.info());
        assert_eq!(&read_all(reader.as_mut(), 3).unwrap(), data, "scale {scale}");
    }
    assert_eq!(open_scale(path, 3).err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(open_scale_regions(path, 3).err().unwrap().kind(), ErrorKind::NotFound);
}

#[test]
fn scales_are_written_together_and_read_alone() {
    let dir = tempfile::tempdir().unwrap();
    check_pyramid(&dir.path().join("a.precomputed"), &chunked([2, 4, 4]));
    let labels = CreateOptions { compressed_segmentation: true, ..CreateOptions::default() };
    check_pyramid(&dir.path().join("b.precomputed"), &labels);
    check_pyramid(&dir.path().join("c.ome.zarr"), &chunked([2, 4, 4]));
}

#[test]
fn an_image_without_scales_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    let info = ImageInfo::new(&SHAPE, DType::U16).unwrap();
    write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
    assert_eq!(scales_of(&path).unwrap(), [info]);
    assert!(open_scale(&path, 0).is_ok());
    assert_eq!(open_scale(&path, 1).err().unwrap().kind(), ErrorKind::NotFound);
}

#[test]
fn a_folder_has_its_name_only_when_every_writer_has_finished() {
    let dir = tempfile::tempdir().unwrap();
    let names = || {
        let entries = fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    for name in FOLDERS {
        let path = dir.path().join(name);
        let scales = pyramid(DType::U16);
        let mut writers = create_scales(&path, &[scales[0].0.clone()], &CreateOptions::default()).unwrap();
        assert!(names().iter().all(|name| name.ends_with(".partial")) && names().len() == 1, "{name}");
        writers[0].write_slab(&scales[0].1[..scales[0].0.slab_bytes(2).unwrap()]).unwrap();
        let error = writers.pop().unwrap().finish().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}");
        assert_eq!(names(), Vec::<String>::new(), "{name}");
    }
    let path = dir.path().join("a.precomputed");
    let scales = pyramid(DType::U16);
    let infos: Vec<_> = scales.iter().map(|(info, _)| info.clone()).collect();
    let mut writers = create_scales(&path, &infos, &CreateOptions::default()).unwrap();
    for (writer, (_, data)) in writers.iter_mut().zip(&scales) {
        writer.write_slab(data).unwrap();
    }
    let last = writers.pop().unwrap();
    for writer in writers {
        writer.finish().unwrap();
    }
    drop(last);
    assert_eq!(names(), Vec::<String>::new());
}

const FOLDERS: [&str; 3] = ["a.precomputed", "a.zarr", "a.ome.zarr"];

#[test]
fn nothing_that_is_there_is_replaced_by_a_folder() {
    for name in FOLDERS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let info = image(DType::U16);
        let write = || write_file(&path, &info, &sample(&info), CreateOptions::default());
        fs::create_dir(&path).unwrap();
        write().unwrap();
        assert_eq!(write().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read_file(&path).unwrap().1, sample(&info));
        fs::remove_dir_all(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert_eq!(write().unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();

        // Even when it has come since.
        let mut writer = create_image(&path, &info).unwrap();
        writer.write_slab(&sample(&info)).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "kept").unwrap();
        assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(path.join("kept")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
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
fn precomputed(dir: &Path, labels: bool) -> (std::path::PathBuf, std::path::PathBuf, Vec<u8>) {
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
    let sharded = precomputed_failure(|info| info["scales"][0]["sharding"] = json!({"@type": "x"}));
    assert_eq!(sharded, ErrorKind::Unsupported);
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

#[test]
fn folders_that_are_no_images_say_so() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::InvalidArgument);
    fs::write(dir.path().join("info"), "{").unwrap();
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::Corrupt);
    fs::write(dir.path().join("info"), "[".repeat(1 << 20)).unwrap();
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::Corrupt);
}

fn within(shape: [u64; 3]) -> impl Strategy<Value = Region> {
    shape.map(|length| (0..length).prop_flat_map(move |start| (Just(start), 0..=length - start))).prop_map(
        |axes| {
            let offset = axes.map(|(start, _)| i64::try_from(start).unwrap());
            Region::new(&offset, &axes.map(|(_, length)| length)).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A part read alone is that part of the whole, in every format that can be read in parts.
    #[test]
    fn any_region_is_that_part_of_the_image(
        regions in prop::collection::vec(within(SHAPE), 1..20),
        chunk in prop::array::uniform3(2u64..9),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let info = image(DType::U32);
        let data = sample(&info);
        let bounds = Region::at_origin(&SHAPE).unwrap();
        for name in READ_IN_PARTS {
            let path = dir.path().join(name);
            write_file(&path, &info, &data, chunked(chunk)).unwrap();
            prop_assert_eq!(&read_file(&path).unwrap().1, &data);
            let reader = open_regions(&path, None).unwrap().expect("it can be read in parts");
            for region in &regions {
                let mut part = vec![0xee; region.bytes(4).unwrap()];
                reader.read_region(region, &mut part).unwrap();
                let mut expected = vec![0; part.len()];
                copy_region(&data, &bounds, &mut expected, region, region, 4).unwrap();
                prop_assert_eq!(&part, &expected, "{} {}", name, region);
            }
        }
    }
}

const READ_IN_PARTS: [&str; 5] = ["a.nii", "a.npy", "a.precomputed", "a.zarr", "b.ome.zarr"];

#[test]
fn requests_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let info = image(DType::U32);
    for name in READ_IN_PARTS {
        let path = dir.path().join(name);
        write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
        let reader = open_regions(&path, None).unwrap().unwrap();
        let kind = |region: &str, bytes: usize| {
            reader.read_region(&region.parse().unwrap(), &mut vec![0; bytes]).unwrap_err().kind()
        };
        assert_eq!(kind("0:8,0:1,0:1", 32), ErrorKind::InvalidArgument, "{name}");
        assert_eq!(kind("-1:1,0:1,0:1", 8), ErrorKind::InvalidArgument, "{name}");
        assert_eq!(kind("0:1,0:1", 4), ErrorKind::InvalidArgument, "{name}");
        assert_eq!(kind("0:1,0:1,0:1", 5), ErrorKind::InvalidArgument, "{name}");
        reader.read_region(&"3:3,0:5,0:6".parse().unwrap(), &mut []).unwrap();
    }
}

#[test]
fn what_is_read_from_front_to_back_has_no_regions() {
    let dir = tempfile::tempdir().unwrap();
    let info = ImageInfo::new(&SHAPE, DType::U16).unwrap();
    for name in ["a.nii.gz", "a.tif"] {
        let path = dir.path().join(name);
        write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
        assert!(open_regions(&path, None).unwrap().is_none(), "{name}");
    }
}

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
    assert_eq!(array("/codecs/1", json!({"name": "blosc", "configuration": {}})), ErrorKind::Unsupported);
    assert_eq!(array("/codecs/1", json!("crc32c")), ErrorKind::Corrupt);
    assert_eq!(array("/codecs/1", json!("gzip")), ErrorKind::Corrupt);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever happens, it is an error or an image, and no panic.
    #[test]
    fn damaged_files_of_folders_never_panic(
        name in prop::sample::select(&["zstd.zarr", "gzip.zarr", "sharded_end.zarr", "sharded_start.zarr",
            "image.ome.zarr", "precomputed_raw", "precomputed_labels"][..]),
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let dir = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        copy_tree(&golden, dir.path(), &mut files);
        let path = &files[which.index(files.len())];
        let mut bytes = fs::read(path).unwrap();
        for (place, value) in damage {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(path, bytes).unwrap();
        if let Ok(scales) = scales_of(dir.path()) {
            for (scale, info) in scales.iter().enumerate() {
                // A shape that is only claimed has no data to be damaged.
                if info.total_bytes() < 1 << 20 && let Ok(mut reader) = open_scale(dir.path(), scale) {
                    let _ = read_all(reader.as_mut(), 2);
                }
            }
        }
    }
}

fn copy_tree(from: &Path, to: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_tree(&entry.path(), &target, files);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            files.push(target);
        }
    }
    files.sort();
}
