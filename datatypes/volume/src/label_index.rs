//! The labels of a volume at a version.

use std::collections::{BTreeMap, BTreeSet};

use chunks::{ChunkStore, Coords};
use engine_api::version::{Flow, OrderedKeyValue};
use engine_api::{Error, ErrorKind, Fetch, Result, Store};

use crate::keys::{label_of_key, label_range};
use crate::labels::{Counts, LabelSize, LabelVisitor, count_labels, voxels_of};
use crate::scale_at::repeat;
use crate::volume_at::VolumeAt;

impl<S: Store> VolumeAt<'_, S> {
    /// Calls `visit` with each label that the volume holds, with its voxels; background isn't among them.
    ///
    /// # Errors
    /// `InvalidArgument` when the volume isn't one of labels; `Conflict` when a chunk with a label is in conflict.
    pub fn labels(&self, visit: &mut LabelVisitor<'_>) -> Result<()> {
        let mut last: Option<LabelSize> = None;
        let mut flow = Flow::Continue(());
        self.visit_index(None, &mut |label, _, voxels| {
            match &mut last {
                Some(size) if size.label == label => {
                    size.voxels += voxels;
                    size.chunks += 1;
                }
                _ => {
                    if let Some(size) = last.replace(LabelSize { label, voxels, chunks: 1 }) {
                        flow = visit(size)?;
                    }
                }
            }
            Ok(flow)
        })?;
        match last {
            Some(size) if flow.is_continue() => visit(size).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The chunks that hold a label, in C order, with the number of its voxels in each.
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    pub fn chunks_of_label(&self, label: u64) -> Result<Vec<(Coords, u64)>> {
        let mut chunks = Vec::new();
        self.visit_index(Some(label), &mut |_, chunk, voxels| {
            chunks.push((chunk, voxels));
            Ok(Flow::Continue(()))
        })?;
        Ok(chunks)
    }

    /// Makes the index of labels fit some chunks, as they are stored: after a conflict of theirs was settled key by key.
    ///
    /// # Errors
    /// `InvalidArgument` when the volume isn't one of labels; `Conflict` when one of the chunks is in conflict;
    /// `ReadOnly` when the version is committed.
    pub fn reindex(&self, chunks: &BTreeSet<Coords>) -> Result<()> {
        self.check_labels()?;
        if chunks.is_empty() {
            return Ok(());
        }
        let mut indexed: BTreeMap<Coords, BTreeMap<u64, Option<u64>>> = BTreeMap::new();
        self.store.visit(&self.ctx, &label_range(None), Fetch::Entries, &mut |tkey, resolved| {
            let (label, chunk) = label_of_key(tkey)?;
            if chunks.contains(&chunk) && resolved.is_visible() {
                // What is in conflict counts as wrong.
                let voxels = resolved.into_value().ok().flatten().and_then(|value| voxels_of(&value).ok());
                indexed.entry(chunk).or_default().insert(label, voxels);
            }
            Ok(Flow::Continue(()))
        })?;
        for chunk in chunks {
            let of_chunk = indexed.remove(chunk).unwrap_or_default();
            repeat(&mut || self.full().reindex(chunk, &of_chunk))?;
        }
        Ok(())
    }

    /// The chunks of full resolution whose labels the index has otherwise, in C order.
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    pub fn chunks_misindexed(&self) -> Result<Vec<Coords>> {
        let mut indexed: BTreeMap<Coords, Counts> = BTreeMap::new();
        self.visit_index(None, &mut |label, chunk, voxels| {
            indexed.entry(chunk).or_default().insert(label, voxels);
            Ok(Flow::Continue(()))
        })?;
        let mut wrong = BTreeSet::new();
        let mut data = vec![0; self.grid().chunk_bytes()];
        for chunk in chunks::stored_chunks(self)? {
            self.read_chunk(&chunk, &mut data)?;
            if indexed.remove(&chunk).unwrap_or_default() != count_labels(self.grid(), &chunk, &data)? {
                wrong.insert(chunk);
            }
        }
        // What the index has of chunks that aren't stored.
        wrong.extend(indexed.into_keys());
        Ok(wrong.into_iter().collect())
    }

    fn check_labels(&self) -> Result<()> {
        if self.properties().labels {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidArgument, "the volume isn't one of labels"))
    }

    fn visit_index(
        &self,
        label: Option<u64>,
        visit: &mut dyn FnMut(u64, Coords, u64) -> Result<Flow>,
    ) -> Result<()> {
        self.check_labels()?;
        self.store.visit(&self.ctx, &label_range(label), Fetch::Entries, &mut |tkey, resolved| {
            let (label, chunk) = label_of_key(tkey)?;
            match resolved.into_value().map_err(|error| error.with("label", label).with("chunk", chunk))? {
                Some(value) => visit(label, chunk, voxels_of(&value)?),
                None => Ok(Flow::Continue(())),
            }
        })
    }
}
