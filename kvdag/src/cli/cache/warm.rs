//! `kvdag cache warm`.

use std::fmt;
use std::path::PathBuf;

use chunks::{Coords, MultiscaleStore, Region};
use engine_api::version::Version;
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use volume::{DATATYPE, Volume, VolumeAt};

use super::open::{CacheUse, OpenCache};
use super::parse_size;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store::{self, AnyStore};
use crate::cli::volume::export::made;

/// What is read between two looks at Ctrl-C, about.
const BATCH_BYTES: usize = 16 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; made when it isn't there. Nobody else may have it open.
    file: PathBuf,
    /// The store.
    store: String,
    /// Only this volume; it may be given several times.
    #[arg(long, value_name = "NAME")]
    volume: Vec<String>,
    /// The version, which must be committed; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// Only this scale; all that are made unless given, and it may be given several times. 0 is full resolution.
    #[arg(long)]
    scale: Vec<usize>,
    /// Only what a region of full resolution has a part in, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1")]
    region: Option<String>,
    /// The most bytes of a cache that is made, such as 256MiB; 1GiB unless given.
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    cache_size: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Warmed {
    store: String,
    version: String,
    volumes: Vec<String>,
    /// Chunks that were looked at, whether they were in the cache before or not.
    chunks: u64,
    cache: CacheUse,
}

impl fmt::Display for Warmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        writeln!(f, "{} chunks of {} at {version}", self.chunks, self.volumes.join(", "))?;
        self.cache.fmt(f)
    }
}

/// Chunks of a scale of a volume.
struct Part<'a> {
    volume: usize,
    scale: usize,
    chunks: Vec<Coords>,
    at: &'a VolumeAt<'a, Box<dyn engine_api::Store>>,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    if version.committed.is_none() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "an open version isn't cached, since it changes; `kvdag commit` closes it, or name one that is committed",
        )
        .with("version", version.uuid.simple()));
    }
    let region = args.region.as_deref().map(str::parse::<Region>).transpose()?;
    let volumes = names(&store, &version, &args.volume)?;
    let opened = volumes.iter().map(|name| Volume::open(&store, name)).collect::<Result<Vec<_>>>()?;
    let at = opened.iter().map(|volume| volume.at(version.id).made_alone()).collect::<Result<Vec<_>>>()?;
    let mut parts = Vec::new();
    for (volume, at) in at.iter().enumerate() {
        for &scale in &args.scale {
            made(&opened[volume].at(version.id), scale)?;
        }
        let all: Vec<usize> = (0..at.scale_count()).collect();
        for &scale in if args.scale.is_empty() { &all } else { &args.scale } {
            let chunks = at.scales().grid(scale)?.chunks_in(&part(at, scale, region.as_ref())?)?.collect();
            parts.push(Part { volume, scale, chunks, at });
        }
    }
    let cache = OpenCache::to_write(&args.file, args.cache_size, &args.store)?;
    let total: usize = parts.iter().map(|part| part.chunks.len()).sum();
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    let bar = output.progress(total, "warming");
    let careful = Careful::resumable();
    for Part { volume, scale, chunks, at } in &parts {
        let Some(cached) = cache.scales(*at, (opened[*volume].instance(), &version))? else { continue };
        let through = cached.scale(*scale)?;
        let batch = (BATCH_BYTES / through.grid().chunk_bytes().max(1)).max(1);
        for chunks in chunks.chunks(batch) {
            careful.check()?;
            through.read_chunks(chunks, &|_, _| Ok(()))?;
            bar.inc(u64::try_from(chunks.len()).unwrap_or(0));
        }
    }
    bar.finish_and_clear();
    cache.flush()?;
    output.print(&Warmed {
        store: args.store.clone(),
        version: version.uuid.simple().to_string(),
        volumes,
        chunks: total,
        cache: cache.used()?,
    })
}

/// The volumes that are named, or all of the version's repo.
fn names(store: &AnyStore, version: &Version, named: &[String]) -> Result<Vec<String>> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let instances = store::instances(store, version.repo, None)?;
    let names = instances.into_iter().filter(|instance| instance.datatype == DATATYPE);
    let names: Vec<String> = names.map(|instance| instance.name).collect();
    if names.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "the repo has no volume"));
    }
    Ok(names)
}

/// The part of a scale that a region of full resolution has.
fn part(
    at: &VolumeAt<'_, Box<dyn engine_api::Store>>,
    scale: usize,
    region: Option<&Region>,
) -> Result<Region> {
    let Some(region) = region else { return Ok(at.scales().grid(scale)?.bounds()) };
    at.scales().base().check_region(region)?;
    (1..=scale).try_fold(*region, |finer, scale| at.scales().coarser_region(scale, &finer))
}
