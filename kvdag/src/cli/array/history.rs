//! `kvdag array history`.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use array_file::FileConfig;
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::place::{Arrays, PastArgs, PlaceArgs, failed};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Name the newest commit, so that no compaction removes it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Take a name away.
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    forget: Option<String>,
}

#[derive(Debug, Serialize)]
struct History {
    file: String,
    /// The newest first.
    commits: Vec<Commit>,
}

#[derive(Debug, Serialize)]
struct Commit {
    commit: u64,
    made: String,
    /// Names that it was given.
    names: Vec<String>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |commit: &Commit| {
            vec![format!("commit {}", commit.commit), commit.made.clone(), commit.names.join(", ")]
        };
        output::columns(f, &self.commits.iter().map(row).collect::<Vec<_>>())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let arrays = if args.name.is_some() || args.forget.is_some() {
        let mut arrays = Arrays::to_write(&args.place, FileConfig::default())?;
        match (&args.name, &args.forget) {
            (Some(name), _) => {
                // A number would be taken for that of a commit.
                if name.is_empty() || name.parse::<u64>().is_ok() {
                    return Err(Error::new(ErrorKind::InvalidArgument, "a commit's name isn't a number")
                        .with("name", name));
                }
                arrays.file.create_snapshot(name).map_err(failed)?;
            }
            (None, Some(name)) => arrays.file.delete_snapshot(name).map_err(failed)?,
            (None, None) => {}
        }
        arrays.flush()?;
        arrays
    } else {
        Arrays::to_read(&PastArgs { place: args.place.clone(), commit: None })?
    };
    let mut commits: Vec<Commit> = arrays
        .place
        .wait(arrays.file.commits())?
        .into_iter()
        .map(|commit| Commit { commit: commit.commit, made: time(commit.made), names: commit.snapshots })
        .collect();
    commits.reverse();
    output.print(&History { file: args.place.file.clone(), commits })
}

fn time(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    output::time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
