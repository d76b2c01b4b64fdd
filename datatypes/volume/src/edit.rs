//! Changes of a volume that its coarser scales follow.

use std::collections::BTreeSet;

use chunks::{ChunkStore, Coords, MultiscaleStore, Region, write_region, zeroed};
use downres::{Downscaler, Mutation, NoJournal, Reducer, WatchScales, recompute, recompute_chunks};
use engine_api::key::VersionId;
use engine_api::{Error, ErrorKind, Result, Store};

use crate::export::Watch;
use crate::formats::ImageReader;
use crate::import::{ScaleChoice, ended_early, make_scales};
use crate::progress::WatchImport;
use crate::properties::Properties;
use crate::versioned::Volume;
use crate::volume_at::VolumeAt;

/// Writes a region at full resolution, from `data` in C order, and then all coarser scales that are made at the version.
///
/// Full resolution is one atomic batch, and each scale another. Others may write at the same time; no part of a coarser
/// scale is lost to them.
///
/// # Errors
/// Those of [`write_region`]. After an error at a coarser scale, full resolution is written, and
/// [`downres_volume`] of the region brings the others after it.
pub fn edit_region<S: Store>(volume: &VolumeAt<'_, S>, region: &Region, data: &[u8]) -> Result<()> {
    let made = volume.made_alone()?;
    if made.scale_count() == 1 {
        return write_region(volume, region, data);
    }
    let reducer = made.properties().reducer();
    let downscaler = Downscaler::new(made, reducer);
    let mutation = Mutation::new(&downscaler, 0)?;
    mutation.region_mutated(region)?;
    write_region(volume, region, data)?;
    mutation.execute()
}

/// Writes an image into a volume, its first element at `offset`, as one atomic batch, and then all coarser scales.
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
    edit_region(volume, &region, &data)?;
    Ok(region)
}

/// Makes coarser scales anew, of a region of full resolution, from scale `first` on: of a part, those that are made at the
/// version; of the whole from scale 1 on, all, which then are.
///
/// # Errors
/// As [`recompute`]; `ReadOnly` when the version is committed.
pub fn downres_volume<S: Store>(
    volume: &VolumeAt<'_, S>,
    region: &Region,
    first: usize,
    watch: &mut WatchScales<'_>,
) -> Result<()> {
    let reducer = volume.properties().reducer();
    if *region != volume.grid().bounds() || first != 1 {
        return recompute(&volume.made_alone()?, reducer, region, first, watch);
    }
    recompute(volume, reducer, region, first, watch)?;
    volume.note_scales()
}

/// Makes those chunks of coarser scales anew whose full resolution differs from that of another version, and those that
/// are in conflict; answers how many there were.
///
/// After a merge, with the first of the merged versions, it makes all coarser scales fit: what is unlike the first was
/// brought by the others. The index of labels is made to fit too, where chunks are unlike any of the version's parents. It
/// costs what has changed.
///
/// # Errors
/// `Conflict` when full resolution is in conflict too, which is for people to resolve first; `ReadOnly` when the version
/// is committed.
pub fn downres_since<S: Store>(volume: &VolumeAt<'_, S>, before: VersionId) -> Result<u64> {
    let volume = &volume.made_alone()?;
    let scales = volume.scales();
    let mut changed = volume.changed_since(before)?;
    if volume.properties().labels {
        let mut unlike: BTreeSet<Coords> = changed.iter().copied().collect();
        for parent in volume.parents()? {
            unlike.extend(volume.changed_since(parent)?);
        }
        volume.reindex(&unlike)?;
    }
    let mut made = 0;
    for scale in 1..scales.len() {
        let mut parents = volume.chunks_in_conflict(scale)?;
        for chunk in &changed {
            parents.insert(scales.parent(scale, chunk)?);
        }
        let parents: Vec<Coords> = parents.into_iter().collect();
        recompute_chunks(volume, volume.properties().reducer(), scale, &parents)?;
        made += parents.len();
        changed = parents.into_iter().collect();
    }
    Ok(u64::try_from(made).unwrap_or(u64::MAX))
}

/// Gives a volume coarser scales behind those that it has, and makes them at an open version.
///
/// They are there at this version and its descendants; elsewhere [`scales_made`](VolumeAt::scales_made) says that they
/// aren't.
///
/// # Errors
/// `InvalidArgument` and `TooLarge` as [`Scales::new`](chunks::Scales::new); `ReadOnly` when the version is committed.
pub fn add_scales<S: Store>(
    volume: &mut Volume<'_, S>,
    version: VersionId,
    scales: &ScaleChoice,
    reducer: Option<Reducer>,
    watch: &mut WatchImport<'_>,
) -> Result<()> {
    let before = volume.properties().clone();
    let factors = scales.factors(before.grid)?;
    let reducer = reducer.or(before.reducer);
    volume.set_properties(Properties { factors, reducer, ..before })?;
    let at = volume.at(version);
    if at.scales_made()? > 1 {
        // Chunks that there are, and shouldn't be, have to go.
        return downres_volume(&at, &at.grid().bounds(), 1, &mut |progress| watch(progress.into()));
    }
    make_scales(&at, None, &NoJournal, watch)
}
