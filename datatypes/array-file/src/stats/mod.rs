//! Statistics: of each chunk, in the index beside it; of an array, merged from them without reading any.

mod chunk;
mod scan;

use std::cmp::Ordering;

use crate::DType;
use crate::error::{Error, Result};
use crate::wire::{Reader, Writer};

pub(crate) use chunk::{ChunkStats, Slot};

/// The least or the greatest of an array's elements.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StatValue {
    /// Of signed integers.
    Int(i64),
    /// Of unsigned integers, and of `Bool` as 0 and 1.
    UInt(u64),
    /// Of floats.
    Float(f64),
    /// Of `String` and `Binary`.
    Bytes(Vec<u8>),
    /// Of `TimestampNs`.
    TimestampNs(i64),
}

impl StatValue {
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::TimestampNs(a), Self::TimestampNs(b)) => a.cmp(b),
            (Self::UInt(a), Self::UInt(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            // The bounds of one array are of one kind.
            _ => Ordering::Equal,
        }
    }

    fn from_slot(slot: &Slot, dtype: &DType) -> Self {
        match slot {
            Slot::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Slot::Number(bits) => match dtype {
                DType::Int8 | DType::Int16 | DType::Int32 | DType::Int64 => Self::Int(bits.cast_signed()),
                DType::TimestampNs => Self::TimestampNs(bits.cast_signed()),
                DType::Float16 | DType::Float32 | DType::Float64 => Self::Float(f64::from_bits(*bits)),
                _ => Self::UInt(*bits),
            },
        }
    }

    fn encode(&self, out: &mut Writer) -> Result<()> {
        let (kind, bits) = match self {
            Self::Int(value) => (0, value.cast_unsigned()),
            Self::UInt(value) => (1, *value),
            Self::Float(value) => (2, value.to_bits()),
            Self::TimestampNs(value) => (3, value.cast_unsigned()),
            Self::Bytes(value) => {
                out.u8(4);
                return out.blob(value);
            }
        };
        out.u8(kind);
        out.u64(bits);
        Ok(())
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(match reader.u8()? {
            0 => Self::Int(reader.u64()?.cast_signed()),
            1 => Self::UInt(reader.u64()?),
            2 => Self::Float(f64::from_bits(reader.u64()?)),
            3 => Self::TimestampNs(reader.u64()?.cast_signed()),
            4 => Self::Bytes(reader.blob()?.to_vec()),
            _ => return Err(Error::corrupt("", "there is no such kind of statistic")),
        })
    }
}

/// Equal where the bits are: a NaN equals itself.
impl PartialEq for StatValue {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.order(other) == Ordering::Equal
    }
}

impl Eq for StatValue {}

/// What is known of the elements of an array, or of a chunk, without reading them.
///
/// Elements that are the fill value, bit by bit, and elements that were never written are *null*, and count
/// for nothing else. Without a fill value, zeros that were written aren't null. Floats are in the order of
/// `total_cmp`: a NaN without the sign bit is greater than infinity, and with it less than the least number.
/// `String` and `Binary` are in the order of their bytes. Complex numbers and lists have no least and greatest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArrayStats {
    /// The array's name.
    pub name: String,
    /// The least element that isn't null.
    pub min: Option<StatValue>,
    /// The greatest element that isn't null.
    pub max: Option<StatValue>,
    /// Whether `min` is an element, or the first bytes of one too long to be kept.
    pub min_is_exact: bool,
    /// Whether `max` is an element, or bytes a little greater than one too long to be kept.
    pub max_is_exact: bool,
    /// How many elements are null.
    pub null_count: u64,
    /// How many elements there are.
    pub row_count: u64,
}

impl ArrayStats {
    /// Those of `rows` elements that are all null.
    pub(crate) fn null(name: &str, rows: u64) -> Self {
        Self {
            name: name.to_owned(),
            min: None,
            max: None,
            min_is_exact: true,
            max_is_exact: true,
            null_count: rows,
            row_count: rows,
        }
    }

    /// Counts a chunk in.
    pub(crate) fn merge(&mut self, chunk: &ChunkStats, dtype: &DType) {
        self.null_count = self.null_count.saturating_sub(chunk.valid.into());
        let Some((min, max)) = &chunk.bounds else { return };
        let (min, max) = (StatValue::from_slot(min, dtype), StatValue::from_slot(max, dtype));
        if self.min.as_ref().is_none_or(|least| min.order(least).is_lt()) {
            self.min = Some(min);
            self.min_is_exact = chunk.min_is_exact;
        }
        if self.max.as_ref().is_none_or(|greatest| max.order(greatest).is_gt()) {
            self.max = Some(max);
            self.max_is_exact = chunk.max_is_exact;
        }
    }

    pub(crate) fn encode(&self, out: &mut Writer) -> Result<()> {
        out.blob(self.name.as_bytes())?;
        out.u64(self.null_count);
        out.u64(self.row_count);
        for (bound, exact) in [(&self.min, self.min_is_exact), (&self.max, self.max_is_exact)] {
            match bound {
                None => out.u8(0),
                Some(value) => {
                    out.u8(if exact { 1 } else { 2 });
                    value.encode(out)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let name = reader.text()?;
        let (null_count, row_count) = (reader.u64()?, reader.u64()?);
        let mut bound = || -> Result<_> {
            Ok(match reader.u8()? {
                0 => (None, true),
                exact => (Some(StatValue::decode(reader)?), exact == 1),
            })
        };
        let (min, min_is_exact) = bound()?;
        let (max, max_is_exact) = bound()?;
        Ok(Self { name, min, max, min_is_exact, max_is_exact, null_count, row_count })
    }
}
