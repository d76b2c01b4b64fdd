//! The head of a directory file: what the volume is.

use std::fs::File;

use chunks::{Coords, DType, Grid, Region};
use engine_api::embedded::read_at;
use engine_api::{Error, ErrorKind, Result};

use crate::blosc::{Compression, Compressor};
use crate::element::ElementType;
use crate::io::{narrow, wide};
use crate::json::{join_object, quote, split_object};
use crate::seal::Seal;
use crate::table::TableLayout;

pub(crate) const MAGIC: &[u8; 8] = b"BlockFS\0";

/// The magic and two numbers.
pub(crate) const FIXED_BYTES: u64 = 16;

/// The longest metadata that are read.
const MOST_METADATA: u64 = 64 << 20;

/// The most block files of a volume.
pub(crate) const MOST_FILES: usize = 1 << 16;

/// The version that Python's BlockFS writes; no reader looks at it.
const VERSION: &str = "\"1.0.0\"";

/// What the directory file says of a volume. Arrays are z, y, x.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Every key of the metadata in order, with its value's text.
    fields: Vec<(String, String)>,
    pub(crate) element: ElementType,
    pub(crate) grid: Grid,
    pub(crate) strides: [u64; 3],
    pub(crate) names: Vec<String>,
    pub(crate) compressor: String,
    pub(crate) level: u8,
    pub(crate) table: TableLayout,
    pub(crate) seal: Option<Seal>,
}

/// The volume's own keys; all others are an application's.
const KEYS: [&str; 16] = [
    "XBlockSize",
    "YBlockSize",
    "ZBlockSize",
    "DType",
    "NOffsetBits",
    "NSizeBits",
    "XExtent",
    "YExtent",
    "ZExtent",
    "BlockFilenames",
    "XStride",
    "YStride",
    "ZStride",
    "Compression",
    "CompressionLvl",
    "Version",
];

/// The parts of a head that is made anew.
pub(crate) struct NewHead<'a> {
    pub(crate) metadata: &'a [(String, String)],
    pub(crate) extent: [u64; 3],
    pub(crate) block: [u64; 3],
    pub(crate) element: &'a ElementType,
    pub(crate) offset_bits: u32,
    pub(crate) size_bits: u32,
    pub(crate) names: &'a [String],
    pub(crate) strides: [u64; 3],
    pub(crate) compression: Compression,
}

