//! Files that lie, end too early, or hold what can't be read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use chunks::DType;
use common::{failure, failure_kind, read_file, testdata, write_file};
use engine_api::ErrorKind;
use proptest::prelude::*;
use tiff::encoder::{TiffEncoder, colortype};
use volume::{CreateOptions, ImageInfo, RawSpec, open_image};

fn nifti() -> Vec<u8> {
    written("a.nii", DType::I16)
}

fn written(name: &str, dtype: DType) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let info = ImageInfo::new(&[4, 3, 2], dtype).unwrap();
    let data: Vec<u8> = (0..info.total_bytes()).map(|at| u8::try_from(at).unwrap()).collect();
    write_file(&path, &info, &data, CreateOptions::default()).unwrap();
    std::fs::read(path).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The file with other bytes at a place.
fn patched(mut file: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn dims(extents: [i16; 8]) -> Vec<u8> {
    extents.iter().flat_map(|extent| extent.to_le_bytes()).collect()
}

#[test]
fn a_nifti_that_claims_more_than_it_has_is_refused_when_opened() {
    // 2^45 and 2^30 elements in a file of 400 bytes.
    for extents in [[3, 32767, 32767, 32767, 1, 1, 1, 1], [3, 1024, 1024, 1024, 1, 1, 1, 1]] {
        let file = patched(nifti(), 40, &dims(extents));
        for (name, file) in [("a.nii", file.clone()), ("a.nii.gz", gzip(&file))] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name);
            std::fs::write(&path, file).unwrap();
            assert_eq!(open_image(&path, None).err().unwrap().kind(), ErrorKind::Corrupt, "{name}");
        }
    }
    let all = patched(nifti(), 40, &dims([7, 32767, 32767, 32767, 32767, 32767, 32767, 32767]));
    assert_eq!(failure_kind("a.nii", &all), ErrorKind::Unsupported, "more than five axes");
    let five = patched(nifti(), 40, &dims([5, 32767, 32767, 32767, 32767, 32767, 1, 1]));
    assert_eq!(failure_kind("a.nii", &five), ErrorKind::TooLarge);
}

#[test]
fn headers_of_nifti_that_cannot_be_are_corrupt() {
    let wrong: [(&str, usize, &[u8]); 11] = [
        ("length", 0, &[1, 2, 3, 4]),
        ("magic", 344, b"xyz\0"),
        ("no axes", 40, &[0, 0]),
        ("eight axes", 40, &[8, 0]),
        ("negative number of axes", 40, &[255, 255]),
        ("extent zero", 44, &[0, 0]),
        ("negative extent", 44, &[0, 128]),
        ("bits", 72, &[8, 0]),
        ("datatype", 70, &[3, 0]),
        ("offset inside the header", 108, &100f32.to_le_bytes()),
        ("offset of nothing", 108, &f32::NAN.to_le_bytes()),
    ];
    for (what, at, bytes) in wrong {
        assert_eq!(failure_kind("a.nii", &patched(nifti(), at, bytes)), ErrorKind::Corrupt, "{what}");
    }
    for offset in [352.5f32, -1.0, f32::INFINITY, 1e9, 16_777_215.0] {
        let file = patched(nifti(), 108, &offset.to_le_bytes());
        assert_eq!(failure_kind("a.nii", &file), ErrorKind::Corrupt, "offset {offset}");
        assert_eq!(failure_kind("a.nii.gz", &gzip(&file)), ErrorKind::Corrupt, "offset {offset}");
    }
}

#[test]
fn kinds_of_nifti_that_cannot_be_read_say_so() {
    let colour = patched(patched(nifti(), 70, &128i16.to_le_bytes()), 72, &24i16.to_le_bytes());
    assert_eq!(failure_kind("a.nii", &colour), ErrorKind::Unsupported);
    let complex = patched(patched(nifti(), 70, &32i16.to_le_bytes()), 72, &64i16.to_le_bytes());
    assert_eq!(failure_kind("a.nii", &complex), ErrorKind::Unsupported);
    assert_eq!(failure_kind("a.nii", &patched(nifti(), 344, b"ni1\0")), ErrorKind::Unsupported);
    let two = patched(nifti(), 0, &540i32.to_le_bytes());
    assert_eq!(failure_kind("a.nii", &two), ErrorKind::Incompatible);
}

