//! What is known about an image before its elements are read.

use chunks::{DType, MAX_RANK, Region};
use engine_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// One axis of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageAxis {
    /// Its name: `x`, `y`, `z`, `t`, or empty where the file doesn't say.
    pub name: String,
    /// The distance from one element to the next, in `unit`.
    pub spacing: Option<f64>,
    /// The unit of the spacing: `m`, `mm`, `um`, `nm`, `s`, `ms`, `us`, `Hz`, `ppm` or `rad/s`.
    pub unit: Option<String>,
}

impl ImageAxis {
    /// An axis without a spacing.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// The names of the last axes of an image that doesn't name them.
const NAMES: [&str; MAX_RANK] = ["", "t", "z", "y", "x"];

/// The shape, type and origin of an image.
///
/// Axes go from the slowest to the fastest, C order: z, y, x for a volume. Elements are little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageInfo {
    shape: Vec<u64>,
    dtype: DType,
    axes: Vec<ImageAxis>,
    /// What the file says beyond that, under the name of its format; a writer of the same format puts it back.
    pub metadata: Map<String, Value>,
}

impl ImageInfo {
    /// An image of one to five axes; the last three are named z, y, x.
    ///
    /// # Errors
    /// `InvalidArgument` when an extent is zero or the number of axes isn't one to five; `TooLarge` when the
    /// image's bytes don't fit `i64`.
    pub fn new(shape: &[u64], dtype: DType) -> Result<Self> {
        if shape.contains(&0) {
            return Err(Error::new(ErrorKind::InvalidArgument, "an extent of the image is zero")
                .with("shape", format_args!("{shape:?}")));
        }
        let elements = Region::at_origin(shape)?.elements();
        if elements > i64::MAX.cast_unsigned() / 8 {
            return Err(Error::new(ErrorKind::TooLarge, "the image is too large")
                .with("shape", format_args!("{shape:?}")));
        }
        let axes = NAMES[MAX_RANK - shape.len()..].iter().map(|name| ImageAxis::named(name)).collect();
        Ok(Self { shape: shape.to_vec(), dtype, axes, metadata: Map::new() })
    }

    /// The same image with other axes.
    ///
    /// # Errors
    /// `InvalidArgument` when there aren't as many as the shape has.
    pub fn with_axes(self, axes: Vec<ImageAxis>) -> Result<Self> {
        if axes.len() != self.shape.len() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the numbers of axes differ")
                .with("expected", self.shape.len())
                .with("found", axes.len()));
        }
        Ok(Self { axes, ..self })
    }

    /// The shape, slowest axis first.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The axes, slowest first; as many as the shape has.
    pub fn axes(&self) -> &[ImageAxis] {
        &self.axes
    }

    /// The number of slices: the extent of the slowest axis.
    pub fn slices(&self) -> u64 {
        self.shape.first().copied().unwrap_or(0)
    }

    /// How an image is cut into chunks when nothing says how.
    pub(super) fn default_chunk_shape(&self) -> Vec<u64> {
        let extent = match self.shape.len() {
            1 => 1 << 18,
            2 => 512,
            3 => 64,
            _ => 32,
        };
        self.shape.iter().map(|length| (*length).min(extent)).collect()
    }

    /// The length of one slice in bytes.
    ///
    /// # Errors
    /// `TooLarge` when no buffer can be that long.
    pub fn slice_bytes(&self) -> Result<usize> {
        self.slab_bytes(1)
    }

    /// The length of a number of slices in bytes.
    ///
    /// # Errors
    /// `TooLarge` when no buffer can be that long.
    pub fn slab_bytes(&self, slices: u64) -> Result<usize> {
        let inside: u64 = self.shape.iter().skip(1).product();
        u64::try_from(self.dtype.size())
            .ok()
            .and_then(|size| inside.checked_mul(size)?.checked_mul(slices))
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| isize::try_from(*bytes).is_ok())
            .ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "the slices don't fit memory")
                    .with("slices", slices)
                    .with("shape", format_args!("{:?}", self.shape))
            })
    }

    /// The length of all elements in bytes.
    pub fn total_bytes(&self) -> u64 {
        // It was checked to fit when the image was made.
        self.shape.iter().product::<u64>().saturating_mul(u64::try_from(self.dtype.size()).unwrap_or(8))
    }
}
