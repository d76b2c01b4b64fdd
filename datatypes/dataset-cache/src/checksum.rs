//! CRC-32C, as fast as the processor does it: a hit computes it of every byte.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of bytes.
pub(crate) fn crc32c(data: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(data)
}

/// The checksum of bytes behind those that have this one.
pub(crate) fn crc32c_append(sum: u32, data: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!sum));
    digest.update(data);
    u32::try_from(digest.finalize()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_another_implementation_computes() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        let mut random = fastrand::Rng::with_seed(1);
        for length in [0, 1, 3, 64, 255, 4096, 24_576, 70_001] {
            let mut data = vec![0; length];
            random.fill(&mut data);
            assert_eq!(crc32c(&data), ::crc32c::crc32c(&data), "{length} bytes");
            for cut in [0, 1, length / 3, length] {
                let (first, rest) = data.split_at(cut.min(length));
                assert_eq!(crc32c_append(crc32c(first), rest), crc32c(&data), "{length} bytes cut at {cut}");
            }
        }
    }
}
