//! Commits as objects: which there are, and putting the next one.

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::error::{Error, Result};
use crate::io::Io;
use crate::manifest::{Manifest, checksum};
use crate::names::Names;

/// The commits that there are, the oldest first.
pub(crate) async fn list_commits(io: &Io, names: &Names) -> Result<Vec<(u64, ObjectMeta)>> {
    let listed: Vec<ObjectMeta> = io.store.list(Some(&names.commits())).try_collect().await?;
    let numbered = listed.into_iter().map(|meta| (names.commit_number(&meta.location), meta));
    let mut commits: Vec<_> =
        numbered.filter_map(|(number, meta)| number.map(|number| (number, meta))).collect();
    commits.sort_unstable_by_key(|(number, _)| *number);
    Ok(commits)
}

/// The number of the newest commit, or 0 before the first.
pub(crate) async fn newest_commit(io: &Io, names: &Names) -> Result<u64> {
    Ok(list_commits(io, names).await?.last().map_or(0, |(number, _)| *number))
}

/// How often a put is made again that was refused where nothing is.
const REFUSED_PUTS: usize = 8;

/// Puts a manifest where no other is.
///
/// # Errors
/// `Conflict` when another writer's is there, or newer ones.
pub(crate) async fn put_commit(io: &Io, names: &Names, commit: u64, manifest: &Bytes) -> Result<()> {
    let path = names.manifest(commit);
    let base = commit.saturating_sub(1);
    for _ in 0..REFUSED_PUTS {
        let put = io.put_new(&path, manifest.clone().into()).await;
        if put.as_ref().is_ok_and(|put| *put) {
            return check_newest(io, names, commit, checksum(manifest)).await;
        }
        // The answer may have been lost, and not the request: what is there decides.
        match (io.object(&path).await, put) {
            (Ok(Some(there)), _) if there == *manifest => {
                return check_newest(io, names, commit, checksum(manifest)).await;
            }
            (Ok(Some(_)), _) => {
                return Err(Error::Conflict { base, newest: newest_commit(io, names).await?.max(commit) });
            }
            (_, Err(error)) | (Err(error), _) => return Err(error),
            // What refused it is gone, or was a put under way that failed, as S3 says with 409.
            (Ok(None), Ok(_)) => {}
        }
    }
    Err(Error::Conflict { base, newest: newest_commit(io, names).await?.max(base) })
}

/// A name that is free may have been that of a commit that was swept away since: then there are newer ones, and
/// this one came too late. It didn't where the next commit was made on it, as `checksum`, that of its manifest, says.
pub(crate) async fn check_newest(io: &Io, names: &Names, commit: u64, checksum: u32) -> Result<()> {
    let newest = newest_commit(io, names).await?;
    if newest <= commit {
        return Ok(());
    }
    let next = io.object(&names.manifest(commit.saturating_add(1))).await?;
    if next.is_some_and(|next| Manifest::decode(&next).is_ok_and(|next| next.base == checksum)) {
        return Ok(());
    }
    let listed = io.object(&names.manifest(newest)).await?.is_some();
    if listed {
        io.store.delete(&names.manifest(commit)).await?;
    }
    Err(Error::Conflict { base: commit.saturating_sub(1), newest })
}
