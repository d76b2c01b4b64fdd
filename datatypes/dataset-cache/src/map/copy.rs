//! Copies, and computes CRC-32C of what is copied on its way, where the processor can.
//!
//! A copy out of a file in memory waits for the memory most of its time. What is computed meanwhile is free, and
//! memory that is asked for early comes early: a copy of 64 KiB with its checksum takes about as long as one without.

use std::ptr;

use crate::checksum::crc32c_append;

/// Fills `out` from `source`; answers the CRC-32C of what is in `out` then, behind bytes whose CRC-32C is `sum`.
///
/// # Safety
/// As many bytes as `out` has can be read at `source`, and they aren't in `out`. They may change meanwhile.
pub(super) unsafe fn copy_summed(source: *const u8, out: &mut [u8], sum: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if out.len() >= folding::STEP
        && std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("vpclmulqdq")
    {
        // SAFETY: The processor has what the function is compiled for, and the rest is the caller's word.
        return unsafe { folding::copy_summed(source, out, sum) };
    }
    // SAFETY: It is the caller's word.
    unsafe { copy_then_sum(source, out, sum) }
}

/// In parts that the processor's second cache still has when their checksum is computed.
///
/// # Safety
/// As above.
unsafe fn copy_then_sum(source: *const u8, out: &mut [u8], mut sum: u32) -> u32 {
    const PART: usize = 128 << 10;
    let mut at = 0;
    for part in out.chunks_mut(PART) {
        // SAFETY: The parts of `out` are as long as it is.
        unsafe { ptr::copy_nonoverlapping(source.add(at), part.as_mut_ptr(), part.len()) };
        sum = crc32c_append(sum, part);
        at += part.len();
    }
    sum
}

/// Folding, by V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009: a polynomial of
/// any length has the remainder that a shorter one has, in which the first bits are replaced by their product with a power of x
/// that was reduced before. Sixteen such products of 128 bits each are computed side by side.
#[cfg(target_arch = "x86_64")]
mod folding {
    use std::arch::asm;
    use std::arch::x86_64::{
        __m512i, _MM_HINT_T0, _mm_cvtsi32_si128, _mm_prefetch, _mm_set_epi64x, _mm512_broadcast_i32x4,
        _mm512_clmulepi64_epi128, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_ternarylogic_epi64,
        _mm512_xor_si512, _mm512_zextsi128_si512,
    };
    use std::ptr;

    use crate::checksum::crc32c_append;

    /// Bytes in a register.
    const LANE: usize = 64;

    /// Registers that are folded side by side.
    const LANES: usize = 4;

    /// Bytes that are folded at once.
    pub(super) const STEP: usize = LANE * LANES;

    /// So far ahead memory is asked for: a page, for the processor doesn't look beyond one by itself.
    const AHEAD: usize = 4096;

    /// The powers of x that carry the first and the last 64 bits of 128 over a step.
    const POWERS: [u64; 2] = [power(8 * STEP + 64), power(8 * STEP)];

    /// x to the `exponent`, reduced by the polynomial of CRC-32C. The first bit is the lowest, as in the data; a product of two such
    /// numbers is one bit too far, so the power is one less.
    const fn power(exponent: usize) -> u64 {
        const POLYNOMIAL: u32 = 0x1EDC_6F41;
        let (mut power, mut at) = (1_u32, 1);
        while at < exponent {
            let carry = power >> 31;
            power = (power << 1) ^ (POLYNOMIAL * carry);
            at += 1;
        }
        (power.reverse_bits() as u64) << 32
    }

