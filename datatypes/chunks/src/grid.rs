//! How an array is cut into chunks.

use engine_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::axes::{Axes, rank_mismatch};
use crate::region::element_count;
use crate::walk::ChunksIn;
use crate::{Coords, DType, Fill, Region};

/// The largest chunk in bytes, uncompressed: 256 MiB.
pub const MAX_CHUNK_BYTES: usize = 256 << 20;

/// The shape of an array, how it is cut into chunks, and what its elements are.
///
/// Shapes are C order, the slowest axis first: z, y, x by convention. The array begins at its origin, which is
/// zero unless it is [given](Grid::with_origin), and may be negative. Chunk (0, …, 0) begins at element
/// (0, …, 0) wherever the array does. A chunk at the edge is as large as any other; its elements out of bounds
/// hold the fill value.
///
/// As JSON: `{"shape":[197,233,189],"chunk_shape":[64,64,64],"dtype":"u8","fill":"0"}`, and `"origin":[-4,0,0]`
/// where it isn't zero; reading it back checks what [`Grid::new`] and [`Grid::with_origin`] check.
///
/// ```
/// use chunks::{DType, Grid, Region};
///
/// # fn main() -> engine_api::Result<()> {
/// let grid = Grid::new(&[100, 100], &[64, 64], DType::U16)?;
/// assert_eq!(grid.chunk_bytes(), 64 * 64 * 2);
/// let chunks: Vec<_> = grid.chunks_in(&"0:10,60:70".parse()?)?.map(|chunk| chunk.to_string()).collect();
/// assert_eq!(chunks, ["(0,0)", "(0,1)"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Grid {
    origin: Axes<i64>,
    shape: Axes<u64>,
    chunk_shape: Axes<u64>,
    dtype: DType,
    fill: Fill,
    chunk_bytes: usize,
}

