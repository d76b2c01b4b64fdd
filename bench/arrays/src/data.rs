//! Cubes of voxels, the same in every run, and as the peers' script makes them.

use std::path::Path;

use ndarray::Array3;

use crate::Outcome;

/// `((3z + 2y + x) & 1023) + (mix(i) & 255)`: what an image of a microscope is like to a compressor.
pub(crate) fn noisy(extent: usize) -> Array3<u16> {
    cube(extent, |index, z, y, x| ((3 * z + 2 * y + x) & 1023) + (mix(index) & 255))
}

/// Blocks of 16 voxels a side, each of one value: what labels are like.
pub(crate) fn blocky(extent: usize) -> Array3<u16> {
    cube(extent, |_, z, y, x| (z >> 4) + 32 * (y >> 4) + 1024 * (x >> 4))
}

/// A file of so many voxels, little-endian, the slowest axis first.
pub(crate) fn from_file(path: &Path, extent: usize) -> Outcome<Array3<u16>> {
    let bytes = std::fs::read(path)?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != extent.pow(3) {
        return Err(format!("{} hasn't {extent}^3 voxels of u16", path.display()).into());
    }
    let voxels = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    Ok(Array3::from_shape_vec((extent, extent, extent), voxels)?)
}

fn cube(extent: usize, voxel: impl Fn(u64, u64, u64, u64) -> u64) -> Array3<u16> {
    let mut index = 0;
    Array3::from_shape_fn((extent, extent, extent), |(z, y, x)| {
        let [z, y, x] = [z, y, x].map(|axis| axis as u64);
        let [low, high, ..] = voxel(index, z, y, x).to_le_bytes();
        index += 1;
        u16::from_le_bytes([low, high])
    })
}

/// The generator `SplitMix64`.
fn mix(index: u64) -> u64 {
    let mut state = index.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_voxels_are_those_of_the_script() {
        let first: Vec<u16> = noisy(8).iter().copied().take(8).collect();
        assert_eq!(first, [175, 194, 208, 240, 206, 95, 6, 222]);
        assert_eq!(blocky(40)[[1, 17, 33]], 2080);
    }
}
