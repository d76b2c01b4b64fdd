//! Images that become volumes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chunks::{ChunkStore, Codec, Grid, Scales, write_region, zeroed};
use downres::{Journal, NoJournal, Reducer, VoxelSource, ingest};
use engine_api::key::{RepoId, VersionId};
use engine_api::version::Versioned;
use engine_api::{Error, ErrorKind, Result, Store};

use crate::formats::{ImageInfo, ImageReader, RegionReader};
use crate::progress::{Progress, Stage, WatchImport};
use crate::properties::{Importing, Properties};
use crate::versioned::Volume;
use crate::volume_at::VolumeAt;

/// How an imported image is cut and stored.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The shape of chunks, slowest axis first; by default 64 along each axis of a volume, less where the
    /// image is smaller.
    pub chunk_shape: Option<Vec<u64>>,
    /// The coordinates of the image's first element, slowest axis first; zeros by default.
    pub origin: Option<Vec<i64>>,
    /// How chunks are compressed.
    pub codec: Codec,
    /// The coarser scales.
    pub scales: ScaleChoice,
    /// How coarser scales are made; what suits the elements by default.
    pub reducer: Option<Reducer>,
    /// Whether elements are labels, which are kept in an index.
    pub labels: bool,
}

/// Which coarser scales a volume gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScaleChoice {
    /// None.
    #[default]
    None,
    /// As many as bring the volume down to one chunk: [`Scales::halving`].
    Halving,
    /// A list of factors for each, slowest axis first.
    Factors(Vec<Vec<u64>>),
}

impl ScaleChoice {
    /// The factors for a grid.
    ///
    /// # Errors
    /// As [`Scales::new`].
    pub fn factors(&self, grid: Grid) -> Result<Vec<Vec<u64>>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Factors(factors) => Ok(factors.clone()),
            Self::Halving => {
                let scales = Scales::halving(grid)?;
                (1..scales.len()).map(|scale| Ok(scales.factors(scale)?.to_vec())).collect()
            }
        }
    }
}

/// Makes a volume at an open version from an image that is read from front to back.
///
/// The volume can be opened once the whole image is in it, at all of its scales; when the import fails, or `watch`
/// ends it, the volume is removed again, and what a killed process has left is removed by the next import of that name.
/// Memory is bounded by one row of chunks: the chunk's extent along the slowest axis times a slice.
///
/// # Errors
/// `AlreadyExists` when the repo has an instance of this name; `ReadOnly` when the version is committed;
/// `InvalidArgument` and `TooLarge` for a chunk shape or scales that don't fit; what the reader and the store answer.
pub fn import_image<'s, S: Store>(
    store: &'s Versioned<S>,
    (repo, version): (RepoId, VersionId),
    name: &str,
    reader: &mut dyn ImageReader,
    options: &ImportOptions,
    watch: &mut WatchImport<'_>,
) -> Result<Volume<'s, S>> {
    check_open(store, version)?;
    let finished = properties_for(reader.info(), options)?;
    remove_unfinished(store, repo, name)?;
    let importing = Properties { importing: Some(Importing::default()), ..finished.clone() };
    let mut volume = Volume::create(store, repo, name, importing)?;
    let at = volume.at(version);
    let outcome = fill_from(&at, reader, watch)
        .and_then(|()| make_scales(&at, None, &NoJournal, watch))
        .and_then(|()| volume.set_properties(finished));
    if let Err(error) = outcome {
        store.delete_instance(volume.instance().id)?;
        return Err(error);
    }
    Ok(volume)
}

