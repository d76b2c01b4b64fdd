//! Colours of labels.

/// The colour of a label: always the same one, and likely another than its neighbours'. Label 0, which is nothing
/// by convention, is black.
pub(crate) fn colour(label: u64) -> [u8; 3] {
    if label == 0 {
        return [0; 3];
    }
    let bits = mixed(label).to_le_bytes();
    // A full hue, and two more bits' worth of brightness and paleness, all of them bright enough for black.
    let bright = 160 + bits[4] % 96;
    let dark = bits[5] % 96;
    let between = dark + u8::try_from(u16::from(bits[6]) * u16::from(bright - dark) / 255).unwrap_or(bright);
    match bits[7] % 6 {
        0 => [bright, between, dark],
        1 => [between, bright, dark],
        2 => [dark, bright, between],
        3 => [dark, between, bright],
        4 => [between, dark, bright],
        _ => [bright, dark, between],
    }
}

/// The finaliser of `SplitMix64`: every bit of the label changes half of the bits.
fn mixed(label: u64) -> u64 {
    let mut bits = label.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn nothing_is_black_and_all_else_is_bright() {
        assert_eq!(colour(0), [0, 0, 0]);
        for label in (1..2000).chain([u64::MAX, 1 << 63]) {
            assert!(*colour(label).iter().max().unwrap() >= 160, "{label}");
        }
    }

    #[test]
    fn neighbouring_labels_differ() {
        let colours: BTreeSet<_> = (0..1000).map(colour).collect();
        assert!(colours.len() > 990, "{} colours of a thousand labels", colours.len());
    }
}
