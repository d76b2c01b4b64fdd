//! A viewport that wanders through a volume whose chunks come from afar.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chunks::{
    ChunkSource, ChunkStore, Codec, Coords, DType, Grid, MemoryChunks, Region, read_region, write_region,
};
use dataset_cache::{Cached, DatasetCache, DatasetId};
use engine_api::Result;
use fastrand::Rng;

use super::Size;
use crate::Outcome;
use crate::data::digest;
use crate::noise::noisy;
use crate::stopwatch::{Stopwatch, size as length};

/// How long a chunk is on its way, as from an object store in the same region on a good day.
const LATENCY: Duration = Duration::from_millis(5);

/// A store whose chunks come late.
#[derive(Debug)]
struct Distant(MemoryChunks);

impl ChunkStore for Distant {
    fn grid(&self) -> &Grid {
        self.0.grid()
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        thread::sleep(LATENCY);
        self.0.read_chunk(chunk, out)
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        self.0.write_chunks(source)
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        self.0.delete_chunks(chunks)
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.0.list_chunks(visit)
    }
}

/// Walks through the image at a path, and through a cube of noise: without a cache, with one that is empty first, and with
/// what that one has left; answers lines of a table as [`churn`](super::churn) does.
///
/// # Errors
/// Those of the disk and of the image; voxels that differ.
pub fn walks(folder: &Path, image: &Path, size: Size) -> Outcome<Vec<String>> {
    let mut reader = volume::open_image(image, None)?;
    let info = reader.info().clone();
    let mut voxels = vec![0; info.slab_bytes(info.slices())?];
    let mut at = 0;
    while at < voxels.len() {
        let slices = reader.next_slab(&mut voxels[at..])?;
        if slices == 0 {
            return Err("the image ends too early".into());
        }
        at += info.slab_bytes(slices)?;
    }
    let head = distant(Grid::new(info.shape(), &[32; 3], info.dtype())?, &voxels)?;
    let mut lines = walk(folder, "head MRI, 32^3 chunks, 96^3 viewport", &head, (96, size.steps))?;
    let noise = distant(Grid::new(&[size.extent; 3], &[64; 3], DType::U16)?, &noisy(size.extent))?;
    let across = 192.min(size.extent);
    let what = format!("{}^3 noise, 64^3 chunks, {across}^3 viewport", size.extent);
    lines.extend(walk(folder, &what, &noise, (across, size.steps))?);
    Ok(lines)
}

fn distant(grid: Grid, voxels: &[u8]) -> Outcome<Distant> {
    let store = MemoryChunks::new(grid, Codec::default());
    write_region(&store, &grid.bounds(), voxels)?;
    Ok(Distant(store))
}

fn walk(folder: &Path, what: &str, source: &Distant, way: (u64, usize)) -> Outcome<Vec<String>> {
    let folder = tempfile::tempdir_in(folder)?;
    let path = folder.path().join("walk.cache");
    let mut lines = Vec::new();
    let clock = Stopwatch::start()?;
    let seen = steps(source, way)?;
    lines.push(clock.line("walk", "without a cache", what, 0)?);
    for (round, name) in ["a cache that is empty", "a cache that is opened again"].into_iter().enumerate() {
        let clock = Stopwatch::start()?;
        let cache = match round {
            0 => DatasetCache::create(&path, 1 << 30)?,
            _ => DatasetCache::open(&path, false)?,
        };
        let cache = Arc::new(cache);
        let cached = Cached::new(source, Arc::clone(&cache), DatasetId::of_parts(&[b"walk"]), 0);
        let again = steps(&cached, way)?;
        cache.flush()?;
        let line = clock.line("walk", name, what, length(&path)?)?;
        let statistics = cache.statistics()?;
        lines.push(format!("{line}\t{} hits, {} misses", statistics.hits, statistics.misses));
        if again != seen {
            return Err("what is read through a cache differs".into());
        }
    }
    Ok(lines)
}

/// Reads a cube at each step, a few voxels from the one before; answers a digest of all.
fn steps(store: &dyn ChunkStore, (across, count): (u64, usize)) -> Outcome<u64> {
    let grid = *store.grid();
    let mut random = Rng::with_seed(11);
    let most: Vec<i64> = grid
        .shape()
        .iter()
        .map(|&axis| i64::try_from(axis.saturating_sub(across)))
        .collect::<std::result::Result<_, _>>()?;
    let mut at: Vec<i64> = most.iter().map(|most| most / 2).collect();
    let mut sum = 0_u64;
    for _ in 0..count {
        let shape: Vec<u64> = grid.shape().iter().map(|&axis| axis.min(across)).collect();
        let view = Region::new(&at, &shape)?;
        let mut voxels = vec![0; view.bytes(grid.element_size())?];
        read_region(store, &view, &mut voxels)?;
        sum = sum.rotate_left(1).wrapping_add(digest(&voxels));
        for (axis, most) in at.iter_mut().zip(&most) {
            *axis = (*axis + random.i64(-40..=40)).clamp(0, *most);
        }
    }
    Ok(sum)
}
