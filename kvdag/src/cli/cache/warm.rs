//! `kvdag cache warm`.

use std::fmt;
use std::path::PathBuf;

use chunks::{ChunksIn, Coords, MultiscaleStore, Region, Scales};
use engine_api::version::Version;
use engine_api::{Error, ErrorKind, Result};
use indicatif::ProgressBar;
use kvdag::cache::CachedScales;
use serde::Serialize;
use volume::{DATATYPE, Volume};

use super::open::{CacheUse, OpenCache};
use super::parse_size;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store::{self, AnyStore};
use crate::cli::volume::export::made;

/// How many chunks are asked for at once. They aren't read at once; a volume may have more than memory has room to list.
const BATCH: usize = 4096;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; made when it isn't there. Nobody else may have it open.
    file: PathBuf,
    /// The store. Or the URL of a precomputed volume, http or https, as `kvdag serve` and `kvdag volume import` read it through the
    /// cache.
    store: String,
    /// Only this volume of a store; it may be given several times.
    #[arg(long, value_name = "NAME")]
    volume: Vec<String>,
    /// The version of a store, which must be committed; the newest on the main branch unless given.
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
    /// What has no versions has none, nor names for its volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<String>,
    /// Chunks that were looked at, whether they were in the cache before or not.
    chunks: u64,
    cache: CacheUse,
}

impl fmt::Display for Warmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => {
                let version = &version[..12.min(version.len())];
                writeln!(f, "{} chunks of {} at {version}", self.chunks, self.volumes.join(", "))?;
            }
            None => writeln!(f, "{} chunks of {}", self.chunks, self.store)?,
        }
        self.cache.fmt(f)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    #[cfg(feature = "http")]
    if volume::is_url(std::path::Path::new(&args.store)) {
        return warm_source(args, output);
    }
    let store = store::open_to_read(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    if version.committed.is_none() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "an open version isn't cached, since it changes; `kvdag commit` closes it, or name one that is committed",
        )
        .with("version", version.uuid.simple()));
    }
    let volumes = names(&store, &version, &args.volume)?;
    let opened = volumes.iter().map(|name| Volume::open(&store, name)).collect::<Result<Vec<_>>>()?;
    let at = opened.iter().map(|volume| volume.at(version.id).made_alone()).collect::<Result<Vec<_>>>()?;
    for volume in &opened {
        for &scale in &args.scale {
            made(&volume.at(version.id), scale)?;
        }
    }
    let wanted = at.iter().map(|at| Wanted::new(at.scales(), args)).collect::<Result<Vec<_>>>()?;
    let cache = OpenCache::to_write(&args.file, args.cache_size, &args.store)?;
    let of = opened.iter().map(|volume| (volume.instance(), &version));
    let cached = at.iter().zip(of).map(|(at, of)| cache.scales(at, of)).collect::<Result<Vec<_>>>()?;
    let chunks = warm(
        cached.iter().zip(wanted).filter_map(|(cached, wanted)| Some((cached.as_ref()?, wanted))),
        output,
    )?;
    cache.flush()?;
    output.print(&Warmed {
        store: args.store.clone(),
        version: Some(version.uuid.simple().to_string()),
        volumes,
        chunks,
        cache: cache.used()?,
    })
}

/// Warms a cache with the volume at a URL.
#[cfg(feature = "http")]
fn warm_source(args: &Args, output: Output) -> Result<()> {
    if args.at.is_some() || !args.volume.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "a URL is of one volume, without versions; leave --volume and --at out",
        ));
    }
    let source = volume::PrecomputedSource::open(&args.store, &volume::HttpOptions::default())?;
    let wanted = Wanted::new(source.scales(), args)?;
    let cache = OpenCache::to_write(&args.file, args.cache_size, &args.store)?;
    let cached = cache.scales_of_source(&source)?;
    let chunks = warm(cached.iter().zip([wanted]), output)?;
    cache.flush()?;
    let store = source.url().to_owned();
    output.print(&Warmed { store, version: None, volumes: Vec::new(), chunks, cache: cache.used()? })
}

/// The chunks of a volume that a cache is to have, scale by scale.
struct Wanted(Vec<(usize, ChunksIn)>);

impl Wanted {
    fn new(scales: &Scales, args: &Args) -> Result<Self> {
        let region = args.region.as_deref().map(str::parse::<Region>).transpose()?;
        let all: Vec<usize> = (0..scales.len()).collect();
        let chosen = if args.scale.is_empty() { &all } else { &args.scale };
        let chunks = |&scale: &usize| {
            Ok((scale, scales.grid(scale)?.chunks_in(&part(scales, scale, region.as_ref())?)?))
        };
        chosen.iter().map(chunks).collect::<Result<_>>().map(Self)
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|(_, chunks)| chunks.remaining()).fold(0, u64::saturating_add)
    }

    /// Reads them all through a cache.
    fn read(self, cached: &CachedScales<'_>, bar: &ProgressBar, careful: &Careful) -> Result<()> {
        for (scale, mut chunks) in self.0 {
            let through = cached.scale(scale)?;
            loop {
                let batch: Vec<Coords> = chunks.by_ref().take(BATCH).collect();
                if batch.is_empty() {
                    break;
                }
                through.read_chunks(&batch, &|_, _| {
                    bar.inc(1);
                    careful.check()
                })?;
            }
        }
        Ok(())
    }
}

/// Reads what is wanted of volumes through a cache; answers how many chunks that is.
fn warm<'a>(wanted: impl Iterator<Item = (&'a CachedScales<'a>, Wanted)>, output: Output) -> Result<u64> {
    let wanted: Vec<_> = wanted.collect();
    let total = wanted.iter().map(|(_, wanted)| wanted.len()).fold(0, u64::saturating_add);
    let bar = output.progress(total, "warming");
    let careful = Careful::resumable();
    for (cached, wanted) in wanted {
        wanted.read(cached, &bar, &careful)?;
    }
    bar.finish_and_clear();
    Ok(total)
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
fn part(scales: &Scales, scale: usize, region: Option<&Region>) -> Result<Region> {
    let Some(region) = region else { return Ok(scales.grid(scale)?.bounds()) };
    scales.base().check_region(region)?;
    (1..=scale).try_fold(*region, |finer, scale| scales.coarser_region(scale, &finer))
}
