//! Datasets of HDF5 files: written, read, named, and damaged.
#![cfg(feature = "hdf5")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use chunks::{DType, Region};
use common::{chunked, image, read_all, read_file, sample, write_file};
use engine_api::ErrorKind;
use proptest::prelude::*;
use volume::{Compression, CreateOptions, DeflateLevel, ImageInfo, Variables, open_image, open_regions};

fn deflate(level: u8) -> Compression {
    Compression::Deflate(DeflateLevel::new(level).unwrap())
}

fn inside(file: &Path, dataset: &str) -> PathBuf {
    format!("{}:{dataset}", file.display()).into()
}

#[test]
fn every_type_comes_back_with_its_axes() {
    let dir = tempfile::tempdir().unwrap();
    for &dtype in DType::ALL {
        for compression in [Compression::None, deflate(0), deflate(4), deflate(9)] {
            let path = dir.path().join(format!("{dtype}.h5"));
            let info = image(dtype);
            let mut data = sample(&info);
            // Chunks of zeros aren't stored.
            data[..info.slab_bytes(4).unwrap()].fill(0);
            let options = CreateOptions { compression: Some(compression), ..chunked([2, 3, 4]) };
            write_file(&path, &info, &data, options).unwrap();
            let (back, read) = read_file(&path).unwrap();
            assert_eq!(back, info, "{dtype} {compression:?}");
            assert!(read == data, "{dtype} {compression:?}: elements differ");
        }
    }
}

#[test]
fn shapes_of_one_to_five_axes_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.hdf5");
    for shape in [&[1][..], &[300], &[1, 1], &[65, 130], &[2, 3, 4, 5], &[3, 1, 2, 4, 5]] {
        let info = ImageInfo::new(shape, DType::I16).unwrap();
        let data = sample(&info);
        let options = CreateOptions { compression: Some(deflate(1)), ..CreateOptions::default() };
        write_file(&path, &info, &data, options).unwrap();
        let (back, read) = read_file(&path).unwrap();
        assert_eq!(back.shape(), shape);
        assert!(read == data, "{shape:?}: elements differ");
    }
}