#[test]
fn a_file_cut_anywhere_is_corrupt() {
    for name in ["a.nii", "a.nii.gz", "a.npy", "a.tif", "a.ome.tif"] {
        let whole = written(name, DType::U16);
        for length in 0..whole.len() {
            let error = failure(name, &whole[..length]);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{name} cut to {length} bytes: {error:?}");
        }
    }
}

#[test]
fn flipped_bits_in_compressed_elements_are_corrupt() {
    let whole = std::fs::read(testdata("mni152_t1_1mm.nii.gz")).unwrap();
    let cut = &whole[..whole.len() - 1000];
    assert_eq!(failure_kind("a.nii.gz", cut), ErrorKind::Corrupt);
    let mut flipped = whole;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    assert_eq!(failure_kind("a.nii.gz", &flipped), ErrorKind::Corrupt);
}

#[test]
fn the_error_names_the_file() {
    assert!(failure("wrong.nii", &[0; 500]).field("path").unwrap().ends_with("wrong.nii"));
    let cut = &gzip(&nifti())[..80];
    assert!(failure("cut.nii.gz", cut).field("path").unwrap().ends_with("cut.nii.gz"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing.nii");
    let error = open_image(&path, None).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.field("path"), Some(path.to_str().unwrap()));
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::InvalidArgument);
}

fn npy(version: [u8; 2], length: &[u8], header: &str, data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY".as_slice(), &version, length, header.as_bytes(), data].concat()
}

fn npy_of_shape(shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}\n");
    npy([1, 0], &u16::try_from(header.len()).unwrap().to_le_bytes(), &header, data)
}

#[test]
fn arrays_that_lie_are_refused() {
    assert_eq!(failure_kind("a.npy", &npy([2, 0], &[255; 4], "{", &[])), ErrorKind::TooLarge);
    assert_eq!(failure_kind("a.npy", &npy([1, 0], &[255; 2], "{", &[])), ErrorKind::Corrupt);
    assert_eq!(failure_kind("a.npy", &npy([4, 0], &[0; 4], "", &[])), ErrorKind::Incompatible);
    assert_eq!(failure_kind("a.npy", b"\x93NUMPX\x01\x00\x00\x00"), ErrorKind::Corrupt);
    assert_eq!(failure_kind("a.npy", &npy_of_shape("(1048576, 1048576)", &[0; 8])), ErrorKind::Corrupt);
    assert_eq!(failure_kind("a.npy", &npy_of_shape("(4294967296, 4294967296)", &[])), ErrorKind::TooLarge);
    assert_eq!(failure_kind("a.npy", &npy_of_shape("(4,)", &[0; 9])), ErrorKind::Corrupt);
    assert_eq!(failure_kind("a.npy", &npy_of_shape("(4,)", &[0; 7])), ErrorKind::Corrupt);
    assert_eq!(failure_kind("a.npy", &npy_of_shape("()", &[0; 2])), ErrorKind::Unsupported);
    assert_eq!(failure_kind("a.npy", &npy_of_shape("(0, 3)", &[])), ErrorKind::Unsupported);
    assert_eq!(failure_kind("a.npy", &npy_of_shape("(1, 1, 1, 1, 1, 1)", &[0; 2])), ErrorKind::Unsupported);
    assert_eq!(failure_kind("a.npy", &npy_of_shape(&"(".repeat(60_000), &[])), ErrorKind::Corrupt);
}

#[test]
fn a_raw_file_of_another_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.raw");
    std::fs::write(&path, [0; 47]).unwrap();
    for shape in [vec![4, 3, 2], vec![1 << 40], vec![1]] {
        let spec = RawSpec { shape, dtype: DType::U16 };
        let error = open_image(&path, Some(&spec)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.field("found"), Some("47"));
    }
}

fn tiff_file(write: impl FnOnce(&mut TiffEncoder<&mut std::fs::File>), path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    write(&mut TiffEncoder::new(&mut file).unwrap());
}

#[test]
fn pages_that_differ_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    tiff_file(
        |encoder| {
            encoder.write_image::<colortype::Gray8>(2, 2, &[0; 4]).unwrap();
            encoder.write_image::<colortype::Gray8>(2, 3, &[0; 6]).unwrap();
        },
        &path,
    );
    let error = read_file(&path).unwrap_err();
    assert_eq!((error.kind(), error.field("page")), (ErrorKind::Unsupported, Some("1")));
    tiff_file(
        |encoder| {
            encoder.write_image::<colortype::Gray16>(2, 2, &[0; 4]).unwrap();
            encoder.write_image::<colortype::GrayI16>(2, 2, &[0; 4]).unwrap();
        },
        &path,
    );
    assert_eq!(read_file(&path).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn colours_are_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    tiff_file(|encoder| encoder.write_image::<colortype::RGB8>(2, 2, &[0; 12]).unwrap(), &path);
    let error = read_file(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("one gray file per channel"));
}