/// Makes a volume at an open version from an image that can be read in any order, and needn't fit in memory.
///
/// All scales are written in one pass, as [`ingest`] says. The volume can be opened once the whole image is in it. An
/// import that is cut short, by an error, by `watch` or by a kill, stays, and the next one of that name goes on with
/// it if `identity`, the image's shape and the options are the same; otherwise it begins anew.
///
/// # Errors
/// Those of [`import_image`].
pub fn import_regions<'s, S: Store>(
    store: &'s Versioned<S>,
    (repo, version): (RepoId, VersionId),
    name: &str,
    (image, identity): (&dyn RegionReader, &str),
    options: &ImportOptions,
    watch: &mut WatchImport<'_>,
) -> Result<Volume<'s, S>> {
    check_open(store, version)?;
    let finished = properties_for(image.info(), options)?;
    let identity = format!("{identity} at {version}");
    let volume = match unfinished(store, repo, name)? {
        Some(volume) if goes_on(&volume, &finished, &identity) => volume,
        _ => {
            remove_unfinished(store, repo, name)?;
            let importing = Importing { image: identity, ..Importing::default() };
            Volume::create(store, repo, name, Properties { importing: Some(importing), ..finished.clone() })?
        }
    };
    let at = volume.at(version);
    let journal = PropertiesJournal(Mutex::new(volume));
    let source = Placed { image, origin: at.grid().origin().to_vec() };
    make_scales(&at, Some(&source), &journal, watch)?;
    let mut volume = journal.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    volume.set_properties(finished)?;
    Ok(volume)
}

/// An image where the volume begins.
struct Placed<'a> {
    image: &'a dyn RegionReader,
    origin: Vec<i64>,
}

impl VoxelSource for Placed<'_> {
    fn read_region(&self, region: &chunks::Region, out: &mut [u8]) -> Result<()> {
        let offset: Vec<i64> =
            region.offset().iter().zip(&self.origin).map(|(at, start)| at.saturating_sub(*start)).collect();
        self.image.read_region(&chunks::Region::new(&offset, region.shape())?, out)
    }

    fn waits(&self) -> bool {
        self.image.waits()
    }
}

/// Makes all scales, full resolution among them where there is a source, and notes that they are made.
pub(crate) fn make_scales<S: Store>(
    volume: &VolumeAt<'_, S>,
    source: Option<&dyn VoxelSource>,
    journal: &dyn Journal,
    watch: &mut WatchImport<'_>,
) -> Result<()> {
    if source.is_some() || volume.scale_count() > 1 {
        let watch = Mutex::new(watch);
        let reducer = volume.properties().reducer();
        ingest(volume, source, reducer, journal, &|progress| {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            (*watch)(progress.into())
        })?;
    }
    volume.note_scales()
}

/// Keeps the journal of an import in the volume's properties.
struct PropertiesJournal<'s, S>(Mutex<Volume<'s, S>>);

impl<S: Store> Journal for PropertiesJournal<'_, S> {
    fn finished(&self, tasks: usize) -> Result<BTreeSet<usize>> {
        let mut volume = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut properties = volume.properties().clone();
        let mut importing = properties.importing.take().unwrap_or_default();
        if importing.tasks == tasks {
            let all = importing.finished.iter().flat_map(|(first, last)| *first..=(*last).min(tasks));
            return Ok(all.filter(|task| *task < tasks).collect());
        }
        importing.tasks = tasks;
        importing.finished.clear();
        properties.importing = Some(importing);
        volume.set_properties(properties)?;
        Ok(BTreeSet::new())
    }

    fn finish(&self, task: usize) -> Result<()> {
        let mut volume = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut properties = volume.properties().clone();
        let mut importing = properties.importing.take().unwrap_or_default();
        add_to_ranges(&mut importing.finished, task);
        properties.importing = Some(importing);
        volume.set_properties(properties)
    }
}

fn add_to_ranges(ranges: &mut Vec<(usize, usize)>, task: usize) {
    ranges.push((task, task));
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let touches = next.0 <= before.1.saturating_add(1);
        if touches {
            before.1 = before.1.max(next.1);
        }
        touches
    });
}

fn check_open<S: Store>(store: &Versioned<S>, version: VersionId) -> Result<()> {
    match store.dag()?.version(version)?.committed {
        None => Ok(()),
        Some(committed) => {
            Err(Error::new(ErrorKind::ReadOnly, "the version is committed, so nothing can be imported to it")
                .with("committed", committed))
        }
    }
}

