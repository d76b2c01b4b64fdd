//! `cargo run --release -p bench --example cache`: what a dataset cache takes, and what it spares. See `cache/README.md`.

use std::error::Error;
use std::path::Path;

use bench::caches::{Size, churn, hits, walks};
use clap::Parser;

/// What a dataset cache costs, and what it spares.
#[derive(Debug, Parser)]
struct Options {
    /// Little of everything: shows that it runs, and no more.
    #[arg(long)]
    quick: bool,
    /// Only hits, insertions, or walks.
    #[arg(long, value_parser = ["hits", "churn", "walks"])]
    only: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let size = if options.quick { Size::QUICK } else { Size::WHOLE };
    let wanted = |what: &str| options.only.as_deref().is_none_or(|only| only == what);
    let tell = |lines: Vec<String>| lines.iter().for_each(|line| println!("{line}"));
    for bytes in [4 << 10, 64 << 10, 512 << 10] {
        if wanted("hits") {
            tell(hits(folder.path(), bytes, size)?);
        }
        if wanted("churn") {
            tell(churn(folder.path(), bytes, size)?);
        }
    }
    if wanted("walks") {
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/mni152_t1_1mm.nii.gz");
        tell(walks(folder.path(), &image, size)?);
    }
    Ok(())
}
