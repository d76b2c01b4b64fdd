//! `cargo run --release -p bench --example blockfs`: what volumes of BlockFS take to write and to read. See `blockfs/README.md`.

use std::error::Error;

use bench::block_files::{many, whole};
use clap::Parser;

/// What volumes of BlockFS cost in time and room.
#[derive(Debug, Parser)]
struct Options {
    /// A small volume: shows that everything runs, and no more.
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let (extent, counts): (_, &[u64]) =
        if options.quick { (128, &[512]) } else { (512, &[512, 16_384, 262_144, 1_000_000]) };
    for line in whole(folder.path(), extent)? {
        println!("{line}");
    }
    for line in many(folder.path(), counts)? {
        println!("{line}");
    }
    Ok(())
}
