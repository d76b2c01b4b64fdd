//! `kvdag blockfs info`.

use std::fmt;
use std::path::PathBuf;

use blockfs::BlockFs;
use engine_api::Result;
use serde::Serialize;

use super::target::length;
use super::watching;
use crate::cli::interrupt::Careful;
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory file.
    volume: PathBuf,
}

/// How many blocks are in which state.
#[derive(Debug, Serialize)]
pub(super) struct Blocks {
    committed: u64,
    unchecked: u64,
    missing: u64,
    pending: u64,
    pub(super) lost: u64,
    interrupted: u64,
    damaged: u64,
}

impl From<&blockfs::Counts> for Blocks {
    fn from(counts: &blockfs::Counts) -> Self {
        Self {
            committed: counts.committed,
            unchecked: counts.unchecked,
            missing: counts.missing,
            pending: counts.pending,
            lost: counts.lost,
            interrupted: counts.interrupted,
            damaged: counts.damaged,
        }
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = [
            (self.committed, "with a checksum"),
            (self.unchecked, "without one"),
            (self.missing, "never written"),
            (self.pending, "being written"),
            (self.lost, "lost by writers that ended before a commit"),
            (self.interrupted, "of which a later write isn't committed"),
            (self.damaged, "damaged"),
        ];
        let mut before = "";
        for (number, state) in states.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{before}{number} {state}")?;
            before = ", ";
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Described {
    file: String,
    shape: [u64; 3],
    block_shape: [u64; 3],
    dtype: String,
    compression: String,
    level: u8,
    block_files: Vec<String>,
    strides: [u64; 3],
    offset_bits: u32,
    size_bits: u32,
    checksums: bool,
    blocks: Blocks,
    /// What the voxels take uncompressed.
    bytes: u64,
    bytes_stored: u64,
    bytes_of_block_files: u64,
    metadata: serde_json::Map<String, serde_json::Value>,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |shape: &[u64; 3]| format!("{} x {} x {}", shape[0], shape[1], shape[2]);
        writeln!(f, "{}", self.file)?;
        writeln!(f, "shape        {} (z, y, x) {}", line(&self.shape), self.dtype)?;
        writeln!(f, "blocks       {}, {}", line(&self.block_shape), self.blocks)?;
        writeln!(f, "compression  {}:{}", self.compression, self.level)?;
        writeln!(
            f,
            "bytes        {} in {} stored, {} in block files",
            output::bytes(self.bytes),
            output::bytes(self.bytes_stored),
            output::bytes(self.bytes_of_block_files)
        )?;
        let records = if self.checksums { "of every commit" } else { "none: it is as Python makes it" };
        writeln!(f, "records      {records}")?;
        for file in &self.block_files {
            writeln!(f, "block file   {file}")?;
        }
        for (key, value) in &self.metadata {
            writeln!(f, "metadata     {key}: {value}")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let volume = BlockFs::open(&args.volume)?;
    let info = volume.info()?;
    let bar = output.progress(info.blocks, "counting");
    let counts = volume.counts(&mut watching(&bar, &Careful::begin()))?;
    bar.finish_and_clear();
    // What isn't JSON, such as NaN, is text here.
    let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into());
    output.print(&Described {
        file: args.volume.display().to_string(),
        shape: info.extent,
        block_shape: info.block,
        dtype: info.element.to_string(),
        compression: info.compressor,
        level: info.level,
        strides: info.strides,
        offset_bits: info.offset_bits,
        size_bits: info.size_bits,
        checksums: info.recorded,
        blocks: Blocks::from(&counts),
        bytes: info
            .extent
            .iter()
            .fold(u64::try_from(info.element.size()).unwrap_or(u64::MAX), |bytes, axis| {
                bytes.saturating_mul(*axis)
            }),
        bytes_stored: counts.bytes,
        bytes_of_block_files: info.files.iter().map(|file| length(file)).sum(),
        block_files: info.files.iter().map(|file| file.display().to_string()).collect(),
        metadata: info.metadata.iter().map(|(key, text)| (key.clone(), value(text))).collect(),
    })
}
