//! The graph of the labels of an array that touch each other.

use chunks::{ChunkStore, DType, Grid, Region, read_region};
use engine_api::graph::{Edge, Graph, Item, Kind, Vertex};
use engine_api::key::Context;
use engine_api::{Bytes, Error, ErrorKind, Result};

use crate::loader::{Loader, Progress, Watch};
use crate::tally::Tally;

/// The property that says where a label is: the mean of its elements' coordinates, slowest axis first, as JSON.
pub const CENTROID: &str = "centroid";

/// The most axes of an array.
const RANK: usize = 5;
/// What an entry of a tally takes: a label's, with room for the table.
const LABEL_BYTES: usize = 224;
const PAIR_BYTES: usize = 64;

/// How the graph of touching labels is made.
#[derive(Clone, Debug)]
pub struct RegionOptions {
    /// The label that is no region; `None` when each is one.
    pub background: Option<u64>,
    /// The part of the array that is looked at; all of it unless given.
    pub region: Option<Region>,
    /// About how many bytes of memory are used, by elements and sums together.
    pub memory: usize,
}

impl Default for RegionOptions {
    /// All but label 0, in 256 MiB.
    fn default() -> Self {
        Self { background: Some(0), region: None, memory: 256 << 20 }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// Labels.
    pub vertices: u64,
    /// Pairs of labels that touch.
    pub edges: u64,
    /// Elements with a label that counts.
    pub voxels: u64,
}

/// Adds to a graph what an array of labels shows: a vertex for each label, which weighs as many elements as it has and has the
/// property `centroid`; an edge between two labels that touch, which weighs as many faces as they share. Elements that
/// meet at a corner or an edge alone don't touch.
///
/// The array is read brick by brick, each of whole chunks and read once, with the first elements of the bricks behind it.
///
/// # Errors
/// `InvalidArgument` for elements that are no labels, for a negative one, and for a graph with directions.
pub fn region_adjacency(
    labels: &dyn ChunkStore,
    options: &RegionOptions,
    (graph, ctx): (&dyn Graph, &dyn Context),
    watch: &mut Watch<'_>,
) -> Result<Regions> {
    let grid = labels.grid();
    if matches!(grid.dtype(), DType::F32 | DType::F64) {
        return Err(
            Error::new(ErrorKind::InvalidArgument, "labels are whole numbers").with("dtype", grid.dtype())
        );
    }
    if graph.graph(ctx)? != Some(Kind::Undirected) {
        let message = "labels that touch make a graph without directions";
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let bounds = options.region.unwrap_or_else(|| grid.bounds());
    grid.check_region(&bounds)?;
    let mut sums = Sums {
        background: options.background,
        labels: Tally::new(options.memory / 4 / LABEL_BYTES),
        pairs: Tally::new(options.memory / 4 / PAIR_BYTES),
    };
    let total = bounds.elements();
    let mut done = 0;
    for brick in bricks(grid, &bounds, options.memory / 2)? {
        sums.add_brick(&Brick::read(labels, &brick, &bounds)?)?;
        done += brick.elements();
        watch(Progress::Elements { done, total })?;
    }
    sums.write(&mut Loader::new(graph, ctx), grid.rank(), watch)
}

/// Boxes of whole chunks, as large as fits, that cover a region; each cut to it.
fn bricks(grid: &Grid, bounds: &Region, bytes: usize) -> Result<Vec<Region>> {
    if bounds.is_empty() {
        return Ok(Vec::new());
    }
    let rank = grid.rank();
    let chunk = grid.chunk_shape();
    let mut shape = chunk.to_vec();
    // As they are stored and as numbers, and a face beyond.
    let each = (grid.element_size() + 8) as u64 * 3 / 2;
    let fits = |shape: &[u64]| {
        shape
            .iter()
            .try_fold(each, |product, extent| product.checked_mul(*extent))
            .is_some_and(|bytes_of| bytes_of <= bytes as u64)
    };
    // Cubes have the smallest faces.
    loop {
        let larger = (0..rank).filter(|axis| shape[*axis] < bounds.shape()[*axis]).filter(|axis| {
            let mut larger = shape.clone();
            larger[*axis] += chunk[*axis];
            fits(&larger)
        });
        match larger.min_by_key(|axis| shape[*axis]) {
            Some(axis) => shape[axis] += chunk[axis],
            None => break,
        }
    }
    let first = grid.chunk_region(&grid.chunk_of(bounds.offset())?)?;
    let mut offset = first.offset().to_vec();
    let mut bricks = Vec::new();
    loop {
        bricks.extend(Region::new(&offset, &shape)?.intersection(bounds));
        let mut axis = rank;
        loop {
            if axis == 0 {
                return Ok(bricks);
            }
            axis -= 1;
            offset[axis] = offset[axis].saturating_add_unsigned(shape[axis]);
            if offset[axis] < bounds.end(axis) {
                break;
            }
            offset[axis] = first.offset()[axis];
        }
    }
}

/// Labels of a box, and of the faces behind it.
struct Brick {
    region: Region,
    shape: Vec<usize>,
    labels: Vec<u64>,
    /// By axis: the layer of one element that follows, if any does.
    behind: Vec<Option<Vec<u64>>>,
}

impl Brick {
    fn read(labels: &dyn ChunkStore, region: &Region, bounds: &Region) -> Result<Self> {
        let behind = (0..region.rank()).map(|axis| {
            let end = region.end(axis);
            let layer = (end < bounds.end(axis))
                .then(|| Region::new(&with(region.offset(), axis, end), &with(region.shape(), axis, 1)));
            layer.transpose()?.map(|layer| read_labels(labels, &layer)).transpose()
        });
        let behind = behind.collect::<Result<_>>()?;
        let shape = region.shape().iter().map(|extent| usize::try_from(*extent).unwrap_or(usize::MAX));
        Ok(Self { region: *region, shape: shape.collect(), labels: read_labels(labels, region)?, behind })
    }
}

fn with<T: Copy>(values: &[T], axis: usize, value: T) -> Vec<T> {
    let mut values = values.to_vec();
    values[axis] = value;
    values
}

fn read_labels(labels: &dyn ChunkStore, region: &Region) -> Result<Vec<u64>> {
    let (dtype, size) = (labels.grid().dtype(), labels.grid().element_size());
    let mut bytes = chunks::zeroed(region.bytes(size)?)?;
    read_region(labels, region, &mut bytes)?;
    bytes.chunks_exact(size).map(|element| label_of(dtype, element)).collect()
}

fn label_of(dtype: DType, element: &[u8]) -> Result<u64> {
    let signed = matches!(dtype, DType::I8 | DType::I16 | DType::I32 | DType::I64);
    if signed && element.last().is_some_and(|high| high & 0x80 != 0) {
        return Err(Error::new(ErrorKind::InvalidArgument, "a label is negative")
            .with("label", dtype.to_f64(element)));
    }
    let mut bytes = [0; 8];
    for (byte, from) in bytes.iter_mut().zip(element) {
        *byte = *from;
    }
    Ok(u64::from_le_bytes(bytes))
}

/// What is added up: by label, its elements and their coordinates; by pair, the faces.
struct Sums {
    background: Option<u64>,
    labels: Tally<{ 1 + RANK }>,
    pairs: Tally<1>,
}

impl Sums {
    fn add_brick(&mut self, brick: &Brick) -> Result<()> {
        self.add_labels(brick)?;
        for (axis, behind) in brick.behind.iter().enumerate() {
            let inner: usize = brick.shape[axis + 1..].iter().product();
            let along = brick.shape[axis];
            let mut faces = Faces { sums: self, pair: [0; 2], count: 0 };
            for (outer, slab) in brick.labels.chunks_exact(along * inner).enumerate() {
                faces.between(slab, &slab[inner..])?;
                if let Some(behind) = behind {
                    faces.between(&slab[(along - 1) * inner..], &behind[outer * inner..][..inner])?;
                }
            }
            faces.end()?;
        }
        Ok(())
    }

    /// Labels come in runs along the fastest axis.
    fn add_labels(&mut self, brick: &Brick) -> Result<()> {
        let Some((&row, slower)) = brick.shape.split_last() else { return Ok(()) };
        let fastest = slower.len();
        let mut at = vec![0; fastest];
        for labels in brick.labels.chunks_exact(row) {
            let mut start = 0;
            for run in labels.chunk_by(|a, b| a == b) {
                let end = start + run.len();
                if Some(run[0]) != self.background {
                    let count = run.len() as i128;
                    let mut numbers = [0; 1 + RANK];
                    numbers[0] = count;
                    for axis in 0..fastest {
                        numbers[1 + axis] =
                            count * (i128::from(brick.region.offset()[axis]) + at[axis] as i128);
                    }
                    // The sum of the numbers from start to end.
                    let inside = (start as i128 + end as i128 - 1) * count / 2;
                    numbers[1 + fastest] = count * i128::from(brick.region.offset()[fastest]) + inside;
                    self.labels.add([run[0], 0], &numbers)?;
                }
                start = end;
            }
            for axis in (0..fastest).rev() {
                at[axis] += 1;
                if at[axis] < slower[axis] {
                    break;
                }
                at[axis] = 0;
            }
        }
        Ok(())
    }

    fn write(self, loader: &mut Loader<'_>, rank: usize, watch: &mut Watch<'_>) -> Result<Regions> {
        let mut found = Regions::default();
        self.labels.finish(|[id, _], numbers| {
            found.vertices += 1;
            found.voxels += u64::try_from(numbers[0]).unwrap_or(u64::MAX);
            loader.push(Item::Vertex(Vertex { id, weight: rounded(numbers[0]) }), watch)?;
            let means = numbers[1..=rank].iter().map(|sum| mean(*sum, numbers[0]));
            let centroid = serde_json::Value::from(means.collect::<Vec<f64>>()).to_string();
            loader.push(Item::VertexProperty(id, CENTROID.to_owned(), Bytes::from(centroid)), watch)
        })?;
        self.pairs.finish(|[from, to], [faces]| {
            found.edges += 1;
            loader.push(Item::Edge(Edge { from, to, weight: rounded(faces) }), watch)
        })?;
        loader.flush(watch)?;
        Ok(found)
    }
}

/// Exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "a weight is an f64")]
fn rounded(number: i128) -> f64 {
    number as f64
}

/// The whole part is split off first, so that large coordinates lose nothing of the fraction.
fn mean(sum: i128, count: i128) -> f64 {
    rounded(sum.div_euclid(count)) + rounded(sum.rem_euclid(count)) / rounded(count)
}

/// Counts the faces between labels, which come in runs of the same pair.
struct Faces<'a> {
    sums: &'a mut Sums,
    pair: [u64; 2],
    count: i128,
}

impl Faces<'_> {
    /// Each element of `these` touches that of `those` at its place.
    fn between(&mut self, these: &[u64], those: &[u64]) -> Result<()> {
        for (this, that) in these.iter().zip(those) {
            if this == that {
                continue;
            }
            let background = self.sums.background;
            if Some(*this) == background || Some(*that) == background {
                continue;
            }
            let pair = [*this.min(that), *this.max(that)];
            if pair != self.pair {
                self.end()?;
                self.pair = pair;
            }
            self.count += 1;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if self.count > 0 {
            self.sums.pairs.add(self.pair, &[self.count])?;
            self.count = 0;
        }
        Ok(())
    }
}
