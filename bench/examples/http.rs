//! `cargo run --release -p bench --example http`: what volumes over HTTP bring a second. See `volumes/README.md`.

use std::error::Error;
use std::path::PathBuf;

use bench::http::over_http;
use clap::Parser;

/// What precomputed volumes over HTTP bring a second.
#[derive(Debug, Parser)]
struct Options {
    /// Small cubes: shows that everything runs, and no more.
    #[arg(long)]
    quick: bool,
    /// A Python that has numpy and tensorstore, which reads the same volumes of the same server.
    #[arg(long)]
    peer: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let extent = if options.quick { 128 } else { 512 };
    over_http(folder.path(), extent, options.peer.as_deref(), &mut |line| println!("{line}"))
}
