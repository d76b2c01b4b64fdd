//! Images that are folders: several scales, names that are given last, and damage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use chunks::{ChunkStore, DType};
use common::{SHAPE, chunked, image, nm, read_all, read_file, sample, write_file};
use engine_api::version::Versioned;
use engine_api::{ErrorKind, MemoryStore};
use proptest::prelude::*;
use volume::{
    CreateOptions, ImageInfo, ImportOptions, create_image, create_scales, export_region, import_image,
    open_image, open_scale, open_scale_regions, scales_of,
};

const FOLDERS: [&str; 3] = ["a.precomputed", "a.zarr", "a.ome.zarr"];

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
fn folders_that_are_no_images_say_so() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::InvalidArgument);
    fs::write(dir.path().join("info"), "{").unwrap();
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::Corrupt);
    fs::write(dir.path().join("info"), "[".repeat(1 << 20)).unwrap();
    assert_eq!(open_image(dir.path(), None).err().unwrap().kind(), ErrorKind::Corrupt);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever happens, it is an error or an image, and no panic.
    #[test]
    fn damaged_files_of_folders_never_panic(
        name in prop::sample::select(&["zstd.zarr", "blosc_lz4.zarr", "blosc_zlib.zarr", "gzip.zarr", "sharded_end.zarr", "sharded_start.zarr",
            "image.ome.zarr", "precomputed_raw", "precomputed_labels", "sharded_raw", "sharded_labels"][..]),
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

fn copy_tree(from: &Path, to: &Path, files: &mut Vec<PathBuf>) {
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

#[test]
fn an_image_goes_through_a_volume_from_any_format_to_any() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/image.ome.zarr");
    let (info, data) = read_file(&golden).unwrap();
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut from = golden;
    for (at, (name, unit, spacing)) in [
        ("a.precomputed", "nm", 250.0),
        ("a.nii.gz", "um", 0.25),
        ("a.ome.tif", "um", 0.25),
        ("a.ome.zarr", "um", 0.25),
    ]
    .into_iter()
    .enumerate()
    {
        let mut reader = open_image(&from, None).unwrap();
        let place = (repo.id, repo.root);
        let options = ImportOptions::default();
        let volume =
            import_image(&store, place, &at.to_string(), reader.as_mut(), &options, &mut |_| Ok(())).unwrap();
        let volume = volume.at(repo.root);
        let to = dir.path().join(name);
        export_region(&volume, (0, &volume.grid().bounds()), |info| create_image(&to, info), &mut |_| Ok(()))
            .unwrap();
        let (back, same) = read_file(&to).unwrap();
        assert_eq!((back.shape(), back.dtype(), &same), (info.shape(), info.dtype(), &data), "{name}");
        let x = &back.axes()[2];
        assert_eq!((x.spacing, x.unit.as_deref()), (Some(spacing), Some(unit)), "{name}");
        from = to;
    }
}