impl Head {
    pub(crate) fn new(new: &NewHead<'_>) -> Result<Self> {
        if let Some((key, _)) = new.metadata.iter().find(|(key, _)| is_own(key)) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "the metadata have a key of the volume's own",
            )
            .with("key", key));
        }
        let mut fields = new.metadata.to_vec();
        let mut put = |key: &str, value: String| fields.push((key.to_owned(), value));
        let ([bz, by, bx], [z, y, x], [sz, sy, sx]) = (new.block, new.extent, new.strides);
        put("XBlockSize", bx.to_string());
        put("YBlockSize", by.to_string());
        put("ZBlockSize", bz.to_string());
        put("DType", quote(new.element.numpy_name()));
        put("NOffsetBits", new.offset_bits.to_string());
        put("NSizeBits", new.size_bits.to_string());
        put("XExtent", x.to_string());
        put("YExtent", y.to_string());
        put("ZExtent", z.to_string());
        put("BlockFilenames", names_json(new.names));
        put("XStride", sx.to_string());
        put("YStride", sy.to_string());
        put("ZStride", sz.to_string());
        put("Compression", quote(new.compression.compressor().name()));
        put("CompressionLvl", new.compression.level().to_string());
        put("Version", VERSION.to_owned());
        let mut head = Self::from_fields(fields, 0)?;
        head.table.start = FIXED_BYTES + wide(join_object(&head.fields).len());
        Ok(head)
    }

    /// Reads the head of a directory file.
    pub(crate) fn read(file: &File) -> Result<Self> {
        let failed = |error| Error::from_io(error, "the directory file can't be read");
        let length = file.metadata().map_err(failed)?.len();
        let mut fixed = [0; 16];
        let read = read_at(file, &mut fixed, 0).map_err(failed)?;
        let (metadata, start) = parse_fixed(&fixed[..read], length)?;
        let mut text = vec![0; narrow(metadata)?];
        if read_at(file, &mut text, FIXED_BYTES).map_err(failed)? < text.len() {
            return Err(corrupt("the metadata of the volume are cut off"));
        }
        let gap = start - FIXED_BYTES - metadata;
        let mut seal = vec![0; narrow(gap.min(Seal::MOST_BYTES))?];
        let read = read_at(file, &mut seal, FIXED_BYTES + metadata).map_err(failed)?;
        seal.truncate(read);
        Self::parse(&fixed, &text, start, &seal)
    }

    /// The head at the start of a whole directory file.
    pub(crate) fn from_bytes(file: &[u8]) -> Result<Self> {
        let cut = || corrupt("the head of the directory file is cut off");
        let (metadata, start) = parse_fixed(file.get(..16).unwrap_or(file), wide(file.len()))?;
        let (fixed, rest) = file.split_first_chunk::<16>().ok_or_else(cut)?;
        let (text, rest) = rest.split_at_checked(narrow(metadata)?).ok_or_else(cut)?;
        let gap = (start - FIXED_BYTES - metadata).min(Seal::MOST_BYTES);
        Self::parse(fixed, text, start, rest.get(..narrow(gap)?).unwrap_or(rest))
    }

    /// Understands a head from its parts: the sixteen bytes, the metadata, and what is between these and the table.
    pub(crate) fn parse(fixed: &[u8; 16], text: &[u8], start: u64, gap: &[u8]) -> Result<Self> {
        let seal = Seal::read(gap, &[fixed, text])?;
        let text = std::str::from_utf8(text)
            .map_err(|error| corrupt("the metadata of the volume aren't UTF-8").caused_by(error))?;
        let mut head = Self::from_fields(split_object(text)?, start)?;
        head.seal = seal;
        Ok(head)
    }

    fn from_fields(fields: Vec<(String, String)>, start: u64) -> Result<Self> {
        let own = Own(&fields);
        let three = |x, y, z| -> Result<[u64; 3]> { Ok([own.number(z)?, own.number(y)?, own.number(x)?]) };
        let block = three("XBlockSize", "YBlockSize", "ZBlockSize")?;
        let extent = three("XExtent", "YExtent", "ZExtent")?;
        let strides = three("XStride", "YStride", "ZStride")?;
        let element = ElementType::from_numpy(&own.text("DType")?)?;
        let names: Vec<String> = own.get("BlockFilenames")?;
        if names.is_empty() || names.len() > MOST_FILES || names.iter().any(String::is_empty) {
            return Err(corrupt("the list of block files is empty, too long, or has an empty name")
                .with("files", names.len()));
        }
        let grid = Grid::new(&extent, &block, element.stand_in().unwrap_or(DType::U8))?;
        let block_bytes = block
            .iter()
            .try_fold(wide(element.size()), |product, length| product.checked_mul(*length))
            .filter(|bytes| *bytes <= wide(chunks::MAX_CHUNK_BYTES));
        if block_bytes.is_none() {
            return Err(Error::new(ErrorKind::TooLarge, "a block is too large")
                .with("block", format_args!("{block:?}"))
                .with("limit", chunks::MAX_CHUNK_BYTES));
        }
        let blocks = strides.iter().zip(grid.chunk_counts()).try_fold(1u64, |blocks, (stride, count)| {
            stride.checked_mul(count.saturating_sub(1)).and_then(|last| blocks.checked_add(last))
        });
        let blocks = blocks.ok_or_else(|| corrupt("the strides are too large"))?;
        let table = TableLayout::new(start, blocks, own.get("NOffsetBits")?, own.get("NSizeBits")?)?;
        let level: u8 = own.get("CompressionLvl")?;
        let compressor = own.text("Compression")?;
        Ok(Self { element, grid, strides, names, compressor, level, table, seal: None, fields })
    }

    /// The head as bytes, up to the table; with a seal where there is one.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>> {
        let text = join_object(&self.fields);
        let start_of = |seal: u64| -> Result<u32> {
            FIXED_BYTES
                .checked_add(wide(text.len()))
                .and_then(|end| u32::try_from(end + seal).ok())
                .ok_or_else(|| {
                    Error::new(ErrorKind::TooLarge, "the metadata of the volume are too long")
                        .with("bytes", text.len())
                        .with("limit", MOST_METADATA)
                })
        };
        if wide(text.len()) > MOST_METADATA {
            return Err(Error::new(ErrorKind::TooLarge, "the metadata of the volume are too long")
                .with("bytes", text.len())
                .with("limit", MOST_METADATA));
        }
        let seal_bytes = self.seal.as_ref().map_or(0, Seal::length);
        let start = start_of(seal_bytes)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        if let Some(seal) = &self.seal {
            let seal = seal.bytes(&[&bytes]);
            bytes.extend_from_slice(&seal);
        }
        self.table.start = u64::from(start);
        Ok(bytes)
    }

    /// Gives the block files other names, and leaves all else as it is.
    pub(crate) fn rename(&mut self, names: Vec<String>) {
        for (key, value) in &mut self.fields {
            if key == "BlockFilenames" {
                *value = names_json(&names);
            }
        }
        self.names = names;
    }

    /// The application's metadata: keys, and the text of their values.
    pub(crate) fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter(|(key, _)| !is_own(key)).map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether the other head is of a volume whose voxels are the same ones.
    pub(crate) fn is_same_volume(&self, other: &Self) -> bool {
        self.grid == other.grid && self.element == other.element
    }

    /// How new blocks are compressed.
    pub(crate) fn compression(&self) -> Result<Compression> {
        Compression::new(self.compressor.parse::<Compressor>()?, self.level)
    }

    /// The number of a block in the table.
    ///
    /// # Errors
    /// `InvalidArgument` for one that is out of bounds.
    pub(crate) fn index(&self, block: &Coords) -> Result<u64> {
        self.block_region(block)?;
        let mut index = 0u64;
        for (at, stride) in block.iter().zip(self.strides) {
            // The table's layout was checked for the last block.
            index += u64::from(at.unsigned_abs()) * stride;
        }
        Ok(index)
    }

    /// The voxels of a block, those that are in the volume.
    pub(crate) fn block_region(&self, block: &Coords) -> Result<Region> {
        self.grid.clipped_region(block)?.ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the block is out of bounds")
                .with("block", block)
                .with("bounds", self.grid.bounds())
        })
    }

    /// The length of a block's voxels in bytes.
    pub(crate) fn block_bytes(&self, block: &Coords) -> Result<usize> {
        self.block_region(block)?.bytes(self.element.size())
    }

    /// The block file that a number of the table is in.
    pub(crate) fn file_of(&self, index: u64) -> usize {
        // The remainder is below the number of files, which is a `usize`.
        usize::try_from(index % wide(self.names.len())).unwrap_or(0)
    }

    /// Whether every block has a number of its own, in a table that can be written.
    pub(crate) fn check_strides(&self) -> Result<()> {
        let mut axes: Vec<(u64, u64)> =
            self.strides.into_iter().zip(self.grid.chunk_counts()).filter(|(_, count)| *count > 1).collect();
        axes.sort_unstable();
        let mut reach = 0u64;
        for (stride, count) in axes {
            if stride <= reach {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "by these strides two blocks have one number",
                )
                .with("strides", format_args!("{:?}", self.strides)));
            }
            reach = reach.saturating_add(stride.saturating_mul(count - 1));
        }
        Ok(())
    }
}

