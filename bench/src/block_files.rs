//! What volumes of BlockFS take: writing by two writers, reading by one thread, and blocks by the million.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use blockfs::{BlockFs, BlockFsSpec, BlockWriter};
use chunks::{Coords, DType, Grid};

use crate::Outcome;
use crate::noise::noisy;
use crate::stopwatch::{Stopwatch, size};

/// Writers of one volume at a time.
const WRITERS: usize = 2;

/// The compressors and levels, in the names of Blosc; the first is what volumes have by default.
const COMPRESSIONS: [&str; 3] = ["zstd:1", "zstd:5", "lz4:5"];

/// The edge of a block of which there are many.
const SMALL: u64 = 4;

/// Voxels cut into blocks, each in one piece.
struct Cube {
    extent: u64,
    blocks: Vec<(Coords, Vec<u8>)>,
}

/// Writes and reads a cube of noisy u16 in blocks of 64³; answers lines of a table: program, what, codec, seconds of
/// processor time, seconds on the clock, and bytes on disk.
///
/// # Errors
/// Those of the disk, and of what is compared.
pub fn whole(folder: &Path, extent: u64) -> Outcome<Vec<String>> {
    let cube = cut(extent)?;
    let mut lines = vec![raw_write(folder, &cube)?];
    for compression in COMPRESSIONS {
        lines.extend(write_and_read(folder, &cube, compression)?);
    }
    Ok(lines)
}

fn cut(extent: u64) -> Outcome<Cube> {
    let grid = Grid::new(&[extent; 3], &[64; 3], DType::U16)?;
    let voxels = noisy(extent);
    let blocks = grid.chunks_in(&grid.bounds())?.map(|block| {
        let region = grid.chunk_region(&block)?;
        let mut bytes = vec![0; grid.chunk_bytes()];
        chunks::copy_region(&voxels, &grid.bounds(), &mut bytes, &region, &region, 2)?;
        Ok((block, bytes))
    });
    Ok(Cube { extent, blocks: blocks.collect::<Outcome<_>>()? })
}

/// The same bytes in one file, forced to the disk.
fn raw_write(folder: &Path, cube: &Cube) -> Outcome<String> {
    let path = folder.join("raw");
    let clock = Stopwatch::start()?;
    let mut file = File::create(&path)?;
    for (_, bytes) in &cube.blocks {
        file.write_all(bytes)?;
    }
    file.sync_all()?;
    let line = clock.line("a file", "write", &format!("{}^3 u16, none", cube.extent), size(&path)?)?;
    fs::remove_file(path)?;
    Ok(line)
}

fn write_and_read(folder: &Path, cube: &Cube, compression: &str) -> Outcome<Vec<String>> {
    let of = format!("{}^3 u16, {compression}", cube.extent);
    let folder = folder.join("volume");
    fs::create_dir(&folder)?;
    let path = folder.join("v.blockfs");
    let spec = BlockFsSpec::new([cube.extent; 3], [64; 3], DType::U16).files(WRITERS);
    BlockFs::create(&path, &spec.compression(compression.parse()?))?;
    let clock = Stopwatch::start()?;
    let next = AtomicUsize::new(0);
    let write = || -> Result<(), engine_api::Error> {
        let writer = BlockWriter::open(&path)?;
        while let Some((block, bytes)) = cube.blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            writer.write_block(block, bytes)?;
        }
        writer.close()
    };
    thread::scope(|scope| -> Outcome {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")??;
        }
        Ok(())
    })?;
    let mut lines = vec![clock.line("blockfs", "write, 2 writers", &of, size(&folder)?)?];
    let volume = BlockFs::open(&path)?;
    let mut voxels = vec![0; 64 * 64 * 64 * 2];
    let mut wrong = 0;
    let clock = Stopwatch::start()?;
    for (block, _) in &cube.blocks {
        volume.read_block(block, &mut voxels)?;
    }
    lines.push(clock.line("blockfs", "read, 1 thread", &of, 0)?);
    for (block, bytes) in &cube.blocks {
        volume.read_block(block, &mut voxels)?;
        wrong += usize::from(voxels != *bytes);
    }
    if wrong > 0 {
        return Err(format!("{wrong} blocks are read otherwise than they were written").into());
    }
    fs::remove_dir_all(folder)?;
    Ok(lines)
}

/// Writes and reads so many blocks of 4³, spread over a volume of two million; answers microseconds of processor time
/// for one block in each line.
///
/// # Errors
/// Those of the disk.
pub fn many(folder: &Path, counts: &[u64]) -> Outcome<Vec<String>> {
    const ALONG: u64 = 126;
    let mut lines = Vec::new();
    for &count in counts {
        let path = folder.join("many.blockfs");
        let spec = BlockFsSpec::new([ALONG * SMALL; 3], [SMALL; 3], DType::U8).files(WRITERS);
        let volume = BlockFs::create(&path, &spec.compression("lz4:5".parse()?))?;
        let blocks: Vec<Coords> = volume.grid().chunks_in(&volume.grid().bounds())?.collect();
        let stride = u64::try_from(blocks.len())? / count;
        let chosen = || {
            blocks
                .iter()
                .step_by(usize::try_from(stride).unwrap_or(1))
                .take(usize::try_from(count).unwrap_or(0))
        };
        let mut voxels = [7; 64];
        let clock = Stopwatch::start()?;
        let writer = BlockWriter::open(&path)?;
        for block in chosen() {
            writer.write_block(block, &voxels)?;
        }
        writer.close()?;
        let write = clock.processor()?;
        let clock = Stopwatch::start()?;
        for block in chosen() {
            volume.read_block(block, &mut voxels)?;
        }
        let read = clock.processor()?;
        let each = |seconds: f64| seconds * 1e6 / f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        lines.push(format!(
            "blockfs\t{count} blocks of {} in the table\twrite {:.1} us each\tread {:.1} us each",
            blocks.len(),
            each(write),
            each(read)
        ));
        for entry in fs::read_dir(folder)? {
            fs::remove_file(entry?.path())?;
        }
    }
    Ok(lines)
}
