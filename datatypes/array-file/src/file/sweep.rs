//! Removing what no commit needs.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::ArrayFile;
use crate::commits::list_commits;
use crate::error::{Error, Result};
use crate::io::{CONCURRENCY, Io};
use crate::manifest::{CatalogAt, Manifest};
use crate::names::Names;

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Commits of the past.
    pub commits: usize,
    /// Layers that only they named, and those of writers that never committed.
    pub layers: usize,
    /// The layers' bytes.
    pub bytes: u64,
}

impl ArrayFile {
    /// Removes commits that were superseded longer than `grace` ago and aren't snapshots, and layers older than
    /// it that no commit names any more or ever did. What is pending is flushed first.
    ///
    /// Readers that have a removed commit open find [`LayerGone`](Error::LayerGone) where they go on. A writer
    /// that has put layers and not yet committed them finds `Conflict`. With a grace that is longer than what
    /// readers and writers take, none of them notices.
    ///
    /// # Errors
    /// `Conflict` when another writer commits at the same time, and `Corrupt` when a commit can't be read;
    /// nothing is removed then.
    pub async fn sweep(&mut self, grace: Duration) -> Result<Swept> {
        self.flush().await?;
        self.refresh().await?;
        let now = SystemTime::now();
        let is_old = |meta: &ObjectMeta| {
            now.duration_since(SystemTime::from(meta.last_modified)).unwrap_or_default() >= grace
        };
        let commits = list_commits(&self.io, &self.names).await?;
        let mut kept = Vec::new();
        let mut expired = Vec::new();
        for (at, (number, _)) in commits.iter().enumerate() {
            // A commit is superseded when the next one is made.
            let superseded = commits.get(at + 1).is_some_and(|(_, next)| is_old(next));
            let named = self.committed.snapshots.iter().any(|(_, commit)| commit == number);
            if superseded && !named { expired.push(*number) } else { kept.push(*number) }
        }
        if kept.last().is_some_and(|newest| *newest != self.committed.commit) {
            return Err(Error::Conflict {
                base: self.committed.commit,
                newest: kept.last().copied().unwrap_or_default(),
            });
        }
        let live = self.layers_of(&kept).await?;
        let once_live = self.layers_of(&expired).await.unwrap_or_default();
        let dead: Vec<(u64, ObjectMeta)> = list_layers(&self.io, &self.names)
            .await?
            .into_iter()
            .filter(|(number, meta)| !live.contains(number) && (once_live.contains(number) || is_old(meta)))
            .collect();
        self.fence(&dead).await?;
        let swept = Swept {
            commits: expired.len(),
            layers: dead.len(),
            bytes: dead.iter().map(|(_, layer)| layer.size).fold(0, u64::saturating_add),
        };
        // A commit that is there has its layers: they go when it is gone.
        let manifests = expired.into_iter().map(|commit| self.names.manifest(commit)).collect();
        delete_all(&self.io, manifests).await?;
        delete_all(&self.io, dead.into_iter().map(|(_, layer)| layer.location).collect()).await?;
        Ok(swept)
    }

    /// Makes it impossible for a writer to commit any of these layers: their numbers must not be below what the
    /// newest commit gives out next, so a commit that gives out higher ones shuts them out.
    async fn fence(&mut self, layers: &[(u64, ObjectMeta)]) -> Result<()> {
        let above = layers.iter().map(|(number, _)| number.saturating_add(1)).max().unwrap_or(0);
        if above <= self.committed.next_layer {
            return Ok(());
        }
        self.committed.next_layer = above;
        let catalog = match &self.committed.catalog_at {
            Some(at) => at.clone(),
            None => CatalogAt::Here(self.catalog.encode()?),
        };
        self.commit_layers(self.committed.layers.clone(), catalog).await
    }

    /// The layers that any of these commits names.
    async fn layers_of(&self, commits: &[u64]) -> Result<BTreeSet<u64>> {
        let reads: Vec<_> =
            commits.iter().map(|commit| layers_named(&self.io, &self.names, *commit)).collect();
        let named: Vec<Vec<u64>> = stream::iter(reads).buffer_unordered(CONCURRENCY).try_collect().await?;
        Ok(named.into_iter().flatten().collect())
    }
}

/// The layers that a commit names.
async fn layers_named(io: &Io, names: &Names, commit: u64) -> Result<Vec<u64>> {
    let path = names.manifest(commit);
    let bytes = io.object(&path).await?;
    let bytes = bytes.ok_or_else(|| Error::CommitNotFound { commit: commit.to_string() })?;
    let manifest = Manifest::decode(&bytes).map_err(|error| error.at(path.as_ref()))?;
    Ok(manifest.layers.iter().map(|layer| layer.number).collect())
}

/// The layers that there are, whether or not a commit names them.
async fn list_layers(io: &Io, names: &Names) -> Result<Vec<(u64, ObjectMeta)>> {
    let listed = io.store.list_with_delimiter(Some(names.folder())).await?;
    let numbered = listed.objects.into_iter();
    Ok(numbered.filter_map(|meta| names.layer_number(&meta.location).map(|number| (number, meta))).collect())
}

/// A number above those of all layers.
pub(super) async fn first_free_layer(io: &Io, names: &Names) -> Result<u64> {
    let layers = list_layers(io, names).await?;
    Ok(layers.iter().map(|(number, _)| number.saturating_add(1)).max().unwrap_or(1))
}

/// Deletes objects, some of which another sweep may have deleted.
async fn delete_all(io: &Io, paths: Vec<Path>) -> Result<()> {
    let mut deleted = io.store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
    while let Some(outcome) = deleted.next().await {
        match outcome {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
