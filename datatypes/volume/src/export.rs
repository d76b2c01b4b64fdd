//! Volumes that become images, a row of chunks at a time.

use chunks::{ChunkStore, MultiscaleStore, Region, read_region, zeroed};
use engine_api::{Error, ErrorKind, Result, Store};

use crate::formats::{ImageAxis, ImageInfo, ImageWriter, RegionReader};
use crate::import::next_multiple;
use crate::volume_at::VolumeAt;

/// Called with the number of slices done so far; an error from it ends the work and is returned.
pub type Watch<'a> = dyn FnMut(u64) -> Result<()> + 'a;

/// Writes a region of a scale of a volume, at a version, to an image, which `create` makes once its shape is known.
///
/// # Errors
/// `InvalidArgument` when there is no such scale or the region is out of its bounds; what the store and the writer answer.
pub fn export_region<S: Store>(
    volume: &VolumeAt<'_, S>,
    part: (usize, &Region),
    create: impl FnOnce(&ImageInfo) -> Result<Box<dyn ImageWriter>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    export_region_through(volume, volume, part, create, watch)
}

/// As [`export_region`], where the volume's chunks are read through another store, such as a cache in front of it.
///
/// # Errors
/// As there.
pub fn export_region_through<S: Store>(
    volume: &VolumeAt<'_, S>,
    chunks: &dyn MultiscaleStore,
    (scale, region): (usize, &Region),
    create: impl FnOnce(&ImageInfo) -> Result<Box<dyn ImageWriter>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let store = chunks.scale(scale)?;
    let grid = store.grid();
    grid.check_region(region)?;
    let info = volume.properties().image(scale, region.shape())?;
    let mut writer = create(&info)?;
    write_slabs(store, region, &mut *writer, watch)?;
    writer.finish()
}

/// What is read at once of an image that isn't in rows of chunks, about.
const SLAB_BYTES: u64 = 64 << 20;

/// Writes a region of an image that is read anywhere to another, which `create` makes once its shape is known. A source
/// that is no file takes part by a [`RegionReader`] of its own.
///
/// Memory is bounded by a row of the source's chunks, or some 64 MiB, and what the writer keeps.
///
/// # Errors
/// `InvalidArgument` when the region is out of the image's bounds; what the reader and the writer answer.
pub fn export_image(
    source: &dyn RegionReader,
    region: &Region,
    create: impl FnOnce(&ImageInfo) -> Result<Box<dyn ImageWriter>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let image = source.info();
    if !Region::at_origin(image.shape())?.contains(region) {
        return Err(Error::new(ErrorKind::InvalidArgument, "the region is out of the image's bounds")
            .with("region", region)
            .with("shape", format_args!("{:?}", image.shape())));
    }
    let mut info = ImageInfo::new(region.shape(), image.dtype())?.with_axes(image.axes().to_vec())?;
    info.metadata.clone_from(&image.metadata);
    let mut writer = create(&info)?;
    let slice = u64::try_from(info.slice_bytes()?).unwrap_or(u64::MAX).max(1);
    let chunk_rows = source.chunk_shape().and_then(|shape| shape.first().copied());
    let rows = chunk_rows.unwrap_or(SLAB_BYTES / slice).clamp(1, info.slices().max(1));
    let mut buffer = zeroed(info.slab_bytes(rows)?)?;
    let (mut start, end) = (region.offset()[0], region.end(0));
    while start < end {
        let slab = region.slice(0, start, next_multiple(start, rows).min(end));
        let bytes = info.slab_bytes(slab.shape()[0])?;
        source.read_region(&slab, &mut buffer[..bytes])?;
        writer.write_slab(&buffer[..bytes])?;
        start = slab.end(0);
        watch(start.abs_diff(region.offset()[0]))?;
    }
    writer.finish()
}

/// Writes all scales that are made at the version, each whole, to an image that has scales, which `create` makes; the
/// watch counts the slices of all scales.
///
/// # Errors
/// `Unsupported` when the format has no scales; what the store and the writers answer.
pub fn export_scales<S: Store>(
    volume: &VolumeAt<'_, S>,
    create: impl FnOnce(&[ImageInfo]) -> Result<Vec<Box<dyn ImageWriter>>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    export_scales_through(volume, volume, create, watch)
}

/// As [`export_scales`], where the volume's chunks are read through another store, such as a cache in front of it.
///
/// # Errors
/// As there.
pub fn export_scales_through<S: Store>(
    volume: &VolumeAt<'_, S>,
    chunks: &dyn MultiscaleStore,
    create: impl FnOnce(&[ImageInfo]) -> Result<Vec<Box<dyn ImageWriter>>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let made = volume.scales_made()?;
    let grids = volume.scales().grids().iter().take(made);
    let infos = grids
        .enumerate()
        .map(|(scale, grid)| {
            let image = volume.properties().image(scale, grid.shape())?;
            counted_in_elements(image, &volume.scales().total_factors(scale)?)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut before = 0;
    for (scale, mut writer) in create(&infos)?.into_iter().enumerate() {
        let store = chunks.scale(scale)?;
        let bounds = store.grid().bounds();
        write_slabs(store, &bounds, &mut *writer, &mut |done| watch(before + done))?;
        writer.finish()?;
        before += bounds.shape()[0];
    }
    Ok(())
}

/// Axes whose spacing isn't known have that of the elements of full resolution, in these, so that the scales of a file fit each other.
fn counted_in_elements(image: ImageInfo, factors: &[u64]) -> Result<ImageInfo> {
    let axes = image.axes().iter().zip(factors);
    #[allow(clippy::cast_precision_loss, reason = "a spacing is a measure")]
    let axes = axes
        .map(|(axis, factor)| ImageAxis { spacing: axis.spacing.or(Some(*factor as f64)), ..axis.clone() });
    let axes = axes.collect();
    image.with_axes(axes)
}

fn write_slabs(
    store: &dyn ChunkStore,
    region: &Region,
    writer: &mut dyn ImageWriter,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let (grid, info) = (store.grid(), writer.info().clone());
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
        read_region(store, &slab, &mut buffer[..bytes])?;
        writer.write_slab(&buffer[..bytes])?;
        done += slices;
        watch(done)?;
        start = row_end;
    }
    Ok(())
}
