//! Memory that is asked for before it is needed.
//!
//! Rows that are reduced together are far from each other, and a processor looks ahead within a page at most: without this, half of the
//! time of the quick reducers goes by waiting for memory.

/// How much of each row is asked for ahead, in bytes: of 1 to 32 KiB the best for most reducers and types.
const AHEAD: usize = 8 << 10;

/// The bytes that come to the processor at once.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// By how many rows of cells what is asked for is ahead, where a row of elements has so many bytes.
pub(super) fn rows_ahead(bytes: usize) -> usize {
    (AHEAD / bytes.max(1)).clamp(1, 8)
}

/// Asks for bytes that are read soon. Nothing else comes of it.
#[allow(clippy::inline_always, reason = "a call would take longer than what it does")]
#[inline(always)]
pub(super) fn ask_for(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        #[allow(unsafe_code, reason = "nothing safe says it, and `stride` is twice as fast with it")]
        // SAFETY: The instruction, which every x86-64 processor has, reads nothing that a program could see.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}