/// The place of a tag's value in the first directory of a little-endian TIFF.
fn tag_value(file: &[u8], tag: u16) -> usize {
    let directory = usize::try_from(u32::from_le_bytes(file[4..8].try_into().unwrap())).unwrap();
    let count = usize::from(u16::from_le_bytes(file[directory..directory + 2].try_into().unwrap()));
    (0..count)
        .map(|entry| directory + 2 + 12 * entry)
        .find(|at| file[*at..at + 2] == tag.to_le_bytes())
        .map(|at| at + 8)
        .unwrap()
}

#[test]
fn a_tiff_that_claims_more_than_it_has_is_refused() {
    let file = written("a.tif", DType::U16);
    for (width, height) in [(1u32 << 20, 1u32 << 20), (u32::MAX, u32::MAX), (30_000, 30_000)] {
        let file = patched(file.clone(), tag_value(&file, 256), &width.to_le_bytes());
        let file = patched(file.clone(), tag_value(&file, 257), &height.to_le_bytes());
        let kind = failure_kind("a.tif", &file);
        assert!(
            matches!(kind, ErrorKind::Corrupt | ErrorKind::TooLarge | ErrorKind::Unsupported),
            "{width} x {height}: {kind}"
        );
    }
}

#[test]
fn a_tiff_that_lists_more_values_than_it_has_bytes_is_corrupt() {
    let file = written("a.tif", DType::U16);
    for count in [7_340_033u32, u32::MAX, 1000] {
        let file = patched(file.clone(), tag_value(&file, 273) - 4, &count.to_le_bytes());
        assert_eq!(failure_kind("a.tif", &file), ErrorKind::Corrupt);
    }
}

#[test]
fn a_tiff_whose_directories_go_in_circles_is_corrupt() {
    let file = written("a.tif", DType::U8);
    let directory = usize::try_from(u32::from_le_bytes(file[4..8].try_into().unwrap())).unwrap();
    let count = usize::from(u16::from_le_bytes(file[directory..directory + 2].try_into().unwrap()));
    let own = u32::try_from(directory).unwrap().to_le_bytes();
    let file = patched(file, directory + 2 + 12 * count, &own);
    assert_eq!(failure_kind("a.tif", &file), ErrorKind::Corrupt);
}

/// A TIFF of three pages of 5 x 4 with this description.
fn described(text: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let mut info = ImageInfo::new(&[3, 4, 5], DType::U8).unwrap();
    info.metadata.insert("tiff".into(), serde_json::json!({ "description": text }));
    write_file(&path, &info, &[7; 60], CreateOptions::default()).unwrap();
    std::fs::read(&path).unwrap()
}

#[test]
fn an_ome_tiff_without_the_pages_that_it_describes_is_corrupt() {
    let ome = |x: u64, z: u64, t: u64| {
        described(&format!(
            "<OME><Image><Pixels DimensionOrder='XYZCT' SizeX='{x}' SizeY='4' SizeZ='{z}' SizeC='1' SizeT='{t}'/>\
             </Image></OME>"
        ))
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    std::fs::write(&path, ome(5, 1, 3)).unwrap();
    let (info, data) = read_file(&path).unwrap();
    assert_eq!((info.shape(), info.axes()[0].name.as_str(), data), ([3, 4, 5].as_slice(), "t", vec![7; 60]));
    for (x, z, t) in [(5, 3, 2), (5, 2, 1), (4, 3, 1), (5, 1 << 40, 1 << 40), (5, u64::MAX, 2)] {
        assert_eq!(failure_kind("a.tif", &ome(x, z, t)), ErrorKind::Corrupt, "{x} {z} {t}");
    }
}

static WHOLE: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
    ["a.nii", "a.nii.gz", "a.npy", "a.tif", "a.ome.tif"]
        .map(|name| (name, written(name, DType::U16)))
        .to_vec()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever happens, it is an error or an image, and no panic and no allocation by a header's word.
    #[test]
    fn damaged_files_never_panic(
        (name, mut file) in prop::sample::select(WHOLE.as_slice()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for (place, value) in damage {
            let at = place.index(file.len());
            file[at] = value;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, file).unwrap();
        let _ = read_file(&path);
    }
}
