//! HDF5 and NetCDF files that h5py and netCDF4 wrote; `golden/named/make.py` says how.
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

use chunks::DType;
use common::read_file;
use engine_api::ErrorKind;
use proptest::prelude::*;
use volume::{Variable, VariableAttribute, Variables, open_image};

const HDF5: [&str; 2] = ["h5py_earliest.h5", "h5py_latest.h5"];
const CLASSIC: [&str; 3] = ["netcdf3_classic.nc", "netcdf3_64bit_offset.nc", "netcdf3_64bit_data.nc"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/named").join(name)
}

fn inside(name: &str, dataset: &str) -> PathBuf {
    format!("{}:/{dataset}", golden(name).display()).into()
}

fn read(file: &Variables, name: &str) -> (Variable, Vec<u8>) {
    let index = file.find(name).unwrap();
    let variable = file.list()[index].clone();
    let elements: u64 = variable.shape.iter().product();
    let mut out = vec![0; usize::try_from(elements).unwrap() * variable.dtype.size()];
    file.read(index, &vec![0; variable.shape.len()], &variable.shape, &mut out).unwrap();
    (variable, out)
}

fn bytes<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    values.into_iter().flatten().collect()
}

/// The elements that `make.py` writes.
fn ramp() -> impl Iterator<Item = u16> {
    (0..120).map(|at| at * 500)
}

