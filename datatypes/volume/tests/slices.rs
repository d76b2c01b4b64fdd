//! Folders with a file for each slice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;
use std::path::Path;

use chunks::{DType, Region};
use common::{chunked, image, read_file, sample, write_file};
use engine_api::ErrorKind;
use volume::{
    Compression, CreateOptions, DeflateLevel, Format, ImageInfo, create_image, export_image, open_regions,
};

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_pattern_gives_a_tiff_for_each_slice() {
    let dir = tempfile::tempdir().unwrap();
    for &dtype in DType::ALL {
        for level in [None, Some(0), Some(6), Some(9)] {
            let folder = dir.path().join(format!("{dtype}-{level:?}"));
            let info = image(dtype);
            let data = sample(&info);
            let compression = level.map(|level| Compression::Deflate(DeflateLevel::new(level).unwrap()));
            let options = CreateOptions { compression, ..CreateOptions::default() };
            write_file(&folder.join("img_%03d.tif"), &info, &data, options).unwrap();
            let names = names_in(&folder);
            assert_eq!(names.len(), 7);
            assert_eq!((names[0].as_str(), names[6].as_str()), ("img_000.tif", "img_006.tif"));
            for (name, slice) in names.iter().zip(data.chunks(info.slice_bytes().unwrap())) {
                let (back, read) = read_file(&folder.join(name)).unwrap();
                assert_eq!(back.shape(), [1, 5, 6], "{name}");
                assert!(read == slice, "{dtype} {level:?} {name}: elements differ");
            }
        }
    }
}

