//! Which values become black and white.

use std::str::FromStr;

use chunks::{DType, Region};
use engine_api::{Error, ErrorKind, Result};

use crate::space::{AXES, Space};

/// The values that become black and white; what lies outside is clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Window {
    /// Bytes as they are.
    pub(crate) const OF_BYTES: Self = Self { low: 0.0, high: 255.0 };
}

impl FromStr for Window {
    type Err = Error;

    /// `low,high`.
    fn from_str(text: &str) -> Result<Self> {
        text.split_once(',')
            .and_then(|(low, high)| {
                Some(Self { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? })
            })
            .filter(|window| window.low < window.high && (window.high - window.low).is_finite())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    "a window is LOW,HIGH, two numbers of which the first is less",
                )
                .with("window", text)
            })
    }
}

/// Of each axis, no more elements than this are looked at.
const LOOKED_AT: u64 = 1024;

/// A window that suits the volume: all of a type of one byte, otherwise from the smallest to the largest finite
/// value in the middle slices of the coarsest scale.
pub(crate) fn suggested(space: &Space<'_>, dtype: DType) -> Result<Window> {
    match dtype {
        DType::Bool => return Ok(Window { low: 0.0, high: 1.0 }),
        DType::U8 => return Ok(Window::OF_BYTES),
        DType::I8 => return Ok(Window { low: -128.0, high: 127.0 }),
        _ => {}
    }
    let scale = space.scales().saturating_sub(1);
    let middle = middle_of(&space.bounds(scale)?);
    let mut low = f64::INFINITY;
    let mut high = f64::NEG_INFINITY;
    for axis in 0..AXES {
        let at = middle.offset()[axis].saturating_add_unsigned(middle.shape()[axis] / 2);
        let slice = space.read(scale, &middle.slice(axis, at, at.saturating_add(1)))?;
        for element in slice.chunks_exact(dtype.size()) {
            let value = dtype.to_f64(element);
            if value.is_finite() {
                low = low.min(value);
                high = high.max(value);
            }
        }
    }
    if low < high && (high - low).is_finite() {
        return Ok(Window { low, high });
    }
    Ok(Window { low: low.min(0.0), high: low.min(0.0) + 1.0 })
}

/// The middle of a box, where it is larger than what is looked at.
fn middle_of(bounds: &Region) -> Region {
    (0..AXES).fold(*bounds, |part, axis| {
        let length = bounds.shape()[axis].min(LOOKED_AT);
        let start = bounds.offset()[axis].saturating_add_unsigned((bounds.shape()[axis] - length) / 2);
        part.slice(axis, start, start.saturating_add_unsigned(length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chunks::{Codec, Fill, Grid, MemoryScales, MultiscaleStore, Scales, write_region};

    #[test]
    fn what_is_no_window_is_refused() {
        assert_eq!("-1.5,1e3".parse::<Window>().unwrap(), Window { low: -1.5, high: 1000.0 });
        for text in ["", "1", "1,1", "2,1", "NaN,1", "0,NaN", "-inf,1", "a,b", "1,2,3", "-1.7e308,1.7e308"] {
            assert_eq!(text.parse::<Window>().unwrap_err().kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }

    #[test]
    fn the_suggested_window_spans_the_finite_values_of_the_middle() {
        let grid = Grid::new(&[3, 3000, 3], &[1, 64, 3], DType::F32).unwrap();
        let store = MemoryScales::new(Scales::single(grid), Codec::default());
        let put = |region: &str, value: f32| {
            let region: Region = region.parse().unwrap();
            let data = value.to_le_bytes().repeat(usize::try_from(region.elements()).unwrap());
            write_region(store.scale(0).unwrap(), &region, &data).unwrap();
        };
        put("0:1,0:1,0:1", 1e9);
        put("1:2,1500:1501,1:2", -3.0);
        put("1:2,1600:1601,1:2", 40.0);
        put("1:2,1601:1602,1:2", f32::INFINITY);
        put("1:2,1602:1603,1:2", f32::NAN);
        let space = Space::new(&store, &[]).unwrap();
        assert_eq!(suggested(&space, DType::F32).unwrap(), Window { low: -3.0, high: 40.0 });
    }

    #[test]
    fn one_value_everywhere_still_has_a_window() {
        for fill in ["NaN", "0", "-5", "7"] {
            let grid = Grid::new(&[4], &[4], DType::F64).unwrap();
            let grid = grid.with_fill(Fill::parse(DType::F64, fill).unwrap()).unwrap();
            let store = MemoryScales::new(Scales::single(grid), Codec::default());
            let window = suggested(&Space::new(&store, &[]).unwrap(), DType::F64).unwrap();
            assert!(window.low < window.high, "{fill}: {window:?}");
        }
    }
}
