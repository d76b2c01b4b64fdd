//! `kvdag volume cat`.

use std::io::{self, BufWriter, Write};

use chunks::{MultiscaleStore, Region, read_region, zeroed};
use engine_api::{Error, Result};
use volume::Volume;

use super::export::made;
use crate::cli::store;
use crate::cli::through::ThroughArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// The scale; 0 is full resolution.
    #[arg(long, default_value_t = 0)]
    scale: usize,
    /// Only a part, in elements of the scale, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1")]
    region: Option<String>,
    #[command(flatten)]
    through: ThroughArgs,
}

/// Writes elements as they are: C order, the slowest axis first, little-endian.
pub(crate) fn run(args: &Args) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    let volume = Volume::open(&store, &args.volume)?;
    let at = volume.at(version.id);
    made(&at, args.scale)?;
    let through = args.through.open(&args.store)?;
    let scales = through.chunks(&at, (volume.instance(), &version))?;
    through.tell();
    let chunks = scales.scale(args.scale)?;
    let grid = chunks.grid();
    let region = match args.region.as_deref() {
        Some(region) => region.parse::<Region>()?,
        None => grid.bounds(),
    };
    grid.check_region(&region)?;
    let failed = |error| Error::from_io(error, "the elements can't be written");
    let mut out = BufWriter::new(io::stdout().lock());
    let rows = i64::try_from(grid.chunk_shape().first().copied().unwrap_or(1)).unwrap_or(i64::MAX);
    let (mut start, end) = (region.offset().first().copied().unwrap_or(0), region.end(0));
    while start < end {
        // Slabs end where rows of chunks end, so that each chunk is decompressed once.
        let next = start.div_euclid(rows).saturating_add(1).saturating_mul(rows).min(end);
        let slab = region.slice(0, start, next);
        let mut data = zeroed(slab.bytes(grid.element_size())?)?;
        read_region(chunks, &slab, &mut data)?;
        if let Err(error) = out.write_all(&data) {
            return if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(failed(error)) };
        }
        start = next;
    }
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error)),
        _ => Ok(()),
    }
}