fn is_own(key: &str) -> bool {
    KEYS.contains(&key)
}

fn names_json(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quote(name)).collect();
    format!("[{}]", names.join(", "))
}

/// The length of the metadata, and where the table starts, by the first bytes of a file that is so long.
fn parse_fixed(fixed: &[u8], length: u64) -> Result<(u64, u64)> {
    let rest = fixed
        .strip_prefix(MAGIC)
        .ok_or_else(|| Error::new(ErrorKind::Incompatible, "the file isn't a directory file of BlockFS"))?;
    let (numbers, _) = rest.as_chunks::<4>();
    let [metadata, start, ..] = numbers else {
        return Err(corrupt("the directory file is cut off"));
    };
    let [metadata, start] = [metadata, start].map(|number| u64::from(u32::from_le_bytes(*number)));
    if metadata > length.saturating_sub(FIXED_BYTES) || start < FIXED_BYTES + metadata {
        return Err(corrupt("the head of the directory file is cut off or contradicts itself"));
    }
    if metadata > MOST_METADATA {
        return Err(Error::new(ErrorKind::TooLarge, "the metadata of the volume are too long")
            .with("bytes", metadata)
            .with("limit", MOST_METADATA));
    }
    Ok((metadata, start))
}

/// The volume's own values. Of a key that comes twice the last counts, as in Python.
struct Own<'a>(&'a [(String, String)]);

impl Own<'_> {
    fn get<T: for<'de> serde::Deserialize<'de>>(&self, key: &'static str) -> Result<T> {
        let (_, value) = self
            .0
            .iter()
            .rev()
            .find(|(found, _)| found == key)
            .ok_or_else(|| corrupt("a key is missing in the metadata of the volume").with("key", key))?;
        serde_json::from_str(value).map_err(|error| {
            corrupt("a value in the metadata of the volume makes no sense").with("key", key).caused_by(error)
        })
    }

    fn number(&self, key: &'static str) -> Result<u64> {
        self.get(key)
    }

    fn text(&self, key: &'static str) -> Result<String> {
        self.get(key)
    }
}

#[cold]
fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}
