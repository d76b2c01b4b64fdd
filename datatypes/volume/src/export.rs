//! Volumes that become images, a row of chunks at a time.

use chunks::{ChunkStore, MultiscaleStore, Region, read_region, zeroed};
use engine_api::{Result, Store};

use crate::formats::{ImageInfo, ImageWriter};
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
    (scale, region): (usize, &Region),
    create: impl FnOnce(&ImageInfo) -> Result<Box<dyn ImageWriter>>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let store = volume.scale(scale)?;
    let grid = store.grid();
    grid.check_region(region)?;
    let info = volume.properties().image(scale, region.shape())?;
    let mut writer = create(&info)?;
    export_chunks(store, region, u64::MAX, &mut *writer, watch)?;
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
    let made = volume.scales_made()?;
    let grids = volume.scales().grids().iter().take(made);
    let infos = grids
        .enumerate()
        .map(|(scale, grid)| volume.properties().image(scale, grid.shape()))
        .collect::<Result<Vec<_>>>()?;
    let mut before = 0;
    for (scale, mut writer) in create(&infos)?.into_iter().enumerate() {
        let store = volume.scale(scale)?;
        let bounds = store.grid().bounds();
        export_chunks(store, &bounds, u64::MAX, &mut *writer, &mut |done| watch(before + done))?;
        writer.finish()?;
        before += bounds.shape()[0];
    }
    Ok(())
}

/// Writes a region of an array in chunks to an image of its shape, of which `memory` bytes are read at once, or one slice;
/// chunks are read once where a row of them takes no more.
///
/// # Errors
/// `InvalidArgument` when the region is out of the array's bounds; what the store and the writer answer.
pub fn export_chunks(
    store: &dyn ChunkStore,
    region: &Region,
    memory: u64,
    writer: &mut dyn ImageWriter,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let (grid, info) = (store.grid(), writer.info().clone());
    grid.check_region(region)?;
    let slice = u64::try_from(info.slice_bytes()?).unwrap_or(u64::MAX);
    let rows = grid.chunk_shape().first().copied().unwrap_or(1).min(memory / slice.max(1)).max(1);
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
