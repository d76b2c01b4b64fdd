//! Images that other libraries wrote; `golden/make.py` says how.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::path::{Path, PathBuf};

use chunks::{DType, Region, copy_region};
use common::{read_all, read_file};
use volume::{
    ImageInfo, decode_compressed_segmentation, encode_compressed_segmentation, open_image, open_scale,
    scales_of,
};

const SHAPE: [u64; 3] = [5, 7, 9];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The elements that `golden/make.py` writes, every `step`th along each axis.
fn expected(dtype: DType, step: usize) -> Vec<u8> {
    let mut data = Vec::new();
    for z in (0..SHAPE[0]).step_by(step) {
        for y in (0..SHAPE[1]).step_by(step) {
            for x in (0..SHAPE[2]).step_by(step) {
                let value = (x / 3 + 10 * (y / 2) + 100 * (z / 2)) * 2_654_435_761;
                data.extend(&value.to_le_bytes()[..dtype.size()]);
            }
        }
    }
    data
}

fn check(path: &Path, scale: usize, dtype: DType) -> ImageInfo {
    let mut reader = open_scale(path, scale).unwrap();
    let step = scale + 1;
    let shape = SHAPE.map(|length| length.div_ceil(u64::try_from(step).unwrap()));
    assert_eq!((reader.info().shape(), reader.info().dtype()), (shape.as_slice(), dtype));
    assert_eq!(read_all(reader.as_mut(), 2).unwrap(), expected(dtype, step), "{}", path.display());
    reader.info().clone()
}

#[test]
fn segmentations_that_another_library_compressed_are_decoded() {
    for (dtype, name) in [(DType::U32, "uint32"), (DType::U64, "uint64")] {
        for (block, suffix) in [([4, 4, 4], "444"), ([2, 3, 8], "832")] {
            let encoded = std::fs::read(golden(&format!("segmentation_{name}_{suffix}.bin"))).unwrap();
            let data = expected(dtype, 1);
            let mut decoded = vec![0; data.len()];
            decode_compressed_segmentation(dtype, SHAPE, block, &encoded, &mut decoded).unwrap();
            assert_eq!(decoded, data, "{name} in blocks of {suffix}");
            // Both have a table per set of labels and the fewest bits per index.
            let ours = encode_compressed_segmentation(dtype, SHAPE, block, &data).unwrap();
            assert_eq!(ours, encoded, "{name} in blocks of {suffix}");
        }
    }
}

#[test]
fn precomputed_volumes_are_read_as_tensorstore_wrote_them() {
    for (name, dtype) in [("precomputed_raw", DType::U16), ("precomputed_labels", DType::U64)] {
        let path = golden(name);
        assert_eq!(scales_of(&path).unwrap().len(), 2);
        let info = check(&path, 0, dtype);
        check(&path, 1, dtype);
        let axes: Vec<_> =
            info.axes().iter().map(|axis| (axis.name.as_str(), axis.spacing, axis.unit.as_deref())).collect();
        assert_eq!(
            axes,
            [("z", Some(40.0), Some("nm")), ("y", Some(4.0), Some("nm")), ("x", Some(4.5), Some("nm"))]
        );
        assert_eq!(info.metadata["precomputed"]["voxel_offset"], serde_json::json!([-6, 10, 100]));
        assert_eq!(open_image(&path, None).unwrap().info(), &info);
    }
}

#[test]
fn zarr_arrays_are_read_as_zarr_python_wrote_them() {
    for name in ["zstd.zarr", "gzip.zarr"] {
        let info = check(&golden(name), 0, DType::U16);
        let names: Vec<_> = info.axes().iter().map(|axis| axis.name.as_str()).collect();
        assert_eq!(names, ["z", "y", "x"], "{name}");
    }
}

