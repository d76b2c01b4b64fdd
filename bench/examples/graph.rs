//! `cargo run --release -p bench --example graph`: what graphs take to write and to read. See `graph/README.md`.

use std::error::Error;

use bench::graphs::{Size, run};
use clap::Parser;

/// What graphs cost over raw puts and scans.
#[derive(Debug, Parser)]
struct Options {
    /// A small graph: shows that everything runs, and no more.
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    for line in run(folder.path(), if options.quick { Size::QUICK } else { Size::WHOLE })? {
        println!("{line}");
    }
    Ok(())
}
