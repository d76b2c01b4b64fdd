//! `kvdag array ls`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use engine_api::Result;
use serde::Serialize;

use super::place::{Arrays, PastArgs};
use super::values::fill_text;
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: PastArgs,
}

/// What is known of an array.
#[derive(Debug, Serialize)]
pub(super) struct ArrayInfo {
    pub(super) name: String,
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    pub(super) dims: Vec<String>,
    pub(super) chunk_shape: Vec<u64>,
    pub(super) fill: Option<String>,
    pub(super) attributes: usize,
    pub(super) chunks: u64,
    pub(super) chunks_stored: usize,
    /// The layers that the stored chunks are in.
    pub(super) layers: usize,
    /// What the blocks of its chunks take; one that has another array's chunks too counts for both.
    pub(super) bytes_stored: u64,
}

impl ArrayInfo {
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.dtype.clone(),
            lengths(&self.shape),
            format!("in chunks of {}", lengths(&self.chunk_shape)),
            format!("{} of {} stored", self.chunks_stored, self.chunks),
            format!("layers: {}", self.layers),
            output::bytes(self.bytes_stored),
        ]
    }
}

/// Lengths as people read them; an array without axes has one element.
pub(super) fn lengths(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "one element".to_owned();
    }
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ")
}

#[derive(Debug, Serialize)]
struct List {
    file: String,
    commit: u64,
    arrays: Vec<ArrayInfo>,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        output::columns(f, &self.arrays.iter().map(ArrayInfo::row).collect::<Vec<_>>())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let opened = Arrays::to_read(&args.past)?;
    let arrays = arrays(&opened)?;
    output.print(&List { file: args.past.place.file.clone(), commit: opened.file.commit(), arrays })
}

/// The arrays of a file, by name.
pub(super) fn arrays(opened: &Arrays) -> Result<Vec<ArrayInfo>> {
    let describe = |meta: &array_file::ArrayMeta| {
        let stored = opened.place.wait(opened.file.stored_chunks(&meta.name))?;
        let blocks: BTreeMap<(u64, u64), u64> =
            stored.iter().map(|chunk| ((chunk.layer, chunk.block_at), chunk.stored_bytes)).collect();
        let layers: BTreeSet<u64> = stored.iter().map(|chunk| chunk.layer).collect();
        let counts = meta.shape.iter().zip(&meta.chunk_shape).map(|(length, chunk)| length.div_ceil(*chunk));
        Ok(ArrayInfo {
            name: meta.name.clone(),
            dtype: meta.dtype.to_string(),
            shape: meta.shape.clone(),
            dims: meta.dimension_names.clone(),
            chunk_shape: meta.chunk_shape.clone(),
            fill: fill_text(meta.fill_value.as_ref()),
            attributes: meta.attributes.len(),
            chunks: counts.fold(1, u64::saturating_mul),
            chunks_stored: stored.len(),
            layers: layers.len(),
            bytes_stored: blocks.values().sum(),
        })
    };
    opened.file.list_arrays().map(describe).collect()
}
