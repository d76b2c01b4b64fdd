//! The index of a volume of labels: which chunks hold a label, and how many voxels of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chunks::{ChunkSource, Coords, DType, Grid};
use engine_api::version::Flow;
use engine_api::{Bytes, Error, ErrorKind, Result};

/// Voxels by label, of one chunk.
pub(crate) type Counts = BTreeMap<u64, u64>;

/// What a batch of chunks holds, by chunk.
pub(crate) type CountsOf = HashMap<Coords, Counts>;

/// Counts a chunk's voxels that are in bounds, but for those of the fill value, which is background.
///
/// # Errors
/// `InvalidArgument` when `data` isn't as long as a chunk.
pub(crate) fn count_labels(grid: &Grid, chunk: &Coords, data: &[u8]) -> Result<Counts> {
    grid.check_buffer(data.len())?;
    let mut counts = Counts::new();
    let Some(part) = grid.clipped_region(chunk)? else { return Ok(counts) };
    let region = grid.chunk_region(chunk)?;
    let size = grid.element_size();
    let clipped;
    let data = if part == region {
        data
    } else {
        let mut inside = vec![0; part.bytes(size)?];
        chunks::copy_region(data, &region, &mut inside, &part, &part, size)?;
        clipped = inside;
        &clipped
    };
    let background = label_of(grid.fill().bytes());
    // Labels come in runs.
    let mut run = (background, 0);
    for element in data.chunks_exact(size) {
        let label = label_of(element);
        if label == run.0 {
            run.1 += 1;
        } else {
            add(&mut counts, run, background);
            run = (label, 1);
        }
    }
    add(&mut counts, run, background);
    Ok(counts)
}

fn add(counts: &mut Counts, (label, voxels): (u64, u64), background: u64) {
    if label != background {
        *counts.entry(label).or_default() += voxels;
    }
}

/// An unsigned little-endian element of one to eight bytes.
fn label_of(element: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (byte, from) in bytes.iter_mut().zip(element) {
        *byte = *from;
    }
    u64::from_le_bytes(bytes)
}

/// Whether elements of a type can be labels.
pub(crate) fn are_labels(dtype: DType) -> bool {
    matches!(dtype, DType::U8 | DType::U16 | DType::U32 | DType::U64)
}

/// A source that counts the labels of what is read from it.
pub(crate) struct Counting<'a> {
    source: &'a dyn ChunkSource,
    grid: &'a Grid,
    counts: Mutex<CountsOf>,
}

impl<'a> Counting<'a> {
    pub(crate) fn new(source: &'a dyn ChunkSource, grid: &'a Grid) -> Self {
        Self { source, grid, counts: Mutex::default() }
    }

    pub(crate) fn into_counts(self) -> CountsOf {
        self.counts.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChunkSource for Counting<'_> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn coords(&self, index: usize) -> Coords {
        self.source.coords(index)
    }

    fn read(&self, index: usize, out: &mut [u8]) -> Result<()> {
        self.source.read(index, out)?;
        let chunk = self.coords(index);
        let counts = count_labels(self.grid, &chunk, out)?;
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).insert(chunk, counts);
        Ok(())
    }
}

/// The value of the index: voxels, eight bytes, little-endian.
pub(crate) fn voxels_value(voxels: u64) -> Bytes {
    Bytes::from(voxels.to_le_bytes().to_vec())
}

/// Reads back [`voxels_value`].
pub(crate) fn voxels_of(value: &[u8]) -> Result<u64> {
    let bytes = value.try_into().map_err(|_| {
        Error::new(ErrorKind::Corrupt, "a label's number of voxels isn't eight bytes")
            .with("bytes", value.len())
    })?;
    Ok(u64::from_le_bytes(bytes))
}

/// A label of a volume at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelSize {
    /// The label.
    pub label: u64,
    /// Its voxels.
    pub voxels: u64,
    /// The chunks that hold any of them.
    pub chunks: u64,
}

/// Called with each label, in ascending order.
pub type LabelVisitor<'a> = dyn FnMut(LabelSize) -> Result<Flow> + 'a;

/// Keys of the index that are to be there or not, by label.
pub(crate) fn changes(before: &BTreeSet<u64>, now: &Counts) -> Vec<(u64, Option<u64>)> {
    let mut changes: Vec<_> = now.iter().map(|(label, voxels)| (*label, Some(*voxels))).collect();
    changes.extend(before.iter().filter(|label| !now.contains_key(label)).map(|label| (*label, None)));
    changes
}
