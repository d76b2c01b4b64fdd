//! Fill values, and the cells that they are stored as.

use half::f16;
use num_complex::Complex;

use crate::cells::{child_cells, join_cells};
use crate::error::{Error, Result};
use crate::wire::{Reader, Writer};
use crate::{ArrayElement, DType};

/// An element's value, of any type: that of elements that were never written, and what
/// [`write_values`](crate::ArrayFile::write_values) writes.
///
/// It is converted to the array's type, and refused where it isn't one of its values: 300 is no `uint8`, and 0.5 no
/// integer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FillValue {
    /// Of `Bool`.
    Bool(bool),
    /// Of integers, of floats that hold it exactly, and of timestamps.
    Int(i64),
    /// Of integers, of floats that hold it exactly, and of timestamps.
    UInt(u64),
    /// Of floats, rounded to the nearest, and of complex numbers without an imaginary part.
    Float(f64),
    /// Of complex numbers: the real part, and the imaginary.
    Complex(f64, f64),
    /// Of `TimestampNs`.
    TimestampNs(i64),
    /// Of `String`.
    String(String),
    /// Of `Binary`.
    Binary(Vec<u8>),
    /// Of lists.
    List(Vec<FillValue>),
}

impl FillValue {
    /// The cell of an element of this type, and of this value for want of another.
    pub(crate) fn cell(&self, dtype: &DType) -> Result<Vec<u8>> {
        self.try_cell(dtype).ok_or_else(|| {
            Error::invalid("the fill value isn't one of the array's type", format!("{self:?} of {dtype}"))
        })
    }

    /// The cell of an element of this type and value; `None` where it isn't one of the type.
    pub(crate) fn try_cell(&self, dtype: &DType) -> Option<Vec<u8>> {
        macro_rules! integer {
            ($number:ty) => {
                match self {
                    Self::Int(value) => cell_of(&<$number>::try_from(*value).ok()?),
                    Self::UInt(value) => cell_of(&<$number>::try_from(*value).ok()?),
                    _ => return None,
                }
            };
        }
        Some(match (dtype, self) {
            (DType::Bool, Self::Bool(value)) => cell_of(value),
            (DType::Int8, _) => integer!(i8),
            (DType::Int16, _) => integer!(i16),
            (DType::Int32, _) => integer!(i32),
            (DType::UInt8, _) => integer!(u8),
            (DType::UInt16, _) => integer!(u16),
            (DType::UInt32, _) => integer!(u32),
            (DType::UInt64, _) => integer!(u64),
            (DType::TimestampNs, Self::TimestampNs(value)) => cell_of(value),
            (DType::Int64 | DType::TimestampNs, _) => integer!(i64),
            (DType::Float16, _) => cell_of(&f16::from_f64(self.float(1 << 11)?)),
            (DType::Float32, _) => cell_of(&to_f32(self.float(1 << 24)?)),
            (DType::Float64, _) => cell_of(&self.float(1 << 53)?),
            (DType::Complex64, _) => {
                let (re, im) = self.complex(1 << 24)?;
                cell_of(&Complex::new(to_f32(re), to_f32(im)))
            }
            (DType::Complex128, _) => {
                let (re, im) = self.complex(1 << 53)?;
                cell_of(&Complex::new(re, im))
            }
            (DType::String, Self::String(value)) => cell_of(value),
            (DType::Binary, Self::Binary(value)) => cell_of(value),
            (DType::FixedSizeList { child, size }, Self::List(values))
                if u32::try_from(values.len()) == Ok(*size) =>
            {
                list_cell(child, values)?
            }
            (DType::List { child }, Self::List(values)) => list_cell(child, values)?,
            _ => return None,
        })
    }

    /// Whether no number of it is so large that the type would make it infinite.
    pub(crate) fn fits(&self, dtype: &DType) -> bool {
        let part = |value: f64| match dtype {
            DType::Float16 => f16::from_f64(value).is_finite() || !value.is_finite(),
            DType::Float32 | DType::Complex64 => to_f32(value).is_finite() || !value.is_finite(),
            _ => true,
        };
        match (self, dtype) {
            (Self::Float(value), _) => part(*value),
            (Self::Complex(re, im), _) => part(*re) && part(*im),
            (Self::List(values), DType::List { child } | DType::FixedSizeList { child, .. }) => {
                values.iter().all(|value| value.fits(child))
            }
            _ => true,
        }
    }

    /// The value of a cell; `None` for bytes that no element of the type has.
    pub(crate) fn of_cell(dtype: &DType, cell: &[u8]) -> Option<Self> {
        macro_rules! number {
            ($kind:ident, $number:ty) => {
                Self::$kind(<$number>::read_cell(cell)?.into())
            };
        }
        Some(match dtype {
            DType::Bool => number!(Bool, bool),
            DType::Int8 => number!(Int, i8),
            DType::Int16 => number!(Int, i16),
            DType::Int32 => number!(Int, i32),
            DType::Int64 => number!(Int, i64),
            DType::UInt8 => number!(UInt, u8),
            DType::UInt16 => number!(UInt, u16),
            DType::UInt32 => number!(UInt, u32),
            DType::UInt64 => number!(UInt, u64),
            DType::Float16 => number!(Float, f16),
            DType::Float32 => number!(Float, f32),
            DType::Float64 => number!(Float, f64),
            DType::Complex64 => {
                let value = Complex::<f32>::read_cell(cell)?;
                Self::Complex(value.re.into(), value.im.into())
            }
            DType::Complex128 => {
                let value = Complex::<f64>::read_cell(cell)?;
                Self::Complex(value.re, value.im)
            }
            DType::TimestampNs => number!(TimestampNs, i64),
            DType::String => number!(String, String),
            DType::Binary => number!(Binary, Vec<u8>),
            DType::FixedSizeList { child, size } => {
                let children = child_cells(child, cell)?;
                if u32::try_from(children.len()) != Ok(*size) {
                    return None;
                }
                Self::list_of(child, &children)?
            }
            DType::List { child } => Self::list_of(child, &child_cells(child, cell)?)?,
        })
    }