    /// As above.
    ///
    /// # Safety
    /// As above; `out` has a step's bytes at least.
    #[target_feature(enable = "avx512f,vpclmulqdq")]
    pub(super) unsafe fn copy_summed(source: *const u8, out: &mut [u8], sum: u32) -> u32 {
        let powers = _mm512_broadcast_i32x4(_mm_set_epi64x(POWERS[1].cast_signed(), POWERS[0].cast_signed()));
        let (steps, rest) = out.as_chunks_mut::<STEP>();
        let ahead = steps.len().saturating_sub(AHEAD / STEP);
        let mut folded = [_mm512_setzero_si512(); LANES];
        // What came before is in the first bits of the first step.
        let mut before = _mm512_zextsi128_si512(_mm_cvtsi32_si128((!sum).cast_signed()));
        for (number, step) in steps.iter_mut().enumerate() {
            // SAFETY: There are as many steps at `source` as in `out`.
            let from = unsafe { source.add(number * STEP) };
            if number < ahead {
                for lane in 0..LANES {
                    // SAFETY: It is before the end of the last step; and asking for memory reads nothing.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(from.add(AHEAD + lane * LANE).cast()) };
                }
            }
            for (lane, (folded, out)) in folded.iter_mut().zip(step.as_chunks_mut::<LANE>().0).enumerate() {
                // SAFETY: A lane is within its step.
                let data = unsafe { load_once(from.add(lane * LANE)) };
                store(data, out);
                let first = _mm512_clmulepi64_epi128::<0x00>(*folded, powers);
                let last = _mm512_clmulepi64_epi128::<0x11>(*folded, powers);
                // The exclusive or of all three.
                *folded = _mm512_ternarylogic_epi64::<0x96>(first, last, data);
            }
            folded[0] = _mm512_xor_si512(folded[0], before);
            before = _mm512_setzero_si512();
        }
        let mut remainder = [0; STEP];
        for (folded, out) in folded.into_iter().zip(remainder.as_chunks_mut::<LANE>().0) {
            store(folded, out);
        }
        // What came before is in it already.
        let sum = crc32c_append(!0, &remainder);
        // SAFETY: The rest begins at `source` where it does in `out`.
        unsafe {
            ptr::copy_nonoverlapping(source.add(steps.len() * STEP), rest.as_mut_ptr(), rest.len());
        }
        crc32c_append(sum, rest)
    }

    /// Loads bytes, once: they may be others when they are looked at again. The compiler, which doesn't know that, would make
    /// one loop that copies and another one that sums up the source.
    ///
    /// # Safety
    /// There are as many bytes at `from`.
    #[target_feature(enable = "avx512f")]
    unsafe fn load_once(from: *const u8) -> __m512i {
        let data;
        // SAFETY: It is the caller's word, and needs no alignment.
        unsafe {
            asm!("vmovdqu64 {data}, [{from}]", from = in(reg) from, data = out(zmm_reg) data,
                options(readonly, nostack, preserves_flags));
        }
        data
    }

    #[target_feature(enable = "avx512f")]
    fn store(data: __m512i, out: &mut [u8; LANE]) {
        // SAFETY: There is room for as many bytes, and it needs no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), data) };
    }
}

#[cfg(test)]
mod tests {
    use super::{copy_summed, copy_then_sum};

    #[test]
    fn what_is_copied_is_what_is_there_and_the_sum_is_what_another_implementation_computes() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut source = vec![0; 300_000];
        random.fill(&mut source);
        let lengths = [0, 1, 255, 256, 257, 511, 4095, 4096, 4353, 8192, 65_536, 70_001, 262_144, 299_900];
        for length in lengths {
            for start in [0, 1, 16, 99] {
                let data = &source[start..start + length];
                for before in [&b""[..], b"1", b"123456789"] {
                    let expected = ::crc32c::crc32c_append(::crc32c::crc32c(before), data);
                    for copy in [copy_summed, copy_then_sum] {
                        let mut out = vec![0; length];
                        // SAFETY: `data` is as long as `out`.
                        let sum = unsafe { copy(data.as_ptr(), &mut out, ::crc32c::crc32c(before)) };
                        assert_eq!(sum, expected, "{length} bytes at {start} behind {}", before.len());
                        assert!(out == data, "{length} bytes at {start}");
                    }
                }
            }
        }
    }
}
