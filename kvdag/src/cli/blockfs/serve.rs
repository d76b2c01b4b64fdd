//! `kvdag blockfs serve`.

use std::path::PathBuf;

use blockfs::BlockFs;
use chunks::{ChunkStore, DerivedChunks, MultiscaleStore, Scales};
use engine_api::{Error, ErrorKind, Result};
use volume_server::Axis;

use super::scales::{all_scales, scale_path};
use super::source::BlockFsImage;
use crate::cli::output::Output;
use crate::cli::serve::{ListenArgs, listen};
use crate::cli::serve_single::{HasScales, SingleVolume};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file; what others write meanwhile is seen. Coarser scales of `downres` are served with it.
    volume: PathBuf,
    /// Its voxels are labels.
    #[arg(long)]
    labels: bool,
    #[command(flatten)]
    listen: ListenArgs,
}

/// A volume and the coarser scales that are beside it, to be read.
#[derive(Debug)]
struct ScalesBeside {
    scales: Scales,
    volumes: Vec<BlockFs>,
}

impl ScalesBeside {
    /// Those that there are without a gap.
    ///
    /// # Errors
    /// Those of [`BlockFs::open`]; `Incompatible` when a volume of such a name isn't that scale.
    fn open(base: BlockFs) -> Result<Self> {
        let all = all_scales(base.grid())?;
        let path = base.path().to_owned();
        let mut volumes = vec![base];
        for (scale, grid) in all.grids().iter().enumerate().skip(1) {
            let path = scale_path(&path, scale);
            if !path.exists() {
                break;
            }
            let volume = BlockFs::open(&path)?;
            if volume.grid() != grid {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "a volume has the name of a coarser scale, and isn't that",
                )
                .with("path", path.display())
                .with("scale", scale));
            }
            volumes.push(volume);
        }
        let factors = (1..volumes.len()).map(|scale| Ok(all.factors(scale)?.to_vec()));
        let scales = Scales::new(*all.base(), &factors.collect::<Result<Vec<_>>>()?)?;
        Ok(Self { scales, volumes })
    }
}

impl MultiscaleStore for ScalesBeside {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.scales.grid(scale)?;
        match self.volumes.get(scale) {
            Some(volume) => Ok(volume),
            None => Err(Error::new(ErrorKind::Internal, "a scale without a volume").with("scale", scale)),
        }
    }

    fn derive(&self, _: usize, _: &dyn DerivedChunks) -> Result<()> {
        Err(Error::new(ErrorKind::ReadOnly, "the volume is open to be read"))
    }
}

impl HasScales for ScalesBeside {
    fn scales(&self) -> Result<Box<dyn MultiscaleStore + '_>> {
        Ok(Box::new(self))
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    // Voxels that other formats don't have aren't served either.
    let volume = BlockFsImage::open(&args.volume)?.volume;
    let name = args.volume.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let axes = ["z", "y", "x"].map(|name| Axis { name: name.to_owned(), ..Axis::default() });
    let store = ScalesBeside::open(volume)?;
    let catalog = SingleVolume { name, labels: args.labels, axes: axes.to_vec(), store };
    listen(&args.volume.display().to_string(), catalog, &args.listen, output)
}
