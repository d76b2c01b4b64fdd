//! `kvdag blockfs serve`.

use std::fmt;
use std::path::PathBuf;

use blockfs::BlockFs;
use chunks::{ChunkStore, DerivedChunks, MultiscaleStore, Scales};
use engine_api::{Error, ErrorKind, Result};
use volume_server::{Axis, Catalog, Served, VersionEntry, VolumeEntry};

use super::source::BlockFsImage;
use crate::cli::output::Output;
use crate::cli::serve::{ListenArgs, listen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file; what others write meanwhile is seen.
    volume: PathBuf,
    /// Its voxels are labels.
    #[arg(long)]
    labels: bool,
    #[command(flatten)]
    listen: ListenArgs,
}

/// The only version there is.
const NOW: &str = "now";

/// One volume, as it is.
struct BlockFsCatalog {
    name: String,
    labels: bool,
    scales: OneScale,
}

/// A volume without coarser scales.
struct OneScale {
    volume: BlockFs,
    scales: Scales,
}

impl fmt::Debug for OneScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.volume.fmt(f)
    }
}

impl MultiscaleStore for OneScale {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.scales.grid(scale).map(|_| &self.volume as &dyn ChunkStore)
    }

    fn derive(&self, _: usize, _: &dyn DerivedChunks) -> Result<()> {
        Err(Error::new(ErrorKind::ReadOnly, "the volume is open to be read"))
    }
}

impl Catalog for BlockFsCatalog {
    fn volumes(&self) -> Result<Vec<VolumeEntry>> {
        let now = VersionEntry { version: NOW.to_owned(), ..VersionEntry::default() };
        Ok(vec![VolumeEntry { name: self.name.clone(), labels: self.labels, versions: vec![now] }])
    }

    fn read(
        &self,
        volume: &str,
        version: &str,
        reader: &mut dyn FnMut(&Served<'_>) -> Result<()>,
    ) -> Result<()> {
        if volume != self.name || version != NOW {
            return Err(Error::new(ErrorKind::NotFound, "there is no such volume")
                .with("volume", volume)
                .with("version", version));
        }
        let axes = ["z", "y", "x"].map(|name| Axis { name: name.to_owned(), ..Axis::default() });
        reader(&Served {
            scales: &self.scales,
            axes: &axes,
            labels: self.labels,
            version: NOW,
            committed: false,
        })
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    // Voxels that other formats don't have aren't served either.
    let volume = BlockFsImage::open(&args.volume)?.volume;
    let name = args.volume.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scales = OneScale { scales: Scales::single(*volume.grid()), volume };
    let catalog = BlockFsCatalog { name, labels: args.labels, scales };
    listen(&args.volume.display().to_string(), catalog, &args.listen, output)
}