impl Grid {
    /// A grid whose fill value is zero.
    ///
    /// # Errors
    /// `InvalidArgument` when an extent is zero or the numbers of axes differ or aren't one to five; `TooLarge`
    /// when a chunk is over [`MAX_CHUNK_BYTES`], the array's bytes don't fit `i64`, or an axis has 2^31 chunks
    /// or more.
    pub fn new(shape: &[u64], chunk_shape: &[u64], dtype: DType) -> Result<Self> {
        if shape.len() != chunk_shape.len() {
            return Err(rank_mismatch(shape.len(), chunk_shape.len()));
        }
        let too_large = |message| {
            Error::new(ErrorKind::TooLarge, message)
                .with("shape", format_args!("{shape:?}"))
                .with("chunk_shape", format_args!("{chunk_shape:?}"))
                .with("type", dtype)
        };
        let (shape_axes, chunk_axes) = (Axes::new(shape)?, Axes::new(chunk_shape)?);
        if shape.contains(&0) || chunk_shape.contains(&0) {
            return Err(Error::new(ErrorKind::InvalidArgument, "an extent of the grid is zero")
                .with("shape", format_args!("{shape:?}"))
                .with("chunk_shape", format_args!("{chunk_shape:?}")));
        }
        let bytes = |shape: &[u64]| {
            let bytes = element_count(shape)?.checked_mul(u64::try_from(dtype.size()).ok()?)?;
            i64::try_from(bytes).is_ok().then_some(bytes)
        };
        let chunk_bytes = bytes(chunk_shape)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| *bytes <= MAX_CHUNK_BYTES)
            .ok_or_else(|| too_large("a chunk is too large").with("limit", MAX_CHUNK_BYTES))?;
        bytes(shape).ok_or_else(|| too_large("the array is too large"))?;
        let origin = Axes::from_fn(shape.len(), |_| 0);
        let fill = Fill::zero(dtype);
        let grid = Self { origin, shape: shape_axes, chunk_shape: chunk_axes, dtype, fill, chunk_bytes };
        grid.check_corners()?;
        Ok(grid)
    }

    /// The same grid for an array that begins elsewhere; the chunks stay where they are.
    ///
    /// # Errors
    /// `InvalidArgument` when the number of axes is wrong; `TooLarge` when an element's coordinates don't fit
    /// `i64`, or a chunk's `i32`.
    pub fn with_origin(self, origin: &[i64]) -> Result<Self> {
        if origin.len() != self.rank() {
            return Err(rank_mismatch(self.rank(), origin.len()));
        }
        let bounds = Region::new(origin, &self.shape)?;
        let grid = Self { origin: Axes::new(bounds.offset())?, ..self };
        grid.check_corners()?;
        Ok(grid)
    }

    /// The same grid with another fill value.
    ///
    /// # Errors
    /// `InvalidArgument` when it is of another type.
    pub fn with_fill(self, fill: Fill) -> Result<Self> {
        if fill.dtype() != self.dtype {
            return Err(Error::new(ErrorKind::InvalidArgument, "the fill value is of another type")
                .with("grid", self.dtype)
                .with("fill", fill.dtype()));
        }
        Ok(Self { fill, ..self })
    }

    /// The number of axes, 1 to 5.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The array's first element.
    pub fn origin(&self) -> &[i64] {
        &self.origin
    }

    /// The array's shape in elements.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// A chunk's shape in elements.
    pub fn chunk_shape(&self) -> &[u64] {
        &self.chunk_shape
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The value of elements that were never written.
    pub fn fill(&self) -> &Fill {
        &self.fill
    }

    /// The size of an element in bytes.
    pub fn element_size(&self) -> usize {
        self.dtype.size()
    }

    /// The length of every chunk's buffer in bytes; at most [`MAX_CHUNK_BYTES`].
    pub fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// The array as a region: its origin and its shape.
    pub fn bounds(&self) -> Region {
        // The constructors have refused every shape and origin that a region refuses.
        Region::from_parts(self.origin, self.shape)
    }

    /// The number of chunks along each axis that the array touches.
    pub fn chunk_counts(&self) -> Vec<u64> {
        let bounds = self.bounds();
        (0..self.rank())
            .map(|axis| {
                let chunk = i64::try_from(self.chunk_shape[axis]).unwrap_or(i64::MAX);
                let first = self.origin[axis].div_euclid(chunk);
                let last = bounds.end(axis).saturating_sub(1).div_euclid(chunk);
                first.abs_diff(last).saturating_add(1)
            })
            .collect()
    }

    /// The number of chunks that the array has when every one is stored.
    pub fn chunk_count(&self) -> u64 {
        // At most the number of elements, plus one along each axis whose ends are cut.
        self.chunk_counts().iter().fold(1, |product, count| product.saturating_mul(*count))
    }

    /// The chunk that an element is in, whether or not it is in bounds: division rounds down, so element -1
    /// is in chunk -1.
    ///
    /// # Errors
    /// `InvalidArgument` when the number of axes is wrong; `TooLarge` when the coordinates don't fit `i32`.
    pub fn chunk_of(&self, element: &[i64]) -> Result<Coords> {
        if element.len() != self.rank() {
            return Err(rank_mismatch(self.rank(), element.len()));
        }
        let mut coords = Coords::from_fn(self.rank(), |_| 0);
        for (axis, element) in element.iter().enumerate() {
            *coords.axis_mut(axis) = self.chunk_along(axis, *element)?;
        }
        Ok(coords)
    }

    /// The elements of a chunk, those beyond the array's shape included.
    ///
    /// # Errors
    /// `InvalidArgument` when the number of axes is wrong.
    pub fn chunk_region(&self, chunk: &Coords) -> Result<Region> {
        if chunk.len() != self.rank() {
            return Err(rank_mismatch(self.rank(), chunk.len()));
        }
        // 2^31 chunks of 2^28 elements stay far inside 64 bits.
        let offset = Axes::from_fn(self.rank(), |axis| {
            i64::from(chunk[axis]).saturating_mul(i64::try_from(self.chunk_shape[axis]).unwrap_or(i64::MAX))
        });
        Ok(Region::from_parts(offset, self.chunk_shape))
    }

    /// The elements of a chunk that are in the array, or `None` for a chunk outside of it.
    ///
    /// # Errors
    /// As [`chunk_region`](Self::chunk_region).
    pub fn clipped_region(&self, chunk: &Coords) -> Result<Option<Region>> {
        Ok(self.chunk_region(chunk)?.intersection(&self.bounds()))
    }

    /// The chunks that a region touches, in C order, which is the order of their keys. The region needn't be
    /// in bounds; an empty one touches none.
    ///
    /// # Errors
    /// `InvalidArgument` when the number of axes is wrong; `TooLarge` when coordinates don't fit `i32`.
    pub fn chunks_in(&self, region: &Region) -> Result<ChunksIn> {
        if region.rank() != self.rank() {
            return Err(rank_mismatch(self.rank(), region.rank()));
        }
        if region.is_empty() {
            return Ok(ChunksIn::none(self.rank()));
        }
        let first = self.chunk_of(region.offset())?;
        let mut last = first;
        for axis in 0..self.rank() {
            *last.axis_mut(axis) = self.chunk_along(axis, region.end(axis).saturating_sub(1))?;
        }
        Ok(ChunksIn::new(first, last))
    }

    /// Whether a region is one of this array's.
    ///
    /// # Errors
    /// `InvalidArgument` when the number of axes is wrong or an element is out of bounds.
    pub fn check_region(&self, region: &Region) -> Result<()> {
        if region.rank() != self.rank() {
            return Err(rank_mismatch(self.rank(), region.rank()));
        }
        if !self.bounds().contains(region) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the region is out of bounds")
                .with("region", region)
                .with("bounds", self.bounds()));
        }
        Ok(())
    }

    /// The buffer of a chunk that isn't stored.
    pub fn fill_chunk(&self) -> Vec<u8> {
        let mut chunk = vec![0; self.chunk_bytes];
        if self.fill != Fill::zero(self.dtype) {
            self.fill.write(&mut chunk);
        }
        chunk
    }

    /// Whether a buffer has the length of a chunk.
    ///
    /// # Errors
    /// `InvalidArgument` when it hasn't.
    pub fn check_buffer(&self, bytes: usize) -> Result<()> {
        if bytes == self.chunk_bytes {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidArgument, "the buffer isn't as long as a chunk")
            .with("expected", self.chunk_bytes)
            .with("found", bytes))
    }

    /// Whether all chunks have coordinates.
    fn check_corners(&self) -> Result<()> {
        let fits = |axis: usize| {
            let (first, last) = (self.origin[axis], self.bounds().end(axis).saturating_sub(1));
            self.chunk_along(axis, first).is_ok() && self.chunk_along(axis, last).is_ok()
        };
        let counts_fit = self.chunk_counts().iter().all(|count| i32::try_from(*count).is_ok());
        if counts_fit && (0..self.rank()).all(fits) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge, "an axis has too many chunks")
            .with("origin", format_args!("{:?}", &*self.origin))
            .with("shape", format_args!("{:?}", &*self.shape))
            .with("chunk_shape", format_args!("{:?}", &*self.chunk_shape)))
    }

    fn chunk_along(&self, axis: usize, element: i64) -> Result<i32> {
        let chunk = i64::try_from(self.chunk_shape[axis]).unwrap_or(i64::MAX);
        i32::try_from(element.div_euclid(chunk)).map_err(|_| {
            Error::new(ErrorKind::TooLarge, "the element is too far out for a chunk's coordinates")
                .with("axis", axis)
                .with("element", element)
        })
    }
}

/// The grid as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origin: Vec<i64>,
    shape: Vec<u64>,
    chunk_shape: Vec<u64>,
    dtype: DType,
    fill: String,
}

impl From<Grid> for Stored {
    fn from(grid: Grid) -> Self {
        let moved = grid.origin.iter().any(|start| *start != 0);
        Self {
            origin: if moved { grid.origin.to_vec() } else { Vec::new() },
            shape: grid.shape.to_vec(),
            chunk_shape: grid.chunk_shape.to_vec(),
            dtype: grid.dtype,
            fill: grid.fill.to_string(),
        }
    }
}

impl TryFrom<Stored> for Grid {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        let grid = Self::new(&stored.shape, &stored.chunk_shape, stored.dtype)?
            .with_fill(Fill::parse(stored.dtype, &stored.fill)?)?;
        if stored.origin.is_empty() { Ok(grid) } else { grid.with_origin(&stored.origin) }
    }
}
