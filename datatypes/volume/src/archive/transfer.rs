//! Chunks of a committed version on their way to an archive, and back.
//!
//! The archive is recorded first, then written, then forced to the disk; only then a chunk's frame is replaced by a reference,
//! on the condition that it is still the frame that was compared with what the archive has. So a chunk is whole in
//! one place at any time, and what was cut short goes on.

use std::path::{Path, absolute};

use chunks::{Coords, Grid, decode_chunk, encode_frame, reference_frame};
use engine_api::key::{DataContext, DataKey, Mark, VersionId};
use engine_api::version::{Flow, OrderedKeyValue};
use engine_api::{Durability, Error, ErrorKind, Result, Store, WriteBatch};
use uuid::Uuid;

use super::{Archive, Archives, Reference, format};
use crate::keys::{chunk_of_key, chunk_range};
use crate::versioned::Volume;

/// The bytes of chunks that go at once.
const BATCH_BYTES: usize = 16 << 20;

/// Called with how many chunks are done, and of how many; an error from it ends the work and is returned.
pub type WatchTransfer<'a> = dyn FnMut(u64, u64) -> Result<()> + 'a;

/// What was brought to an archive, or back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// The chunks that were, at all scales.
    pub chunks: u64,
    /// The bytes that their frames take in the store.
    pub bytes: u64,
}

