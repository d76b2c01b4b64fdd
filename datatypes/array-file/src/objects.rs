//! The objects that a file is made of, as its store lists them: for tools that look at files which may be damaged.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::TryStreamExt;
use object_store::ObjectMeta;
use object_store::ObjectStore;

use crate::error::Result;
use crate::names::Names;

/// What an object is to its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ObjectRole {
    /// The object that exists for as long as the file does.
    Head,
    /// The manifest of the commit of this number.
    Commit(u64),
    /// The layer of this number.
    Layer(u64),
    /// The statistics of the newest commit.
    Statistics,
}

/// An object of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileObject {
    /// What it is to the file.
    pub role: ObjectRole,
    /// Its path in the store.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// When it was put, by the store's clock.
    pub made: SystemTime,
}

/// The objects of a file, without a look into any: the head, the commits, the layers, also those that no commit
/// names, and the statistics. Empty where there is no such file.
///
/// # Errors
/// `InvalidPath`; those of the store.
pub async fn list_objects(store: &Arc<dyn ObjectStore>, path: &str) -> Result<Vec<FileObject>> {
    let names = Names::new(path)?;
    let beside = store.list_with_delimiter(Some(names.folder())).await?.objects;
    let commits: Vec<ObjectMeta> = store.list(Some(&names.commits())).try_collect().await?;
    let role = |meta: &ObjectMeta| {
        if meta.location == names.head() {
            Some(ObjectRole::Head)
        } else if meta.location == names.stats() {
            Some(ObjectRole::Statistics)
        } else if let Some(layer) = names.layer_number(&meta.location) {
            Some(ObjectRole::Layer(layer))
        } else {
            names.commit_number(&meta.location).map(ObjectRole::Commit)
        }
    };
    let mut objects: Vec<FileObject> = beside
        .into_iter()
        .chain(commits)
        .filter_map(|meta| {
            Some(FileObject {
                role: role(&meta)?,
                path: meta.location.to_string(),
                bytes: meta.size,
                made: meta.last_modified.into(),
            })
        })
        .collect();
    objects.sort_unstable_by_key(|object| object.role);
    Ok(objects)
}
