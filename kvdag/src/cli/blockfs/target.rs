//! A volume of BlockFS that an image becomes.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use blockfs::blosc::Compression;
use blockfs::{BlockFs, BlockFsSpec, BlockWriter, Relocation, relocate};
use chunks::{DType, Region, write_region};
use engine_api::{Error, ErrorKind, Result};
use tempfile::TempDir;
use volume::{CreateOptions, ImageInfo, ImageWriter};

/// How a volume is made.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// The shape of blocks, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', default_value = "64,64,64")]
    block: Vec<u64>,
    /// How blocks are compressed: zstd, lz4, lz4hc, blosclz or zlib, and a level from 0 to 9.
    #[arg(long, value_name = "NAME:LEVEL", default_value = "zstd:1")]
    compression: String,
    /// The number of block files; one per processor unless given.
    #[arg(long, value_name = "NUMBER")]
    files: Option<usize>,
    /// The application's metadata, a JSON object.
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Make it as the Python package would, to the byte: without checksums, and with little room for rewrites.
    #[arg(long)]
    compat: bool,
}

impl Default for TargetArgs {
    fn default() -> Self {
        let compression = Compression::default().to_string();
        Self { block: vec![64; 3], compression, files: None, metadata: None, compat: false }
    }
}

impl TargetArgs {
    /// As an export of a volume asks for it.
    pub(crate) fn of(options: &CreateOptions) -> Self {
        let block = options.chunk_shape.clone();
        Self { block: block.unwrap_or_else(|| vec![64; 3]), ..Self::default() }
    }

    /// What a volume of voxels of this shape and type is to be.
    pub(super) fn spec(&self, extent: &[u64], dtype: DType) -> Result<BlockFsSpec> {
        let three = |shape: &[u64], what: &'static str| {
            <[u64; 3]>::try_from(shape).map_err(|_| {
                Error::new(ErrorKind::InvalidArgument, "a volume of BlockFS has three axes")
                    .with(what, format_args!("{shape:?}"))
            })
        };
        let mut spec = BlockFsSpec::new(three(extent, "shape")?, three(&self.block, "block")?, dtype)
            .compat(self.compat);
        spec = spec.compression(self.compression.parse::<Compression>()?);
        if let Some(files) = self.files {
            spec = spec.files(files);
        }
        match &self.metadata {
            Some(metadata) => spec.metadata(metadata),
            None => Ok(spec),
        }
    }
}

/// Writes an image to a volume, which gets its name when it is whole.
pub(crate) struct BlockFsImageWriter {
    info: ImageInfo,
    writer: BlockWriter,
    /// Where it is made: beside its place, so that it is moved there without a copy.
    folder: TempDir,
    path: PathBuf,
    target: PathBuf,
    /// Slices that don't fill a row of blocks yet.
    pending: Vec<u8>,
    /// The slices before these.
    done: u64,
}

impl fmt::Debug for BlockFsImageWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockFsImageWriter").field("target", &self.target).finish_non_exhaustive()
    }
}

impl BlockFsImageWriter {
    /// # Errors
    /// `AlreadyExists` when there is a file of this name; those of [`BlockFs::create`].
    pub(crate) fn create(target: &Path, info: &ImageInfo, args: &TargetArgs) -> Result<Self> {
        let spec = args.spec(info.shape(), info.dtype())?;
        let name = target.file_name().ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the path doesn't name a file")
                .with("path", target.display())
        })?;
        if target.exists() {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is a file of this name")
                .with("path", target.display()));
        }
        let folder = folder_of(target);
        let failed =
            |error| Error::from_io(error, "no folder can be made beside it").with("path", folder.display());
        let folder = tempfile::Builder::new().prefix(".blockfs-").tempdir_in(folder).map_err(failed)?;
        let path = folder.path().join(name);
        BlockFs::create(&path, &spec)?;
        let writer = BlockWriter::open(&path)?;
        let target = target.to_owned();
        Ok(Self { info: info.clone(), writer, folder, path, target, pending: Vec::new(), done: 0 })
    }

    /// Writes the pending slices.
    fn write_pending(&mut self) -> Result<()> {
        let slices = u64::try_from(self.pending.len() / self.info.slice_bytes()?.max(1)).unwrap_or(u64::MAX);
        let mut shape = self.info.shape().to_vec();
        let mut start = vec![0; shape.len()];
        (start[0], shape[0]) = (self.done.cast_signed(), slices);
        write_region(&self.writer, &Region::new(&start, &shape)?, &self.pending)?;
        self.pending.clear();
        self.done += slices;
        Ok(())
    }
}

impl ImageWriter for BlockFsImageWriter {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn write_slab(&mut self, mut data: &[u8]) -> Result<()> {
        let slice = self.info.slice_bytes()?;
        let deep = self.writer.volume().grid().chunk_shape()[0];
        let row = self.info.slab_bytes(deep.min(self.info.slices()))?;
        let pending = u64::try_from((self.pending.len() + data.len()) / slice.max(1)).unwrap_or(u64::MAX);
        if !data.len().is_multiple_of(slice) || self.done.saturating_add(pending) > self.info.slices() {
            return Err(Error::new(ErrorKind::InvalidArgument, "these aren't slices of the image")
                .with("bytes", data.len())
                .with("slices", self.info.slices()));
        }
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(row - self.pending.len()));
            self.pending.extend_from_slice(now);
            data = later;
            if self.pending.len() == row {
                self.write_pending()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if !self.pending.is_empty() {
            self.write_pending()?;
        }
        if self.done < self.info.slices() {
            return Err(Error::new(ErrorKind::InvalidArgument, "slices of the image are missing")
                .with("slices", self.info.slices())
                .with("written", self.done));
        }
        let Self { writer, folder, path, target, .. } = *self;
        writer.close()?;
        relocate(&path, folder_of(&target), Relocation::Move, &mut |_| Ok(()))?;
        drop::<TempDir>(folder);
        Ok(())
    }
}

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The length of a file, or zero where there is none.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
