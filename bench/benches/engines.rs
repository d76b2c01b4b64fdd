//! `cargo bench -p bench`: what kvdag costs over the raw engines. See the crate's README.

use bench::{Options, Outcome, run};
use clap::Parser;

fn main() -> Outcome {
    print!("{}", run(&Options::parse())?);
    Ok(())
}