fn properties_for(info: &ImageInfo, options: &ImportOptions) -> Result<Properties> {
    let chunk_shape = match &options.chunk_shape {
        Some(shape) => shape.clone(),
        None => info.default_chunk_shape(),
    };
    let mut grid = Grid::new(info.shape(), &chunk_shape, info.dtype())?;
    if let Some(origin) = &options.origin {
        grid = grid.with_origin(origin)?;
    }
    let properties = Properties {
        factors: options.scales.factors(grid)?,
        reducer: options.reducer,
        labels: options.labels,
        ..Properties::of_image(info, grid, options.codec)
    };
    properties.check()?;
    Ok(properties)
}

/// What an import that was cut short has left under a name.
fn unfinished<'s, S: Store>(
    store: &'s Versioned<S>,
    repo: RepoId,
    name: &str,
) -> Result<Option<Volume<'s, S>>> {
    let dag = store.dag()?;
    let Some(instance) = dag.instance_named(repo, name) else { return Ok(None) };
    if instance.datatype != crate::DATATYPE {
        return Ok(None);
    }
    let volume = Volume::of_instance(store, instance.clone())?;
    Ok(volume.properties().importing.is_some().then_some(volume))
}

fn remove_unfinished<S: Store>(store: &Versioned<S>, repo: RepoId, name: &str) -> Result<()> {
    match unfinished(store, repo, name)? {
        Some(volume) => store.delete_instance(volume.instance().id),
        None => Ok(()),
    }
}

fn goes_on<S: Store>(left: &Volume<'_, S>, wanted: &Properties, identity: &str) -> bool {
    let begun = left.properties();
    begun.importing.as_ref().is_some_and(|importing| importing.image == identity)
        && *wanted == Properties { importing: None, ..begun.clone() }
}

fn fill_from<S: Store>(
    volume: &VolumeAt<'_, S>,
    reader: &mut dyn ImageReader,
    watch: &mut WatchImport<'_>,
) -> Result<()> {
    let info = reader.info().clone();
    let grid = *volume.grid();
    let rows = grid.chunk_shape().first().copied().unwrap_or(1);
    let mut buffer = zeroed(info.slab_bytes(rows.min(info.slices()))?)?;
    let bounds = grid.bounds();
    let (mut start, end) = (bounds.offset()[0], bounds.end(0));
    while start < end {
        // Slabs end where rows of chunks end, so that each chunk is written once.
        let slab = bounds.slice(0, start, next_multiple(start, rows));
        let bytes = info.slab_bytes(slab.shape()[0])?;
        if read_fully(reader, &mut buffer[..bytes], &info)? < slab.shape()[0] {
            return Err(ended_early());
        }
        write_region(volume, &slab, &buffer[..bytes])?;
        start = slab.end(0);
        let done = start.abs_diff(bounds.offset()[0]);
        watch(Progress { stage: Stage::Slices, done, total: info.slices() })?;
    }
    Ok(())
}

/// Reads until the buffer is full or the image ends; a reader may answer fewer slices than there is room for.
fn read_fully(reader: &mut dyn ImageReader, buffer: &mut [u8], info: &ImageInfo) -> Result<u64> {
    let (mut at, mut done) = (0, 0);
    while at < buffer.len() {
        let slices = reader.next_slab(&mut buffer[at..])?;
        if slices == 0 {
            break;
        }
        done += slices;
        at += info.slab_bytes(slices)?;
    }
    Ok(done)
}

pub(crate) fn next_multiple(position: i64, of: u64) -> i64 {
    let of = i64::try_from(of).unwrap_or(i64::MAX);
    position.div_euclid(of).saturating_add(1).saturating_mul(of)
}

pub(crate) fn ended_early() -> Error {
    Error::new(ErrorKind::Corrupt, "the image has fewer slices than its header says")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_hold_what_was_added(tasks in prop::collection::btree_set(0usize..60, 0..60), seed in any::<u64>()) {
            let mut order: Vec<usize> = tasks.iter().copied().collect();
            let mut state = seed | 1;
            order.sort_by_cached_key(|_| {
                state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                state >> 33
            });
            let mut ranges = Vec::new();
            for task in order {
                add_to_ranges(&mut ranges, task);
            }
            let held: BTreeSet<usize> = ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
            prop_assert_eq!(held, tasks);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "as few as can be: {:?}", ranges);
        }
    }
}
