//! Real images, compared with what other libraries decode.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use chunks::DType;
use common::{read_all, read_file, testdata, write_file};
use nifti::{NiftiObject, RandomAccessNiftiVolume, ReaderOptions};
use serde_json::json;
use volume::{CreateOptions, GraySlice, open_image, slice_png};

/// Of the elements as z, y, x; computed with nibabel 5.4.2 and `NumPy`.
const MNI_CRC32C: u32 = 0x61ca_d158;
/// Computed with tifffile.
const NUCLEI_CRC32C: u32 = 0xeba2_76f0;
const LABELS_CRC32C: u32 = 0x436a_63ec;

#[test]
fn a_compressed_nifti_reads_as_nibabel_reads_it() {
    let (info, data) = read_file(&testdata("mni152_t1_1mm.nii.gz")).unwrap();
    assert_eq!((info.shape(), info.dtype()), ([189, 233, 197].as_slice(), DType::U8));
    assert_eq!(crc32c::crc32c(&data), MNI_CRC32C);
    assert_eq!(data[(94 * 233 + 116) * 197 + 98], 198);
    let names: Vec<_> = info.axes().iter().map(|axis| axis.name.as_str()).collect();
    assert_eq!(names, ["z", "y", "x"]);
    assert!(info.axes().iter().all(|axis| axis.spacing == Some(1.0) && axis.unit.is_none()));
    let fields = &info.metadata["nifti"];
    assert_eq!(fields["srow_y"], json!([0.0, 1.0, 0.0, -134.0]));
    assert_eq!(fields["sform_code"], 2);
    assert_eq!((&fields["scl_slope"], &fields["scl_inter"]), (&json!(1.0), &json!(0.0)));
}

#[test]
fn slabs_of_any_size_are_the_same_image() {
    let path = testdata("nuclei.tif");
    for slices in [1, 7, 31, 100] {
        let mut reader = open_image(&path, None).unwrap();
        let data = read_all(reader.as_mut(), slices).unwrap();
        assert_eq!(crc32c::crc32c(&data), NUCLEI_CRC32C, "{slices} slices at a time");
    }
}

#[test]
fn tiff_stacks_read_as_tifffile_reads_them() {
    let (info, data) = read_file(&testdata("nuclei.tif")).unwrap();
    assert_eq!((info.shape(), info.dtype()), ([31, 61, 57].as_slice(), DType::U16));
    assert_eq!(crc32c::crc32c(&data), NUCLEI_CRC32C);
    assert_eq!(info.metadata["tiff"]["description"], "{\"shape\": [31, 61, 57]}");
    let (info, data) = read_file(&testdata("nuclei_labels.tif")).unwrap();
    assert_eq!((info.shape(), info.dtype()), ([31, 61, 57].as_slice(), DType::U16));
    assert_eq!(crc32c::crc32c(&data), LABELS_CRC32C);
}

#[test]
fn every_format_carries_a_real_image_and_nifti_its_orientation() {
    let dir = tempfile::tempdir().unwrap();
    let (info, data) = read_file(&testdata("mni152_t1_1mm.nii.gz")).unwrap();
    for name in ["a.nii", "a.nii.gz", "a.tif", "a.npy"] {
        let path = dir.path().join(name);
        write_file(&path, &info, &data, CreateOptions::default()).unwrap();
        let (back, same) = read_file(&path).unwrap();
        assert_eq!((back.shape(), back.dtype()), (info.shape(), info.dtype()), "{name}");
        assert_eq!(crc32c::crc32c(&same), MNI_CRC32C, "{name}");
        if name.contains("nii") {
            for field in ["qform_code", "sform_code", "quatern", "srow_x", "srow_y", "srow_z", "qfac"] {
                assert_eq!(back.metadata["nifti"][field], info.metadata["nifti"][field], "{field}");
            }
        }
    }
}

#[test]
fn what_is_written_another_library_reads() {
    let dir = tempfile::tempdir().unwrap();
    let (info, data) = read_file(&testdata("nuclei.tif")).unwrap();
    for name in ["a.nii", "a.nii.gz"] {
        let path = dir.path().join(name);
        write_file(&path, &info, &data, CreateOptions::default()).unwrap();
        let object = ReaderOptions::new().read_file(&path).unwrap();
        assert_eq!(object.header().dim().unwrap(), [57, 61, 31]);
        let volume = object.into_volume();
        let points = (0..31).flat_map(|z| (0..61).flat_map(move |y| (0..57).map(move |x| [x, y, z])));
        let bytes: Vec<u8> = points.flat_map(|point| volume.get_u16(&point).unwrap().to_le_bytes()).collect();
        assert_eq!(crc32c::crc32c(&bytes), NUCLEI_CRC32C);
    }
    let path = dir.path().join("a.npy");
    write_file(&path, &info, &data, CreateOptions::default()).unwrap();
    let array = npyz::NpyFile::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap())).unwrap();
    assert_eq!((array.shape(), array.order()), ([31, 61, 57].as_slice(), npyz::Order::C));
    let bytes: Vec<u8> =
        array.into_vec::<u16>().unwrap().iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(crc32c::crc32c(&bytes), NUCLEI_CRC32C);
}

#[test]
fn slices_become_one_picture() {
    let (info, data) = read_file(&testdata("mni152_t1_1mm.nii.gz")).unwrap();
    let bytes = info.slice_bytes().unwrap();
    let slice = |z: usize| GraySlice {
        width: 197,
        height: 233,
        dtype: DType::U8,
        data: &data[z * bytes..(z + 1) * bytes],
    };
    let mut picture = Vec::new();
    slice_png(&[slice(60), slice(94)], None, &mut picture).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!((reader.info().width, reader.info().height), (197 * 2 + 2, 233));
    assert_eq!(pixels[116 * 396 + 199 + 98], 198);
}
