//! `kvdag cache create`.

use std::fmt;
use std::path::PathBuf;

use dataset_cache::DatasetCache;
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::parse_size;
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; nothing of its name may be there.
    file: PathBuf,
    /// The most bytes that the file may have, such as 256MiB; 0 for any number.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = parse_size)]
    max_size: u64,
}

#[derive(Debug, Serialize)]
struct Created {
    file: String,
    maximum_bytes: u64,
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.maximum_bytes {
            0 => write!(f, "created {}, of any length", self.file),
            maximum => write!(f, "created {}, of at most {}", self.file, output::bytes(maximum)),
        }
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    // One that is there is somebody's, and would be emptied.
    if args.file.symlink_metadata().is_ok() {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            "there is a file of this name; `kvdag cache clear` empties a cache, and another maximum takes another file",
        )
        .with("path", args.file.display()));
    }
    let cache = DatasetCache::create_or_open(&args.file, args.max_size)?;
    output.print(&Created { file: args.file.display().to_string(), maximum_bytes: cache.maximum_bytes() })
}
