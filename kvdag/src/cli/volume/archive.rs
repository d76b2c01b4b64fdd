//! `kvdag volume archive` and `kvdag volume restore`.

use std::fmt;
use std::path::PathBuf;

use engine_api::Result;
use kvdag::archives::BLOCKFS;
use serde::Serialize;
use volume::{Transferred, Volume};

use crate::cli::interrupt::Careful;
use crate::cli::output::{self, Output};
use crate::cli::store;

#[derive(Debug, clap::Args)]
pub(crate) struct ArchiveArgs {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The folder, which isn't there yet, or is that of an archiving that was cut short.
    folder: PathBuf,
    /// The committed version; what was written at it is archived, and what it has from its ancestors isn't.
    #[arg(long, value_name = "VERSION")]
    at: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The folder.
    folder: PathBuf,
}

#[derive(Debug, Serialize)]
struct Moved {
    volume: String,
    folder: String,
    archived: bool,
    chunks: u64,
    bytes: u64,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { volume, folder, chunks, .. } = self;
        let bytes = output::bytes(self.bytes);
        if self.archived {
            write!(f, "{chunks} chunks of {volume}, {bytes} in the store, are in {folder} now")
        } else {
            write!(f, "{chunks} chunks of {volume} are back, {bytes}; {folder} isn't needed any more")
        }
    }
}

pub(crate) fn archive(args: &ArchiveArgs, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let version = store.find(&args.at)?.id;
    let mut volume = Volume::open(&store, &args.volume)?;
    let (careful, bar) = (Careful::resumable(), output.progress(0, "archiving"));
    let moved = volume.archive(version, BLOCKFS, &args.folder, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        careful.check()
    })?;
    bar.finish_and_clear();
    output.print(&described(&args.volume, &args.folder, true, moved))
}

pub(crate) fn restore(args: &RestoreArgs, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let mut volume = Volume::open(&store, &args.volume)?;
    let (careful, bar) = (Careful::resumable(), output.progress(0, "restoring"));
    let back = volume.restore(&args.folder, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        careful.check()
    })?;
    bar.finish_and_clear();
    output.print(&described(&args.volume, &args.folder, false, back))
}

fn described(volume: &str, folder: &std::path::Path, archived: bool, moved: Transferred) -> Moved {
    let folder = folder.display().to_string();
    Moved { volume: volume.to_owned(), folder, archived, chunks: moved.chunks, bytes: moved.bytes }
}
