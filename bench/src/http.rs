//! Precomputed volumes over HTTP, beside the same volumes in files.

use std::future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use chunks::{Codec, Coords, DType, Grid, MemoryScales, MultiscaleStore, Scales, read_region, write_region};
use engine_api::{Error, ErrorKind, Result};
use volume::{CreateOptions, HttpOptions, ImageInfo, PrecomputedSource, create_image_with, open_regions};
use volume_server::{Axis, Catalog, Served, Server, VersionEntry, VolumeEntry};

use crate::Outcome;
use crate::noise::noisy;
use crate::plain_server::serve_folder;

/// How many threads read at once.
const THREADS: [usize; 3] = [1, 4, 16];

/// Rounds of which the median is told.
const ROUNDS: usize = 5;

/// The edge of a chunk.
const CHUNK: u64 = 64;

/// The one version of each volume.
const VERSION: &str = "first";

/// A cube in memory, and the same in a folder.
struct Cube {
    name: &'static str,
    labels: bool,
    scales: MemoryScales,
}

impl Cube {
    /// Noise, whose chunks are raw.
    fn images(extent: u64) -> Outcome<Self> {
        Self::new("raw", Grid::new(&[extent; 3], &[CHUNK; 3], DType::U16)?, &noisy(extent))
    }

    /// Cells of 11 x 11 x 11, whose chunks are compressed segmentation, in blocks of 8 x 8 x 8 that cells don't fit.
    fn cells(extent: u64) -> Outcome<Self> {
        let mut voxels = Vec::new();
        for z in 0..extent {
            for y in 0..extent {
                for x in 0..extent {
                    let cell = u32::try_from(((z / 11) * extent + y / 11) * extent + x / 11)?;
                    voxels.extend_from_slice(&cell.to_le_bytes());
                }
            }
        }
        Self::new("segmentation", Grid::new(&[extent; 3], &[CHUNK; 3], DType::U32)?, &voxels)
    }

    fn new(name: &'static str, grid: Grid, voxels: &[u8]) -> Outcome<Self> {
        let codec: Codec = "none".parse()?;
        let scales = MemoryScales::new(Scales::single(grid), codec);
        write_region(scales.scale(0)?, &grid.bounds(), voxels)?;
        Ok(Self { name, labels: grid.dtype() == DType::U32, scales })
    }

    fn grid(&self) -> Grid {
        *self.scales.scales().base()
    }

    /// Writes it as files.
    fn write(&self, folder: &Path) -> Outcome<PathBuf> {
        let path = folder.join(format!("{}.precomputed", self.name));
        let grid = self.grid();
        let options = CreateOptions {
            chunk_shape: Some(vec![CHUNK; 3]),
            compressed_segmentation: self.labels,
            ..CreateOptions::default()
        };
        let mut voxels = vec![0; grid.bounds().bytes(grid.element_size())?];
        read_region(self.scales.scale(0)?, &grid.bounds(), &mut voxels)?;
        let mut writer = create_image_with(&path, &ImageInfo::new(grid.shape(), grid.dtype())?, options)?;
        writer.write_slab(&voxels)?;
        writer.finish()?;
        Ok(path)
    }
}

/// Cubes, as a server shows them.
struct Cubes(Vec<Cube>);

impl Catalog for Cubes {
    fn volumes(&self) -> Result<Vec<VolumeEntry>> {
        let version = VersionEntry { version: VERSION.to_owned(), ..VersionEntry::default() };
        let entry = |cube: &Cube| VolumeEntry {
            name: cube.name.to_owned(),
            labels: cube.labels,
            versions: vec![version.clone()],
        };
        Ok(self.0.iter().map(entry).collect())
    }

