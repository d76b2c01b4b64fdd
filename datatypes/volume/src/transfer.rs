//! Images into volumes and out of them, a row of chunks at a time.

use chunks::{ChunkStore, Codec, Grid, Region, read_region, write_region, zeroed};
use engine_api::key::{RepoId, VersionId};
use engine_api::version::Versioned;
use engine_api::{Error, ErrorKind, Result, Store};

use crate::formats::{ImageInfo, ImageReader, ImageWriter};
use crate::properties::Properties;
use crate::versioned::Volume;
use crate::volume_at::VolumeAt;

/// How an imported image is cut and stored.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The shape of chunks, slowest axis first; by default 64 along each axis of a volume, less where the
    /// image is smaller.
    pub chunk_shape: Option<Vec<u64>>,
    /// How chunks are compressed.
    pub codec: Codec,
}

/// Called with the number of slices done so far; an error from it ends the work and is returned.
pub type Watch<'a> = dyn FnMut(u64) -> Result<()> + 'a;

/// Makes a volume at an open version from an image.
///
/// The volume can be opened once the whole image is in it; when the import fails, or `watch` ends it, the
/// volume is removed again, and what a killed process has left is removed by the next import of that name.
/// Memory is bounded by one row of chunks: the chunk's extent along the slowest axis times a slice.
///
/// # Errors
/// `AlreadyExists` when the repo has an instance of this name; `ReadOnly` when the version is committed;
/// `InvalidArgument` and `TooLarge` for a chunk shape that doesn't fit; what the reader and the store answer.
pub fn import_image<'s, S: Store>(
    store: &'s Versioned<S>,
    (repo, version): (RepoId, VersionId),
    name: &str,
    reader: &mut dyn ImageReader,
    options: &ImportOptions,
    watch: &mut Watch<'_>,
) -> Result<Volume<'s, S>> {
    if let Some(committed) = store.dag()?.version(version)?.committed {
        return Err(Error::new(
            ErrorKind::ReadOnly,
            "the version is committed, so nothing can be imported to it",
        )
        .with("committed", committed));
    }
    let info = reader.info();
    let chunk_shape = match &options.chunk_shape {
        Some(shape) => shape.clone(),
        None => default_chunk_shape(info),
    };
    let grid = Grid::new(info.shape(), &chunk_shape, info.dtype())?;
    let finished = Properties::of_image(info, grid, options.codec);
    remove_unfinished(store, repo, name)?;
    let importing = Properties { importing: true, ..finished.clone() };
    let mut volume = Volume::create(store, repo, name, importing)?;
    let outcome =
        fill_from(&volume.at(version), reader, watch).and_then(|()| volume.set_properties(finished));
    if let Err(error) = outcome {
        store.delete_instance(volume.instance().id)?;
        return Err(error);
    }
    Ok(volume)
}

/// Writes an image into a volume, its first element at `offset`, as one atomic batch.
///
/// # Errors
/// `InvalidArgument` when the type of the elements differs or the image reaches out of the volume;
/// `ReadOnly` when the version is committed; what the reader and the store answer.
pub fn write_image<S: Store>(
    volume: &VolumeAt<'_, S>,
    reader: &mut dyn ImageReader,
    offset: &[i64],
    watch: &mut Watch<'_>,
) -> Result<Region> {
    let info = reader.info();
    if info.dtype() != volume.grid().dtype() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the image's elements are of another type than the volume's",
        )
        .with("image", info.dtype())
        .with("volume", volume.grid().dtype()));
    }
    let region = Region::new(offset, info.shape())?;
    volume.grid().check_region(&region)?;
    let mut data = zeroed(info.slab_bytes(info.slices())?)?;
    let slice = info.slice_bytes()?;
    let mut done = 0;
    let mut at = 0;
    while at < data.len() {
        let end = (at + slice).min(data.len());
        let slices = reader.next_slab(&mut data[at..end])?;
        if slices == 0 {
            return Err(ended_early());
        }
        at = end;
        done += slices;
        watch(done)?;
    }
    write_region(volume, &region, &data)?;
    Ok(region)
}

/// Writes a region of a volume, at a version, to an image, which `create` makes once its shape is known.
///
/// # Errors
/// `InvalidArgument` when the region is out of bounds; what the store and the writer answer.
pub fn export_region<S: Store>(
    volume: &VolumeAt<'_, S>,
    region: &Region,
    create: impl FnOnce(&ImageInfo) -> Result<Box<dyn ImageWriter>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let grid = volume.grid();
    grid.check_region(region)?;
    let info = volume.properties().image(region.shape())?;
    let mut writer = create(&info)?;
    let rows = grid.chunk_shape().first().copied().unwrap_or(1);
    let mut buffer = zeroed(info.slab_bytes(rows.min(info.slices()))?)?;
    let (mut start, end) = (region.offset()[0], region.end(0));
    let mut done = 0;
    while start < end {
        // Slabs end where rows of chunks end, so that each chunk is decompressed once.
        let row_end = next_multiple(start, rows);
        let slab = region.slice(0, start, row_end.min(end));
        let slices = slab.shape()[0];
        let bytes = info.slab_bytes(slices)?;
        read_region(volume, &slab, &mut buffer[..bytes])?;
        writer.write_slab(&buffer[..bytes])?;
        done += slices;
        watch(done)?;
        start = row_end;
    }
    writer.finish()
}

fn fill_from<S: Store>(
    volume: &VolumeAt<'_, S>,
    reader: &mut dyn ImageReader,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let info = reader.info().clone();
    let rows = volume.grid().chunk_shape().first().copied().unwrap_or(1).min(info.slices());
    let mut buffer = zeroed(info.slab_bytes(rows)?)?;
    let bounds = volume.grid().bounds();
    let mut done = 0;
    while done < info.slices() {
        let wanted = rows.min(info.slices() - done);
        let bytes = info.slab_bytes(wanted)?;
        let slices = read_fully(reader, &mut buffer[..bytes], &info)?;
        if slices < wanted {
            return Err(ended_early());
        }
        let (start, end) = (signed(done)?, signed(done + wanted)?);
        write_region(volume, &bounds.slice(0, start, end), &buffer[..bytes])?;
        done += wanted;
        watch(done)?;
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

/// Removes what an import that was cut short has left under a name.
fn remove_unfinished<S: Store>(store: &Versioned<S>, repo: RepoId, name: &str) -> Result<()> {
    let dag = store.dag()?;
    let Some(instance) = dag.instance_named(repo, name) else { return Ok(()) };
    let unfinished =
        instance.datatype == crate::DATATYPE && Properties::from_json(&instance.properties)?.importing;
    if unfinished { store.delete_instance(instance.id) } else { Ok(()) }
}

fn default_chunk_shape(info: &ImageInfo) -> Vec<u64> {
    let extent = match info.shape().len() {
        1 => 1 << 18,
        2 => 512,
        3 => 64,
        _ => 32,
    };
    info.shape().iter().map(|length| (*length).min(extent)).collect()
}

fn next_multiple(position: i64, of: u64) -> i64 {
    let of = i64::try_from(of).unwrap_or(i64::MAX);
    position.div_euclid(of).saturating_add(1).saturating_mul(of)
}

fn signed(position: u64) -> Result<i64> {
    i64::try_from(position)
        .map_err(|error| Error::new(ErrorKind::TooLarge, "the image is too long").caused_by(error))
}

fn ended_early() -> Error {
    Error::new(ErrorKind::Corrupt, "the image has fewer slices than its header says")
}
