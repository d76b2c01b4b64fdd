//! `kvdag array resolve`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use array_file::{ArrayFile, FileConfig, FileObject, ObjectRole, list_objects};
use engine_api::{Error, ErrorKind, Result};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::Serialize;

use super::place::{PlaceArgs, Sides};
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Take the file as this version sees it. A branch that the merge went on with means what it was before.
    #[arg(long, value_name = "VERSION")]
    take: String,
}

#[derive(Debug, Serialize)]
struct Resolved {
    file: String,
    commit: u64,
    /// Objects that the other side had otherwise, or not.
    written: usize,
    /// Objects that the other side alone had.
    removed: usize,
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, commit, written, removed } = self;
        write!(f, "{file} is at commit {commit}; objects written: {written}, removed: {removed}")
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let sides = Sides::open(&args.place, &args.take)?;
    let place = &sides.to;
    let theirs = place.wait(list_objects(&sides.taken, &place.path))?;
    if theirs.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "there is no such array file at that version")
            .with("file", &args.place.file)
            .with("version", &args.take));
    }
    let kept: BTreeSet<&str> = theirs.iter().map(|object| object.path.as_str()).collect();
    let mut others = BTreeSet::new();
    for store in &sides.others {
        let objects = place.wait(list_objects(store, &place.path))?;
        others.extend(objects.into_iter().map(|object| object.path));
    }
    others.retain(|path| !kept.contains(path.as_str()));
    // An interrupt waits; what is cut short otherwise is done by the same command again.
    let _careful = Careful::begin();
    let (commits, rest): (Vec<_>, Vec<_>) =
        theirs.iter().partition(|object| matches!(object.role, ObjectRole::Commit(_)));
    // Commits are put when all that they name is there, and no other's is any more.
    let mut written = 0;
    for object in rest {
        written += usize::from(take(&sides, object)?);
    }
    let mut removed = 0;
    for path in &others {
        removed += usize::from(remove(&sides, path)?);
    }
    for object in commits {
        written += usize::from(take(&sides, object)?);
    }
    let opened = ArrayFile::open(Arc::clone(&place.store), &place.path, FileConfig::default());
    let commit = place.wait(opened)?.commit();
    output.print(&Resolved { file: args.place.file.clone(), commit, written, removed })
}

/// Puts an object as it is at the side that is taken; answers whether it wasn't so.
fn take(sides: &Sides, object: &FileObject) -> Result<bool> {
    sides.to.wait(async {
        let path = Path::parse(&object.path).map_err(object_store::Error::from)?;
        let taken = sides.taken.get(&path).await?;
        let size = taken.meta.size;
        let bytes = taken.bytes().await?;
        // One that is in conflict can't be read, and is put.
        if let Ok(here) = sides.to.store.get(&path).await
            && here.meta.size == size
            && here.bytes().await.is_ok_and(|here| here == bytes)
        {
            return Ok(false);
        }
        sides.to.store.put(&path, bytes.into()).await?;
        Ok(true)
    })
}

/// Removes an object; answers whether it was there.
fn remove(sides: &Sides, path: &str) -> Result<bool> {
    sides.to.wait(async {
        let path = Path::parse(path).map_err(object_store::Error::from)?;
        match sides.to.store.head(&path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            _ => Ok(sides.to.store.delete(&path).await.map(|()| true)?),
        }
    })
}
