//! Volumes that become images, a row of chunks at a time.

use chunks::{MultiscaleStore, Region, read_region, zeroed};
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
    writer.finish()
}