impl<S: Store> Volume<'_, S> {
    /// Brings the chunks that were written at a committed version to an archive, at all scales; the store keeps
    /// references to them. Every read answers as before, at every version, for as long as the archive is there.
    ///
    /// The archive is for that version alone, and gone on with where it was cut short. A copy, a clone or a bundle of
    /// the store has the references and not the archive.
    ///
    /// # Errors
    /// `InvalidArgument` when the version isn't committed; `AlreadyExists` when something else is at the path;
    /// `NotFound` when nothing was written at the version; `Unsupported` for a format that isn't linked, or that can't
    /// keep the volume; `Conflict` when somebody else changes what is stored meanwhile; those of the store and of the archive.
    pub fn archive(
        &mut self,
        version: VersionId,
        kind: &str,
        path: &Path,
        watch: &mut WatchTransfer<'_>,
    ) -> Result<Transferred> {
        let record = self.store().dag()?.version(version)?.clone();
        if record.committed.is_none() {
            return Err(Error::new(ErrorKind::InvalidArgument, "only what is committed can be archived")
                .with("version", record.uuid));
        }
        let keeper = format(kind)?;
        self.scales().grids().iter().try_for_each(|grid| keeper.check(grid))?;
        let ahead = self.frames(Some(version), &|found| found.is_none())?;
        if ahead.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the store has no chunk that was written at the version",
            )
            .with("version", record.uuid));
        }
        let archive = self.note_archive(kind, path, record.uuid)?;
        let path = Path::new(&archive.path);
        let total = wide(ahead.len()).saturating_mul(2);
        let mut done = 0;
        for scale in ahead.chunk_by(|a, b| a.scale == b.scale) {
            let grid = *self.scales().grid(scale[0].scale.into())?;
            let writer = keeper.write(path, scale[0].scale.into(), &grid)?;
            for batch in scale.chunks(per_batch(&grid)) {
                let mut chunks = Vec::with_capacity(batch.len());
                for place in batch {
                    let mut data = vec![0; grid.chunk_bytes()];
                    if let Some(frame) = self.store().get_raw(&place.key)? {
                        decode_chunk(&grid, &place.chunk, &frame, &mut data)?;
                        chunks.push((place.chunk, data));
                    }
                }
                writer.chunks().write_chunks(&chunks)?;
                done += wide(batch.len());
                watch(done, total)?;
            }
            writer.close()?;
        }
        let mut moved = Transferred::default();
        let (mut data, mut kept) = (Vec::new(), Vec::new());
        for scale in ahead.chunk_by(|a, b| a.scale == b.scale) {
            let grid = *self.scales().grid(scale[0].scale.into())?;
            let reader = keeper.read(path, scale[0].scale.into(), &grid)?;
            data.resize(grid.chunk_bytes(), 0);
            kept.resize(grid.chunk_bytes(), 0);
            for batch in scale.chunks(per_batch(&grid)) {
                let mut changes = WriteBatch::new();
                for place in batch {
                    let Some(frame) = self.store().get_raw(&place.key)? else { continue };
                    if Reference::of_frame(&frame, &grid)?.is_some() {
                        continue;
                    }
                    decode_chunk(&grid, &place.chunk, &frame, &mut data)?;
                    if !reader.read_chunk(&place.chunk, &mut kept)? || kept != data {
                        return Err(Error::new(
                            ErrorKind::Corrupt,
                            "the archive hasn't what was written to it",
                        )
                        .with("archive", &archive.path)
                        .with("chunk", place.chunk));
                    }
                    let reference = Reference::new(archive.id, &data).bytes();
                    let reference = reference_frame(grid.element_size(), grid.chunk_bytes(), &reference)?;
                    let key = place.key.encode();
                    moved.chunks += 1;
                    moved.bytes += wide(frame.len());
                    changes.require_equals(&key, frame).put(&key, reference);
                }
                self.store().store().commit(&changes, Durability::Relaxed)?;
                done += wide(batch.len());
                watch(done, total)?;
            }
        }
        self.store().store().flush()?;
        Ok(moved)
    }

    /// Brings the chunks back that an archive has, at all versions that refer to it, and forgets the archive, which stays
    /// where it is.
    ///
    /// # Errors
    /// `NotFound` when the volume has no archive of this path; those of the archive and of the store. What is back
    /// then is, and it is gone on with.
    pub fn restore(&mut self, path: &Path, watch: &mut WatchTransfer<'_>) -> Result<Transferred> {
        let path = full_path(path)?;
        let archive = self.properties().archives.iter().find(|archive| archive.path == path).cloned();
        let archive = archive.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the volume has no archive there").with("path", &path)
        })?;
        let codec = self.properties().codec;
        // A squash may have brought the references to another version than the archive's.
        let ahead = self.frames(None, &|found| found.is_some_and(|found| found.archive == archive.id))?;
        let archives = Archives::new(vec![archive.clone()]);
        let mut back = Transferred::default();
        for scale in ahead.chunk_by(|a, b| a.scale == b.scale) {
            let grid = *self.scales().grid(scale[0].scale.into())?;
            let mut data = vec![0; grid.chunk_bytes()];
            for batch in scale.chunks(per_batch(&grid)) {
                let mut changes = WriteBatch::new();
                for place in batch {
                    let Some(reference) = self.store().get_raw(&place.key)? else { continue };
                    let none = || Ok(Vec::new());
                    archives.decode((place.scale, &grid), &place.chunk, &reference, &mut data, &none)?;
                    let frame = encode_frame(codec, grid.element_size(), &data)?;
                    let key = place.key.encode();
                    back.chunks += 1;
                    back.bytes += wide(frame.len());
                    changes.require_equals(&key, reference).put(&key, frame);
                }
                self.store().store().commit(&changes, Durability::Relaxed)?;
                watch(back.chunks, wide(ahead.len()))?;
            }
        }
        // From here on the archive may be deleted.
        self.store().store().flush()?;
        self.set_archives(|archives| archives.retain(|other| other.id != archive.id))?;
        Ok(back)
    }

    /// Records an archive, unless it is one that was begun before.
    fn note_archive(&mut self, kind: &str, path: &Path, version: Uuid) -> Result<Archive> {
        let taken = path.exists();
        let path = full_path(path)?;
        let known = self.properties().archives.iter().find(|archive| archive.path == path);
        if let Some(known) = known
            && known.version == version
            && known.format == kind
        {
            return Ok(known.clone());
        }
        if taken || known.is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists, "the archive needs a path of its own")
                .with("path", path));
        }
        let archive = Archive { id: Uuid::new_v4(), format: kind.to_owned(), path, version };
        self.set_archives(|archives| archives.push(archive.clone()))?;
        Ok(archive)
    }

    /// The chunks that were written at exactly this version, or at any, by scale, whose frames' references are as wanted.
    fn frames(
        &self,
        version: Option<VersionId>,
        wanted: &dyn Fn(Option<Reference>) -> bool,
    ) -> Result<Vec<Place>> {
        let root = self.store().dag()?.repo(self.instance().repo)?.root;
        let ctx = DataContext::versioned(self.instance().id, root);
        let mut places = Vec::new();
        self.store().visit_raw(&ctx, &chunk_range(), &mut |key, frame| {
            if version.is_none_or(|version| key.version == version) && key.mark == Mark::Data {
                let (scale, chunk) = chunk_of_key(&key.tkey)?;
                let grid = self.scales().grid(scale.into())?;
                if wanted(Reference::of_frame(frame.bytes()?, grid)?) {
                    places.push(Place { scale, chunk, key: key.clone() });
                }
            }
            Ok(Flow::Continue(()))
        })?;
        Ok(places)
    }
}

/// A chunk's entry at a version.
struct Place {
    scale: u8,
    chunk: Coords,
    key: DataKey,
}

fn per_batch(grid: &Grid) -> usize {
    (BATCH_BYTES / grid.chunk_bytes().max(1)).clamp(1, 1024)
}

/// The path from the root, so that it is found from everywhere.
fn full_path(path: &Path) -> Result<String> {
    let full = absolute(path).map_err(|error| Error::from_io(error, "the path can't be resolved"))?;
    full.into_os_string().into_string().map_err(|path| {
        Error::new(ErrorKind::InvalidArgument, "the path of an archive is UTF-8")
            .with("path", format_args!("{}", path.display()))
    })
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
