//! Coarser scales that follow the finer.

use std::collections::BTreeMap;
use std::fmt;

use chunks::{Coords, DerivedChunks, MultiscaleStore, ScaleReader, Scales};
use engine_api::{Error, ErrorKind, Result};

use crate::Reducer;
use crate::coarse_chunk::CoarseChunks;
use crate::recompute::made_from_nothing;
use crate::updater::Updater;

/// Brings a coarser scale up to date with the finer, step by step: what [`Mutation`](crate::Mutation) calls.
pub trait Downreser: Send + Sync + fmt::Debug {
    /// The scales.
    fn scales(&self) -> &Scales;

    /// Where updates under way are counted.
    fn updater(&self) -> &Updater;

    /// Makes those parts of a scale anew that come from chunks of the scale before, as they are stored now, in one
    /// atomic batch; answers the chunks of this scale that were made.
    ///
    /// # Contract
    /// - What lands is made from what is stored beside it, whoever else writes at the time: two calls that share
    ///   a chunk don't lose each other's parts of it.
    /// - A chunk of the scale before that isn't stored, because it was deleted or is all fill value, counts as
    ///   fill value; a chunk with nothing else is removed.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale but 0, or a chunk is out of bounds; `TooLarge` when the batch is
    /// over the store's limits; `Conflict` when a chunk that is read is in conflict between versions.
    fn downres(&self, scale: usize, changed: &[Coords]) -> Result<Vec<Coords>>;
}

/// A [`Downreser`] of any [`MultiscaleStore`], by one [`Reducer`].
#[derive(Debug)]
pub struct Downscaler<M> {
    store: M,
    reducer: Reducer,
    updater: Updater,
}

impl<M: MultiscaleStore> Downscaler<M> {
    /// Of a store, by a reducer.
    pub fn new(store: M, reducer: Reducer) -> Self {
        let updater = Updater::new(store.scales().len());
        Self { store, reducer, updater }
    }

    /// The same, with an updater that others share: other handles of the same array.
    #[must_use]
    pub fn with_updater(self, updater: Updater) -> Self {
        Self { updater, ..self }
    }

    /// The store.
    pub fn store(&self) -> &M {
        &self.store
    }

    /// The reducer.
    pub fn reducer(&self) -> Reducer {
        self.reducer
    }
}

impl<M: MultiscaleStore> Downreser for Downscaler<M> {
    fn scales(&self) -> &Scales {
        self.store.scales()
    }

    fn updater(&self) -> &Updater {
        &self.updater
    }

    fn downres(&self, scale: usize, changed: &[Coords]) -> Result<Vec<Coords>> {
        let scales = self.store.scales();
        let Some(finer) = scale.checked_sub(1) else {
            return Err(made_from_nothing());
        };
        let mut parents: BTreeMap<Coords, Vec<Coords>> = BTreeMap::new();
        for child in changed {
            if scales.grid(finer)?.clipped_region(child)?.is_none() {
                return Err(Error::new(ErrorKind::InvalidArgument, "the chunk is out of bounds")
                    .with("chunk", child)
                    .with("scale", finer));
            }
            parents.entry(scales.parent(scale, child)?).or_default().push(*child);
        }
        let coarse = CoarseChunks::new(scales, scale, self.reducer)?;
        let made = parents.keys().copied().collect();
        self.store.derive(scale, &Updated { coarse, parents: parents.into_iter().collect() })?;
        Ok(made)
    }
}

/// Chunks of which some children have changed.
struct Updated<'a> {
    coarse: CoarseChunks<'a>,
    parents: Vec<(Coords, Vec<Coords>)>,
}

impl DerivedChunks for Updated<'_> {
    fn len(&self) -> usize {
        self.parents.len()
    }

    fn coords(&self, index: usize) -> Coords {
        self.parents[index].0
    }

    fn make(&self, index: usize, stored: &dyn ScaleReader, out: &mut [u8]) -> Result<()> {
        let (chunk, changed) = &self.parents[index];
        let scale = self.coarse.scale();
        let read = &mut |child: &Coords, data: &mut [u8]| stored.read_chunk(scale - 1, child, data);
        if !self.coarse.is_aligned() || changed.len() == self.coarse.children(chunk)?.len() {
            return self.coarse.make(chunk, read, out);
        }
        match stored.read_chunk(scale, chunk, out) {
            Ok(_) => self.coarse.update(chunk, changed, read, out),
            // Versions that were merged have made it differently: their children decide.
            Err(error) if error.kind() == ErrorKind::Conflict && error.field("versions").is_some() => {
                self.coarse.make(chunk, read, out)
            }
            Err(error) => Err(error),
        }
    }
}
