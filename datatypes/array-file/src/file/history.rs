//! Commits of the past, and what is pending on top of one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use object_store::{ObjectStore, PutMode};

use super::ArrayFile;
use super::open::newest_snapshot;
use crate::array::Array;
use crate::catalog::Catalog;
use crate::commits::{list_commits, newest_commit};
use crate::coord::Coord;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::locate::{Found, locate, locate_all, mentioned};
use crate::manifest::LayerRef;
use crate::snapshot::Snapshot;

/// A commit that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitInfo {
    /// Its number.
    pub commit: u64,
    /// When it was made, by the store's clock.
    pub made: SystemTime,
    /// The names of the snapshots of it.
    pub snapshots: Vec<String>,
}

impl ArrayFile {
    /// The commits that can be opened by [`open_at`](Self::open_at), the oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn commits(&self) -> Result<Vec<CommitInfo>> {
        let listed = list_commits(&self.io, &self.names).await?;
        let commits = listed.into_iter().map(|(commit, meta)| {
            let named = self.snapshots.iter().filter(|(_, of)| *of == commit);
            let snapshots = named.map(|(name, _)| name.clone()).collect();
            CommitInfo { commit, made: meta.last_modified.into(), snapshots }
        });
        Ok(commits.collect())
    }

    /// The snapshots, by name, with the commits they are of, after what is pending.
    pub fn snapshots(&self) -> &[(String, u64)] {
        &self.snapshots
    }

    /// Names the commit that is open, so that no sweep removes it. Like everything else it counts from the next
    /// flush on.
    ///
    /// # Errors
    /// `InvalidValue` when there is a snapshot of this name; `CommitNotFound` before the first commit.
    pub fn create_snapshot(&mut self, name: &str) -> Result<()> {
        self.check_writable()?;
        if self.committed.commit == 0 {
            return Err(Error::CommitNotFound { commit: "0".to_owned() });
        }
        if self.snapshots.iter().any(|(taken, _)| taken == name) {
            return Err(Error::invalid("there is a snapshot of this name already", name));
        }
        self.snapshots.push((name.to_owned(), self.committed.commit));
        self.snapshots.sort_unstable();
        self.pending.catalog = true;
        Ok(())
    }

    /// Takes a name from a commit, which a sweep may then remove.
    ///
    /// # Errors
    /// `CommitNotFound` when there is no snapshot of this name.
    pub fn delete_snapshot(&mut self, name: &str) -> Result<()> {
        self.check_writable()?;
        let at = self.snapshots.iter().position(|(taken, _)| taken == name);
        let at = at.ok_or_else(|| Error::CommitNotFound { commit: name.to_owned() })?;
        self.snapshots.remove(at);
        self.pending.catalog = true;
        Ok(())
    }

    /// Puts what is pending on top of the newest commit, after a `Conflict`; answers that commit's number.
    ///
    /// It works where nothing of what is pending was changed by the others: no chunk, no array's metadata, no
    /// snapshot of the same name, and not both defined arrays; and where neither has resized or deleted an
    /// array that the other has written to.
    ///
    /// # Errors
    /// `Conflict` where the same was changed, also where a compaction has moved a chunk; what is pending is as
    /// it was. `LayerGone` when a sweep has removed what this writer had put into the store already.
    pub async fn rebase(&mut self) -> Result<u64> {
        self.check_writable()?;
        self.settle_attempts().await?;
        let newest = newest_commit(&self.io, &self.names).await?;
        if newest == self.committed.commit {
            return Ok(newest);
        }
        let path = self.path();
        let theirs = newest_snapshot(&self.io, &self.names, &path).await?;
        let conflict = || Error::Conflict { base: self.committed.commit, newest: theirs.commit };
        let catalog = merged_catalog(&self.committed.catalog, &self.catalog, &theirs.catalog);
        let catalog = catalog.ok_or_else(conflict)?;
        let both_defined =
            self.next_array > self.committed.next_array && theirs.next_array > self.committed.next_array;
        let snapshots = merged_names(&self.committed.snapshots, &self.snapshots, &theirs.snapshots);
        let snapshots = snapshots.filter(|_| !both_defined).ok_or_else(conflict)?;
        for array in self.catalog.iter() {
            if self.has_changed_chunks(array, &theirs).await? {
                return Err(conflict());
            }
        }
        for array in self.committed.catalog.iter() {
            if self.has_lost_its_ground(array, &theirs).await? {
                return Err(conflict());
            }
        }
        let mut spilled = Vec::new();
        let mut free = theirs.next_layer;
        for layer in &self.pending.spilled {
            let layer = self.renumber(layer, free).await?;
            free = layer.reference.number.saturating_add(1);
            spilled.push(layer);
        }
        self.pending.spilled = spilled;
        self.next_array = self.next_array.max(theirs.next_array);
        self.catalog = catalog;
        self.snapshots = snapshots;
        self.pending.catalog = true;
        *self.stats.get_mut() = super::KnownStats::default();
        self.attempts.clear();
        self.committed = theirs;
        Ok(newest)
    }

    /// Whether any chunk that is pending is another in a newer commit than in the one that it was pending on.
    async fn has_changed_chunks(&self, array: &Array, theirs: &Snapshot) -> Result<bool> {
        let mut pending: BTreeSet<Coord> =
            self.pending.of_array(array.meta.id).map(|(coord, _)| coord.clone()).collect();
        pending.extend(mentioned(&self.io, &self.pending.spilled, array).await?);
        let coords: Vec<Coord> = pending.into_iter().collect();
        if coords.is_empty() {
            return Ok(false);
        }
        let place = |layers: &[Arc<Layer>], found: Vec<Option<Found>>| -> Vec<_> {
            let number = |found: Found| (layers[found.layer].reference.number, found.chunk);
            found.into_iter().map(|found| found.map(number)).collect()
        };
        let before = locate(&self.io, &self.committed.layers, array, &coords).await?;
        let after = locate(&self.io, &theirs.layers, array, &coords).await?;
        Ok(place(&self.committed.layers, before) != place(&theirs.layers, after))
    }

    /// Whether what is pending of an array was made for another shape of it than a newer commit has, or the
    /// other way round.
    async fn has_lost_its_ground(&self, base: &Array, theirs: &Snapshot) -> Result<bool> {
        let same = |catalog: &Catalog| {
            let found = catalog.get(&base.meta.name);
            found.is_ok_and(|array| (array.meta.id, &array.meta.shape) == (base.meta.id, &base.meta.shape))
        };
        let (ours_is_same, theirs_is_same) = (same(&self.catalog), same(&theirs.catalog));
        if !theirs_is_same {
            // Nothing of ours may be pending in an array that they have resized or deleted.
            return Ok(self.pending.touched.contains(&base.meta.id));
        }
        if ours_is_same {
            return Ok(false);
        }
        // Nothing of theirs may be new in an array that we have resized or deleted.
        let before = locate_all(&self.io, &self.committed.layers, base).await?;
        let after = locate_all(&self.io, &theirs.layers, base).await?;
        let place = |layers: &[Arc<Layer>], (coord, found): (Coord, Found)| {
            (coord, layers[found.layer].reference.number, found.chunk)
        };
        let before = before.into_iter().map(|found| place(&self.committed.layers, found));
        let after = after.into_iter().map(|found| place(&theirs.layers, found));
        Ok(!before.eq(after))
    }

    /// Gives a layer that was never committed a number that may be, if its own isn't: a commit may only name
    /// layers of the one before it, and new ones whose numbers that one hasn't given out.
    async fn renumber(&self, layer: &Arc<Layer>, free: u64) -> Result<Arc<Layer>> {
        let bytes = self.io.object(&layer.path).await?;
        let bytes = bytes.ok_or_else(|| Error::LayerGone { path: layer.path.to_string() })?;
        if layer.reference.number >= free {
            return Ok(Arc::clone(layer));
        }
        for number in free..free.saturating_add(10_000) {
            let path = self.names.layer(number);
            match self.io.store.put_opts(&path, bytes.clone().into(), PutMode::Create.into()).await {
                Ok(_) => {
                    let reference = LayerRef { number, ..layer.reference.clone() };
                    return Ok(Arc::new(Layer::new(reference, path)));
                }
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::LayerGone { path: layer.path.to_string() })
    }
}

