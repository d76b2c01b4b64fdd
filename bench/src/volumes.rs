//! What volumes take: processor time of imports and chunk reads, and the memory of an ingestion.

use std::fs;
use std::path::Path;

use chunks::{ChunkStore, Codec, Coords, DType, Grid, Region, write_region};
use downres::{NoJournal, Reducer, VoxelSource, ingest};
use engine_api::version::Versioned;
use engine_api::{Registry, Result, Store};
use volume::{Properties, Volume};

use crate::Outcome;
use crate::noise::noisy;
use crate::stopwatch::{Stopwatch, size};

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// A cube of noisy u16 in chunks of 64³ is written in one call, and all its chunks are read one by one.
    WriteAndRead {
        /// Voxels along each axis.
        extent: u64,
    },
    /// A cube of u8 in chunks of 64³ is ingested at all scales.
    Ingest {
        /// Voxels along each axis.
        extent: u64,
    },
}

/// Does it on a new store of an engine; answers lines of a table: program, what, codec, seconds of processor time,
/// seconds on the clock, and bytes on disk or of memory.
///
/// # Errors
/// Those of the engine, and of what is compared.
pub fn measure(engine: &str, folder: &Path, work: Work) -> Outcome<Vec<String>> {
    let mut lines = Vec::new();
    match work {
        Work::WriteAndRead { extent } => {
            for codec in ["none", "lz4+shuffle", "zstd:1+shuffle", "zstd:3"] {
                lines.extend(write_and_read(engine, folder, extent, codec)?);
            }
        }
        Work::Ingest { extent } => lines.push(ingest_cube(engine, folder, extent)?),
    }
    Ok(lines)
}

fn create(engine: &str, folder: &Path) -> Outcome<(Versioned<Box<dyn Store>>, std::path::PathBuf)> {
    let path = folder.join(format!("volume.{engine}"));
    if path.is_dir() {
        fs::remove_dir_all(&path)?;
    } else if path.exists() {
        fs::remove_file(&path)?;
    }
    let url = format!("{engine}:{}", path.display());
    Ok((Versioned::create(Registry::linked()?.open(&url)?.store)?, path))
}

fn write_and_read(engine: &str, folder: &Path, extent: u64, codec: &str) -> Outcome<Vec<String>> {
    let (store, path) = create(engine, folder)?;
    let repo = store.create_repo("r", None)?;
    let grid = Grid::new(&[extent; 3], &[64; 3], DType::U16)?;
    let codec: Codec = codec.parse()?;
    let properties = Properties { codec, ..Properties::new(grid)? };
    let volume = Volume::create(&store, repo.id, "v", properties)?;
    let at = volume.at(repo.root);
    let data = noisy(extent);
    let what = format!("{extent}^3 u16, {codec}");
    let clock = Stopwatch::start()?;
    // Slabs of chunks, as an import writes them.
    let slab = data.len() / usize::try_from(extent.div_ceil(64))?;
    for (index, part) in data.chunks(slab).enumerate() {
        let start = i64::try_from(index)? * 64;
        write_region(&at, &grid.bounds().slice(0, start, start + 64), part)?;
    }
    let mut lines = vec![clock.line(engine, "write", &what, size(&path)?)?];
    let chunks: Vec<Coords> = grid.chunks_in(&grid.bounds())?.collect();
    let mut buffer = vec![0; grid.chunk_bytes()];
    for round in 0..3 {
        let clock = Stopwatch::start()?;
        for chunk in &chunks {
            at.read_chunk(chunk, &mut buffer)?;
        }
        let line = clock.line(engine, "chunk reads", &what, 0)?;
        if round == 2 {
            lines.push(line);
        }
    }
    let last = grid.chunk_region(chunks.last().ok_or("no chunk")?)?;
    let mut expected = vec![0; grid.chunk_bytes()];
    chunks::copy_region(&data, &grid.bounds(), &mut expected, &last, &last, 2)?;
    if buffer != expected {
        return Err("what was read isn't what was written".into());
    }
    Ok(lines)
}

/// A volume that is made as it is read.
struct Synthetic;

impl VoxelSource for Synthetic {
    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let mut rows = out.chunks_exact_mut(usize::try_from(region.shape()[2]).unwrap_or(1));
        for z in region.offset()[0]..region.end(0) {
            for y in region.offset()[1]..region.end(1) {
                let Some(row) = rows.next() else { return Ok(()) };
                for (x, voxel) in (region.offset()[2]..).zip(row) {
                    // Blocks, and a little texture in them.
                    *voxel =
                        ((z >> 4) * 3 + (y >> 4) * 5 + (x >> 4) * 7 + ((x ^ y ^ z) & 3)).to_le_bytes()[0];
                }
            }
        }
        Ok(())
    }
}

fn ingest_cube(engine: &str, folder: &Path, extent: u64) -> Outcome<String> {
    let (store, path) = create(engine, folder)?;
    let repo = store.create_repo("r", None)?;
    let grid = Grid::new(&[extent; 3], &[64; 3], DType::U8)?;
    let factors = volume::ScaleChoice::Halving.factors(grid)?;
    let properties = Properties { codec: "lz4+shuffle".parse()?, factors, ..Properties::new(grid)? };
    let volume = Volume::create(&store, repo.id, "v", properties)?;
    let clock = Stopwatch::start()?;
    ingest(&volume.at(repo.root), Some(&Synthetic), Reducer::Mean, &NoJournal, &|_| Ok(()))?;
    let stored = size(&path)?;
    let line = clock.line(engine, "ingest", &format!("{extent}^3 u8, all scales"), stored)?;
    Ok(format!("{line}\tpeak memory {} MiB", peak_memory()?))
}

/// The largest part of this process that was ever in memory, files that it maps included, in MiB; 0 where the system
/// doesn't say.
fn peak_memory() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some(kibibytes) => Ok(kibibytes.parse::<u64>()? / 1024),
        None => Ok(0),
    }
}
