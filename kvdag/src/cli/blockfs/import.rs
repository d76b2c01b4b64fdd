//! `kvdag blockfs from-tif` and `from-npy`.

use std::fmt;
use std::path::PathBuf;

use chunks::zeroed;
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use volume::{Format, ImageWriter, open_image};

use super::target::{BlockFsImageWriter, TargetArgs};
use crate::cli::interrupt::Careful;
use crate::cli::output::{self, Output};

/// What is read at once.
const AT_ONCE: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image.
    image: PathBuf,
    /// The directory file to write, NAME.blockfs; nothing of that name may be there.
    volume: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Imported {
    image: String,
    file: String,
    shape: Vec<u64>,
    dtype: String,
    bytes: u64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let (shape, bytes) = (shape.join(" x "), output::bytes(self.bytes));
        write!(f, "imported {}, {shape} {}, {bytes}, into {}", self.image, self.dtype, self.file)
    }
}

pub(crate) fn run(args: &Args, expected: Format, output: Output) -> Result<()> {
    let found = Format::of(&args.image)?;
    if found != expected && !(expected == Format::Tiff && found == Format::OmeTiff) {
        return Err(Error::new(ErrorKind::InvalidArgument, "the image has another format")
            .with("path", args.image.display())
            .with("expected", format_args!("{expected:?}"))
            .with("found", format_args!("{found:?}")));
    }
    let mut reader = open_image(&args.image, None)?;
    let info = reader.info().clone();
    let mut writer = Box::new(BlockFsImageWriter::create(&args.volume, &info, &args.target)?);
    let slice = u64::try_from(info.slice_bytes()?).unwrap_or(u64::MAX).max(1);
    let mut buffer = zeroed(info.slab_bytes((AT_ONCE / slice).clamp(1, info.slices()))?)?;
    let bar = output.progress(info.slices(), "importing");
    let careful = Careful::begin();
    loop {
        let slices = reader.next_slab(&mut buffer)?;
        if slices == 0 {
            break;
        }
        writer.write_slab(&buffer[..info.slab_bytes(slices)?])?;
        bar.inc(slices);
        careful.check()?;
    }
    writer.finish()?;
    bar.finish_and_clear();
    output.print(&Imported {
        image: args.image.display().to_string(),
        file: args.volume.display().to_string(),
        shape: info.shape().to_vec(),
        dtype: info.dtype().to_string(),
        bytes: info.total_bytes(),
    })
}
