//! The names of element types, read as they are shown.

use std::str::FromStr;

use crate::DType;
use crate::dtype::MAX_DEPTH;
use crate::error::{Error, Result};

impl FromStr for DType {
    type Err = Error;

    /// Accepts what its `Display` shows, the short names of `chunks` (`u16`, `f32`), and `f16`, `c64`, `c128`.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::invalid("there is no such element type", text);
        // Each angle is a call within a call; a type that is too deep is refused before, and not after, them.
        if text.matches('<').count() > MAX_DEPTH {
            return Err(Error::invalid("lists are nested too deep", text));
        }
        let dtype = match text {
            "float16" | "f16" => Self::Float16,
            "complex64" | "c64" => Self::Complex64,
            "complex128" | "c128" => Self::Complex128,
            "timestamp[ns]" => Self::TimestampNs,
            "string" => Self::String,
            "binary" => Self::Binary,
            _ => match text.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
                Some(inner) => list(inner)?,
                None => text.parse::<chunks::DType>().map_err(|_| unknown())?.into(),
            },
        };
        dtype.check()?;
        Ok(dtype)
    }
}

/// What stands between the angles of a list: the children, and of a fixed-size one how many.
fn list(inner: &str) -> Result<DType> {
    // The comma of a list within this one is followed by an angle.
    match inner.rsplit_once(',') {
        Some((child, size)) if !size.contains('>') => {
            let size = size.trim().parse().map_err(|_| Error::invalid("a list has no such size", size))?;
            Ok(DType::FixedSizeList { child: Box::new(child.trim().parse()?), size })
        }
        _ => Ok(DType::List { child: Box::new(inner.trim().parse()?) }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;

    #[test]
    fn what_is_shown_is_read() {
        let simple = [
            DType::Bool,
            DType::Int8,
            DType::UInt64,
            DType::Float16,
            DType::Float64,
            DType::Complex64,
            DType::Complex128,
            DType::TimestampNs,
            DType::String,
            DType::Binary,
        ];
        for dtype in simple {
            let list = DType::List { child: Box::new(dtype.clone()) };
            let fixed = DType::FixedSizeList { child: Box::new(dtype.clone()), size: 3 };
            let deep = DType::List { child: Box::new(fixed.clone()) };
            let deeper = DType::FixedSizeList { child: Box::new(list.clone()), size: 2 };
            for dtype in [dtype, list, fixed, deep, deeper] {
                assert_eq!(dtype.to_string().parse::<DType>().unwrap(), dtype);
            }
        }
        assert_eq!("u16".parse::<DType>().unwrap(), DType::UInt16);
    }

    #[test]
    fn what_is_no_type_is_refused() {
        let deep = "list<".repeat(1 << 12) + "bool" + &">".repeat(1 << 12);
        for text in ["", "u12", "list", "list<>", "list<u8", "list<u8, 0>", "list<u8, -1>", "list<,3>", &deep]
        {
            assert!(text.parse::<DType>().is_err(), "{text}");
        }
    }
}