#[test]
fn many_chunks_are_found_again_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let info = ImageInfo::new(&[40, 41, 42], DType::U8).unwrap();
    let data: Vec<u8> = (0..info.total_bytes()).map(|at| u8::try_from(at * 31 % 251 + 1).unwrap()).collect();
    write_file(&path, &info, &data, CreateOptions { compression: Some(deflate(1)), ..chunked([2, 2, 2]) })
        .unwrap();
    let regions = open_regions(&path, None).unwrap().unwrap();
    assert_eq!(regions.chunk_shape(), Some(&[2, 2, 2][..]));
    for (offset, shape) in [([0, 0, 0], [40, 41, 42]), ([39, 40, 41], [1, 1, 1]), ([7, 3, 1], [5, 30, 39])] {
        let region = Region::new(&offset, &shape).unwrap();
        let mut out = vec![0; region.bytes(1).unwrap()];
        regions.read_region(&region, &mut out).unwrap();
        let mut at = 0;
        for z in offset[0]..region.end(0) {
            for y in offset[1]..region.end(1) {
                for x in offset[2]..region.end(2) {
                    let element = usize::try_from((z * 41 + y) * 42 + x).unwrap();
                    assert_eq!(out[at], data[element], "{z} {y} {x}");
                    at += 1;
                }
            }
        }
    }
    let beyond = Region::new(&[39, 0, 0], &[2, 1, 1]).unwrap();
    assert_eq!(regions.read_region(&beyond, &mut [0; 2]).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_dataset_is_named_where_it_is_written_and_behind_the_file_where_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let info = image(DType::U16);
    let data = sample(&info);
    let named = |dataset: &str| CreateOptions { dataset: Some(dataset.into()), ..CreateOptions::default() };
    write_file(&path, &info, &data, named("/entry/data/raw")).unwrap();
    assert!(read_file(&path).unwrap().1 == data, "it is the only one");
    assert!(read_file(&inside(&path, "/entry/data/raw")).unwrap().1 == data);
    let missing = read_file(&inside(&path, "/entry/other")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("entry/data/raw"), "it says what there is: {missing}");
    for wrong in ["", "/", "/a//b", "/a/../b", "/a/"] {
        let error = write_file(&path, &info, &data, named(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{wrong:?}");
    }
    assert!(read_file(&path).unwrap().1 == data, "what can't be written replaces nothing");
    let npy = dir.path().join("a.npy");
    write_file(&npy, &info, &data, CreateOptions::default()).unwrap();
    assert_eq!(open_image(&inside(&npy, "/a"), None).err().unwrap().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_file_has_its_name_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let info = image(DType::U8);
    let mut writer = volume::create_image(&path, &info).unwrap();
    writer.write_slab(&sample(&info)[..info.slab_bytes(3).unwrap()]).unwrap();
    assert!(!path.exists());
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::InvalidArgument, "slices are missing");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn attributes_are_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let mut info = image(DType::U8);
    let attributes = serde_json::json!({
        "operator": "Ada",
        "gain": 2.5,
        "offsets": [0.5, -1.0],
        "channel": -3,
        "counts": [1, 2, 3],
        "most": u64::MAX,
        "long": (0..4000).collect::<Vec<i64>>(),
        "text": "x".repeat(100_000),
    });
    info.metadata.insert("hdf5".into(), serde_json::json!({ "attributes": attributes }));
    write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
    assert_eq!(read_file(&path).unwrap().0, info);
    // What HDF5 has no attribute or no room for is left out, and what says something of the axes isn't written twice.
    let odd = serde_json::json!({ "a": null, "b": [1, "x"], "c": [], "e": vec![1; 20_000], "axes": "q,r,s", "d": "kept" });
    info.metadata.insert("hdf5".into(), serde_json::json!({ "attributes": odd }));
    write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
    let back = read_file(&path).unwrap().0;
    assert_eq!(back.axes(), info.axes());
    assert_eq!(back.metadata["hdf5"]["attributes"], serde_json::json!({ "d": "kept" }));
}

fn written() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let info = image(DType::U16);
    let options = CreateOptions { compression: Some(deflate(4)), ..chunked([2, 3, 4]) };
    write_file(&path, &info, &sample(&info), options).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn what_is_no_hdf5_or_ends_too_early_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let whole = written();
    let mut files: Vec<Vec<u8>> = (0..40).map(|part| whole[..whole.len() * part / 40].to_vec()).collect();
    files.push(b"no HDF5, and long enough to be looked at".repeat(100));
    for (index, file) in files.iter().enumerate() {
        fs::write(&path, file).unwrap();
        let Err(error) = read_file(&path) else { panic!("{index}: it was read") };
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported), "{index}: {kind:?}");
    }
    fs::write(&path, b"\x1f\x8b a gzip of nothing").unwrap();
    assert_eq!(read_file(&path).map(|_| ()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(read_file(&dir.path().join("b.h5")).map(|_| ()).unwrap_err().kind(), ErrorKind::NotFound);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    /// Nothing that is read back is longer than the image that the file claims, and nothing panics.
    #[test]
    fn a_damaged_file_gives_an_error_or_elements(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = written();
        for (at, byte) in changes {
            let at = at.index(file.len().min(4096));
            file[at] = byte;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.h5");
        fs::write(&path, &file).unwrap();
        if let Ok(file) = Variables::open(&path) {
            for (index, variable) in file.list().iter().enumerate() {
                let part: Vec<u64> = variable.shape.iter().map(|length| (*length).min(7)).collect();
                if part.len() > 5 {
                    continue;
                }
                let bytes = part.iter().product::<u64>() * u64::try_from(variable.dtype.size()).unwrap();
                let mut out = vec![0; usize::try_from(bytes).unwrap()];
                let start = vec![0; part.len()];
                let _outcome = file.read(index, &start, &part, &mut out);
            }
        }
        if let Ok(mut reader) = open_image(&path, None)
            && reader.info().total_bytes() < 1 << 20
        {
            let _outcome = read_all(&mut *reader, 1);
        }
    }
}
