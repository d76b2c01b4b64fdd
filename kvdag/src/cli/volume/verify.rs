//! `kvdag volume verify`.

use std::fmt;
use std::process::ExitCode;

use chunks::{ChunkStore, Region};
use downres::verify;
use engine_api::Result;
use serde::Serialize;
use volume::{Volume, chunk_key, describe_key};

use crate::cli::check::DAMAGED;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store;

use super::scales::stages;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// Compare only what a region of full resolution has a part in, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1")]
    region: Option<String>,
    /// The first scale to compare with the one before.
    #[arg(long, default_value_t = 1, value_name = "SCALE")]
    from: usize,
}

#[derive(Debug, Serialize)]
struct Findings {
    volume: String,
    version: String,
    /// Stored chunks, of all versions and scales, whose checksums were compared.
    chunks_checked: u64,
    /// Chunks of coarser scales that were made again and compared.
    chunks_compared: u64,
    problems: Vec<String>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        write!(
            f,
            "{}: checksums of {} stored chunks, and {} chunks of coarser scales compared with what they are made from; \
             problems: {}",
            self.volume,
            self.chunks_checked,
            self.chunks_compared,
            self.problems.len()
        )
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    let store = store::open_to_read(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    let at = Volume::open(&store, &args.volume)?.at(version.id);
    let mut problems = Vec::new();
    let chunks_checked = at.check(&mut |stored, outcome| {
        if let Err(error) = outcome {
            problems.push(format!(
                "chunk {} at version {}: {}",
                stored.chunk,
                stored.version,
                error.report()
            ));
        }
    })?;
    for scale in 1..at.scales_made()? {
        for chunk in at.chunks_in_conflict(scale)? {
            let key = describe_key(&chunk_key(u8::try_from(scale).unwrap_or(u8::MAX), &chunk))?;
            problems.push(format!(
                "{key} was made differently by versions that were merged; `kvdag volume downres --since` the first of them"
            ));
        }
    }
    if problems.is_empty() && at.properties().labels {
        for chunk in at.chunks_misindexed()? {
            problems.push(format!("the index of labels doesn't fit chunk {chunk}"));
        }
    }
    let mut chunks_compared = 0;
    let at = at.made_alone()?;
    if problems.is_empty() && at.scale_count() > 1 {
        let region = match args.region.as_deref() {
            Some(region) => region.parse::<Region>()?,
            None => at.grid().bounds(),
        };
        let (bar, show) = stages(output);
        let careful = Careful::begin();
        let mut found = |stale: downres::Stale| {
            let key = describe_key(&chunk_key(u8::try_from(stale.scale).unwrap_or(u8::MAX), &stale.chunk))?;
            problems.push(format!("{key} isn't what the scale before makes of it"));
            Ok(())
        };
        chunks_compared =
            verify(&at, at.properties().reducer(), &region, args.from, &mut found, &mut |progress| {
                show(&bar, progress.into());
                careful.check()
            })?;
        bar.finish_and_clear();
    }
    let sound = problems.is_empty();
    output.print(&Findings {
        volume: args.volume.clone(),
        version: version.uuid.simple().to_string(),
        chunks_checked,
        chunks_compared,
        problems,
    })?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}
