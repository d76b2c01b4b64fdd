//! Variables of classic NetCDF files: layouts 1, 2 and 5.

use std::path::Path;

use chunks::DType;
use engine_api::embedded::contain;
use engine_api::{Error, ErrorKind, Result};
use netcdf_reader::{NcAttrValue, NcFile, NcSliceInfo, NcSliceInfoElem, NcType, NcVariable};

use super::{Found, MOST_VARIABLES, Variable, VariableAttribute, copy_elements};

/// The attribute that says what elements are that were never written.
const FILL: &str = "_FillValue";

pub(super) struct Classic(NcFile);

impl std::fmt::Debug for Classic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classic").field("format", &self.0.format()).finish()
    }
}

pub(super) fn open(path: &Path) -> Result<Found<Classic>> {
    contain(|| {
        let file = NcFile::open(path).map_err(read_failed)?;
        let (mut list, mut left_out) = (Vec::new(), Vec::new());
        let variables = file.variables().map_err(read_failed)?;
        if variables.len() > MOST_VARIABLES {
            return Err(Error::new(ErrorKind::TooLarge, "the file has too many variables")
                .with("variables", variables.len())
                .with("limit", MOST_VARIABLES));
        }
        for variable in variables {
            match dtype_of(variable.dtype()) {
                Some(dtype) => list.push(describe(variable, dtype)),
                None => left_out.push((variable.name.clone(), "its elements aren't numbers".to_owned())),
            }
        }
        Ok(Found { source: Classic(file), list, left_out })
    })
}

fn describe(variable: &NcVariable, dtype: DType) -> Variable {
    let kept = variable.attributes.iter().filter(|attribute| attribute.name != FILL);
    let attributes =
        kept.filter_map(|attribute| Some((attribute.name.clone(), value_of(&attribute.value)?))).collect();
    Variable {
        name: variable.name.clone(),
        shape: variable.shape(),
        dtype,
        chunk_shape: None,
        dimensions: variable.dimensions.iter().map(|dimension| dimension.name.clone()).collect(),
        fill: variable.attribute(FILL).and_then(|fill| fill_of(&fill.value, dtype)),
        attributes,
        is_scale: variable.is_coordinate_variable(),
    }
}

fn dtype_of(kind: &NcType) -> Option<DType> {
    Some(match kind {
        NcType::Byte => DType::I8,
        NcType::UByte => DType::U8,
        NcType::Short => DType::I16,
        NcType::UShort => DType::U16,
        NcType::Int => DType::I32,
        NcType::UInt => DType::U32,
        NcType::Int64 => DType::I64,
        NcType::UInt64 => DType::U64,
        NcType::Float => DType::F32,
        NcType::Double => DType::F64,
        _ => return None,
    })
}

fn value_of(value: &NcAttrValue) -> Option<VariableAttribute> {
    fn signed<N: Copy + Into<i64>>(values: &[N]) -> VariableAttribute {
        VariableAttribute::Signed(values.iter().map(|value| (*value).into()).collect())
    }
    fn unsigned<N: Copy + Into<u64>>(values: &[N]) -> VariableAttribute {
        VariableAttribute::Unsigned(values.iter().map(|value| (*value).into()).collect())
    }
    Some(match value {
        NcAttrValue::Chars(text) => VariableAttribute::Text(text.clone()),
        NcAttrValue::Strings(texts) => VariableAttribute::Texts(texts.clone()),
        NcAttrValue::Bytes(values) => signed(values),
        NcAttrValue::Shorts(values) => signed(values),
        NcAttrValue::Ints(values) => signed(values),
        NcAttrValue::Int64s(values) => signed(values),
        NcAttrValue::UBytes(values) => unsigned(values),
        NcAttrValue::UShorts(values) => unsigned(values),
        NcAttrValue::UInts(values) => unsigned(values),
        NcAttrValue::UInt64s(values) => unsigned(values),
        NcAttrValue::Floats(values) => {
            VariableAttribute::Floats(values.iter().map(|value| f64::from(*value)).collect())
        }
        NcAttrValue::Doubles(values) => VariableAttribute::Floats(values.clone()),
        NcAttrValue::UserDefined { .. } => return None,
    })
}

/// A fill value's bytes, where it is of the elements' type.
fn fill_of(value: &NcAttrValue, dtype: DType) -> Option<Vec<u8>> {
    let bytes = match value {
        NcAttrValue::Bytes(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::UBytes(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::Shorts(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::UShorts(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::Ints(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::UInts(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::Int64s(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::UInt64s(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::Floats(values) => values.first()?.to_le_bytes().to_vec(),
        NcAttrValue::Doubles(values) => values.first()?.to_le_bytes().to_vec(),
        _ => return None,
    };
    (bytes.len() == dtype.size()).then_some(bytes)
}

impl Classic {
    pub(super) fn read(
        &self,
        variable: &Variable,
        start: &[u64],
        shape: &[u64],
        out: &mut [u8],
    ) -> Result<()> {
        let selections = start.iter().zip(shape);
        let selections = selections.map(|(start, length)| NcSliceInfoElem::Slice {
            start: *start,
            end: start + length,
            step: 1,
        });
        let part = NcSliceInfo { selections: selections.collect() };
        macro_rules! typed {
            ($number:ty) => {{
                let numbers =
                    self.0.read_variable_slice::<$number>(&variable.name, &part).map_err(read_failed)?;
                copy_elements!(numbers, out, $number);
            }};
        }
        contain(|| {
            match variable.dtype {
                DType::U8 | DType::Bool => typed!(u8),
                DType::U16 => typed!(u16),
                DType::U32 => typed!(u32),
                DType::U64 => typed!(u64),
                DType::I8 => typed!(i8),
                DType::I16 => typed!(i16),
                DType::I32 => typed!(i32),
                DType::I64 => typed!(i64),
                DType::F32 => typed!(f32),
                DType::F64 => typed!(f64),
            }
            Ok(())
        })
    }
}

fn read_failed(error: netcdf_reader::Error) -> Error {
    let kind = match &error {
        netcdf_reader::Error::UnsupportedVersion(_) | netcdf_reader::Error::UnsupportedFeature(_) => {
            ErrorKind::Unsupported
        }
        netcdf_reader::Error::Io(_) => ErrorKind::Io,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, "the NetCDF file can't be read").caused_by(error)
}
