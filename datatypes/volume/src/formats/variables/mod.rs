//! Named arrays of files that hold several: HDF5, and NetCDF in both of its layouts.
//!
//! NetCDF-4 is HDF5 with names for dimensions; the classic layouts, 1, 2 and 5, are its own.

mod attributes;
mod classic;
mod hdf5;
mod image;
mod superblock;

use std::path::Path;

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};

use super::Format;
use super::file::open_file;

pub(super) use hdf5::os_error;
pub(super) use image::{open, open_regions};

/// The most arrays that are looked at in a file.
const MOST_VARIABLES: usize = 1 << 16;

/// What an array's attribute holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum VariableAttribute {
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// Integers of a signed type.
    Signed(Vec<i64>),
    /// Integers of an unsigned type.
    Unsigned(Vec<u64>),
    /// Numbers of 32 or 64 bits.
    Floats(Vec<f64>),
}

/// A named array.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Variable {
    /// Its name; in HDF5 with the groups that it is in, `entry/data`.
    pub name: String,
    /// The shape, slowest axis first; empty for a single element.
    pub shape: Vec<u64>,
    /// The type of the elements.
    pub dtype: DType,
    /// The shape of the chunks that it is stored in, where it is.
    pub chunk_shape: Option<Vec<u64>>,
    /// The names of the axes, as many as there are; empty where the file doesn't say them.
    pub dimensions: Vec<String>,
    /// What elements are that were never written: one element, little-endian.
    pub fill: Option<Vec<u8>>,
    /// The attributes, but for those that keep what the other fields say.
    pub attributes: Vec<(String, VariableAttribute)>,
    /// Whether it says where the elements of others are: a dimension's coordinates.
    pub is_scale: bool,
}

impl Variable {
    /// The attribute of a name.
    pub fn attribute(&self, name: &str) -> Option<&VariableAttribute> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

/// A file of named arrays.
#[derive(Debug)]
pub struct Variables {
    source: Source,
    list: Vec<Variable>,
    left_out: Vec<(String, String)>,
}

#[derive(Debug)]
enum Source {
    Hdf5(hdf5::Datasets),
    Classic(classic::Classic),
}

/// What was found in a file.
struct Found<S> {
    source: S,
    list: Vec<Variable>,
    /// Arrays that can't be read, each with the reason.
    left_out: Vec<(String, String)>,
}

impl Variables {
    /// Opens a file, which its first bytes must say to be HDF5 or NetCDF.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a file of another kind; `Corrupt` and `TooLarge` for one that can't be true.
    pub fn open(path: &Path) -> Result<Self> {
        // What a panic or a mapped file does that isn't one is asked here.
        open_file(path)?;
        match Format::of_bytes(path).ok() {
            Some(Format::NetCdf) => {
                let Found { source, list, left_out } = classic::open(path)?;
                Ok(Self { source: Source::Classic(source), list, left_out })
            }
            // An HDF5 file may begin with something else, which the library steps over.
            Some(Format::Hdf5) | None => {
                let Found { source, list, left_out } = hdf5::open(path)?;
                Ok(Self { source: Source::Hdf5(source), list, left_out })
            }
            Some(_) => Err(Error::new(ErrorKind::InvalidArgument, "the file is neither HDF5 nor NetCDF")),
        }
    }

    /// The arrays that can be read, as they are found in the file.
    pub fn list(&self) -> &[Variable] {
        &self.list
    }

    /// The arrays that can't be read, each with the reason.
    pub fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// The index of a name, with or without a slash before it.
    ///
    /// # Errors
    /// `NotFound`, with the names that there are; `Unsupported` for an array that can't be read.
    pub fn find(&self, name: &str) -> Result<usize> {
        let wanted = name.trim_start_matches('/');
        if let Some(index) = self.list.iter().position(|variable| variable.name == wanted) {
            return Ok(index);
        }
        if let Some((_, reason)) = self.left_out.iter().find(|(found, _)| found == wanted) {
            return Err(Error::new(ErrorKind::Unsupported, "the array can't be read")
                .with("array", wanted)
                .with("because", reason));
        }
        Err(Error::new(ErrorKind::NotFound, "the file has no array of this name")
            .with("array", wanted)
            .with("arrays", self.names()))
    }

    /// The names of the arrays, a line of them.
    fn names(&self) -> String {
        const MOST: usize = 20;
        let names: Vec<&str> = self.list.iter().map(|variable| variable.name.as_str()).take(MOST).collect();
        let more = if self.list.len() > MOST { " and others" } else { "" };
        format!("{}{more}", names.join(" "))
    }

    /// Reads a part of the array of an index: C order, little-endian.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such part or `out` isn't as long as it; `Corrupt` when the file is damaged;
    /// `Unsupported` for a compression that isn't known.
    pub fn read(&self, index: usize, start: &[u64], shape: &[u64], out: &mut [u8]) -> Result<()> {
        let wrong = |message| Error::new(ErrorKind::InvalidArgument, message);
        let variable = self.list.get(index).ok_or_else(|| wrong("the file has no such array"))?;
        let inside = start.len() == variable.shape.len()
            && shape.len() == variable.shape.len()
            && (0..shape.len()).all(|axis| {
                start[axis].checked_add(shape[axis]).is_some_and(|end| end <= variable.shape[axis])
            });
        if !inside {
            return Err(wrong("the part is out of the array's bounds").with("array", &variable.name));
        }
        let size = u64::try_from(variable.dtype.size()).unwrap_or(8);
        let bytes = shape.iter().try_fold(size, |bytes, length| bytes.checked_mul(*length));
        if bytes != u64::try_from(out.len()).ok() {
            return Err(wrong("the buffer isn't as long as the part"));
        }
        if out.is_empty() {
            return Ok(());
        }
        match &self.source {
            Source::Hdf5(datasets) => datasets.read(index, variable, start, shape, out),
            Source::Classic(classic) => classic.read(variable, start, shape, out),
        }?;
        if variable.dtype == DType::Bool {
            for element in out {
                *element = u8::from(*element != 0);
            }
        }
        Ok(())
    }
}

/// Copies elements, little-endian.
macro_rules! copy_elements {
    ($from:expr, $to:expr, $number:ty) => {{
        let (places, _) = $to.as_chunks_mut::<{ size_of::<$number>() }>();
        for (place, number) in places.iter_mut().zip($from) {
            *place = number.to_le_bytes();
        }
    }};
}
use copy_elements;
