//! Every format with every type.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::io::Write;

use chunks::DType;
use common::{failure_kind, read_all, read_file, sample, write_file};
use engine_api::ErrorKind;
use volume::{CreateOptions, Format, ImageAxis, ImageInfo, RawSpec, create_image, open_image};

const SHAPE: [u64; 3] = [5, 4, 3];

#[test]
fn every_type_survives_every_format() {
    let dir = tempfile::tempdir().unwrap();
    for &dtype in DType::ALL {
        let info = ImageInfo::new(&SHAPE, dtype).unwrap();
        let data = sample(&info);
        for (name, deflate) in
            [("a.nii", false), ("a.nii.gz", false), ("a.tif", false), ("a.tif", true), ("a.npy", false)]
        {
            let path = dir.path().join(name);
            let options = CreateOptions { tiff_deflate: deflate, ..CreateOptions::default() };
            write_file(&path, &info, &data, options).unwrap();
            let (back, same) = read_file(&path).unwrap();
            let kept = if dtype == DType::Bool && name != "a.npy" { DType::U8 } else { dtype };
            assert_eq!((back.shape(), back.dtype()), (SHAPE.as_slice(), kept), "{name} {dtype}");
            assert_eq!(same, data, "{name} {dtype}");
        }
        let path = dir.path().join("a.raw");
        write_file(&path, &info, &data, CreateOptions::default()).unwrap();
        let spec = RawSpec { shape: SHAPE.to_vec(), dtype };
        let mut reader = open_image(&path, Some(&spec)).unwrap();
        assert_eq!(read_all(reader.as_mut(), 2).unwrap(), data, "raw {dtype}");
    }
}

#[test]
fn formats_without_a_fixed_number_of_axes_keep_it() {
    let dir = tempfile::tempdir().unwrap();
    for rank in 1..=5 {
        let info = ImageInfo::new(&[2, 3, 4, 5, 6][..rank], DType::I32).unwrap();
        let data = sample(&info);
        let path = dir.path().join("a.npy");
        write_file(&path, &info, &data, CreateOptions::default()).unwrap();
        let (back, same) = read_file(&path).unwrap();
        assert_eq!((back.shape(), same), (info.shape(), data.clone()), "npy of rank {rank}");

        let path = dir.path().join("a.nii");
        write_file(&path, &info, &data, CreateOptions::default()).unwrap();
        let (back, same) = read_file(&path).unwrap();
        let mut volume = vec![1; 3usize.saturating_sub(rank)];
        volume.extend(info.shape());
        assert_eq!((back.shape(), same), (volume.as_slice(), data), "nifti of rank {rank}");
    }
    let flat = ImageInfo::new(&[4, 4], DType::U8).unwrap();
    let error = create_image(&dir.path().join("a.tif"), &flat).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn spacings_and_units_survive_nifti() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.nii.gz");
    let scaled = |name: &str, spacing: f64, unit: &str| ImageAxis {
        name: name.to_owned(),
        spacing: Some(spacing),
        unit: Some(unit.to_owned()),
    };
    let axes =
        vec![scaled("t", 2.5, "s"), scaled("z", 3.0, "mm"), scaled("y", 0.5, "mm"), scaled("x", 0.25, "mm")];
    let info = ImageInfo::new(&[2, 3, 4, 5], DType::I16).unwrap().with_axes(axes).unwrap();
    write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
    let (back, _) = read_file(&path).unwrap();
    assert_eq!(back.axes(), info.axes());
}

/// A NIfTI file in the other byte order, field by field as `nifti1.h` has them.
fn big_endian_nifti(values: &[i16]) -> Vec<u8> {
    let mut header = vec![0; 352];
    header[..4].copy_from_slice(&348i32.to_be_bytes());
    for (index, dim) in [3i16, 2, 3, 1, 1, 1, 1, 1].iter().enumerate() {
        header[40 + 2 * index..42 + 2 * index].copy_from_slice(&dim.to_be_bytes());
    }
    header[70..72].copy_from_slice(&4i16.to_be_bytes());
    header[72..74].copy_from_slice(&16i16.to_be_bytes());
    header[80..84].copy_from_slice(&0.5f32.to_be_bytes());
    header[108..112].copy_from_slice(&352f32.to_be_bytes());
    header[112..116].copy_from_slice(&2f32.to_be_bytes());
    header[344..348].copy_from_slice(b"n+1\0");
    header.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    header
}

