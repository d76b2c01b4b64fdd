//! `cargo run --release -p bench --example volumes`: what volumes take to write, to read, and to be ingested. See `volumes/README.md`.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use bench::volumes::{Work, measure};
use clap::Parser;

/// What volumes cost in processor time and memory.
#[derive(Debug, Parser)]
struct Options {
    /// A small array: shows that everything runs, and no more.
    #[arg(long)]
    quick: bool,
    /// Ingest a synthetic volume of this many voxels along each axis, at all scales, and report the peak of memory.
    #[arg(long)]
    ingest: Option<u64>,
    /// Only engines whose name has this in it.
    #[arg(long, default_value = "")]
    engine: String,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let extent = if options.quick { 128 } else { 512 };
    for engine in ["redb", "lmdb"] {
        if !engine.contains(&options.engine) {
            continue;
        }
        let work = match options.ingest {
            Some(extent) => Work::Ingest { extent },
            None => Work::WriteAndRead { extent },
        };
        report(engine, folder.path(), work)?;
        if options.quick {
            report(engine, folder.path(), Work::Ingest { extent })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn report(engine: &str, folder: &Path, work: Work) -> Result<(), Box<dyn Error>> {
    for line in measure(engine, folder, work)? {
        println!("{line}");
    }
    Ok(())
}
