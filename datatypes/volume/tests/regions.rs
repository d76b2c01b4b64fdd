//! Any part of an image, read alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;

use chunks::{DType, Region, copy_region};
use common::{SHAPE, chunked, image, read_file, sample, write_file};
use engine_api::ErrorKind;
use proptest::prelude::*;
use volume::{CreateOptions, ImageInfo, RawSpec, open_regions};

const READ_IN_PARTS: [&str; 5] = ["a.nii", "a.npy", "a.precomputed", "a.zarr", "b.ome.zarr"];

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

#[test]
fn parts_of_raw_and_of_big_endian_files_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.raw");
    let info = image(DType::U32);
    let data = sample(&info);
    write_file(&path, &info, &data, CreateOptions::default()).unwrap();
    let spec = RawSpec { shape: SHAPE.to_vec(), dtype: DType::U32 };
    assert_eq!(open_regions(&path, None).err().unwrap().kind(), ErrorKind::InvalidArgument);
    let raw = open_regions(&path, Some(&spec)).unwrap().unwrap();

    let header = "{'descr': '>u4', 'fortran_order': False, 'shape': (7, 5, 6), }\n";
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let swapped: Vec<u8> = data.chunks(4).flat_map(|element| element.iter().rev()).copied().collect();
    let path = dir.path().join("a.npy");
    fs::write(&path, [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), &swapped].concat())
        .unwrap();
    let npy = open_regions(&path, None).unwrap().unwrap();

    let bounds = Region::at_origin(&SHAPE).unwrap();
    for region in ["0:7,0:5,0:6", "2:5,1:4,3:4", "6:7,0:5,2:6", "1:3,0:5,0:6"] {
        let region: Region = region.parse().unwrap();
        let mut expected = vec![0; region.bytes(4).unwrap()];
        copy_region(&data, &bounds, &mut expected, &region, &region, 4).unwrap();
        for reader in [&raw, &npy] {
            let mut part = vec![0xee; expected.len()];
            reader.read_region(&region, &mut part).unwrap();
            assert_eq!(part, expected, "{region}");
        }
    }
    assert_eq!(raw.chunk_shape(), None);
}

#[test]
fn rows_that_lie_far_apart_are_read_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    let info = ImageInfo::new(&[3, 3, 40_000], DType::U8).unwrap();
    let data = sample(&info);
    write_file(&path, &info, &data, CreateOptions::default()).unwrap();
    let reader = open_regions(&path, None).unwrap().unwrap();
    let bounds = Region::at_origin(info.shape()).unwrap();
    for region in ["0:3,0:3,39990:40000", "1:3,1:3,7:20000", "2:3,0:2,0:40000", "0:3,2:3,5:6"] {
        let region: Region = region.parse().unwrap();
        let mut part = vec![0xee; region.bytes(1).unwrap()];
        reader.read_region(&region, &mut part).unwrap();
        let mut expected = vec![0; part.len()];
        copy_region(&data, &bounds, &mut expected, &region, &region, 1).unwrap();
        assert_eq!(part, expected, "{region}");
    }
}

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