    fn list_of(child: &DType, cells: &[&[u8]]) -> Option<Self> {
        cells.iter().map(|cell| Self::of_cell(child, cell)).collect::<Option<_>>().map(Self::List)
    }

    /// The value as a float that holds all integers up to `exact`.
    fn float(&self, exact: i64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "it was checked to be exact")]
        match self {
            Self::Float(value) => Some(*value),
            Self::Int(value) if (-exact..=exact).contains(value) => Some(*value as f64),
            Self::UInt(value) if i64::try_from(*value).is_ok_and(|value| value <= exact) => {
                Some(*value as f64)
            }
            _ => None,
        }
    }

    fn complex(&self, exact: i64) -> Option<(f64, f64)> {
        match self {
            Self::Complex(re, im) => Some((*re, *im)),
            _ => self.float(exact).map(|re| (re, 0.0)),
        }
    }

    pub(crate) fn encode(&self, out: &mut Writer) -> Result<()> {
        match self {
            Self::Bool(value) => {
                out.u8(0);
                out.u8(u8::from(*value));
            }
            Self::Int(value) => {
                out.u8(1);
                out.u64(value.cast_unsigned());
            }
            Self::UInt(value) => {
                out.u8(2);
                out.u64(*value);
            }
            Self::Float(value) => {
                out.u8(3);
                out.u64(value.to_bits());
            }
            Self::Complex(re, im) => {
                out.u8(4);
                out.u64(re.to_bits());
                out.u64(im.to_bits());
            }
            Self::TimestampNs(value) => {
                out.u8(5);
                out.u64(value.cast_unsigned());
            }
            Self::String(value) => {
                out.u8(6);
                out.blob(value.as_bytes())?;
            }
            Self::Binary(value) => {
                out.u8(7);
                out.blob(value)?;
            }
            Self::List(values) => {
                out.u8(8);
                out.count(values.len())?;
                values.iter().try_for_each(|value| value.encode(out))?;
            }
        }
        Ok(())
    }

    pub(crate) fn decode(bytes: &mut Reader<'_>) -> Result<Self> {
        Self::decode_nested(bytes, 8)
    }

    fn decode_nested(bytes: &mut Reader<'_>, depth: usize) -> Result<Self> {
        Ok(match bytes.u8()? {
            0 => Self::Bool(bytes.u8()? != 0),
            1 => Self::Int(bytes.u64()?.cast_signed()),
            2 => Self::UInt(bytes.u64()?),
            3 => Self::Float(f64::from_bits(bytes.u64()?)),
            4 => Self::Complex(f64::from_bits(bytes.u64()?), f64::from_bits(bytes.u64()?)),
            5 => Self::TimestampNs(bytes.u64()?.cast_signed()),
            6 => Self::String(bytes.text()?),
            7 => Self::Binary(bytes.blob()?.to_vec()),
            8 => {
                let depth =
                    depth.checked_sub(1).ok_or_else(|| Error::corrupt("", "lists are nested too deep"))?;
                let count = bytes.count(2)?;
                let values = (0..count).map(|_| Self::decode_nested(bytes, depth));
                Self::List(values.collect::<Result<_>>()?)
            }
            _ => return Err(Error::corrupt("", "there is no such kind of fill value")),
        })
    }
}

fn cell_of(value: &impl ArrayElement) -> Vec<u8> {
    let mut cell = Vec::new();
    value.write_cell(&mut cell);
    cell
}

#[expect(clippy::cast_possible_truncation, reason = "to the nearest is what is asked for")]
fn to_f32(value: f64) -> f32 {
    value as f32
}

fn list_cell(child: &DType, values: &[FillValue]) -> Option<Vec<u8>> {
    let cells: Vec<_> = values.iter().map(|value| value.try_cell(child)).collect::<Option<_>>()?;
    if !child.is_variable_length() {
        return Some(cells.concat());
    }
    let mut out = Vec::new();
    join_cells(cells.into_iter(), &mut out);
    Some(out)
}

/// The cell of an element that was never written in an array without a fill value.
pub(crate) fn zero_cell(dtype: &DType) -> Vec<u8> {
    match dtype {
        DType::List { child } if child.is_variable_length() => 0u32.to_le_bytes().to_vec(),
        DType::FixedSizeList { child, size } if child.is_variable_length() => {
            let size = usize::try_from(*size).unwrap_or(usize::MAX);
            let mut out = Vec::new();
            join_cells(std::iter::repeat_n(zero_cell(child), size), &mut out);
            out
        }
        other => vec![0; other.element_size().unwrap_or(0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_no_element_has_are_no_value() {
        for (dtype, cell) in [
            ("bool", &[2][..]),
            ("u16", &[1]),
            ("string", &[0xff]),
            ("list<u16>", &[1, 2, 3]),
            ("list<u8, 2>", &[1]),
            ("list<string, 1>", &[0; 4]),
            ("list<string>", &[1, 0, 0, 0, 9, 0, 0, 0]),
        ] {
            let dtype: DType = dtype.parse().unwrap();
            assert_eq!(FillValue::of_cell(&dtype, cell), None, "{dtype}");
        }
    }
}
