//! Voxels, the same in every run.

/// `((3z + 2y + x) & 1023) + (mix(i) & 255)`, as the peers' script makes it.
pub(crate) fn noisy(extent: u64) -> Vec<u8> {
    let mut data = Vec::with_capacity(usize::try_from(extent.pow(3) * 2).unwrap_or(0));
    let mut index = 0;
    for z in 0..extent {
        for y in 0..extent {
            for x in 0..extent {
                let value = ((3 * z + 2 * y + x) & 1023) + (mix(index) & 255);
                data.extend_from_slice(&u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes());
                index += 1;
            }
        }
    }
    data
}

/// The generator `SplitMix64`.
fn mix(index: u64) -> u64 {
    let mut state = index.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}