#[test]
fn levels_of_deflate_differ_in_what_they_write() {
    let dir = tempfile::tempdir().unwrap();
    let info = ImageInfo::new(&[3, 300, 400], DType::U16).unwrap();
    let data: Vec<u8> = (0..info.total_bytes() / 2)
        .flat_map(|at| u16::try_from(at * at / 9700 % 61 * 3).unwrap().to_le_bytes())
        .collect();
    let length = |level: Option<u8>| {
        let path = dir.path().join("a.tif");
        let compression = level.map(|level| Compression::Deflate(DeflateLevel::new(level).unwrap()));
        let options = CreateOptions { compression, ..CreateOptions::default() };
        write_file(&path, &info, &data, options).unwrap();
        assert!(read_file(&path).unwrap().1 == data, "{level:?}: elements differ");
        fs::metadata(path).unwrap().len()
    };
    let (plain, stored, fast, best) = (length(None), length(Some(0)), length(Some(1)), length(Some(9)));
    let raw = info.total_bytes();
    assert!(plain > raw && stored > raw && raw > fast && fast > best, "{plain} {stored} {fast} {best}");
    assert_eq!(DeflateLevel::new(10).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_region_of_an_image_that_is_read_anywhere_goes_to_any_format() {
    let dir = tempfile::tempdir().unwrap();
    let info = image(DType::I32);
    let data = sample(&info);
    let (npy, zarr, tif) = (dir.path().join("a.npy"), dir.path().join("a.zarr"), dir.path().join("a.tif"));
    write_file(&npy, &info, &data, CreateOptions::default()).unwrap();
    write_file(&zarr, &info, &data, chunked([2, 3, 4])).unwrap();
    let region = Region::new(&[1, 2, 0], &[5, 3, 6]).unwrap();
    for from in [npy, zarr] {
        let source = open_regions(&from, None).unwrap().unwrap();
        let mut done = Vec::new();
        let create = |info: &ImageInfo| create_image(&tif, info);
        export_image(&*source, &region, create, &mut |slices| {
            done.push(slices);
            Ok(())
        })
        .unwrap();
        assert_eq!(done.last(), Some(&5));
        let (back, read) = read_file(&tif).unwrap();
        assert_eq!(back.shape(), [5, 3, 6]);
        let mut expected = vec![0; read.len()];
        source.read_region(&region, &mut expected).unwrap();
        assert!(read == expected, "{}: elements differ", from.display());
        let beyond = Region::new(&[3, 0, 0], &[5, 1, 1]).unwrap();
        let error = export_image(&*source, &beyond, create, &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(read_file(&tif).unwrap().1 == expected, "nothing was replaced");
    }
}

#[test]
fn compressions_have_names() {
    let level = |level| Compression::Deflate(DeflateLevel::new(level).unwrap());
    for (name, compression) in
        [("none", Compression::None), ("gzip", level(6)), ("gzip:0", level(0)), ("gzip:9", level(9))]
    {
        assert_eq!(name.parse::<Compression>().unwrap(), compression);
    }
    for wrong in ["", "gzip:10", "gzip:", "gzip:-1", "zstd", "none:1"] {
        assert_eq!(wrong.parse::<Compression>().unwrap_err().kind(), ErrorKind::InvalidArgument, "{wrong:?}");
    }
}

#[test]
fn slices_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let info = image(DType::F32);
    let data = sample(&info);
    let kind = |name: &str, options: CreateOptions| {
        write_file(&dir.path().join(name), &info, &data, options).unwrap_err().kind()
    };
    let plain = CreateOptions::default;
    assert_eq!(kind("s/%04d.png", plain()), ErrorKind::InvalidArgument, "it needs a window");
    assert_eq!(kind("s/%04d.nii", plain()), ErrorKind::NotFound, "that is no pattern, and s isn't there");
    assert_eq!(kind("s/%04d.tif", CreateOptions { psnr: Some(40.0), ..plain() }), ErrorKind::InvalidArgument);
    let names = |names: &str| CreateOptions {
        format: Some(Format::TiffSlices),
        slice_names: Some(names.into()),
        ..plain()
    };
    assert_eq!(kind("s", names("../%d.tif")), ErrorKind::InvalidArgument);
    fs::create_dir(dir.path().join("full")).unwrap();
    fs::write(dir.path().join("full/a"), b"").unwrap();
    assert_eq!(kind("full/%04d.tif", plain()), ErrorKind::AlreadyExists);
    let loose = write_file(Path::new("%04d.tif"), &info, &data, plain()).unwrap_err();
    assert_eq!(loose.kind(), ErrorKind::InvalidArgument, "the folder that one is in is never replaced");
    assert_eq!(names_in(dir.path()), ["full"], "nothing is left");
}

#[cfg(feature = "jpeg2000")]
mod jpeg2000 {
    use super::*;
    use openjp2::openjpeg::{OPJ_CODEC_JP2, opj_dparameters_t};
    use openjp2::{Codec, Stream};

    /// A smooth picture with a little noise.
    fn picture(info: &ImageInfo) -> Vec<u8> {
        let size = info.dtype().size();
        let width = usize::try_from(info.shape()[2]).unwrap();
        let pixels = usize::try_from(info.total_bytes()).unwrap() / size;
        let value = |at: usize| (at % width * 3 + at / width * 2 + at * 7919 % 13) % (1 << (8 * size));
        (0..pixels).flat_map(|at| value(at).to_le_bytes()[..size].to_vec()).collect()
    }

    fn decode(file: &Path) -> (u32, u32, Vec<f64>) {
        let mut stream = Stream::new_file(file, 1 << 16, true).unwrap();
        let mut codec = Codec::new_decoder(OPJ_CODEC_JP2).unwrap();
        assert_ne!(codec.setup_decoder(&mut opj_dparameters_t::default()), 0);
        let mut image = codec.read_header(&mut stream).unwrap();
        assert_ne!(codec.decode(&mut stream, &mut image), 0);
        let [component] = image.comps().unwrap() else { panic!("it is gray") };
        let pixels = component.data().unwrap().iter().map(|pixel| f64::from(*pixel)).collect();
        (component.w, component.h, pixels)
    }

    #[test]
    fn every_pixel_is_as_it_was_unless_a_ratio_is_said() {
        let dir = tempfile::tempdir().unwrap();
        for (index, shape) in [[2, 1, 1], [3, 5, 6], [2, 130, 70], [1, 64, 300]].iter().enumerate() {
            let info = ImageInfo::new(shape, DType::U8).unwrap();
            let data = picture(&info);
            for psnr in [None, Some(40.0), Some(60.0)] {
                let folder = dir.path().join(format!("{index}-{psnr:?}"));
                let options = CreateOptions { psnr, ..CreateOptions::default() };
                write_file(&folder.join("z%02d.jp2"), &info, &data, options).unwrap();
                assert_eq!(names_in(&folder).len(), usize::try_from(shape[0]).unwrap());
                for (number, slice) in data.chunks(info.slice_bytes().unwrap()).enumerate() {
                    let (width, height, pixels) = decode(&folder.join(format!("z{number:02}.jp2")));
                    assert_eq!([u64::from(height), u64::from(width)], shape[1..]);
                    let squares = pixels.iter().zip(slice).map(|(new, old)| (new - f64::from(*old)).powi(2));
                    let mean = squares.sum::<f64>() / f64::from(width * height);
                    match psnr {
                        None => assert!(mean == 0.0, "{shape:?}: {mean}"),
                        Some(psnr) => {
                            let ratio = 10.0 * (255.0f64.powi(2) / mean.max(1e-9)).log10();
                            assert!(ratio >= psnr, "{shape:?}: {ratio} dB");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_lower_ratio_takes_less() {
        let dir = tempfile::tempdir().unwrap();
        let info = ImageInfo::new(&[1, 200, 300], DType::U16).unwrap();
        let data = picture(&info);
        let length = |psnr: Option<f64>| {
            let folder = dir.path().join(format!("{psnr:?}"));
            let options =
                CreateOptions { format: Some(Format::Jpeg2000Slices), psnr, ..CreateOptions::default() };
            write_file(&folder, &info, &data, options).unwrap();
            fs::metadata(folder.join("z0000.jp2")).unwrap().len()
        };
        let (plain, good, poor) = (length(None), length(Some(70.0)), length(Some(40.0)));
        assert!(plain > good && good > poor, "{plain} {good} {poor}");
    }

    #[test]
    fn what_it_has_not_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let info = image(DType::F32);
        let data = sample(&info);
        let path = dir.path().join("s/%d.jp2");
        let options = CreateOptions::default();
        let error = write_file(&path, &info, &data, options.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "floats need a window");
        for psnr in [0.0, -3.0, 1e9, f64::NAN] {
            let options = CreateOptions { psnr: Some(psnr), ..options.clone() };
            let error =
                write_file(&path, &image(DType::U8), &sample(&image(DType::U8)), options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{psnr}");
        }
        let windowed = CreateOptions { window: Some((0.0, 1.0)), ..options };
        write_file(&path, &info, &data, windowed).unwrap();
        assert_eq!(names_in(&dir.path().join("s")).len(), 7);
    }
}

#[cfg(not(feature = "jpeg2000"))]
#[test]
fn without_its_feature_jpeg_2000_is_unsupported() {
    let dir = tempfile::tempdir().unwrap();
    let info = image(DType::U8);
    let error = write_file(&dir.path().join("s/%d.jp2"), &info, &sample(&info), CreateOptions::default());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("jpeg2000"), "{error}");
}

#[cfg(not(feature = "hdf5"))]
#[test]
fn without_its_feature_hdf5_is_unsupported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let info = image(DType::U8);
    let error = write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    fs::write(&path, b"\x89HDF\r\n\x1a\n").unwrap();
    assert_eq!(read_file(&path).unwrap_err().kind(), ErrorKind::Unsupported);
}