/// The arrays after what two writers did; `None` where both changed the same.
fn merged_catalog(base: &Catalog, ours: &Catalog, theirs: &Catalog) -> Option<Catalog> {
    let names: BTreeSet<&str> = [base, ours, theirs]
        .into_iter()
        .flat_map(Catalog::iter)
        .map(|array| array.meta.name.as_str())
        .collect();
    let mut merged = Catalog::default();
    for name in names {
        let of = |catalog: &Catalog| catalog.get(name).ok().cloned();
        let meta = |array: &Option<Arc<Array>>| array.as_ref().map(|array| array.meta.clone());
        let (before, mine, other) = (of(base), of(ours), of(theirs));
        let (was, is, became) = (meta(&before), meta(&mine), meta(&other));
        let kept = if is == was || is == became {
            other
        } else if became == was {
            mine
        } else {
            return None;
        };
        if let Some(array) = kept {
            merged.put((*array).clone());
        }
    }
    Some(merged)
}

/// The snapshots after what two writers did; `None` where both changed the same.
fn merged_names(
    base: &[(String, u64)],
    ours: &[(String, u64)],
    theirs: &[(String, u64)],
) -> Option<Vec<(String, u64)>> {
    let names: BTreeSet<&String> = [base, ours, theirs].into_iter().flatten().map(|(name, _)| name).collect();
    let mut merged = Vec::new();
    for name in names {
        let of =
            |list: &[(String, u64)]| list.iter().find(|(taken, _)| taken == name).map(|(_, commit)| *commit);
        let (was, is, became) = (of(base), of(ours), of(theirs));
        let kept = match (is == was || is == became, became == was) {
            (true, _) => became,
            (false, true) => is,
            (false, false) => return None,
        };
        if let Some(commit) = kept {
            merged.push((name.clone(), commit));
        }
    }
    Some(merged)
}
