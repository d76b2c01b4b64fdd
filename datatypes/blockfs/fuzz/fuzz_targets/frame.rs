//! Frames: decoded to the length that they claim, and to another one.
#![no_main]

use std::alloc::System;

use blockfs::blosc::{FrameHeader, decode};
use blockfs_fuzz::{MOST_BLOCK, MOST_BYTES};
use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let Ok(header) = FrameHeader::read(input) else {
        assert!(decode(input, &mut [0; 64]).is_err());
        return;
    };
    if header.bytes() <= MOST_BLOCK {
        drop(decode(input, &mut vec![0; header.bytes()]));
    }
    if header.bytes() != 64 {
        assert!(decode(input, &mut [0; 64]).is_err());
    }
});
