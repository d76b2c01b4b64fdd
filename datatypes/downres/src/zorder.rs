//! The order in which parents are finished soon after their children.

use std::cmp::Ordering;

use chunks::Coords;

/// Compares chunks by their place on the Z-order curve (Morton's): by the interleaved bits of their coordinates, the
/// slowest axis first.
pub(crate) fn zorder(left: &Coords, right: &Coords) -> Ordering {
    const SIGN: u32 = 1 << 31;
    let bits = |value: i32| value.cast_unsigned() ^ SIGN;
    // The axis whose coordinates differ in the highest bit decides, and of several the slowest.
    let mut highest = 0;
    let mut order = Ordering::Equal;
    for (left, right) in left.iter().zip(right.iter()) {
        let (left, right) = (bits(*left), bits(*right));
        let differing = left ^ right;
        if differing != 0 && (order == Ordering::Equal || differing.ilog2() > highest) {
            highest = differing.ilog2();
            order = left.cmp(&right);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_goes_through_each_block_before_the_next() {
        let mut chunks: Vec<Coords> =
            (-2..2).flat_map(|y| (-2..2).map(move |x| Coords::new(&[y, x]).unwrap())).collect();
        chunks.sort_by(zorder);
        let texts: Vec<String> = chunks.iter().take(8).map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["(-2,-2)", "(-2,-1)", "(-1,-2)", "(-1,-1)", "(-2,0)", "(-2,1)", "(-1,0)", "(-1,1)"]
        );
        assert_eq!(chunks[8].to_string(), "(0,-2)");
    }
}