#[test]
fn datasets_of_h5py_are_read_in_every_layout_and_filter() {
    for name in HDF5 {
        let file = Variables::open(&golden(name)).unwrap();
        let expected = [
            ("plain", DType::U16, bytes(ramp().map(u16::to_le_bytes)), None),
            ("group/gzip", DType::U16, bytes(ramp().map(u16::to_le_bytes)), Some([2, 3, 4])),
            ("group/lzf", DType::I32, bytes(ramp().map(|at| i32::from(at).to_le_bytes())), Some([2, 3, 4])),
            ("/grows", DType::U16, bytes(ramp().map(u16::to_le_bytes)), Some([3, 3, 6])),
            ("big", DType::F64, bytes(ramp().map(|at| f64::from(at).to_le_bytes())), Some([4, 5, 6])),
            ("mask", DType::Bool, ramp().map(|at| u8::from(at % 3 == 0)).collect(), None),
        ];
        for (dataset, dtype, elements, chunks) in expected {
            let (variable, found) = read(&file, dataset);
            assert_eq!(
                (variable.shape.as_slice(), variable.dtype),
                (&[4, 5, 6][..], dtype),
                "{name} {dataset}"
            );
            assert_eq!(variable.chunk_shape.as_deref(), chunks.as_ref().map(<[u64; 3]>::as_slice));
            assert!(found == elements, "{name} {dataset}: elements differ");
            let (image, found) = read_file(&inside(name, dataset.trim_start_matches('/'))).unwrap();
            assert_eq!(image.dtype(), dtype);
            assert!(found == elements, "{name} {dataset}: elements of the image differ");
        }
        let (sparse, found) = read(&file, "sparse");
        assert_eq!(sparse.fill.as_deref(), Some(&(-7i16).to_le_bytes()[..]));
        assert_eq!(found, bytes((0..12).map(|at| if at == 0 { 5i16 } else { -7 }.to_le_bytes())));
        let (scalar, found) = read(&file, "scalar");
        assert_eq!((scalar.shape.len(), found), (0, 2.5f32.to_le_bytes().to_vec()));
        let (plain, _) = read(&file, "plain");
        assert_eq!(plain.attribute("unit"), Some(&VariableAttribute::Text("counts".into())));
        assert_eq!(plain.attribute("gain"), Some(&VariableAttribute::Floats(vec![1.5, 2.5])));
        let mut left_out: Vec<&str> = file.left_out().iter().map(|(name, _)| name.as_str()).collect();
        left_out.sort_unstable();
        assert_eq!(left_out, ["complex", "words"], "they aren't numbers");
        assert_eq!(file.find("words").unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(file.find("nothing").unwrap_err().kind(), ErrorKind::NotFound);
        let several = open_image(&golden(name), None).err().unwrap();
        assert_eq!(several.kind(), ErrorKind::InvalidArgument);
        assert!(several.to_string().contains("group/gzip"), "it lists what there is: {several}");
    }
}

#[test]
fn a_file_shows_nothing_of_others() {
    let file = Variables::open(&golden("elsewhere.h5")).unwrap();
    let names: Vec<&str> = file.list().iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["here"], "links aren't followed");
    let mut left_out = file.left_out().to_vec();
    left_out.sort();
    let names: Vec<&str> = left_out.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["external", "virtual"]);
    for (name, reason) in left_out {
        assert!(reason.contains("in other files"), "{name}: {reason}");
        assert_eq!(file.find(&name).unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert_eq!(file.find("link").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(&file, "here").1, [0, 1, 2, 3]);
}

#[test]
fn variables_of_netcdf_have_dimensions_attributes_and_fill_values() {
    for name in CLASSIC.into_iter().chain(["netcdf4.nc"]) {
        let file = Variables::open(&golden(name)).unwrap();
        let mut names: Vec<&str> = file.list().iter().map(|variable| variable.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["crs", "mask", "temp", "time"], "{name}");
        let (temp, elements) = read(&file, "temp");
        assert_eq!((temp.shape.as_slice(), temp.dtype), (&[2, 3, 4][..], DType::F32));
        assert_eq!(temp.dimensions, ["time", "lat", "lon"], "{name}");
        assert_eq!(temp.fill.as_deref(), Some(&(-999.0f32).to_le_bytes()[..]), "{name}");
        assert_eq!(temp.attribute("units"), Some(&VariableAttribute::Text("K".into())), "{name}");
        assert_eq!(temp.attribute("levels"), Some(&VariableAttribute::Signed(vec![1, -2, 3])), "{name}");
        assert_eq!(temp.attributes.len(), 2, "{name}: {:?}", temp.attributes);
        assert!(elements == bytes((0u8..24).map(|at| (f32::from(at) / 8.0).to_le_bytes())), "{name}");
        let (time, elements) = read(&file, "time");
        assert!(time.is_scale, "{name}");
        assert_eq!(elements, bytes([0.5f64, 1.5].map(f64::to_le_bytes)), "{name}");
        let (mask, elements) = read(&file, "mask");
        assert_eq!((mask.dtype, mask.dimensions.as_slice()), (DType::I8, &["lat".into(), "lon".into()][..]));
        assert_eq!(elements, bytes((-6..6).map(i8::to_le_bytes)), "{name}");
        assert_eq!(read(&file, "crs").1, 7i32.to_le_bytes(), "{name}");
        assert_eq!(file.find("name").unwrap_err().kind(), ErrorKind::Unsupported, "{name}");

        let (image, elements) = read_file(&inside(name, "temp")).unwrap();
        let axes: Vec<&str> = image.axes().iter().map(|axis| axis.name.as_str()).collect();
        assert_eq!(axes, ["time", "lat", "lon"], "{name}");
        assert_eq!(image.metadata["hdf5"]["attributes"]["units"], "K", "{name}");
        assert!(elements == bytes((0u8..24).map(|at| (f32::from(at) / 8.0).to_le_bytes())), "{name}");
    }
}

#[test]
fn parts_are_as_long_as_their_buffers_and_within_bounds() {
    for name in ["netcdf3_classic.nc", "netcdf4.nc", "h5py_latest.h5"] {
        let file = Variables::open(&golden(name)).unwrap();
        let index = file.list().iter().position(|variable| variable.shape.len() == 3).unwrap();
        let size = file.list()[index].dtype.size();
        for (start, shape, bytes) in [
            (&[0, 0, 0][..], &[1, 1, 2][..], size),
            (&[0, 0, 0], &[9, 1, 1], 9 * size),
            (&[u64::MAX, 0, 0], &[1, 1, 1], size),
            (&[0, 0], &[1, 1], size),
            (&[0, 0, 0], &[1, 1, 1], size + 1),
        ] {
            let error = file.read(index, start, shape, &mut vec![0; bytes]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name} {start:?} {shape:?}");
        }
        assert_eq!(file.read(9999, &[], &[], &mut []).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn files_that_end_too_early_are_refused_or_their_elements_are() {
    let dir = tempfile::tempdir().unwrap();
    for name in HDF5.into_iter().chain(CLASSIC).chain(["netcdf4.nc"]) {
        let whole = fs::read(golden(name)).unwrap();
        let path = dir.path().join(name);
        for part in 0..24 {
            fs::write(&path, &whole[..whole.len() * part / 24]).unwrap();
            let Ok(file) = Variables::open(&path) else { continue };
            // A classic file says where its elements are, and no more.
            let outcomes: Vec<bool> = (0..file.list().len())
                .map(|index| {
                    let variable = &file.list()[index];
                    let elements: u64 = variable.shape.iter().product();
                    let mut out = vec![0; usize::try_from(elements).unwrap() * variable.dtype.size()];
                    file.read(index, &vec![0; variable.shape.len()], &variable.shape, &mut out).is_ok()
                })
                .collect();
            assert!(outcomes.contains(&false), "{name} {part}: all was read");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// No damage panics, or makes room for more than is asked for.
    #[test]
    fn damaged_files_give_errors_or_elements(
        file in prop::sample::select(vec![HDF5[0], HDF5[1], CLASSIC[0], CLASSIC[2], "netcdf4.nc"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fs::read(golden(file)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file);
        fs::write(&path, &bytes).unwrap();
        if let Ok(file) = Variables::open(&path) {
            for (index, variable) in file.list().iter().enumerate().filter(|(_, found)| found.shape.len() < 6) {
                let part: Vec<u64> = variable.shape.iter().map(|length| (*length).min(7)).collect();
                let elements: u64 = part.iter().product();
                let mut out = vec![0; usize::try_from(elements).unwrap() * variable.dtype.size()];
                let _outcome = file.read(index, &vec![0; part.len()], &part, &mut out);
            }
        }
    }
}
