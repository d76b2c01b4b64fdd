//! Which elements the name of a chunk means.

use chunks::Region;
use engine_api::{Error, ErrorKind, Result};

use crate::space::AXES;

/// The elements of the chunk `x0-x1_y0-y1_z0-z1`.
///
/// The format counts chunks from the array's first element, which may be below zero and needn't be where a
/// stored chunk begins; a chunk at the far end stops with the array. Only a chunk of that grid has a name, so no
/// name asks for more than one chunk's elements.
///
/// # Errors
/// `InvalidArgument` when the name isn't of this form; `NotFound` when it is that of no chunk.
pub(crate) fn chunk_region(name: &str, bounds: &Region, chunk_shape: &[u64; AXES]) -> Result<Region> {
    let malformed = || {
        Error::new(ErrorKind::InvalidArgument, "a chunk is named x0-x1_y0-y1_z0-z1, in elements")
            .with("name", name)
    };
    let ranges: Vec<(i64, i64)> = name.split('_').map(range).collect::<Option<_>>().ok_or_else(malformed)?;
    let [x, y, z] = ranges[..] else { return Err(malformed()) };
    let mut offset = [0; AXES];
    let mut shape = [0; AXES];
    for (axis, (start, end)) in [z, y, x].into_iter().enumerate() {
        offset[axis] = start;
        shape[axis] = along(start, end, (bounds.offset()[axis], bounds.end(axis)), chunk_shape[axis])
            .ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "there is no such chunk")
                    .with("name", name)
                    .with("bounds", bounds)
                    .with("chunk_shape", format_args!("{chunk_shape:?}"))
            })?;
    }
    Region::new(&offset, &shape)
}

/// How long a chunk is that goes from `start` to `end`, if one does.
fn along(start: i64, end: i64, (first, stop): (i64, i64), chunk: u64) -> Option<u64> {
    let behind = u64::try_from(start.checked_sub(first)?).ok()?;
    let expected = start.saturating_add_unsigned(chunk).min(stop);
    (start < stop && behind.is_multiple_of(chunk) && end == expected).then_some(start.abs_diff(end))
}

/// `3-7`, `-5--1`: two numbers as a program writes them, without a plus or zeros before them.
fn range(text: &str) -> Option<(i64, i64)> {
    // The first character may be the sign of the first number.
    let dash = text.get(1..)?.find('-')? + 1;
    let (start, end) = (&text[..dash], &text[dash + 1..]);
    let number = |digits: &str| digits.parse::<i64>().ok().filter(|number| number.to_string() == digits);
    Some((number(start)?, number(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &str = "-3:5,0:10,7:9";
    const CHUNK: [u64; 3] = [4, 8, 16];

    fn region(name: &str) -> Result<String> {
        chunk_region(name, &BOUNDS.parse().unwrap(), &CHUNK).map(|region| region.to_string())
    }

    #[test]
    fn names_are_x_first_and_count_from_the_first_element() {
        assert_eq!(region("7-9_0-8_-3-1").unwrap(), "-3:1,0:8,7:9");
        assert_eq!(region("7-9_8-10_1-5").unwrap(), "1:5,8:10,7:9");
    }

    #[test]
    fn what_is_no_chunk_of_the_grid_isn_t_found() {
        for name in [
            "7-9_0-8_-4-0",   // where a stored chunk lies
            "7-9_0-10_-3-1",  // two chunks
            "7-9_0-8_-3-5",   // two chunks
            "7-23_0-8_-3-1",  // beyond the array
            "7-8_0-8_-3-1",   // a part of one
            "9-9_0-8_-3-1",   // empty, at the end
            "7-9_16-24_-3-1", // behind the end
            "7-9_0-8_5-9",    // behind the end
            "7-9_0-8_-7--3",  // before the beginning
            "7-9_8-0_-3-1",   // backwards
            "7-9223372036854775807_0-8_-3-1",
            "-9223372036854775808-9_0-8_-3-1",
        ] {
            assert_eq!(region(name).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_malformed() {
        for name in [
            "",
            "-",
            "_",
            "__",
            "7-9",
            "7-9_0-8",
            "7-9_0-8_-3-1_0-1",
            "7-9_0-8_-3",
            "7-9_0-8_x-1",
            "07-9_0-8_-3-1",
            "+7-9_0-8_-3-1",
            "7-9_0-8_-3-1.gz",
            "7-9_-0-8_-3-1",
            "7-9_0-99999999999999999999_-3-1",
            "7-9_0-8_-3-1 ",
            "é-9_0-8_-3-1",
            "7-é_0-8_-3-1",
        ] {
            assert_eq!(region(name).unwrap_err().kind(), ErrorKind::InvalidArgument, "{name:?}");
        }
    }
}