#[test]
fn a_big_endian_nifti_reads_in_place_and_unscaled() {
    let values = [1, -2, 300, -400, 5, 600];
    let file = big_endian_nifti(&values);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.nii");
    std::fs::write(&path, &file).unwrap();
    let (info, data) = read_file(&path).unwrap();
    assert_eq!((info.shape(), info.dtype()), ([1, 3, 2].as_slice(), DType::I16));
    assert_eq!(data, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    assert_eq!(info.axes()[2].spacing, Some(0.5));
    assert_eq!(info.metadata["nifti"]["scl_slope"], 2.0);
}

#[test]
fn gzip_is_recognised_whatever_the_name_says_and_may_have_several_members() {
    let file = big_endian_nifti(&[1, 2, 3, 4, 5, 6]);
    let mut packed = Vec::new();
    for part in [&file[..100], &file[100..357], &file[357..]] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        packed.extend(encoder.finish().unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.nii", "a.nii.gz", "a"] {
        let path = dir.path().join(name);
        std::fs::write(&path, &packed).unwrap();
        assert_eq!(read_file(&path).unwrap().1[..4], [1, 0, 2, 0], "{name}");
    }
}

#[test]
fn a_big_endian_tiff_is_read_little_endian() {
    let tags: [(u16, u16, u32); 9] = [
        (256, 4, 2),        // width
        (257, 4, 1),        // height
        (258, 3, 16 << 16), // bits
        (259, 3, 1 << 16),  // no compression
        (262, 3, 1 << 16),  // black is zero
        (273, 4, 8),        // where the strip is
        (277, 3, 1 << 16),  // one sample per pixel
        (278, 4, 1),        // rows per strip
        (279, 4, 4),        // bytes of the strip
    ];
    let mut file = b"MM\0\x2a\0\0\0\x0c\x01\x02\x03\x04\0\x09".to_vec();
    for (tag, kind, value) in tags {
        file.extend(tag.to_be_bytes());
        file.extend(kind.to_be_bytes());
        file.extend(1u32.to_be_bytes());
        file.extend(value.to_be_bytes());
    }
    file.extend([0; 4]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    std::fs::write(&path, file).unwrap();
    let (info, data) = read_file(&path).unwrap();
    assert_eq!((info.shape(), info.dtype()), ([1, 1, 2].as_slice(), DType::U16));
    assert_eq!(data, [2, 1, 4, 3]);
}

fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), data].concat()
}

#[test]
fn a_fortran_array_of_x_y_z_is_read_as_z_y_x() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    let bytes: Vec<u8> = (0..24).collect();
    let file = npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }\n", &bytes);
    std::fs::write(&path, file).unwrap();
    let (info, data) = read_file(&path).unwrap();
    assert_eq!(info.shape(), [4, 3, 2]);
    // NumPy's a[x, y, z] is at x + 2 * (y + 3 * z), which is ours at [z][y][x].
    assert_eq!(data, bytes);
}

#[test]
fn a_big_endian_array_is_read_little_endian() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    let values = [1.5f64, -2.25, f64::INFINITY];
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    std::fs::write(&path, npy("{'descr': '>f8', 'fortran_order': False, 'shape': (3,), }\n", &bytes))
        .unwrap();
    let (_, data) = read_file(&path).unwrap();
    assert_eq!(data, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
}

