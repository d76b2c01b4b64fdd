//! What the tests of the formats share.

use std::path::{Path, PathBuf};

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};
use volume::{CreateOptions, ImageInfo, ImageReader, create_image_with, open_image};

/// A real input.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// Elements whose bytes all differ from their neighbours', so that no order of bytes goes unseen.
pub(crate) fn sample(info: &ImageInfo) -> Vec<u8> {
    let bytes = usize::try_from(info.total_bytes()).unwrap();
    if info.dtype() == DType::Bool {
        return (0..bytes).map(|at| u8::from(at % 3 == 0)).collect();
    }
    (0..bytes).map(|at| u8::try_from((at * 37 + at / 8) % 127).unwrap()).collect()
}

/// All elements of an image, read `slices` at a time.
pub(crate) fn read_all(reader: &mut dyn ImageReader, slices: u64) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut slab = vec![0; reader.info().slab_bytes(slices)?];
    loop {
        let read = reader.next_slab(&mut slab)?;
        if read == 0 {
            return Ok(all);
        }
        all.extend_from_slice(&slab[..reader.info().slab_bytes(read)?]);
    }
}

/// An image's description and elements.
pub(crate) fn read_file(path: &Path) -> Result<(ImageInfo, Vec<u8>)> {
    let mut reader = open_image(path, None)?;
    let data = read_all(reader.as_mut(), 3)?;
    Ok((reader.info().clone(), data))
}

/// Writes an image, two slices at a time.
pub(crate) fn write_file(path: &Path, info: &ImageInfo, data: &[u8], options: CreateOptions) -> Result<()> {
    let mut writer = create_image_with(path, info, options)?;
    for slab in data.chunks(info.slab_bytes(2)?) {
        writer.write_slab(slab)?;
    }
    writer.finish()
}

/// What opening and reading a file of these bytes fails with.
pub(crate) fn failure(name: &str, bytes: &[u8]) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read_file(&path).expect_err("the file is no image")
}

/// The kind of [`failure`].
pub(crate) fn failure_kind(name: &str, bytes: &[u8]) -> ErrorKind {
    failure(name, bytes).kind()
}