#[test]
fn elements_that_were_never_written_are_the_fill_value() {
    let (info, data) = read_file(&golden("fill.zarr")).unwrap();
    assert_eq!((info.shape(), info.dtype()), (SHAPE.as_slice(), DType::F32));
    let integers = expected(DType::U64, 1);
    let (integers, _) = integers[..3 * 7 * 9 * 8].as_chunks::<8>();
    for (at, element) in data.as_chunks::<4>().0.iter().enumerate() {
        let value = f32::from_le_bytes(*element);
        match integers.get(at) {
            #[allow(clippy::cast_precision_loss, clippy::float_cmp, reason = "as NumPy rounds")]
            Some(integer) => assert_eq!(value, u64::from_le_bytes(*integer) as f32),
            None => assert!(value.is_nan()),
        }
    }
    for name in ["sharded_end.zarr", "sharded_start.zarr"] {
        let (info, data) = read_file(&golden(name)).unwrap();
        assert_eq!((info.shape(), info.dtype()), (SHAPE.as_slice(), DType::U64));
        let written = Region::at_origin(&[4, 3, 9]).unwrap();
        let bounds = Region::at_origin(&SHAPE).unwrap();
        let mut all: Vec<u8> = 7u64.to_le_bytes().repeat(5 * 7 * 9);
        copy_region(&expected(DType::U64, 1), &bounds, &mut all, &bounds, &written, 8).unwrap();
        assert_eq!(data, all, "{name}");
    }
}

#[test]
fn scales_of_an_ome_zarr_are_read_as_zarr_python_wrote_them() {
    let path = golden("image.ome.zarr");
    assert_eq!(scales_of(&path).unwrap().len(), 2);
    for (scale, step) in [(0, 1.0), (1, 2.0)] {
        let info = check(&path, scale, DType::U8);
        let axes: Vec<_> =
            info.axes().iter().map(|axis| (axis.name.as_str(), axis.spacing, axis.unit.as_deref())).collect();
        let um = Some("um");
        assert_eq!(
            axes,
            [("z", Some(2.0 * step), um), ("y", Some(0.5 * step), um), ("x", Some(0.25 * step), um)]
        );
        assert_eq!(info.metadata["ome-zarr"]["name"], "golden");
    }
    let second = scales_of(&path).unwrap().pop().unwrap();
    assert_eq!(second.metadata["ome-zarr"]["translation"], serde_json::json!([0.0, 0.25, 0.0]));
    // An array of it is an image too.
    check(&path.join("full"), 0, DType::U8);
}

#[test]
fn ome_tiffs_are_read_as_tifffile_wrote_them() {
    let plane = 7 * 9 * 2;
    let first = expected(DType::U16, 1);
    let one_more = |plane: &[u8]| -> Vec<u8> {
        let (elements, _) = plane.as_chunks::<2>();
        elements.iter().flat_map(|value| u16::from_le_bytes(*value).wrapping_add(1).to_le_bytes()).collect()
    };
    let (info, data) = read_file(&golden("tzyx.ome.tif")).unwrap();
    assert_eq!((info.shape(), info.dtype()), ([2, 5, 7, 9].as_slice(), DType::U16));
    assert_eq!(data, [first.clone(), one_more(&first)].concat());
    let axes: Vec<_> =
        info.axes().iter().map(|axis| (axis.name.as_str(), axis.spacing, axis.unit.as_deref())).collect();
    let (y, x) = (("y", Some(500.0), Some("nm")), ("x", Some(0.25), Some("um")));
    assert_eq!(axes, [("t", Some(2.5), Some("s")), ("z", None, None), y, x]);

    let (info, data) = read_file(&golden("zcyx.ome.tif")).unwrap();
    let names: String = info.axes().iter().map(|axis| axis.name.as_str()).collect();
    assert_eq!((info.shape(), names.as_str()), ([5, 2, 7, 9].as_slice(), "zcyx"));
    let planes: Vec<u8> =
        first.chunks(plane).flat_map(|plane| [plane.to_vec(), one_more(plane)].concat()).collect();
    assert_eq!(data, planes);
}
