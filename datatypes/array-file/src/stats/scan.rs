//! The least and the greatest of a chunk's numbers, and how many aren't the fill value.

use multiversion::multiversion;

/// What a pass over numbers finds: how many count, and the least and greatest of those.
pub(super) type Found<T> = (u32, Option<(T, T)>);

/// Elements counted at a time, few enough that the count fits the narrowest lane.
const BLOCK: usize = 128;

macro_rules! scans {
    ($($name:ident, $number:ty;)*) => {$(
        /// Numbers that are `skip`, where there is one, don't count.
        #[multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt"))]
        pub(super) fn $name(cells: &[[u8; size_of::<$number>()]], skip: Option<$number>) -> Found<$number> {
            let (mut min, mut max) = (<$number>::MAX, <$number>::MIN);
            let mut valid = 0u32;
            for block in cells.chunks(BLOCK) {
                let mut counted = 0u8;
                match skip {
                    None => for cell in block {
                        let number = <$number>::from_le_bytes(*cell);
                        min = min.min(number);
                        max = max.max(number);
                        counted += 1;
                    },
                    Some(skip) => for cell in block {
                        let number = <$number>::from_le_bytes(*cell);
                        let counts = number != skip;
                        min = min.min(if counts { number } else { <$number>::MAX });
                        max = max.max(if counts { number } else { <$number>::MIN });
                        counted += u8::from(counts);
                    },
                }
                valid = valid.saturating_add(u32::from(counted));
            }
            (valid, (valid > 0).then_some((min, max)))
        }
    )*};
}

scans! {
    scan_u8, u8;
    scan_u16, u16;
    scan_u32, u32;
    scan_u64, u64;
    scan_i8, i8;
    scan_i16, i16;
    scan_i32, i32;
    scan_i64, i64;
}

macro_rules! float_scans {
    ($($name:ident, $bits:ty;)*) => {$(
        /// Floats by their bits, in the order of `total_cmp`.
        #[multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt"))]
        pub(super) fn $name(cells: &[[u8; size_of::<$bits>()]], skip: Option<$bits>) -> Found<$bits> {
            // Negative floats sort backwards by their bits, so all but the sign of theirs are turned.
            #[inline(always)]
            fn turn(bits: $bits) -> $bits {
                bits ^ ((bits >> (<$bits>::BITS - 1)) & <$bits>::MAX)
            }
            let (mut min, mut max) = (<$bits>::MAX, <$bits>::MIN);
            let mut valid = 0u32;
            for cell in cells {
                let bits = <$bits>::from_le_bytes(*cell);
                let counts = skip != Some(bits);
                let key = turn(bits);
                min = min.min(if counts { key } else { <$bits>::MAX });
                max = max.max(if counts { key } else { <$bits>::MIN });
                valid = valid.saturating_add(u32::from(counts));
            }
            (valid, (valid > 0).then_some((turn(min), turn(max))))
        }
    )*};
}

float_scans! {
    scan_f16, i16;
    scan_f32, i32;
    scan_f64, i64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn scans_find_what_a_loop_finds(values in prop::collection::vec(-3i16..300, 0..700), skip in any::<bool>()) {
            let cells: Vec<_> = values.iter().map(|value| value.to_le_bytes()).collect();
            let skip = skip.then_some(7);
            let counted: Vec<_> = values.iter().copied().filter(|value| Some(*value) != skip).collect();
            let bounds = counted.iter().min().copied().zip(counted.iter().max().copied());
            prop_assert_eq!(scan_i16(&cells, skip), (u32::try_from(counted.len()).unwrap(), bounds));
        }

        #[test]
        fn floats_are_in_total_order(bits in prop::collection::vec(any::<u32>(), 1..40)) {
            let cells: Vec<_> = bits.iter().map(|bits| bits.to_le_bytes()).collect();
            let mut floats: Vec<_> = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
            floats.sort_by(f32::total_cmp);
            let bits = |float: &f32| float.to_bits().cast_signed();
            let expected = (bits(floats.first().unwrap()), bits(floats.last().unwrap()));
            prop_assert_eq!(scan_f32(&cells, None).1, Some(expected));
        }
    }
}
