//! `kvdag array compact`.

use std::fmt;
use std::time::Duration;

use array_file::FileConfig;
use chunks::Codec;
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::place::{Arrays, PlaceArgs};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// How long commits of the past, and the layers that only they need, are kept: 10m, 1h30m, 0s. Readers that have one
    /// open go on for as long.
    #[arg(long, value_name = "TIME", default_value = "10m")]
    grace: String,
    /// How blocks that are written anew are compressed: none, lz4, zstd:1 to zstd:22, each with or without +shuffle.
    #[arg(long, default_value = "zstd:1+shuffle")]
    codec: String,
}

#[derive(Debug, Serialize)]
struct Compacted {
    file: String,
    commit: u64,
    layers: usize,
    commits_removed: usize,
    layers_removed: usize,
    bytes_removed: u64,
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at commit {}, layers: {}; removed commits: {}, layers: {}, {}",
            self.file,
            self.commit,
            self.layers,
            self.commits_removed,
            self.layers_removed,
            output::bytes(self.bytes_removed)
        )
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let config =
        FileConfig { grace: duration(&args.grace)?, ..FileConfig::new(args.codec.parse::<Codec>()?) };
    let Arrays { mut file, place, .. } = Arrays::to_write(&args.place, config)?;
    let swept = place.wait(file.compact())?;
    output.print(&Compacted {
        file: args.place.file.clone(),
        commit: file.commit(),
        layers: file.num_layers(),
        commits_removed: swept.commits,
        layers_removed: swept.layers,
        bytes_removed: swept.bytes,
    })
}

fn duration(text: &str) -> Result<Duration> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    parsed.and_then(|time| Duration::try_from(time).ok()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "a time is such as 10m, 1h30m or 0s").with("time", text)
    })
}
