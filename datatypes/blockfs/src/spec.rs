//! What a volume is to be.

use std::path::Path;

use engine_api::{Error, ErrorKind, Result};

use crate::blosc::Compression;
use crate::element::ElementType;
use crate::head::{Head, MOST_FILES, NewHead};
use crate::io::wide;
use crate::json::split_object;

/// What BlockFS of Python reckons with beyond a block's voxels: the header of a frame.
const FRAME_OVERHEAD: u64 = 16;

/// The bits of an offset unless somebody asks for others or for what Python has: files of 256 TiB.
const OFFSET_BITS: u32 = 48;

/// What a volume is to be; arrays are z, y, x.
///
/// ```
/// use blockfs::BlockFsSpec;
/// use chunks::DType;
///
/// # fn main() -> engine_api::Result<()> {
/// let spec = BlockFsSpec::new([19, 26, 37], [8, 8, 8], DType::U16)
///     .files(2)
///     .metadata(r#"{"voxel_size": [1, 2, 3]}"#)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BlockFsSpec {
    extent: [u64; 3],
    block: [u64; 3],
    element: ElementType,
    compression: Compression,
    files: usize,
    names: Vec<String>,
    metadata: Vec<(String, String)>,
    offset_bits: Option<u32>,
    size_bits: Option<u32>,
    strides: Option<[u64; 3]>,
    compat: bool,
}

impl BlockFsSpec {
    /// A volume of so many voxels in blocks of so many.
    pub fn new(extent: [u64; 3], block: [u64; 3], element: impl Into<ElementType>) -> Self {
        Self {
            extent,
            block,
            element: element.into(),
            compression: Compression::default(),
            files: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            names: Vec::new(),
            metadata: Vec::new(),
            offset_bits: None,
            size_bits: None,
            strides: None,
            compat: false,
        }
    }

    /// How blocks are compressed; Zstandard at level 1 unless this is called.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The number of block files beside the directory file, named `<directory file>.<k>`; one per processor unless this
    /// is called.
    #[must_use]
    pub fn files(mut self, files: usize) -> Self {
        self.files = files;
        self
    }

    /// The names of the block files, one per disk for example. They are written down as they are here.
    #[must_use]
    pub fn file_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The application's metadata, a JSON object. Each value is kept in the text that it is written in here.
    ///
    /// # Errors
    /// `InvalidArgument` when it isn't a JSON object.
    pub fn metadata(mut self, json: &str) -> Result<Self> {
        self.metadata = split_object(json).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "metadata are a JSON object").caused_by(error)
        })?;
        Ok(self)
    }

    /// The widths of an entry's parts in bits, which limit the lengths of a block file and of a block.
    #[must_use]
    pub fn entry_bits(mut self, offset: u32, size: u32) -> Self {
        (self.offset_bits, self.size_bits) = (Some(offset), Some(size));
        self
    }

    /// How far apart the numbers of neighbouring blocks are along z, y and x; C order unless this is called.
    #[must_use]
    pub fn strides(mut self, strides: [u64; 3]) -> Self {
        self.strides = Some(strides);
        self
    }

    /// Whether the directory file is to be what Python would write, to the byte: without records of what was committed,
    /// and with offsets that only leave room for each block to be written about once.
    #[must_use]
    pub fn compat(mut self, compat: bool) -> Self {
        self.compat = compat;
        self
    }

    pub(crate) fn is_compat(&self) -> bool {
        self.compat
    }

    /// The head, without a seal.
    pub(crate) fn head(&self, path: &Path) -> Result<Head> {
        let names = self.names(path)?;
        let impossible = || Error::new(ErrorKind::TooLarge, "the volume has too many blocks");
        let blocks_along = |axis: usize| self.extent[axis].div_ceil(self.block[axis].max(1)).max(1);
        let strides = match self.strides {
            Some(strides) => strides,
            None => {
                let y = blocks_along(2);
                [y.checked_mul(blocks_along(1)).ok_or_else(impossible)?, y, 1]
            }
        };
        let longest = self
            .block
            .iter()
            .try_fold(wide(self.element.size()), |product, length| product.checked_mul(*length))
            .and_then(|bytes| bytes.checked_add(FRAME_OVERHEAD))
            .ok_or_else(impossible)?;
        let offset_bits = match self.offset_bits {
            Some(bits) => bits,
            None => {
                let python = self.python_offset_bits(strides, longest, names.len()).ok_or_else(impossible)?;
                if self.compat { python } else { python.max(OFFSET_BITS) }
            }
        };
        let size_bits = self.size_bits.unwrap_or_else(|| bits(longest));
        let head = Head::new(&NewHead {
            metadata: &self.metadata,
            extent: self.extent,
            block: self.block,
            element: &self.element,
            offset_bits,
            size_bits,
            names: &names,
            strides,
            compression: self.compression,
        })?;
        head.check_strides()?;
        Ok(head)
    }

    /// Python's reckoning: all blocks as long as can be, shared among the files.
    fn python_offset_bits(&self, strides: [u64; 3], longest: u64, files: usize) -> Option<u32> {
        let mut blocks = 0u64;
        for (axis, stride) in strides.into_iter().enumerate() {
            let (extent, block) = (self.extent[axis], self.block[axis].max(1));
            let along = extent.checked_add(block)?.checked_sub(1)? / block;
            blocks = blocks.checked_add(along.checked_mul(stride)?)?;
        }
        Some(bits(blocks.checked_mul(longest)? / wide(files)))
    }

    fn names(&self, path: &Path) -> Result<Vec<String>> {
        let files = if self.names.is_empty() { self.files } else { self.names.len() };
        if files == 0 || files > MOST_FILES {
            return Err(Error::new(ErrorKind::InvalidArgument, "a volume has 1 to 65,536 block files")
                .with("files", files));
        }
        if !self.names.is_empty() {
            return Ok(self.names.clone());
        }
        let path = path.to_str().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "the path isn't UTF-8, so no block file can be named after it",
            )
        })?;
        Ok((0..files).map(|number| format!("{path}.{number}")).collect())
    }
}

/// The number of bits that a number takes.
fn bits(number: u64) -> u32 {
    (u64::BITS - number.leading_zeros()).max(1)
}
