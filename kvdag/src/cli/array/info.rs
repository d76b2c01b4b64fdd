//! `kvdag array info`.

use std::fmt;

use array_file::{ObjectRole, list_objects};
use engine_api::Result;
use serde::Serialize;

use super::list::{self, ArrayInfo};
use super::place::{Arrays, PastArgs};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: PastArgs,
}

#[derive(Debug, Serialize)]
struct Info {
    file: String,
    /// The commit that is shown; 0 before the first.
    commit: u64,
    /// Commits that can be opened.
    commits: usize,
    /// The layers of the commit that is shown.
    layers: usize,
    snapshots: Vec<Snapshot>,
    /// What the file takes of its store, all commits together.
    bytes: u64,
    arrays: Vec<ArrayInfo>,
}

#[derive(Debug, Serialize)]
struct Snapshot {
    name: String,
    commit: u64,
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} at commit {}: arrays: {}, layers: {}, commits: {}, {}",
            self.file,
            self.commit,
            self.arrays.len(),
            self.layers,
            self.commits,
            output::bytes(self.bytes)
        )?;
        for Snapshot { name, commit } in &self.snapshots {
            writeln!(f, "snapshot {name} of commit {commit}")?;
        }
        output::columns(f, &self.arrays.iter().map(ArrayInfo::row).collect::<Vec<_>>())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let arrays = Arrays::to_read(&args.past)?;
    let objects = arrays.place.wait(list_objects(&arrays.place.store, &arrays.place.path))?;
    let commits = objects.iter().filter(|object| matches!(object.role, ObjectRole::Commit(_))).count();
    let snapshots = arrays.file.snapshots().iter();
    output.print(&Info {
        file: args.past.place.file.clone(),
        commit: arrays.file.commit(),
        commits,
        layers: arrays.file.num_layers(),
        snapshots: snapshots.map(|(name, commit)| Snapshot { name: name.clone(), commit: *commit }).collect(),
        bytes: objects.iter().map(|object| object.bytes).sum(),
        arrays: list::arrays(&arrays)?,
    })
}