#[test]
fn formats_are_told_by_content_where_the_name_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let info = ImageInfo::new(&SHAPE, DType::U16).unwrap();
    for format in [Format::Nifti, Format::NiftiGz, Format::Tiff, Format::Npy] {
        let path = dir.path().join("image");
        let options = CreateOptions { format: Some(format), ..CreateOptions::default() };
        write_file(&path, &info, &sample(&info), options).unwrap();
        assert_eq!(read_file(&path).unwrap().1, sample(&info), "{format:?}");
    }
    assert_eq!(failure_kind("image", &[7; 500]), ErrorKind::InvalidArgument);
    assert_eq!(failure_kind("image", &[]), ErrorKind::InvalidArgument);
    assert_eq!(failure_kind("image.raw", &[7; 500]), ErrorKind::InvalidArgument);
    let unnamed = create_image(&dir.path().join("image"), &info).err().unwrap();
    assert_eq!(unnamed.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn an_export_has_its_name_only_when_it_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let info = ImageInfo::new(&SHAPE, DType::U16).unwrap();
    let data = sample(&info);
    let names = || {
        let entries = std::fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    for name in ["a.nii", "a.nii.gz", "a.tif", "a.npy", "a.raw"] {
        let path = dir.path().join(name);
        let mut writer = create_image(&path, &info).unwrap();
        writer.write_slab(&data[..info.slab_bytes(2).unwrap()]).unwrap();
        assert!(names().iter().all(|name| name.ends_with(".partial")) && names().len() == 1, "{name}");
        drop(writer);
        assert_eq!(names(), Vec::<String>::new(), "{name}");

        let mut writer = create_image(&path, &info).unwrap();
        writer.write_slab(&data[..info.slab_bytes(2).unwrap()]).unwrap();
        assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::InvalidArgument, "{name}");
        assert_eq!(names(), Vec::<String>::new(), "{name}");

        std::fs::write(&path, "what was there before").unwrap();
        write_file(&path, &info, &data, CreateOptions::default()).unwrap();
        assert_eq!(names(), [name]);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn buffers_that_are_no_whole_slices_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let info = ImageInfo::new(&SHAPE, DType::U16).unwrap();
    let path = dir.path().join("a.npy");
    let mut writer = create_image(&path, &info).unwrap();
    assert_eq!(writer.write_slab(&[0; 25]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(writer.write_slab(&[0; 24 * 6]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    writer.write_slab(&[0; 24 * 5]).unwrap();
    writer.finish().unwrap();
    let mut reader = open_image(&path, None).unwrap();
    assert_eq!(reader.next_slab(&mut [0; 23]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(reader.next_slab(&mut []).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(reader.next_slab(&mut [0; 24 * 4]).unwrap(), 4);
    assert_eq!(reader.next_slab(&mut [0; 24 * 4]).unwrap(), 1);
    assert_eq!(reader.next_slab(&mut [0; 24 * 4]).unwrap(), 0);
}

#[test]
fn extents_that_nifti_cannot_hold_are_too_large() {
    let info = ImageInfo::new(&[1, 1, 32768], DType::U8).unwrap();
    let error = create_image(&tempfile::tempdir().unwrap().path().join("a.nii"), &info).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn impossible_images_are_refused() {
    let kind = |shape: &[u64]| ImageInfo::new(shape, DType::F64).unwrap_err().kind();
    assert_eq!(kind(&[]), ErrorKind::InvalidArgument);
    assert_eq!(kind(&[3, 0]), ErrorKind::InvalidArgument);
    assert_eq!(kind(&[1; 6]), ErrorKind::InvalidArgument);
    assert_eq!(kind(&[1 << 31, 1 << 31]), ErrorKind::TooLarge);
}

#[test]
fn axes_and_spacings_survive_ome_tiff() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ome.tif");
    let axis = |name: &str, spacing: f64, unit: &str| ImageAxis {
        name: name.to_owned(),
        spacing: Some(spacing),
        unit: Some(unit.to_owned()),
    };
    let axes = vec![
        axis("t", 2.5, "s"),
        ImageAxis::named("c"),
        axis("z", 3.0, "um"),
        axis("y", 0.5, "mm"),
        axis("x", 8.0, "nm"),
    ];
    for deflate in [false, true] {
        let info = ImageInfo::new(&[2, 3, 4, 5, 6], DType::I16).unwrap().with_axes(axes.clone()).unwrap();
        let options = CreateOptions { tiff_deflate: deflate, ..CreateOptions::default() };
        write_file(&path, &info, &sample(&info), options).unwrap();
        let (back, data) = read_file(&path).unwrap();
        assert_eq!((back.shape(), back.axes(), data), (info.shape(), info.axes(), sample(&info)));
    }
    for (dtype, names) in
        [(DType::I64, &["z", "y", "x"]), (DType::U64, &["z", "y", "x"]), (DType::U8, &["x", "y", "z"])]
    {
        let info = ImageInfo::new(&SHAPE, dtype).unwrap();
        let info = info.with_axes(names.iter().map(|name| ImageAxis::named(name)).collect()).unwrap();
        assert_eq!(create_image(&path, &info).err().unwrap().kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn every_type_of_ome_tiff_survives() {
    let dir = tempfile::tempdir().unwrap();
    for &dtype in DType::ALL.iter().filter(|dtype| !matches!(dtype, DType::I64 | DType::U64)) {
        let info = ImageInfo::new(&SHAPE, dtype).unwrap();
        let path = dir.path().join("a.ome.tif");
        write_file(&path, &info, &sample(&info), CreateOptions::default()).unwrap();
        let (back, data) = read_file(&path).unwrap();
        let kept = if dtype == DType::Bool { DType::U8 } else { dtype };
        assert_eq!((back.shape(), back.dtype(), data), (SHAPE.as_slice(), kept, sample(&info)), "{dtype}");
        assert_eq!(back.axes(), info.axes());
    }
}

fn names_in(path: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn slices_become_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let info = ImageInfo::new(&[2, 3, 16, 24], DType::U16).unwrap();
    // From 1000 at the left to 1230 at the right, and a slice's number on top.
    let value = |slice: u64, x: u64| u16::try_from(1000 + 10 * x + slice).unwrap();
    let data: Vec<u8> = (0..6)
        .flat_map(|slice| (0..16 * 24).flat_map(move |at| value(slice, at % 24).to_le_bytes()))
        .collect();
    let window = Some((1000.0, 1255.0));
    for (format, ending) in [(Format::PngSlices, "png"), (Format::JpegSlices, "jpg")] {
        let path = dir.path().join(ending);
        let options = CreateOptions { format: Some(format), window, ..CreateOptions::default() };
        write_file(&path, &info, &data, options).unwrap();
        let expected: Vec<String> =
            (0..6).map(|at| format!("t{:04}_z{:04}.{ending}", at / 3, at % 3)).collect();
        assert_eq!(names_in(&path), expected);
        for (slice, name) in (0..).zip(names_in(&path)) {
            let (size, pixels) = decode_picture(std::fs::read(path.join(name)).unwrap(), ending);
            assert_eq!(size, (24, 16));
            for (at, pixel) in (0..).zip(&pixels) {
                let exact = i32::from(value(slice, at % 24)) - 1000;
                let error = (i32::from(*pixel) - exact).abs();
                // A gradient is hardly changed by a JPEG.
                assert!(
                    error <= if ending == "png" { 0 } else { 4 },
                    "{ending} {slice} {at}: {pixel} for {exact}"
                );
            }
        }
        assert_eq!(open_image(&path, None).err().unwrap().kind(), ErrorKind::InvalidArgument);
    }
}

fn decode_picture(file: Vec<u8>, ending: &str) -> ((u32, u32), Vec<u8>) {
    let file = std::io::Cursor::new(file);
    if ending == "png" {
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        return ((reader.info().width, reader.info().height), pixels);
    }
    let mut decoder = zune_jpeg::JpegDecoder::new(file);
    let colours = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    assert_eq!(info.components, 1);
    // The decoder makes red, green and blue of gray.
    let pixels = colours.as_chunks::<3>().0.iter().map(|pixel| pixel[0]).collect();
    ((info.width.into(), info.height.into()), pixels)
}

#[test]
fn pictures_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let kind = |format: Format, shape: &[u64], dtype: DType, window: Option<(f64, f64)>| {
        let options = CreateOptions { format: Some(format), window, ..CreateOptions::default() };
        let info = ImageInfo::new(shape, dtype).unwrap();
        volume::create_image_with(&dir.path().join("a"), &info, options).err().map(|error| error.kind())
    };
    let (png, jpeg) = (Format::PngSlices, Format::JpegSlices);
    assert_eq!(kind(png, &SHAPE, DType::U16, None), Some(ErrorKind::InvalidArgument));
    assert_eq!(kind(png, &SHAPE, DType::F32, Some((1.0, 1.0))), Some(ErrorKind::InvalidArgument));
    assert_eq!(kind(png, &SHAPE, DType::F32, Some((f64::NAN, 1.0))), Some(ErrorKind::InvalidArgument));
    assert_eq!(kind(png, &[4, 4], DType::U8, None), Some(ErrorKind::Unsupported));
    assert_eq!(kind(jpeg, &[1, 1, 65536], DType::U8, None), Some(ErrorKind::TooLarge));
    assert_eq!(kind(png, &[1, 1 << 32, 1], DType::U8, None), Some(ErrorKind::TooLarge));
    assert_eq!(kind(png, &SHAPE, DType::Bool, None), None);
    assert_eq!(names_in(dir.path()), Vec::<String>::new());
}
