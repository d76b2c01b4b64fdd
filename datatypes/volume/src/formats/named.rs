//! Readers and writers whose errors name their file.

use std::path::{Path, PathBuf};

use chunks::Region;
use engine_api::Result;

use super::info::ImageInfo;
use super::io::{ImageReader, ImageWriter};
use super::regions::RegionReader;

pub(super) struct Named<T: ?Sized> {
    path: PathBuf,
    inner: Box<T>,
}

impl<T: ?Sized> Named<T> {
    pub(super) fn new(path: &Path, inner: Box<T>) -> Self {
        Self { path: path.to_owned(), inner }
    }
}

impl ImageReader for Named<dyn ImageReader> {
    fn info(&self) -> &ImageInfo {
        self.inner.info()
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        self.inner.next_slab(out).map_err(|error| error.with("path", self.path.display()))
    }
}

impl ImageWriter for Named<dyn ImageWriter> {
    fn info(&self) -> &ImageInfo {
        self.inner.info()
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        self.inner.write_slab(data).map_err(|error| error.with("path", self.path.display()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { inner, path } = *self;
        inner.finish().map_err(|error| error.with("path", path.display()))
    }
}

impl RegionReader for Named<dyn RegionReader> {
    fn info(&self) -> &ImageInfo {
        self.inner.info()
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        self.inner.chunk_shape()
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        self.inner.read_region(region, out).map_err(|error| error.with("path", self.path.display()))
    }

    fn waits(&self) -> bool {
        self.inner.waits()
    }
}
