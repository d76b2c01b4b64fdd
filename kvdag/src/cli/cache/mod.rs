//! `kvdag cache`: what is done with dataset caches.

mod clear;
mod create;
mod entries;
mod info;
mod open;
mod stats;
mod verify;
mod warm;

use std::process::ExitCode;

use engine_api::{Result, parse_bytes};

use super::output::Output;

pub(crate) use open::{CacheUse, OpenCache};

const AFTER_HELP: &str = "\
A cache is a file in front of slow data, never longer than its maximum: what was used least recently makes room. `--cache FILE` of
`kvdag volume export`, `kvdag volume cat` and `kvdag serve` reads chunks through one. Chunks of committed versions are cached, and
right for ever; an open version isn't cached.

One process may have a cache open to write, or any number to read. Hits, misses and evictions are known to the process that has
them alone: `export` and `warm` tell theirs.";

/// Dataset caches: one bounded file in front of slow volumes.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum Command {
    /// Make an empty cache.
    Create(create::Args),
    /// Say what a cache holds, dataset by dataset.
    Info(info::Args),
    /// Say how full a cache is, and how fragmented.
    Stats(stats::Args),
    /// Read chunks of a store's volumes, or of the one at a URL, so that a cache has them.
    Warm(warm::Args),
    /// Drop all entries; the maximum stays.
    Clear(clear::Args),
    /// Read every entry, and compare it with its checksum; nothing is changed.
    Verify(verify::Args),
}

pub(crate) fn run(command: Command, output: Output) -> Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(&args, output),
        Command::Info(args) => info::run(&args, output),
        Command::Stats(args) => stats::run(&args, output),
        Command::Warm(args) => warm::run(&args, output),
        Command::Clear(args) => clear::run(&args, output),
        Command::Verify(args) => return verify::run(&args, output),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// A number of bytes on the command line.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "a number of bytes, such as 256MiB or 1GiB".to_owned())
}