    fn read(
        &self,
        volume: &str,
        version: &str,
        reader: &mut dyn FnMut(&Served<'_>) -> Result<()>,
    ) -> Result<()> {
        let cube = self.0.iter().find(|cube| (cube.name, VERSION) == (volume, version));
        let cube = cube.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such volume"))?;
        let axes = ["z", "y", "x"].map(|name| Axis { name: name.to_owned(), ..Axis::default() });
        reader(&Served { scales: &cube.scales, axes: &axes, labels: cube.labels, version, committed: true })
    }
}

/// Reads cubes of so many voxels along each axis over loopback and from files, each chunk once a round; tells lines of a
/// table: program, where from, chunks, threads, and MB of voxels a second on the clock. `peer` is a Python that has the peer's packages.
///
/// # Errors
/// Those of the disk and the servers; voxels that differ; a peer that fails.
pub fn over_http(folder: &Path, extent: u64, peer: Option<&Path>, tell: &mut dyn FnMut(String)) -> Outcome {
    let cubes = Cubes(vec![Cube::images(extent)?, Cube::cells(extent)?]);
    let grids: Vec<(&str, Grid)> = cubes.0.iter().map(|cube| (cube.name, cube.grid())).collect();
    let paths = cubes.0.iter().map(|cube| cube.write(folder)).collect::<Outcome<Vec<_>>>()?;
    let server = Server::bind("127.0.0.1:0", cubes)?;
    let (address, plain) = (server.local_addr()?, serve_folder(folder)?);
    // It ends with the program.
    thread::spawn(move || server.run(future::pending()));
    for ((name, grid), path) in grids.iter().zip(&paths) {
        let served = format!("http://{address}/{name}/{VERSION}");
        let sent = format!("http://{plain}/{name}.precomputed");
        let file = open_regions(path, None)?.ok_or("the folder isn't read in regions")?;
        let from_files = |chunk: &Coords, out: &mut [u8]| file.read_region(&grid.chunk_region(chunk)?, out);
        for (server, url) in [("volume-server", &served), ("plain server", &sent)] {
            let source = PrecomputedSource::open(url, &HttpOptions::default())?;
            let store = source.chunks(0)?;
            let over_http = |chunk: &Coords, out: &mut [u8]| store.read_chunk(chunk, out).map(drop);
            for chunk in grid.chunks_in(&grid.bounds())? {
                let [mut found, mut expected] = [(); 2].map(|()| vec![0; grid.chunk_bytes()]);
                over_http(&chunk, &mut found)?;
                from_files(&chunk, &mut expected)?;
                if found != expected {
                    return Err("what a server says and what the files have differ".into());
                }
            }
            for threads in THREADS {
                let rate = median(grid, threads, &over_http)?;
                tell(format!("PrecomputedSource\t{server}\t{name}\t{threads} threads\t{rate:.0} MB/s"));
            }
        }
        for threads in THREADS {
            let rate = median(grid, threads, &from_files)?;
            tell(format!("kvdag\tfiles\t{name}\t{threads} threads\t{rate:.0} MB/s"));
        }
        if let Some(python) = peer {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("volumes/http_peers.py");
            let said = Command::new(python).arg(script).args([name, &*served, &*sent]).arg(path).output()?;
            if !said.status.success() {
                return Err(format!("the peer: {}", String::from_utf8_lossy(&said.stderr)).into());
            }
            String::from_utf8(said.stdout)?.lines().for_each(|line| tell(line.to_owned()));
        }
    }
    Ok(())
}

/// MB of voxels a second when so many threads read all chunks.
fn median(
    grid: &Grid,
    threads: usize,
    read: &(dyn Fn(&Coords, &mut [u8]) -> Result<()> + Sync),
) -> Outcome<f64> {
    let chunks: Vec<Coords> = grid.chunks_in(&grid.bounds())?.collect();
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (next, clock) = (AtomicUsize::new(0), Instant::now());
        let work = || {
            let mut buffer = vec![0; grid.chunk_bytes()];
            while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                read(chunk, &mut buffer)?;
            }
            Ok::<(), Error>(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(outcome) => outcome.map_err(Into::into),
                Err(_) => Err("a reader has panicked".into()),
            })
        })
        .map_err(|error: Box<dyn std::error::Error>| error)?;
        let bytes = u32::try_from(grid.bounds().bytes(grid.element_size())? / 1_000_000)?;
        rates.push(f64::from(bytes) / clock.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    rates.get(ROUNDS / 2).copied().ok_or_else(|| "no round".into())
}
